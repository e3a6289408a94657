#include <algorithm>
#include <utility>

#include "catalog/loader_state.hpp"
#include "telemetry/log.hpp"

namespace jobhost::catalog {

namespace fs = std::filesystem;

void PluginLoader::switchTo(const std::string& plugin_id, Loaded next, core::Instant accepted_at) {
  auto& plugin = plugins_[plugin_id];
  if (!plugin) plugin = std::make_unique<Plugin>();
  const std::string version = next.generation->version;
  if (plugin->current.generation && plugin->available) {
    // A generation that crashed while it was new is nothing to go back to; the one before it may be.
    Loaded leaving = std::exchange(plugin->current, {});
    const bool suspect = plugin->is_new && plugin->early_crashes > 0 && plugin->previous.generation;
    if (!suspect) std::swap(leaving, plugin->previous);
    if (leaving.generation) retire(leaving.generation, "replaced by " + version);
  }
  const auto age = clock_.now() - accepted_at;
  const auto left = age < core::Millis(0) ? options_.early_window
                                          : options_.early_window - std::chrono::duration_cast<core::Millis>(age);
  plugin->is_new = left > core::Millis(0);
  plugin->new_until = clock_.steadyNow() + left;
  plugin->current = std::move(next);
  plugin->available = true;
  plugin->state = GenerationState::Current;
  plugin->reason.clear();
  plugin->since = clock_.now();
  plugin->early_crashes = 0;
  const GenerationRef& now = plugin->current.generation;
  telemetry::log("catalog").info("plugin loaded plugin={} version={} generation={} sha256={} path={}", plugin_id,
                                 now->version, toString(now->id), now->sha256.substr(0, 12),
                                 now->original_path.string());
  const std::string signer = signerOf(*now);
  ledger_.loaded[now->original_path] = {now->sha256, plugin_id, now->version, now->private_path, accepted_at, signer};
  unsaved_ = true;
  settleNew();
  dirty_ = true;
}

void PluginLoader::settleNew() {
  for (const auto& [id, plugin] : plugins_) {
    if (plugin->is_new && clock_.steadyNow() < plugin->new_until) continue;
    plugin->is_new = false;
    if (!plugin->previous.generation) continue;
    retire(std::exchange(plugin->previous, {}).generation, "replaced by " + plugin->current.generation->version);
    dirty_ = true;
  }
}

void PluginLoader::retire(const GenerationRef& generation, const std::string& reason) {
  if (generation->copy) {
    const bool shared = std::any_of(plugins_.begin(), plugins_.end(), [&](const auto& entry) {
      const Plugin& plugin = *entry.second;
      const auto holds = [&](const Loaded& loaded) {
        return loaded.generation && loaded.generation != generation && loaded.generation->copy == generation->copy;
      };
      return holds(plugin.current) || holds(plugin.previous);
    });
    if (!shared) generation->copy->retire();
  }
  if (reason.empty()) return;  // nothing ever ran on it
  PluginStatus row;
  row.plugin_id = generation->plugin_id;
  row.version = generation->version;
  row.sha256 = generation->sha256;
  row.path = generation->original_path;
  row.state = GenerationState::Draining;
  row.reason = reason;
  row.since = clock_.now();
  row.job_types = generation->job_types;
  leaving_.push_back({generation, std::move(row)});
  dirty_ = true;
}

void PluginLoader::disable(const std::string& plugin_id, GenerationState state, const std::string& reason) {
  Plugin& plugin = *plugins_.at(plugin_id);
  const GenerationRef gone = plugin.current.generation;
  // Its types stay known, so that jobs can wait for them; the files do not stay for that.
  auto shell = std::make_shared<PluginGeneration>(*gone);
  shell->copy.reset();
  shell->private_path.clear();
  plugin.current.generation = shell;
  retire(gone, reason);
  if (plugin.previous.generation) retire(std::exchange(plugin.previous, {}).generation, reason);
  plugin.available = false;
  plugin.is_new = false;
  plugin.state = state;
  plugin.reason = reason;
  plugin.since = clock_.now();
  telemetry::log("catalog").warn("plugin out of use plugin={} version={} state={} reason={}", plugin_id, gone->version,
                                 toString(state), reason);
  chooseBlocked();
  dirty_ = true;
}

void PluginLoader::crashed(GenerationId generation, const std::string& what) {
  for (const auto& [id, plugin] : plugins_) {
    if (plugin->current.generation->id != generation || !plugin->available) continue;
    if (!plugin->is_new || clock_.steadyNow() >= plugin->new_until) return;
    const auto crashes = ++plugin->early_crashes;
    dirty_ = true;
    const std::int64_t ended_well = finished_ ? finished_(generation) : 0;
    if (options_.early_crashes <= 0 || crashes < options_.early_crashes || ended_well > crashes) break;
    const std::string reason =
        "crashed " + std::to_string(crashes) + " times soon after it was loaded, last: " + printable(what);
    if (plugin->previous.generation) {
      takeOut(std::string(id), "rolled_back", reason);
    } else {
      plugin->reason = reason + "; stays, because there is no earlier version to go back to";
      decide(plugin->current.generation->original_path, "crashes", plugin->reason);
    }
    break;
  }
  finishRound();
}

void PluginLoader::quarantine(GenerationId generation, const std::string& reason) {
  for (const auto& [id, plugin] : plugins_) {
    if (plugin->current.generation->id != generation || !plugin->available) continue;
    takeOut(std::string(id), "quarantined", printable(reason));
    break;
  }
  finishRound();
}

void PluginLoader::takeOut(const std::string& plugin_id, const std::string& decision, const std::string& reason) {
  Plugin& plugin = *plugins_.at(plugin_id);
  const GenerationRef bad = plugin.current.generation;
  ledger_.bad[bad->sha256] = {plugin_id, bad->version, reason, clock_.now()};
  ledger_.loaded.erase(bad->original_path);
  for (const auto& [path, file] : files_) {
    if (file->sha256 == bad->sha256) quarantined(*file, reason);
  }
  if (plugin.previous.generation) {
    retire(bad, reason);
    plugin.current = std::exchange(plugin.previous, {});
    const GenerationRef& back = plugin.current.generation;
    plugin.is_new = false;
    plugin.early_crashes = 0;
    plugin.since = clock_.now();
    plugin.reason = "went back to " + back->version + " because " + bad->version + " " + reason;
    ledger_.loaded[back->original_path] = {back->sha256, plugin_id, back->version, back->private_path,
                                           back->accepted_at};
    decide(bad->original_path, decision, plugin.reason);
    telemetry::log("catalog").error("plugin rolled back plugin={} from={} to={} reason={}", plugin_id, bad->version,
                                    back->version, reason);
  } else {
    decide(bad->original_path, decision, reason);
    disable(plugin_id, GenerationState::Quarantined, reason);
  }
  to_choose_.insert(plugin_id);
  unsaved_ = true;
  dirty_ = true;
}

/// Once a round: with a thousand plugins to load, a file synced for each would be most of the start.
void PluginLoader::remember() {
  unsaved_ = false;
  if (auto saved = ledger_.save(); !saved) {
    telemetry::log("catalog").error("{} detail={}", saved.error().message, saved.error().detail);
  }
}

void PluginLoader::keepIndex() {
  index_.forgetIf([this](const fs::path& path) { return !files_.contains(path); });
  if (auto saved = index_.save(); !saved) {
    telemetry::log("catalog").warn("{} detail={}", saved.error().message, saved.error().detail);
  }
}

void PluginLoader::publish() {
  dirty_ = false;
  std::erase_if(leaving_, [](const Leaving& leaving) { return leaving.generation.expired(); });
  Snapshot next;
  addPluginRows(next);
  addFileRows(next.plugins);
  for (const Leaving& leaving : leaving_) next.plugins.push_back(leaving.row);
  catalog_.publish(std::move(next.types), std::move(next.plugins));
}

void PluginLoader::addPluginRows(Snapshot& next) const {
  for (const auto& [id, plugin] : plugins_) {
    const GenerationRef& generation = plugin->current.generation;
    PluginStatus row;
    row.generation = generation;
    row.plugin_id = id;
    row.version = generation->version;
    row.sha256 = generation->sha256;
    row.path = generation->original_path;
    row.state = plugin->state;
    row.reason = plugin->reason;
    row.since = plugin->since;
    row.early_crashes = plugin->early_crashes;
    row.job_types = generation->job_types;
    next.plugins.push_back(std::move(row));
    for (const ManifestType& type : plugin->current.types) {
      TypeEntry entry{type.info, type.schema, generation};
      entry.info.available = plugin->available;
      if (!plugin->available) entry.info.unavailable_reason = "plugin " + id + " is out of use: " + plugin->reason;
      // Of several plugins that had the name at some time, the one that works has it.
      const auto taken = next.types.find(type.info.name);
      if (taken == next.types.end() || plugin->available) next.types.insert_or_assign(type.info.name, std::move(entry));
    }
  }
}

void PluginLoader::addFileRows(std::vector<PluginStatus>& rows) const {
  for (const auto& [path, file] : files_) {
    if (file->state == GenerationState::Current) continue;
    PluginStatus row;
    if (file->candidate) {
      row.plugin_id = file->candidate->manifest.id;
      row.version = file->candidate->manifest.version;
      row.job_types = file->candidate->manifest.job_types;
    }
    row.sha256 = file->sha256;
    row.path = path;
    row.state = file->state;
    row.reason = file->reason;
    row.since = file->since;
    rows.push_back(std::move(row));
  }
}

}  // namespace jobhost::catalog
