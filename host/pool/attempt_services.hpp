#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/job.hpp"
#include "core/result.hpp"
#include "dispatch/job_runner.hpp"
#include "pool/http_services.hpp"
#include "pool/record_services.hpp"

namespace jobhost::pool {

/// What a running attempt may ask of the host (the SDK's extensions), behind an interface that services/ implements.
/// Called on the pool's reactor thread; must not block; `done` may be called on any thread, once. The pool checks the
/// plugin's permissions before calling.
class AttemptServices {
 public:
  template <class T>
  using Done = std::function<void(core::Result<T>)>;

  struct Caller {
    core::JobId job;
    store::LeaseToken lease = 0;
    std::string type;
    std::string plugin;
    std::string owner;
    int depth = 0;
  };
  struct ChildState {
    core::JobId id;
    core::JobState state = core::JobState::Queued;
    std::string result_json;
    std::optional<core::JobError> error;
    std::string type;
  };

  virtual ~AttemptServices() = default;

  /// `request_json`: {"type","params","priority"?,"dedupe_key"?,"queue_key"?,"delay_ms"?,"run_at_ms"?,
  /// "after"?,"on_child_failure"?,"max_attempts"?,"timeout_ms"?,"tags"?}.
  virtual void submitChild(const Caller& caller, std::string request_json, Done<core::JobId> done) = 0;
  virtual void childStates(const Caller& caller, std::vector<core::JobId> ids, Done<std::vector<ChildState>> done) = 0;
  /// No ids: all children of the caller. Answers when all (or, with `any`, one) of the children have ended, or after
  /// `timeout`; with the states then. Where there are none it answers at once, with `any` too: nobody could end later.
  virtual void awaitChildren(const Caller& caller, std::vector<core::JobId> ids, bool any, core::Millis timeout,
                             Done<std::vector<ChildState>> done) = 0;
  virtual void cancelChild(const Caller& caller, core::JobId id, Done<void> done) = 0;
  virtual void saveCheckpoint(const Caller& caller, std::string bytes, Done<void> done) = 0;
  virtual void loadCheckpoint(const Caller& caller, Done<std::optional<std::string>> done) = 0;
  /// The plugin's configuration as a JSON object (from the `plugin.<id>` section), "{}" when none.
  virtual void config(const Caller& caller, Done<std::string> done) = 0;
  /// NotFound when the operator has not set it; PermissionDenied when the manifest did not ask for it.
  virtual void secret(const Caller& caller, std::string name, Done<std::string> done) = 0;
  /// Told of a call that is not passed on because the manifest's permissions do not cover it: "config.secret",
  /// "children.submit". `subject`: the secret's or the job type's name.
  virtual void refused(const Caller& /*caller*/, std::string_view /*call*/, std::string_view /*subject*/) {}
  /// What jobs of this type do for others (catalog::JobTypeInfo::provides); none where the type is not known.
  [[nodiscard]] virtual std::vector<std::string> provides(std::string_view /*type*/) const { return {}; }
  /// HTTP for attempts; null: this host fetches nothing. Borrowed, for the life of the services.
  virtual HttpServices* http() { return nullptr; }
  /// Records and key-value spaces; null: this host keeps none. Borrowed, for the life of the services.
  virtual RecordServices* records() { return nullptr; }
  /// Values that must not appear in what the plugin logs or answers.
  [[nodiscard]] virtual std::vector<std::string> redactions(const std::string& plugin) const = 0;
};

}  // namespace jobhost::pool
