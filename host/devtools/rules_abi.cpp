// Other hosts than this one: older, newer, with less; and several runs at once.
#include <algorithm>
#include <set>

#include "devtools/check.hpp"
#include "devtools/watched.hpp"
#include "jobhost/abi.h"

namespace jobhost::devtools {
namespace {

constexpr int kParallel = 8;
constexpr int kRounds = 3;
constexpr int kLaterMinor = 9999;
constexpr std::string_view kNoTables = "a program speaks the protocol and sees no tables; it runs one job at a time";

/// Runs the samples on a host of this kind. `must_work`: they end as they do on this one; else no crash is enough.
Finding onHost(Bench& bench, const WatchPlan& plan, bool must_work) {
  std::vector<Trial> wanted;
  const auto references = samples(bench);
  for (const auto* one : references) wanted.push_back({one->job, one->type, false, {}, {}, {}});
  const auto done = runTrials(bench, std::move(wanted), plan);
  std::vector<std::string> wrong;
  for (std::size_t i = 0; i < done.size(); ++i) {
    if (!brokenEnd(*references[i]).empty()) continue;
    if (auto why = brokenEnd(done[i]); !why.empty()) {
      wrong.push_back(std::move(why));
    } else if (must_work && done[i].report.end.kind != references[i]->report.end.kind) {
      wrong.push_back(nameOf(done[i]) + " " + done[i].report.describe() + "; it " + references[i]->report.describe() +
                      " on this host");
    }
  }
  return wrong.empty() ? passed() : failed(joined(wrong));
}

Finding laterMinor(Bench& bench) {
  WatchPlan plan;
  plan.abi_minor = kLaterMinor;
  return onHost(bench, plan, true);
}

Finding unknownFlags(Bench& bench) {
  WatchPlan plan;
  plan.flags = 0x7ffffff0;
  return onHost(bench, plan, true);
}

Finding longerTables(Bench& bench) {
  WatchPlan plan;
  plan.longer = true;
  return onHost(bench, plan, true);
}

Finding shorterTables(Bench& bench) {
  WatchPlan plan;
  plan.shorter = true;
  return onHost(bench, plan, false);
}

Finding absentExtensions(Bench& bench) {
  WatchPlan plan;
  const auto& required = bench.subject.manifest->required_extensions;
  for (const auto& id : offeredAbi().extensions) {
    if (std::find(required.begin(), required.end(), id) == required.end()) plan.absent.push_back(id);
  }
  return onHost(bench, plan, false);
}

Finding reentrant(Bench& bench) {
  WatchPlan look;
  Lab lab(bench.subject, bench.options.lab, look, {});
  if (const auto probed = lab.load(); !probed) return skipped(probed.error().message);
  const Json module = stepLine(lab.watched(), "module");
  std::vector<std::string> wrong;
  int types = 0;
  for (const auto* sample : samples(bench)) {
    bool flagged = false;
    for (const auto& type : module["types"].items()) {
      flagged = flagged ||
                (type["name"].stringOr("") == sample->job.type && (type["flags"].intOr(0) & JH_TYPE_REENTRANT) != 0);
    }
    if (!flagged || !sample->report.succeeded()) continue;
    ++types;
    WatchPlan plan;
    plan.parallel = kParallel;
    std::vector<Trial> wanted(kRounds, Trial{sample->job, sample->type, false, {}, {}, {}});
    for (const auto& one : runTrials(bench, std::move(wanted), plan)) {
      if (!brokenEnd(one).empty() || !one.report.succeeded()) {
        wrong.push_back(nameOf(one) + " run by 8 threads at once " + one.report.describe());
        continue;
      }
      std::set<std::string> results;
      for (const auto& call : one.calls) {
        if (call["c"].stringOr("") == "set_result") results.insert(call["a"].dump());
      }
      if (results.size() > 1 && bench.subject.manifest->types[one.type].info.idempotent) {
        wrong.push_back(nameOf(one) + " run by 8 threads at once has " + std::to_string(results.size()) +
                        " different results");
      }
    }
  }
  if (!wrong.empty()) return failed(joined(wrong, 3));
  return passed(types == 0 ? "no type says that it is reentrant" : "");
}

}  // namespace

std::vector<Rule> abiRules() {
  return {
      {"concurrency.reentrant", Level::Standard, true, "Types that say they are reentrant are", &reentrant, kNoTables},
      {"abi.later-minor", Level::Standard, true, "It works on a host of a later minor", &laterMinor, kNoTables},
      {"abi.unknown-flags", Level::Standard, true, "It works with host flags it does not know", &unknownFlags,
       kNoTables},
      {"abi.longer-tables", Level::Standard, true, "It works with tables longer than it knows", &longerTables,
       kNoTables},
      {"abi.shorter-tables", Level::Standard, true, "It calls nothing beyond a table's struct_size", &shorterTables,
       kNoTables},
      {"abi.absent-extensions", Level::Standard, true, "It stands extensions that are not there", &absentExtensions,
       kNoTables},
  };
}

}  // namespace jobhost::devtools
