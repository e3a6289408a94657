#include "fetch-novel/template.hpp"

#include <algorithm>
#include <array>

#include "fetch-novel/utf8.hpp"

namespace jobhost::novel {
namespace {

constexpr std::array<std::string_view, 5> kPlain{"origin", "query", "novel_url", "request_url", "page"};
constexpr std::array<std::string_view, 3> kGroups{"vars", "chapter", "item"};

template <class Names>
bool isOneOf(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::optional<Template::Filter> filterOf(std::string_view name) {
  if (name == "plus") return Template::Filter::Plus;
  if (name == "urlencode") return Template::Filter::UrlEncode;
  if (name == "urlencode_plus") return Template::Filter::UrlEncodePlus;
  if (name == "lower") return Template::Filter::Lower;
  if (name == "slug") return Template::Filter::Slug;
  return std::nullopt;
}

std::optional<Template::Part> placeholder(std::string_view inside, std::string& error) {
  Template::Part part;
  std::size_t bar = std::min(inside.find('|'), inside.size());
  const std::string_view path = trimmed(inside.substr(0, bar));
  const std::size_t dot = path.find('.');
  part.group = path.substr(0, dot);
  if (dot != std::string_view::npos) part.name = path.substr(dot + 1);
  const bool known = part.name.empty() && dot == std::string_view::npos
                         ? isOneOf(kPlain, part.group)
                         : isOneOf(kGroups, part.group) && !part.name.empty();
  if (!known) {
    error = "there is no placeholder {" + std::string(path) + "}";
    return std::nullopt;
  }
  while (bar < inside.size()) {
    const std::size_t end = std::min(inside.find('|', bar + 1), inside.size());
    const std::string_view name = trimmed(inside.substr(bar + 1, end - bar - 1));
    const auto filter = filterOf(name);
    if (!filter) {
      error = "there is no filter '" + std::string(name) + "' (plus, urlencode, urlencode_plus, lower, slug)";
      return std::nullopt;
    }
    part.filters.push_back(*filter);
    bar = end;
  }
  return part;
}

std::string filtered(std::string value, Template::Filter filter, const Template::Encode& encode) {
  switch (filter) {
    case Template::Filter::Plus:
      std::replace(value.begin(), value.end(), ' ', '+');
      return value;
    case Template::Filter::UrlEncode:
      return percentEncoded(encode ? encode(value) : value);
    case Template::Filter::UrlEncodePlus:
      return percentEncoded(encode ? encode(value) : value, true);
    case Template::Filter::Lower:
      return lower(value);
    case Template::Filter::Slug:
      return slug(value);
  }
  return value;
}

}  // namespace

std::optional<Template> Template::parse(std::string_view text, std::string& error) {
  Template out;
  out.text_ = text;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = std::min(text.find('{', at), text.size());
    if (open > at) out.parts_.push_back({.literal = std::string(text.substr(at, open - at))});
    if (open == text.size()) break;
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos) {
      error = "'{' is not closed";
      return std::nullopt;
    }
    auto part = placeholder(text.substr(open + 1, close - open - 1), error);
    if (!part) return std::nullopt;
    out.parts_.push_back(*std::move(part));
    at = close + 1;
  }
  return out;
}

std::string Template::render(const Values& value, const Encode& encode) const {
  std::string out;
  for (const Part& part : parts_) {
    if (part.group.empty()) {
      out += part.literal;
      continue;
    }
    std::string text = value(part);
    for (const Filter filter : part.filters) text = filtered(std::move(text), filter, encode);
    out += text;
  }
  return out;
}

}  // namespace jobhost::novel
