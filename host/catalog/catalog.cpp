#include "catalog/catalog.hpp"

#include <cassert>
#include <utility>

#include "catalog/params_schema.hpp"
#include "telemetry/log.hpp"

namespace jobhost::catalog {

Catalog::Catalog() : current_(std::make_shared<const Snapshot>()) {}
Catalog::~Catalog() = default;

std::shared_ptr<const Snapshot> Catalog::snapshot() const {
  std::lock_guard lock(mutex_);
  return current_;
}

std::shared_ptr<const TypeEntry> Catalog::findType(std::string_view name) const {
  auto now = snapshot();
  const TypeEntry* entry = now->find(name);
  if (entry == nullptr) return nullptr;
  return {std::move(now), entry};
}

core::Result<std::string> Catalog::validateParams(std::string_view type, std::string_view params_json) const {
  const auto entry = findType(type);
  if (!entry) {
    return core::Error{core::ErrorCode::NotFound,
                       "no plugin handles the job type \"" + std::string(type.substr(0, 200)) + "\"",
                       {},
                       {}};
  }
  return entry->schema->check(params_json);
}

std::vector<PluginStatus> Catalog::plugins() const {
  return snapshot()->plugins;
}

std::vector<JobTypeInfo> Catalog::types() const {
  const auto now = snapshot();
  std::vector<JobTypeInfo> all;
  all.reserve(now->types.size());
  for (const auto& [name, entry] : now->types) all.push_back(entry.info);
  return all;
}

int Catalog::addListener(Listener listener) {
  std::lock_guard lock(publish_mutex_);
  listeners_.emplace(next_listener_, std::move(listener));
  return next_listener_++;
}

void Catalog::removeListener(int id) {
  std::lock_guard lock(publish_mutex_);
  listeners_.erase(id);
}

void Catalog::reportCrash(GenerationId generation, const std::string& what) {
  std::lock_guard lock(watcher_mutex_);
  if (watcher_ != nullptr) watcher_->crashed(generation, what);
}

void Catalog::reportFinished(GenerationId generation) {
  std::lock_guard lock(watcher_mutex_);
  if (watcher_ != nullptr) watcher_->finished(generation);
}

void Catalog::quarantine(GenerationId generation, const std::string& reason) {
  std::lock_guard lock(watcher_mutex_);
  if (watcher_ != nullptr) watcher_->quarantine(generation, reason);
}

void Catalog::setWatcher(GenerationWatcher* watcher) {
  std::lock_guard lock(watcher_mutex_);
  watcher_ = watcher;
}

GenerationId Catalog::nextGenerationId() {
  std::lock_guard lock(mutex_);
  return {next_generation_++};
}

void Catalog::publish(std::map<std::string, TypeEntry, std::less<>> types, std::vector<PluginStatus> plugins) {
  std::lock_guard publishing(publish_mutex_);
  auto next = std::make_shared<Snapshot>();
  next->types = std::move(types);
  next->plugins = std::move(plugins);
  std::shared_ptr<const Snapshot> before;  // freed without the lock: it may delete files
  {
    std::lock_guard lock(mutex_);
    next->revision = current_->revision + 1;
    before = std::exchange(current_, next);
  }
  for (const auto& [id, listener] : listeners_) {
    try {
      listener(next);
    } catch (const std::exception& error) {
      telemetry::log("catalog").error("change listener failed listener={} reason={}", id, error.what());
    }
  }
}

void Catalog::addTypeForTest(JobTypeInfo info) {
  auto schema = ParamsSchema::compile(info.params_schema_json);
  assert(schema.ok());
  if (info.plugin_id.empty()) info.plugin_id = "test." + info.name;
  if (info.generation.value == 0) info.generation = nextGenerationId();
  info.defaults_json = (*schema)->defaultsJson();

  auto generation = std::make_shared<PluginGeneration>();
  generation->id = info.generation;
  generation->plugin_id = info.plugin_id;
  generation->version = "1.0.0";
  generation->title = info.plugin_id;
  generation->job_types = {info.name};

  PluginStatus status;
  status.generation = generation;
  status.plugin_id = info.plugin_id;
  status.version = generation->version;
  status.state = info.available ? GenerationState::Current : GenerationState::Disabled;
  status.reason = info.unavailable_reason;
  status.job_types = generation->job_types;

  const auto now = snapshot();
  auto types = now->types;
  auto plugins = now->plugins;
  plugins.push_back(std::move(status));
  std::string name = info.name;
  types.insert_or_assign(std::move(name), TypeEntry{std::move(info), *schema, std::move(generation)});
  publish(std::move(types), std::move(plugins));
}

}  // namespace jobhost::catalog
