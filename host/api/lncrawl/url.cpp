#include "api/lncrawl/url.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <vector>

#include <arpa/inet.h>
#include <idn2.h>

#include "api/encoding.hpp"
#include "core/utf8.hpp"

namespace jobhost::api::lncrawl {
namespace {

// What is percent-encoded beside controls and what is not ASCII (URL standard, 1.3).
constexpr std::string_view kInPath = " \"#<>?`{}";
constexpr std::string_view kInQuery = " \"#<>'";
constexpr std::string_view kForbiddenInHost = " #/:<>?@[\\]^|%";

core::Error wrong(std::string code, std::string message) {
  return {core::ErrorCode::InvalidArgument, std::move(message), std::move(code), {}};
}

core::Error unparsable(std::string why) {
  return wrong("url_parsing", std::move(why));
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

void encode(std::string& out, std::string_view text, std::string_view set) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7F && set.find(c) == std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 0xF];
    }
  }
}

/// Without blanks and controls around it, and without tabs and line ends anywhere.
std::string stripped(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= 0x20) text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= 0x20) text.remove_suffix(1);
  std::string out;
  for (const char c : text) {
    if (c != '\t' && c != '\n' && c != '\r') out += c;
  }
  return out;
}

/// "." or "..", also where the dots are percent-encoded; 0: neither.
int dots(std::string_view segment) {
  int count = 0;
  while (!segment.empty()) {
    if (segment.front() == '.') {
      segment.remove_prefix(1);
    } else if (segment.size() >= 3 && segment[0] == '%' && segment[1] == '2' && lower(segment[2]) == 'e') {
      segment.remove_prefix(3);
    } else {
      return 0;
    }
    if (++count > 2) return 0;
  }
  return count;
}

std::string normalPath(std::string_view path) {
  std::vector<std::string> segments;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const auto end = std::min(path.find_first_of("/\\"), path.size());
    const auto segment = path.substr(0, end);
    path.remove_prefix(end);
    const int up = dots(segment);
    if (up == 2 && !segments.empty()) segments.pop_back();
    if (up == 0) {
      segments.emplace_back();
      encode(segments.back(), segment, kInPath);
    } else if (path.empty()) {
      segments.emplace_back();
    }
  }
  if (segments.empty()) return "/";
  std::string out;
  for (const auto& segment : segments) out += '/' + segment;
  return out;
}

/// One part of an IPv4 address: decimal, 0x hexadecimal, or octal with a leading zero.
std::optional<std::uint64_t> ipv4Part(std::string_view text) {
  int base = 10;
  if (text.size() >= 2 && text[0] == '0' && lower(text[1]) == 'x') {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() >= 2 && text[0] == '0') {
    base = 8;
    text.remove_prefix(1);
  }
  if (text.empty()) return base == 16 ? std::optional<std::uint64_t>(0) : std::nullopt;
  std::uint64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return failed == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

bool endsInNumber(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  const auto last = host.substr(host.rfind('.') + 1);
  if (last.empty()) return false;
  return std::all_of(last.begin(), last.end(), isDigit) ||
         (last.size() >= 2 && last[0] == '0' && lower(last[1]) == 'x' && ipv4Part(last));
}

core::Result<std::string> ipv4(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  std::vector<std::uint64_t> parts;
  for (;;) {
    const auto dot = host.find('.');
    const auto part = ipv4Part(host.substr(0, dot));
    if (!part || parts.size() == 4) return unparsable("invalid IPv4 address");
    parts.push_back(*part);
    if (dot == std::string_view::npos) break;
    host.remove_prefix(dot + 1);
  }
  std::uint64_t address = parts.back();
  if (address >= std::uint64_t{1} << (8 * (5 - parts.size()))) return unparsable("invalid IPv4 address");
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    if (parts[i] > 255) return unparsable("invalid IPv4 address");
    address += parts[i] << (8 * (3 - i));
  }
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += (out.empty() ? "" : ".") + std::to_string(address >> shift & 255);
  return out;
}

core::Result<std::string> ipv6(std::string_view bracketed) {
  const std::string text(bracketed.substr(1, bracketed.size() - 2));
  in6_addr address{};
  std::array<char, INET6_ADDRSTRLEN> out{};
  if (::inet_pton(AF_INET6, text.c_str(), &address) != 1 ||
      ::inet_ntop(AF_INET6, &address, out.data(), out.size()) == nullptr) {
    return unparsable("invalid IPv6 address");
  }
  return '[' + std::string(out.data()) + ']';
}

core::Result<std::string> normalHost(std::string_view raw) {
  if (raw.empty()) return unparsable("empty host");
  if (raw.front() == '[') return raw.back() == ']' ? ipv6(raw) : unparsable("invalid IPv6 address");
  auto decoded = percentDecode(raw, false);
  if (!decoded || !core::isUtf8(*decoded)) return unparsable("invalid international domain name");
  std::string host = *std::move(decoded);
  std::transform(host.begin(), host.end(), host.begin(), lower);
  const bool ascii = std::all_of(host.begin(), host.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (!ascii || host.find("xn--") != std::string::npos) {
    char* out = nullptr;
    if (idn2_to_ascii_8z(host.c_str(), &out, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK) {
      return unparsable("invalid international domain name");
    }
    host = out;
    idn2_free(out);
  }
  if (host.empty()) return unparsable("empty host");
  for (const char c : host) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7F || kForbiddenInHost.find(c) != std::string_view::npos) {
      return unparsable("invalid domain character");
    }
  }
  if (host.size() > 254) return unparsable("invalid international domain name");
  return endsInNumber(host) ? ipv4(host) : host;
}

/// With its colon; empty where it is the scheme's own.
core::Result<std::string> normalPort(std::string_view text, bool https) {
  if (text.empty()) return std::string();
  while (text.size() > 1 && text.front() == '0') text.remove_prefix(1);
  if (text.size() > 5 || !std::all_of(text.begin(), text.end(), isDigit)) return unparsable("invalid port number");
  const int port = std::atoi(std::string(text).c_str());
  if (port > 65535) return unparsable("invalid port number");
  return port == (https ? 443 : 80) ? std::string() : ':' + std::to_string(port);
}

}  // namespace

core::Result<NormalUrl> normalUrl(std::string_view given) {
  if (given.size() > kMaxUrl) return wrong("url_too_long", "URL should have at most 2083 characters");
  if (!core::isUtf8(given)) return unparsable("invalid text encoding");
  const auto text = stripped(given);
  std::string_view rest(text);
  if (rest.empty()) return unparsable("input is empty");
  const auto colon = rest.find(':');
  std::string scheme(rest.substr(0, colon == std::string_view::npos ? 0 : colon));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(), lower);
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || isDigit(c) || c == '+' || c == '-' || c == '.'; };
  const bool is_scheme =
      !scheme.empty() && scheme[0] >= 'a' && scheme[0] <= 'z' && std::all_of(scheme.begin(), scheme.end(), plain);
  if (!is_scheme) return unparsable("relative URL without a base");
  if (scheme != "http" && scheme != "https") return wrong("url_scheme", "URL scheme should be 'http' or 'https'");
  rest.remove_prefix(colon + 1);
  rest.remove_prefix(std::min(rest.find_first_not_of("/\\"), rest.size()));

  const auto authority_end = std::min(rest.find_first_of("/\\?#"), rest.size());
  auto authority = rest.substr(0, authority_end);
  rest.remove_prefix(authority_end);
  // A name with its password is nobody's to see in a list of jobs, and no fetch would use it.
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  const auto bracket = authority.rfind(']');
  const auto port_at = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  auto host = normalHost(authority.substr(0, port_at));
  if (!host) return host.error();
  const auto port = normalPort(port_at == std::string_view::npos ? std::string_view() : authority.substr(port_at + 1),
                               scheme.size() == 5);
  if (!port) return port.error();

  const auto fragment_at = std::min(rest.find('#'), rest.size());
  const auto query_at = std::min(rest.find('?'), fragment_at);
  NormalUrl url;
  url.text = scheme + "://" + *host + *port + normalPath(rest.substr(0, query_at));
  if (query_at < fragment_at) {
    url.text += '?';
    encode(url.text, rest.substr(query_at + 1, fragment_at - query_at - 1), kInQuery);
  }
  url.host = *std::move(host);
  return url;
}

std::string sourceHost(std::string_view host) {
  return std::string(host.starts_with("www.") ? host.substr(4) : host);
}

}  // namespace jobhost::api::lncrawl
