// The message catalogue: what an operator reads of a plugin file that does not run. Each says which file, why, and what to
// do, in the log, in `plugin why` and in GET /api/v1/plugins; and the host goes on.
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include <elf.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/host_process.hpp"

namespace jobhost::e2e {
namespace {
namespace fs = std::filesystem;
using testing::HasSubstr;

std::string readBytes(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
std::string testkit() {
  return readBytes(fs::path(JOBHOST_TEST_PLUGIN_DIR) / "testkit.so");
}
std::string c99() {
  return readBytes(fs::path(JOBHOST_SOURCE_DIR) / "tests/abi/fixtures/1.0/c99.so");
}
/// Bytes with one text changed for another of the same length.
std::string changed(std::string bytes, const std::string& from, const std::string& to) {
  const auto at = bytes.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  EXPECT_EQ(from.size(), to.size());
  if (at != std::string::npos) bytes.replace(at, from.size(), to);
  return bytes;
}

struct Case {
  const char* name;
  std::function<std::string()> bytes;
  std::string reason;  ///< whole
  std::vector<std::string> set;
};

void PrintTo(const Case& row, std::ostream* out) {
  *out << row.name;
}

class Message : public testing::TestWithParam<Case> {};

TEST_P(Message, NamesTheFileTheReasonAndTheWayOut) {
  TempFolder folder;
  const fs::path plugins = folder / "plugins";
  fs::create_directories(plugins);
  fs::copy_file(fs::path(JOBHOST_TEST_PLUGIN_DIR) / "testkit.so", plugins / "a-testkit.so");
  const fs::path file = plugins / "broken.so";
  std::ofstream(file, std::ios::binary) << GetParam().bytes();
  auto set = GetParam().set;
  set.emplace_back("plugins.settle_ms=0");
  HostProcess host({.data = folder / "data", .plugins = {plugins}, .set = set});
  ASSERT_TRUE(host.start()) << host.log();

  std::string reason;
  EXPECT_TRUE(HostProcess::eventually([&] {
    const auto answer = host.get("/api/v1/plugins").json();
    const auto rows = answer ? answer->getArray("plugins") : nullptr;
    for (std::size_t i = 0; rows && i < rows->size(); ++i) {
      const auto row = rows->getObject(static_cast<unsigned>(i));
      if (text(row, "file") == "broken.so") reason = text(row, "reason");
    }
    return !reason.empty() && reason.find("waiting") == std::string::npos;
  }));
  EXPECT_THAT(reason, testing::MatchesRegex(GetParam().reason));
  const auto why = host.get("/api/v1/plugins/broken.so").json();
  ASSERT_TRUE(why);
  const auto steps = why->getArray("why");
  ASSERT_TRUE(steps && steps->size() > 0);
  EXPECT_THAT(text(steps->getObject(static_cast<unsigned>(steps->size() - 1)), "reason"), HasSubstr(reason));
  EXPECT_THAT(host.log(), HasSubstr(file.string()));
  EXPECT_THAT(host.log(), HasSubstr(reason));

  if (GetParam().set.empty()) {
    const auto id = host.submit("noop");
    ASSERT_TRUE(id) << "the host and the other plugin go on";
    EXPECT_EQ(text(host.waitForEnd(*id), "state"), "succeeded");
  }
  EXPECT_EQ(host.stop(), 0);
}

const Case kCases[] = {
    {"NewerAbi", [] { return changed(c99(), "\"min_minor\": 0", "\"min_minor\": 7"); },
     "needs plugin ABI 1.7 or newer, this jobhost .* offers ABI 1.0–1.1. Install a newer jobhost or an older version of the "
     "plugin.",
     {}},
    {"NewerMajor", [] { return changed(c99(), "\"major\": 1", "\"major\": 2"); },
     "needs plugin ABI 2.0 or newer, this jobhost .* offers ABI 1.0–1.1. Install a newer jobhost or an older version of the "
     "plugin.",
     {}},
    {"UnknownExtension", [] { return changed(c99(), "jobhost.output/1", "jobhost.telepa/1"); },
     "requires the host extension \"jobhost.telepa/1\", which this jobhost .* does not offer. Install a newer jobhost or "
     "an older version of the plugin.",
     {}},
    {"MissingLibrary", [] { return readBytes(NEEDS_ABSENT); },
     "library \"libabsent_thing.so.7\", which it needs, was not found. Searched: <bundle>/lib, ld.so cache. On Debian: "
     "probably package libabsent-thing7.",
     {}},
    {"NoManifest", [] { return changed(c99(), "JobHost", "Nothing"); },
     "is a shared library without a jobhost manifest .no note \"JobHost\".; build it with JOBHOST_MANIFEST or .*",
     {}},
    {"BrokenManifest", [] { return changed(c99(), "{\"manifest\"", "[\"manifest\""); }, "has a manifest that cannot be read: the JSON text .*", {}},
    {"NoElf", [] { return std::string("#!/bin/sh\necho hello\n"); },
     "is not an ELF file; a plugin is a shared library built for Linux",
     {}},
    {"Truncated", [] { return c99().substr(0, c99().size() / 2); }, "is truncated: .*; copy it again", {}},
    {"DamagedHeader",
     [] {
       auto bytes = c99();
       bytes[EI_VERSION] = 9;
       return bytes;
     },
     "is damaged: unknown ELF version; copy it again",
     {}},
    {"WrongArchitecture",
     [] {
       auto bytes = c99();
       bytes[offsetof(Elf64_Ehdr, e_machine)] = static_cast<char>(EM_S390);
       return bytes;
     },
     "is built for s390; this host is .*; build it for this machine",
     {}},
    {"WindowsLibrary", [] { return std::string("MZ") + std::string(510, '\0'); },
     "is a Windows program or DLL; this host loads ELF libraries; build it for Linux",
     {}},
    {"TypeTaken", [] { return changed(testkit(), "org.jobhost.testkit", "org.jobhost.testkiz"); },  // chosen after it
     "its job type \".*\" is handled by org.jobhost.testkit 1.0.0 already; give one of the two another name",
     {}},
    {"SecondCopy", [] { return testkit(); },
     "ignored: second copy of org.jobhost.testkit 1.0.0; 1.0.0 is loaded from .*/a-testkit.so .sha256 [0-9a-f]*…?.*",
     {}},
    {"PermissionNotGranted",
     [] {
       return changed(testkit(), "org.jobhost.testkit", "org.jobhost.testkid");
     },
     "asks for permissions that are not granted: secrets: TOKEN; children: .*; grant them with: jobhost plugin grant "
     "org.jobhost.testkid",
     {"plugins.permissions=ask"}},
    {"NotSigned", [] { return c99(); },
     "is not signed, and plugins.unsigned=deny; put its minisign signature beside it as broken.so.minisig",
     {"plugins.unsigned=deny"}},
};

INSTANTIATE_TEST_SUITE_P(All, Message, testing::ValuesIn(kCases), [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace jobhost::e2e
