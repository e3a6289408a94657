#include "catalog/plugin_folder.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "telemetry/log.hpp"

namespace jobhost::catalog {

namespace fs = std::filesystem;

namespace {
constexpr std::size_t kMaxTasks = 10'000;  // crash reports beyond that say nothing new
}

PluginFolder::PluginFolder(Options options, Catalog& catalog, PluginProbe& probe, const core::Clock& clock)
    : options_{normalized(std::move(options.loader)), options.rescan, options.settle_at_start},
      catalog_(catalog),
      clock_(clock),
      loader_(options_.loader, catalog, probe, clock,
              [this](GenerationId generation) {
                std::lock_guard lock(finished_mutex_);
                const auto found = finished_.find(generation);
                return found == finished_.end() ? std::int64_t{0} : found->second;
              }),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

PluginFolder::~PluginFolder() {
  stop();
  if (wake_ >= 0) ::close(wake_);
}

void PluginFolder::start() {
  catalog_.setWatcher(this);
  std::error_code ignored;  // a missing folder means nothing is pinned and no key is trusted
  if (const auto& trust = options_.loader.trust.folder; !trust.empty()) fs::create_directories(trust, ignored);
  watchFolders();  // before the first look, so that nothing falls between
  loader_.start();
  next_rescan_ = clock_.steadyNow() + options_.rescan;
  settleAtStart();
  keepStories();
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void PluginFolder::settleAtStart() {
  auto left = options_.settle_at_start;
  while (left.count() > 0) {
    const auto due = loader_.nextDue();
    if (!due) return;
    const auto wait = std::max(core::Millis(1), std::chrono::ceil<core::Millis>(*due - clock_.steadyNow()));
    if (wait > left) return;
    pollfd changed{watch_.fd(), POLLIN, 0};
    ::poll(&changed, 1, static_cast<int>(wait.count()));
    left -= wait;
    for (const fs::path& path : watch_.read().files) loader_.touched(path);
    loader_.step();
  }
}

void PluginFolder::stop() {
  catalog_.setWatcher(nullptr);
  if (!thread_.joinable()) return;
  thread_.request_stop();
  post({});
  thread_.join();
}

void PluginFolder::post(Task task) {
  {
    std::lock_guard lock(mutex_);
    if (task && tasks_.size() < kMaxTasks) tasks_.push_back(std::move(task));
  }
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wake_, &one, sizeof one));  // full means it is awake already
}

void PluginFolder::watchFolders() {
  if (const auto& trust = options_.loader.trust.folder; !trust.empty()) watch_.watch(trust);
  for (const fs::path& folder : options_.loader.folders) {
    if (!watch_.watch(folder)) {
      telemetry::log("catalog").warn("plugin folder not watched, only looked at now and then path={}", folder.string());
    }
  }
}

void PluginFolder::waitForWork(const std::stop_token& stop) {
  auto until = next_rescan_;
  if (const auto due = loader_.nextDue()) until = std::min(until, *due);
  const auto left = std::chrono::ceil<core::Millis>(until - clock_.steadyNow()).count();
  pollfd fds[2] = {{wake_, POLLIN, 0}, {watch_.fd(), POLLIN, 0}};
  if (left > 0 && !stop.stop_requested()) ::poll(fds, 2, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
  std::uint64_t count = 0;
  static_cast<void>(!::read(wake_, &count, sizeof count));
}

void PluginFolder::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    waitForWork(stop);
    if (stop.stop_requested()) return;
    try {
      std::vector<Task> tasks;
      {
        std::lock_guard lock(mutex_);
        tasks.swap(tasks_);
      }
      const auto changes = watch_.read();
      for (const fs::path& path : changes.files) loader_.touched(path);
      const bool trust_changed = std::any_of(changes.files.begin(), changes.files.end(), [this](const fs::path& path) {
        return path.parent_path() == options_.loader.trust.folder;
      });
      if (changes.rescan || trust_changed || clock_.steadyNow() >= next_rescan_) {
        next_rescan_ = clock_.steadyNow() + options_.rescan;
        watchFolders();
        loader_.rescan();
      }
      for (const Task& task : tasks) task(loader_);
      loader_.step();
      keepStories();
    } catch (const std::exception& error) {
      telemetry::log("catalog").error("plugin folder round failed reason={}", error.what());
    }
  }
}

void PluginFolder::keepStories() {
  auto stories = loader_.stories();
  std::map<fs::path, std::string> ids;
  for (const PluginStatus& row : catalog_.plugins()) {
    if (!row.plugin_id.empty()) ids[row.path] = row.plugin_id;
  }
  std::lock_guard lock(mutex_);
  stories_ = std::move(stories);
  for (auto& [path, id] : ids) ids_[path] = std::move(id);
  std::erase_if(ids_, [this](const auto& entry) { return !stories_.contains(entry.first); });
}

std::map<fs::path, std::vector<Decision>> PluginFolder::why(std::string_view name) const {
  std::lock_guard lock(mutex_);
  std::map<fs::path, std::vector<Decision>> out;
  for (const auto& [path, story] : stories_) {
    const auto id = ids_.find(path);
    if (name.empty() || path.string() == name || path.filename().string() == name ||
        (id != ids_.end() && id->second == name)) {
      out.emplace(path, story);
    }
  }
  return out;
}

void PluginFolder::retry(std::string name) {
  post([name = std::move(name)](PluginLoader& loader) { loader.retry(name); });
}

void PluginFolder::grant(std::string name) {
  post([name = std::move(name)](PluginLoader& loader) { loader.grant(name); });
}

void PluginFolder::rescan() {
  post([](PluginLoader& loader) { loader.rescan(); });
}

void PluginFolder::crashed(GenerationId generation, const std::string& what) {
  post([generation, what](PluginLoader& loader) { loader.crashed(generation, what); });
}

void PluginFolder::quarantine(GenerationId generation, const std::string& reason) {
  post([generation, reason](PluginLoader& loader) { loader.quarantine(generation, reason); });
}

void PluginFolder::finished(GenerationId generation) {
  std::lock_guard lock(finished_mutex_);
  ++finished_[generation];
}

}  // namespace jobhost::catalog
