#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace jobhost::pool {

/// Takes a plugin's secrets out of what it says: log lines, messages, notes, results. A secret is found as it is and as
/// JSON spells it; cut in two, encoded or inside a file the plugin wrote, it is not.
class Redaction {
 public:
  static constexpr std::string_view kInstead = "[secret]";

  Redaction() = default;
  /// Of a secret of several lines each line counts too, since logs are kept by lines. Values under 4 bytes are left
  /// out: they would blank out ordinary text.
  explicit Redaction(const std::vector<std::string>& secrets);

  [[nodiscard]] bool empty() const { return values_.empty(); }
  [[nodiscard]] std::string text(std::string_view said) const;
  /// For a JSON value: the answer is one too. Where taking a secret out would break it (a number), the whole value
  /// goes.
  [[nodiscard]] std::string json(std::string_view value) const;

 private:
  std::vector<std::string> values_;  ///< longest first
};

}  // namespace jobhost::pool
