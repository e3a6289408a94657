#pragma once

#include <functional>

#include "pool/attempt.hpp"
#include "pool/calls.hpp"
#include "pool/pool_context.hpp"

namespace jobhost::pool {

/// A CALL of method ProcessFind: whether the attempt may run the program of that name, and where it is. The answer is
/// JSON
/// {"program": path, "keeper": the runner's path, "search_path", "environment": ["NAME=value", …], "most": n}; what is
/// wrong is JSON {"code", "message", "class"}. `answer` is called before it returns.
///
/// The host decides and the attempt's own process starts it, under a keeper (runner/keeper.hpp): so a program is in the
/// runner's tree, where limits, measures and the kill ladder reach it. docs/decisions/0060-processes.md.
void findProgramForAttempt(PoolContext& context, Attempt& attempt, const wire::Call& call,
                           const std::function<void(const CallAnswer&)>& answer);

}  // namespace jobhost::pool
