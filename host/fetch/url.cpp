#include "fetch/url.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <memory>

namespace jobhost::fetch {
namespace {

struct CurlUrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using CurlUrl = std::unique_ptr<CURLU, CurlUrlDeleter>;

std::string part(CURLU* url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, flags) != CURLUE_OK) return {};
  std::string out(text);
  curl_free(text);
  return out;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

bool hasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::variant<Url, Failure> describe(CURLU* parsed) {
  Url url;
  url.scheme = lower(part(parsed, CURLUPART_SCHEME));
  if (url.scheme != "http" && url.scheme != "https") {
    return Failure{FailureCode::Scheme, "the scheme \"" + url.scheme.substr(0, 32) + "\" is neither http nor https"};
  }
  std::string host = lower(part(parsed, CURLUPART_HOST));
  // libcurl would read other letters in the charset of the locale, which is no business of a URL.
  if (std::any_of(host.begin(), host.end(), [](unsigned char c) { return c >= 0x80; })) {
    return Failure{FailureCode::InvalidRequest, "url: the host must be ASCII: write other letters as xn--…"};
  }
  // Set back in the form that is checked, so that what is checked is what is connected to.
  if (host.empty() || curl_url_set(parsed, CURLUPART_HOST, host.c_str(), 0) != CURLUE_OK) {
    return Failure{FailureCode::InvalidRequest, "url: the host cannot be read"};
  }
  curl_url_set(parsed, CURLUPART_FRAGMENT, nullptr, 0);
  url.text = part(parsed, CURLUPART_URL);
  const std::string port = part(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  std::from_chars(port.data(), port.data() + port.size(), url.port);
  curl_url_set(parsed, CURLUPART_USER, nullptr, 0);
  curl_url_set(parsed, CURLUPART_PASSWORD, nullptr, 0);
  curl_url_set(parsed, CURLUPART_OPTIONS, nullptr, 0);
  url.visible = part(parsed, CURLUPART_URL);
  curl_url_set(parsed, CURLUPART_QUERY, nullptr, 0);
  url.shown = part(parsed, CURLUPART_URL);
  if (url.text.empty() || url.port == 0) return Failure{FailureCode::InvalidRequest, "url: cannot be read"};
  if (host.front() == '[') host = host.substr(1, host.size() - 2);
  while (!host.empty() && host.back() == '.') host.pop_back();
  url.host = std::move(host);
  return url;
}

}  // namespace

std::variant<Url, Failure> parseUrl(std::string_view text) {
  if (text.empty() || text.size() > kMaxUrlBytes) {
    return Failure{FailureCode::InvalidRequest, "url: must be 1 to " + std::to_string(kMaxUrlBytes) + " bytes"};
  }
  if (hasControl(text)) return Failure{FailureCode::InvalidRequest, "url: control characters are not allowed"};
  const CurlUrl parsed(curl_url());
  const std::string copy(text);
  const CURLUcode set = curl_url_set(parsed.get(), CURLUPART_URL, copy.c_str(), CURLU_NON_SUPPORT_SCHEME);
  if (set != CURLUE_OK) {
    return Failure{FailureCode::InvalidRequest, std::string("url: not an absolute URL: ") + curl_url_strerror(set)};
  }
  return describe(parsed.get());
}

std::variant<Url, Failure> resolveUrl(const Url& from, std::string_view location) {
  if (location.empty() || location.size() > kMaxUrlBytes || hasControl(location)) {
    return Failure{FailureCode::BadRedirect, "the redirect's Location is empty, too long or has control characters"};
  }
  const CurlUrl parsed(curl_url());
  const std::string copy(location);
  // A relative Location keeps the userinfo of the URL it is relative to; one that names a host has its own or none.
  if (curl_url_set(parsed.get(), CURLUPART_URL, from.text.c_str(), 0) != CURLUE_OK ||
      curl_url_set(parsed.get(), CURLUPART_URL, copy.c_str(), CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE) !=
          CURLUE_OK) {
    return Failure{FailureCode::BadRedirect, "the redirect's Location is no URL"};
  }
  auto url = describe(parsed.get());
  if (auto* failed = std::get_if<Failure>(&url); failed != nullptr && failed->code == FailureCode::InvalidRequest) {
    failed->code = FailureCode::BadRedirect;
  }
  return url;
}

bool hostMatches(std::string_view pattern, std::string_view host) {
  if (pattern == "*") return true;
  const std::string wanted = lower(std::string(pattern));
  if (wanted.rfind("*.", 0) == 0) {
    const auto suffix = std::string_view(wanted).substr(1);
    return host.size() > suffix.size() && host.substr(host.size() - suffix.size()) == suffix;
  }
  return wanted == host;
}

}  // namespace jobhost::fetch
