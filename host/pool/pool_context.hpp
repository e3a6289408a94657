#pragma once

#include "core/clock.hpp"
#include "dispatch/job_runner.hpp"
#include "pool/attempt_services.hpp"
#include "pool/event_loop.hpp"
#include "pool/files_thread.hpp"
#include "pool/options.hpp"
#include "pool/warden.hpp"

namespace jobhost::pool {

/// What every part of the pool works with. Owned by RunnerPool; belongs to the loop's thread where not said otherwise.
struct PoolContext {
  const RunnerPoolOptions& options;
  const core::Clock& clock;
  EventLoop& loop;
  Warden& warden;
  FilesThread& files;
  AttemptServices* services = nullptr;           ///< null: every service answers "unsupported"
  dispatch::RunnerListener* listener = nullptr;  ///< null: nobody hears
};

}  // namespace jobhost::pool
