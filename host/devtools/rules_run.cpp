// Jobs that should work.
#include "devtools/check.hpp"
#include "devtools/params_maker.hpp"
#include "devtools/watched.hpp"
#include "jobhost/abi.h"

namespace jobhost::devtools {
namespace {

constexpr int kHardJobs = 4;
constexpr std::string_view kNoCode = "a program returns nothing; its DONE says how a job ended";
constexpr std::string_view kMayPrint = "what a program prints is its log";

/// Failures that have a rule of their own.
bool toldElsewhere(const Trial& trial) {
  const auto& error = trial.report.end.error;
  return error && (error->code == "cancelled_unasked" || error->code == "bad_return" || error->code == "failed" ||
                   error->message == "the plugin gave no reason");
}

bool internal(const Trial& trial) {
  const auto& error = trial.report.end.error;
  return trial.report.end.kind == dispatch::AttemptEnd::Kind::Failed && error &&
         error->error_class == core::ErrorClass::Internal && !toldElsewhere(trial);
}

Finding ends(Bench& bench) {
  std::vector<std::string> wrong;
  for (const auto& one : trials(bench)) {
    if (auto why = brokenEnd(one); !why.empty()) wrong.push_back(std::move(why));
  }
  return wrong.empty() ? passed(std::to_string(trials(bench).size()) + " jobs") : failed(joined(wrong));
}

Finding examples(Bench& bench) {
  std::vector<std::string> wrong;
  std::vector<std::string> remarks;
  for (const auto& one : trials(bench)) {
    if (!one.example || one.report.succeeded() || !brokenEnd(one).empty() || toldElsewhere(one)) continue;
    (internal(one) ? wrong : remarks).push_back(nameOf(one) + " " + one.report.describe());
  }
  if (!wrong.empty()) return failed(joined(wrong));
  // What an example needs may not be here; --input and --config bring it.
  return remarks.empty() ? passed() : passed("did not succeed here: " + joined(remarks));
}

Finding returnCode(Bench& bench) {
  std::vector<std::string> wrong;
  for (const auto& one : trials(bench)) {
    const auto code = one.end["r"].intOr(0);
    const bool known = code == JH_OK || code == JH_E_FAILED || code == JH_E_CANCELLED || code == JH_E_SUSPENDED;
    if (!known) wrong.push_back(nameOf(one) + " returned " + std::to_string(code));
  }
  if (wrong.empty()) return passed();
  return failed(joined(wrong) + ". run() returns JH_OK, JH_E_FAILED, JH_E_CANCELLED or JH_E_SUSPENDED.");
}

/// The declared schema, around a member, since what is checked must be an object; null where there is none to ask.
std::shared_ptr<const catalog::ParamsSchema> resultSchema(const catalog::JobTypeInfo& info) {
  const auto& schema = info.result_schema_json;
  if (schema == "{}" || schema.find("\"$ref\"") != std::string::npos) return nullptr;
  auto compiled = catalog::ParamsSchema::compile(R"({"type":"object","properties":{"result":)" + schema + "}}");
  return compiled ? *std::move(compiled) : nullptr;
}

Finding resultFits(Bench& bench) {
  std::vector<std::string> wrong;
  for (const auto& one : trials(bench)) {
    const auto schema = resultSchema(bench.subject.manifest->types[one.type].info);
    if (!one.report.succeeded() || !schema) continue;
    const auto checked = schema->check("{\"result\":" + one.report.end.result_json + "}");
    if (checked) continue;
    const auto& fields = checked.error().fields;
    wrong.push_back(nameOf(one) + ": " +
                    (fields.empty() ? checked.error().message : fields[0].pointer + ": " + fields[0].message));
  }
  return wrong.empty() ? passed() : failed("results that are not as the manifest says: " + joined(wrong));
}

/// The progress a job told, as (done, total).
std::vector<std::pair<double, double>> progressOf(const Trial& trial) {
  std::vector<std::pair<double, double>> all;
  for (const auto& call : trial.calls) {
    if (call["c"].stringOr("") != "progress") continue;
    all.emplace_back(call["a"].at(0).numberOr(0), call["a"].at(1).numberOr(0));
  }
  return all;
}

Finding progressGrows(Bench& bench) {
  std::vector<std::string> wrong;
  for (const auto& one : trials(bench)) {
    double last = 0;
    for (const auto& [done, total] : progressOf(one)) {
      const double share = total > 0 ? done / total : 0;
      if (total > 0 && share + 1e-9 < last) {
        wrong.push_back(nameOf(one) + " went back to " + std::to_string(done) + " of " + std::to_string(total));
        break;
      }
      last = std::max(last, share);
    }
  }
  return wrong.empty() ? passed() : failed(joined(wrong));
}

Finding progressEnds(Bench& bench) {
  std::vector<std::string> wrong;
  for (const auto& one : trials(bench)) {
    const auto told = progressOf(one);
    if (!one.report.succeeded() || told.empty() || told.back().second <= 0) continue;
    if (told.back().first + 1e-9 < told.back().second) {
      wrong.push_back(nameOf(one) + " succeeded at " + std::to_string(told.back().first) + " of " +
                      std::to_string(told.back().second));
    }
  }
  return wrong.empty() ? passed() : failed(joined(wrong));
}

Finding sameAgain(Bench& bench) {
  std::vector<Trial> twice;
  for (const auto* one : samples(bench)) {
    twice.push_back({one->job, one->type, one->example, {}, {}, {}});
    twice.push_back(twice.back());
  }
  twice = runTrials(bench, std::move(twice));
  std::vector<std::string> wrong;
  for (std::size_t i = 0; i + 1 < twice.size(); i += 2) {
    const auto& first = twice[i].report;
    const auto& second = twice[i + 1].report;
    if (!brokenEnd(twice[i]).empty()) continue;  // that is run.ends
    if (first.end.kind != second.end.kind) {
      wrong.push_back(nameOf(twice[i]) + " " + first.describe() + ", then " + second.describe());
    } else if (bench.subject.manifest->types[twice[i].type].info.idempotent &&
               first.end.result_json != second.end.result_json) {
      wrong.push_back(nameOf(twice[i]) + " is idempotent and answers " + first.end.result_json.substr(0, 200) +
                      ", then " + second.end.result_json.substr(0, 200));
    }
  }
  return wrong.empty() ? passed() : failed(joined(wrong));
}

Finding prints(Bench& bench) {
  std::vector<std::string> wrong;
  for (const auto& one : trials(bench)) {
    if (!one.report.printed.empty()) wrong.push_back(nameOf(one) + " prints " + one.report.printed.front());
  }
  return wrong.empty() ? passed() : failed(joined(wrong) + ". Use host->log().");
}

Finding generated(Bench& bench, ParamsMaker::Style style) {
  std::vector<Trial> wanted;
  const auto& types = bench.subject.manifest->types;
  for (std::size_t i = 0; i < types.size(); ++i) {
    ParamsMaker maker(types[i].info.params_schema_json, types[i].schema, bench.options.seed);
    for (int n = 0; n < kHardJobs; ++n) {
      Trial trial;
      trial.type = i;
      trial.job.type = types[i].info.name;
      const auto params = maker.make(style);
      if (!params) continue;
      trial.job.params = *params;
      wanted.push_back(std::move(trial));
    }
  }
  std::vector<std::string> wrong;
  for (const auto& one : runBriefly(bench, std::move(wanted))) {
    if (auto why = brokenEnd(one); !why.empty()) {
      wrong.push_back(std::move(why));
    } else if (internal(one)) {
      wrong.push_back(nameOf(one) + " " + one.report.describe());
    }
  }
  return wrong.empty() ? passed() : failed(joined(wrong, 3));
}

Finding unicodeParams(Bench& bench) {
  return generated(bench, ParamsMaker::Style::Unicode);
}

Finding hugeParams(Bench& bench) {
  return generated(bench, ParamsMaker::Style::Huge);
}

}  // namespace

std::vector<Rule> runRules() {
  return {
      {"run.ends", Level::Quick, true, "Every job ends: none crashes or hangs", &ends},
      {"run.examples", Level::Quick, true, "The manifest's examples work, or say what they lack", &examples},
      {"run.return-code", Level::Standard, true, "run() returns one of the four codes it may", &returnCode, kNoCode},
      {"run.result-schema", Level::Standard, true, "Results are as the manifest declares them", &resultFits},
      {"run.progress-grows", Level::Standard, true, "Progress never goes back", &progressGrows},
      {"run.progress-ends", Level::Strict, true, "A job that succeeded has told all of its progress", &progressEnds},
      {"run.same-again", Level::Standard, true, "A second run in the same process ends as the first", &sameAgain},
      {"run.no-output", Level::Strict, true, "Jobs print nothing to stdout and stderr", &prints, kMayPrint,
       kOwnProcess},
      {"run.unicode", Level::Standard, true, "Texts in all scripts do no harm", &unicodeParams},
      {"run.huge", Level::Standard, true, "Params as large as the schema allows do no harm", &hugeParams},
  };
}

}  // namespace jobhost::devtools
