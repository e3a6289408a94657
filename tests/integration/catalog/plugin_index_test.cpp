// The index of plugin files: what did not change is not read again, and nothing runs on its word.
#include "catalog/plugin_index.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "catalog/plugin_loader.hpp"
#include "integration/catalog/plugin_files.hpp"

namespace jobhost::catalog {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// Two files of one plugin: `b.so` is the lower version, so all that is shown of it is what was read of it.
class PluginIndexTest : public testing::Test {
 protected:
  PluginIndexTest() {
    fs::create_directories(plugins());
    install(plugins() / "a.so", tinyPlugin("2.0.0"));
    install(plugins() / "b.so", tinyPlugin("1.0.0"));
    start();
  }
  [[nodiscard]] fs::path plugins() const { return folder_.path() / "plugins"; }
  [[nodiscard]] fs::path file() const { return folder_.path() / "store" / "index.json"; }

  void start() {
    loader_.reset();
    catalog_ = std::make_unique<Catalog>();
    LoaderOptions options;
    options.folders = {plugins()};
    options.store = folder_.path() / "store";
    options.abi = abi_;
    loader_ = std::make_unique<PluginLoader>(options, *catalog_, probe_, clock_);
    loader_->start();
  }
  /// Until nothing changes any more by itself.
  void settle() {
    for (int i = 0; i < 6; ++i) {
      clock_.advance(std::chrono::milliseconds(300));
      loader_->step();
    }
  }
  [[nodiscard]] std::string running() const {
    const auto found = catalog_->findType("tiny");
    return found && found->info.available ? found->generation->version : "none";
  }
  /// What is shown of the file that does not run.
  [[nodiscard]] std::string shownOfB() const {
    for (const auto& row : catalog_->plugins()) {
      if (row.path == plugins() / "b.so") return row.version + " " + row.reason;
    }
    return {};
  }

  TempFolder folder_;
  core::ManualClock clock_{core::fromMicros(4'000'000'000'000'000)};  // all files are old
  FakeProbe probe_;
  HostAbi abi_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<PluginLoader> loader_;
};

TEST_F(PluginIndexTest, AStartShowsAnUnchangedFileAsItWasReadBefore) {
  EXPECT_THAT(shownOfB(), HasSubstr("1.0.0 ignored: second copy"));
  const auto before = catalog_->plugins();
  start();
  const auto after = catalog_->plugins();
  ASSERT_EQ(after.size(), before.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i].sha256, before[i].sha256);
    EXPECT_EQ(after[i].reason, before[i].reason);
    EXPECT_EQ(after[i].job_types, before[i].job_types);
  }
  EXPECT_EQ(running(), "2.0.0");
}

TEST_F(PluginIndexTest, OnlyAFileThatChangedIsReadAgain) {
  forgeIndex(file(), "\"1.0.0\"", "\"1.0.7\"");
  start();
  EXPECT_THAT(shownOfB(), HasSubstr("1.0.7")) << "it was read though nothing changed";
  ::chmod((plugins() / "b.so").c_str(), 0640);  // as any change it moves the inode's time
  start();
  EXPECT_THAT(shownOfB(), HasSubstr("1.0.0"));
}

TEST_F(PluginIndexTest, AFileInThePlaceOfAnotherIsRead) {
  forgeIndex(file(), "\"1.0.0\"", "\"1.0.7\"");
  fs::rename(plugins() / "b.so", plugins() / "c.so");
  install(plugins() / "b.so", tinyPlugin("1.1.0"));
  start();
  EXPECT_THAT(shownOfB(), HasSubstr("1.1.0"));
  EXPECT_THAT(readBytes(file()), HasSubstr("c.so"));
}

TEST_F(PluginIndexTest, FilesThatAreGoneLeaveIt) {
  EXPECT_THAT(readBytes(file()), HasSubstr("b.so"));
  fs::remove(plugins() / "b.so");
  start();
  EXPECT_THAT(readBytes(file()), testing::Not(HasSubstr("b.so")));
}

TEST_F(PluginIndexTest, ADamagedOneIsNoneAndIsMadeAnew) {
  const std::string whole = readBytes(file());
  for (const std::size_t at : {std::size_t{3}, std::size_t{30}, whole.size() / 2, whole.size() - 3}) {
    std::string bytes = whole;
    bytes[at] ^= 1;
    for (const auto& damaged : {bytes, whole.substr(0, at), std::string()}) {
      writeBytes(file(), damaged);
      start();
      EXPECT_THAT(shownOfB(), HasSubstr("1.0.0 ignored"));
      EXPECT_EQ(readBytes(file()), whole);
    }
  }
  fs::resize_file(file(), PluginIndex::kMaxBytes + 1);
  start();
  EXPECT_EQ(readBytes(file()), whole);
}

TEST_F(PluginIndexTest, OneWithWrongMembersIsNone) {
  const std::string whole = readBytes(file());
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"\"id\":", "\"ix\":"}, {"\"version\":\"", "\"version\":[],\"x\":\""}, {"\"parts\":[[", "\"parts\":[["  "[],"},
           {"\"files\":[", "\"files\":[7,"}, {",false]", "]"}, {"\"types\":[", "\"types\":[1,"}, {"{\"host\"", "[{\"host\""}}) {
    forgeIndex(file(), from, to);
    ASSERT_NE(readBytes(file()), whole) << from;
    start();
    EXPECT_THAT(shownOfB(), HasSubstr("1.0.0 ignored")) << from;
    EXPECT_EQ(readBytes(file()), whole) << from;
  }
}

TEST_F(PluginIndexTest, AnotherVersionOfTheHostReadsAllFilesAgain) {
  forgeIndex(file(), "\"1.0.0\"", "\"1.0.7\"");
  abi_.host_version = "9.9.9";
  start();
  EXPECT_THAT(shownOfB(), HasSubstr("1.0.0 ignored"));
}

TEST_F(PluginIndexTest, AFileThatChangedAMomentAgoIsNotKept) {
  clock_.jump(std::chrono::microseconds(core::toMicros(core::SystemClock().now()) - core::toMicros(clock_.now())));
  install(plugins() / "b.so", tinyPlugin("1.1.0"));
  start();
  settle();
  EXPECT_THAT(shownOfB(), HasSubstr("1.1.0 ignored"));
  EXPECT_THAT(readBytes(file()), testing::Not(HasSubstr("1.1.0")));
  clock_.advance(std::chrono::seconds(2));
  start();
  EXPECT_THAT(readBytes(file()), HasSubstr("1.1.0"));
}

TEST_F(PluginIndexTest, AWrongManifestInItDoesNotRunAndTheFileIsReadAgain) {
  forgeIndex(file(), "\"2.0.0\"", "\"2.0.7\"");
  start();
  EXPECT_EQ(running(), "1.0.0");
  settle();
  EXPECT_EQ(running(), "2.0.0");
}

TEST_F(PluginIndexTest, AWrongHashInItDoesNotRunAndTheFileIsReadAgain) {
  forgeIndex(file(), sha256(tinyPlugin("2.0.0")), sha256(tinyPlugin("1.0.0")));
  start();
  settle();
  EXPECT_EQ(running(), "2.0.0");
  EXPECT_EQ(readBytes(catalog_->findType("tiny")->generation->private_path), tinyPlugin("2.0.0"));
}

}  // namespace
}  // namespace jobhost::catalog
