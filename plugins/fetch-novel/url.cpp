#include "fetch-novel/url.hpp"

#include <unicode/uidna.h>

#include <algorithm>
#include <memory>
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

// Encodes what may not stand in a URL and leaves the rest, escapes included, as the site wrote it.
std::string cleaned(std::string_view text, std::string_view also_allowed) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool escape = c == '%' && i + 2 < text.size() && isHex(text[i + 1]) && isHex(text[i + 2]);
    constexpr std::string_view kAllowed = "-._~!$&'()*+,;=:@/";
    if (isAlpha(c) || isDigit(c) || escape || kAllowed.find(c) != std::string_view::npos ||
        also_allowed.find(c) != std::string_view::npos) {
      out += c;
    } else if (c == '\t' || c == '\n' || c == '\r') {
      continue;
    } else {
      out += percentEncoded(std::string_view(&c, 1));
    }
  }
  return out;
}

std::string withoutDots(std::string_view path) {
  std::vector<std::string_view> parts;
  bool slash_at_end = false;
  for (std::size_t at = 1; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    const std::string low = asciiLower(part);
    const bool last = end == path.size();
    if (low == ".." || low == ".%2e" || low == "%2e." || low == "%2e%2e") {
      if (!parts.empty()) parts.pop_back();
      slash_at_end = last;
    } else if (low == "." || low == "%2e") {
      slash_at_end = last;
    } else {
      parts.push_back(part);
      slash_at_end = false;
    }
    at = end + 1;
  }
  std::string out;
  for (const std::string_view part : parts) {
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

// Non-transitional UTS #46, which is IDNA 2008 with the mapping people expect. Empty: no host name.
std::string asciiHost(std::string_view host) {
  std::string name = percentDecoded(host);
  while (!name.empty() && name.back() == '.') name.pop_back();
  if (name.empty()) return {};
  if (name.front() == '[') {
    const bool v6 = name.back() == ']' && name.size() > 3 && std::all_of(name.begin() + 1, name.end() - 1, [](char c) {
                      return isHex(c) || c == ':' || c == '.';
                    });
    return v6 ? asciiLower(name) : std::string();
  }
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<UIDNA, decltype(&uidna_close)> idna(
      uidna_openUTS46(UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_NONTRANSITIONAL_TO_UNICODE | UIDNA_CHECK_BIDI, &status),
      &uidna_close);
  UIDNAInfo info = UIDNA_INFO_INITIALIZER;
  std::string out(1024, '\0');
  const std::int32_t size = uidna_nameToASCII_UTF8(idna.get(), name.data(), static_cast<std::int32_t>(name.size()),
                                                   out.data(), static_cast<std::int32_t>(out.size()), &info, &status);
  // Hyphens at odd places occur in real names (r3---sn-x.example) and resolve.
  constexpr std::uint32_t kTolerated =
      UIDNA_ERROR_LEADING_HYPHEN | UIDNA_ERROR_TRAILING_HYPHEN | UIDNA_ERROR_HYPHEN_3_4;
  if (U_FAILURE(status) || (info.errors & ~kTolerated) != 0 || size > 253) return {};
  out.resize(static_cast<std::size_t>(size));
  const bool plain = std::all_of(out.begin(), out.end(),
                                 [](char c) { return isAlpha(c) || isDigit(c) || c == '-' || c == '.' || c == '_'; });
  return plain ? out : std::string();
}

bool setAuthority(Url& url, std::string_view authority) {
  if (const std::size_t user = authority.rfind('@'); user != std::string_view::npos) authority.remove_prefix(user + 1);
  const std::size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    std::string_view port = authority.substr(colon + 1);
    if (!std::all_of(port.begin(), port.end(), isDigit)) return false;
    while (port.size() > 1 && port.front() == '0') port.remove_prefix(1);
    if (port.size() > 5 || (port.size() == 5 && port > "65535")) return false;
    if (!(url.scheme == "http" && port == "80") && !(url.scheme == "https" && port == "443")) url.port = port;
    authority = authority.substr(0, colon);
  }
  url.host = asciiHost(authority);
  return !url.host.empty();
}

void setTail(Url& url, std::string_view tail) {
  if (const std::size_t at = tail.find('#'); at != std::string_view::npos) {
    url.fragment = "#" + cleaned(tail.substr(at + 1), "?");
    tail = tail.substr(0, at);
  }
  if (const std::size_t at = tail.find('?'); at != std::string_view::npos) {
    url.query = "?" + cleaned(tail.substr(at + 1), "?[]|{}^");
    tail = tail.substr(0, at);
  }
  std::string path(tail);
  std::replace(path.begin(), path.end(), '\\', '/');
  if (!path.starts_with('/')) path.insert(path.begin(), '/');
  url.path = withoutDots(cleaned(path, "[]|"));
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

std::optional<Url> parseUrl(std::string_view text) {
  text = trimmed(text);
  std::string_view rest;
  std::string scheme = schemeOf(text, rest);
  if (scheme != "http" && scheme != "https") return std::nullopt;
  if (!rest.starts_with("//")) return std::nullopt;
  return fromAuthority(std::move(scheme), rest);
}

std::optional<Url> resolveUrl(const Url& base, std::string_view reference) {
  reference = trimmed(reference);
  std::string_view rest;
  const std::string scheme = schemeOf(reference, rest);
  if (scheme == "http" || scheme == "https") {
    if (rest.starts_with('/') || rest.starts_with('\\') || scheme != base.scheme) return fromAuthority(scheme, rest);
    reference = rest;  // "https:chapter-2" of a page with the same scheme is relative
  } else if (!scheme.empty()) {
    return std::nullopt;
  }
  if (reference.size() > 1 && (reference[0] == '/' || reference[0] == '\\') &&
      (reference[1] == '/' || reference[1] == '\\')) {
    return fromAuthority(base.scheme, reference);
  }
  Url out = base;
  out.fragment.clear();
  if (reference.empty()) return out;
  if (reference.front() == '#') {
    out.fragment = "#" + cleaned(reference.substr(1), "?");
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
  return parsed->host.starts_with("www.") ? parsed->host.substr(4) : parsed->host;
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
