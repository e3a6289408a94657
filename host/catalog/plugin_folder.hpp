#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "catalog/catalog.hpp"
#include "catalog/folder_watch.hpp"
#include "catalog/plugin_loader.hpp"

namespace jobhost::catalog {

/// Keeps the catalog in step with the plugin folders: the thread around PluginLoader, FolderWatch and a rescan.
///
/// Thread-safety: every method may be called from any thread. The probe runs on this part's thread (and inside
/// start()).
class PluginFolder final : public GenerationWatcher {
 public:
  struct Options {
    LoaderOptions loader;
    core::Millis rescan{60'000};  ///< finds what the kernel did not tell
    /// How long start() may wait for files that were written a moment ago to settle, so that a host whose plugins were
    /// just installed is ready with them; a file that is still being copied then loads later. 0: not at all.
    core::Millis settle_at_start{3'000};
  };

  /// All references must outlive it. Nothing happens before start().
  PluginFolder(Options options, Catalog& catalog, PluginProbe& probe, const core::Clock& clock);
  ~PluginFolder() override;

  /// Loads what lies in the folders (blocks for the probes), then watches. Call once.
  void start();
  /// Ends the thread; the catalog keeps what it has. Safe to call again.
  void stop();

  /// What was decided about a plugin's files and why. `name`: a path, file name or plugin id; empty: all files.
  [[nodiscard]] std::map<std::filesystem::path, std::vector<Decision>> why(std::string_view name) const;
  /// Lifts the quarantine of a plugin's files and tries them again soon. `name` as in why(); unknown names do nothing.
  void retry(std::string name);
  /// Grants the permissions that a plugin's files ask for and tries them again soon. `name` as in why().
  void grant(std::string name);
  /// Looks at the folders now.
  void rescan();

  void crashed(GenerationId generation, const std::string& what) override;
  void finished(GenerationId generation) override;
  void quarantine(GenerationId generation, const std::string& reason) override;

 private:
  using Task = std::function<void(PluginLoader&)>;
  void post(Task task);
  void run(const std::stop_token& stop);
  void waitForWork(const std::stop_token& stop);
  void watchFolders();
  void keepStories();
  void settleAtStart();

  const Options options_;
  Catalog& catalog_;
  const core::Clock& clock_;
  PluginLoader loader_;  ///< start()'s caller first, then the thread
  FolderWatch watch_;    ///< as loader_
  core::Clock::Steady next_rescan_{};
  int wake_ = -1;             ///< eventfd
  mutable std::mutex mutex_;  ///< guards the next three
  std::vector<Task> tasks_;
  std::map<std::filesystem::path, std::vector<Decision>> stories_;
  std::map<std::filesystem::path, std::string> ids_;  ///< plugin id by path
  std::mutex finished_mutex_;                         ///< guards finished_
  std::unordered_map<GenerationId, std::int64_t> finished_;
  std::jthread thread_;  ///< last: stops and joins first
};

}  // namespace jobhost::catalog
