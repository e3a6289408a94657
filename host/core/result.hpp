#pragma once

#include <cassert>
#include <utility>
#include <variant>

#include "core/error.hpp"

namespace jobhost::core {

/// A value or the Error that took its place. Stands in for std::expected, which gcc 12 has only in C++23 mode.
/// Dereferencing a failed Result is a bug and asserts.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& operator*() & { assert(ok()); return *std::get_if<0>(&state_); }
  const T& operator*() const& { assert(ok()); return *std::get_if<0>(&state_); }
  T&& operator*() && { assert(ok()); return std::move(*std::get_if<0>(&state_)); }
  T* operator->() { assert(ok()); return std::get_if<0>(&state_); }
  const T* operator->() const { assert(ok()); return std::get_if<0>(&state_); }

  Error& error() { assert(!ok()); return *std::get_if<1>(&state_); }
  [[nodiscard]] const Error& error() const { assert(!ok()); return *std::get_if<1>(&state_); }

 private:
  std::variant<T, Error> state_;
};

/// The Result of something done for its effect.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : failed_(true), error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return !failed_; }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] const Error& error() const { assert(failed_); return error_; }

 private:
  bool failed_ = false;
  Error error_;
};

}  // namespace jobhost::core
