#pragma once

#include "runner/attempt.hpp"

namespace jobhost::runner {

/// An eventfd that becomes readable once the attempt is asked to stop, and stays so; -1: none is to be had. Never read
/// or close it. Any thread.
int cancelEvent(Attempt& attempt);

}  // namespace jobhost::runner
