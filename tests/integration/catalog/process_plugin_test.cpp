// Plugins of kind "process": a manifest that is a file, the program and the files it names, through the loader.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>

#include "catalog/plugin_loader.hpp"
#include "integration/catalog/plugin_files.hpp"

namespace jobhost::catalog {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kHead[] = R"({"manifest":1,"id":"test.word-stats","version":"1.0.0",)";
constexpr char kTail[] = R"("job_types":[{"name":"words"}]})";

class ProcessPlugin : public testing::Test {
 protected:
  ProcessPlugin() {
    fs::create_directories(plugins());
    restart();
  }
  [[nodiscard]] fs::path plugins() const { return folder_.path() / "plugins"; }
  [[nodiscard]] fs::path store() const { return folder_.path() / "store"; }
  [[nodiscard]] fs::path manifestFile() const { return plugins() / "words.plugin.json"; }
  [[nodiscard]] fs::path program() const { return plugins() / "words.py"; }

  void restart() {
    loader_.reset();
    catalog_ = std::make_unique<Catalog>();
    LoaderOptions options;
    options.folders = {plugins()};
    options.store = store();
    options.max_file_bytes = 1 << 20;
    loader_ = std::make_unique<PluginLoader>(options, *catalog_, probe_, clock_);
    loader_->start();
  }
  void wait() {
    for (int i = 0; i < 6; ++i) {
      clock_.advance(300ms);
      loader_->step();
    }
  }
  void settle() {
    loader_->rescan();
    wait();
  }
  void putProgram(const std::string& text) {
    install(program(), text);
    ::chmod(program().c_str(), 0755);
  }
  void putManifest(const std::string& members = R"("kind":"process","command":["./words.py","-v"],"files":["help.py"],)") {
    install(manifestFile(), kHead + members + kTail);
  }
  void putAll() {
    putProgram("#!one\n");
    install(plugins() / "help.py", "help\n");
    putManifest();
  }
  [[nodiscard]] GenerationRef running() const {
    const auto found = catalog_->findType("words");
    return found && found->info.available ? found->generation : nullptr;
  }
  [[nodiscard]] std::string runs() const {
    const auto generation = running();
    return generation ? readBytes(commandOf(*generation).at(0)) : "nothing";
  }
  [[nodiscard]] std::string reason() const {
    for (const auto& row : catalog_->plugins()) {
      if (row.path == manifestFile() && row.state == GenerationState::Refused) return row.reason;
    }
    return {};
  }
  [[nodiscard]] std::size_t copies() const {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(store())) count += entry.path().extension() == ".py";
    return count;
  }
  static fs::perms mode(const fs::path& path) { return fs::status(path).permissions(); }

  TempFolder folder_;
  core::ManualClock clock_{core::fromMicros(4'000'000'000'000'000)};  // all files are old
  FakeProbe probe_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<PluginLoader> loader_;
};

TEST_F(ProcessPlugin, RunsFromPrivateCopiesOfAllItsFiles) {
  putAll();
  settle();
  const auto generation = running();
  ASSERT_TRUE(generation) << reason();
  const auto command = commandOf(*generation);
  const fs::path home = generation->private_path.parent_path();
  EXPECT_THAT(command, ElementsAre((home / "words.py").string(), "-v"));
  EXPECT_EQ(home.parent_path(), store() / "test.word-stats");
  EXPECT_EQ(generation->private_path.filename(), "test.word-stats.plugin.json");
  EXPECT_EQ(generation->original_path, manifestFile());
  EXPECT_EQ(readBytes(home / "help.py"), "help\n");
  EXPECT_EQ(mode(home / "words.py"), fs::perms(0555));
  EXPECT_EQ(mode(home / "help.py"), fs::perms(0444));
  EXPECT_EQ(mode(generation->private_path), fs::perms(0444));
}

TEST_F(ProcessPlugin, IsReplacedWhenOnlyItsProgramOrAnotherOfItsFilesChanges) {
  putAll();
  settle();
  for (int i = 0; i < 20; ++i) {
    const auto before = running();
    ASSERT_TRUE(before) << reason();
    const std::string text = "#!turn " + std::to_string(i) + "\n";
    const fs::path changed = i % 2 == 0 ? program() : plugins() / "help.py";
    install(changed, text);
    ::chmod(changed.c_str(), 0755);
    loader_->touched(changed);  // what inotify tells: the manifest itself did not change
    wait();
    ASSERT_NE(running(), before) << i;
    EXPECT_NE(running()->sha256, before->sha256);
    EXPECT_EQ(readBytes(running()->private_path.parent_path() / changed.filename()), text);
  }
  clock_.advance(6min);
  loader_->step();
  EXPECT_EQ(copies(), 2U) << "of one generation: its program and its file";
}

TEST_F(ProcessPlugin, WaitsForItsProgramAndIsLoadedOnceThatIsThere) {
  putManifest(R"("kind":"process","command":["./words.py"],)");
  settle();
  EXPECT_EQ(reason(), "its program \"words.py\" is not in " + plugins().string() + "; put it there");
  putProgram("#!late\n");
  loader_->touched(program());
  wait();
  EXPECT_EQ(runs(), "#!late\n") << reason();
}

TEST_F(ProcessPlugin, GoesOnFromItsCopyWhenItsProgramIsTakenAway) {
  putAll();
  settle();
  fs::remove(program());
  loader_->touched(program());
  wait();
  EXPECT_THAT(reason(), HasSubstr("its program \"words.py\" is not in"));
  EXPECT_EQ(runs(), "#!one\n");
  restart();
  EXPECT_EQ(runs(), "#!one\n") << "and after a restart";
  putProgram("#!two\n");
  settle();
  EXPECT_EQ(runs(), "#!two\n") << reason();
  fs::remove(manifestFile());
  settle();
  EXPECT_EQ(runs(), "nothing");
}

TEST_F(ProcessPlugin, MakesADamagedCopyAnew) {
  putAll();
  settle();
  const fs::path copy = commandOf(*running()).at(0);
  ::chmod(copy.c_str(), 0755);
  writeBytes(copy, "#!evil\n");
  restart();
  EXPECT_EQ(runs(), "#!one\n");
}

struct Wrong {
  const char* name;
  std::function<void(const fs::path&)> make;
  std::string reason;
};
void PrintTo(const Wrong& wrong, std::ostream* out) {
  *out << wrong.name;
}

class WrongProcessPlugin : public ProcessPlugin, public testing::WithParamInterface<Wrong> {};

TEST_P(WrongProcessPlugin, IsRefusedWithAReasonThatNamesIt) {
  putAll();
  GetParam().make(plugins());
  settle();
  EXPECT_EQ(runs(), "nothing");
  EXPECT_THAT(reason(), testing::StartsWith(GetParam().reason));
  EXPECT_EQ(probe_.probes, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Each, WrongProcessPlugin,
    testing::Values(
        Wrong{"NotExecutable", [](const fs::path& in) { ::chmod((in / "words.py").c_str(), 0644); },
              "its program \"words.py\" is not executable; chmod +x it"},
        Wrong{"FileMissing", [](const fs::path& in) { fs::remove(in / "help.py"); }, "its file \"help.py\" is not in "},
        Wrong{"SymbolicLink",
              [](const fs::path& in) {
                fs::rename(in / "words.py", in / "real.py");
                fs::create_symlink("real.py", in / "words.py");
              },
              "its program \"words.py\" is a symbolic link; put the file itself into the folder"},
        Wrong{"Folder",
              [](const fs::path& in) {
                fs::remove(in / "words.py");
                fs::create_directory(in / "words.py");
              },
              "its program \"words.py\" is not a regular file"},
        Wrong{"TooLarge", [](const fs::path& in) { fs::resize_file(in / "help.py", 2 << 20); },
              "its file \"help.py\" has 2097152 bytes; at most 1048576 are allowed"},
        Wrong{"OutsideTheFolder",
              [](const fs::path& in) {
                install(in / "words.plugin.json",
                        std::string(kHead) + R"("kind":"process","command":["../../bin/sh"],)" + kTail);
              },
              "has a wrong manifest: /command/0: must be the name of a file in the manifest's own folder"},
        Wrong{"NoProcess",
              [](const fs::path& in) {
                install(in / "words.plugin.json", std::string(kHead) + R"("abi":{"major":1},)" + kTail);
              },
              "has a wrong manifest: /kind: must be \"process\" in a manifest that is a file of its own"},
        Wrong{"NoJson", [](const fs::path& in) { install(in / "words.plugin.json", "#!/bin/sh\n"); },
              "has a manifest that cannot be read: "},
        Wrong{"HugeManifest",
              [](const fs::path& in) { fs::resize_file(in / "words.plugin.json", (256 << 10) + 1); },
              "has 262145 bytes; at most 262144 are allowed"}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace jobhost::catalog
