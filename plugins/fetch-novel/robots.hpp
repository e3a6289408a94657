#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jobhost::novel {

/// A site's robots.txt (RFC 9309), for one crawler. Immutable.
class Robots {
 public:
  /// `product` is our product token ("jobhost"). Only the first 512 KiB are read, as the RFC allows.
  static Robots parse(std::string_view text, std::string_view product);
  /// From what asking for /robots.txt came to: 2xx is read, 4xx allows all, 5xx (or 0: unreachable) forbids all.
  static Robots forStatus(int status, std::string_view body, std::string_view product);

  /// `target` is path and query of a URL: "/book/1?page=2". The longest rule wins, allow before disallow.
  [[nodiscard]] bool allows(std::string_view target) const;
  /// Not of the RFC but widely meant: seconds between two requests, at most 10 minutes.
  [[nodiscard]] std::optional<std::chrono::milliseconds> crawlDelay() const { return delay_; }

 private:
  struct Rule {
    bool allow;
    std::string pattern;  ///< normalised; '*' and a last '$' are special
  };
  std::vector<Rule> rules_;
  std::optional<std::chrono::milliseconds> delay_;
  bool forbid_all_ = false;
};

}  // namespace jobhost::novel
