#include "catalog/plugin_loader.hpp"

#include <algorithm>
#include <utility>

#include "catalog/json_document.hpp"
#include "catalog/loader_state.hpp"
#include "telemetry/log.hpp"

namespace jobhost::catalog {

namespace fs = std::filesystem;

namespace {

std::vector<fs::path> pathsOf(const PluginPackage& package) {
  std::vector<fs::path> paths;
  for (const auto& part : package.parts()) paths.push_back(part.path);
  return paths;
}

std::vector<FileStamp> stampsOfPaths(const std::vector<fs::path>& paths) {
  std::vector<FileStamp> stamps;
  for (const fs::path& path : paths) stamps.push_back(stampOfPath(path));
  return stamps;
}

/// What to do about a file whose manifest could not be read, behind the reason.
std::string withWayOut(const std::string& reason) {
  static constexpr std::pair<std::string_view, std::string_view> kWays[] = {
      {"is damaged", "copy it again"},
      {"truncated", "copy it again"},
      {"is empty", "copy it again"},
      {"without a jobhost manifest",
       "build it with JOBHOST_MANIFEST or jobhost_add_plugin(… MANIFEST …); a library that plugins need belongs elsewhere"},
      {"is built for", "build it for this machine"},
      {"32-bit", "build it for this machine"},
      {"not a shared library", "link it with -shared"},
      {"is not an ELF file", "a plugin is a shared library built for Linux"},
  };
  for (const auto& [symptom, way] : kWays) {
    if (reason.find(symptom) != std::string::npos) return reason + "; " + std::string(way);
  }
  return reason;
}

}  // namespace

std::string printable(std::string_view text) {
  constexpr std::size_t kMost = 600;
  std::string out;
  const bool clean = isUtf8(text);
  for (const char c : text.substr(0, kMost)) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7F || (!clean && byte >= 0x80) ? '?' : c;
  }
  if (text.size() <= kMost) return out;
  while (!out.empty() && !isUtf8(out)) out.pop_back();  // a sequence that was cut
  return out + "…";
}

PluginLoader::PluginLoader(LoaderOptions options, Catalog& catalog, PluginProbe& probe, const core::Clock& clock,
                           std::function<std::int64_t(GenerationId)> finished)
    : options_(std::move(options)),
      catalog_(catalog),
      probe_(probe),
      clock_(clock),
      finished_(std::move(finished)),
      store_(PrivateStore::create(options_.store)),
      trust_(options_.trust),
      ledger_(options_.store / "ledger.json") {}

PluginLoader::~PluginLoader() = default;

void PluginLoader::start() {
  ledger_.load();
  trust_.refresh();
  list(true);
  finishRound();
  std::erase_if(ledger_.loaded, [this](const auto& entry) { return !files_.contains(entry.first); });
  std::set<fs::path> keep;
  for (const auto& [path, entry] : ledger_.loaded) keep.insert(entry.private_path);
  store_->sweep(keep);
  remember();
}

void PluginLoader::rescan() {
  if (trust_.refresh()) trustChanged();
  list(false);
  finishRound();
}

void PluginLoader::list(bool at_start) {
  std::set<fs::path> seen;
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
    if (!at_start) continue;
    File& file = *files_.at(path);
    auto package = PluginPackage::open(path, options_.max_file_bytes);
    if (!package) {
      look(file);  // says what is wrong
      continue;
    }
    const auto stamps = package->stamps();
    std::int64_t newest_ns = 0;
    for (const FileStamp& stamp : stamps) newest_ns = std::max({newest_ns, stamp.modified_ns, stamp.changed_ns});
    const auto age_ns = core::toMicros(clock_.now()) * 1000 - newest_ns;
    if (age_ns < std::chrono::nanoseconds(options_.trusted_age).count()) continue;
    if (const auto hash = package->hash(); hash && package->stamps() == stamps) {
      file.parts = pathsOf(*package);
      file.stamps = stamps;
      file.first_hash = *hash;
      file.due.reset();
      evaluate(file, *package);
    }
  }
}

/// The plugin that the file belongs to: a manifest's program or another file it names.
PluginLoader::File* PluginLoader::ownerOf(const fs::path& path) {
  for (const auto& [main, file] : files_) {
    if (std::find(file->parts.begin(), file->parts.end(), path) != file->parts.end()) return file.get();
  }
  return nullptr;
}

void PluginLoader::touched(const fs::path& path) {
  const fs::path content = signedBy(path);
  const File* owner = ownerOf(content.empty() ? path : content);
  if (owner != nullptr && owner->path != path) return touched(fs::path(owner->path));
  if (!isPluginName(path)) return;
  if (!isUtf8(path.string())) {
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
  file.parts = pathsOf(*package);
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
  if (file.candidate) to_choose_.insert(file.candidate->manifest.id);
  file.sha256 = package.sha256();
  file.candidate.reset();
  file.usable = false;
  file.blocked = false;
  dirty_ = true;
  const auto text = package.manifestText();
  auto manifest = text ? parseManifest(*text, options_.abi) : core::Result<Manifest>(text.error());
  if (manifest && !package.isProcess() && manifest->kind == PluginKind::Process) {
    manifest = core::Error{core::ErrorCode::InvalidArgument,
                           "has a wrong manifest: /kind: \"process\" is for a manifest that is a file of its own, "
                           "<name>.plugin.json",
                           {},
                           {}};
  }
  if (!manifest) {
    const std::string& reason = manifest.error().message;
    refuse(file, GenerationState::Refused, "refused", text || package.isProcess() ? reason : withWayOut(reason));
    return keepRemembered(file);
  }
  for (const std::string& warning : manifest->warnings) {
    telemetry::log("catalog").warn("manifest warning path={} warning={}", file.path.string(), printable(warning));
  }
  to_choose_.insert(manifest->id);
  file.candidate = Candidate{file.sha256, *std::move(manifest), *text};
  if (!trusted(file, package)) return;
  if (const auto bad = ledger_.bad.find(file.sha256); bad != ledger_.bad.end()) {
    refuse(file, GenerationState::Quarantined, "quarantined", bad->second.reason);
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

void PluginLoader::removed(const fs::path& path) {
  const auto known = files_.find(path);
  if (known == files_.end()) return;
  decide(path, "removed", "the file is gone");
  if (known->second->candidate) to_choose_.insert(known->second->candidate->manifest.id);
  for (const auto& [id, plugin] : plugins_) {
    if (plugin->current.generation->original_path == path) to_choose_.insert(id);
  }
  files_.erase(known);
  if (ledger_.loaded.erase(path) > 0) remember();
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
