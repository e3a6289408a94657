#include "pool/redaction.hpp"

#include <algorithm>

#include "core/json_text.hpp"

namespace jobhost::pool {
namespace {

constexpr std::size_t kShortest = 4;

std::vector<std::string> linesOf(const std::string& secret) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < secret.size();) {
    const std::size_t end = std::min(secret.find_first_of("\r\n", at), secret.size());
    if (end > at) lines.push_back(secret.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

/// As it stands inside a JSON string.
std::string spelled(const std::string& value) {
  const std::string quoted = core::quoteJson(value);
  return quoted.substr(1, quoted.size() - 2);
}

}  // namespace

Redaction::Redaction(const std::vector<std::string>& secrets) {
  for (const auto& secret : secrets) {
    auto forms = linesOf(secret);
    forms.push_back(secret);
    for (const auto& form : forms) {
      if (form.size() < kShortest) continue;
      values_.push_back(form);
      if (auto json = spelled(form); json != form) values_.push_back(std::move(json));
    }
  }
  std::sort(values_.begin(), values_.end(),
            [](const auto& a, const auto& b) { return a.size() != b.size() ? a.size() > b.size() : a < b; });
  values_.erase(std::unique(values_.begin(), values_.end()), values_.end());
}

std::string Redaction::text(std::string_view said) const {
  std::string text(said);
  for (const auto& value : values_) {
    for (std::size_t at = text.find(value); at != std::string::npos; at = text.find(value, at + kInstead.size())) {
      text.replace(at, value.size(), kInstead);
    }
  }
  return text;
}

std::string Redaction::json(std::string_view value) const {
  std::string clean = text(value);
  return clean == value || core::isJson(clean) ? clean : core::quoteJson(kInstead);
}

}  // namespace jobhost::pool
