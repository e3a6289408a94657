#include "catalog/plugin_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <thread>

#include "core/sanitized.hpp"
#include "integration/catalog/plugin_files.hpp"

namespace jobhost::catalog {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class PluginFolderTest : public testing::Test {
 protected:
  PluginFolderTest() {
    fs::create_directories(plugins());
    listener_ = catalog_.addListener([this](const auto&) {
      std::lock_guard lock(mutex_);
      changed_.notify_all();
    });
    PluginFolder::Options options;
    options.loader.folders = {plugins()};
    options.loader.store = folder_.path() / "store";
    options.loader.settle = 5ms;
    part_ = std::make_unique<PluginFolder>(options, catalog_, probe_, clock_);
    part_->start();
  }
  ~PluginFolderTest() override {
    part_.reset();
    catalog_.removeListener(listener_);
  }

  [[nodiscard]] fs::path plugins() const { return folder_.path() / "plugins"; }
  [[nodiscard]] fs::path file() const { return plugins() / "tiny.so"; }

  /// Waits until the catalog says so; false after a minute.
  template <class F>
  bool eventually(F&& holds) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, core::kSanitized ? 300s : 60s, holds);
  }
  [[nodiscard]] std::string running() const {
    const auto found = catalog_.findType("tiny");
    return !found ? "none" : found->info.available ? found->generation->version : "waits";
  }
  bool comesToRun(const std::string& wanted) {
    return eventually([&] { return running() == wanted; });
  }

  TempFolder folder_;
  core::SystemClock clock_;
  FakeProbe probe_;
  Catalog catalog_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int listener_ = 0;
  std::unique_ptr<PluginFolder> part_;
};

TEST_F(PluginFolderTest, HearsOfFilesThatComeChangeAndGo) {
  install(file(), tinyPlugin("1.0.0"));
  ASSERT_TRUE(comesToRun("1.0.0"));
  writeBytes(file(), tinyPlugin("1.1.0"));  // in place, as cp does
  ASSERT_TRUE(comesToRun("1.1.0"));
  fs::remove(file());
  ASSERT_TRUE(comesToRun("waits"));
  install(file(), tinyPlugin("1.2.0"));
  ASSERT_TRUE(comesToRun("1.2.0"));
}

TEST_F(PluginFolderTest, ServesReadersAllTheWhileAPluginIsReplacedTwoHundredTimes) {
  install(file(), tinyPlugin("1.0.0"));
  ASSERT_TRUE(comesToRun("1.0.0"));
  std::atomic<bool> wrong{false};
  std::vector<std::jthread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        const auto type = catalog_.findType("tiny");  // as a runner's slot: its file stays while it is held
        if (!type->info.available || type->info.generation != type->generation->id ||
            !fs::exists(type->generation->private_path) || !catalog_.validateParams("tiny", "{}").ok()) {
          wrong = true;
        }
      }
    });
  }
  for (int i = 1; i <= 200; ++i) {
    const std::string version = "1." + std::to_string(i % 10) + ".0";
    install(file(), tinyPlugin(version, "#" + std::to_string(i)));
    if (i % 20 == 0) {
      ASSERT_TRUE(comesToRun(version)) << i;
    }
  }
  ASSERT_TRUE(comesToRun("1.0.0"));
  const std::string last = tinyPlugin("1.0.0", "#200");
  ASSERT_TRUE(eventually([&] { return readBytes(catalog_.findType("tiny")->generation->private_path) == last; }));
  for (auto& reader : readers) reader.request_stop();
  readers.clear();
  EXPECT_FALSE(wrong);
  EXPECT_TRUE(probe_.copies_whole);
  EXPECT_LE(copiesIn(folder_.path() / "store").size(), 2u);
}

TEST_F(PluginFolderTest, RollsBackOnReportsThatComeThroughTheCatalog) {
  install(file(), tinyPlugin("1.0.0"));
  ASSERT_TRUE(comesToRun("1.0.0"));
  install(file(), tinyPlugin("1.1.0"));
  ASSERT_TRUE(comesToRun("1.1.0"));
  const auto bad = catalog_.findType("tiny")->generation->id;
  for (int i = 0; i < 3; ++i) catalog_.reportCrash(bad, "SIGSEGV");
  ASSERT_TRUE(comesToRun("1.0.0"));
}

TEST_F(PluginFolderTest, TellsTheStoryOfAFileByPathNameOrPlugin) {
  install(file(), tinyPlugin());
  ASSERT_TRUE(comesToRun("1.0.0"));
  part_->stop();  // what is decided is told now
  for (const std::string& name : {file().string(), std::string("tiny.so"), std::string("test.tiny-a"), std::string()}) {
    const auto stories = part_->why(name);
    ASSERT_EQ(stories.size(), 1u) << name;
    EXPECT_EQ(stories.begin()->second.back().decision, "accepted");
  }
  EXPECT_TRUE(part_->why("other").empty());
}

TEST_F(PluginFolderTest, FindsAFolderThatIsMadeLater) {
  fs::remove_all(plugins());
  fs::create_directories(plugins());
  install(file(), tinyPlugin());
  part_->rescan();
  ASSERT_TRUE(comesToRun("1.0.0"));
}

}  // namespace
}  // namespace jobhost::catalog
