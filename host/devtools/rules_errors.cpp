// Jobs that must fail, and how; and jobs that nobody thought of.
#include <algorithm>
#include <map>

#include "devtools/check.hpp"
#include "devtools/params_maker.hpp"
#include "devtools/watched.hpp"
#include "jobhost/abi.h"

namespace jobhost::devtools {
namespace {

constexpr int kInvalidJobs = 6;
constexpr std::size_t kMostCallsFailed = 60;  // of one job type
constexpr std::string_view kOwnFiles = "a program writes its outputs itself; no call of that can be made to fail";

Finding told(Bench& bench) {
  std::vector<std::string> wrong;
  for (const auto& one : trials(bench)) {
    if (one.end["r"].intOr(0) != JH_E_FAILED || !one.report.end.error) continue;
    const auto& error = *one.report.end.error;
    if (error.code == "failed" || error.message == "the plugin gave no reason") {
      wrong.push_back(nameOf(one) + " fails without set_error(), or without a code or message");
    }
  }
  return wrong.empty() ? passed() : failed(joined(wrong));
}

/// Params the schema refuses, brought past the host. By type.
std::vector<Trial> invalidTrials(Bench& bench, int each) {
  std::vector<Trial> all;
  const auto& types = bench.subject.manifest->types;
  for (std::size_t i = 0; i < types.size(); ++i) {
    ParamsMaker maker(types[i].info.params_schema_json, types[i].schema, bench.options.seed);
    for (int n = 0; n < each; ++n) {
      const auto params = maker.makeInvalid();
      if (!params) continue;
      Trial trial;
      trial.type = i;
      trial.job.type = types[i].info.name;
      trial.job.params = *params;
      all.push_back(std::move(trial));
    }
  }
  return all;
}

Finding invalidParams(Bench& bench) {
  auto wanted = invalidTrials(bench, kInvalidJobs);
  if (wanted.empty()) return passed("the schemas refuse nothing");
  std::vector<std::string> wrong;
  for (const auto& one : runBriefly(bench, std::move(wanted))) {
    const auto& error = one.report.end.error;
    if (auto why = brokenEnd(one); !why.empty()) {
      wrong.push_back(std::move(why));
    } else if (error && error->error_class != core::ErrorClass::BadInput &&
               error->error_class != core::ErrorClass::Denied) {  // what it may not do can come before what it cannot
      wrong.push_back(nameOf(one) + " " + one.report.describe() + "; wrong params are class 1");
    }
  }
  return wrong.empty() ? passed() : failed(joined(wrong, 3));
}

/// With what a call fails that is made to fail; 0: it cannot fail, or its failing means something else.
int codeFor(const std::string& call) {
  static const std::map<std::string, int> codes = {{"note", JH_E_LIMIT},
                                                   {"set_result", JH_E_LIMIT},
                                                   {"output.dir", JH_E_IO},
                                                   {"output.create", JH_E_LIMIT},
                                                   {"output.write", JH_E_LIMIT},
                                                   {"output.commit", JH_E_IO},
                                                   {"output.publish", JH_E_LIMIT},
                                                   {"output.reserve", JH_E_LIMIT},
                                                   {"input.list", JH_E_IO},
                                                   {"input.path", JH_E_NOT_FOUND},
                                                   {"input.open", JH_E_NOT_FOUND},
                                                   {"input.read", JH_E_IO},
                                                   {"input.size", JH_E_IO},
                                                   {"temp.dir", JH_E_IO},
                                                   {"config", JH_E_IO},
                                                   {"config.secret", JH_E_DENIED},
                                                   {"children.submit", JH_E_DENIED},
                                                   {"children.wait", JH_E_TIMEOUT},
                                                   {"children.result", JH_E_IO},
                                                   {"http.fetch", JH_E_TIMEOUT},
                                                   {"http.read", JH_E_IO},
                                                   {"http.path", JH_E_IO},
                                                   {"http.save_to", JH_E_LIMIT},
                                                   {"process.spawn", JH_E_NOT_FOUND},
                                                   {"process.write", JH_E_IO},
                                                   {"process.read", JH_E_IO},
                                                   {"process.wait", JH_E_FAILED},
                                                   {"checkpoint.save", JH_E_IO},
                                                   {"checkpoint.load", JH_E_IO},
                                                   {"records.get", JH_E_AGAIN},
                                                   {"records.put", JH_E_CONFLICT},
                                                   {"records.del", JH_E_CONFLICT},
                                                   {"records.list", JH_E_AGAIN},
                                                   {"records.count", JH_E_AGAIN},
                                                   {"kv.get", JH_E_AGAIN},
                                                   {"kv.put", JH_E_LIMIT},
                                                   {"kv.del", JH_E_CONFLICT},
                                                   {"kv.list", JH_E_AGAIN},
                                                   {"cancel.on_cancel", JH_E_LIMIT}};
  const auto found = codes.find(call);
  return found == codes.end() ? 0 : found->second;
}

/// For each call the sample makes, jobs in which its first and its last one fails.
std::vector<Trial> failingTrials(const Trial& sample) {
  std::map<std::string, int> counts;
  for (const auto& call : sample.calls) ++counts[std::string(call["c"].stringOr(""))];
  std::vector<Trial> all;
  for (const auto& [call, count] : counts) {
    const int code = codeFor(call);
    if (code == 0) continue;
    for (const int nth : {1, count}) {
      if ((nth == count && nth == 1 && !all.empty() && all.back().job.fail_call == call) ||
          all.size() >= kMostCallsFailed)
        continue;
      Trial trial{sample.job, sample.type, false, {}, {}, {}};
      trial.job.fail_call = call;
      trial.job.fail_nth = nth;
      trial.job.fail_code = code;
      all.push_back(std::move(trial));
    }
  }
  return all;
}

std::string failingName(const Trial& trial) {
  return nameOf(trial) + " with call " + std::to_string(trial.job.fail_nth) + " of " + trial.job.fail_call +
         "() failing";
}

Finding failingCalls(Bench& bench) {
  std::vector<std::string> wrong;
  std::size_t count = 0;
  for (const auto* sample : samples(bench)) {
    for (const auto& one : runTrials(bench, failingTrials(*sample))) {
      ++count;
      if (!brokenEnd(one).empty()) wrong.push_back(failingName(one) + " " + one.report.describe());
    }
  }
  return wrong.empty() ? passed(std::to_string(count) + " failures") : failed(joined(wrong, 3));
}

/// Whether it claims success with less to show for it than when nothing failed.
bool lostSomething(const Trial& reference, const Trial& now) {
  if (!now.report.succeeded()) return false;
  const bool no_result = now.report.end.result_json == "null" && reference.report.end.result_json != "null";
  const auto bytes = [](const Trial& trial) {
    std::int64_t all = 0;
    for (const auto& output : trial.report.end.outputs) all += output.size_bytes;
    return all;
  };
  const auto records = [](const Trial& trial) {
    return trial.report.end.writes ? trial.report.end.writes->all().size() : 0;
  };
  if (records(now) < records(reference)) return true;
  const auto& outputs = now.report.end.outputs;
  return no_result || outputs.size() < reference.report.end.outputs.size() || bytes(now) < bytes(reference);
}

Finding lostOutput(Bench& bench) {
  std::vector<std::string> wrong;
  for (const auto* sample : samples(bench)) {
    if (!sample->report.succeeded()) continue;
    auto wanted = failingTrials(*sample);
    std::erase_if(wanted, [](const Trial& one) {
      const std::string& call = one.job.fail_call;
      return call.rfind("output.", 0) != 0 && call != "set_result" && call != "records.put" && call != "kv.put";
    });
    for (const auto& one : runTrials(bench, std::move(wanted))) {
      if (lostSomething(*sample, one)) wrong.push_back(failingName(one) + " says that it succeeded");
    }
  }
  return wrong.empty() ? passed()
                       : failed(joined(wrong, 3) + ". Look at what commit(), write(), put() and set_result() return.");
}

Finding diskFull(Bench& bench) {
  std::vector<Trial> wanted;
  std::vector<const Trial*> references;
  for (const auto* sample : samples(bench)) {
    const auto& outputs = sample->report.end.outputs;
    const auto writes = [](const Json& call) { return call["c"].stringOr("") == "output.write"; };
    // That a program writes shows in what it leaves alone.
    if (outputs.empty()) continue;
    if (!bench.subject.program && std::none_of(sample->calls.begin(), sample->calls.end(), writes)) continue;
    wanted.push_back({sample->job, sample->type, false, {}, {}, {}});
    references.push_back(sample);
  }
  if (wanted.empty()) return passed("no job writes outputs here");
  LabOptions options = bench.options.lab;
  options.max_output_bytes = 1;
  const auto done = runTrials(bench, std::move(wanted), {}, options);
  std::vector<std::string> wrong;
  for (std::size_t i = 0; i < done.size(); ++i) {
    const auto& error = done[i].report.end.error;
    if (!brokenEnd(done[i]).empty() || lostSomething(*references[i], done[i])) {
      wrong.push_back(nameOf(done[i]) + " with no room for outputs " + done[i].report.describe());
    } else if (error && error->error_class != core::ErrorClass::Resource &&
               error->error_class != core::ErrorClass::Transient) {
      wrong.push_back(nameOf(done[i]) + " with no room for outputs " + done[i].report.describe() + "; that is class 4");
    }
  }
  return wrong.empty() ? passed() : failed(joined(wrong));
}

Finding fuzz(Bench& bench) {
  const int each = bench.options.level == Level::Strict ? 60 : 20;
  std::vector<Trial> wanted;
  const auto& types = bench.subject.manifest->types;
  for (std::size_t i = 0; i < types.size(); ++i) {
    ParamsMaker maker(types[i].info.params_schema_json, types[i].schema, bench.options.seed);
    for (int n = 0; n < each; ++n) {
      Trial trial;
      trial.type = i;
      trial.job.type = types[i].info.name;
      const auto params = maker.make(ParamsMaker::Style::Random);
      if (!params) break;
      trial.job.params = *params;
      wanted.push_back(std::move(trial));
    }
  }
  std::vector<std::string> wrong;
  const auto count = wanted.size();
  for (const auto& one : runBriefly(bench, std::move(wanted))) {
    if (auto why = brokenEnd(one); !why.empty()) wrong.push_back(std::move(why));
  }
  const std::string seed = "seed " + std::to_string(bench.options.seed);
  return wrong.empty() ? passed(std::to_string(count) + " jobs, " + seed) : failed(seed + ": " + joined(wrong, 3));
}

Finding fuzzInvalid(Bench& bench) {
  std::vector<std::string> wrong;
  for (const auto& one : runBriefly(bench, invalidTrials(bench, bench.options.level == Level::Strict ? 60 : 20))) {
    if (auto why = brokenEnd(one); !why.empty()) wrong.push_back(std::move(why));
  }
  const std::string seed = "seed " + std::to_string(bench.options.seed);
  return wrong.empty() ? passed(seed) : failed(seed + ": " + joined(wrong, 3));
}

}  // namespace

std::vector<Rule> errorRules() {
  return {
      {"errors.told", Level::Standard, true, "A job that fails says why", &told},
      {"errors.invalid-params", Level::Standard, true, "Wrong params fail as class 1, though the host checks them too",
       &invalidParams},
      {"errors.failing-calls", Level::Standard, true, "It survives each call of the SDK failing in turn",
       &failingCalls},
      {"errors.lost-output", Level::Standard, true, "It does not claim success when an output or the result was lost",
       &lostOutput, kOwnFiles},
      {"errors.disk-full", Level::Standard, true, "It fails as class 4 when there is no room for its outputs",
       &diskFull},
      {"fuzz.params", Level::Standard, true, "Any params the schema allows do no harm", &fuzz},
      {"fuzz.invalid", Level::Strict, true, "Params the schema refuses do no harm", &fuzzInvalid},
  };
}

}  // namespace jobhost::devtools
