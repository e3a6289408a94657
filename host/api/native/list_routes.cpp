#include <limits>

#include "api/json_writer.hpp"
#include "api/native/native_dialect.hpp"
#include "api/native/parse.hpp"
#include "api/native/render.hpp"
#include "jobs/owned_key.hpp"

namespace jobhost::api::native {
namespace {

constexpr std::int64_t kMaxPage = 1000;

/// `parent` is fixed when the path names it.
Response list(const Parts& parts, Call& call, std::optional<core::JobId> parent) {
  auto query = QueryReader::from(call.request);
  if (!query) return problem(query.error());
  store::JobFilter filter;
  store::ListOptions options;
  for (const auto& word : query->list("state")) {
    if (const auto state = core::jobStateFromString(word)) {
      filter.states.push_back(*state);
    } else {
      query->refuse("state", "has no state " + word);
    }
  }
  filter.types = query->list("type");
  filter.owner = query->text("owner").value_or("");
  const bool others = !call.principal->all_jobs && !filter.owner.empty() && filter.owner != call.principal->id;
  if (!call.principal->all_jobs) filter.owner = call.principal->id;
  filter.batch = query->text("batch").value_or("");
  filter.tag = query->text("tag").value_or("");
  filter.queue_key = query->text("queue_key").value_or("");
  if (!call.principal->all_jobs && !filter.queue_key.empty()) {
    filter.queue_key = jobs::ownedKey(call.principal->id, filter.queue_key);
  }
  filter.parent = parent;
  if (!parent) {
    const auto of = query->integer("parent", 1, std::numeric_limits<std::int64_t>::max());
    if (of) filter.parent = core::JobId{*of};
  }
  filter.roots_only = query->boolean("roots");
  filter.created_after = query->time("created_after");
  filter.created_before = query->time("created_before");
  filter.finished_after = query->time("finished_after");
  filter.finished_before = query->time("finished_before");
  filter.input_id = query->text("input_id").value_or("");
  if (const auto text = query->text("q")) filter.words = readWords(*text, "q", query->errors());
  options.limit = static_cast<int>(query->integer("limit", 1, kMaxPage).value_or(50));
  if (const auto cursor = query->integer("cursor", 1, std::numeric_limits<std::int64_t>::max())) {
    options.cursor = core::JobId{*cursor};
  }
  const auto order = query->text("order").value_or("desc");
  options.ascending = order == "asc";
  if (order != "asc" && order != "desc") query->refuse("order", "must be asc or desc");
  options.with_documents = query->boolean("documents").value_or(true);
  if (const auto wrong = query->done()) return problem(*wrong);

  // Somebody else's jobs are not there, so there are none.
  const auto page = others ? core::Result<store::Page>(store::Page{}) : parts.deps.jobs.list(filter, options);
  if (!page) return problem(page.error());
  JsonWriter json;
  json.beginObject().key("jobs").beginArray();
  const auto types = parts.deps.catalog.snapshot();
  for (const auto& job : page->jobs) writeJob(json, job, *types, options.with_documents);
  json.endArray().key("next_cursor");
  page->next ? json.number(page->next->value) : json.null();
  json.endObject();
  return {200, kJson, json.take()};
}

Response counts(const Parts& parts, const Call& call) {
  if (!call.principal->all_jobs) {
    return problem({core::ErrorCode::PermissionDenied, "the counts are of everybody's jobs", "", {}});
  }
  const auto counts = parts.deps.jobs.counts();
  if (!counts) return problem(counts.error());
  std::int64_t totals[core::kJobStateCount] = {};
  JsonWriter json;
  const auto write = [&json](const std::int64_t(&by_state)[core::kJobStateCount]) {
    json.beginObject();
    for (int i = 0; i < core::kJobStateCount; ++i) {
      json.key(core::toString(static_cast<core::JobState>(i))).number(by_state[i]);
    }
    json.endObject();
  };
  json.beginObject().key("types").beginObject();
  for (const auto& row : *counts) {
    json.key(row.type);
    write(row.by_state);
    for (int i = 0; i < core::kJobStateCount; ++i) totals[i] += row.by_state[i];
  }
  json.endObject().key("total");
  write(totals);
  json.endObject();
  return {200, kJson, json.take()};
}

}  // namespace

void addListRoutes(RouteTable& routes, const Parts& parts) {
  routes.add(
      Method::Get, "/api/v1/jobs", Privilege::ReadJobs, [parts](Call& call) { return list(parts, call, std::nullopt); },
      kTakesQuery);
  const auto children = [parts](Call& call) {
    const auto id = readJobId(call.captures[0]);
    if (!id) return problem(noSuchJob());
    if (const auto job = parts.deps.jobs.get(*id); !job) return problem(job.error());
    return list(parts, call, *id);
  };
  routes.add(Method::Get, "/api/v1/jobs/{id}/children", Privilege::ReadJobs, children, kTakesQuery);
  routes.add(Method::Get, "/api/v1/counts", Privilege::ReadJobs, [parts](Call& call) { return counts(parts, call); });
}

}  // namespace jobhost::api::native
