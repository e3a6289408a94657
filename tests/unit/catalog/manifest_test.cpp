#include "catalog/manifest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace jobhost::catalog {
namespace {

using testing::HasSubstr;

std::string manifestWith(const std::string& more, const std::string& type = {}) {
  return R"({"manifest":1,"id":"org.example.x","version":"1.2.3","abi":{"major":1,"min_minor":0},)" + more +
         R"("job_types":[{"name":"x")" + type + "}]}";
}

TEST(Manifest, ReadsWhatAJobTypeSays) {
  const auto manifest = parseManifest(
      manifestWith(R"("permissions":{"net":["*.example.com"],"kv":true},)",
                   R"(,"title":"X","params":{"properties":{"a":{"default":1},"b":{}}},"positional":["b","a"],
                      "limits":{"memory_mb":64,"wall_s":5},"cancel":{"grace_ms":100},"concurrency":2,
                      "retry":{"max_attempts":4,"backoff":{"kind":"exponential","base_ms":10,"jitter":0.5}},
                      "isolation":"fresh","idempotent":true)"),
      {});
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  const JobTypeInfo& type = manifest->types.at(0).info;
  EXPECT_EQ(type.defaults_json, R"({"a":1})");
  EXPECT_THAT(type.positional, testing::ElementsAre("b", "a"));
  EXPECT_EQ(type.limits.memory_bytes, 64 << 20);
  EXPECT_EQ(type.limits.wall, core::Millis(5000));
  EXPECT_EQ(type.cancel_grace, core::Millis(100));
  EXPECT_EQ(type.concurrency, 2);
  EXPECT_EQ(type.retry.max_attempts, 4);
  EXPECT_EQ(type.retry.backoff.kind, core::BackoffKind::Exponential);
  EXPECT_EQ(type.isolation, Isolation::Fresh);
  EXPECT_TRUE(type.permissions.kv);
}

TEST(Manifest, NamesEveryFaultByPointer) {
  const auto manifest = parseManifest(R"({"manifest":1,"id":"NoDots","version":"1.0","job_types":[
      {"name":"a b","positional":["x"],"params":{"properties":{"y":{"type":"z"}}}},{"name":"c"},{"name":"c"}]})",
                                      {});
  ASSERT_FALSE(manifest.ok());
  std::vector<std::string> pointers;
  for (const auto& field : manifest.error().fields) pointers.push_back(field.pointer);
  EXPECT_THAT(pointers, testing::ElementsAre("/id", "/version", "/abi", "/job_types/0/name",
                                             "/job_types/0/params/properties/y/type", "/job_types/2/name"));
}

TEST(Manifest, SaysOfBrokenJsonThatItIsTheManifests) {
  for (const std::string text : {"", "{\"manifest\":1,", "{\"id\":\"a\",\"id\":\"b\"}", "[1,]"}) {
    const auto manifest = parseManifest(text, {});
    ASSERT_FALSE(manifest.ok()) << text;
    EXPECT_EQ(manifest.error().code, core::ErrorCode::InvalidArgument);
    EXPECT_THAT(manifest.error().message, testing::StartsWith("has a manifest that cannot be read: ")) << text;
  }
}

TEST(Manifest, SaysWhatToInstallWhenTheAbiDoesNotFit) {
  auto text = manifestWith("");
  text.replace(text.find("\"min_minor\":0"), 13, "\"min_minor\":7");
  HostAbi host;
  host.host_version = "1.4.2";
  host.minor = 5;
  const auto manifest = parseManifest(text, host);
  ASSERT_FALSE(manifest.ok());
  EXPECT_EQ(manifest.error().code, core::ErrorCode::Unsupported);
  EXPECT_EQ(manifest.error().message,
            "needs plugin ABI 1.7 or newer, this jobhost 1.4.2 offers ABI 1.0–1.5. Install a newer jobhost or an older "
            "version of the plugin.");
}

TEST(Manifest, RefusesAnExtensionTheHostDoesNotHave) {
  HostAbi host;
  host.extensions = {"jobhost.output/1"};
  EXPECT_TRUE(parseManifest(manifestWith(R"("requires":["jobhost.output/1"],)"), host).ok());
  EXPECT_THAT(parseManifest(manifestWith(R"("requires":["jobhost.http/1"],)"), host).error().message,
              HasSubstr("requires the host extension \"jobhost.http/1\""));
}

TEST(Manifest, RefusesNestingDeeperThanThirtyTwo) {
  const std::string deep = std::string(40, '[') + std::string(40, ']');
  EXPECT_EQ(parseManifest(manifestWith("\"build\":" + deep + ","), {}).error().code, core::ErrorCode::TooLarge);
}

TEST(Manifest, OrdersVersionsAsSemverDoes) {
  const char* const rising[] = {"nonsense",     "1.0.0-alpha",   "1.0.0-alpha.1", "1.0.0-alpha.beta",
                                "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",    "1.0.0",
                                "1.2.0",        "1.10.0"};
  for (std::size_t i = 1; i < std::size(rising); ++i) {
    EXPECT_LT(compareVersions(rising[i - 1], rising[i]), 0) << rising[i];
    EXPECT_GT(compareVersions(rising[i], rising[i - 1]), 0) << rising[i];
  }
  EXPECT_EQ(compareVersions("1.0.0+a", "1.0.0+b"), 0);
  for (const char* bad : {"1", "1.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0+", "1.0.0.0", "v1.0.0", "1.0.0-a..b"}) {
    EXPECT_FALSE(isVersion(bad)) << bad;
  }
}

}  // namespace
}  // namespace jobhost::catalog
