#include "devtools/check.hpp"

#include <algorithm>
#include <set>

#include "jobhost/abi.h"

namespace jobhost::devtools {
namespace {

bool named(const std::vector<std::string>& words, const Rule& rule) {
  return std::any_of(words.begin(), words.end(),
                     [&](const auto& word) { return word == rule.id || word == rule.group(); });
}

core::Result<void> checkWords(const std::vector<std::string>& words) {
  for (const auto& word : words) {
    const auto fits = [&](const Rule& rule) { return rule.id == word || rule.group() == word; };
    if (std::any_of(allRules().begin(), allRules().end(), fits)) continue;
    return core::Error{
        core::ErrorCode::InvalidArgument, "there is no rule or group \"" + word + "\"; --list names them", {}, {}};
  }
  return {};
}

Json texts(const std::vector<std::string>& all) {
  Json out = Json::array();
  for (const auto& one : all) out.push(one);
  return out;
}

/// What the reader of a report wants to know of the file beside the rules.
Json factsOf(const Subject& subject) {
  Json facts = Json::object();
  if (subject.manifest) {
    facts.set("id", subject.manifest->id).set("version", subject.manifest->version);
    facts.set("requires", texts(subject.manifest->required_extensions));
    const auto& asked = subject.manifest->permissions;
    facts.set("permissions", Json{{"net", texts(asked.net)},
                                  {"exec", texts(asked.exec)},
                                  {"secrets", texts(asked.secrets)},
                                  {"children", texts(asked.children)},
                                  {"config", texts(asked.config)},
                                  {"kv", asked.kv},
                                  {"records_read", texts(asked.records_read)},
                                  {"records_write", texts(asked.records_write)}});
    Json collections = Json::object();
    for (const auto& one : subject.manifest->records) collections.set(one.name, texts(one.indexes));
    facts.set("records", std::move(collections));
  }
  facts.set("kind", subject.program ? "process" : "library").set("size_bytes", subject.size_bytes);
  if (subject.program) {
    Json files = Json::array();
    for (const auto& file : subject.files) files.push(file.filename().string());
    facts.set("files", std::move(files));
  }
  if (subject.elf) {
    const auto& elf = *subject.elf;
    Json versions = Json::object();
    for (const auto& [library, version] : elf.versions) versions.set(library, version);
    facts.set("build_id", elf.build_id);
    facts.set("needed", texts(elf.needed)).set("needed_versions", versions).set("exports", texts(elf.exports));
    facts.set("hardening", Json{{"relro", elf.relro},
                                {"bind_now", elf.binds_now},
                                {"no_exec_stack", elf.stack_marked && !elf.executable_stack},
                                {"no_textrel", !elf.text_relocations},
                                {"no_writable_code", !elf.writable_code}});
  }
  return facts;
}

/// Calls that were refused for want of a permission or an extension, with what the manifest would have to ask for.
std::vector<std::string> deniedCalls(const std::vector<Trial>& trials) {
  std::set<std::string> all;
  for (const auto& trial : trials) {
    for (const auto& call : trial.calls) {
      const auto name = call["c"].stringOr("");
      const std::string what(call["a"].at(0).stringOr(""));
      if (name == "get_extension" && call["r"].intOr(0) != JH_OK) {
        all.insert(trial.job.type + " asks for the extension " + what + ", which this host does not offer");
      } else if (call["r"].intOr(0) == JH_E_DENIED && name == "config.secret") {
        all.insert(trial.job.type + " asks for the secret " + what + ": needs permissions.secrets: [\"" + what + "\"]");
      } else if (call["r"].intOr(0) == JH_E_DENIED && name == "children.submit") {
        all.insert(trial.job.type + " makes children of type " + what + ": needs permissions.children: [\"" + what +
                   "\"]");
      } else if (call["r"].intOr(0) == JH_E_DENIED && name.substr(0, 8) == "records.") {
        const bool writes = name == "records.put" || name == "records.del";
        all.insert(trial.job.type + (writes ? " writes" : " reads") + " the records " + what +
                   ": needs permissions.records." + (writes ? "write" : "read") + ": [\"" + what + "\"]");
      } else if (call["r"].intOr(0) == JH_E_DENIED && name.substr(0, 3) == "kv.") {
        all.insert(trial.job.type + " keeps keys: needs permissions.kv: true");
      } else if (call["r"].intOr(0) == JH_E_DENIED) {
        all.insert(trial.job.type + " calls " + std::string(name) + ": " + std::string(call["e"].stringOr("")));
      }
    }
  }
  return {all.begin(), all.end()};
}

/// Why the rule says nothing about this plugin; empty: it does.
std::string_view whyNot(const Rule& rule, const Bench& bench) {
  if (!rule.not_yet.empty()) return rule.not_yet;
  if (bench.options.lab.in_process && rule.own_process) return "needs its own process";
  if (bench.subject.program) return rule.library_only;
  return {};
}

Finding applied(const Rule& rule, Bench& bench) {
  if (const auto why = whyNot(rule, bench); !why.empty()) return skipped(std::string(why));
  try {
    return rule.apply(bench);
  } catch (const std::exception& error) {
    return failed(std::string("the check itself could not be made: ") + error.what());
  }
}

}  // namespace

std::string_view toString(Level level) {
  switch (level) {
    case Level::Quick:
      return "quick";
    case Level::Standard:
      return "standard";
    case Level::Strict:
      return "strict";
  }
  return "unknown";
}

std::string_view toString(Verdict verdict) {
  switch (verdict) {
    case Verdict::Passed:
      return "passed";
    case Verdict::Failed:
      return "failed";
    case Verdict::Skipped:
      return "skipped";
  }
  return "unknown";
}

std::string joined(const std::vector<std::string>& parts, std::size_t most) {
  std::string text;
  for (std::size_t i = 0; i < std::min(parts.size(), most); ++i) text += (i == 0 ? "" : "; ") + parts[i];
  if (parts.size() > most) text += "; and " + std::to_string(parts.size() - most) + " more";
  return text;
}

const std::vector<Rule>& allRules() {
  static const std::vector<Rule> rules = [] {
    std::vector<Rule> all;
    for (const auto& group : {staticRules(), loadRules(), runRules(), errorRules(), httpRules(), processRules(),
                              cancelRules(), hygieneRules(), abiRules(), memoryRules(), sandboxRules()})
      all.insert(all.end(), group.begin(), group.end());
    return all;
  }();
  return rules;
}

int CheckReport::count(Verdict verdict) const {
  return static_cast<int>(
      std::count_if(results.begin(), results.end(), [&](const auto& one) { return one.finding.verdict == verdict; }));
}

core::Result<CheckReport> check(const Subject& subject, const CheckOptions& options) {
  for (const auto* words : {&options.only, &options.skip}) {
    if (auto known = checkWords(*words); !known) return known.error();
  }
  if (options.lab.in_process && subject.program) {
    return core::Error{core::ErrorCode::InvalidArgument,
                       "--in-process: a program (kind \"process\") cannot run in another's process",
                       {},
                       {}};
  }
  CheckReport report;
  report.facts = factsOf(subject);
  Bench bench{subject, options};
  const bool whole = subject.manifest && (subject.elf || subject.program);
  std::string cannot_load = whole ? "" : "it has no manifest that can be read";
  for (const auto& rule : allRules()) {
    const bool wanted = options.only.empty() ? rule.level <= options.level : named(options.only, rule);
    if (!wanted || named(options.skip, rule)) continue;
    if (options.say) options.say(std::string(rule.id));
    const auto begun = std::chrono::steady_clock::now();
    RuleResult result{&rule, {}, {}};
    const bool needs = (rule.loads || rule.id == "load.loads") && whyNot(rule, bench).empty();
    result.finding = needs && !cannot_load.empty() ? skipped(cannot_load) : applied(rule, bench);
    result.took = std::chrono::duration_cast<core::Millis>(std::chrono::steady_clock::now() - begun);
    if (rule.id == "static.libraries" && result.finding.verdict == Verdict::Failed)
      cannot_load = "libraries are missing";
    if (rule.id == "load.loads" && result.finding.verdict == Verdict::Failed) cannot_load = "it cannot be loaded";
    report.results.push_back(std::move(result));
  }
  if (bench.trials) report.facts.set("denied", texts(deniedCalls(*bench.trials)));
  return report;
}

}  // namespace jobhost::devtools
