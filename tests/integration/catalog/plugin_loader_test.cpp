#include "catalog/plugin_loader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "integration/catalog/plugin_files.hpp"

namespace jobhost::catalog {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using testing::HasSubstr;

const std::string kTryAgain =
    "; put a mended file in its place, or try this one again: jobhost plugin retry test.tiny-a";

class PluginLoaderTest : public testing::Test {
 protected:
  PluginLoaderTest() {
    fs::create_directories(plugins());
    restart();
  }

  [[nodiscard]] fs::path plugins() const { return folder_.path() / "plugins"; }
  [[nodiscard]] fs::path store() const { return folder_.path() / "store"; }
  [[nodiscard]] fs::path file(const std::string& name = "tiny.so") const { return plugins() / name; }

  void restart() {
    loader_.reset();
    catalog_ = std::make_unique<Catalog>();
    LoaderOptions options;
    options.folders = {spelt_.empty() ? plugins() : fs::path(spelt_)};
    options.store = store();
    options.max_file_bytes = 1 << 20;
    options.refuse_changed_version = strict_;
    loader_ = std::make_unique<PluginLoader>(options, *catalog_, probe_, clock_,
                                             [this](GenerationId) { return ended_well_; });
    loader_->start();
  }
  /// Until nothing changes any more by itself.
  void settle() {
    loader_->rescan();
    for (int i = 0; i < 6; ++i) {
      clock_.advance(300ms);
      loader_->step();
    }
  }
  void drop(const std::string& bytes, const std::string& name = "tiny.so") {
    install(file(name), bytes);
    settle();
  }
  [[nodiscard]] std::string running(const std::string& type = "tiny") const {
    const auto found = catalog_->findType(type);
    if (!found) return "none";
    return found->info.available ? found->generation->version : "waits: " + found->info.unavailable_reason;
  }
  /// "state: reason" of the row of a file that is not running; empty: no such row.
  [[nodiscard]] std::string rowOf(const std::string& name = "tiny.so") const {
    for (const auto& row : catalog_->plugins()) {
      if (row.path == file(name) && row.state != GenerationState::Current && row.state != GenerationState::Draining) {
        return std::string(toString(row.state)) + ": " + row.reason;
      }
    }
    return {};
  }
  [[nodiscard]] std::vector<std::string> storyOf(const std::string& name = "tiny.so") const {
    std::vector<std::string> words;
    const auto stories = loader_->stories();
    for (const auto& step : stories.at(file(name))) words.push_back(step.decision);
    return words;
  }
  void crash(int times) {
    for (int i = 0; i < times; ++i) loader_->crashed(catalog_->findType("tiny")->generation->id, "SIGSEGV in tiny");
  }

  TempFolder folder_;
  core::ManualClock clock_{core::fromMicros(4'000'000'000'000'000)};  // all files are old
  FakeProbe probe_;
  bool strict_ = false;
  std::string spelt_;  ///< the plugin folder, where not as usual
  std::int64_t ended_well_ = 0;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<PluginLoader> loader_;
};

TEST_F(PluginLoaderTest, LoadsAPluginThatIsDroppedIn) {
  drop(tinyPlugin());
  const auto type = catalog_->findType("tiny");
  ASSERT_NE(type, nullptr);
  EXPECT_EQ(type->info.plugin_id, "test.tiny-a");
  EXPECT_THAT(type->info.positional, testing::ElementsAre("n"));
  EXPECT_EQ(*catalog_->validateParams("tiny", "{}"), R"({"n":5})");
  EXPECT_EQ(readBytes(type->generation->private_path), tinyPlugin());
  EXPECT_EQ(fs::status(type->generation->private_path).permissions(), fs::perms(0555));
  EXPECT_NE(fs::path(type->generation->private_path), file());
  EXPECT_THAT(storyOf(), testing::ElementsAre("seen", "accepted"));
}

TEST_F(PluginLoaderTest, LoadsAtOnceAtTheStartWhatLiesThereUnchanged) {
  install(file(), tinyPlugin());
  restart();
  EXPECT_EQ(running(), "1.0.0");
}

TEST_F(PluginLoaderTest, LoadsFromAFolderThatIsNamedWithASlashAtItsEnd) {
  install(file(), tinyPlugin());
  spelt_ = plugins().string() + "/";
  restart();
  EXPECT_EQ(running(), "1.0.0");
}

TEST_F(PluginLoaderTest, StartsBesideAFileWhoseNameIsNoText) {
  install(file(), tinyPlugin());
  install(file("\xff\xfe.so"), tinyPlugin("1.1.0"));
  restart();
  EXPECT_EQ(running(), "1.0.0");
}

TEST_F(PluginLoaderTest, WaitsWhileAFileIsStillBeingCopied) {
  const std::string whole = tinyPlugin();
  for (std::size_t size = 100; size < whole.size(); size += whole.size() / 8) {
    writeBytes(file(), whole.substr(0, size));
    loader_->touched(file());
    clock_.advance(300ms);
    loader_->step();
    EXPECT_EQ(running(), "none");
  }
  EXPECT_EQ(probe_.probes, 0);
  writeBytes(file(), whole);
  loader_->touched(file());
  settle();
  EXPECT_EQ(running(), "1.0.0");
  EXPECT_EQ(probe_.probes, 1);
}

TEST_F(PluginLoaderTest, RefusesACopyThatStalledAndLoadsItOnceItIsWhole) {
  drop(tinyPlugin().substr(0, 4096));
  EXPECT_THAT(rowOf(), HasSubstr("truncated"));
  drop(tinyPlugin());
  EXPECT_EQ(running(), "1.0.0");
  EXPECT_EQ(rowOf(), "");
}

TEST_F(PluginLoaderTest, SwitchesToANewFileAndDeletesTheOldCopyWhenItsLastUserLetsGo) {
  drop(tinyPlugin("1.0.0"));
  GenerationRef held = catalog_->findType("tiny")->generation;  // as a runner's slot does
  drop(tinyPlugin("1.1.0"));
  EXPECT_EQ(running(), "1.1.0");
  clock_.advance(6min);  // no longer something to go back to
  loader_->step();
  EXPECT_TRUE(fs::exists(held->private_path));
  const auto old = held->private_path;
  held.reset();
  EXPECT_FALSE(fs::exists(old));
  EXPECT_EQ(copiesIn(store()).size(), 1u);
}

TEST_F(PluginLoaderTest, LeavesNothingBehindAfterTwoHundredReplacements) {
  for (int i = 0; i < 200; ++i) {
    install(file(), tinyPlugin("1." + std::to_string(i % 10) + ".0", "#" + std::to_string(i)));
    settle();
    const auto type = catalog_->findType("tiny");
    ASSERT_TRUE(type->info.available);
    ASSERT_EQ(readBytes(type->generation->private_path),
              tinyPlugin(type->generation->version, "#" + std::to_string(i)));
    ASSERT_EQ(type->info.generation, type->generation->id);
  }
  EXPECT_EQ(probe_.probes, 200);
  EXPECT_LE(copiesIn(store()).size(), 2u);  // what runs and what to go back to
  clock_.advance(6min);
  loader_->step();
  EXPECT_EQ(copiesIn(store()).size(), 1u);
  EXPECT_EQ(catalog_->plugins().size(), 1u);
}

TEST_F(PluginLoaderTest, GoesOnWithTheLoadedPluginWhenItsFileBecomesText) {
  drop(tinyPlugin());
  drop("this is no shared library\n");
  EXPECT_EQ(running(), "1.0.0");
  EXPECT_EQ(rowOf(), "refused: is not an ELF file; a plugin is a shared library built for Linux");
  EXPECT_THAT(storyOf(), testing::ElementsAre("seen", "accepted", "refused", "kept"));
  restart();
  EXPECT_EQ(running(), "1.0.0");
}

TEST_F(PluginLoaderTest, GoesOnWithTheLoadedPluginWhenItsFileIsTruncated) {
  drop(tinyPlugin());
  drop(tinyPlugin().substr(0, 3000));
  EXPECT_EQ(running(), "1.0.0");
  EXPECT_THAT(rowOf(), HasSubstr("refused: is truncated"));
}

TEST_F(PluginLoaderTest, LetsJobsWaitWithAReasonWhenTheFileIsRemoved) {
  drop(tinyPlugin());
  fs::remove(file());
  settle();
  EXPECT_THAT(running(), HasSubstr("waits: plugin test.tiny-a is out of use: its file was removed"));
  EXPECT_TRUE(catalog_->validateParams("tiny", "{}").ok());
  EXPECT_TRUE(copiesIn(store()).empty());
  drop(tinyPlugin());
  EXPECT_EQ(running(), "1.0.0");
}

TEST_F(PluginLoaderTest, RefusesWhatIsNoPluginFileAndSaysWhy) {
  drop(library("no_manifest"), "none.so");
  EXPECT_THAT(rowOf("none.so"), HasSubstr("without a jobhost manifest"));
  drop("", "empty.so");
  EXPECT_EQ(rowOf("empty.so"), "refused: is empty; copy it again");
  fs::create_symlink(TINY_PLUGIN_DIR "/tiny_plugin.so", file("link.so"));
  settle();
  EXPECT_THAT(rowOf("link.so"), HasSubstr("symbolic link"));
  ASSERT_EQ(::mkfifo(file("pipe.so").c_str(), 0600), 0);
  settle();
  EXPECT_EQ(rowOf("pipe.so"), "refused: is not a regular file; put a file into the folder");
  fs::create_directory(file("folder.so"));
  settle();
  EXPECT_EQ(rowOf("folder.so"), "refused: is not a regular file; put a file into the folder");
  drop("x", "huge.so");
  fs::resize_file(file("huge.so"), 2 << 20);
  settle();
  EXPECT_THAT(rowOf("huge.so"), HasSubstr("at most 1048576 are allowed"));
  EXPECT_EQ(probe_.probes, 0);
}

TEST_F(PluginLoaderTest, TakesTheHigherVersionOfTwoFilesAndComesBackWhenItGoes) {
  drop(tinyPlugin("1.0.0"), "a.so");
  drop(tinyPlugin("1.0.0", "other"), "b.so");
  EXPECT_THAT(rowOf("b.so"), HasSubstr("ignored: second copy of test.tiny-a 1.0.0"));
  drop(tinyPlugin("1.2.0"), "c.so");
  EXPECT_EQ(running(), "1.2.0");
  EXPECT_THAT(rowOf("a.so"), HasSubstr("ignored"));
  fs::remove(file("c.so"));
  settle();
  EXPECT_EQ(running(), "1.0.0");
}

TEST_F(PluginLoaderTest, RefusesATypeThatAnotherPluginHandlesUntilThatOneIsGone) {
  drop(tinyPlugin(), "a.so");
  drop(patched(tinyPlugin(), "test.tiny-a", "test.tiny-b"), "b.so");
  EXPECT_THAT(rowOf("b.so"), HasSubstr("its job type \"tiny\" is handled by test.tiny-a 1.0.0"));
  fs::remove(file("a.so"));
  settle();
  EXPECT_EQ(catalog_->findType("tiny")->info.plugin_id, "test.tiny-b");
}

TEST_F(PluginLoaderTest, FollowsAFileThatBecomesAnotherPlugin) {
  drop(patched(tinyPlugin(), "test.tiny-a", "test.tiny-b"));
  drop(tinyPlugin());  // chosen before the id it replaces, and with the same job type
  EXPECT_EQ(catalog_->findType("tiny")->info.plugin_id, "test.tiny-a");
  EXPECT_EQ(running(), "1.0.0");
}

TEST_F(PluginLoaderTest, RefusesOtherContentOfTheSameVersionWherePolicySaysSo) {
  strict_ = true;
  restart();
  drop(tinyPlugin());
  drop(tinyPlugin("1.0.0", "changed"));
  EXPECT_THAT(rowOf(), HasSubstr("other content; give it a new version"));
  EXPECT_EQ(readBytes(catalog_->findType("tiny")->generation->private_path), tinyPlugin());
}

TEST_F(PluginLoaderTest, QuarantinesAPluginThatCrashesInTheProbeAndRemembersThatOverRestarts) {
  drop(tinyPlugin("1.0.0"));
  probe_.fail("2.0.0", core::ErrorCode::Internal, "crashed in init() (SIGSEGV)");
  drop(tinyPlugin("2.0.0"));
  EXPECT_EQ(running(), "1.0.0");
  EXPECT_EQ(rowOf(), "quarantined: crashed in init() (SIGSEGV)" + kTryAgain);
  const int before = probe_.probes;
  restart();
  EXPECT_EQ(running(), "1.0.0");
  EXPECT_EQ(rowOf(), "quarantined: crashed in init() (SIGSEGV)" + kTryAgain);
  EXPECT_EQ(probe_.probes, before + 1);  // the kept one only
}

TEST_F(PluginLoaderTest, TriesAQuarantinedFileAgainWhenAsked) {
  probe_.fail("1.0.0", core::ErrorCode::DeadlineExceeded, "hung in init()");
  drop(tinyPlugin());
  EXPECT_EQ(running(), "none");
  probe_.heal("1.0.0");
  settle();
  EXPECT_EQ(running(), "none");
  EXPECT_FALSE(loader_->retry("unknown"));
  EXPECT_TRUE(loader_->retry("test.tiny-a"));
  settle();
  EXPECT_EQ(running(), "1.0.0");
}

TEST_F(PluginLoaderTest, RefusesAPluginWhoseLibraryIsMissingWithoutQuarantine) {
  probe_.fail("1.0.0", core::ErrorCode::Unsupported, "library \"libtesseract.so.5\" was not found");
  drop(tinyPlugin());
  EXPECT_EQ(rowOf(), "refused: library \"libtesseract.so.5\" was not found");
  EXPECT_TRUE(copiesIn(store()).empty());
  probe_.heal("1.0.0");
  restart();
  EXPECT_EQ(running(), "1.0.0");
}

TEST_F(PluginLoaderTest, TriesAgainByItselfWhenTheHostCouldNotTry) {
  probe_.fail("1.0.0", core::ErrorCode::Unavailable, "no process could be started");
  drop(tinyPlugin());
  EXPECT_THAT(rowOf(), HasSubstr("will be tried again: no process"));
  probe_.heal("1.0.0");
  clock_.advance(31s);
  loader_->step();
  EXPECT_EQ(running(), "1.0.0");
}

TEST_F(PluginLoaderTest, GoesBackWhenANewGenerationCrashesEarlyAndStaysThereOverRestarts) {
  drop(tinyPlugin("1.0.0"));
  clock_.advance(10min);
  loader_->step();
  drop(tinyPlugin("1.1.0"));
  crash(2);
  EXPECT_EQ(running(), "1.1.0");
  crash(1);
  EXPECT_EQ(running(), "1.0.0");
  EXPECT_THAT(rowOf(), HasSubstr("quarantined: crashed 3 times soon after it was loaded, last: SIGSEGV in tiny"));
  EXPECT_EQ(copiesIn(store()).size(), 1u);
  restart();
  EXPECT_EQ(running(), "1.0.0");
  drop(tinyPlugin("1.2.0"));
  EXPECT_EQ(running(), "1.2.0");
}

TEST_F(PluginLoaderTest, ForgivesCrashesOfAGenerationThatIsNotNewOrMostlyWorks) {
  drop(tinyPlugin("1.0.0"));
  drop(tinyPlugin("1.1.0"));
  ended_well_ = 50;
  crash(10);
  EXPECT_EQ(running(), "1.1.0");
  ended_well_ = 0;
  clock_.advance(6min);
  loader_->step();
  crash(10);
  EXPECT_EQ(running(), "1.1.0");
}

TEST_F(PluginLoaderTest, StaysWithACrashingPluginThatHasNoEarlierVersionAndSaysSo) {
  drop(tinyPlugin());
  crash(5);
  EXPECT_EQ(running(), "1.0.0");
  EXPECT_THAT(catalog_->plugins().at(0).reason, HasSubstr("no earlier version to go back to"));
}

TEST_F(PluginLoaderTest, TakesAGenerationOutOfUseWhenToldTo) {
  drop(tinyPlugin());
  loader_->quarantine(catalog_->findType("tiny")->generation->id, "found leaking");
  EXPECT_THAT(running(), HasSubstr("waits: plugin test.tiny-a is out of use: found leaking"));
  restart();
  EXPECT_EQ(running(), "none");
  EXPECT_EQ(rowOf(), "quarantined: found leaking" + kTryAgain);
}

TEST_F(PluginLoaderTest, ClearsCopiesThatAnEarlierRunLeftBehind) {
  drop(tinyPlugin("1.0.0"));
  drop(tinyPlugin("1.1.0"));
  EXPECT_EQ(copiesIn(store()).size(), 2u);
  restart();
  EXPECT_EQ(running(), "1.1.0");
  EXPECT_EQ(copiesIn(store()).size(), 1u);
}

TEST_F(PluginLoaderTest, StartsWithADamagedLedger) {
  drop(tinyPlugin());
  writeBytes(store() / "ledger.json", "{\"loaded\": [");
  restart();
  EXPECT_EQ(running(), "1.0.0");
  EXPECT_TRUE(fs::exists(store() / "ledger.json.damaged"));
}

TEST_F(PluginLoaderTest, RepairsADamagedPrivateCopyAtTheStart) {
  drop(tinyPlugin());
  const auto copy = catalog_->findType("tiny")->generation->private_path;
  fs::permissions(copy, fs::perms(0644));
  writeBytes(copy, "damaged");
  restart();
  EXPECT_EQ(readBytes(catalog_->findType("tiny")->generation->private_path), tinyPlugin());
}

TEST_F(PluginLoaderTest, SurvivesAClockJump) {
  install(file(), tinyPlugin());
  loader_->rescan();
  clock_.jump(-24h);
  settle();
  EXPECT_EQ(running(), "1.0.0");
  clock_.jump(48h);
  drop(tinyPlugin("1.1.0"));
  EXPECT_EQ(running(), "1.1.0");
}

}  // namespace
}  // namespace jobhost::catalog
