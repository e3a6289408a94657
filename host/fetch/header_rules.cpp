#include "fetch/header_rules.hpp"

#include <algorithm>

namespace jobhost::fetch {
namespace {

char lowered(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool startsWith(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && equalsIgnoringCase(text.substr(0, prefix.size()), prefix);
}

bool isToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool isValue(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
}

// What frames the message or speaks to the next hop is the client's to say.
bool isOurs(std::string_view name) {
  static constexpr std::string_view kOurs[] = {
      "host",    "content-length", "transfer-encoding", "connection",     "upgrade", "keep-alive", "te",
      "trailer", "expect",         "http2-settings",    "accept-encoding"};
  return startsWith(name, "proxy-") ||
         std::any_of(std::begin(kOurs), std::end(kOurs), [&](auto one) { return equalsIgnoringCase(name, one); });
}

bool isHarmless(std::string_view name) {
  static constexpr std::string_view kHarmless[] = {"accept",
                                                   "accept-language",
                                                   "cache-control",
                                                   "content-type",
                                                   "content-language",
                                                   "content-encoding",
                                                   "if-match",
                                                   "if-modified-since",
                                                   "if-none-match",
                                                   "if-range",
                                                   "if-unmodified-since",
                                                   "pragma",
                                                   "user-agent",
                                                   "content-range",
                                                   "range",
                                                   "content-disposition"};
  return std::any_of(std::begin(kHarmless), std::end(kHarmless),
                     [&](auto one) { return equalsIgnoringCase(name, one); });
}

}  // namespace

bool equalsIgnoringCase(std::string_view one, std::string_view other) {
  return one.size() == other.size() &&
         std::equal(one.begin(), one.end(), other.begin(), [](char a, char b) { return lowered(a) == lowered(b); });
}

std::optional<std::string> problemOf(const std::vector<Header>& headers) {
  if (headers.size() > kMaxRequestHeaders) {
    return "headers: at most " + std::to_string(kMaxRequestHeaders) + ", there are " + std::to_string(headers.size());
  }
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto& [name, value] = headers[i];
    const std::string where = "headers/" + std::to_string(i) + ": ";
    if (!isToken(name)) return where + "the name is no header name";
    if (!isValue(value)) return where + "the value of " + name + " has control characters";
    if (isOurs(name)) return where + name + " is set by the host";
    bytes += name.size() + value.size() + 4;
  }
  if (bytes > kMaxRequestHeaderBytes) {
    return "headers: at most " + std::to_string(kMaxRequestHeaderBytes) + " bytes, there are " + std::to_string(bytes);
  }
  return std::nullopt;
}

bool isKnownMethod(std::string_view method) {
  static constexpr std::string_view kMethods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  return std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods);
}

bool isIdempotent(std::string_view method) {
  return method != "POST" && method != "PATCH";
}

bool isRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string methodAfter(int status, const std::string& method) {
  if (status == 303 && method != "HEAD") return "GET";
  if ((status == 301 || status == 302) && method == "POST") return "GET";
  return method;
}

std::vector<Header> headersAfter(const std::vector<Header>& headers, bool same_origin, bool keeps_body) {
  std::vector<Header> kept;
  for (const auto& header : headers) {
    if (!same_origin && !isHarmless(header.name)) continue;
    if (!keeps_body && startsWith(header.name, "content-")) continue;
    kept.push_back(header);
  }
  return kept;
}

}  // namespace jobhost::fetch
