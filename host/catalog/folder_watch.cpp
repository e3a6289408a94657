#include "catalog/folder_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace jobhost::catalog {

namespace fs = std::filesystem;

FolderWatch::FolderWatch() : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

FolderWatch::~FolderWatch() {
  if (fd_ >= 0) ::close(fd_);
}

bool FolderWatch::watch(const fs::path& folder) {
  if (fd_ < 0) return false;
  constexpr std::uint32_t kMask = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB |
                                  IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
  const int handle = ::inotify_add_watch(fd_, folder.c_str(), kMask);  // the same handle for a folder known already
  if (handle < 0) return false;
  folders_[handle] = folder;
  return true;
}

FolderWatch::Changes FolderWatch::read() {
  Changes changes;
  alignas(inotify_event) char buffer[16 << 10];
  for (ssize_t got = 0; fd_ >= 0 && (got = ::read(fd_, buffer, sizeof buffer)) > 0;) {
    for (ssize_t at = 0; at + static_cast<ssize_t>(sizeof(inotify_event)) <= got;) {
      inotify_event event{};
      std::memcpy(&event, buffer + at, sizeof event);
      const char* name = buffer + at + sizeof event;
      at += static_cast<ssize_t>(sizeof event + event.len);
      if ((event.mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0) changes.rescan = true;
      if ((event.mask & (IN_MOVE_SELF | IN_DELETE_SELF)) != 0) ::inotify_rm_watch(fd_, event.wd);
      if ((event.mask & IN_IGNORED) != 0) folders_.erase(event.wd);
      const auto folder = folders_.find(event.wd);
      if (folder == folders_.end() || event.len == 0) continue;
      fs::path file = folder->second / std::string(name, ::strnlen(name, event.len));
      if (std::find(changes.files.begin(), changes.files.end(), file) == changes.files.end()) {
        changes.files.push_back(std::move(file));
      }
    }
  }
  return changes;
}

}  // namespace jobhost::catalog
