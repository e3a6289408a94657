#include <algorithm>
#include <chrono>
#include <iterator>

#include "api/lncrawl/job_make.hpp"
#include "api/lncrawl/job_render.hpp"
#include "api/lncrawl/parts.hpp"
#include "core/json_text.hpp"

namespace jobhost::api::lncrawl {
namespace {

constexpr int kMostPages = 20;  ///< of the store, each of which looks at some 10 000 jobs, for one of ours
constexpr auto kCancelWait = std::chrono::seconds(2);

struct Wanted {
  store::JobFilter filter;
  bool nothing = false;  ///< the query contradicts itself, or names a job that cannot be
};

Wanted readWanted(const Parts& parts, QueryFields& query) {
  Wanted wanted;
  auto& filter = wanted.filter;
  const auto type = query.oneOf("type", allNumbers());
  filter.types = allTypes();
  if (type) filter.types = {std::string(kindOf(static_cast<int>(*type))->type)};
  const auto status = query.oneOf("status", {0, 1, 2, 3, 4});
  if (const auto priority = query.oneOf("priority", {0, 1, 2})) {  // jobs made elsewhere may lie beyond
    if (*priority > 0) filter.min_priority = static_cast<int>(*priority);
    if (*priority < 2) filter.max_priority = static_cast<int>(*priority);
  }
  filter.owner = query.text("user_id").value_or("");
  const auto done = query.boolean("is_done");
  for (int i = 0; (status || done) && i < core::kJobStateCount; ++i) {
    const auto state = static_cast<core::JobState>(i);
    if ((!status || statusOf(state) == *status) && (!done || core::isTerminal(state) == *done)) {
      filter.states.push_back(state);
    }
  }
  wanted.nothing = (status || done) && filter.states.empty();
  if (const auto parent = query.text("parent_job_id"); parent && !parent->empty()) {
    filter.parent = parts.ids.read(*parent);
    if (!filter.parent) wanted.nothing = true;
  } else {
    filter.tag = kTag;
    filter.roots_only = true;
  }
  return wanted;
}

struct Found {
  std::int64_t total = 0;
  std::vector<core::Job> shown;
};

core::Result<Found> find(const Parts& parts, const Wanted& wanted, const QueryFields::Span& span) {
  Found found;
  if (wanted.nothing) return found;
  const auto counted = parts.deps.jobs.count(wanted.filter);
  if (!counted) return counted.error();
  found.total = counted->jobs;
  const auto here = std::min(span.limit, found.total - span.offset);
  store::ListOptions options;
  options.offset = span.offset;
  options.ascending = wanted.filter.parent.has_value();
  for (int page = 0; page < kMostPages && static_cast<std::int64_t>(found.shown.size()) < here; ++page) {
    options.limit = static_cast<int>(here) - static_cast<int>(found.shown.size());
    auto jobs = parts.deps.jobs.list(wanted.filter, options);
    if (!jobs) return jobs.error();
    std::move(jobs->jobs.begin(), jobs->jobs.end(), std::back_inserter(found.shown));
    options.offset -= jobs->passed;
    options.cursor = jobs->next;
    if (!options.cursor) break;
  }
  return found;
}

Response list(const Parts& parts, Call& call) {
  QueryFields query(call.request);
  const auto span = query.span();
  const auto wanted = readWanted(parts, query);
  if (!query.faults().empty()) return invalid(query.faults());
  const auto found = find(parts, wanted, span);
  if (!found) return failure(found.error());
  return answerList(found->total, span, [&](JsonWriter& json) {
    for (const auto& job : found->shown) {
      if (const auto* kind = kindOf(job.type)) writeJob(json, job, *kind, parts.ids);
    }
  });
}

Response show(const Parts& parts, Call& call) {
  const auto job = findJob(parts, call.captures[0]);
  if (!job) return failure(job.error());
  JsonWriter json;
  writeJob(json, *job, *kindOf(job->type), parts.ids);
  return answer(json.take());
}

/// Of the caller, or the caller is an admin.
bool mayTouch(const Call& call, const core::Job& job) {
  return call.principal->reaches(job.owner);
}

Response cancel(const Parts& parts, Call& call) {
  const auto job = findJob(parts, call.captures[0]);
  if (!job) return failure(job.error());
  if (!mayTouch(call, *job)) return forbidden();
  if (core::isTerminal(job->state)) return answerTrue();
  const bool own = job->owner == call.principal->id;
  const auto outcome =
      parts.deps.jobs.cancel(job->id, own ? "Canceled by user" : "Canceled by admin", kCanceledByParent);
  if (!outcome) return failure(outcome.error());
  if (*outcome == store::CancelOutcome::Asked) awaitEnd(parts, job->id, std::chrono::steady_clock::now() + kCancelWait);
  return answerTrue();
}

Response remove(const Parts& parts, Call& call) {
  const auto job = findJob(parts, call.captures[0]);
  if (!job) return failure(job.error());
  if (!mayTouch(call, *job)) return forbidden();
  const auto removed = parts.deps.jobs.remove(job->id, store::Removal::CancelFirst);
  return removed ? answerTrue() : failure(removed.error());
}

/// The params, with the novel that a job learned of while it ran, where there is a param for it.
std::string paramsOf(const core::Job& job) {
  const auto number = kindOf(job.type)->number;
  const auto learned = core::jsonFind(job.notes_json, "novel_id");
  const auto known = core::jsonFind(job.params_json, "novel_id");
  if ((number != 0 && number != 5) || !learned || !core::jsonString(*learned) || (known && *known != "null")) {
    return job.params_json;
  }
  const auto url = core::jsonFind(job.params_json, "url");
  JsonWriter json;
  json.beginObject().key("url").raw(url ? *url : "null").key("novel_id").raw(*learned).endObject();
  return json.take();
}

Response replay(const Parts& parts, Call& call) {
  const auto job = findJob(parts, call.captures[0]);
  if (!job) return failure(job.error());
  // What it waited for may have ended or be gone; then there is nothing to wait for.
  std::vector<core::JobId> after;
  for (const auto* list : {&job->depends_on, &job->after}) {
    for (const auto id : *list) {
      const auto other = parts.deps.jobs.get(id);
      if (other && !core::isTerminal(other->state)) after.push_back(id);
    }
  }
  return makeJob(parts, call, *kindOf(job->type), paramsOf(*job), std::move(after));
}

}  // namespace

void addJobRoutes(RouteTable& routes, const Parts& parts) {
  routes.add(Method::Get, "/api/jobs", Privilege::ReadJobs, [parts](Call& call) { return list(parts, call); });
  routes.add(Method::Get, "/api/job/{id}", Privilege::ReadJobs, [parts](Call& call) { return show(parts, call); });
  routes.add(Method::Delete, "/api/job/{id}", Privilege::DeleteJobs,
             [parts](Call& call) { return remove(parts, call); });
  routes.add(
      Method::Post, "/api/job/{id}/cancel", Privilege::AbortJobs, [parts](Call& call) { return cancel(parts, call); },
      false, Body::Small);
  routes.add(
      Method::Post, "/api/job/{id}/replay", Privilege::RunJobs, [parts](Call& call) { return replay(parts, call); },
      false, Body::Small);
}

}  // namespace jobhost::api::lncrawl
