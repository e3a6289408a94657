#pragma once

#include <jobhost/plugin.hpp>

#include <cstddef>
#include <string>

namespace jobhost::thumbnail {

/// What went wrong with the many parts of a job, as the result's `errors`: the first kMost of them, then how many more.
/// A result is bounded, what can be wrong with a hostile archive is not.
///
/// Threads: one at a time.
class ErrorList {
 public:
  static constexpr std::size_t kMost = 2000;
  static constexpr std::size_t kMostBytes = 300;  ///< of one

  /// False for those that are only counted.
  bool add(const std::string& what);
  /// {"errors":[…]}
  [[nodiscard]] Json result() const;

 private:
  Json list_ = Json::array();
  std::size_t more_ = 0;
};

}  // namespace jobhost::thumbnail
