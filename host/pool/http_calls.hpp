#pragma once

#include <filesystem>
#include <functional>

#include "pool/attempt.hpp"
#include "pool/calls.hpp"
#include "pool/pool_context.hpp"

namespace jobhost::pool {

/// A CALL of method HttpFetch: checks that the manifest asks for hosts, and passes it to the attempt's session.
/// `work_folder`: of the attempt's runner. `answer` is called on the loop's thread, once.
void fetchForAttempt(PoolContext& context, Attempt& attempt, const std::filesystem::path& work_folder,
                     const wire::Call& call, std::function<void(const CallAnswer&)> answer);

}  // namespace jobhost::pool
