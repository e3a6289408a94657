#include "fetch-novel/page.hpp"

#include "fetch-novel/charset.hpp"
#include "fetch-novel/utf8.hpp"
#include "support/html/parse.hpp"

namespace jobhost::novel {

Page::Page(HttpResponse response, std::string_view encoding)
    : url_(std::move(response.url)), status_(response.status), headers_(std::move(response.headers)) {
  charset_ = detectCharset(response.body, header("content-type"), encoding).name;
  text_ = toUtf8(response.body, charset_);
}

std::string Page::header(std::string_view name) const {
  for (const auto& [key, value] : headers_) {
    if (asciiLower(key) == name) return value;
  }
  return {};
}

const std::shared_ptr<support::html::Document>& Page::html() const {
  if (html_ == nullptr) html_ = std::make_shared<support::html::Document>(support::html::parse(text_));
  return html_;
}

const Data* Page::json() const {
  if (!json_) {
    DataError ignored;
    json_ = parseJson(text_, ignored);
  }
  return *json_ ? &**json_ : nullptr;
}

std::string Page::resolve(std::string_view link) const {
  if (!base_) {
    base_ = parseUrl(url_);
    // Only a page with markup can have one; JSON is not parsed as HTML to find out.
    if (*base_ && asciiLower(text_.substr(0, 64 << 10)).find("<base") != std::string::npos) {
      const auto& tree = html();
      for (const support::html::Node* node = &tree->root(); node != nullptr;
           node = support::html::following(node, tree->root())) {
        if (!node->is("base") || node->attribute("href") == nullptr) continue;
        if (const auto base = resolveUrl(**base_, *node->attribute("href"))) base_ = base;
        break;
      }
    }
  }
  if (!*base_ || isBlank(link)) return {};
  const auto out = resolveUrl(**base_, link);
  return out ? out->text() + out->fragment : std::string();
}

}  // namespace jobhost::novel
