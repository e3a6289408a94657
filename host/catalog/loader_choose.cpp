#include <algorithm>
#include <utility>

#include "catalog/loader_state.hpp"
#include "telemetry/log.hpp"

namespace jobhost::catalog {

namespace fs = std::filesystem;

std::vector<PluginLoader::File*> PluginLoader::challengers(const std::string& plugin_id) {
  const auto plugin = plugins_.find(plugin_id);
  const PluginGeneration* current =
      plugin != plugins_.end() && plugin->second->available ? plugin->second->current.generation.get() : nullptr;
  std::vector<File*> all;
  for (const auto& [path, file] : files_) {
    if (file->usable && file->candidate && file->candidate->manifest.id == plugin_id) all.push_back(file.get());
  }
  const auto rank = [current](const File* file) {  // of equal versions, what runs already stays
    if (current == nullptr || file->path != current->original_path) return 2;
    return file->sha256 == current->sha256 ? 0 : 1;
  };
  std::stable_sort(all.begin(), all.end(), [&](const File* a, const File* b) {
    const int order = compareVersions(a->candidate->manifest.version, b->candidate->manifest.version);
    return order != 0 ? order > 0 : rank(a) < rank(b);
  });
  return all;
}

void PluginLoader::choose(const std::string& plugin_id) {
  const auto current = [&]() -> GenerationRef {
    const auto plugin = plugins_.find(plugin_id);
    return plugin != plugins_.end() && plugin->second->available ? plugin->second->current.generation : nullptr;
  };
  const auto runs = [&](const File& file) {
    const auto now = current();
    return now && now->original_path == file.path && now->sha256 == file.sha256;
  };
  const GenerationRef before = current();
  // Its file is there but holds nothing usable (damaged, quarantined, refused): what runs goes on.
  const auto kept = [&] {
    const auto home = before ? files_.find(before->original_path) : files_.end();
    if (home == files_.end() || home->second->usable) return false;
    return !home->second->candidate || home->second->candidate->manifest.id == plugin_id;
  };
  bool settled = false;
  const auto all = challengers(plugin_id);
  for (File* file : all) {
    if (runs(*file)) {
      settled = true;
      break;
    }
    if (kept() && compareVersions(file->candidate->manifest.version, before->version) <= 0) continue;
    if (accept(*file)) {
      settled = true;
      break;
    }
  }
  if (!settled && before && current() == before && !kept()) {
    disable(plugin_id, GenerationState::Disabled, "its file was removed or holds another plugin now");
  }
  const auto now = current();
  for (File* file : all) {
    if (!file->usable) continue;
    if (runs(*file)) {
      file->state = GenerationState::Current;
      file->reason.clear();
    } else if (now) {
      const std::string reason = "ignored: second copy of " + plugin_id + " " + file->candidate->manifest.version +
                                 "; " + now->version + " is loaded from " + now->original_path.string() + " (sha256 " +
                                 now->sha256.substr(0, 12) + "…)";
      refuse(*file, GenerationState::Refused, "ignored", reason);
      file->usable = true;  // it takes over when the other one goes
    }
  }
  dirty_ = true;
}

void PluginLoader::chooseBlocked() {
  for (const auto& [path, file] : files_) {
    if (!file->blocked || !file->candidate) continue;
    file->blocked = false;
    file->usable = true;
    to_choose_.insert(file->candidate->manifest.id);
  }
}

std::string PluginLoader::typeConflict(const ManifestSummary& manifest) const {
  for (const auto& [id, plugin] : plugins_) {
    if (id == manifest.id || !plugin->available) continue;
    for (const auto& type : manifest.job_types) {
      const auto& taken = plugin->current.generation->job_types;
      if (std::find(taken.begin(), taken.end(), type) == taken.end()) continue;
      return "its job type \"" + type + "\" is handled by " + id + " " + plugin->current.generation->version +
             " already; give one of the two another name";
    }
  }
  return {};
}

bool PluginLoader::accept(File& file) {
  const ManifestSummary& manifest = file.candidate->manifest;
  if (const std::string conflict = typeConflict(manifest); !conflict.empty()) {
    refuse(file, GenerationState::Refused, "refused", conflict);
    file.blocked = true;
    return false;
  }
  const auto plugin = plugins_.find(manifest.id);
  if (options_.refuse_changed_version && plugin != plugins_.end() && plugin->second->available &&
      plugin->second->current.generation->version == manifest.version) {
    refuse(file, GenerationState::Refused, "refused",
           "has the version " + manifest.version +
               " that is loaded already, but other content; give it a new version");
    return false;
  }
  auto loaded = tryOut(file);
  if (!loaded) {
    loadFailed(file, loaded.error());
    return false;
  }
  const bool replaces = plugin != plugins_.end() && plugin->second->available;
  const std::string story = manifest.id + " " + manifest.version + " (sha256 " + file.sha256.substr(0, 12) + "…)" +
                            (replaces ? " takes the place of " + plugin->second->current.generation->version : "");
  const auto known = ledger_.loaded.find(file.path);
  const bool ran_before = known != ledger_.loaded.end() && known->second.sha256 == file.sha256;
  switchTo(manifest.id, *std::move(loaded), ran_before ? known->second.accepted_at : clock_.now());
  file.state = GenerationState::Current;
  file.reason.clear();
  file.since = clock_.now();
  decide(file.path, replaces ? "replaced" : "accepted", story);
  return true;
}

core::Result<PluginLoader::Loaded> PluginLoader::tryOut(File& file) {
  auto copy = makeCopy(file);
  if (!copy) return copy.error();
  auto package = openCopy(**copy, file.sha256);
  if (!package) return package.error();
  if (const auto same = stillTrusted(file, *package); !same) {
    return core::Error{core::ErrorCode::Conflict, "its copy " + same.error().message, {}, {}};
  }
  return load(file.path, *package, file.candidate->manifest, *std::move(copy));
}

core::Result<std::shared_ptr<const PrivateCopy>> PluginLoader::makeCopy(const File& file) {
  auto package = PluginPackage::open(file.path, options_.max_file_bytes);
  if (!package) return package.error();
  if (package->stamps() != file.stamps || package->paths() != file.parts)
    return core::Error{core::ErrorCode::Conflict, "the file changed after it was looked at", {}, {}};
  package->adopt(file.candidate->hashes);
  return store_->put(*package, file.candidate->manifest.id, file.candidate->manifest.version);
}

/// A private copy with its hashes, which are the ones expected.
core::Result<PluginPackage> PluginLoader::openCopy(const PrivateCopy& copy, const std::string& sha256) const {
  auto package = PluginPackage::open(copy.path(), options_.max_file_bytes);
  if (!package) return core::Error{core::ErrorCode::Unavailable, "the private copy is gone", package.error().message, {}};
  const auto hash = package->hash();
  if (!hash) return hash.error();
  if (*hash != sha256) return core::Error{core::ErrorCode::Conflict, "the file changed while it was looked at", {}, {}};
  return package;
}

core::Result<PluginLoader::Loaded> PluginLoader::load(const fs::path& original, const PluginPackage& package,
                                                      const ManifestSummary& expected,
                                                      std::shared_ptr<const PrivateCopy> copy) {
  const auto text = package.manifestText();
  if (!text) return text.error();
  const auto manifest = parseManifest(*text, options_.abi);
  if (!manifest) return manifest.error();
  if (summaryOf(*manifest) != expected)
    return core::Error{core::ErrorCode::Conflict, "its copy has another manifest than was looked at", {}, {}};
  for (const std::string& warning : manifest->warnings) {
    telemetry::log("catalog").warn("manifest warning path={} warning={}", original.string(), printable(warning));
  }
  auto generation = std::make_shared<PluginGeneration>();
  generation->id = catalog_.nextGenerationId();
  generation->plugin_id = manifest->id;
  generation->version = manifest->version;
  generation->title = manifest->name;
  generation->sha256 = package.sha256();
  generation->original_path = original;
  generation->private_path = copy->path();
  generation->manifest_json = *text;
  generation->required_extensions = manifest->required_extensions;
  generation->permissions = manifest->permissions;
  generation->records = manifest->records;
  generation->abi_major = manifest->abi_major;
  generation->abi_min_minor = manifest->abi_min_minor;
  generation->accepted_at = clock_.now();
  generation->copy = std::move(copy);
  Loaded loaded;
  for (const ManifestType& type : manifest->types) {
    generation->job_types.push_back(type.info.name);
    loaded.types.push_back(type);
    loaded.types.back().info.generation = generation->id;
  }
  loaded.generation = generation;

  auto report = probe_.probe(*generation);
  const std::string what = manifest->kind == PluginKind::Process ? "program" : "library";
  core::Error failed{
      core::ErrorCode::Unsupported, "its " + what + " handles other job types than its manifest names", {}, {}};
  if (report) {
    auto said = generation->job_types;
    std::sort(said.begin(), said.end());
    std::sort(report->job_types.begin(), report->job_types.end());
    if (said == report->job_types) return loaded;
    const auto listed = [](const std::vector<std::string>& names) {
      std::string out;
      for (const auto& name : names) out += (out.empty() ? "\"" : ", \"") + name + "\"";
      return out.empty() ? std::string("none") : out;
    };
    failed.message += ": manifest " + listed(said) + "; " + what + " " + listed(report->job_types);
  } else {
    failed = report.error();
  }
  retire(generation, "");
  return failed;
}

void PluginLoader::loadFailed(File& file, const core::Error& error) {
  switch (error.code) {
    case core::ErrorCode::NotFound:
    case core::ErrorCode::Conflict:  // it moves under our hands: from the start
      decide(file.path, "waiting", printable(error.message));
      index_.forget(file.path);
      file.usable = false;
      return touched(file.path);
    case core::ErrorCode::Unavailable:
    case core::ErrorCode::Canceled:
    case core::ErrorCode::Exhausted:
      refuse(file, GenerationState::Refused, "waiting", "could not be tried, will be tried again: " + error.message);
      file.due = clock_.steadyNow() + options_.probe_retry;
      return;
    case core::ErrorCode::Internal:
    case core::ErrorCode::DeadlineExceeded: {
      const std::string reason = printable(error.message);
      ledger_.bad[file.sha256] = {file.candidate->manifest.id, file.candidate->manifest.version, reason, clock_.now()};
      unsaved_ = true;
      quarantined(file, reason);
      return keepRemembered(file);
    }
    default:
      refuse(file, GenerationState::Refused, "refused", error.message);
      return keepRemembered(file);
  }
}

void PluginLoader::keepRemembered(File& file) {
  for (const auto& [id, plugin] : plugins_) {
    if (!plugin->available || plugin->current.generation->original_path != file.path) continue;
    return decide(file.path, "kept", id + " " + plugin->current.generation->version + " goes on from its private copy");
  }
  const auto known = ledger_.loaded.find(file.path);
  if (known == ledger_.loaded.end() || known->second.sha256 == file.sha256 ||
      ledger_.bad.contains(known->second.sha256)) {
    return;
  }
  const Ledger::Loaded entry = known->second;
  if (const auto other = plugins_.find(entry.plugin_id); other != plugins_.end() && other->second->available) return;
  auto copy = store_->find(entry.private_path, entry.sha256);
  if (!copy) return;
  auto package = openCopy(**copy, entry.sha256);
  if (!package) return;
  if (const auto still = trust_.recheck(package->hashes(), entry.signer); !still) {
    return decide(file.path, "refused", "the copy that ran before " + still.error().message);
  }
  const auto text = package->manifestText();
  if (!text) return;
  const auto manifest = parseManifest(*text, options_.abi);
  if (!manifest || manifest->id != entry.plugin_id || !typeConflict(summaryOf(*manifest)).empty()) return;
  auto loaded = load(file.path, *package, summaryOf(*manifest), *std::move(copy));
  if (!loaded) {
    return decide(file.path, "refused",
                  "the copy that ran before cannot be used: " + printable(loaded.error().message));
  }
  switchTo(manifest->id, *std::move(loaded), entry.accepted_at);
  decide(file.path, "kept", manifest->id + " " + manifest->version + " that ran before goes on from its private copy");
}

}  // namespace jobhost::catalog
