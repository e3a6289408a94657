// Plugins built when an ABI version was released, by several compilers and standard libraries, in today's host.
#include <filesystem>
#include <fstream>
#include <iterator>

#include <openssl/evp.h>

#include <gtest/gtest.h>

#include "e2e/host_process.hpp"

namespace jobhost::e2e {
namespace {
namespace fs = std::filesystem;

const fs::path kFixtures = fs::path(JOBHOST_SOURCE_DIR) / "tests/abi/fixtures";

std::string sha256(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  unsigned char hash[32];
  EVP_Digest(bytes.data(), bytes.size(), hash, nullptr, EVP_sha256(), nullptr);
  std::string text;
  for (const auto byte : hash) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", byte);
    text += two;
  }
  return text;
}

TEST(AbiFixtures, AreTheBinariesThatWereReleased) {
  int count = 0;
  for (const auto& version : fs::directory_iterator(kFixtures)) {
    std::ifstream sums(version.path() / "SHA256SUMS");
    std::string sum, name;
    while (sums >> sum >> name) {
      EXPECT_EQ(sha256(version.path() / name), sum) << name << " was built anew: a fixture never is";
      ++count;
    }
  }
  EXPECT_GE(count, 4);
}

class AbiFixture : public testing::TestWithParam<const char*> {};

TEST_P(AbiFixture, OfOneZeroRunsInThisHost) {
  const std::string name = GetParam();
  const std::string type = name == "gcc-libstdcxx"  ? "abi_gcc"
                           : name == "clang-libcxx" ? "abi_clang"
                           : name == "gcc-static"   ? "abi_static"
                                                    : "abi_c99";
  TempFolder folder;
  const fs::path plugins = folder / "plugins";
  fs::create_directories(plugins);
  fs::copy_file(kFixtures / "1.0" / (name + ".so"), plugins / (name + ".so"));
  HostProcess host({.data = folder / "data", .plugins = {plugins}, .set = {"plugins.settle_ms=0"}});
  ASSERT_TRUE(host.start()) << host.log();
  ASSERT_TRUE(HostProcess::eventually([&] { return host.get("/api/v1/job-types/" + type).status == 200; }))
      << host.get("/api/v1/plugins").body;

  const auto id = host.submit(type);
  ASSERT_TRUE(id);
  const auto job = host.waitForEnd(*id);
  ASSERT_EQ(text(job, "state"), "succeeded") << host.get("/api/v1/jobs/" + std::to_string(*id)).body;
  const auto result = job->getObject("result");
  EXPECT_EQ(result->getValue<int>("sum"), 5);
  EXPECT_TRUE(result->getValue<bool>("saved_now"));
  EXPECT_EQ(host.get("/api/v1/jobs/" + std::to_string(*id) + "/outputs/squares.txt").body, "0 0\n1 1\n2 4\n");
  EXPECT_NE(host.get("/api/v1/jobs/" + std::to_string(*id) + "/logs").body.find("kept inside"), std::string::npos);

  const auto failing = host.submit(type, R"({"fail":true,"n":1})");
  ASSERT_TRUE(failing);
  const auto failed = host.waitForEnd(*failing);
  EXPECT_EQ(text(failed, "state"), "failed");
  EXPECT_EQ(text(failed->getObject("error"), "message"), "/fail: was asked for");
  EXPECT_EQ(host.stop(), 0);
}

INSTANTIATE_TEST_SUITE_P(All, AbiFixture, testing::Values("gcc-libstdcxx", "clang-libcxx", "gcc-static", "c99"),
                         [](const auto& row) {
                           std::string name = row.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace jobhost::e2e
