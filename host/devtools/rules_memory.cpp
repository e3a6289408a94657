// What valgrind finds while the manifest's examples run.
#include <algorithm>

#include "devtools/check.hpp"

namespace jobhost::devtools {
namespace {

constexpr std::string_view kInterpreter = "in a program valgrind finds what its interpreter does; it has its own tools";
constexpr std::size_t kShownFrames = 4;

bool isOf(const MemcheckError& error, const std::string& plugin) {
  return std::any_of(error.stack.begin(), error.stack.end(), [&](const auto& frame) { return frame.object == plugin; });
}

/// "Invalid read of size 1: in run (zoo_run.h:64), job_thread".
std::string described(const MemcheckError& error, const std::string& plugin) {
  const auto inside =
      std::find_if(error.stack.begin(), error.stack.end(), [&](const auto& frame) { return frame.object == plugin; });
  std::string text = error.what + ": in ";
  std::size_t shown = 0;
  for (auto at = inside; at != error.stack.end() && at->object == plugin && shown < kShownFrames; ++at) {
    text += (shown++ == 0 ? "" : ", ") + (at->function.empty() ? std::string("?") : at->function) +
            (at->place.empty() ? "" : " (" + at->place + ")");
  }
  return text;
}

template <class Wanted>
Finding without(Bench& bench, const Wanted& wanted) {
  if (!bench.memcheck) bench.memcheck = underMemcheck(bench);
  const auto& found = *bench.memcheck;
  if (!found) {
    const bool missing = found.error().code == core::ErrorCode::NotFound;
    return missing ? skipped(found.error().message + "; on Debian: apt-get install valgrind")
                   : failed(found.error().message);
  }
  const auto plugin = bench.subject.path.string();
  std::vector<std::string> wrong;
  for (const auto& error : *found) {
    if (wanted(error.kind) && isOf(error, plugin)) wrong.push_back(described(error, plugin));
  }
  return wrong.empty() ? passed() : failed(joined(wrong));
}

Finding leaks(Bench& bench) {
  return without(bench, [](const std::string& kind) { return kind == "Leak_DefinitelyLost"; });
}

Finding accesses(Bench& bench) {
  return without(bench, [](const std::string& kind) {
    return kind == "InvalidRead" || kind == "InvalidWrite" || kind == "InvalidFree" || kind == "MismatchedFree";
  });
}

}  // namespace

std::vector<Rule> memoryRules() {
  return {
      {"memory.accesses", Level::Strict, true, "It reads, writes and frees only what is its own (valgrind)", &accesses,
       kInterpreter, kOwnProcess},
      {"memory.leaks", Level::Strict, true, "No memory is lost for good (valgrind)", &leaks, kInterpreter, kOwnProcess},
  };
}

}  // namespace jobhost::devtools
