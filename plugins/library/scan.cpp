#include "library/scan.hpp"

#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <set>
#include <thread>

#include "library/names.hpp"
#include "support/archive/archive_names.hpp"
#include "support/files/archive_id.hpp"
#include "support/files/confined.hpp"
#include "support/image/thumbnail.hpp"
#include "support/job/job_failures.hpp"
#include "support/tags/tags.hpp"

namespace jobhost::library {
namespace {

namespace fs = std::filesystem;
using support::Failure;
using support::FailureKind;

constexpr std::size_t kBatch = 2000;  // files between two looks at what is to be told
constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
constexpr const char* kLastScan = "last";

std::string textOf(const Json& value, const char* name) {
  return std::string(value[name].stringOr(""));
}

std::int64_t nowMs() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

// What a job that was killed while it took a file in left behind: ".<job>.upload".
void removeOldUpload(const fs::path& path, const std::string& name) {
  struct stat info {};
  if (!name.ends_with(".upload") || name.find_first_not_of("0123456789", 1) != name.size() - 7) return;
  if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return;
  if (nowMs() - info.st_mtim.tv_sec * 1000 > kDayMs) ::unlink(path.c_str());
}

// The archives below the content folder, by path. Links to folders are not followed; what cannot be read is left out.
std::vector<FoundFile> lookThrough(Job& job, const Settings& settings) {
  std::vector<FoundFile> found;
  std::error_code error;
  fs::recursive_directory_iterator at(settings.content_dir, fs::directory_options::skip_permission_denied, error);
  if (error) {
    throw Failure(FailureKind::Io, "content.unreadable", "the content folder cannot be read: " + error.message());
  }
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    job.check();
    const std::string name = at->path().filename().string();
    if (name.starts_with('.')) {
      at.disable_recursion_pending();
      removeOldUpload(at->path(), name);
      continue;
    }
    struct stat info {};
    if (!support::isArchiveName(name) || ::stat(at->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    std::string path = at->path().lexically_relative(settings.content_dir).string();
    if (support::asUtf8(path) != path) continue;  // a record could not name it
    if (found.size() >= settings.max_files) {
      throw Failure(FailureKind::Limit, "content.too_many",
                    "the content folder has more than " + std::to_string(settings.max_files) + " archives (max_files)");
    }
    found.push_back({std::move(path), info.st_size, info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1'000'000, {}});
  }
  if (error) {
    // Half a folder must not pass for the whole: the other half's records would lose their files.
    throw Failure(FailureKind::Io, "content.unreadable", "the content folder cannot be read: " + error.message());
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return found;
}

// The file system the folder is on: the number of its device, and what it calls itself. Either may change with the
// order in which disks are found, both together with the disk.
struct Device {
  std::string number;
  std::string name;  ///< empty: it has none

  static Device of(const fs::path& folder) {
    Device device;
    struct stat info {};
    struct statfs system {};
    if (::stat(folder.c_str(), &info) == 0) device.number = std::to_string(info.st_dev);
    if (::statfs(folder.c_str(), &system) == 0) {
      std::uint64_t id = 0;
      static_assert(sizeof(system.f_fsid) == sizeof(id));
      std::memcpy(&id, &system.f_fsid, sizeof(id));
      if (id != 0) device.name = std::to_string(id);
    }
    return device;
  }
  [[nodiscard]] bool isAnother(const Device& before) const {
    if (before.number.empty() || number == before.number) return false;
    return name.empty() || name != before.name;
  }
};

/// One scan: what the attempt knows on the way.
class Scan {
 public:
  Scan(Job& job, const Settings& settings) : job_(job), settings_(settings), shelf_(job) {}

  ScanOutcome run(WhenAway away) {
    known_ = shelf_.archives();
    const Device device = Device::of(settings_.content_dir);
    files_ = lookThrough(job_, settings_);
    if (away == WhenAway::Refuse) checkFolder(device);
    outcome_.files = static_cast<std::int64_t>(files_.size());
    for (const auto& entry : known_) registered_.insert(entry.id);
    readNewFiles();
    apply(planScan(known_, files_));
    remember(device);
    return outcome_;
  }

 private:
  // A folder that is not mounted looks like one whose archives are all gone; believed, every record would lose its
  // file.
  void checkFolder(const Device& device) const {
    std::set<std::string_view> paths;
    for (const auto& file : files_) paths.insert(file.path);
    std::size_t had = 0;
    std::size_t missing = 0;
    for (const auto& entry : known_) {
      if (entry.file.empty()) continue;
      ++had;
      if (!paths.contains(entry.file)) ++missing;
    }
    if (missing == 0) return;
    const std::string folder = settings_.content_dir.string();
    const std::string way = " If they are gone for good, run scan_library with force.";
    if (files_.empty()) {
      throw Failure(FailureKind::Io, "library.folder_empty",
                    "content_dir: " + folder + " has no archives, where " + std::to_string(had) +
                        " are known: is it mounted?" + way);
    }
    const auto record = job_.records("scans").get(kLastScan);
    if (!record) return;
    const Device before{textOf(record->value, "device"), textOf(record->value, "file_system")};
    if (!device.isAnother(before)) return;
    throw Failure(FailureKind::Io, "library.folder_moved",
                  "content_dir: " + folder + " is on another file system than at the last scan and lacks " +
                      std::to_string(missing) + " of " + std::to_string(had) +
                      " known archives: is the right one mounted?" + way);
  }

  void remember(const Device& device) const {
    shelf_.update("scans", kLastScan, [&](Json& value) {
      const Json now{
          {"folder", settings_.content_dir.string()}, {"device", device.number}, {"file_system", device.name}};
      if (value == now) return false;
      value = now;
      return true;
    });
  }

  void readNewFiles() {
    std::map<std::string_view, const ArchiveEntry*> by_file;
    for (const auto& entry : known_) {
      if (!entry.file.empty()) by_file[entry.file] = &entry;
    }
    std::vector<std::size_t> unread;
    for (std::size_t i = 0; i < files_.size(); ++i) {
      FoundFile& file = files_[i];
      const auto at = by_file.find(file.path);
      if (at != by_file.end() && at->second->size == file.size && at->second->mtime_ms == file.mtime_ms) {
        file.id = at->second->id;
      } else {
        unread.push_back(i);
      }
    }
    for (std::size_t done = 0; done < unread.size(); done += kBatch) {
      const std::size_t count = std::min(kBatch, unread.size() - done);
      inParallel(
          count, settings_.threads, [&](std::size_t i) { read(files_[unread[done + i]]); },
          [&](std::size_t n) { tell(done + n, unread.size()); });
    }
    outcome_.hashed = static_cast<std::int64_t>(unread.size());
  }

  void tell(std::size_t done, std::size_t total) {
    job_.progress(static_cast<double>(done), static_cast<double>(total), "new files");
  }

  // On any thread: its id, and its record where there is none of that id.
  void read(FoundFile& file) {
    const auto stop = support::stopCheckOf(job_);
    try {
      const auto fd = support::ConfinedRoots({settings_.content_dir}).openFile(file.path);
      file.id = support::archiveIdOf(fd.get());
      bool is_new = false;
      {
        const std::lock_guard lock(mutex_);
        is_new = registered_.insert(file.id).second;
      }
      if (is_new) {
        place(file, pagesOf(fd.get(), stop));
        const std::lock_guard lock(mutex_);
        ++outcome_.added;
        made_.insert(file.id);
      }
    } catch (const Failure&) {
      const std::lock_guard lock(mutex_);
      ++outcome_.unreadable;  // empty, unreadable or a link that leads out: no archive
    }
  }

  std::int64_t pagesOf(int fd, const support::StopCheck& stop) const {
    try {
      return countArchivePages(fd, settings_, stop);
    } catch (const Failure&) {
      return 0;  // it is in the folder all the same; whoever reads it says what is wrong with it
    }
  }

  // Whether the archive lies there at this moment.
  bool isAt(const std::string& file, const std::string& id) const {
    if (file.empty()) return false;
    try {
      return support::archiveIdOf(support::ConfinedRoots({settings_.content_dir}).openFile(file).get()) == id;
    } catch (const Failure&) {
      return false;
    }
  }

  void place(const FoundFile& file, std::int64_t pages) {
    const std::string name = fs::path(file.path).filename().string();
    const std::int64_t now = nowMs() / 1000;
    shelf_.update("archives", file.id, [&](Json& value) {
      const bool is_new = !value["added"].isInt();
      // An upload may have been faster than the look through the folder.
      if (const std::string now_at(value["file"].stringOr(""));
          pages < 0 && now_at != file.path && isAt(now_at, file.id))
        return false;
      value.set("file", file.path).set("name", name).set("size", file.size).set("mtime", file.mtime_ms);
      if (pages >= 0) value.set("pagecount", pages);
      if (!is_new) return true;
      value.set("title", stemOf(name)).set("isnew", true).set("added", now);
      value.set("tags", settings_.date_added ? "date_added:" + std::to_string(now) : std::string());
      return true;
    });
  }

  void apply(const ScanPlan& plan) {
    for (const auto& [id, file] : plan.place) {
      job_.check();
      if (made_.contains(id)) continue;
      place(file, -1);
      ++outcome_.changed;
    }
    for (const auto& id : plan.drop) {
      job_.check();
      bool gone = false;
      shelf_.update("archives", id, [&](Json& value) {
        const std::string file(value["file"].stringOr(""));
        gone = !file.empty() && !isAt(file, id);
        if (gone) value.set("file", "");
        return gone;
      });
      if (gone) ++outcome_.gone;
    }
  }

  Job& job_;
  const Settings& settings_;
  const Shelf shelf_;
  std::vector<ArchiveEntry> known_;
  std::vector<FoundFile> files_;
  std::mutex mutex_;  ///< guards what follows while files are read
  std::set<std::string> registered_;
  std::set<std::string> made_;  ///< records this scan made
  ScanOutcome outcome_;
};

}  // namespace

std::int64_t countArchivePages(int fd, const Settings& settings, const support::StopCheck& stop) {
  if (support::kindOf({fd, {}}) == support::SourceKind::Pdf) return support::countPages({fd, {}});
  return static_cast<std::int64_t>(support::Archive(fd, settings.archive, stop).pages().size());
}

ScanPlan planScan(const std::vector<ArchiveEntry>& known, const std::vector<FoundFile>& files) {
  std::map<std::string, std::vector<const FoundFile*>> copies;
  for (const auto& file : files) {
    if (!file.id.empty()) copies[file.id].push_back(&file);
  }
  ScanPlan plan;
  for (const auto& entry : known) {
    const auto found = copies.find(entry.id);
    if (found == copies.end()) {
      if (!entry.file.empty()) plan.drop.push_back(entry.id);
      continue;
    }
    const FoundFile* file = found->second.front();
    for (const auto* copy : found->second) {
      if (copy->path == entry.file) file = copy;
    }
    if (file->path != entry.file || file->size != entry.size || file->mtime_ms != entry.mtime_ms)
      plan.place[entry.id] = *file;
    copies.erase(found);
  }
  for (const auto& [id, some] : copies) plan.place[id] = *some.front();
  return plan;
}

ScanOutcome scanLibrary(Job& job, const Settings& settings, WhenAway away) {
  if (settings.content_dir.empty()) return {};
  job.progress(0, 0, "looking through the content folder");
  return Scan(job, settings).run(away);
}

void inParallel(std::size_t count, int threads, const std::function<void(std::size_t)>& work,
                const std::function<void(std::size_t)>& tick) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> give_up{false};
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t done = 0;
  std::size_t running = std::min<std::size_t>(count, static_cast<std::size_t>(std::max(1, threads)));
  std::exception_ptr failure;
  const auto loop = [&] {
    for (std::size_t i = next++; i < count && !give_up; i = next++) {
      try {
        work(i);
      } catch (...) {  // Cancelled and Stopped too: it is thrown again on the caller's thread
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
        give_up = true;
      }
      const std::lock_guard lock(mutex);
      ++done;
      changed.notify_one();
    }
    const std::lock_guard lock(mutex);
    --running;
    changed.notify_one();
  };
  struct GiveUp {
    std::atomic<bool>& flag;
    ~GiveUp() { flag = true; }
  };
  {
    std::vector<std::jthread> pool;
    const GiveUp end{give_up};  // before the threads are joined, whatever tick() throws
    for (std::size_t i = running; i > 0; --i) pool.emplace_back(loop);
    std::unique_lock lock(mutex);
    for (std::size_t told = 0;;) {
      changed.wait(lock, [&] { return running == 0 || done > told; });
      told = done;
      const bool over = running == 0;
      lock.unlock();
      tick(told);
      lock.lock();
      if (over) break;
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace jobhost::library
