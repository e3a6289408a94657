#include "api/auth/client_address.hpp"

#include <algorithm>
#include <string_view>

#include <arpa/inet.h>

namespace jobhost::api {

bool isAddress(const std::string& text) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, text.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

namespace {

/// "1.2.3.4", "1.2.3.4:567", "[::1]:567" or "::1" without port and brackets; empty: no address.
std::string bare(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  if (text.starts_with('[')) {
    text = text.substr(1, text.find(']') == std::string_view::npos ? 0 : text.find(']') - 1);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    text = text.substr(0, text.find(':'));
  }
  std::string address(text);
  return isAddress(address) ? address : std::string();
}

/// One spelling for each address: "::ffff:10.0.0.9", as a peer of a listener for both families is called, is 10.0.0.9.
std::string plain(const std::string& address) {
  in6_addr six{};
  char text[INET6_ADDRSTRLEN];
  if (::inet_pton(AF_INET6, address.c_str(), &six) != 1) return address;
  const bool mapped = IN6_IS_ADDR_V4MAPPED(&six);
  const auto* written = mapped ? ::inet_ntop(AF_INET, &six.s6_addr[12], text, sizeof text)
                               : ::inet_ntop(AF_INET6, &six, text, sizeof text);
  return written != nullptr ? written : address;
}

}  // namespace

std::string clientAddress(const Request& request, const std::vector<std::string>& trusted_proxies) {
  std::string address = plain(std::string(request.peer));
  const auto trusted = [&](const std::string& one) {
    return std::any_of(trusted_proxies.begin(), trusted_proxies.end(),
                       [&](const auto& proxy) { return plain(proxy) == one; });
  };
  if (trusted_proxies.empty() || !trusted(address)) return address;
  // Several header lines are one list.
  for (auto header = request.headers.rbegin(); header != request.headers.rend(); ++header) {
    if (!sameNoCase(header->name, "X-Forwarded-For")) continue;
    auto list = header->value;
    while (!list.empty()) {
      const auto comma = list.rfind(',');
      const auto one = plain(bare(comma == std::string_view::npos ? list : list.substr(comma + 1)));
      if (one.empty()) return address;  // written by nobody we trust
      address = one;
      if (!trusted(address)) return address;
      list = comma == std::string_view::npos ? std::string_view{} : list.substr(0, comma);
    }
  }
  return address;
}

}  // namespace jobhost::api
