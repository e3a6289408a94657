// jobhost SDK: errors a job ends with. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <utility>

#include "abi.h"

namespace jobhost {

/// Why a job fails. Throw it anywhere below run; the class decides whether the job is tried again.
///   throw jobhost::Error::badInput("/page: at most 12").code("pdf.page");
class Error : public std::exception {
 public:
  Error(std::int32_t error_class, std::string code, std::string message)
      : error_class_(error_class), code_(std::move(code)), message_(std::move(message)) {}

  static Error badInput(std::string message) { return {JH_CLASS_BAD_INPUT, "bad_input", std::move(message)}; }
  static Error transient(std::string message) { return {JH_CLASS_TRANSIENT, "transient", std::move(message)}; }
  static Error permanent(std::string message) { return {JH_CLASS_PERMANENT, "permanent", std::move(message)}; }
  static Error resource(std::string message) { return {JH_CLASS_RESOURCE, "resource", std::move(message)}; }
  static Error denied(std::string message) { return {JH_CLASS_DENIED, "denied", std::move(message)}; }
  static Error upstream(std::string message) { return {JH_CLASS_UPSTREAM, "upstream", std::move(message)}; }
  static Error internal(std::string message) { return {JH_CLASS_INTERNAL, "internal", std::move(message)}; }

  /// A stable, machine-readable code: "pdf.encrypted".
  Error& code(std::string value) & { return code_ = std::move(value), *this; }
  Error&& code(std::string value) && { return code_ = std::move(value), std::move(*this); }
  /// A JSON value with more for programs.
  Error& details(std::string json) & { return details_json_ = std::move(json), *this; }
  Error&& details(std::string json) && { return details_json_ = std::move(json), std::move(*this); }
  /// When to try again (transient, resource, upstream); negative: the job's own backoff.
  Error& retryAfterMs(std::int64_t ms) & { return retry_after_ms_ = ms, *this; }
  Error&& retryAfterMs(std::int64_t ms) && { return retry_after_ms_ = ms, std::move(*this); }

  const char* what() const noexcept override { return message_.c_str(); }
  std::int32_t errorClass() const noexcept { return error_class_; }
  const std::string& code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& detailsJson() const noexcept { return details_json_; }
  std::int64_t retryAfterMs() const noexcept { return retry_after_ms_; }

 private:
  std::int32_t error_class_;
  std::string code_;
  std::string message_;
  std::string details_json_;
  std::int64_t retry_after_ms_ = -1;
};

/// The job was asked to stop. Deliberately not a std::exception, so that `catch (const std::exception&)` lets it pass.
/// A `catch (...)` in a plugin must rethrow it.
struct Cancelled {
  std::int32_t reason = JH_CANCEL_USER;  ///< JH_CANCEL_*
};

/// Ends run() with "run me again when my children have ended"; thrown by Job::suspend() and Job::runAgainIn().
struct Suspended {
  std::int64_t again_in_ms = -1;  ///< not before so long; negative: as soon as the children have ended
  std::string reason;             ///< of again_in_ms: why, for people
};

}  // namespace jobhost
