#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "devtools/lab.hpp"
#include "devtools/subject.hpp"
#include "devtools/trials.hpp"
#include "devtools/valgrind.hpp"

namespace jobhost::devtools {

/// From when on a rule is applied.
enum class Level { Quick, Standard, Strict };
std::string_view toString(Level level);

struct CheckOptions {
  Level level = Level::Standard;
  std::vector<std::string> only;  ///< rule ids or groups ("static"); empty: all
  std::vector<std::string> skip;
  std::uint64_t seed = 1;                                           ///< of the generated params
  std::vector<std::filesystem::path> tool_folders = toolFolders();  ///< where valgrind is looked for
  LabOptions lab;
  std::function<void(const std::string&)> say;  ///< progress for people; may be empty
};

enum class Verdict { Passed, Failed, Skipped };
std::string_view toString(Verdict verdict);

/// What a rule found. `text`: why it failed or was skipped, one line each thing; for passed ones a remark, or empty.
struct Finding {
  Verdict verdict = Verdict::Passed;
  std::string text;
};
inline Finding passed(std::string remark = {}) {
  return {Verdict::Passed, std::move(remark)};
}
inline Finding failed(std::string why) {
  return {Verdict::Failed, std::move(why)};
}
inline Finding skipped(std::string why) {
  return {Verdict::Skipped, std::move(why)};
}

/// What the rules look at. What one rule learned that others need (jobs that run) is kept here.
struct Bench {
  const Subject& subject;
  const CheckOptions& options;
  std::optional<std::vector<Trial>> trials = {};  ///< see trials.hpp
  std::optional<core::Result<std::vector<MemcheckError>>> memcheck = {};
};

/// One rule. The id is stable: scripts and configurations name it.
struct Rule {
  std::string_view id;     ///< "load.no-threads": its group, a dot, its name
  Level level;             ///< the lowest level that applies it
  bool loads;              ///< needs a plugin that can be loaded
  std::string_view title;  ///< what it asks for, one sentence
  Finding (*apply)(Bench& bench);
  std::string_view library_only = {};  ///< why it is not applied to programs (kind "process"); empty: it is
  bool own_process = false;            ///< it looks at, limits or ends the process: not in the checker's own
  std::string_view not_yet = {};       ///< why it is not applied at all; empty: it is
  [[nodiscard]] std::string_view group() const { return id.substr(0, id.find('.')); }
};

constexpr bool kOwnProcess = true;  ///< for Rule::own_process

/// All rules in the order they are applied. Ids are unique.
const std::vector<Rule>& allRules();

// The groups; in the files of their names.
std::vector<Rule> staticRules();
std::vector<Rule> loadRules();
std::vector<Rule> runRules();
std::vector<Rule> errorRules();
std::vector<Rule> httpRules();
std::vector<Rule> processRules();
std::vector<Rule> cancelRules();
std::vector<Rule> hygieneRules();
std::vector<Rule> abiRules();
std::vector<Rule> memoryRules();
std::vector<Rule> sandboxRules();

struct RuleResult {
  const Rule* rule = nullptr;
  Finding finding;
  core::Millis took{0};
};

struct CheckReport {
  std::vector<RuleResult> results;
  Json facts;  ///< libraries, versions, exports, hardening, permissions
  [[nodiscard]] int count(Verdict verdict) const;
  [[nodiscard]] bool good() const { return count(Verdict::Failed) == 0; }
};

/// Applies the rules of the level to the plugin, each that runs it in processes of its own; with lab.in_process in this
/// one, where those that need their own are skipped. Errors: InvalidArgument for an id in only or skip that there is
/// not, and for a program that should run in this process.
core::Result<CheckReport> check(const Subject& subject, const CheckOptions& options);

// Ways to say it.
std::string reportText(const Subject& subject, const CheckReport& report, bool verbose);
std::string reportJson(const Subject& subject, const CheckReport& report);
std::string reportJunit(const Subject& subject, const CheckReport& report);
std::string ruleListText();
std::string ruleListJson();

// For rules.

/// One line of many: "a; b; and 3 more".
std::string joined(const std::vector<std::string>& parts, std::size_t most = 5);

}  // namespace jobhost::devtools
