#include "api/lncrawl/job_types.hpp"
#include "api/lncrawl/parts.hpp"
#include "telemetry/log.hpp"

namespace jobhost::api::lncrawl {
namespace {

Response answerWhether(bool yes) {
  return answer(yes ? "true" : "false");
}

/// Starts or stops that jobs of this surface are begun; what runs goes on to its end.
Response turn(const Parts& parts, const Call& call, bool on) {
  if (!parts.deps.hold_types) return failure(501, "This host cannot stop its runner");
  parts.deps.hold_types(on ? std::vector<std::string>() : allTypes());
  parts.running = on;
  telemetry::log("api").info("lncrawl runner {} user={}", on ? "started" : "stopped", call.principal->id);
  return answerTrue();
}

/// What runs of this surface goes back to the queue and is begun anew; where begun is nothing, it waits for the start.
Response restart(const Parts& parts, const Call& call) {
  if (!parts.deps.put_back_types) return failure(501, "This host cannot restart its runner");
  parts.deps.put_back_types(allTypes());
  telemetry::log("api").info("lncrawl runner restarted user={}", call.principal->id);
  return answerTrue();
}

}  // namespace

void addRunnerRoutes(RouteTable& routes, const Parts& parts) {
  routes.add(Method::Get, "/api/admin/runner/status", Privilege::Admin,
             [parts](Call&) { return answerWhether(parts.running); });
  routes.add(
      Method::Post, "/api/admin/runner/start", Privilege::Admin,
      [parts](Call& call) { return turn(parts, call, true); }, false, Body::Small);
  routes.add(
      Method::Post, "/api/admin/runner/stop", Privilege::Admin,
      [parts](Call& call) { return turn(parts, call, false); }, false, Body::Small);
  routes.add(
      Method::Post, "/api/admin/soft-restart", Privilege::Admin, [parts](Call& call) { return restart(parts, call); },
      false, Body::Small);
}

}  // namespace jobhost::api::lncrawl
