#include "app.hpp"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <Poco/JSON/Object.h>

#include "app_options.hpp"
#include "api/auth/accounts.hpp"
#include "api/auth/client_address.hpp"
#include "api/auth/cookies.hpp"
#include "api/auth/first_start.hpp"
#include "api/auth/key_ring.hpp"
#include "api/server.hpp"
#include "catalog/catalog.hpp"
#include "catalog/plugin_folder.hpp"
#include "core/clock.hpp"
#include "data_lock.hpp"
#include "dispatch/dispatcher.hpp"
#include "events/event_bus.hpp"
#include "jobs/job_service.hpp"
#include "jobs/retention.hpp"
#include "pool/runner_pool.hpp"
#include "pool/runner_probe.hpp"
#include "services/host_services.hpp"
#include "services/http_door.hpp"
#include "services/record_service.hpp"
#include "store/sqlite_store.hpp"
#include "telemetry/log.hpp"

namespace jobhost {
namespace fs = std::filesystem;
namespace {

constexpr int kStartFailed = 1;
constexpr int kStoreFailed = 70;  // EX_SOFTWARE of sysexits.h: start me again

spdlog::logger& log() {
  return telemetry::log("app");
}

// The limit on descriptors is soft for the sake of select(), which nothing here uses: take what is allowed.
void raiseFileLimit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

// Threads made later inherit the mask, so that the signals stay for the main thread's sigwait.
sigset_t blockStopSignals() {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return stop;
}

std::string configJson(const settings::Loaded& loaded) {
  Poco::JSON::Object all(Poco::JSON_PRESERVE_KEY_ORDER);
  for (const auto& row : loaded.effective) {
    Poco::JSON::Object one(Poco::JSON_PRESERVE_KEY_ORDER);
    one.set("value", row.value);
    one.set("source", row.source);
    all.set(row.key, one);
  }
  std::ostringstream out;
  all.stringify(out);
  return out.str();
}

/// The store's writer outlives the dispatcher it tells; this is cut in between.
struct EventRelay {
  std::mutex mutex;
  dispatch::Dispatcher* dispatcher = nullptr;
};

/// Every part, in data-flow order; destroyed the other way round.
class Host {
 public:
  Host(const settings::Loaded& loaded, fs::path data, std::unique_ptr<store::SqliteStore> store,
       fetch::ClientOptions fetch)
      : loaded_(loaded),
        data_(std::move(data)),
        store_(std::move(store)),
        jobs_(*store_, catalog_, clock_, jobServiceOptions(loaded.settings, data_)),
        fetch_(std::move(fetch)),
        records_(*store_, catalog_, clock_, recordOptions(loaded.settings)),
        services_(jobs_, *store_, bus_, clock_, withHttp(serviceOptions(loaded.settings, data_, catalog_)), &records_),
        pool_(poolOptions(loaded.settings, data_), catalog_, &services_, clock_),
        probe_(pool_),
        dispatcher_(*store_, catalog_, bus_, pool_, clock_, dispatchOptions(loaded.settings)),
        folder_(folderOptions(loaded.settings, data_), catalog_, probe_, clock_),
        retention_(*store_, store_.get(), clock_, retentionOptions(loaded.settings, data_)),
        keys_(*store_, clock_,
              {static_cast<int>(loaded.settings.auth.keys_per_user),
               static_cast<int>(loaded.settings.auth.key_changes_per_minute)}),
        accounts_({*store_, *store_, keys_, clock_}, accountOptions(loaded.settings)),
        server_(apiDeps(), serverOptions(loaded.settings, data_)) {
    relay_->dispatcher = &dispatcher_;
    store_->setEventHook([this, relay = relay_](std::span<const core::JobEvent> events) {
      bus_.publish(events);
      std::lock_guard lock(relay->mutex);
      if (relay->dispatcher != nullptr) relay->dispatcher->committed(events);
    });
  }

  core::Result<void> start() {
    if (auto loaded = accounts_.load(); !loaded) return loaded;
    if (auto loaded = keys_.load(); !loaded) return loaded;
    const auto key_file = api::ensureAdminKey(data_, keys_);
    if (!key_file) return key_file.error();
    log().info("admin key file={}", key_file->string());
    if (auto made = api::ensureAdminUser(data_, accounts_); !made) return made;
    const auto rescued = store_->rescueAll();
    if (!rescued) return rescued.error();
    if (!rescued->expired.empty()) log().warn("attempts of a former run rescued count={}", rescued->expired.size());
    folder_.start();
    dispatcher_.start();
    retention_.start();
    ready_ = true;
    return server_.start();
  }

  [[nodiscard]] std::string url() const { return server_.url(); }

  /// Lets attempts end for `grace`, stops the rest. Requests are served meanwhile: what is submitted waits in the
  /// store.
  void drain(core::Millis grace) {
    ready_ = false;
    if (!dispatcher_.drain(grace)) log().warn("not every attempt's end could be stored; the next start rescues them");
  }
  void hurry() { dispatcher_.drain(core::Millis(0)); }

  void stop() {
    server_.stop();
    folder_.stop();
    pool_.setListener(nullptr);
    std::lock_guard lock(relay_->mutex);
    relay_->dispatcher = nullptr;
  }

 private:
  services::HostServices::Options withHttp(services::HostServices::Options options) {
    options.http = &http_;
    return options;
  }

  api::Deps apiDeps() {
    return {.jobs = jobs_,
            .bus = bus_,
            .catalog = catalog_,
            .keys = keys_,
            .accounts = accounts_,
            .audit = *store_,
            .clock = clock_,
            .ready = [this] { return ready(); },
            .config_json = [this] { return configJson(loaded_); },
            .plugin_why = [this](const std::string& id) { return pluginWhy(id); },
            .plugin_retry = [this](const std::string& id) { return pluginRetry(id); },
            .plugin_grant = [this](const std::string& id) { return pluginGrant(id); },
            .archive = [this](const std::string& id) { return archiveRecord(id); },
            .records = store_.get(),
            .hold_types = [this](std::vector<std::string> types) { dispatcher_.hold(std::move(types)); },
            .put_back_types = [this](std::vector<std::string> types) { dispatcher_.putBack(std::move(types)); }};
  }

  /// The library plugin's record of an archive; what it has not written yet is not known.
  std::optional<std::string> archiveRecord(const std::string& id) {
    auto record = static_cast<store::RecordStore&>(*store_).record({"org.jobhost.library", "archives", id});
    if (!record || !*record) return std::nullopt;
    return std::move((*record)->body);
  }

  core::Result<void> ready() {
    if (!ready_) return core::Error{core::ErrorCode::Unavailable, "the host is starting or stopping"};
    return store_->check();
  }

  core::Result<std::vector<catalog::Decision>> pluginWhy(const std::string& id) {
    std::vector<catalog::Decision> all;
    for (auto& [path, story] : folder_.why(id)) {
      for (auto& decision : story) {
        decision.reason = path.filename().string() + ": " + decision.reason;
        all.push_back(std::move(decision));
      }
    }
    if (all.empty())
      return core::Error{core::ErrorCode::NotFound, "no plugin of this id, and no file of this name, was seen"};
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
    return all;
  }

  core::Result<void> pluginRetry(const std::string& id) {
    if (folder_.why(id).empty())
      return core::Error{core::ErrorCode::NotFound, "no plugin of this id, and no file of this name, was seen"};
    folder_.retry(id);
    return {};
  }

  core::Result<void> pluginGrant(const std::string& id) {
    if (folder_.why(id).empty())
      return core::Error{core::ErrorCode::NotFound, "no plugin of this id, and no file of this name, was seen"};
    folder_.grant(id);
    return {};
  }

  const settings::Loaded& loaded_;
  const fs::path data_;
  core::SystemClock clock_;
  events::EventBus bus_;  // before the store, whose writer publishes to it until it ends
  const std::shared_ptr<EventRelay> relay_ = std::make_shared<EventRelay>();
  std::unique_ptr<store::SqliteStore> store_;
  catalog::Catalog catalog_;
  jobs::JobService jobs_;
  fetch::Client fetch_;
  services::HttpDoor http_{fetch_};
  services::RecordService records_;
  services::HostServices services_;
  pool::RunnerPool pool_;
  pool::RunnerProbe probe_;
  dispatch::Dispatcher dispatcher_;
  catalog::PluginFolder folder_;
  jobs::Retention retention_;
  api::KeyRing keys_;
  api::Accounts accounts_;
  std::atomic<bool> ready_{false};
  api::Server server_;
};

core::Result<std::unique_ptr<store::SqliteStore>> openStore(const settings::Settings& all, const fs::path& data,
                                                            const core::Clock& clock) {
  auto options = storeOptions(all, data);
  // What the disk holds after a failed sync is unknown: no further answer may be given by this process.
  options.on_fatal = [](const std::string& reason) {
    log().critical("store failed for good, ending reason=\"{}\"", reason);
    std::_Exit(kStoreFailed);
  };
  return store::SqliteStore::open(std::move(options), clock);
}

/// What no single key's bounds can say; empty: all is well.
std::string refuseWeak(const settings::Settings& all) {
  const auto& auth = all.auth;
  const api::HashCost cost{static_cast<std::uint32_t>(auth.argon2_memory_kib),
                           static_cast<std::uint32_t>(auth.argon2_iterations),
                           static_cast<std::uint32_t>(auth.argon2_lanes)};
  if (!api::meetsOwaspFloor(cost)) {
    return "auth.argon2_memory_kib=" + std::to_string(cost.memory_kib) +
           " with auth.argon2_iterations=" + std::to_string(cost.iterations) +
           " is less than OWASP asks for: 19456 and 2, or 47104 and 1, 12288 and 3, 9216 and 4, 7168 and 5";
  }
  for (const auto& origin : auth.trusted_origins) {
    if (!api::normalOrigin(origin)) return "auth.trusted_origins: \"" + origin + "\" is no origin (https://name)";
  }
  for (const auto& proxy : all.server.trusted_proxies) {
    if (!api::isAddress(proxy)) return "server.trusted_proxies: \"" + proxy + "\" is no address (10.0.0.1 or fd00::1)";
  }
  return {};
}

/// A prefix stands in a cookie and before every path: segments of plain characters, each after a slash; empty: none.
bool isUrlPrefix(std::string_view text) {
  if (text.empty()) return true;
  const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '/' || c == '-' || c == '_' || c == '~' || c == '.';
  });
  return plain && text.front() == '/' && text.back() != '/' && text.size() <= 200 &&
         text.find("//") == std::string_view::npos && text.find("/.") == std::string_view::npos;
}

int waitForSignal(const sigset_t& stop) {
  int signal = 0;
  do {
    sigwait(&stop, &signal);
  } while (signal == SIGHUP);  // a closed terminal is no reason to stop a daemon
  return signal;
}

}  // namespace

int serve(settings::Loaded loaded) {
  const auto& all = loaded.settings;
  telemetry::setLogLevel(all.log.level);
  if (all.runner.isolation != "process") {
    log().error("start refused: runner.isolation={} is not offered by this build; process is", all.runner.isolation);
    return kStartFailed;
  }
  auto fetch = fetchOptions(all);
  if (!fetch) {
    log().error("start refused: {}", fetch.error().message);
    return kStartFailed;
  }
  if (const auto weak = refuseWeak(all); !weak.empty()) {
    log().error("start refused: {}", weak);
    return kStartFailed;
  }
  if (!isUrlPrefix(all.minion.base_url_path)) {
    log().error("start refused: minion.base_url_path: \"{}\" is no path like /reader", all.minion.base_url_path);
    return kStartFailed;
  }
  const sigset_t stop_signals = blockStopSignals();
  raiseFileLimit();
  // One heap per two cores: a heap per thread holds on to memory that idle HTTP threads once used.
  mallopt(M_ARENA_MAX, 4);
  // A body of megabytes goes back to the system when it is done with; left alone, glibc keeps blocks as large as the
  // largest it saw.
  mallopt(M_MMAP_THRESHOLD, 256 * 1024);

  const fs::path data = fs::absolute(all.data.dir);
  const auto lock = DataLock::take(data);
  if (!lock) {
    log().error("start refused: {}", lock.error().message);
    return kStartFailed;
  }
  const core::SystemClock clock;
  auto store = openStore(all, data, clock);
  if (!store) {
    log().error("start refused: {} {}", store.error().message, store.error().detail);
    return kStartFailed;
  }
  Host host(loaded, data, std::move(*store), *std::move(fetch));
  if (const auto started = host.start(); !started) {
    log().error("start refused: {} {}", started.error().message, started.error().detail);
    host.stop();
    return kStartFailed;
  }
  std::printf("jobhost ready %s\n", host.url().c_str());
  std::fflush(stdout);
  log().info("serving url={} data={} version={}", host.url(), data.string(), JOBHOST_VERSION);

  log().info("stopping signal={}", waitForSignal(stop_signals));
  std::atomic<bool> drained{false};
  const pthread_t main_thread = pthread_self();
  std::thread drain([&] {
    host.drain(all.shutdown.drain_ms);
    drained = true;
    pthread_kill(main_thread, SIGHUP);  // wakes sigwait below
  });
  while (!drained) {
    int signal = 0;
    sigwait(&stop_signals, &signal);
    if (signal != SIGHUP) {
      log().warn("hurrying signal={}", signal);
      host.hurry();
    }
  }
  drain.join();
  host.stop();
  log().info("stopped");
  return 0;
}

}  // namespace jobhost
