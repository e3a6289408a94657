#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "runner/inspector.hpp"

extern char** environ;

namespace jobhost::runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxListed = 64;

/// Names that stay the same between two looks: the folder is open only while it is read.
Json openFiles() {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at("/proc/self/fd", error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    const auto target = fs::read_symlink(at->path(), ignored).string();
    if (!ignored && target.find("/proc/") != 0) names.push_back(at->path().filename().string() + " " + target);
  }
  std::sort(names.begin(), names.end());
  Json list = Json::array();
  for (const auto& name : names) list.push(name);
  return list;
}

Json fromStatus() {
  Json out = Json::object();
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    for (const char* name : {"Umask:", "Threads:", "SigBlk:", "VmRSS:"}) {
      if (line.rfind(name, 0) != 0) continue;
      const auto begin = line.find_first_not_of(" \t", line.find(':') + 1);
      if (begin != std::string::npos)
        out.set(std::string_view(name, std::string_view(name).size() - 1), line.substr(begin));
    }
  }
  return out;
}

Json handlers() {
  Json out = Json::array();
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action {};
    if (sigaction(signal, nullptr, &action) != 0) continue;
    out.push(reinterpret_cast<std::uintptr_t>(action.sa_handler));
  }
  return out;
}

Json limits() {
  Json out = Json::array();
  for (const int which : {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_CORE, RLIMIT_NOFILE, RLIMIT_AS}) {
    rlimit limit{};
    getrlimit(static_cast<__rlimit_resource_t>(which), &limit);
    out.push(std::to_string(limit.rlim_cur));
  }
  return out;
}

Json environment() {
  std::vector<std::string> lines;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) lines.emplace_back(*at);
  std::sort(lines.begin(), lines.end());
  Json out = Json::array();
  for (const auto& line : lines) out.push(line);
  return out;
}

Json children() {
  Json out = Json::array();
  std::error_code error;
  for (fs::directory_iterator at("/proc/self/task", error), end; !error && at != end; at.increment(error)) {
    std::ifstream list(at->path() / "children");
    for (std::string pid; list >> pid;) out.push(pid);
  }
  return out;
}

/// Files below the work folder that are none of in/, out/ and the attempt's own tmp/; and inputs, with their time.
Json strayFiles(const std::string& folder, std::uint32_t slot) {
  Json out = Json::array();
  std::error_code error;
  const std::string own = "tmp/" + std::to_string(slot);
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = fs::relative(at->path(), folder, error).string();
    if (name == "in" || name == "out" || name == own) {
      at.disable_recursion_pending();
    } else if (name != "tmp" && out.size() < kMaxListed) {
      out.push(name);
    }
  }
  return out;
}

std::string localeNow() {
  const char* name = std::setlocale(LC_ALL, nullptr);
  return name != nullptr ? name : "";
}

std::string folderNow() {
  std::error_code error;
  return fs::current_path(error).string();
}

}  // namespace

Json processState(const std::string& folder, std::uint32_t slot) {
  Json is = fromStatus();
  is.set("pid", getpid());
  is.set("files", openFiles());
  is.set("handlers", handlers());
  is.set("limits", limits());
  is.set("environment", environment());
  is.set("children", children());
  is.set("stray", strayFiles(folder, slot));
  is.set("locale", localeNow());
  is.set("folder", folderNow());
  return is;
}

}  // namespace jobhost::runner
