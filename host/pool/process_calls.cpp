#include "pool/process_calls.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "core/json_text.hpp"
#include "pool/call_request.hpp"

namespace jobhost::pool {
namespace {

// The ABI's numbers (sdk/include/jobhost/abi.h).
constexpr int kClassPermanent = 3;
constexpr int kClassDenied = 5;

CallAnswer refused(std::int32_t result, const char* code, int error_class, const std::string& why) {
  return {result, why,
          "{\"code\":" + core::quoteJson(code) + ",\"message\":" + core::quoteJson(why) +
              ",\"class\":" + std::to_string(error_class) + "}"};
}

bool isPlainName(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         std::none_of(name.begin(), name.end(),
                      [](char c) { return c == '/' || static_cast<unsigned char>(c) < 0x20; });
}

bool isProgram(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

/// The first program of that name in the folders; empty: none. A few stat() calls on folders of the system: not worth
/// a thread.
std::string findIn(std::string_view folders, std::string_view name) {
  while (!folders.empty()) {
    const auto end = std::min(folders.find(':'), folders.size());
    const auto folder = folders.substr(0, end);
    folders.remove_prefix(std::min(end + 1, folders.size()));
    if (folder.empty() || folder.front() != '/') continue;
    std::string path = std::string(folder) + "/" + std::string(name);
    if (isProgram(path)) return path;
  }
  return {};
}

}  // namespace

void findProgramForAttempt(PoolContext& context, Attempt& attempt, const wire::Call& call,
                           const std::function<void(const CallAnswer&)>& answer) {
  const std::string_view name = call.body;
  const std::string shown = "\"" + core::cleanText(name, 128) + "\"";
  if (!isPlainName(name)) {
    return answer(refused(kInvalid, "process.invalid_request", kClassPermanent, shown + " is no program's name"));
  }
  const auto& job = attempt.assignment.job;
  if (!allows(attempt.type->info.permissions.exec, name)) {
    if (context.services != nullptr) {
      context.services->refused({job.id, job.lease, job.type, attempt.assignment.plugin, job.owner, job.depth},
                                "process.spawn", core::cleanText(name, 128));
    }
    return answer(refused(kDenied, "process.not_permitted", kClassDenied,
                          "the manifest's permissions.exec does not name the program " + shown));
  }
  const auto& options = context.options;
  const std::string program = findIn(options.program_path, name);
  if (program.empty()) {
    return answer(refused(kNotFound, "process.not_found", kClassPermanent,
                          "this host has no program " + shown + " in " + options.program_path));
  }
  answer({0,
          {},
          "{\"program\":" + core::quoteJson(program) + ",\"keeper\":" + core::quoteJson(options.runner.string()) +
              ",\"search_path\":" + core::quoteJson(options.program_path) + ",\"environment\":[" +
              core::quoteJson(context.warden.marker()) + "],\"most\":" + std::to_string(options.programs_at_once) +
              "}"});
}

}  // namespace jobhost::pool
