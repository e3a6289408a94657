#include <algorithm>

#include "api/json_reader.hpp"
#include "api/json_writer.hpp"
#include "api/native/native_dialect.hpp"
#include "api/native/parse.hpp"
#include "api/native/render.hpp"

namespace jobhost::api::native {
namespace {

Response submit(const Parts& parts, Call& call) {
  const auto body = call.request.body->all(parts.options.http.body_bytes);
  if (!body) return problem(body.error());
  const auto document = parseJson(*body);
  if (!document) return problem(document.error());
  auto idempotency = readIdempotency(call, *body);
  if (!idempotency) return problem(idempotency.error());
  std::vector<core::FieldError> errors;
  auto request = readJobRequest(*document, "", parts.deps.clock.now(), errors);
  request.draft.owner = call.principal->id;
  request.own_only = !call.principal->all_jobs;
  if (!errors.empty()) {
    addFaults(errors, parts.deps.jobs.faults(std::move(request)));
    return problem(invalid("the job is not valid", std::move(errors)));
  }
  const std::string type = request.draft.type;
  const auto submitted = parts.deps.jobs.submit(std::move(request), *std::move(idempotency));
  if (!submitted) return submitProblem(submitted.error());
  JsonWriter json;
  writeSubmitted(json, *submitted, type, *parts.deps.catalog.snapshot());
  Response response(submitted->existing ? 200 : 201, kJson, json.take());
  response.with("Location", "/api/v1/jobs/" + core::toString(submitted->id));
  return response;
}

/// Whether a Content-Type names this type, with whatever parameters.
bool isMediaType(std::string_view header, std::string_view type) {
  auto named = header.substr(0, header.find(';'));
  while (!named.empty() && (named.back() == ' ' || named.back() == '\t')) named.remove_suffix(1);
  return sameNoCase(named, type);
}

/// The texts of the jobs in a bulk body: an array, {"jobs": [...]}, or one JSON text a line.
core::Result<std::vector<std::string_view>> splitBulk(std::string_view body, bool lines) {
  std::vector<std::string_view> jobs;
  if (lines) {
    while (!body.empty()) {
      const auto end = body.find('\n');
      const auto line = body.substr(0, end);
      if (line.find_first_not_of(" \t\r") != std::string_view::npos) jobs.push_back(line);
      body = end == std::string_view::npos ? std::string_view{} : body.substr(end + 1);
    }
    return jobs;
  }
  auto document = parseJson(body);
  if (!document) return document.error();
  if (document->root.kind == JsonKind::Object) {
    std::vector<core::FieldError> errors;
    JsonObject object(*document, "", errors);
    object.require("jobs");
    const auto list = object.raw("jobs", JsonKind::Array);
    object.refuseUnknown();
    if (!errors.empty()) return invalid("the bulk request is not valid", std::move(errors));
    document = parseJson(*list);
  }
  if (document->root.kind != JsonKind::Array) {
    return invalid("the bulk request is not valid", {{"", "must be an array of jobs, or an object with jobs"}});
  }
  jobs.reserve(document->members.size());
  for (const auto& element : document->members) jobs.push_back(element.value.raw);
  return jobs;
}

Response submitMany(const Parts& parts, Call& call) {
  const auto body = call.request.body->all(parts.options.http.body_bytes);
  if (!body) return problem(body.error());
  const auto type = call.request.header("Content-Type").value_or("");
  const bool lines = isMediaType(type, "application/x-ndjson") || isMediaType(type, "application/jsonl");
  const auto texts = splitBulk(*body, lines);
  if (!texts) return problem(texts.error());
  auto idempotency = readIdempotency(call, *body);
  if (!idempotency) return problem(idempotency.error());
  if (texts->empty()) return problem(invalid("the bulk request is not valid", {{"", "must have at least one job"}}));
  std::vector<core::FieldError> errors;
  auto requests = readJobRequests(*texts, "", call, parts.deps.clock.now(), errors);
  if (!errors.empty()) return problem(invalid("some jobs are not valid; none was stored", std::move(errors)));
  const auto types = typesOf(requests);
  const auto submitted = parts.deps.jobs.submitMany(std::move(requests), *std::move(idempotency));
  if (!submitted) return submitProblem(submitted.error());
  JsonWriter json;
  json.beginObject().key("jobs").beginArray();
  writeSubmitted(json, *submitted, types, *parts.deps.catalog.snapshot());
  json.endArray().endObject();
  const bool all_existing =
      std::all_of(submitted->begin(), submitted->end(), [](const auto& one) { return one.existing; });
  return {all_existing ? 200 : 201, kJson, json.take()};
}

/// The job; to a caller who may steer jobs but not read them no more than how it stands. `status` 0: 202 when it runs
/// and was asked to be suspended, else 200.
Response show(const Parts& parts, const Call& call, core::JobId id, int status = 200) {
  const auto job = parts.deps.jobs.get(id);
  if (!job) return problem(job.error());
  if (status == 0) status = job->suspend_requested ? 202 : 200;
  if (call.principal->may(Privilege::ReadJobs)) {
    return {status, kJson, jobJson(*job, *parts.deps.catalog.snapshot())};
  }
  JsonWriter json;
  json.beginObject().key("id").number(job->id.value).key("state").string(core::toString(job->state)).endObject();
  return {status, kJson, json.take()};
}

Response patch(const Parts& parts, Call& call, core::JobId id) {
  const auto document = readJsonBody(call, parts.options.http.body_bytes);
  if (!document) return problem(document.error());
  std::vector<core::FieldError> errors;
  JsonObject object(*document, "", errors);
  const auto priority = readInt(object, "priority");
  auto tags = object.strings("tags", 1000);
  object.refuseUnknown();
  addFaults(errors, parts.deps.jobs.faults(priority, tags));
  if (!errors.empty()) return problem(invalid("the change is not valid", std::move(errors)));
  if (!priority && !tags) return problem(invalid("the change is not valid", {{"", "must have priority or tags"}}));
  if (priority && !call.principal->may(Privilege::RunJobs)) {
    return problem({core::ErrorCode::PermissionDenied, "changing the priority needs the privilege run_jobs", "", {}});
  }
  if (const auto set = parts.deps.jobs.change(id, priority, std::move(tags)); !set) return problem(set.error());
  return show(parts, call, id);
}

Response cancel(const Parts& parts, Call& call, core::JobId id) {
  auto reason = readReason(parts.options, call);
  if (!reason) return problem(reason.error());
  const auto outcome = parts.deps.jobs.cancel(id, *std::move(reason));
  if (!outcome) return problem(outcome.error());
  // 202: a running job was asked and ends soon; 200: it has ended.
  return show(parts, call, id, *outcome == store::CancelOutcome::Asked ? 202 : 200);
}

using Action = core::Result<void> (jobs::JobService::*)(core::JobId);

/// The routes of one job; those that change it may be repeated as they are.
Handler withJob(const Parts& parts, Response (*handler)(const Parts&, Call&, core::JobId)) {
  return [parts, handler](Call& call) {
    const auto id = readJobId(call.captures[0]);
    if (!id) return problem(noSuchJob());
    if (call.request.method != Method::Get) {
      if (const auto unheard = refuseIdempotency(call)) return problem(*unheard);
    }
    return handler(parts, call, *id);
  };
}

Handler action(const Parts& parts, Action what, int status = 200) {
  return [parts, what, status](Call& call) {
    const auto id = readJobId(call.captures[0]);
    if (!id) return problem(noSuchJob());
    if (const auto unheard = refuseIdempotency(call)) return problem(*unheard);
    const auto reason = readReason(parts.options, call);  // the same small body is allowed for every action
    if (!reason) return problem(reason.error());
    if (const auto done = (parts.deps.jobs.*what)(*id); !done) return problem(done.error());
    return show(parts, call, *id, status);
  };
}

}  // namespace

void addJobRoutes(RouteTable& routes, const Parts& parts) {
  routes.add(Method::Post, "/api/v1/jobs", Privilege::RunJobs, [parts](Call& call) { return submit(parts, call); });
  routes.add(Method::Get, "/api/v1/jobs/{id}", Privilege::ReadJobs,
             withJob(parts, [](const Parts& p, Call& call, core::JobId id) { return show(p, call, id); }));
  routes.add(Method::Post, "/api/v1/jobs/bulk", Privilege::RunJobs,
             [parts](Call& call) { return submitMany(parts, call); });
  routes.add(Method::Patch, "/api/v1/jobs/{id}", Privilege::TagJobs, withJob(parts, patch));
  routes.add(Method::Delete, "/api/v1/jobs/{id}", Privilege::DeleteJobs,
             withJob(parts, [](const Parts& p, Call&, core::JobId id) {
               const auto removed = p.deps.jobs.remove(id);
               return removed ? Response(204, {}, "") : problem(removed.error());
             }));
  routes.add(Method::Post, "/api/v1/jobs/{id}/cancel", Privilege::AbortJobs, withJob(parts, cancel));
  routes.add(Method::Post, "/api/v1/jobs/{id}/retry", Privilege::RunJobs, action(parts, &jobs::JobService::retry));
  routes.add(Method::Post, "/api/v1/jobs/{id}/suspend", Privilege::AbortJobs,
             action(parts, &jobs::JobService::suspend, 0));
  routes.add(Method::Post, "/api/v1/jobs/{id}/resume", Privilege::RunJobs, action(parts, &jobs::JobService::resume));
}

}  // namespace jobhost::api::native
