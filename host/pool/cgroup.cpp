#include "pool/cgroup.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <sstream>

#include "pool/unique_fd.hpp"

namespace jobhost::pool {
namespace {

bool writeText(const std::filesystem::path& path, const std::string& text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

/// This process's group in the hierarchy of the pids controller, as a path below its mount point.
std::string ownGroup(std::string_view controller) {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    if (line.substr(first + 1, second - first - 1) == controller) return line.substr(second + 1);
  }
  return {};
}

std::vector<std::filesystem::path> candidates() {
  std::vector<std::filesystem::path> found;
  if (const auto group = ownGroup("pids"); !group.empty()) found.push_back("/sys/fs/cgroup/pids" + group);
  if (const auto group = ownGroup(""); !group.empty()) found.push_back("/sys/fs/cgroup" + group);
  return found;
}

}  // namespace

PidsCgroup::PidsCgroup(const std::string& name) {
  if (name.empty()) return;
  for (const auto& parent : candidates()) {
    const auto base = parent / name;
    if (::mkdir(base.c_str(), 0755) != 0 && errno != EEXIST) continue;
    const auto probe = base / "probe";
    const bool made = ::mkdir(probe.c_str(), 0755) == 0 || errno == EEXIST;
    const bool usable = made && ::access((probe / "pids.max").c_str(), W_OK) == 0;
    ::rmdir(probe.c_str());
    if (usable) {
      base_ = base;
      return;
    }
    ::rmdir(base.c_str());
  }
}

PidsCgroup::~PidsCgroup() {
  if (available()) ::rmdir(base_.c_str());
}

bool PidsCgroup::add(const std::string& group, pid_t pid, int limit) {
  if (!available()) return false;
  const auto folder = base_ / group;
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) return false;
  return writeText(folder / "pids.max", std::to_string(limit)) &&
         writeText(folder / "cgroup.procs", std::to_string(pid));
}

std::vector<pid_t> PidsCgroup::members(const std::string& group) const {
  std::vector<pid_t> pids;
  if (!available()) return pids;
  std::ifstream file(base_ / group / "cgroup.procs");
  for (pid_t pid = 0; file >> pid;) pids.push_back(pid);
  return pids;
}

void PidsCgroup::freezeForks(const std::string& group) {
  if (available()) writeText(base_ / group / "pids.max", "0");
}

long PidsCgroup::refusals(const std::string& group) const {
  if (!available()) return 0;
  std::ifstream file(base_ / group / "pids.events");
  std::string word;
  for (long count = 0; file >> word >> count;) {
    if (word == "max") return count;
  }
  return 0;
}

void PidsCgroup::remove(const std::string& group) {
  if (available()) ::rmdir((base_ / group).c_str());
}

}  // namespace jobhost::pool
