#pragma once

#include <string>
#include <vector>

namespace jobhost::core {

/// What the caller can do about a failure. Each dialect maps these to its own status and body.
enum class ErrorCode {
  InvalidArgument,   ///< the request is wrong; sending it again cannot help
  Unauthenticated,   ///< no or wrong credentials
  PermissionDenied,  ///< known caller, missing privilege
  NotFound,
  Conflict,          ///< the thing exists, but not in a state that allows this
  TooLarge,          ///< a body, value or file is over its limit
  Exhausted,         ///< a queue or rate limit is full: come back later
  Unavailable,       ///< the store, disk or a plugin cannot serve now: come back later
  DeadlineExceeded,
  Unsupported,
  Canceled,
  Internal,          ///< a bug
};

/// One wrong field: where (JSON Pointer, "" is the whole document, or a parameter's name) and why.
struct FieldError {
  std::string pointer;
  std::string message;
  bool operator==(const FieldError&) const = default;
};

/// An expected failure, as a value.
struct Error {
  ErrorCode code = ErrorCode::Internal;
  std::string message;  ///< for the caller: one sentence, no secrets, no paths of this machine
  std::string detail;   ///< for the log only
  std::vector<FieldError> fields;  ///< for InvalidArgument: every wrong field, where known
};

/// The name used in logs and problem documents: "invalid_argument".
constexpr const char* toString(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidArgument: return "invalid_argument";
    case ErrorCode::Unauthenticated: return "unauthenticated";
    case ErrorCode::PermissionDenied: return "permission_denied";
    case ErrorCode::NotFound: return "not_found";
    case ErrorCode::Conflict: return "conflict";
    case ErrorCode::TooLarge: return "too_large";
    case ErrorCode::Exhausted: return "exhausted";
    case ErrorCode::Unavailable: return "unavailable";
    case ErrorCode::DeadlineExceeded: return "deadline_exceeded";
    case ErrorCode::Unsupported: return "unsupported";
    case ErrorCode::Canceled: return "canceled";
    case ErrorCode::Internal: return "internal";
  }
  return "internal";
}

}  // namespace jobhost::core
