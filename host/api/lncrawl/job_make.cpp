#include "api/lncrawl/job_make.hpp"

#include <condition_variable>
#include <mutex>

#include "api/lncrawl/job_render.hpp"

namespace jobhost::api::lncrawl {

core::Result<core::Job> findJob(const Parts& parts, std::string_view text) {
  const core::Error none{core::ErrorCode::NotFound, "No such job", "", {}};
  const auto id = parts.ids.read(text);
  if (!id) return none;
  auto job = parts.deps.jobs.get(*id);
  if (!job) return job.error().code == core::ErrorCode::NotFound ? none : job.error();
  if (kindOf(job->type) == nullptr) return none;
  return job;
}

void awaitEnd(const Parts& parts, core::JobId id, std::chrono::steady_clock::time_point until) {
  struct Signal {
    std::mutex mutex;
    std::condition_variable changed;
    bool ended = false;
  };
  const auto signal = std::make_shared<Signal>();
  const auto watch = parts.deps.bus.subscribe(id, [signal](std::span<const core::JobEvent> events) {
    for (const auto& event : events) {
      if (!core::isTerminal(event.state)) continue;
      std::lock_guard lock(signal->mutex);
      signal->ended = true;
      signal->changed.notify_all();
    }
  });
  // What was committed before somebody listened.
  const auto job = parts.deps.jobs.get(id);
  if (!job || core::isTerminal(job->state)) return;
  std::unique_lock lock(signal->mutex);
  signal->changed.wait_until(lock, until, [&] { return signal->ended; });
}

Response makeJob(const Parts& parts, const Call& call, const JobKind& kind, std::string params_json,
                 std::vector<core::JobId> after, std::string_view list) {
  const auto user = parts.credentials.userOf(*call.principal);
  if (!user) return unauthorized();
  const int tier = tierOf(*user);
  jobs::JobRequest request;
  auto& draft = request.draft;
  draft.type = std::string(kind.type);
  draft.params_json = std::move(params_json);
  draft.owner = user->id;
  draft.priority = tier;
  draft.tags = {kTag};
  draft.after = std::move(after);
  request.fair_queue = tier == 0;  // of the lowest tier's jobs one runs at a time
  request.max_attempts = 1;
  const auto made = parts.deps.jobs.submit(std::move(request));
  if (!made) {
    if (made.error().code == core::ErrorCode::TooLarge && !list.empty()) {
      // The body was not too large to be read, so it is no 413.
      return invalid(
          {{"too_long", {"body", std::string(list)}, "List is too long: the job's " + made.error().message}});
    }
    if (made.error().code != core::ErrorCode::NotFound) return failure(made.error());
    return failure(503, "No plugin for this kind of job is installed", kind.type);
  }
  auto job = parts.deps.jobs.get(made->id);
  if (!job) return failure(job.error());
  // As it was made, which is what clients expect of a new job: a slot that is free may have started it since.
  job->state = core::JobState::Queued;
  job->updated_at = job->created_at;
  job->started_at.reset();
  job->finished_at.reset();
  job->error.reset();
  job->notes_json = "{}";
  job->own_done = false;
  job->units_below = {};
  JsonWriter json;
  writeJob(json, *job, kind, parts.ids);
  return answer(json.take());
}

}  // namespace jobhost::api::lncrawl
