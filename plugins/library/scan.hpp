#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "library/settings.hpp"
#include "library/shelf.hpp"

namespace jobhost::library {

/// An archive of the content folder, as the folder shows it.
struct FoundFile {
  std::string path;  ///< relative to the content folder
  std::int64_t size = 0;
  std::int64_t mtime_ms = 0;
  std::string id;  ///< empty: not known yet, or not to be had (unreadable, empty)
};

/// What has to be done to the records so that they fit the folder.
struct ScanPlan {
  std::map<std::string, FoundFile> place;  ///< records (by id) whose file is to be this one; new ones too
  std::vector<std::string> drop;           ///< records whose file is gone
};

/// `files` have their ids where these are known. A record whose file still is its archive keeps it; of several copies
/// the first by path is taken.
[[nodiscard]] ScanPlan planScan(const std::vector<ArchiveEntry>& known, const std::vector<FoundFile>& files);

struct ScanOutcome {
  std::int64_t files = 0;   ///< archives in the folder
  std::int64_t hashed = 0;  ///< that were read, because they are new or changed
  std::int64_t added = 0, changed = 0, gone = 0, unreadable = 0;
};

/// What a scan does where the content folder seems to be another one than before, as when it is not mounted.
enum class WhenAway {
  Refuse,  ///< changes nothing and throws
  Accept,  ///< takes it as it is: the operator says that the archives are gone
};

/// Registers archives that lie in the content folder without a record, and drops the `file` of records whose archive is
/// gone. Reads only files whose path, size or modification time is new. What was registered stays when it is stopped
/// half way. Without a content folder it does nothing.
///
/// A folder that has no archive while records say it had some (library.folder_empty), or that lies on another file
/// system than at the last scan and lacks some of them (library.folder_moved), is refused before anything is changed.
///
/// Threads: reads on settings.threads threads, all ended when it returns. Throws Error, Cancelled and support::Failure.
ScanOutcome scanLibrary(Job& job, const Settings& settings, WhenAway away = WhenAway::Refuse);

/// The pages of an archive or document. Throws support::Failure when it cannot be read.
[[nodiscard]] std::int64_t countArchivePages(int fd, const Settings& settings, const support::StopCheck& stop);

/// Runs `work(0)` … `work(count - 1)` on `threads` threads and waits; the first exception ends it and is thrown here.
/// `tick(done)` is called on the caller's thread now and then; it may throw to end it.
void inParallel(std::size_t count, int threads, const std::function<void(std::size_t)>& work,
                const std::function<void(std::size_t)>& tick);

}  // namespace jobhost::library
