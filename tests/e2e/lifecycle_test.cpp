// Start and stop as an operator meets them.

#include <csignal>
#include <filesystem>
#include <fstream>

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "e2e/host_process.hpp"

namespace jobhost::e2e {
namespace {
namespace fs = std::filesystem;

TEST(Lifecycle, CreatesAnAdminKeyOnlyItsOwnerCanRead) {
  TempFolder folder;
  HostProcess host({.data = folder / "data"});
  ASSERT_TRUE(host.start()) << host.log();
  struct stat info {};
  ASSERT_EQ(stat((folder / "data/keys/admin.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(host.log().find(host.adminKey()), std::string::npos) << "the key is in the log";
  EXPECT_EQ(host.request("GET", "/api/v1/jobs", {}, {{"Authorization", "Bearer wrong"}}).status, 401);
  EXPECT_EQ(host.get("/api/v1/jobs").status, 200);
  EXPECT_EQ(host.get("/healthz").status, 200);
  EXPECT_EQ(host.get("/readyz").status, 200);
  EXPECT_EQ(host.stop(), 0);
}

TEST(Lifecycle, KeepsItsDataFromOtherUsers) {
  const auto modeOf = [](const fs::path& path) {
    struct stat info {};
    return stat(path.c_str(), &info) == 0 ? info.st_mode & 0777 : 0U;
  };
  TempFolder folder;
  HostProcess host({.data = folder / "data"});
  ASSERT_TRUE(host.start()) << host.log();
  EXPECT_EQ(modeOf(folder / "data"), 0700U);
  for (const char* name : {"data/jobhost.db", "data/jobhost.db-wal", "data/jobhost.db-shm"}) {
    EXPECT_EQ(modeOf(folder / name), 0600U) << name;
  }
  EXPECT_EQ(host.stop(), 0);
  fs::permissions(folder / "data", fs::perms(0750));
  ASSERT_TRUE(host.start()) << host.log();
  EXPECT_EQ(modeOf(folder / "data"), 0750U) << "what an operator set is left alone";
  EXPECT_EQ(host.stop(), 0);
}

TEST(Lifecycle, KeepsKeyAndJobsOverARestart) {
  TempFolder folder;
  HostProcess host({.data = folder / "data"});
  ASSERT_TRUE(host.start()) << host.log();
  const auto key = host.adminKey();
  const auto id = host.submit("echo", R"({"text":"kept"})");
  ASSERT_TRUE(id);
  ASSERT_TRUE(host.waitForEnd(*id));
  ASSERT_EQ(host.stop(), 0);
  ASSERT_TRUE(host.start()) << host.log();
  EXPECT_EQ(host.adminKey(), key);
  EXPECT_EQ(text(host.job(*id), "state"), "succeeded");
  EXPECT_EQ(host.stop(), 0);
}

TEST(Lifecycle, LetsARunningAttemptFinishOnSigterm) {
  TempFolder folder;
  HostProcess host({.data = folder / "data"});
  ASSERT_TRUE(host.start()) << host.log();
  const auto id = host.submit("sleep", R"({"ms":1000,"steps":20})");
  ASSERT_TRUE(id);
  ASSERT_TRUE(host.waitForEvent(*id, "started"));
  EXPECT_EQ(host.stop(), 0);
  ASSERT_TRUE(host.start()) << host.log();
  const auto job = host.job(*id);
  EXPECT_EQ(text(job, "state"), "succeeded");
  EXPECT_EQ(text(job, "attempt"), "1");
  EXPECT_EQ(host.stop(), 0);
}

TEST(Lifecycle, RequeuesWhatDoesNotFinishInTheDrainTime) {
  TempFolder folder;
  HostProcess host({.data = folder / "data", .set = {"shutdown.drain_ms=200"}});
  ASSERT_TRUE(host.start()) << host.log();
  const auto id = host.submit("sleep", R"({"ms":600000,"steps":60000})");
  ASSERT_TRUE(id);
  ASSERT_TRUE(host.waitForEvent(*id, "started"));
  EXPECT_EQ(host.stop(), 0);
  EXPECT_TRUE(host.otherProcesses().empty());
  ASSERT_TRUE(host.start()) << host.log();
  // It is taken again, and the attempt that the stop cut short does not count.
  ASSERT_TRUE(HostProcess::eventually([&] { return text(host.job(*id), "state") == "running"; }));
  EXPECT_EQ(text(host.job(*id), "attempt"), "1");
  EXPECT_EQ(host.post("/api/v1/jobs/" + std::to_string(*id) + "/cancel").status / 100, 2);
  EXPECT_EQ(text(host.waitForEnd(*id), "state"), "canceled");
  EXPECT_EQ(host.stop(), 0);
}

TEST(Lifecycle, APluginHasTheRunnerOfAnotherOnceThatHasNothingToDo) {
  TempFolder folder;
  const fs::path plugins = JOBHOST_TEST_PLUGIN_DIR;
  HostProcess host({.data = folder / "data",
                    .plugins = {plugins, plugins / "process"},
                    .set = {"runner.max_total=1", "runner.max_per_plugin=1", "runner.idle_ms=3600000"}});
  ASSERT_TRUE(host.start()) << host.log();
  const auto busy = host.submit("sleep", R"({"ms":60000,"steps":600})");
  ASSERT_TRUE(busy && host.waitForEvent(*busy, "started"));
  const auto waits = host.submit("program", R"({"argv":["none"]})", R"(,"max_attempts":1)");
  ASSERT_TRUE(waits);
  ASSERT_EQ(host.post("/api/v1/jobs/" + std::to_string(*busy) + "/cancel").status, 202);
  EXPECT_TRUE(host.waitForEnd(*waits)) << "it waits for a runner that does nothing";
  EXPECT_EQ(host.stop(), 0);
}

TEST(Lifecycle, RefusesASecondHostOnTheSameData) {
  TempFolder folder;
  HostProcess first({.data = folder / "data"});
  ASSERT_TRUE(first.start()) << first.log();
  HostProcess second({.data = folder / "data"});
  EXPECT_FALSE(second.start());
  EXPECT_NE(second.log().find("another jobhost"), std::string::npos) << second.log();
  EXPECT_EQ(first.get("/readyz").status, 200);
  EXPECT_EQ(first.stop(), 0);
}

TEST(Lifecycle, StopsTheStartOnABadSettingAndNamesIt) {
  TempFolder folder;
  HostProcess unknown({.data = folder / "data", .set = {"store.synchronus=full"}});
  EXPECT_FALSE(unknown.start());
  EXPECT_NE(unknown.log().find("store.synchronus"), std::string::npos) << unknown.log();
  EXPECT_NE(unknown.log().find("store.synchronous"), std::string::npos) << "names the key that was meant\n"
                                                                        << unknown.log();
}

TEST(Lifecycle, RefusesSubmitsWhenTheDiskIsFullAndRecovers) {
  TempFolder folder;
  const auto data = folder / "full";
  fs::create_directories(data);
  // A small file system of its own, in a mount namespace that ends with the host.
  const std::string script = "mount -t tmpfs -o size=12m none '" + data.string() + "' && exec \"$@\"";
  HostProcess host({.data = data, .wrapper = {"unshare", "-Urm", "sh", "-c", script, "sh"}});
  ASSERT_TRUE(host.start()) << host.log();
  const fs::path inside = "/proc/" + std::to_string(host.pid()) + "/root" + data.string();
  std::ifstream key_file(inside / "keys/admin.key");
  std::string key;
  key_file >> key;
  ASSERT_FALSE(key.empty());
  const std::map<std::string, std::string> with_key{{"Authorization", "Bearer " + key}};
  const auto submit = [&] { return host.request("POST", "/api/v1/jobs", R"({"type":"noop","params":{}})", with_key); };
  ASSERT_EQ(submit().status, 201);
  {
    std::ofstream filler(inside / "filler", std::ios::binary);
    const std::string block(1 << 16, 'x');
    while (filler.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  // What the journal had room for is still taken; then it is refused, and nothing is acknowledged that is not stored.
  int status = 201;
  for (int i = 0; i < 5000 && status == 201; ++i) status = submit().status;
  EXPECT_EQ(status, 503);
  EXPECT_EQ(host.request("GET", "/api/v1/jobs?limit=1", {}, with_key).status, 200);
  fs::remove(inside / "filler");
  EXPECT_TRUE(HostProcess::eventually([&] { return submit().status == 201; }));
  EXPECT_EQ(host.stop(), 0);
}

}  // namespace
}  // namespace jobhost::e2e
