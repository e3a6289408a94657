#pragma once

#include <string>

#include "core/job.hpp"

namespace jobhost::dispatch {

/// The data of a live Progress event: {"progress":0.5,"done":1,"total":2,"message":"…"}. Progress is null when
/// indeterminate; done and total are left out while the total is unknown.
std::string progressJson(const core::Progress& progress);

}  // namespace jobhost::dispatch
