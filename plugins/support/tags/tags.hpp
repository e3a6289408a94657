#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace jobhost::support {

/// Lower case of UTF-8 text: ASCII, Latin, Greek and Cyrillic letters; the rest and what is no UTF-8 stays. Needs no
/// locale.
[[nodiscard]] std::string lowerCase(std::string_view text);

/// Text that is UTF-8: each byte that is not gets U+FFFD.
[[nodiscard]] std::string asUtf8(std::string_view text);

/// Without blanks, tabs and line breaks at both ends, and with one blank for each run of them inside.
[[nodiscard]] std::string tidied(std::string_view text);

/// The tags of a list "artist:x, language:y": tidied, empty ones left out.
[[nodiscard]] std::vector<std::string> splitTags(std::string_view list);

/// "artist:x, language:y".
[[nodiscard]] std::string joinTags(const std::vector<std::string>& tags);

/// One tag of a namespace (empty: none) and a value, tidied, its commas (which part tags) made blanks, or %2C in those
/// of `source`, which are URLs. Empty when the value is.
[[nodiscard]] std::string makeTag(std::string_view name_space, std::string_view value);

/// Tags without one twice, whatever their case, in the order they came.
class TagList {
 public:
  TagList() = default;
  explicit TagList(std::string_view list);

  /// True when it was not there; empty ones never are added.
  bool add(const std::string& tag);
  [[nodiscard]] bool contains(std::string_view tag) const { return known_.contains(lowerCase(tag)); }
  [[nodiscard]] const std::vector<std::string>& all() const { return tags_; }
  [[nodiscard]] std::string text() const { return joinTags(tags_); }

 private:
  std::vector<std::string> tags_;
  std::set<std::string> known_;  // lower case
};

/// What the Minion clients read as new_tags: those of `found` that `present` has not, each with a blank before it and
/// commas between: " artist:x, language:y". Empty: none.
[[nodiscard]] std::string newTagsText(std::string_view present, const std::vector<std::string>& found);

}  // namespace jobhost::support
