#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.hpp"
#include "core/mailbox.hpp"
#include "events/event_bus.hpp"
#include "jobs/job_service.hpp"
#include "pool/attempt_services.hpp"
#include "store/job_store.hpp"

namespace jobhost::services {

/// The host's side of the SDK's extensions: children, checkpoints, configuration and secrets.
///
/// What may wait for the disk is done on one thread of its own, so that the pool's reactor never does. References must
/// outlive it; answers (`done`) are called on that thread or the store's writer. After its end nothing is answered but
/// what the store had taken already.
class HostServices final : public pool::AttemptServices {
 public:
  struct Options {
    /// The plugin's configuration, a JSON object; any thread. Empty function: "{}" for every plugin.
    std::function<std::string(const std::string& plugin)> config;
    /// What a job type does for others; any thread. Empty function: nothing.
    std::function<std::vector<std::string>(std::string_view type)> provides;
    std::map<std::string, std::map<std::string, std::string>> secrets;  ///< plugin id → name → value
    std::size_t checkpoint_bytes = 16u << 20;
    std::size_t request_bytes = 2u << 20;  ///< of one child's request
    std::size_t children_per_call = 10'000;
    std::int64_t queued_per_type = 10'000'000;
    pool::HttpServices* http = nullptr;  ///< borrowed; null: plugins cannot fetch
    std::size_t waiting_calls = 65'536;  ///< beyond it calls answer Exhausted
  };

  /// `records`: borrowed; null: this host keeps none.
  HostServices(jobs::JobService& jobs, store::JobStore& store, events::EventBus& bus, const core::Clock& clock,
               Options options, pool::RecordServices* records = nullptr);
  ~HostServices() override;
  HostServices(const HostServices&) = delete;
  HostServices& operator=(const HostServices&) = delete;

  void submitChild(const Caller& caller, std::string request_json, Done<core::JobId> done) override;
  void childStates(const Caller& caller, std::vector<core::JobId> ids, Done<std::vector<ChildState>> done) override;
  void awaitChildren(const Caller& caller, std::vector<core::JobId> ids, bool any, core::Millis timeout,
                     Done<std::vector<ChildState>> done) override;
  void cancelChild(const Caller& caller, core::JobId id, Done<void> done) override;
  void saveCheckpoint(const Caller& caller, std::string bytes, Done<void> done) override;
  void loadCheckpoint(const Caller& caller, Done<std::optional<std::string>> done) override;
  void config(const Caller& caller, Done<std::string> done) override;
  void secret(const Caller& caller, std::string name, Done<std::string> done) override;

  pool::RecordServices* records() override { return records_; }
  [[nodiscard]] std::vector<std::string> provides(std::string_view type) const override {
    return options_.provides ? options_.provides(type) : std::vector<std::string>{};
  }
  /// Longest first.
  [[nodiscard]] std::vector<std::string> redactions(const std::string& plugin) const override;

  pool::HttpServices* http() override { return options_.http; }

 private:
  class Worker;
  template <class T>
  void run(Done<T> done, std::function<void(Worker&, const Done<T>&)> work);

  jobs::JobService& jobs_;
  store::JobStore& store_;
  const core::Clock& clock_;
  const Options options_;
  pool::RecordServices* const records_;
  std::shared_ptr<Worker> worker_;
  std::jthread thread_;  ///< last: stops and joins first
};

}  // namespace jobhost::services
