#include "catalog/plugin_loader.hpp"

#include <algorithm>
#include <utility>

#include "catalog/loader_state.hpp"
#include "core/text.hpp"
#include "core/utf8.hpp"
#include "telemetry/log.hpp"

namespace jobhost::catalog {

namespace fs = std::filesystem;

namespace {

std::vector<FileStamp> stampsOfPaths(const std::vector<fs::path>& paths) {
  std::vector<FileStamp> stamps;
  for (const fs::path& path : paths) stamps.push_back(stampOfPath(path));
  return stamps;
}

fs::path withoutSlash(const fs::path& folder) {
  return folder.has_filename() || folder == folder.root_path() ? folder : folder.parent_path();
}

}  // namespace

std::string printable(std::string_view text) {
  return core::printable(text, 600);
}

LoaderOptions normalized(LoaderOptions options) {
  for (fs::path& folder : options.folders) folder = withoutSlash(folder);
  options.trust.folder = withoutSlash(options.trust.folder);
  return options;
}

PluginLoader::PluginLoader(LoaderOptions options, Catalog& catalog, PluginProbe& probe, const core::Clock& clock,
                           std::function<std::int64_t(GenerationId)> finished)
    : options_(normalized(std::move(options))),
      catalog_(catalog),
      probe_(probe),
      clock_(clock),
      finished_(std::move(finished)),
      store_(PrivateStore::create(options_.store)),
      trust_(options_.trust),
      ledger_(options_.store / "ledger.json"),
      index_(options_.store / "index.json", options_.abi) {}

PluginLoader::~PluginLoader() = default;

void PluginLoader::start() {
  ledger_.load();
  index_.load();
  trust_.refresh();
  list(true);
  finishRound();
  std::erase_if(ledger_.loaded, [this](const auto& entry) { return !files_.contains(entry.first); });
  std::set<fs::path> keep;
  for (const auto& [path, entry] : ledger_.loaded) keep.insert(entry.private_path);
  store_->sweep(keep);
  remember();
  keepIndex();
}

void PluginLoader::rescan() {
  if (trust_.refresh()) trustChanged();
  list(false);
  finishRound();
}

void PluginLoader::list(bool at_start) {
  std::set<fs::path, ByText> seen;
  for (const fs::path& folder : options_.folders) {
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      if (!isPluginName(it->path())) continue;
      if (seen.size() >= options_.max_files) {
        telemetry::log("catalog").error("too many plugin files, the rest is not looked at limit={}",
                                        options_.max_files);
        break;
      }
      seen.insert(it->path());
    }
  }
  std::vector<fs::path> gone;
  for (const auto& [path, file] : files_) {
    if (!seen.contains(path)) gone.push_back(path);
  }
  for (const fs::path& path : gone) removed(path);
  for (const fs::path& path : seen) {
    const auto known = files_.find(path);
    if (known != files_.end() && known->second->stamps == stampsOfPaths(known->second->parts)) continue;
    touched(path);
    const auto taken = at_start ? files_.find(path) : files_.end();
    if (taken != files_.end()) firstLook(*taken->second);
  }
}

/// At the start, what has been lying there for a while is decided upon at once; the rest waits as at any other time.
void PluginLoader::firstLook(File& file) {
  auto package = PluginPackage::open(file.path, options_.max_file_bytes);
  if (!package) return look(file);  // says what is wrong
  const auto stamps = package->stamps();
  if (!olderThan(stamps, clock_.now(), options_.trusted_age)) return;
  const auto decided = [&] {
    file.parts = package->paths();
    file.stamps = stamps;
    file.first_hash = package->sha256();
    file.due.reset();
  };
  if (const PluginIndex::Entry* known = index_.find(*package, stamps)) {
    package->adopt(known->hashes);
    decided();
    return judge(file, *package, known->manifest);
  }
  const bool telling = olderThan(stamps, clock_.now(), kStampsTell);
  if (!package->hash() || package->stamps() != stamps) return;
  decided();
  evaluate(file, *package);
  if (telling && file.candidate) index_.keep(*package, stamps, file.candidate->manifest);
}

/// The plugin that a file belongs to which is none itself: the program of a manifest, or another file it names.
PluginLoader::File* PluginLoader::ownerOf(const fs::path& path) {
  for (const auto& [main, file] : files_) {
    if (std::find(file->parts.begin(), file->parts.end(), path) != file->parts.end()) return file.get();
  }
  return nullptr;
}

void PluginLoader::touched(const fs::path& path) {
  const fs::path signed_file = signedBy(path);
  const fs::path& content = signed_file.empty() ? path : signed_file;
  if (!isPluginName(content)) {
    const File* owner = ownerOf(content);
    return owner != nullptr ? touched(fs::path(owner->path)) : void();
  }
  if (!signed_file.empty()) return files_.contains(content) ? touched(fs::path(content)) : void();
  if (!core::isUtf8(path.string())) {
    telemetry::log("catalog").warn("plugin file ignored, its name is not valid UTF-8 path={}",
                                   printable(path.string()));
    return;
  }
  const bool in_folder = std::any_of(options_.folders.begin(), options_.folders.end(),
                                     [&](const fs::path& folder) { return path.parent_path() == folder; });
  if (!in_folder) return;
  auto& file = files_[path];
  if (!file) {
    if (files_.size() > options_.max_files) {
      files_.erase(path);
      return;
    }
    file = std::make_unique<File>();
    file->path = path;
    file->parts = {path};
    file->since = clock_.now();
    file->reason = "new; waiting until it does not change any more";
    decide(path, "seen", "");
    dirty_ = true;
  }
  file->first_hash.clear();
  file->due = clock_.steadyNow() + options_.settle;
}

std::optional<core::Clock::Steady> PluginLoader::nextDue() const {
  std::optional<core::Clock::Steady> next;
  const auto sooner = [&next](core::Clock::Steady at) { next = next ? std::min(*next, at) : at; };
  for (const auto& [path, file] : files_) {
    if (file->due) sooner(*file->due);
  }
  for (const auto& [id, plugin] : plugins_) {
    if (plugin->is_new) sooner(plugin->new_until);
  }
  return next;
}

void PluginLoader::step() {
  const auto now = clock_.steadyNow();
  std::vector<fs::path> due;
  for (const auto& [path, file] : files_) {
    if (file->due && *file->due <= now) due.push_back(path);
  }
  for (const fs::path& path : due) {
    if (const auto file = files_.find(path); file != files_.end()) look(*file->second);
  }
  settleNew();
  finishRound();
}

void PluginLoader::finishRound() {
  // Choosing may free type names others wait for, which asks for more choosing; each id is done a bounded number of
  // times.
  for (int round = 0; round < 8 && !to_choose_.empty(); ++round) {
    for (const std::string& id : std::exchange(to_choose_, {})) choose(id);
  }
  if (unsaved_) remember();
  if (dirty_) publish();
  // Publishing drops the snapshot before, and with it perhaps the last use of what was replaced.
  if (std::any_of(leaving_.begin(), leaving_.end(), [](const auto& entry) { return entry.generation.expired(); }))
    publish();
}

void PluginLoader::look(File& file) {
  const auto named = stampsOfPaths(file.parts);
  auto package = PluginPackage::open(file.path, options_.max_file_bytes);
  if (!package) {
    if (package.error().code == core::ErrorCode::NotFound) return removed(fs::path(file.path));
    file.stamps = named;
    return refuse(file, GenerationState::Refused, "refused", package.error().message);
  }
  file.parts = package->paths();
  const auto before = package->stamps();
  const auto hash = package->hash();
  const auto after = package->stamps();
  if (!hash) {
    file.stamps = before;
    return refuse(file, GenerationState::Refused, "refused", hash.error().message);
  }
  if (before != after || file.first_hash != *hash || file.stamps != before) {
    const bool changing = !file.first_hash.empty();
    file.stamps = after;
    file.first_hash = before == after ? *hash : "";
    file.due = clock_.steadyNow() + options_.settle;
    if (changing) decide(file.path, "waiting", "is still being written");
    return;
  }
  file.due.reset();
  evaluate(file, *package);
}

void PluginLoader::evaluate(File& file, const PluginPackage& package) {
  const auto manifest = manifestOf(package, options_.abi);
  if (manifest) return judge(file, package, summaryOf(*manifest));
  if (file.candidate) to_choose_.insert(file.candidate->manifest.id);
  file.sha256 = package.sha256();
  file.candidate.reset();
  file.blocked = false;
  refuse(file, GenerationState::Refused, "refused", manifest.error().message);
  keepRemembered(file);
}

/// Decides about a file whose manifest is right.
void PluginLoader::judge(File& file, const PluginPackage& package, const ManifestSummary& manifest) {
  if (file.candidate) to_choose_.insert(file.candidate->manifest.id);
  to_choose_.insert(manifest.id);
  file.sha256 = package.sha256();
  file.candidate = Candidate{file.sha256, manifest, package.hashes()};
  file.usable = false;
  file.blocked = false;
  dirty_ = true;
  if (!trusted(file, package)) return;
  if (const auto bad = ledger_.bad.find(file.sha256); bad != ledger_.bad.end()) {
    quarantined(file, bad->second.reason);
    return keepRemembered(file);
  }
  file.usable = true;
}

void PluginLoader::refuse(File& file, GenerationState state, const std::string& decision, const std::string& reason) {
  const std::string text = printable(reason);
  if (file.state != state || file.reason != text) {
    telemetry::log("catalog").warn("plugin file not used path={} decision={} reason={}", file.path.string(), decision,
                                   text);
    file.since = clock_.now();
  }
  file.state = state;
  file.reason = text;
  file.usable = false;
  file.due.reset();
  dirty_ = true;
  decide(file.path, decision, text);
}

void PluginLoader::quarantined(File& file, const std::string& reason) {
  const std::string name = file.candidate ? file.candidate->manifest.id : file.path.filename().string();
  refuse(file, GenerationState::Quarantined, "quarantined",
         reason + "; put a mended file in its place, or try this one again: jobhost plugin retry " + name);
}

void PluginLoader::removed(const fs::path& path) {
  const auto known = files_.find(path);
  if (known == files_.end()) return;
  decide(path, "removed", "the file is gone");
  if (known->second->candidate) to_choose_.insert(known->second->candidate->manifest.id);
  for (const auto& [id, plugin] : plugins_) {
    if (plugin->current.generation->original_path == path) to_choose_.insert(id);
  }
  files_.erase(known);
  if (ledger_.loaded.erase(path) > 0) unsaved_ = true;
  dirty_ = true;
}

void PluginLoader::decide(const fs::path& path, const std::string& decision, const std::string& reason) {
  auto& story = decisions_[path];
  if (!story.empty() && story.back().decision == decision && story.back().reason == reason) return;
  story.push_back({clock_.now(), decision, reason});
  if (story.size() > kMaxDecisions) story.pop_front();
  if (decisions_.size() <= 2 * options_.max_files) return;
  for (auto it = decisions_.begin(); it != decisions_.end();) {  // files that came and went
    it = files_.contains(it->first) || it->first == path ? std::next(it) : decisions_.erase(it);
  }
}

std::map<fs::path, PluginLoader::Story> PluginLoader::stories() const {
  std::map<fs::path, Story> all;
  for (const auto& [path, story] : decisions_) all.emplace(path, Story(story.begin(), story.end()));
  return all;
}

std::vector<PluginLoader::File*> PluginLoader::named(std::string_view name) {
  std::vector<File*> all;
  for (const auto& [path, file] : files_) {
    if (path.string() == name || path.filename().string() == name ||
        (file->candidate && file->candidate->manifest.id == name)) {
      all.push_back(file.get());
    }
  }
  return all;
}

void PluginLoader::lookAgain(File& file) {
  touched(file.path);
  file.due = clock_.steadyNow();
}

bool PluginLoader::retry(std::string_view name) {
  const auto meant = named(name);
  if (trust_.refresh()) trustChanged();
  for (File* file : meant) {
    if (ledger_.bad.erase(file->sha256) > 0) remember();
    decide(file->path, "retry", "asked for by an operator");
    lookAgain(*file);
  }
  return !meant.empty();
}

}  // namespace jobhost::catalog
