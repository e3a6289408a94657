// A plugin file's whole life under a running host: added, replaced under load, copied slowly, truncated, replaced by a
// text file, removed. No job is lost, no attempt runs on the wrong generation, nothing leaks.

#include <cstdlib>
#include <fstream>
#include <set>
#include <stop_token>
#include <thread>

#include <unistd.h>

#include <gtest/gtest.h>

#include "e2e/host_process.hpp"

namespace jobhost::e2e {
namespace {
namespace fs = std::filesystem;

std::string testkitBytes() {
  for (const auto& entry : fs::directory_iterator(JOBHOST_TEST_PLUGIN_DIR)) {
    if (entry.path().filename().string().find("testkit") == std::string::npos) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  return {};
}

class PluginFolder : public testing::Test {
 protected:
  void SetUp() override {
    bytes_ = testkitBytes();
    ASSERT_FALSE(bytes_.empty());
    fs::create_directories(plugins_);
    ASSERT_TRUE(host_.start()) << host_.log();
  }
  void TearDown() override {
    EXPECT_EQ(host_.stop(), 0);
    EXPECT_TRUE(HostProcess::eventually([&] { return host_.otherProcesses().empty(); }));
  }

  // The loader ignores bytes behind the last segment, so these make another file of the same plugin.
  [[nodiscard]] std::string build(int number) const { return bytes_ + "\nbuild " + std::to_string(number) + "\n"; }

  void install(const std::string& bytes) {
    const auto temporary = plugins_ / ".incoming";
    std::ofstream(temporary, std::ios::binary) << bytes;
    fs::rename(temporary, plugins_ / "testkit.so");
  }
  void remove() { fs::remove(plugins_ / "testkit.so"); }

  [[nodiscard]] bool offers(const std::string& type) const {
    const auto answer = host_.get("/api/v1/job-types/" + type);
    const auto object = answer.json();
    return answer.status == 200 && object && object->optValue("available", false);
  }
  // Of the plugin in use; 0 when there is none.
  [[nodiscard]] std::int64_t generation() const {
    const auto answer = host_.get("/api/v1/plugins").json();
    const auto plugins = answer ? answer->getArray("plugins") : nullptr;
    return plugins && plugins->size() > 0 ? plugins->getObject(0)->optValue<std::int64_t>("generation", 0) : 0;
  }
  // What the host says of the plugin in use and of every file that wanted to take its place.
  [[nodiscard]] std::string why() const {
    return host_.get("/api/v1/plugins").body + host_.get("/api/v1/plugins/org.jobhost.testkit").body;
  }
  [[nodiscard]] std::set<std::string> privateCopies() const {
    std::set<std::string> found;
    std::error_code absent;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / "data/plugins/.store", absent)) {
      if (entry.is_regular_file() && entry.path().extension() == ".so") found.insert(entry.path().string());
    }
    return found;
  }

  TempFolder folder_;
  fs::path plugins_ = folder_ / "plugins";
  std::string bytes_;
  HostProcess host_{{.data = folder_ / "data", .plugins = {folder_ / "plugins"}, .set = {"plugins.settle_ms=20"}}};
};

TEST_F(PluginFolder, TakesAPluginThatIsDroppedInWhileRunning) {
  EXPECT_FALSE(offers("noop"));
  EXPECT_EQ(host_.post("/api/v1/jobs", R"({"type":"noop","params":{}})").status, 422);
  install(build(1));
  ASSERT_TRUE(HostProcess::eventually([&] { return offers("noop"); })) << why() << host_.log();
  EXPECT_EQ(text(host_.waitForEnd(*host_.submit("noop")), "state"), "succeeded");
}

TEST_F(PluginFolder, LosesNoJobWhileThePluginIsReplacedUnderLoad) {
  install(build(0));
  ASSERT_TRUE(HostProcess::eventually([&] { return offers("echo"); })) << why();
  std::vector<std::int64_t> ids;
  std::jthread client([&](const std::stop_token& stop) {
    for (int i = 0; !stop.stop_requested(); ++i) {
      const auto id = i % 4 == 0 ? host_.submit("sleep", R"({"ms":20,"steps":2})") : host_.submit("noop");
      if (id) ids.push_back(*id);
    }
  });
  const int replacements = 200;
  for (int number = 1; number <= replacements; ++number) {
    const auto before = generation();
    install(build(number));
    ASSERT_TRUE(HostProcess::eventually([&] { return generation() > before; })) << "replacement " << number << "\n"
                                                                                << why();
  }
  client.request_stop();
  client.join();
  ASSERT_FALSE(ids.empty());
  for (const auto id : ids) {
    const auto job = host_.waitForEnd(id);
    ASSERT_TRUE(job) << id;
    EXPECT_EQ(text(job, "state"), "succeeded") << id << " " << host_.get("/api/v1/jobs/" + std::to_string(id)).body;
  }
  // The copies of all generations but the current one go once their last runner has.
  EXPECT_TRUE(HostProcess::eventually([&] { return privateCopies().size() <= 2; }))
      << privateCopies().size() << " copies left";
  EXPECT_LT(host_.otherProcesses().size(), 12U);
  std::printf("%d replacements, %zu jobs\n", replacements, ids.size());
}

TEST_F(PluginFolder, DoesNotLoadAFileThatIsStillBeingCopied) {
  const auto whole = build(1);
  {
    std::ofstream out(plugins_ / "testkit.so", std::ios::binary);
    for (std::size_t at = 0; at < whole.size(); at += whole.size() / 40 + 1) {
      out.write(whole.data() + at, static_cast<std::streamsize>(std::min(whole.size() / 40 + 1, whole.size() - at)));
      out.flush();
      EXPECT_FALSE(offers("noop"));
    }
  }
  EXPECT_TRUE(HostProcess::eventually([&] { return offers("noop"); })) << why();
  EXPECT_EQ(text(host_.waitForEnd(*host_.submit("noop")), "state"), "succeeded");
}

TEST_F(PluginFolder, KeepsTheOldGenerationWhenTheFileIsTruncatedOrReplacedByText) {
  install(build(1));
  ASSERT_TRUE(HostProcess::eventually([&] { return offers("noop"); })) << why();
  install(bytes_.substr(0, bytes_.size() / 3));
  ASSERT_TRUE(HostProcess::eventually([&] {
    return why().find("truncated") != std::string::npos || why().find("refused") != std::string::npos;
  })) << why();
  EXPECT_TRUE(offers("noop"));
  EXPECT_EQ(text(host_.waitForEnd(*host_.submit("noop")), "state"), "succeeded");
  install("this is a text file\n");
  ASSERT_TRUE(HostProcess::eventually([&] { return why().find("not an ELF") != std::string::npos; })) << why();
  EXPECT_EQ(text(host_.waitForEnd(*host_.submit("noop")), "state"), "succeeded");
  // A good file in its place is taken again.
  install(build(2));
  const auto before = generation();
  EXPECT_TRUE(HostProcess::eventually([&] { return generation() > before && offers("noop"); })) << why();
}

TEST_F(PluginFolder, DisablesItsTypesWhenRemovedAndRunsWaitingJobsWhenBack) {
  install(build(1));
  ASSERT_TRUE(HostProcess::eventually([&] { return offers("noop"); })) << why();
  const auto delayed = host_.submit("echo", R"({"text":"later"})", R"(,"delay_ms":1500)");
  ASSERT_TRUE(delayed);
  remove();
  ASSERT_TRUE(HostProcess::eventually([&] { return !offers("noop"); })) << why();
  EXPECT_EQ(text(host_.job(*delayed), "state"), "queued");
  install(build(2));
  ASSERT_TRUE(HostProcess::eventually([&] { return offers("noop"); })) << why();
  const auto ended = host_.waitForEnd(*delayed);
  ASSERT_TRUE(ended);
  EXPECT_EQ(text(ended, "state"), "succeeded");
}

TEST(PluginTrust, APluginThatAsksForPermissionsWaitsForTheOperatorsGrant) {
  TempFolder folder;
  HostProcess host({.data = folder / "data", .set = {"plugins.permissions=ask", "plugins.settle_ms=0"}});
  ASSERT_TRUE(host.start()) << host.log();
  const auto why = [&] { return host.get("/api/v1/plugins/org.jobhost.testkit").body; };
  EXPECT_TRUE(HostProcess::eventually([&] { return why().find("not granted") != std::string::npos; })) << why();
  EXPECT_NE(why().find("secrets: TOKEN; children: noop"), std::string::npos) << why();
  EXPECT_EQ(host.get("/api/v1/job-types/noop").status, 404);
  EXPECT_EQ(host.post("/api/v1/plugins/org.jobhost.nobody/grant").status, 404);
  EXPECT_EQ(host.post("/api/v1/plugins/org.jobhost.testkit/grant").status, 202);
  EXPECT_TRUE(HostProcess::eventually([&] { return host.get("/api/v1/job-types/noop").status == 200; })) << why();
  const auto id = host.submit("noop");
  ASSERT_TRUE(id);
  EXPECT_EQ(text(host.waitForEnd(*id), "state"), "succeeded");
  EXPECT_EQ(host.stop(), 0);
  ASSERT_TRUE(host.start()) << host.log();
  EXPECT_EQ(host.get("/api/v1/job-types/noop").status, 200) << "the grant outlives the host";
  EXPECT_EQ(host.stop(), 0);
}

}  // namespace
}  // namespace jobhost::e2e
