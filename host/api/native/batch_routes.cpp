// Named groups of jobs, made and steered as one.
#include <limits>

#include "api/json_reader.hpp"
#include "api/json_writer.hpp"
#include "api/native/native_dialect.hpp"
#include "api/native/parse.hpp"
#include "api/native/render.hpp"

namespace jobhost::api::native {
namespace {

constexpr std::int64_t kMaxPage = 200;

struct BatchRequest {
  std::string name;
  std::vector<jobs::JobRequest> jobs;
};

core::Result<BatchRequest> readBatch(std::string_view body, const Call& call, core::Instant now) {
  const auto document = parseJson(body);
  if (!document) return document.error();
  BatchRequest request;
  std::vector<core::FieldError> errors;
  JsonObject object(*document, "", errors);
  object.require("name");
  object.require("jobs");
  request.name = object.string("name", 1024).value_or("");
  const auto raw = object.raw("jobs", JsonKind::Array);
  object.refuseUnknown();
  if (raw) {
    const auto list = parseJson(*raw);
    std::vector<std::string_view> texts;
    texts.reserve(list->members.size());
    for (const auto& element : list->members) texts.push_back(element.value.raw);
    request.jobs = readJobRequests(texts, "/jobs", call, now, errors);
  }
  if (!errors.empty()) return invalid("the batch is not valid; nothing was stored", std::move(errors));
  return request;
}

Response create(const Parts& parts, Call& call) {
  const auto body = call.request.body->all(parts.options.http.body_bytes);
  if (!body) return problem(body.error());
  auto idempotency = readIdempotency(call, *body);
  if (!idempotency) return problem(idempotency.error());
  auto request = readBatch(*body, call, parts.deps.clock.now());
  if (!request) return problem(request.error());
  const auto types = typesOf(request->jobs);
  const auto made = parts.deps.jobs.submitBatch(std::move(request->name), call.principal->id, std::move(request->jobs),
                                                *std::move(idempotency));
  if (!made) return submitProblem(made.error());
  JsonWriter json;
  json.beginObject().key("id").string(made->id).key("jobs").beginArray();
  writeSubmitted(json, made->jobs, types, *parts.deps.catalog.snapshot());
  json.endArray().endObject();
  Response response(made->replayed ? 200 : 201, kJson, json.take());
  response.with("Location", "/api/v1/batches/" + made->id);
  return response;
}

Response list(const Parts& parts, Call& call) {
  auto query = QueryReader::from(call.request);
  if (!query) return problem(query.error());
  auto owner = query->text("owner").value_or("");
  const bool others = !call.principal->all_jobs && !owner.empty() && owner != call.principal->id;
  if (!call.principal->all_jobs) owner = call.principal->id;
  const auto limit = static_cast<int>(query->integer("limit", 1, kMaxPage).value_or(50));
  const auto cursor = query->integer("cursor", 1, std::numeric_limits<std::int64_t>::max());
  if (const auto wrong = query->done()) return problem(*wrong);
  const auto page =
      others ? core::Result<store::BatchPage>(store::BatchPage{}) : parts.deps.jobs.batches(owner, cursor, limit);
  if (!page) return problem(page.error());
  JsonWriter json;
  json.beginObject().key("batches").beginArray();
  for (const auto& batch : page->batches) writeBatch(json, batch);
  json.endArray().key("next_cursor");
  page->next ? json.number(*page->next) : json.null();
  json.endObject();
  return {200, kJson, json.take()};
}

Response show(const Parts& parts, const Call& call) {
  const auto batch = findBatch(parts, call);
  if (!batch) return problem(batch.error());
  JsonWriter json;
  writeBatch(json, *batch);
  return {200, kJson, json.take()};
}

/// Leaves a line in the audit log of what was done to somebody else's batch, also when it was a part.
core::Result<void> note(const Parts& parts, const Call& call, const store::Batch& batch, const char* name,
                        const core::Result<jobs::JobService::BulkOutcome>& done) {
  if (batch.owner == call.principal->id) return {};
  JsonWriter json;
  json.beginObject().key("owner").string(batch.owner);
  if (done) {
    writeOutcome(json, *done);
  } else {
    json.key("error").string(core::toString(done.error().code));
  }
  json.endObject();
  return parts.deps.audit.addAudit(
      actorOf(parts, call).did(parts.deps.clock.now(), std::string("batches.") + name, batch.id, json.take()));
}

/// What was done, and the batch as it is now; to a caller who may steer jobs but not read them no more of it than which
/// it is.
Response apply(const Parts& parts, Call& call, store::BulkAction action, const char* name) {
  const auto batch = findBatch(parts, call);
  if (!batch) return problem(batch.error());
  if (const auto unheard = refuseIdempotency(call)) return problem(*unheard);
  auto steering = readSteering(parts.options, call);
  if (!steering) return problem(steering.error());
  const auto done = parts.deps.jobs.applyToBatch(action, *batch, steering->cursor, std::move(steering->reason));
  if (const auto noted = note(parts, call, *batch, name, done); !noted) return problem(noted.error());
  if (!done) return problem(done.error());
  const auto now = findBatch(parts, call);
  if (!now) return problem(now.error());
  JsonWriter json;
  json.beginObject();
  if (call.principal->may(Privilege::ReadJobs)) {
    writeBatchMembers(json, *now);
  } else {
    json.key("id").string(now->id);
  }
  writeOutcome(json, *done);
  json.endObject();
  return {200, kJson, json.take()};
}

Response remove(const Parts& parts, Call& call) {
  const auto batch = findBatch(parts, call);
  if (!batch) return problem(batch.error());
  if (const auto unheard = refuseIdempotency(call)) return problem(*unheard);
  auto query = QueryReader::from(call.request);
  if (!query) return problem(query.error());
  const auto number = query->integer("cursor", 1, std::numeric_limits<std::int64_t>::max());
  if (const auto wrong = query->done()) return problem(*wrong);
  const auto cursor = number ? std::optional(core::JobId{*number}) : std::nullopt;
  const auto done = parts.deps.jobs.removeBatch(*batch, cursor);
  if (const auto noted = note(parts, call, *batch, "delete", done); !noted) return problem(noted.error());
  if (!done) return problem(done.error());
  if (!done->next) {
    parts.hub.batchRemoved(batch->id);
    return {204, {}, ""};
  }
  JsonWriter json;
  json.beginObject();
  writeOutcome(json, *done);
  json.endObject();
  return {200, kJson, json.take()};
}

}  // namespace

core::Result<store::Batch> findBatch(const Parts& parts, const Call& call) {
  auto batch = parts.deps.jobs.batch(call.captures[0]);
  if (batch && !call.principal->reaches(batch->owner)) {
    return core::Error{core::ErrorCode::NotFound, "batch " + call.captures[0] + " does not exist", "", {}};
  }
  return batch;
}

void addBatchRoutes(RouteTable& routes, const Parts& parts) {
  routes.add(Method::Post, "/api/v1/batches", Privilege::RunJobs, [parts](Call& call) { return create(parts, call); });
  routes.add(
      Method::Get, "/api/v1/batches", Privilege::ReadJobs, [parts](Call& call) { return list(parts, call); },
      kTakesQuery);
  routes.add(Method::Get, "/api/v1/batches/{id}", Privilege::ReadJobs,
             [parts](Call& call) { return show(parts, call); });
  routes.add(
      Method::Delete, "/api/v1/batches/{id}", Privilege::DeleteJobs,
      [parts](Call& call) { return remove(parts, call); }, kTakesQuery);
  routes.add(Method::Post, "/api/v1/batches/{id}/cancel", Privilege::AbortJobs,
             [parts](Call& call) { return apply(parts, call, store::BulkAction::Cancel, "cancel"); });
  routes.add(Method::Post, "/api/v1/batches/{id}/retry", Privilege::RunJobs,
             [parts](Call& call) { return apply(parts, call, store::BulkAction::Retry, "retry"); });
}

}  // namespace jobhost::api::native
