#pragma once

#include <jobhost/plugin.hpp>

// One function per job type; plugin.json says what each does.
jobhost::Json crash(jobhost::Job& job);
jobhost::Json hog(jobhost::Job& job);
jobhost::Json spawn(jobhost::Job& job);
jobhost::Json files(jobhost::Job& job);
jobhost::Json checkpoint(jobhost::Job& job);
jh_result misbehave(jh_job* job);

/// Blocks up to `ms`, less when the job is asked to stop and `heed` is true. Answers JH_CANCEL_*.
std::int32_t rest(jobhost::Job& job, std::int64_t ms, bool heed = true);
