// One command for every job that a filter finds.
#include <limits>

#include "api/json_reader.hpp"
#include "api/json_writer.hpp"
#include "api/native/native_dialect.hpp"
#include "api/native/parse.hpp"
#include "api/native/render.hpp"

namespace jobhost::api::native {
namespace {

constexpr std::int64_t kUsualJobs = 1000;

constexpr std::size_t kNotedFilter = 4096;  ///< bytes of a filter that the audit log keeps

struct BulkRequest {
  store::JobFilter filter;
  std::string filter_json;  ///< as it was sent
  bool reachable = true;    ///< false: it names jobs of others
  std::optional<core::JobId> cursor;
  int limit = kUsualJobs;
  std::string reason;
};

/// Whether a condition says nothing: left by a program whose variable was empty, it would widen the command.
bool saysNothing(const JsonValue& value) {
  if (value.kind == JsonKind::Null) return true;
  if (value.kind == JsonKind::String) return value.raw == "\"\"";
  if (value.kind != JsonKind::Array) return false;
  const auto list = parseJson(value.raw);
  return list && list->members.empty();
}

core::Result<BulkRequest> readBulk(std::string_view body, const Principal& caller, store::BulkAction action) {
  const auto document = parseJson(body);
  if (!document) return document.error();
  BulkRequest request;
  std::vector<core::FieldError> errors;
  JsonObject object(*document, "", errors);
  object.require("filter");
  if (const auto raw = object.raw("filter", JsonKind::Object)) {
    const auto members = parseJson(*raw);
    JsonObject filter(*members, "/filter", errors);
    request.reachable = readFilter(filter, caller, request.filter);
    request.filter_json = *raw;
    for (const auto& member : members->members) {
      if (saysNothing(member.value)) filter.refuse(unescape(member.raw_key), "must say something, or be left out");
    }
  }
  request.limit = static_cast<int>(object.integer("limit", 1, jobs::JobService::kBulkJobs).value_or(kUsualJobs));
  if (const auto cursor = object.integer("cursor", 1, std::numeric_limits<std::int64_t>::max())) {
    request.cursor = core::JobId{*cursor};
  }
  if (action == store::BulkAction::Cancel) request.reason = object.string("reason", 1024).value_or("");
  object.refuseUnknown();
  if (!errors.empty()) return invalid("the bulk command is not valid", std::move(errors));
  return request;
}

/// What the audit log keeps of a command: what it was for, and what came of it.
std::string detailOf(const std::string& filter, const core::Result<jobs::JobService::BulkOutcome>& done) {
  JsonWriter json;
  json.beginObject().key("filter");
  filter.size() <= kNotedFilter ? json.raw(filter) : json.null();
  if (done) {
    writeOutcome(json, *done);
  } else {
    json.key("error").string(core::toString(done.error().code));
  }
  json.endObject();
  return json.take();
}

Response apply(const Parts& parts, Call& call, store::BulkAction action, const char* name) {
  if (const auto unheard = refuseIdempotency(call)) return problem(*unheard);
  const auto body = call.request.body->all(parts.options.http.body_bytes);
  if (!body) return problem(body.error());
  auto request = readBulk(*body, *call.principal, action);
  if (!request) return problem(request.error());
  const auto filter = std::move(request->filter_json);
  core::Result<jobs::JobService::BulkOutcome> done = jobs::JobService::BulkOutcome{};
  if (request->reachable) {
    done = parts.deps.jobs.applyAll(action, std::move(request->filter), request->cursor, request->limit,
                                    std::move(request->reason));
  }
  if (call.principal->all_jobs) {  // it may have been other people's jobs; also when a part of it was done
    const auto noted = parts.deps.audit.addAudit(
        actorOf(parts, call).did(parts.deps.clock.now(), std::string("jobs.bulk_") + name, "", detailOf(filter, done)));
    if (!noted) return problem(noted.error());
  }
  if (!done) return problem(done.error());
  JsonWriter json;
  json.beginObject();
  writeOutcome(json, *done);
  json.endObject();
  return {200, kJson, json.take()};
}

}  // namespace

void addBulkRoutes(RouteTable& routes, const Parts& parts) {
  const auto add = [&](const char* name, Privilege privilege, store::BulkAction action) {
    routes.add(Method::Post, std::string("/api/v1/jobs/bulk/") + name, privilege,
               [parts, action, name](Call& call) { return apply(parts, call, action, name); });
  };
  add("cancel", Privilege::AbortJobs, store::BulkAction::Cancel);
  add("retry", Privilege::RunJobs, store::BulkAction::Retry);
  add("delete", Privilege::DeleteJobs, store::BulkAction::Remove);
}

}  // namespace jobhost::api::native
