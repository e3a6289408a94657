#include "api/auth/cookies.hpp"

#include <algorithm>

namespace jobhost::api {
namespace {

constexpr std::size_t kMostOrigin = 512;

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

/// host[:port] in lower case, without `port_to_drop`; nullopt: something else stands there.
std::optional<std::string> normalHost(std::string_view host, std::string_view port_to_drop) {
  if (host.empty() || host.size() > kMostOrigin) return std::nullopt;
  const bool clean = std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_' || c == ':' || c == '[' || c == ']';
  });
  if (!clean) return std::nullopt;
  auto text = lower(host);
  const auto bracket = text.rfind(']');
  const auto colon = text.rfind(':');
  const bool has_port = colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
  if (has_port && (colon + 1 == text.size() || text.compare(colon + 1, std::string::npos, port_to_drop) == 0)) {
    text.resize(colon);
  }
  return text.empty() ? std::nullopt : std::optional(text);
}

struct Split {
  std::string scheme, host;
  std::string_view port;  ///< the scheme's own
};
std::optional<Split> splitOrigin(std::string_view origin) {
  if (origin.size() > kMostOrigin) return std::nullopt;
  const auto mark = origin.find("://");
  if (mark == std::string_view::npos) return std::nullopt;
  Split split{lower(origin.substr(0, mark)), {}, {}};
  if (split.scheme != "http" && split.scheme != "https") return std::nullopt;
  split.port = split.scheme == "https" ? "443" : "80";
  auto host = normalHost(origin.substr(mark + 3), split.port);
  if (!host) return std::nullopt;
  split.host = *std::move(host);
  return split;
}

}  // namespace

std::optional<std::string_view> cookieValue(std::string_view header, std::string_view name) {
  std::optional<std::string_view> found;
  while (!header.empty()) {
    const auto end = header.find(';');
    const auto pair = trimmed(header.substr(0, end));
    header = end == std::string_view::npos ? std::string_view{} : header.substr(end + 1);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || trimmed(pair.substr(0, equals)) != name) continue;
    auto value = trimmed(pair.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    if (found && *found != value) return std::nullopt;
    found = value;
  }
  return found;
}

std::optional<std::string> normalOrigin(std::string_view origin) {
  const auto split = splitOrigin(trimmed(origin));
  if (!split) return std::nullopt;
  return split->scheme + "://" + split->host;
}

bool sameHost(std::string_view origin, std::string_view host) {
  const auto split = splitOrigin(trimmed(origin));
  if (!split) return false;
  const auto asked = normalHost(trimmed(host), split->port);
  return asked && *asked == split->host;
}

}  // namespace jobhost::api
