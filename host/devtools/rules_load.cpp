// From dlopen to the end of init(), and the way out.
#include "devtools/check.hpp"
#include "devtools/watched.hpp"

namespace jobhost::devtools {
namespace {

constexpr std::int64_t kMostLoadUs = 1'000'000;
constexpr std::string_view kNoEntry = "a program has no entry and no tables";
constexpr std::string_view kItsOwn = "the process is the program's own";
constexpr std::string_view kMayPrint = "what a program prints is its log";

/// Loads the plugin in a process of its own and hands on what was seen; `look` is asked only when it loaded.
template <class Look>
Finding loaded(Bench& bench, Look look) {
  WatchPlan plan;
  plan.calls = true;
  plan.state = true;
  Lab lab(bench.subject, bench.options.lab, plan, {});
  const auto probed = lab.load();
  if (!probed) return failed(probed.error().message);
  const auto lines = lab.watched();
  return look(*probed, lines);
}

Finding loads(Bench& bench) {
  return loaded(bench, [](const auto&, const auto& lines) {
    const Json module = stepLine(lines, "module");
    return passed("load " + std::to_string(module["load_us"].intOr(0)) + " us, init " +
                  std::to_string(module["init_us"].intOr(0)) + " us");
  });
}

Finding timeOnce(Bench& bench) {
  return loaded(bench, [](const auto&, const auto& lines) {
    const Json module = stepLine(lines, "module");
    const auto took = module["load_us"].intOr(0) + module["init_us"].intOr(0);
    if (took <= kMostLoadUs) return passed();
    return failed("loading and init() took " + std::to_string(took / 1000) +
                  " ms, at most 1000 ms. Do it in the first job.");
  });
}

Finding time(Bench& bench) {
  Finding found = timeOnce(bench);
  // The second time the libraries are in memory, and a machine that was busy may not be any more.
  if (found.verdict == Verdict::Failed) found = timeOnce(bench);
  return found;
}

Finding noThreads(Bench& bench) {
  return loaded(bench, [](const auto&, const auto& lines) {
    const auto before = stateAt(lines, "start");
    const auto after = stateAt(lines, "loaded");
    if (before["Threads"] == after["Threads"]) return passed();
    return failed("there are " + std::string(after["Threads"].stringOr("?")) + " threads after init(), there were " +
                  std::string(before["Threads"].stringOr("?")) + ". Start them in run() and end them there.");
  });
}

Finding noOutput(Bench& bench) {
  return loaded(bench, [](const auto& probed, const auto&) {
    if (probed.printed.empty()) return passed();
    return failed("loading it prints \"" + probed.printed.front() + "\". Use host->log(NULL, …) in init().");
  });
}

Finding entryTwice(Bench& bench) {
  return loaded(bench, [](const auto&, const auto& lines) {
    if (stepLine(lines, "module")["same_entry"].boolOr(false)) return passed();
    return failed("the entry answers another pointer each time. It must return the address of one static jh_module.");
  });
}

Finding entryPure(Bench& bench) {
  return loaded(bench, [](const auto&, const auto& lines) {
    for (const auto& line : lines) {
      if (line["p"].stringOr("") == "entry") {
        return failed("the entry calls " + std::string(line["c"].stringOr("")) +
                      "(); it must only return a pointer. Use init().");
      }
    }
    return passed();
  });
}

Finding unknownExtension(Bench& bench) {
  return loaded(bench, [](const auto&, const auto& lines) {
    if (stepLine(lines, "module")["unknown_null"].boolOr(false)) return passed();
    return failed("get_extension() answers something for ids it cannot know; it must answer NULL");
  });
}

Finding pastEnd(Bench& bench) {
  return loaded(bench, [](const auto&, const auto& lines) {
    if (stepLine(lines, "module")["past_end_null"].boolOr(false)) return passed();
    return failed("job_type(index) past the end must answer NULL");
  });
}

Finding names(Bench& bench) {
  return loaded(bench, [&](const auto& probed, const auto&) {
    std::vector<std::string> wrong;
    std::vector<std::string> said;
    for (const auto& type : bench.subject.manifest->types) said.push_back(type.info.name);
    const auto missing = [&](const auto& from, const auto& in, const char* what) {
      for (const auto& name : from) {
        if (std::find(in.begin(), in.end(), name) == in.end()) wrong.push_back("\"" + name + "\" " + what);
      }
    };
    missing(said, probed.job_types, "is in the manifest and not in the module");
    missing(probed.job_types, said, "is in the module and not in the manifest");
    return wrong.empty() ? passed() : failed(joined(wrong));
  });
}

Finding noFiles(Bench& bench) {
  return loaded(bench, [](const auto&, const auto& lines) {
    const auto more = added(stateAt(lines, "start")["files"], stateAt(lines, "loaded")["files"]);
    return more.empty() ? passed() : failed("files stay open after init(): " + joined(more));
  });
}

Finding leaves(Bench& bench) {
  return loaded(bench, [](const auto&, const auto& lines) {
    if (!stepLine(lines, "deinit").isNull()) return passed();
    return failed("deinit() did not come back within 2 s, or took the process with it");
  });
}

}  // namespace

std::vector<Rule> loadRules() {
  return {
      {"load.loads", Level::Quick, false, "It loads with all symbols bound, and init() succeeds", &loads},
      {"load.time", Level::Quick, true, "Loading and init() take at most a second", &time},
      {"load.no-threads", Level::Quick, true, "No thread is left after init()", &noThreads, kItsOwn, kOwnProcess},
      {"load.no-files", Level::Standard, true, "No file is left open after init()", &noFiles, kItsOwn, kOwnProcess},
      {"load.no-output", Level::Standard, true, "Loading prints nothing", &noOutput, kMayPrint, kOwnProcess},
      {"load.entry-twice", Level::Quick, true, "The entry answers the same pointer each time", &entryTwice, kNoEntry},
      {"load.entry-pure", Level::Standard, true, "The entry does nothing but return", &entryPure, kNoEntry},
      {"load.unknown-extension", Level::Standard, true, "Unknown extension ids are answered NULL", &unknownExtension,
       kNoEntry},
      {"load.job-type-end", Level::Quick, true, "job_type() past the end answers NULL", &pastEnd, kNoEntry},
      {"load.names", Level::Quick, true, "Module and manifest have the same job types", &names},
      {"load.leaves", Level::Standard, true, "It ends in good order when told to", &leaves},
  };
}

}  // namespace jobhost::devtools
