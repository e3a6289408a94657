#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "pool/attempt.hpp"
#include "pool/pool_context.hpp"
#include "wire/messages.hpp"

namespace jobhost::pool {

/// What a CALL is answered with; `result` is one of the ABI's jh_result numbers.
struct CallAnswer {
  std::int32_t result = 0;
  std::string error;
  std::string body;
};

inline constexpr int kMaxOpenCalls = 64;  ///< of one attempt
inline constexpr std::int32_t kCallLimit = -6;

/// Checks a call of a running attempt against the plugin's permissions and passes it to the services. `answer` is
/// called on the loop's thread, once, perhaps long after.
void handleCall(PoolContext& context, Attempt& attempt, const wire::Call& call,
                std::function<void(const CallAnswer&)> answer);

}  // namespace jobhost::pool
