// What a job leaves behind in a process that runs the next one.
#include <algorithm>
#include <map>
#include <optional>

#include "devtools/check.hpp"
#include "devtools/watched.hpp"
#include "jobhost/abi.h"

namespace jobhost::devtools {
namespace {

constexpr int kRuns = 20;
constexpr int kStrictRuns = 50;
constexpr std::int64_t kMostGrowthKb = 8 * 1024;
constexpr std::string_view kItsOwn = "the process is the program's own";
constexpr std::string_view kUnseen = "what a program does with its files does not show";

/// One sample run over and over in one process, and what that looked like.
struct Endurance {
  const Trial* sample = nullptr;
  int runs = 0;
  std::vector<Json> lines;
  [[nodiscard]] Json after(int run) const { return stateAt(lines, "attempt", run); }
  /// The process of `state` as it was once the plugin was loaded.
  [[nodiscard]] Json loaded(const Json& state) const {
    for (const auto& line : lines) {
      if (line["when"].stringOr("") == "loaded" && line["is"]["pid"] == state["pid"]) return line["is"];
    }
    return {};
  }
};

std::vector<Endurance> endure(Bench& bench, int runs) {
  std::vector<Endurance> all;
  for (const auto* sample : samples(bench)) {
    WatchPlan plan;
    plan.calls = true;
    plan.state = true;
    Lab lab(bench.subject, bench.options.lab, plan, std::vector<JobSpec>(static_cast<std::size_t>(runs), sample->job));
    lab.runAll();
    all.push_back({sample, runs, lab.watched()});
  }
  return all;
}

/// Compares one thing of the process after loading with the same after the second job.
template <class Changed>
Finding compared(Bench& bench, Changed changed) {
  std::vector<std::string> wrong;
  for (const auto& one : endure(bench, 2)) {
    const Json after = one.after(2);
    if (after.isNull()) continue;  // crashed: run.ends
    if (auto what = changed(one.loaded(after), after); !what.empty())
      wrong.push_back(one.sample->job.type + ": " + what);
  }
  return wrong.empty() ? passed() : failed(joined(wrong));
}

Finding same(Bench& bench, const char* member, const std::string& what) {
  return compared(bench, [&](const Json& before, const Json& after) {
    if (before[member] == after[member]) return std::string();
    if (!before[member].isString()) return what + " changed";
    return what + " was " + std::string(before[member].stringOr("")) + ", is " +
           std::string(after[member].stringOr(""));
  });
}

Finding umaskSame(Bench& bench) {
  return same(bench, "Umask", "the umask");
}
Finding folderSame(Bench& bench) {
  return same(bench, "folder", "the working directory");
}
Finding localeSame(Bench& bench) {
  return same(bench, "locale", "the locale");
}
Finding limitsSame(Bench& bench) {
  return same(bench, "limits", "a resource limit");
}
Finding handlersSame(Bench& bench) {
  return same(bench, "handlers", "a signal's handler");
}
Finding maskSame(Bench& bench) {
  return same(bench, "SigBlk", "the signal mask");
}

Finding environmentSame(Bench& bench) {
  return compared(bench, [](const Json& before, const Json& after) {
    const auto more = added(before["environment"], after["environment"]);
    const auto less = added(after["environment"], before["environment"]);
    if (more.empty() && less.empty()) return std::string();
    return "the environment " + (more.empty() ? "lost " + joined(less) : "got " + joined(more));
  });
}

Finding processes(Bench& bench) {
  return compared(bench, [](const Json&, const Json& after) {
    return after["children"].size() == 0 ? std::string() : "processes are left: " + after["children"].dump();
  });
}

Finding stray(Bench& bench) {
  return compared(bench, [](const Json& before, const Json& after) {
    const auto more = added(before["stray"], after["stray"]);
    return more.empty() ? std::string()
                        : "files lie outside of its outputs and its temp folder: " + joined(more) +
                              ". Use jobhost.output/1 and jobhost.temp/1.";
  });
}

/// What each run made of its process, without the first two of each process, which fill caches: looked(before, after).
/// A host replaces a process that it does not trust any more, so that no single one need live through all runs.
template <class Looked>
void eachLaterRun(const Endurance& one, Looked looked) {
  int runs_of_process = 0;
  Json before;
  for (int run = 1; run <= one.runs; ++run) {
    const Json now = one.after(run);
    if (now.isNull()) continue;
    runs_of_process = before["pid"] == now["pid"] ? runs_of_process + 1 : 1;
    if (runs_of_process > 2) looked(before, now);
    before = now;
  }
}

Finding files(Bench& bench) {
  std::vector<std::string> wrong;
  for (const auto& one : endure(bench, 8)) {
    std::int64_t runs = 0;
    std::int64_t more = 0;
    std::vector<std::string> names;
    eachLaterRun(one, [&](const Json& before, const Json& after) {
      ++runs;
      more += static_cast<std::int64_t>(after["files"].size()) - static_cast<std::int64_t>(before["files"].size());
      for (auto& name : added(before["files"], after["files"])) names.push_back(std::move(name));
    });
    if (more >= 2 && 2 * more >= runs) wrong.push_back(one.sample->job.type + ": " + joined(names, 3));
  }
  return wrong.empty() ? passed() : failed("files stay open: " + joined(wrong));
}

int threadsOf(const Json& state) {
  return std::atoi(std::string(state["Threads"].stringOr("0")).c_str());
}

/// What the runs left in one process of theirs.
struct Grown {
  int before = 0;
  int after = 0;
};

/// The process with the most threads more than before its jobs, where that is more than chance.
std::optional<Grown> mostGrown(const Endurance& one) {
  constexpr int kChance = 2;  // a thread that ends with its job, a look that came late
  std::map<std::int64_t, Grown> processes;
  std::int64_t newest = 0;
  for (int run = 1; run <= one.runs; ++run) {
    const Json state = one.after(run);
    if (state.isNull()) continue;
    newest = state["pid"].intOr(0);
    const Json loaded = one.loaded(state);
    const int now = threadsOf(state);
    const auto [at, first] = processes.try_emplace(newest, Grown{loaded.isNull() ? now : threadsOf(loaded), now});
    // A program is looked at while its first job runs, maybe with threads that end with it: the fewest ever seen count.
    at->second.before = std::min(at->second.before, first ? now : at->second.after);
    at->second.after = now;
  }
  std::optional<Grown> most;
  for (const auto& [pid, grown] : processes) {
    // A host gives up a process that was left with more threads than before: there one is enough. What the last one
    // of several would have come to is not seen.
    const int allowed = processes.size() > 1 && pid != newest ? 0 : kChance;
    const int more = grown.after - grown.before;
    if (more > allowed && (!most || more > most->after - most->before)) most = grown;
  }
  return most;
}

Finding threads(Bench& bench) {
  std::vector<std::string> wrong;
  for (const auto& one : endure(bench, 8)) {
    if (const auto grown = mostGrown(one)) {
      wrong.push_back(one.sample->job.type + ": " + std::to_string(grown->after) + " threads after its jobs, " +
                      std::to_string(grown->before) + " before");
    }
  }
  return wrong.empty() ? passed() : failed(joined(wrong) + ". Join them before run() returns.");
}

Finding memory(Bench& bench) {
  const int runs = bench.options.level == Level::Strict ? kStrictRuns : kRuns;
  std::vector<std::string> wrong;
  std::int64_t most = 0;
  for (const auto& one : endure(bench, runs)) {
    const auto kb = [](const Json& state) { return std::atoll(std::string(state["VmRSS"].stringOr("0")).c_str()); };
    std::int64_t grew = 0;
    eachLaterRun(one, [&](const Json& before, const Json& after) { grew += kb(after) - kb(before); });
    most = std::max<std::int64_t>(most, grew);
    if (grew > kMostGrowthKb) {
      wrong.push_back(one.sample->job.type + " grew by " + std::to_string(grew) + " KiB in " + std::to_string(runs) +
                      " runs");
    }
  }
  return wrong.empty() ? passed("growth " + std::to_string(most) + " KiB") : failed(joined(wrong));
}

Finding misuse(Bench& bench) {
  std::vector<std::string> wrong;
  for (const auto& one : endure(bench, 2)) {
    for (const auto& line : one.lines) {
      if (line["r"].intOr(0) != JH_E_MISUSE || !line["c"].isString()) continue;
      wrong.push_back(one.sample->job.type + ": " + std::string(line["c"].stringOr("")) +
                      "(): " + std::string(line["e"].stringOr("")));
    }
  }
  return wrong.empty() ? passed()
                       : failed("calls with a job that is over, or a handle that is closed: " + joined(wrong, 3));
}

Finding handles(Bench& bench) {
  std::vector<std::string> wrong;
  for (const auto& one : trials(bench)) {
    const auto count = [&](std::string_view name, bool only_good) {
      return std::count_if(one.calls.begin(), one.calls.end(), [&](const Json& call) {
        return call["c"].stringOr("") == name && (!only_good || call["r"].intOr(0) == JH_OK);
      });
    };
    if (one.end.isNull()) continue;
    if (count("output.create", true) > count("output.commit", false) + count("output.abort", false)) {
      wrong.push_back(nameOf(one) + " leaves an output that is neither committed nor aborted");
    }
    if (count("input.open", true) > count("input.close", false)) wrong.push_back(nameOf(one) + " leaves an input open");
  }
  return wrong.empty() ? passed() : failed(joined(wrong));
}

}  // namespace

std::vector<Rule> hygieneRules() {
  return {
      {"hygiene.files", Level::Standard, true, "No file stays open after a job", &files, {}, kOwnProcess},
      {"hygiene.threads", Level::Standard, true, "No thread stays after a job", &threads, {}, kOwnProcess},
      {"hygiene.processes", Level::Standard, true, "No process stays after a job", &processes, {}, kOwnProcess},
      {"hygiene.memory", Level::Standard, true, "Memory does not grow from job to job", &memory, {}, kOwnProcess},
      {"hygiene.umask", Level::Standard, true, "The umask stays as it was", &umaskSame, kItsOwn},
      {"hygiene.folder", Level::Standard, true, "The working directory stays as it was", &folderSame, kItsOwn},
      {"hygiene.locale", Level::Standard, true, "The locale stays as it was", &localeSame, kItsOwn},
      {"hygiene.environment", Level::Standard, true, "The environment stays as it was", &environmentSame, kItsOwn},
      {"hygiene.handlers", Level::Standard, true, "Signal handlers stay as they were", &handlersSame, kItsOwn},
      {"hygiene.signal-mask", Level::Standard, true, "The signal mask stays as it was", &maskSame, kItsOwn},
      {"hygiene.limits", Level::Standard, true, "Resource limits stay as they were", &limitsSame, kItsOwn},
      {"hygiene.stray-files",
       Level::Standard,
       true,
       "Files lie in outputs and the temp folder only",
       &stray,
       {},
       kOwnProcess},
      {"hygiene.handles", Level::Strict, true, "Outputs and inputs that were opened are closed", &handles, kUnseen},
      {"hygiene.misuse", Level::Standard, true, "No call with a job that is over", &misuse, kUnseen},
  };
}

}  // namespace jobhost::devtools
