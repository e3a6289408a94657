#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jobhost::novel {

/// A pattern of a source spec: the syntax of Python and PCRE, over Unicode. Backtracking is bounded: a pattern that
/// runs wild on a page throws support::Failure Limit "regex.limit". Immutable, any thread.
class Regex {
 public:
  /// nullptr with the reason in `error`.
  static std::shared_ptr<const Regex> compile(std::string_view pattern, std::string& error);

  /// Group `group` of the first match; by default group 1, or the whole match when the pattern has none. nullopt: no
  /// match, or a match in which that group took no part.
  [[nodiscard]] std::optional<std::string> search(std::string_view text, int group = -1) const;
  /// The same of every match, at most `max`.
  [[nodiscard]] std::vector<std::string> searchAll(std::string_view text, std::size_t max = 100'000) const;
  [[nodiscard]] bool matches(std::string_view text) const { return search(text, 0).has_value(); }
  /// Every match replaced; `\1`, `\g<1>` and `\\` in `with` are what Python makes of them.
  [[nodiscard]] std::string replaceAll(std::string_view text, std::string_view with) const;

  [[nodiscard]] int groups() const { return groups_; }
  [[nodiscard]] const std::string& pattern() const { return pattern_; }

 private:
  struct Code;
  Regex() = default;
  template <class F>
  void eachMatch(std::string_view text, F found) const;

  std::string pattern_;
  std::shared_ptr<const Code> code_;
  int groups_ = 0;
};

}  // namespace jobhost::novel
