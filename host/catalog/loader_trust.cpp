#include "catalog/faults.hpp"
#include "catalog/loader_state.hpp"
#include "telemetry/log.hpp"

namespace jobhost::catalog {

/// The key that signed all files of the package; "" where they are unsigned and that is allowed. Each is judged as the
/// manifest is: who may change any of them decides what runs.
core::Result<std::string> PluginLoader::signerOf(const PluginPackage& package, const std::string& plugin_id) const {
  std::string signer;
  for (const auto& part : package.parts()) {
    const bool first = &part == &package.parts().front();
    auto one = trust_.check(part.path, part.fd.get(), part.sha256, plugin_id);
    if (!one) {
      auto error = one.error();
      if (!first) error.message = "names \"" + part.path.filename().string() + "\", which " + error.message;
      return error;
    }
    if (!first && *one != signer) {
      const auto named = [](const std::string& key) { return key.empty() ? std::string("by nobody") : "by key " + key; };
      return fault(core::ErrorCode::PermissionDenied,
                   "is not trusted: it is signed " + named(signer) + ", \"" + part.path.filename().string() + "\" " +
                       named(*one),
                   "sign all its files with one key");
    }
    signer = *std::move(one);
  }
  return signer;
}

/// Whether the private copy is pinned and signed as the file was judged to be. The file may have been another one then: it
/// is open to whoever owns it, and the index knows it by its times alone.
core::Result<void> PluginLoader::stillTrusted(const File& file, const PluginPackage& copy) const {
  const auto& parts = copy.parts();
  for (std::size_t i = 0; i < parts.size() && i < file.parts.size(); ++i) {
    const auto signer =
        trust_.checkContent(file.parts[i], parts[i].fd.get(), parts[i].sha256, file.candidate->manifest.id);
    if (!signer) return signer.error();
    if (*signer != file.signer) return core::Error{core::ErrorCode::PermissionDenied, "is signed by another key", {}, {}};
  }
  return {};
}

/// Whether the candidate in the file may be chosen. If not, the file's state says why and what to do.
bool PluginLoader::trusted(File& file, const PluginPackage& package) {
  const ManifestSummary& manifest = file.candidate->manifest;
  auto signer = signerOf(package, manifest.id);
  if (!signer && signer.error().code == core::ErrorCode::Unavailable) {
    refuse(file, GenerationState::Refused, "waiting", signer.error().message);
    file.due = clock_.steadyNow() + options_.probe_retry;
    return false;
  }
  if (!signer) {
    distrust(file, signer.error().message);
    return false;
  }
  file.signer = *std::move(signer);
  const std::string wants = toString(manifest.permissions);
  if (!trust_.asksPermissions() || wants.empty()) return true;
  const auto grant = ledger_.grants.find({manifest.id, file.signer});
  if (grant != ledger_.grants.end() && covers(grant->second.permissions, manifest.permissions)) return true;
  const std::string had = grant == ledger_.grants.end() ? "" : toString(grant->second.permissions);
  distrust(file, "asks for permissions that are not granted: " + wants + (had.empty() ? "" : " (granted: " + had + ")") +
                     "; grant them with: jobhost plugin grant " + manifest.id);
  return false;
}

/// Not trusted (any more): where this very content runs it is taken out of use; an earlier trusted one goes on.
void PluginLoader::distrust(File& file, const std::string& reason) {
  refuse(file, GenerationState::Refused, "refused", reason);
  const auto plugin = plugins_.find(file.candidate->manifest.id);
  const bool runs = plugin != plugins_.end() && plugin->second->available &&
                    plugin->second->current.generation->original_path == file.path &&
                    plugin->second->current.generation->sha256 == file.sha256;
  if (!runs) return keepRemembered(file);
  disable(plugin->first, GenerationState::Refused, file.reason);
  ledger_.loaded.erase(file.path);
  unsaved_ = true;
}

/// Keys or pins changed: all files are judged again, and what runs from a private copy while its file holds something
/// else is taken out if it would not be let in today.
void PluginLoader::trustChanged() {
  telemetry::log("catalog").info("trusted keys or pins changed");
  for (const auto& [id, plugin] : plugins_) {
    if (!plugin->available) continue;
    const PluginGeneration& now = *plugin->current.generation;
    const auto file = files_.find(now.original_path);
    if (file != files_.end() && file->second->sha256 == now.sha256) continue;
    auto copy = PluginPackage::open(now.private_path, options_.max_file_bytes);
    if (!copy || !copy->hash()) continue;  // no copy left to run
    if (const auto still = trust_.recheck(copy->hashes(), signerOf(now)); !still) {
      const auto path = now.original_path;
      decide(path, "refused", now.version + " " + still.error().message);
      disable(std::string(id), GenerationState::Refused, still.error().message);
      ledger_.loaded.erase(path);
      unsaved_ = true;
    }
  }
  for (const auto& [path, file] : files_) lookAgain(*file);
}

/// Who signed what runs; the ledger knows it also when its file holds something else by now.
std::string PluginLoader::signerOf(const PluginGeneration& generation) const {
  const auto file = files_.find(generation.original_path);
  if (file != files_.end() && file->second->sha256 == generation.sha256) return file->second->signer;
  const auto known = ledger_.loaded.find(generation.original_path);
  return known != ledger_.loaded.end() && known->second.sha256 == generation.sha256 ? known->second.signer
                                                                                   : std::string();
}

bool PluginLoader::grant(std::string_view name) {
  bool granted = false;
  for (File* file : named(name)) {
    if (!file->candidate) continue;
    granted = true;
    const ManifestSummary& manifest = file->candidate->manifest;
    ledger_.grants[{manifest.id, file->signer}] = {manifest.permissions, clock_.now()};
    const std::string wants = toString(manifest.permissions);
    decide(file->path, "granted", wants.empty() ? "asks for nothing" : wants);
    lookAgain(*file);
  }
  if (granted) remember();
  return granted;
}

}  // namespace jobhost::catalog
