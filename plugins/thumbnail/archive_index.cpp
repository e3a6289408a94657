#include "thumbnail/archive_index.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <vector>

#include "support/archive/archive_names.hpp"
#include "support/files/archive_id.hpp"
#include "support/files/atomic_file.hpp"
#include "support/files/confined.hpp"

namespace jobhost::thumbnail {
namespace {

namespace fs = std::filesystem;
using support::Failure;
using support::FailureKind;

constexpr std::size_t kMaxFiles = 2'000'000;
constexpr std::string_view kFormat = "jobhost-archive-index 1 ";

// The regular files with an archive's name below `folder`, relative. Links to folders are not followed; what cannot be
// read is left out.
std::vector<std::string> archivesBelow(const fs::path& folder, const support::StopCheck& stop) {
  std::vector<std::string> found;
  std::error_code error;
  fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    support::checkStop(stop);
    const std::string name = at->path().filename().string();
    if (name.starts_with('.')) {
      at.disable_recursion_pending();
      continue;
    }
    std::error_code unknown;
    if (!support::isArchiveName(name) || !at->is_regular_file(unknown)) continue;
    if (found.size() >= kMaxFiles)
      throw Failure(FailureKind::Limit, "content.too_many", "the content folder has too many archives");
    found.push_back(at->path().lexically_relative(folder).string());
  }
  return found;
}

}  // namespace

ArchiveIndex::ArchiveIndex(fs::path content_dir, fs::path cache_file, ScanBudget::Clock clock)
    : content_dir_(std::move(content_dir)),
      cache_file_(std::move(cache_file)),
      budget_(cache_file_.string() + "-scans", std::move(clock)) {}

std::optional<support::UniqueFd> ArchiveIndex::open(const std::string& id, const support::StopCheck& stop) {
  if (!support::isArchiveId(id) || content_dir_.empty()) return std::nullopt;
  if (auto file = openKnown(id)) return file;
  const std::size_t scans = scans_;
  const std::lock_guard lock(scan_mutex_);
  loadIfChanged(stop);
  if (auto file = openKnown(id)) return file;
  if (scans_ != scans || !budget_.take()) return std::nullopt;  // whoever this one waited for has looked
  const auto begun = std::chrono::steady_clock::now();
  scan(stop);
  budget_.spent(
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun).count());
  return openKnown(id);
}

std::vector<std::string> ArchiveIndex::ids(const support::StopCheck& stop) {
  if (content_dir_.empty()) return {};
  const std::lock_guard scanning(scan_mutex_);
  loadIfChanged(stop);
  scan(stop);
  std::vector<std::string> all;
  const std::lock_guard lock(mutex_);
  for (const auto& [path, known] : files_) all.push_back(known.id);
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::optional<support::UniqueFd> ArchiveIndex::openKnown(const std::string& id) {
  std::vector<std::string> paths;
  {
    const std::lock_guard lock(mutex_);
    const auto [begin, end] = paths_of_.equal_range(id);
    for (auto at = begin; at != end; ++at) paths.push_back(at->second);
  }
  for (const std::string& path : paths) {
    try {
      support::UniqueFd file = support::ConfinedRoots({content_dir_}).openFile(path);
      if (support::archiveIdOf(file.get()) == id) return file;
    } catch (const Failure&) {
      // Gone, replaced or unreadable: another copy may be there, else a scan tells.
    }
  }
  return std::nullopt;
}

void ArchiveIndex::scan(const support::StopCheck& stop) {
  Files now;
  bool changed = false;
  ++scans_;
  for (const std::string& path : archivesBelow(content_dir_, stop)) {
    support::checkStop(stop);
    struct stat info {};
    if (::stat((content_dir_ / path).c_str(), &info) != 0) continue;
    Known known{
        static_cast<std::uint64_t>(info.st_size), info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec, {}};
    {
      const std::lock_guard lock(mutex_);
      const auto before = files_.find(path);
      if (before != files_.end() && before->second.size == known.size && before->second.changed_ns == known.changed_ns)
        known.id = before->second.id;
    }
    if (known.id.empty()) {
      const auto id = hash(path);
      if (!id) continue;
      known.id = *id;
      changed = true;
      const std::lock_guard lock(mutex_);
      files_[path] = known;  // kept when the scan is stopped half way
      paths_of_.emplace(known.id, path);
    }
    now.emplace(path, std::move(known));
  }
  {
    const std::lock_guard lock(mutex_);
    changed = changed || now.size() != files_.size();
  }
  if (!changed) return;
  save(now);
  replace(std::move(now));
}

void ArchiveIndex::replace(Files files) {
  std::multimap<std::string, std::string> paths;
  for (const auto& [path, known] : files) paths.emplace(known.id, path);
  const std::lock_guard lock(mutex_);
  files_ = std::move(files);
  paths_of_ = std::move(paths);
}

std::optional<std::string> ArchiveIndex::hash(const std::string& path) {
  try {
    const support::UniqueFd file = support::ConfinedRoots({content_dir_}).openFile(path);
    ++hashed_;
    return support::archiveIdOf(file.get());
  } catch (const Failure&) {
    return std::nullopt;  // empty, unreadable or a link that leads out: no archive
  }
}

ArchiveIndex::Mark ArchiveIndex::markOfCache() const {
  struct stat info {};
  if (::stat(cache_file_.c_str(), &info) != 0) return {};
  return {info.st_ino, info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec};
}

// What another process found since; at first what an earlier one did. One line for the format and folder, then
// "id size changed_ns path" for each file. Lines that do not read are skipped.
void ArchiveIndex::loadIfChanged(const support::StopCheck& stop) {
  const Mark mark = markOfCache();
  if (mark == read_) return;
  std::ifstream in(cache_file_);
  std::string line;
  Files files;
  const bool ours = std::getline(in, line) && line == std::string(kFormat) + content_dir_.string();
  while (ours && files.size() < kMaxFiles && std::getline(in, line)) {
    support::checkStop(stop);  // a million lines take seconds
    std::istringstream fields(line);
    Known known;
    std::string path;
    if (!(fields >> known.id >> known.size >> known.changed_ns) || fields.get() != ' ' || !std::getline(fields, path))
      continue;
    if (support::isArchiveId(known.id) && !path.empty()) files[path] = std::move(known);
  }
  {
    const std::lock_guard lock(mutex_);
    files.merge(files_);  // what only this one read; a hint does no harm
  }
  replace(std::move(files));
  read_ = mark;
}

void ArchiveIndex::save(const Files& files) {
  std::string text = std::string(kFormat) + content_dir_.string() + "\n";
  for (const auto& [path, known] : files) {
    if (path.find('\n') != std::string::npos) continue;
    text += known.id + " " + std::to_string(known.size) + " " + std::to_string(known.changed_ns) + " " + path + "\n";
  }
  try {
    support::writeFileAtomically(cache_file_, text);
    read_ = markOfCache();
  } catch (const Failure&) {
    // Only a cache: the next process reads the files again.
  }
}

}  // namespace jobhost::thumbnail
