#include "services/host_services.hpp"

#include <algorithm>
#include <utility>

#include "services/answered_call.hpp"
#include "services/child_request.hpp"
#include "services/child_waits.hpp"
#include "telemetry/log.hpp"

namespace jobhost::services {
namespace {

using core::Error;
using core::ErrorCode;

constexpr std::size_t kShortestRedaction = 4;  // shorter ones would blank out ordinary text

Error exhausted() {
  return {ErrorCode::Exhausted, "too many calls wait for the host", "", {}};
}

}  // namespace

/// The thread's side: tasks in order, and the waits with their deadlines.
class HostServices::Worker {
 public:
  using Task = std::function<void(Worker&)>;

  Worker(store::JobStore& store, events::EventBus& bus, const core::Clock& clock, std::size_t capacity)
      : tasks_(std::make_shared<core::Mailbox<Task>>(capacity)),
        clock_(clock),
        waits_(store, bus, clock, [tasks = tasks_](std::uint64_t wait, std::optional<core::JobId> id) {
          tasks->push([wait, id](Worker& worker) { worker.waits_.ended(wait, id); });
        }) {}

  [[nodiscard]] bool post(Task task) { return tasks_->tryPush(std::move(task)); }
  ChildWaits& waits() { return waits_; }
  void close() { tasks_->close(); }

  void loop(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      auto deadline = waits_.nextDeadline();
      if (deadline) deadline = std::chrono::steady_clock::now() + (*deadline - clock_.steadyNow());
      for (auto& task : tasks_->popAll(stop, deadline)) {
        try {
          task(*this);
        } catch (const std::exception& error) {
          telemetry::log("services").error("call failed error={}", error.what());
        }
      }
      waits_.expire();
    }
    waits_.abandon();
  }

 private:
  std::shared_ptr<core::Mailbox<Task>> tasks_;  ///< shared with bus listeners
  const core::Clock& clock_;
  ChildWaits waits_;
};

HostServices::HostServices(jobs::JobService& jobs, store::JobStore& store, events::EventBus& bus,
                           const core::Clock& clock, Options options, pool::RecordServices* records)
    : jobs_(jobs),
      store_(store),
      clock_(clock),
      options_(std::move(options)),
      records_(records),
      worker_(std::make_shared<Worker>(store, bus, clock, options_.waiting_calls)),
      thread_([worker = worker_](const std::stop_token& stop) { worker->loop(stop); }) {}

HostServices::~HostServices() {
  worker_->close();
  thread_.request_stop();
}

template <class T>
void HostServices::run(Done<T> done, std::function<void(Worker&, const Done<T>&)> work) {
  auto call = std::make_shared<AnsweredCall<T>>(std::move(done));
  const bool taken = worker_->post(
      [call, work = std::move(work)](Worker& worker) { call->run([&] { work(worker, call->answer()); }); });
  if (!taken) call->answer()(exhausted());
}

void HostServices::submitChild(const Caller& caller, std::string request_json, Done<core::JobId> done) {
  run<core::JobId>(
      std::move(done), [this, caller, text = std::move(request_json)](Worker&, const Done<core::JobId>& answer) {
        auto request = parseChildRequest(text, caller, clock_.now(), options_.request_bytes);
        if (!request) return answer(request.error());
        auto draft = jobs_.check(*std::move(request));
        if (!draft) return answer(draft.error());
        std::vector<core::JobDraft> drafts;
        drafts.push_back(*std::move(draft));
        store::SubmitOptions options;
        options.max_queued_per_type = options_.queued_per_type;
        store_.submitAsync(std::move(drafts), std::move(options),
                           [answer](core::Result<std::vector<store::Submitted>> stored) {
                             if (!stored) return answer(stored.error());
                             if (stored->size() != 1)
                               return answer(Error{ErrorCode::Internal, "the child could not be stored", "", {}});
                             answer(stored->front().id);
                           });
      });
}

void HostServices::childStates(const Caller& caller, std::vector<core::JobId> ids, Done<std::vector<ChildState>> done) {
  if (ids.size() > options_.children_per_call) {
    return done(Error{ErrorCode::TooLarge, "too many children in one call", "", {}});
  }
  run<std::vector<ChildState>>(std::move(done),
                               [job = caller.job, ids = std::move(ids)](Worker& worker, const auto& answer) {
                                 answer(worker.waits().states(job, ids));
                               });
}

void HostServices::awaitChildren(const Caller& caller, std::vector<core::JobId> ids, bool any, core::Millis timeout,
                                 Done<std::vector<ChildState>> done) {
  if (ids.size() > options_.children_per_call) {
    return done(Error{ErrorCode::TooLarge, "too many children in one call", "", {}});
  }
  run<std::vector<ChildState>>(std::move(done),
                               [caller, ids = std::move(ids), any, timeout](Worker& worker, const auto& answer) {
                                 worker.waits().start(caller, ids, any, timeout, answer);
                               });
}

void HostServices::cancelChild(const Caller& caller, core::JobId id, Done<void> done) {
  run<void>(std::move(done), [this, job = caller.job, id](Worker& worker, const Done<void>& answer) {
    if (auto own = worker.waits().states(job, {id}); !own) return answer(own.error());
    auto canceled = jobs_.cancel(id, "canceled by its parent");
    answer(canceled ? core::Result<void>{} : core::Result<void>{canceled.error()});
  });
}

void HostServices::saveCheckpoint(const Caller& caller, std::string bytes, Done<void> done) {
  if (bytes.size() > options_.checkpoint_bytes) {
    return done(Error{ErrorCode::TooLarge,
                      "the checkpoint is longer than " + std::to_string(options_.checkpoint_bytes) + " bytes",
                      "",
                      {}});
  }
  store_.saveCheckpoint({caller.job, caller.lease}, std::move(bytes), std::move(done));
}

void HostServices::loadCheckpoint(const Caller& caller, Done<std::optional<std::string>> done) {
  run<std::optional<std::string>>(
      std::move(done), [this, job = caller.job](Worker&, const auto& answer) { answer(store_.loadCheckpoint(job)); });
}

void HostServices::config(const Caller& caller, Done<std::string> done) {
  done(options_.config ? options_.config(caller.plugin) : std::string("{}"));
}

void HostServices::secret(const Caller& caller, std::string name, Done<std::string> done) {
  const auto plugin = options_.secrets.find(caller.plugin);
  if (plugin != options_.secrets.end()) {
    const auto found = plugin->second.find(name);
    if (found != plugin->second.end()) return done(found->second);
  }
  done(Error{ErrorCode::NotFound, "the secret \"" + name.substr(0, 200) + "\" is not set for this plugin", "", {}});
}

std::vector<std::string> HostServices::redactions(const std::string& plugin) const {
  std::vector<std::string> values;
  const auto found = options_.secrets.find(plugin);
  if (found == options_.secrets.end()) return values;
  for (const auto& [name, value] : found->second) {
    if (value.size() >= kShortestRedaction) values.push_back(value);
  }
  std::sort(values.begin(), values.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
  return values;
}

}  // namespace jobhost::services
