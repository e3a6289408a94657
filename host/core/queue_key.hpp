#pragma once

#include <string>
#include <string_view>

namespace jobhost::core {

/// The queue key of jobs of one owner that run one at a time among themselves, whatever dispatch.max_per_key says, and
/// whose children have it too. It begins with a control character, which a key that a caller or a plugin chooses cannot
/// have: only the host gives it (jobs::JobRequest::fair_queue).
inline std::string fairKey(std::string_view owner) {
  return std::string("\x1e").append(owner);
}
constexpr bool isFairKey(std::string_view key) {
  return key.starts_with('\x1e');
}

}  // namespace jobhost::core
