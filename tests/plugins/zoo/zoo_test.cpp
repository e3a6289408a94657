// The checker against plugins that break one rule each, and against those that break none.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "devtools/check.hpp"
#include "telemetry/log.hpp"

namespace jobhost::devtools {
namespace {

namespace fs = std::filesystem;

CheckOptions strictOptions() {
  telemetry::setLogLevel("off");
  CheckOptions options;
  options.level = Level::Strict;
  options.lab.runner = fs::path(JOBHOST_BIN_DIR) / "jobhost-runner";
  options.lab.job_timeout = core::Millis(10'000);
  return options;
}

CheckReport checked(const fs::path& file, const CheckOptions& options = strictOptions()) {
  const auto subject = readSubject(file);
  if (!subject) throw std::runtime_error(subject.error().message);
  auto report = check(*subject, options);
  if (!report) throw std::runtime_error(report.error().message);
  return *std::move(report);
}

std::set<std::string> broken(const CheckReport& report) {
  std::set<std::string> ids;
  for (const auto& one : report.results) {
    if (one.finding.verdict == Verdict::Failed) ids.emplace(one.rule->id);
  }
  return ids;
}

std::string whatFailed(const CheckReport& report) {
  std::string text;
  for (const auto& one : report.results) {
    if (one.finding.verdict == Verdict::Failed) text += std::string(one.rule->id) + ": " + one.finding.text + "\n";
  }
  return text;
}

fs::path variant(const std::string& name) {
  return fs::path(ZOO_DIR) / (name + ".so");
}

/// A variant of the zoo, the rule it breaks, and words its finding must have.
struct Animal {
  const char* name;
  const char* rule;
  const char* words;
};

constexpr Animal kAnimals[] = {
    {"no_note", "static.note", ""},
    {"bad_manifest", "static.manifest", "/version"},
    {"unknown_key", "static.manifest-lint", "colour"},
    {"bad_example", "static.examples", "/text"},
    {"second_export", "static.one-export", "zoo_helper"},
    {"host_import", "static.no-host-imports", "jh_internal_thing"},
    {"needs_gone", "static.libraries", "libzoo_gone.so"},
    {"textrel", "static.no-textrel", "-fPIC"},
    {"exec_stack", "static.no-exec-stack", "noexecstack"},
    {"writable_code", "static.no-writable-code", "writable"},
    {"unique", "static.no-unique", "zoo_unique"},
    {"static_tls", "static.no-static-tls", "TLS"},
    {"no_relro", "static.relro", "relro"},
    {"lazy", "static.bind-now", "-z,now"},
    {"build_path", "static.search-path", "/home/someone/build"},
    {"init_fails", "load.loads", "no moon tonight"},
    {"slow_init", "load.time", "at most 1000 ms"},
    {"prints", "load.no-output", "hello from init"},
    {"thread_in_init", "load.no-threads", "threads after init()"},
    {"file_in_init", "load.no-files", "/dev/zero"},
    {"deinit_hangs", "load.leaves", "deinit()"},
    {"entry_copies", "load.entry-twice", "static jh_module"},
    {"entry_calls", "load.entry-pure", "log()"},
    {"any_extension", "load.unknown-extension", "NULL"},
    {"type_past_end", "load.job-type-end", "NULL"},
    {"undeclared_type", "load.names", "undeclared"},
};

class Zoo : public testing::TestWithParam<Animal> {};

TEST_P(Zoo, BreaksItsRuleAndNoOther) {
  const auto report = checked(variant(GetParam().name));
  EXPECT_EQ(broken(report), std::set<std::string>{GetParam().rule}) << whatFailed(report);
  EXPECT_NE(whatFailed(report).find(GetParam().words), std::string::npos) << whatFailed(report);
}

INSTANTIATE_TEST_SUITE_P(Animals, Zoo, testing::ValuesIn(kAnimals),
                         [](const auto& animal) { return animal.param.name; });

TEST(Checker, FindsNothingWrongWithTheGoodOne) {
  const auto report = checked(variant("good"));
  EXPECT_TRUE(report.good()) << whatFailed(report);
  EXPECT_EQ(report.count(Verdict::Skipped), 0) << reportText(*readSubject(variant("good")), report, true);
  EXPECT_EQ(report.results.size(), allRules().size());
}

TEST(Checker, HasAPluginForEachRule) {
  std::set<std::string> tested{"static.elf", "static.size"};  // below: files no linker makes
  for (const auto& animal : kAnimals) tested.insert(animal.rule);
  std::set<std::string> all;
  for (const auto& rule : allRules()) EXPECT_TRUE(all.emplace(rule.id).second) << rule.id << " is there twice";
  EXPECT_EQ(tested, all);
}

TEST(Checker, TellsADamagedFileFromAPlugin) {
  const ScratchFolder folder;
  const auto file = folder.path() / "damaged.so";
  fs::copy_file(variant("good"), file);
  fs::resize_file(file, 100);
  const auto report = checked(file);
  EXPECT_TRUE(broken(report).contains("static.elf")) << whatFailed(report);
}

TEST(Checker, RefusesAFileOfUnreasonableSize) {
  const ScratchFolder folder;
  const auto file = folder.path() / "large.so";
  fs::copy_file(variant("good"), file);
  fs::resize_file(file, (std::uintmax_t{256} << 20) + 1);  // sparse
  auto options = strictOptions();
  options.only = {"static"};
  EXPECT_EQ(broken(checked(file, options)), std::set<std::string>{"static.size"});
}

TEST(Checker, AppliesWhatIsAskedFor) {
  auto options = strictOptions();
  options.only = {"load.time", "static"};
  options.skip = {"static.size"};
  const auto report = checked(variant("good"), options);
  std::set<std::string> ids;
  for (const auto& one : report.results) ids.emplace(one.rule->id);
  EXPECT_TRUE(ids.contains("load.time"));
  EXPECT_TRUE(ids.contains("static.relro"));
  EXPECT_FALSE(ids.contains("static.size"));
  EXPECT_FALSE(ids.contains("load.names"));
  options.only = {"static.reloc"};
  const auto subject = readSubject(variant("good"));
  const auto refused = check(*subject, options);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("static.reloc"), std::string::npos);
}

TEST(Checker, WritesReportsThatCanBeRead) {
  auto options = strictOptions();
  options.only = {"static", "load.loads"};
  const auto subject = *readSubject(variant("no_relro"));
  const auto report = *check(subject, options);
  const Json json = Json::parse(reportJson(subject, report));
  EXPECT_EQ(json["failed"].intOr(-1), 1);
  EXPECT_EQ(json["facts"]["id"].stringOr(""), "test.zoo");
  EXPECT_FALSE(json["facts"]["hardening"]["relro"].boolOr(true));
  EXPECT_FALSE(json["facts"]["needed_versions"]["GLIBC"].stringOr("").empty());
  const std::string junit = reportJunit(subject, report);
  EXPECT_NE(junit.find("<testcase classname=\"static\" name=\"static.relro\""), std::string::npos) << junit;
  EXPECT_NE(junit.find("failures=\"1\""), std::string::npos) << junit;
}

}  // namespace
}  // namespace jobhost::devtools
