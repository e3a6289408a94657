#pragma once

#include <string>
#include <string_view>

#include "core/error.hpp"

namespace jobhost::catalog {

/// What mends a file that did not arrive whole.
inline constexpr std::string_view kCopyAgain = "copy it again";

/// Why a plugin file is not used and what to do about that, in one sentence for people: "is empty; copy it again".
inline core::Error fault(core::ErrorCode code, std::string reason, std::string_view way_out) {
  return {code, std::move(reason.append("; ").append(way_out)), {}, {}};
}
inline core::Error invalid(std::string reason, std::string_view way_out) {
  return fault(core::ErrorCode::InvalidArgument, std::move(reason), way_out);
}
/// A file of which bytes are missing or wrong.
inline core::Error damaged(std::string reason) {
  return invalid(std::move(reason), kCopyAgain);
}
inline core::Error unsupported(std::string reason, std::string_view way_out) {
  return fault(core::ErrorCode::Unsupported, std::move(reason), way_out);
}

}  // namespace jobhost::catalog
