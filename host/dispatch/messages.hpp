#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "catalog/catalog.hpp"
#include "dispatch/job_runner.hpp"
#include "store/job_store.hpp"

namespace jobhost::dispatch {

/// What the dispatcher's thread is told. Each is handled by Scheduler::on().
namespace msg {

struct Claimed {
  store::ClaimBatch batch;
};
struct AttemptStarted {
  core::JobId id;
  store::LeaseToken lease = 0;
};
struct AttemptEnded {
  AttemptEnd end;
};
struct Progressed {
  core::JobId id;
  store::LeaseToken lease = 0;
  core::Progress progress;
};
struct Noted {
  core::JobId id;
  store::LeaseToken lease = 0;
  std::string key;
  std::string value_json;
};
struct CapacityChanged {
  std::string plugin;
  int slots = 0;
};
struct CatalogChanged {
  std::shared_ptr<const catalog::Snapshot> snapshot;
};
/// A caller wants a running job to end (committed).
struct StopAsked {
  core::JobId id;
  StopReason reason = StopReason::Canceled;
};
struct DueMoved {
  core::Instant at;
};
struct Ticked {
  core::Result<store::TickResult> result;
};
/// The store's answer to a settle. The outcomes come back only when it failed.
struct SettleDone {
  core::Result<std::vector<store::Settled>> result;
  std::vector<store::AttemptOutcome> outcomes;
};
struct UpdateDone {
  core::Result<void> result;
  std::vector<store::AttemptUpdate> updates;  ///< when it failed
};
struct Renewed {
  core::Result<std::vector<store::LeaseRef>> lost;
};
/// The types of which no job is claimed until further notice.
struct Held {
  std::vector<std::string> types;
};
/// Attempts of these types are stopped and queued again.
struct PutBack {
  std::vector<std::string> types;
};
struct Drain {
  core::Clock::Steady stop_at;  ///< when attempts still running are stopped
};

}  // namespace msg

using Message = std::variant<msg::Claimed, msg::AttemptStarted, msg::AttemptEnded, msg::Progressed, msg::Noted,
                             msg::CapacityChanged, msg::CatalogChanged, msg::StopAsked, msg::DueMoved, msg::Ticked,
                             msg::SettleDone, msg::UpdateDone, msg::Renewed, msg::Held, msg::PutBack, msg::Drain>;

}  // namespace jobhost::dispatch
