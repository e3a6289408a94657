#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fetch-novel/data.hpp"
#include "fetch-novel/url.hpp"
#include "support/common/failure.hpp"
#include "support/html/dom.hpp"

namespace jobhost::novel {

/// What goes to the network. The HTTP client adds its own User-Agent, cookies and conditional headers.
struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
  std::string body;
};

struct HttpResponse {
  std::string url;  ///< after redirects
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  ///< unpacked, in the site's encoding
};

/// The door to the network, made by who runs the crawl: it waits for robots.txt and politeness, retries and caches.
class Fetcher {
 public:
  virtual ~Fetcher() = default;
  /// Any status is an answer. Throws CrawlError when there is none; what says "stop" passes through.
  virtual HttpResponse fetch(const HttpRequest& request) = 0;
};

/// Why a stage came to nothing.
class CrawlError : public std::runtime_error {
 public:
  enum class Kind {
    Network,  ///< no answer
    Refused,  ///< a status of 400 or more
    Missing,  ///< the page came, but what the spec looks for is not on it
    Unable,   ///< needs a browser or a code hook; the host is disabled
    Limit,    ///< too many pages, or a page that is too costly
  };
  CrawlError(Kind kind, const std::string& message, int status = 0)
      : std::runtime_error(message), kind_(kind), status_(status) {}
  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] int status() const { return status_; }

 private:
  Kind kind_;
  int status_;
};

/// A page as extractors read it: decoded at once, parsed as HTML or JSON when first asked for. One thread.
class Page {
 public:
  Page(HttpResponse response, std::string_view encoding);

  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] const std::string& charset() const { return charset_; }
  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] std::string header(std::string_view name) const;  ///< empty: none
  [[nodiscard]] const std::shared_ptr<support::html::Document>& html() const;
  [[nodiscard]] const Data* json() const;  ///< nullptr: the body is no JSON
  /// Resolves against the page's base element or its own address. Empty: no http(s) address.
  [[nodiscard]] std::string resolve(std::string_view link) const;

 private:
  std::string url_, text_, charset_;
  int status_;
  std::vector<std::pair<std::string, std::string>> headers_;
  mutable std::shared_ptr<support::html::Document> html_;
  mutable std::optional<std::optional<Data>> json_;
  mutable std::optional<std::optional<Url>> base_;
};

}  // namespace jobhost::novel
