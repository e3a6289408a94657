// One command for every job that a filter finds.
#include <limits>

#include "api/json_reader.hpp"
#include "api/json_writer.hpp"
#include "api/native/native_dialect.hpp"
#include "api/native/parse.hpp"

namespace jobhost::api::native {
namespace {

constexpr std::int64_t kUsualJobs = 1000;

struct BulkRequest {
  store::JobFilter filter;
  bool reachable = true;  ///< false: it names jobs of others
  std::optional<core::JobId> cursor;
  int limit = kUsualJobs;
  std::string reason;
};

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

Response apply(const Parts& parts, Call& call, store::BulkAction action, const char* name) {
  const auto body = call.request.body->all(parts.options.http.body_bytes);
  if (!body) return problem(body.error());
  auto request = readBulk(*body, *call.principal, action);
  if (!request) return problem(request.error());
  core::Result<jobs::JobService::BulkOutcome> done = jobs::JobService::BulkOutcome{};
  if (request->reachable) {
    done = parts.deps.jobs.applyAll(action, std::move(request->filter), request->cursor, request->limit,
                                    std::move(request->reason));
  }
  if (!done) return problem(done.error());
  JsonWriter json;
  json.beginObject().key("matched").number(done->matched).key("changed").number(done->changed).key("next_cursor");
  done->next ? json.number(done->next->value) : json.null();
  json.endObject();
  auto text = json.take();
  if (call.principal->all_jobs) {  // it may have been other people's jobs
    const auto noted = parts.deps.audit.addAudit(
        actorOf(parts, call).did(parts.deps.clock.now(), std::string("jobs.bulk_") + name, "", text));
    if (!noted) return problem(noted.error());
  }
  return {200, kJson, std::move(text)};
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
