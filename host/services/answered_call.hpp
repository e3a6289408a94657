#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <utility>

#include "core/result.hpp"
#include "telemetry/log.hpp"

namespace jobhost::services {

/// A call whose caller, a plugin's thread, waits until it is answered: once, and also when what serves it throws.
/// Thread-safety: run() on one thread; answer() may be copied to and called on any.
template <class T>
class AnsweredCall {
 public:
  using Done = std::function<void(core::Result<T>)>;

  explicit AnsweredCall(Done done)
      : answer_([done = std::move(done), told = std::make_shared<std::atomic<bool>>(false)](core::Result<T> result) {
          if (!told->exchange(true)) done(std::move(result));
        }) {}

  [[nodiscard]] const Done& answer() const { return answer_; }

  template <class Work>
  void run(Work&& work) {
    try {
      std::forward<Work>(work)();
    } catch (const std::exception& error) {
      telemetry::log("services").error("call failed error={}", error.what());
      answer_(core::Error{core::ErrorCode::Internal, "the host could not serve the call", {}, {}});
    }
  }

 private:
  const Done answer_;
};

}  // namespace jobhost::services
