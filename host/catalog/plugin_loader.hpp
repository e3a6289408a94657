#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog.hpp"
#include "catalog/ledger.hpp"
#include "catalog/manifest.hpp"
#include "catalog/plugin_index.hpp"
#include "catalog/plugin_package.hpp"
#include "catalog/plugin_probe.hpp"
#include "catalog/private_store.hpp"
#include "catalog/trust.hpp"
#include "core/clock.hpp"

namespace jobhost::catalog {

/// How plugin files become generations.
struct LoaderOptions {
  std::vector<std::filesystem::path> folders;
  std::filesystem::path store;  ///< private copies, the ledger and the index
  HostAbi abi;
  core::Millis settle{300};               ///< quiet time before each of the two looks at a changed file
  core::Millis trusted_age{2'000};        ///< at the start: a file unchanged for so long is looked at once
  core::Millis probe_retry{30'000};       ///< after the host itself failed to try a file
  core::Millis early_window{5 * 60'000};  ///< how long a generation counts as new
  int early_crashes = 3;                  ///< crashes of a new generation that bring the old one back; 0: never
  std::int64_t max_file_bytes = 512LL << 20;
  std::size_t max_files = 1'000;        ///< plugins looked at over all folders
  bool refuse_changed_version = false;  ///< same version, other content: production policy refuses it
  TrustOptions trust;
};

/// The options with folders as paths of files in them have them: without a slash at the end.
LoaderOptions normalized(LoaderOptions options);

/// Decides what becomes of plugin files: settle, read, copy, probe, switch, roll back, disable. Knows no threads and no
/// inotify: it is told of paths, asked when it wants to be called again, and reads time from the clock alone, so tests
/// walk it through any story step by step.
///
/// Not thread-safe. Publishes to the catalog, calls the probe (which may block) and touches only the folders given.
class PluginLoader {
 public:
  /// All references must outlive it. `finished` answers how many attempts ended well on a generation; may be empty.
  PluginLoader(LoaderOptions options, Catalog& catalog, PluginProbe& probe, const core::Clock& clock,
               std::function<std::int64_t(GenerationId)> finished = {});
  ~PluginLoader();

  /// First look at the folders: loads what has been lying there unchanged, brings back roll-backs, clears old copies.
  void start();
  /// Lists the folders again and takes up what changed unnoticed.
  void rescan();
  /// Something happened to this path.
  void touched(const std::filesystem::path& path);
  /// Does what is due now.
  void step();
  /// When step() has something to do next; nullopt: nothing waits.
  [[nodiscard]] std::optional<core::Clock::Steady> nextDue() const;

  void crashed(GenerationId generation, const std::string& what);
  void quarantine(GenerationId generation, const std::string& reason);
  /// Forgets that contents are bad and looks at the files again. `name`: a plugin id, path or file name.
  /// False: nothing by that name.
  bool retry(std::string_view name);
  /// Grants what the plugin's files ask for now, to this plugin and whoever signed it, and looks at them again. `name`
  /// as in retry(). False: nothing by that name whose manifest could be read.
  bool grant(std::string_view name);

  /// The story of each path so far, oldest first, at most kMaxDecisions.
  using Story = std::vector<Decision>;
  [[nodiscard]] std::map<std::filesystem::path, Story> stories() const;
  static constexpr std::size_t kMaxDecisions = 200;

 private:
  struct File;
  struct Plugin;
  struct Loaded {
    GenerationRef generation;
    std::vector<ManifestType> types;
  };
  struct Candidate {
    std::string sha256;
    ManifestSummary manifest;
    std::vector<std::string> hashes;  ///< of the parts
  };

  // plugin_loader.cpp: paths and what stands in them
  void list(bool at_start);
  void firstLook(File& file);
  void look(File& file);
  void evaluate(File& file, const PluginPackage& package);
  void judge(File& file, const PluginPackage& package, const ManifestSummary& manifest);
  [[nodiscard]] File* ownerOf(const std::filesystem::path& path);
  [[nodiscard]] std::vector<File*> named(std::string_view name);
  void lookAgain(File& file);

  // loader_trust.cpp: who may run
  bool trusted(File& file, const PluginPackage& package);
  core::Result<std::string> signerOf(const PluginPackage& package, const std::string& plugin_id) const;
  core::Result<void> stillTrusted(const File& file, const PluginPackage& copy) const;
  void distrust(File& file, const std::string& reason);
  void trustChanged();
  [[nodiscard]] std::string signerOf(const PluginGeneration& generation) const;
  void refuse(File& file, GenerationState state, const std::string& decision, const std::string& reason);
  void quarantined(File& file, const std::string& reason);
  void removed(const std::filesystem::path& path);
  void decide(const std::filesystem::path& path, const std::string& decision, const std::string& reason);
  void finishRound();

  // loader_choose.cpp: which file's content a plugin id runs
  void choose(const std::string& plugin_id);
  void chooseBlocked();
  [[nodiscard]] std::vector<File*> challengers(const std::string& plugin_id);
  bool accept(File& file);
  core::Result<std::shared_ptr<const PrivateCopy>> makeCopy(const File& file);
  core::Result<PluginPackage> openCopy(const PrivateCopy& copy, const std::string& sha256) const;
  core::Result<Loaded> tryOut(File& file);
  core::Result<Loaded> load(const std::filesystem::path& original, const PluginPackage& package,
                            const ManifestSummary& expected, std::shared_ptr<const PrivateCopy> copy);
  void loadFailed(File& file, const core::Error& error);
  void keepRemembered(File& file);
  [[nodiscard]] std::string typeConflict(const ManifestSummary& manifest) const;

  // loader_switch.cpp: generations of a plugin id
  void switchTo(const std::string& plugin_id, Loaded next, core::Instant accepted_at);
  void disable(const std::string& plugin_id, GenerationState state, const std::string& reason);
  void takeOut(const std::string& plugin_id, const std::string& decision, const std::string& reason);
  void retire(const GenerationRef& generation, const std::string& reason);
  void settleNew();
  void remember();
  void keepIndex();
  void publish();
  void addPluginRows(Snapshot& next) const;
  void addFileRows(std::vector<PluginStatus>& rows) const;

  /// Paths by their text: comparing them part by part would be most of a look at a thousand files.
  struct ByText {
    bool operator()(const std::filesystem::path& a, const std::filesystem::path& b) const {
      return a.native() < b.native();
    }
  };

  const LoaderOptions options_;
  Catalog& catalog_;
  PluginProbe& probe_;
  const core::Clock& clock_;
  const std::function<std::int64_t(GenerationId)> finished_;
  std::shared_ptr<PrivateStore> store_;
  Trust trust_;
  Ledger ledger_;
  PluginIndex index_;
  std::map<std::filesystem::path, std::unique_ptr<File>, ByText> files_;
  std::map<std::string, std::unique_ptr<Plugin>> plugins_;
  std::map<std::filesystem::path, std::deque<Decision>, ByText> decisions_;
  struct Leaving {
    std::weak_ptr<const PluginGeneration> generation;
    PluginStatus row;
  };
  std::vector<Leaving> leaving_;     ///< replaced or removed, attempts may still run on them
  std::set<std::string> to_choose_;  ///< plugin ids whose files changed in this round
  bool dirty_ = false;               ///< something to publish
  bool unsaved_ = false;             ///< something to write into the ledger
};

}  // namespace jobhost::catalog
