#include "fetch-novel/url.hpp"

#include <arpa/inet.h>
#include <idn2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <vector>

#include "fetch-novel/utf8.hpp"

namespace jobhost::novel {
namespace {

bool isAlpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool isDigit(char c) {
  return c >= '0' && c <= '9';
}
bool isHex(char c) {
  return isDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// What is percent-encoded beside blanks, controls and what is not ASCII (URL standard, 1.3). Escapes stay as the site
// wrote them, those that are none too.
constexpr std::string_view kInPath = "\"#<>?`{}";
constexpr std::string_view kInQuery = "\"#<>'";
constexpr std::string_view kInFragment = "\"<>`";
constexpr std::string_view kForbiddenInHost = "#/:<>?@[\\]^|%";
constexpr std::size_t kHostBytes = 254;

std::string encoded(std::string_view text, std::string_view set) {
  std::string out;
  for (const char c : text) {
    if (c > ' ' && c < '\x7F' && set.find(c) == std::string_view::npos) {
      out += c;
    } else {
      out += percentEncoded(std::string_view(&c, 1));
    }
  }
  return out;
}

// Without blanks and controls around it, and without tabs and line ends anywhere.
std::string stripped(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  std::string out(text);
  std::erase_if(out, [](char c) { return c == '\t' || c == '\n' || c == '\r'; });
  return out;
}

std::string normalPath(std::string_view path) {
  std::vector<std::string> parts;
  bool slash_at_end = false;
  for (std::size_t at = 1; at <= path.size();) {
    const std::size_t end = std::min(path.find_first_of("/\\", at), path.size());
    const std::string_view part = path.substr(at, end - at);
    const std::string low = asciiLower(part);
    const bool last = end == path.size();
    if (low == ".." || low == ".%2e" || low == "%2e." || low == "%2e%2e") {
      if (!parts.empty()) parts.pop_back();
      slash_at_end = last;
    } else if (low == "." || low == "%2e") {
      slash_at_end = last;
    } else {
      parts.push_back(encoded(part, kInPath));
      slash_at_end = false;
    }
    at = end + 1;
  }
  std::string out;
  for (const std::string& part : parts) {
    out += '/';
    out += part;
  }
  if (slash_at_end || out.empty()) out += '/';
  return out;
}

std::string percentDecoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && isHex(text[i + 1]) && isHex(text[i + 2])) {
      const auto digit = [](char c) { return isDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10; };
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// One part of an IPv4 address: decimal, 0x hexadecimal, or octal with a leading zero.
std::optional<std::uint64_t> ipv4Part(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
    if (text.empty()) return 0;
  } else if (text.size() > 1 && text.front() == '0') {
    base = 8;
    text.remove_prefix(1);
  }
  std::uint64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool endsInNumber(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  const std::string_view last = host.substr(host.rfind('.') + 1);
  if (last.empty()) return false;
  return std::all_of(last.begin(), last.end(), isDigit) || (last.starts_with("0x") && ipv4Part(last));
}

// Empty: no address, as for all below.
std::string ipv4(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  std::vector<std::uint64_t> parts;
  for (std::size_t at = 0; at <= host.size();) {
    const std::size_t end = std::min(host.find('.', at), host.size());
    const auto part = ipv4Part(host.substr(at, end - at));
    if (!part || parts.size() == 4) return {};
    parts.push_back(*part);
    at = end + 1;
  }
  std::uint64_t address = parts.back();
  if (address >= std::uint64_t{1} << (8 * (5 - parts.size()))) return {};
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    if (parts[i] > 255) return {};
    address += parts[i] << (8 * (3 - i));
  }
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += (out.empty() ? "" : ".") + std::to_string(address >> shift & 255);
  return out;
}

std::string ipv6(const std::string& bracketed) {
  if (bracketed.back() != ']') return {};
  const std::string text = bracketed.substr(1, bracketed.size() - 2);
  in6_addr address{};
  std::array<char, INET6_ADDRSTRLEN> out{};
  if (::inet_pton(AF_INET6, text.c_str(), &address) != 1 ||
      ::inet_ntop(AF_INET6, &address, out.data(), out.size()) == nullptr)
    return {};
  return "[" + std::string(out.data()) + "]";
}

// Non-transitional UTS #46, which is IDNA 2008 with the mapping people expect, by the library that the server's own
// spelling of a novel's address uses: what one takes for a name the other has to.
std::string asciiHost(std::string_view host) {
  if (host.empty()) return {};
  if (host.front() == '[') return ipv6(std::string(host));
  std::string name = percentDecoded(host);
  if (!isUtf8(name) || name.find('\0') != std::string::npos) return {};
  name = asciiLower(name);
  const bool ascii = std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (!ascii || name.find("xn--") != std::string::npos) {
    char* out = nullptr;
    if (idn2_to_ascii_8z(name.c_str(), &out, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK) return {};
    name = out;
    idn2_free(out);
  }
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return c > ' ' && c < '\x7F' && kForbiddenInHost.find(c) == std::string_view::npos;
  });
  if (name.empty() || name.size() > kHostBytes || !plain) return {};
  return endsInNumber(name) ? ipv4(name) : name;
}

bool setAuthority(Url& url, std::string_view authority) {
  if (const std::size_t user = authority.rfind('@'); user != std::string_view::npos) authority.remove_prefix(user + 1);
  const std::size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    std::string_view port = authority.substr(colon + 1);
    if (!std::all_of(port.begin(), port.end(), isDigit)) return false;
    while (port.size() > 1 && port.front() == '0') port.remove_prefix(1);
    if (port.size() > 5 || (port.size() == 5 && port > "65535")) return false;
    if (!port.empty() && !(url.scheme == "http" && port == "80") && !(url.scheme == "https" && port == "443"))
      url.port = port;
    authority = authority.substr(0, colon);
  }
  url.host = asciiHost(authority);
  return !url.host.empty();
}

bool startsWithTwoSlashes(std::string_view text) {
  return text.size() > 1 && (text[0] == '/' || text[0] == '\\') && (text[1] == '/' || text[1] == '\\');
}

void setTail(Url& url, std::string_view tail) {
  if (const std::size_t at = tail.find('#'); at != std::string_view::npos) {
    url.fragment = "#" + encoded(tail.substr(at + 1), kInFragment);
    tail = tail.substr(0, at);
  }
  if (const std::size_t at = tail.find('?'); at != std::string_view::npos) {
    url.query = "?" + encoded(tail.substr(at + 1), kInQuery);
    tail = tail.substr(0, at);
  }
  url.path = normalPath(tail);
}

// The scheme in lower case and what follows its colon; empty when there is none.
std::string schemeOf(std::string_view text, std::string_view& rest) {
  std::size_t at = 0;
  while (at < text.size() && (isAlpha(text[at]) ||
                              (at > 0 && (isDigit(text[at]) || text[at] == '+' || text[at] == '-' || text[at] == '.'))))
    ++at;
  if (at == 0 || at >= text.size() || text[at] != ':') return {};
  rest = text.substr(at + 1);
  return asciiLower(text.substr(0, at));
}

std::optional<Url> fromAuthority(std::string scheme, std::string_view rest) {
  while (!rest.empty() && (rest.front() == '/' || rest.front() == '\\')) rest.remove_prefix(1);
  Url url;
  url.scheme = std::move(scheme);
  const std::size_t end = std::min(rest.find_first_of("/\\?#"), rest.size());
  if (!setAuthority(url, rest.substr(0, end))) return std::nullopt;
  setTail(url, rest.substr(end));
  return url;
}

}  // namespace

std::string Url::authority() const {
  return port.empty() ? host : host + ":" + port;
}

std::string Url::origin() const {
  return scheme + "://" + authority();
}

std::string Url::text() const {
  return origin() + path + query;
}

std::optional<Url> parseUrl(std::string_view given) {
  if (!isUtf8(given)) return std::nullopt;
  const std::string text = stripped(given);
  std::string_view rest;
  std::string scheme = schemeOf(text, rest);
  if (scheme != "http" && scheme != "https") return std::nullopt;
  return fromAuthority(std::move(scheme), rest);
}

std::optional<Url> resolveUrl(const Url& base, std::string_view given) {
  const std::string text = stripped(given);
  std::string_view reference = text;
  std::string_view rest;
  const std::string scheme = schemeOf(reference, rest);
  if (scheme == "http" || scheme == "https") {
    if (startsWithTwoSlashes(rest) || scheme != base.scheme) return fromAuthority(scheme, rest);
    reference = rest;  // "https:chapter-2" of a page with the same scheme is relative
  } else if (!scheme.empty()) {
    return std::nullopt;
  }
  if (startsWithTwoSlashes(reference)) return fromAuthority(base.scheme, reference);
  Url out = base;
  out.fragment.clear();
  if (reference.empty()) return out;
  if (reference.front() == '#') {
    out.fragment = "#" + encoded(reference.substr(1), kInFragment);
    return out;
  }
  out.query.clear();
  if (reference.front() == '?') {
    setTail(out, base.path + std::string(reference));
  } else if (reference.front() == '/' || reference.front() == '\\') {
    setTail(out, reference);
  } else {
    setTail(out, base.path.substr(0, base.path.rfind('/') + 1) + std::string(reference));
  }
  return out;
}

std::string sourceHost(std::string_view url) {
  const std::optional<Url> parsed =
      parseUrl(url.find("://") == std::string_view::npos ? "http://" + std::string(url) : std::string(url));
  if (!parsed) return {};
  std::string_view host = parsed->host;
  while (host.ends_with('.')) host.remove_suffix(1);
  if (host.starts_with("www.")) host.remove_prefix(4);
  return std::string(host);
}

std::string withSingleSlashes(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::size_t start = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::size_t end = std::min(url.find_first_of("?#", start), url.size());
  std::string out(url.substr(0, start));
  for (std::size_t i = start; i < end; ++i) {
    if (!(url[i] == '/' && i > start && url[i - 1] == '/')) out += url[i];
  }
  return out.append(url.substr(end));
}

}  // namespace jobhost::novel
