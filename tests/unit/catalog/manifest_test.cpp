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

TEST(Manifest, SaysWhatAJobTypeProvidesAndWhoseHelpItWants) {
  const auto manifest = parseManifest(manifestWith(R"("permissions":{"children":["page","provides:metadata"]},)",
                                                   R"(,"provides":["metadata","script"])"),
                                      {});
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  EXPECT_THAT(manifest->types.at(0).info.provides, testing::ElementsAre("metadata", "script"));
  EXPECT_THAT(manifest->permissions.children, testing::ElementsAre("page", "provides:metadata"));
  EXPECT_TRUE(manifest->warnings.empty());
  const auto wrong = parseManifest(manifestWith(R"("permissions":{"children":["provides:","provides:Big","a b","*"]},)",
                                                R"(,"provides":["Meta data","ok","ok"]},{"name":"provides:metadata")"),
                                   {});
  ASSERT_FALSE(wrong.ok());
  std::vector<std::string> pointers;
  for (const auto& field : wrong.error().fields) pointers.push_back(field.pointer);
  EXPECT_THAT(pointers, testing::UnorderedElementsAre("/permissions/children/0", "/permissions/children/1",
                                                      "/permissions/children/2", "/job_types/0/provides/0",
                                                      "/job_types/0/provides/2", "/job_types/1/name"));
}

TEST(Manifest, ReadsCollectionsAndWhoseItWants) {
  const auto manifest =
      parseManifest(manifestWith(R"("records":{"pages":{},"books":{"indexes":["url","series.number"]}},
                      "permissions":{"records":{"read":["org.example.lib/books"],"write":["org.example.lib/*"]}},)"),
                    {});
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  EXPECT_EQ(manifest->records, (std::vector<RecordCollection>{{"books", {"url", "series.number"}}, {"pages", {}}}));
  EXPECT_THAT(manifest->permissions.records_read, testing::ElementsAre("org.example.lib/books"));
  EXPECT_THAT(manifest->permissions.records_write, testing::ElementsAre("org.example.lib/*"));
  EXPECT_TRUE(manifest->warnings.empty());
}

TEST(Manifest, NamesEveryFaultOfRecordsByPointer) {
  const auto faults = [](const std::string& more) {
    const auto manifest = parseManifest(manifestWith(more), {});
    std::vector<std::string> pointers;
    EXPECT_FALSE(manifest.ok()) << more;
    if (!manifest.ok()) {
      for (const auto& field : manifest.error().fields) pointers.push_back(field.pointer);
    }
    return pointers;
  };
  EXPECT_THAT(faults(R"("records":[],)"), testing::ElementsAre("/records"));
  EXPECT_THAT(faults(R"("records":{"Books":{},"b":1,"c":{"indexes":["a..b","a"]},"d":{"indexes":"a"}},)"),
              testing::ElementsAre("/records/Books", "/records/b", "/records/c/indexes/0", "/records/d/indexes"));
  EXPECT_THAT(faults(R"("records":{"b":{"indexes":["a","b","c","d","e","f","g","h","i"]}},)"),
              testing::ElementsAre("/records/b/indexes"));
  EXPECT_THAT(
      faults(R"("permissions":{"records":{"read":["books","org.example.lib/","/x"],"write":[1]}},)"),
      testing::ElementsAre("/permissions/records/read/0", "/permissions/records/read/1", "/permissions/records/read/2",
                           "/permissions/records/write/0", "/permissions/records/write/0"));
  EXPECT_THAT(faults(R"("permissions":{"records":true},)"), testing::ElementsAre("/permissions/records"));
  std::string many = R"("records":{)";
  for (int i = 0; i < 65; ++i) many += (i > 0 ? ",\"c" : "\"c") + std::to_string(i) + "\":{}";
  EXPECT_THAT(faults(many + "},"), testing::ElementsAre("/records"));
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

std::string processWith(const std::string& more) {
  return R"({"manifest":1,"kind":"process","id":"org.example.x","version":"1.2.3",)" + more +
         R"("job_types":[{"name":"x"}]})";
}

TEST(Manifest, OfAProcessNamesAProgramAndFilesAndNeedsNoAbi) {
  const auto manifest = parseManifest(
      processWith(R"("command":["./handler.py","--fast","--fast",""],"files":["./helper.py","data.csv"],)"), {});
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  EXPECT_EQ(manifest->kind, PluginKind::Process);
  EXPECT_THAT(manifest->command, testing::ElementsAre("handler.py", "--fast", "--fast", ""));
  EXPECT_THAT(manifest->files, testing::ElementsAre("helper.py", "data.csv"));
  const auto library = parseManifest(manifestWith(R"("kind":"library",)"), {});
  ASSERT_TRUE(library.ok()) << library.error().message;
  EXPECT_EQ(library->kind, PluginKind::Library);
}

struct WrongProgram {
  const char* name;
  std::string json;
  std::string message;
};
void PrintTo(const WrongProgram& wrong, std::ostream* out) {
  *out << wrong.name;
}

class ManifestProgram : public testing::TestWithParam<WrongProgram> {};

TEST_P(ManifestProgram, IsRefused) {
  const auto manifest = parseManifest(GetParam().json, {});
  ASSERT_FALSE(manifest.ok());
  EXPECT_EQ(manifest.error().message, "has a wrong manifest: " + GetParam().message);
}

const std::string kBeside = "must be the name of a file in the manifest's own folder";
const std::string kProgramBeside = "/command/0: " + kBeside + ", as \"./handler.py\"";

INSTANTIATE_TEST_SUITE_P(
    Wrong, ManifestProgram,
    testing::Values(
        WrongProgram{"UnknownKind", manifestWith(R"("kind":"script",)"), "/kind: must be \"library\" or \"process\""},
        WrongProgram{"KindIsNoText", manifestWith(R"("kind":7,)"), "/kind: must be a string"},
        WrongProgram{"CommandOfALibrary", manifestWith(R"("command":["./a"],)"),
                     "/command: is for plugins of kind \"process\" only"},
        WrongProgram{"FilesOfALibrary", manifestWith(R"("files":["a"],)"),
                     "/files: is for plugins of kind \"process\" only"},
        WrongProgram{"NoCommand", processWith(""), "/command: is required"},
        WrongProgram{"EmptyCommand", processWith(R"("command":[],)"),
                     "/command: must be an array of 1 to 64 strings: the program and its arguments"},
        WrongProgram{"CommandLine", processWith(R"("command":"./a b",)"),
                     "/command: must be an array of 1 to 64 strings: the program and its arguments"},
        WrongProgram{"ArgumentIsNoText", processWith(R"("command":["./a",1],)"),
                     "/command/1: must be a string of at most 4096 bytes without NUL"},
        WrongProgram{"ArgumentWithNul", processWith(R"("command":["./a","b\u0000c"],)"),
                     "/command/1: must be a string of at most 4096 bytes without NUL"},
        WrongProgram{"AbsoluteProgram", processWith(R"("command":["/bin/sh"],)"), kProgramBeside},
        WrongProgram{"ProgramAbove", processWith(R"("command":["../evil.py"],)"), kProgramBeside},
        WrongProgram{"ProgramBelow", processWith(R"("command":["bin/handler.py"],)"), kProgramBeside},
        WrongProgram{"HiddenProgram", processWith(R"("command":[".handler.py"],)"), kProgramBeside},
        WrongProgram{"Folder", processWith(R"("command":["./"],)"), kProgramBeside},
        WrongProgram{"FileAbove", processWith(R"("command":["./a"],"files":["../b"],)"), "/files/0: " + kBeside},
        WrongProgram{"FileIsAPlugin", processWith(R"("command":["./a"],"files":["b.so"],)"), "/files/0: " + kBeside},
        WrongProgram{"ProgramAgain", processWith(R"("command":["./a"],"files":["a"],)"), "/files/0: is there twice"},
        WrongProgram{"FileAgain", processWith(R"("command":["./a"],"files":["b","./b"],)"),
                     "/files/1: is there twice"}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace jobhost::catalog
