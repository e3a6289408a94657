#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/json_text.hpp"
#include "pool/attempt.hpp"
#include "pool/attempt_services.hpp"
#include "pool/calls.hpp"
#include "pool/pool_context.hpp"

namespace jobhost::pool {

// What the files that serve CALLs share. Loop's thread where not said otherwise.

using Answer = std::function<void(const CallAnswer&)>;

// The ABI's numbers (sdk/include/jobhost/abi.h).
inline constexpr std::int32_t kFailed = -1;
inline constexpr std::int32_t kCancelled = -2;
inline constexpr std::int32_t kInvalid = -3;
inline constexpr std::int32_t kDenied = -4;
inline constexpr std::int32_t kNotFound = -5;
inline constexpr std::int32_t kTimeout = -8;
inline constexpr std::int32_t kUnsupported = -9;
inline constexpr std::int32_t kAgain = -11;
inline constexpr std::int32_t kConflict = -13;

std::int32_t resultFor(core::ErrorCode code);
/// The error's text, for the plugin.
std::string describe(const core::Error& error);

/// Brings a service's answer back to the loop's thread; `make` turns a value into the body. Any thread, and also when
/// the pool has gone: services outlive it.
template <class T, class Make>
AttemptServices::Done<T> onLoop(EventLoop& loop, Answer answer, Make make) {
  return [to = loop.poster(), answer = std::move(answer), make](core::Result<T> result) {
    auto shared = std::make_shared<core::Result<T>>(std::move(result));
    to.post([shared, answer, make] {
      if (!*shared) return answer({resultFor(shared->error().code), describe(shared->error()), {}});
      if constexpr (std::is_void_v<T>) {
        answer({});
      } else {
        answer(make(**shared));
      }
    });
  };
}

inline bool allows(const std::vector<std::string>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& one) { return one == "*" || one == name; });
}

inline std::optional<std::string_view> member(const std::vector<core::JsonMember>& members, std::string_view key) {
  for (const auto& one : members) {
    if (one.key == key) return one.value;
  }
  return std::nullopt;
}

/// One call on its way, with what every method needs.
struct Request {
  PoolContext& context;
  Attempt& attempt;
  AttemptServices::Caller caller;
  std::string_view body;
  Answer answer;
  const catalog::Permissions& permissions;

  void refuse(std::int32_t result, std::string why) const { answer({result, std::move(why), {}}); }
};

/// Methods 64 to 95: records and key-value spaces (record_calls.cpp).
bool isRecordMethod(wire::Method method);
void serveRecordCall(wire::Method method, const Request& request);

}  // namespace jobhost::pool
