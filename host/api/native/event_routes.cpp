#include <algorithm>
#include <limits>

#include "api/native/native_dialect.hpp"
#include "api/native/parse.hpp"

namespace jobhost::api::native {
namespace {

/// The number of the last event the client has, from the header EventSource sends or `?after=`.
/// A number beyond the newest (of a host that was set up anew or from a backup) is the newest: what comes
/// from now on would be passed over as heard already.
core::Result<std::optional<std::int64_t>> readAfter(const Parts& parts, Call& call) {
  auto query = QueryReader::from(call.request);
  if (!query) return query.error();
  auto after = query->integer("after", 0, std::numeric_limits<std::int64_t>::max());
  if (const auto wrong = query->done()) return *wrong;
  if (const auto header = call.request.header("Last-Event-ID")) {
    after = toInteger(*header);
    if (!after || *after < 0) {
      return invalid("the Last-Event-ID is not valid", {{"Last-Event-ID", "must be the number of an event"}});
    }
  }
  if (!after) return after;
  const auto newest = parts.deps.jobs.lastSeq();
  if (!newest) return newest.error();
  after = std::min(*after, *newest);
  return after;
}

Response stream(const Parts& parts, Call& call, std::optional<core::JobId> id) {
  const auto after = readAfter(parts, call);
  if (!after) return problem(after.error());
  auto seat = parts.hub.seat(*call.principal, after->has_value());
  if (!seat) return problem(seat.error());
  if (id) {
    const auto job = parts.deps.jobs.get(*id);
    if (!job) return problem(job.error());
    if (*after && core::isTerminal(job->state)) {
      const auto more = parts.deps.jobs.events(**after, *id, 1);
      if (!more) return problem(more.error());
      // The client has heard the end: 204 tells an EventSource not to come back.
      if (more->empty()) return {204, {}, ""};
    }
  }
  Response response;
  auto& plan = response.stream.emplace();
  plan.job = id;
  plan.after = *after;
  if (!id && !call.principal->all_jobs) plan.owner = call.principal->id;
  plan.principal = call.principal;
  plan.seat = *std::move(seat);
  return response;
}

Response streamBatch(const Parts& parts, Call& call) {
  const auto batch = findBatch(parts, call);
  if (!batch) return problem(batch.error());
  const auto after = readAfter(parts, call);
  if (!after) return problem(after.error());
  auto seat = parts.hub.seat(*call.principal, after->has_value());
  if (!seat) return problem(seat.error());
  Response response;
  response.stream = StreamPlan{StreamPlan::Kind::Events, std::nullopt,     *after,   batch->owner,
                               call.principal,           *std::move(seat), batch->id};
  return response;
}

}  // namespace

void addEventRoutes(RouteTable& routes, const Parts& parts) {
  const auto of_job = [parts](Call& call) {
    const auto id = readJobId(call.captures[0]);
    return id ? stream(parts, call, *id) : problem(noSuchJob());
  };
  const auto of_all = [parts](Call& call) { return stream(parts, call, std::nullopt); };
  routes.add(Method::Get, "/api/v1/jobs/{id}/events", Privilege::ReadJobs, of_job, kTakesQuery);
  routes.add(Method::Get, "/api/v1/events", Privilege::ReadJobs, of_all, kTakesQuery);
  routes.add(
      Method::Get, "/api/v1/batches/{id}/events", Privilege::ReadJobs,
      [parts](Call& call) { return streamBatch(parts, call); }, kTakesQuery);
}

}  // namespace jobhost::api::native
