#include "api/json_writer.hpp"
#include "api/native/native_dialect.hpp"
#include "telemetry/metrics.hpp"

namespace jobhost::api::native {
namespace {

void writeNumbers(JsonWriter& json, const std::vector<std::pair<std::string, std::int64_t>>& rows) {
  json.beginObject();
  for (const auto& [name, value] : rows) json.key(name).number(value);
  json.endObject();
}

void writeSummary(JsonWriter& json, const telemetry::Metrics::Summary& summary) {
  const double mean = summary.count == 0 ? 0 : summary.sum / static_cast<double>(summary.count);
  json.beginObject().key("count").number(summary.count).key("mean_seconds").number(mean);
  json.key("p50_seconds").number(summary.p50).key("p95_seconds").number(summary.p95);
  json.key("p99_seconds").number(summary.p99).endObject();
}

void writeSummaries(JsonWriter& json, const std::vector<std::pair<std::string, telemetry::Metrics::Summary>>& rows) {
  json.beginObject();
  for (const auto& [name, summary] : rows) {
    json.key(name);
    writeSummary(json, summary);
  }
  json.endObject();
}

/// What /metrics tells, the queues and how long attempts took, for a page or a script. It is of everybody's jobs.
Response showMetrics(const Parts& parts, const Call& call) {
  if (!call.principal->all_jobs) {
    return problem({core::ErrorCode::PermissionDenied, "the metrics are of everybody's jobs", "", {}});
  }
  const auto counts = parts.deps.jobs.counts();
  if (!counts) return problem(counts.error());
  const auto all = telemetry::metrics().snapshot();
  JsonWriter json;
  json.beginObject().key("at").time(parts.deps.clock.now()).key("counters");
  writeNumbers(json, all.counters);
  json.key("gauges");
  writeNumbers(json, all.gauges);
  json.key("timers");
  writeSummaries(json, all.timers);
  json.key("queues").beginObject();
  for (const auto& row : *counts) {
    json.key(row.type).beginObject();
    for (int i = 0; i < core::kJobStateCount; ++i) {
      const auto state = static_cast<core::JobState>(i);
      if (!core::isTerminal(state)) json.key(core::toString(state)).number(row.by_state[i]);
    }
    json.endObject();
  }
  json.endObject().key("job_types");
  writeSummaries(json, all.job_types);
  json.key("other_job_types");
  writeSummary(json, all.other_job_types);
  json.endObject();
  return {200, kJson, json.take()};
}

}  // namespace

void addSystemRoutes(RouteTable& routes, const Parts& parts) {
  routes.add(Method::Get, "/healthz", Privilege::None,
             [](Call&) { return Response(200, kJson, "{\"status\":\"ok\"}"); });
  routes.add(Method::Get, "/readyz", Privilege::None, [parts](Call&) {
    const auto ready = parts.deps.ready ? parts.deps.ready() : core::Result<void>{};
    if (ready) return Response(200, kJson, "{\"status\":\"ready\"}");
    return problem({core::ErrorCode::Unavailable, ready.error().message, "", {}});
  });
  routes.add(
      Method::Get, "/metrics", parts.options.public_metrics ? Privilege::None : Privilege::ReadJobs, [](Call& call) {
        // Everybody may hear how many jobs there are, but not what kinds.
        const bool with_types = call.principal && call.principal->all_jobs && call.principal->may(Privilege::ReadJobs);
        return Response(200, "text/plain; version=0.0.4; charset=utf-8", telemetry::metrics().expose(with_types));
      });
  routes.add(Method::Get, "/api/v1/metrics", Privilege::ReadJobs,
             [parts](Call& call) { return showMetrics(parts, call); });
}

}  // namespace jobhost::api::native
