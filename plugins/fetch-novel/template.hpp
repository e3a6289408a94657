#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jobhost::novel {

/// Text with placeholders: "{origin}/search?q={query|urlencode}". No expressions, no conditions. Immutable.
class Template {
 public:
  enum class Filter : unsigned char { Plus, UrlEncode, UrlEncodePlus, Lower, Slug };
  struct Part {
    std::string literal;  ///< when `group` is empty
    std::string group;    ///< "origin", "vars", "query", "novel_url", "request_url", "page", "chapter", "item"
    std::string name;     ///< of vars, chapter, item
    std::vector<Filter> filters;
  };

  /// nullopt with the reason in `error`: an unknown placeholder or filter, a brace that is not closed.
  static std::optional<Template> parse(std::string_view text, std::string& error);

  /// `value(part)` gives what a placeholder stands for; what it throws passes through. `encode` turns a value into the
  /// bytes that are percent-encoded, for sites with an encoding of their own; may be empty.
  using Values = std::function<std::string(const Part&)>;
  using Encode = std::function<std::string(std::string_view)>;
  [[nodiscard]] std::string render(const Values& value, const Encode& encode = {}) const;

  [[nodiscard]] const std::vector<Part>& parts() const { return parts_; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::vector<Part> parts_;
};

}  // namespace jobhost::novel
