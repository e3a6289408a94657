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
    {"crashes", "run.ends", "SIGABRT"},
    {"example_fails", "run.examples", "boom"},
    {"odd_code", "run.return-code", "-77"},
    {"wrong_result", "run.result-schema", "/result/bytes"},
    {"progress_back", "run.progress-grows", "went back"},
    {"progress_short", "run.progress-ends", "succeeded at"},
    {"never_the_same", "run.same-again", "idempotent"},
    {"prints_in_run", "run.no-output", "hello from run"},
    {"hates_unicode", "run.unicode", "SIGABRT"},
    {"hates_length", "run.huge", "SIGABRT"},
    {"no_reason", "errors.told", "set_error()"},
    {"wrong_class_params", "errors.invalid-params", "class 1"},
    {"aborts_on_failure", "errors.failing-calls", "set_result()"},
    {"ignores_commit", "errors.lost-output", "output.commit()"},
    {"ignores_put", "errors.lost-output", "records.put()"},
    {"wrong_class_full", "errors.disk-full", "class 4"},
    {"aborts_on_404", "errors.http-not-found", "SIGABRT"},
    {"blames_params", "errors.http-timeout", "the params were good"},
    {"blames_itself", "errors.http-truncated", "no bug of the plugin's"},
    {"deaf", "cancel.http", "did not stop when asked to"},
    {"runs_unasked", "run.process-permitted", "permissions.exec"},
    {"aborts_on_status", "errors.process-failed", "SIGABRT"},
    {"deaf_to_program", "cancel.process", "did not stop when asked to"},
    {"hates_words", "fuzz.params", "seed 1"},
    {"hates_surprises", "fuzz.invalid", "seed 1"},
    {"slow_to_stop", "cancel.latency", "its grace is 300 ms"},
    {"fails_cancelled", "cancel.answer", "JH_E_CANCELLED"},
    {"notices_changes", "cancel.before-start", "does all its work"},
    {"commits_cancelled", "cancel.no-output", "output.commit()"},
    {"cancels_itself", "cancel.unasked", "nobody asked"},
    {"leaks_file", "hygiene.files", "/dev/zero"},
    {"leaks_thread", "hygiene.threads", "threads after its jobs"},
    {"leaks_process", "hygiene.processes", "processes are left"},
    {"leaks_memory", "hygiene.memory", "KiB"},
    {"loses_memory", "memory.leaks", "definitely lost"},
    {"reads_beyond", "memory.accesses", "Invalid read of size 1"},
    {"umask", "hygiene.umask", "0000"},
    {"folder", "hygiene.folder", "is /"},
    {"locale", "hygiene.locale", "UTF-8"},
    {"environment", "hygiene.environment", "ZOO=open"},
    {"handler", "hygiene.handlers", "handler"},
    {"mask", "hygiene.signal-mask", "signal mask"},
    {"limit", "hygiene.limits", "limit"},
    {"stray_file", "hygiene.stray-files", "left_behind"},
    {"leaves_output", "hygiene.handles", "neither committed nor aborted"},
    {"old_job", "hygiene.misuse", "note()"},
    {"not_reentrant", "concurrency.reentrant", "8 threads"},
    {"fears_later_minors", "abi.later-minor", "init()"},
    {"fears_flags", "abi.unknown-flags", "init()"},
    {"fears_long_tables", "abi.longer-tables", "init()"},
    {"trusts_tables", "abi.shorter-tables", "SIGSEGV"},
    {"trusts_extensions", "abi.absent-extensions", "SIGSEGV"},
};

class Zoo : public testing::TestWithParam<Animal> {};

TEST_P(Zoo, BreaksItsRuleAndNoOther) {
  auto options = strictOptions();
  const bool of_memory = std::string_view(GetParam().rule).starts_with("memory.");
  if (of_memory && !findTool("valgrind", toolFolders())) GTEST_SKIP() << "no valgrind";
  if (!of_memory) options.skip = {"memory"};  // seconds each, and the others have nothing there
  const auto report = checked(variant(GetParam().name), options);
  EXPECT_EQ(broken(report), std::set<std::string>{GetParam().rule}) << whatFailed(report);
  EXPECT_NE(whatFailed(report).find(GetParam().words), std::string::npos) << whatFailed(report);
}

INSTANTIATE_TEST_SUITE_P(Animals, Zoo, testing::ValuesIn(kAnimals),
                         [](const auto& animal) { return animal.param.name; });

TEST(Checker, FindsNothingWrongWithTheGoodOne) {
  const auto report = checked(variant("good"));
  EXPECT_TRUE(report.good()) << whatFailed(report);
  for (const auto& one : report.results) {
    if (one.rule->group() == "memory" && !findTool("valgrind", toolFolders())) continue;
    EXPECT_EQ(one.finding.verdict == Verdict::Skipped, !one.rule->not_yet.empty())
        << one.rule->id << ": " << one.finding.text;
  }
  EXPECT_EQ(report.results.size(), allRules().size());
}

TEST(Checker, FindsNothingWrongWithOneThatFetchesAndTakesItWell) {
  const auto report = checked(variant("fetches"));
  EXPECT_TRUE(report.good()) << whatFailed(report);
}

TEST(Checker, FindsNothingWrongWithOneThatRunsAProgramAndTakesItWell) {
  const auto report = checked(variant("runs_program"));
  EXPECT_TRUE(report.good()) << whatFailed(report);
}

/// What we ship keeps every rule.
TEST(Checker, FindsNothingWrongWithWhatWeShip) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(JOBHOST_PLUGIN_DIR)) {
    if (entry.path().extension() != ".so") continue;
    ++count;
    const auto report = checked(entry.path());
    EXPECT_TRUE(report.good()) << entry.path() << '\n' << whatFailed(report);
  }
  EXPECT_GT(count, 0U);
}

TEST(Checker, HasAPluginForEachRule) {
  std::set<std::string> tested{"static.elf", "static.size"};  // below: files no linker makes
  for (const auto& animal : kAnimals) tested.insert(animal.rule);
  std::set<std::string> all;
  for (const auto& rule : allRules()) {
    if (rule.not_yet.empty()) {
      EXPECT_TRUE(all.emplace(rule.id).second) << rule.id << " is there twice";
    }
  }
  EXPECT_EQ(tested, all);
}

TEST(Checker, SaysWhichRulesItCannotApplyYet) {
  EXPECT_NE(ruleListText().find("sandbox.standard"), std::string::npos);
  const auto list = Json::parse(ruleListJson());
  for (const auto& rule : list.items()) {
    const bool sandbox = rule["id"].stringOr("").starts_with("sandbox.");
    EXPECT_EQ(sandbox, rule["skipped"].isString()) << rule.dump();
  }
  auto options = strictOptions();
  options.only = {"sandbox"};
  const auto report = checked(variant("good"), options);
  ASSERT_EQ(report.count(Verdict::Skipped), 2);
  EXPECT_NE(report.results.front().finding.text.find("basic"), std::string::npos)
      << report.results.front().finding.text;
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
