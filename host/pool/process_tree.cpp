#include "pool/process_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <memory>
#include <unordered_map>

#include "pool/unique_fd.hpp"

namespace jobhost::pool {
namespace {

/// Reads a small file of /proc whole; empty when it cannot be read.
std::string readProc(const std::string& path, std::size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!fd) return text;
  std::array<char, 4096> buffer;
  while (text.size() < limit) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

std::string procPath(pid_t pid, std::string_view file) {
  return "/proc/" + std::to_string(pid) + "/" + std::string(file);
}

template <class T>
T field(const std::vector<std::string_view>& fields, std::size_t index) {
  T value{};
  if (index < fields.size()) std::from_chars(fields[index].data(), fields[index].data() + fields[index].size(), value);
  return value;
}

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};
using Dir = std::unique_ptr<DIR, CloseDir>;

/// The numeric names in a folder of /proc.
std::vector<pid_t> numbersIn(const std::string& path) {
  std::vector<pid_t> numbers;
  const Dir dir(::opendir(path.c_str()));
  if (!dir) return numbers;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    pid_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc{} && end == name.data() + name.size()) numbers.push_back(number);
  }
  return numbers;
}

template <class Matches>
bool anyEnvironment(pid_t pid, const Matches& matches) {
  const std::string environment = readProc(procPath(pid, "environ"), std::size_t{256} * 1024);
  std::size_t at = 0;
  while (at < environment.size()) {
    const std::size_t end = environment.find('\0', at);
    const std::size_t stop = end == std::string::npos ? environment.size() : end;
    if (matches(std::string_view(environment).substr(at, stop - at))) return true;
    at = stop + 1;
  }
  return false;
}

}  // namespace

std::optional<ProcessInfo> parseStat(std::string_view stat) {
  const std::size_t open = stat.find('(');
  const std::size_t close = stat.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
  ProcessInfo info;
  std::from_chars(stat.data(), stat.data() + open, info.pid);
  std::vector<std::string_view> fields;  // fields[0] is field 3 of proc(5): the state
  std::string_view rest = stat.substr(close + 1);
  while (!rest.empty()) {
    const std::size_t start = rest.find_first_not_of(" \n");
    if (start == std::string_view::npos) break;
    const std::size_t end = rest.find_first_of(" \n", start);
    fields.push_back(rest.substr(start, end - start));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end);
  }
  if (fields.size() < 22 || info.pid <= 0) return std::nullopt;
  static const long page = ::sysconf(_SC_PAGESIZE);
  info.state = fields[0].front();
  info.parent = field<pid_t>(fields, 1);
  info.session = field<pid_t>(fields, 3);
  info.cpu_ticks = field<std::uint64_t>(fields, 11) + field<std::uint64_t>(fields, 12);
  info.start_ticks = field<std::uint64_t>(fields, 19);
  info.rss_bytes = field<std::int64_t>(fields, 21) * page;
  return info;
}

std::optional<ProcessInfo> processInfo(pid_t pid) {
  return parseStat(readProc(procPath(pid, "stat"), 8192));
}

std::vector<ProcessInfo> allProcesses() {
  std::vector<ProcessInfo> all;
  for (const pid_t pid : numbersIn("/proc")) {
    if (auto info = processInfo(pid)) all.push_back(*info);
  }
  return all;
}

std::vector<ProcessInfo> descendants(const std::vector<ProcessInfo>& all, pid_t root) {
  std::unordered_multimap<pid_t, const ProcessInfo*> children;
  for (const auto& info : all) children.emplace(info.parent, &info);
  std::vector<ProcessInfo> below;
  std::vector<pid_t> open{root};
  while (!open.empty() && below.size() <= all.size()) {
    const pid_t parent = open.back();
    open.pop_back();
    const auto [first, last] = children.equal_range(parent);
    for (auto it = first; it != last; ++it) {
      below.push_back(*it->second);
      open.push_back(it->second->pid);
    }
  }
  return below;
}

bool hasChildren(pid_t pid) {
  const std::string tasks = procPath(pid, "task");
  for (const pid_t thread : numbersIn(tasks)) {
    if (!readProc(tasks + "/" + std::to_string(thread) + "/children", 64).empty()) return true;
  }
  return false;
}

bool hasEnvironment(pid_t pid, std::string_view entry) {
  return anyEnvironment(pid, [&](std::string_view line) { return line == entry; });
}

bool hasEnvironmentName(pid_t pid, std::string_view prefix) {
  return anyEnvironment(pid, [&](std::string_view line) { return line.starts_with(prefix); });
}

std::int64_t residentBytes(pid_t pid) {
  const auto info = processInfo(pid);
  return info ? info->rss_bytes : 0;
}

}  // namespace jobhost::pool
