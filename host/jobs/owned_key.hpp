#pragma once

#include <string>
#include <string_view>

#include "core/queue_key.hpp"

namespace jobhost::jobs {

/// The queue key of somebody who reaches no job of others, so that nobody can hold up jobs by choosing the key of
/// strangers. Keys have no control characters, so it is never one that was chosen.
inline std::string ownedKey(std::string_view owner, std::string_view key) {
  return std::string("\x1f").append(owner).append("\x1f").append(key);
}

/// The key as it was chosen; empty where the host gave it.
inline std::string_view chosenKey(std::string_view key) {
  if (core::isFairKey(key)) return {};
  return key.starts_with('\x1f') ? key.substr(key.rfind('\x1f') + 1) : key;
}

}  // namespace jobhost::jobs
