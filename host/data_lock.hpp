#pragma once

#include <filesystem>

#include "core/result.hpp"

namespace jobhost {

/// Makes the data folder and holds the lock that says "one host at a time". The lock goes with the process, however it
/// ends, so a killed host leaves none behind.
class DataLock {
 public:
  /// Errors: Conflict (another jobhost runs on this folder), Unavailable (folder or lock file cannot be made).
  static core::Result<DataLock> take(const std::filesystem::path& data_folder);
  DataLock(DataLock&& other) noexcept;
  DataLock& operator=(DataLock&&) = delete;
  ~DataLock();

 private:
  explicit DataLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace jobhost
