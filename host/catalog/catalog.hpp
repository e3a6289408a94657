#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/job_type.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"

namespace jobhost::catalog {

class ParamsSchema;

/// One job type with what is needed to check and run its jobs. Immutable.
struct TypeEntry {
  JobTypeInfo info;
  std::shared_ptr<const ParamsSchema> schema;  ///< never null
  GenerationRef generation;                    ///< the one new attempts use; never null
};

/// All that is known at one moment. Immutable; keep one for the length of a request, not longer, since it keeps the
/// private copies of plugins it names on disk.
struct Snapshot {
  std::uint64_t revision = 0;  ///< grows with each change
  std::map<std::string, TypeEntry, std::less<>> types;
  std::vector<PluginStatus> plugins;

  [[nodiscard]] const TypeEntry* find(std::string_view type) const {
    const auto found = types.find(type);
    return found == types.end() ? nullptr : &found->second;
  }
};

/// What the catalog hears about attempts; whoever owns the generations (PluginFolder) decides. Any thread; never
/// blocks.
class GenerationWatcher {
 public:
  virtual ~GenerationWatcher() = default;
  virtual void crashed(GenerationId generation, const std::string& what) = 0;
  virtual void finished(GenerationId generation) = 0;
  virtual void quarantine(GenerationId generation, const std::string& reason) = 0;
};

/// Which job types exist now, who handles them and what their params look like.
///
/// Thread-safety: every method may be called from any thread. Reads copy one shared_ptr; checks of params run on the
/// caller's thread without a lock. Listeners are called on the publishing thread, one publication at a time, after the
/// snapshot is in place; they must not block and must not publish.
class Catalog {
 public:
  using Listener = std::function<void(const std::shared_ptr<const Snapshot>&)>;

  Catalog();
  ~Catalog();
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;

  [[nodiscard]] std::shared_ptr<const Snapshot> snapshot() const;

  /// Null: no such type. A type whose plugin was removed is found with available == false.
  [[nodiscard]] std::shared_ptr<const TypeEntry> findType(std::string_view name) const;

  /// Checks params against the type's schema. Answers the text to store: the same bytes, with missing members that have
  /// a default inserted. Errors: NotFound (no such type), InvalidArgument with one FieldError (JSON Pointer) for each
  /// thing that is wrong, up to 100; TooLarge when nested deeper or longer than allowed.
  [[nodiscard]] core::Result<std::string> validateParams(std::string_view type, std::string_view params_json) const;

  [[nodiscard]] std::vector<PluginStatus> plugins() const;
  [[nodiscard]] std::vector<JobTypeInfo> types() const;  ///< sorted by name

  /// Calls the listener for each later change until removed. The id is for removeListener, which waits for a call in
  /// progress to end (so do not call it from a listener).
  int addListener(Listener listener);
  void removeListener(int id);

  /// An attempt on this generation ended with the process's death that was not asked for. `what` is for people:
  /// "SIGSEGV in thumbnail". Too many of these early on a new generation bring back the one before.
  void reportCrash(GenerationId generation, const std::string& what);
  /// An attempt on this generation ended in any other way.
  void reportFinished(GenerationId generation);
  /// Takes the generation out of use and remembers its hash.
  void quarantine(GenerationId generation, const std::string& reason);

  /// Puts a new state of things in place; the revision is set here. For the owner of the generations.
  void publish(std::map<std::string, TypeEntry, std::less<>> types, std::vector<PluginStatus> plugins);
  /// Borrowed until setWatcher(nullptr), which waits for calls in progress to end.
  void setWatcher(GenerationWatcher* watcher);
  [[nodiscard]] GenerationId nextGenerationId();

  /// Publishes one more type without a plugin file. The schema in `info` must compile (asserts); generation and
  /// plugin_id are filled where empty.
  void addTypeForTest(JobTypeInfo info);

 private:
  mutable std::mutex mutex_;  ///< guards current_ and next_generation_
  std::shared_ptr<const Snapshot> current_;
  std::int64_t next_generation_ = 1;
  std::mutex publish_mutex_;  ///< one publication at a time; guards listeners_
  std::map<int, Listener> listeners_;
  int next_listener_ = 1;
  mutable std::mutex watcher_mutex_;
  GenerationWatcher* watcher_ = nullptr;
};

}  // namespace jobhost::catalog
