#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/job.hpp"
#include "core/result.hpp"

namespace jobhost::jobs {

/// Reading and removing what lies in a job's folder. Names come from plugins and callers: nothing is followed out of
/// it. Thread-safety: any thread. Errors: NotFound, Unavailable (the disk), Internal (something that is no regular
/// file).

struct FilePart {
  std::string bytes;
  std::int64_t size = 0;  ///< of the whole file
};

/// Bytes [offset, offset + limit) of a file, fewer at its end.
core::Result<FilePart> readPart(const std::filesystem::path& file, std::int64_t offset, std::int64_t limit);

/// Whether `name` ('/' between parts) is a regular file beneath `folder`, reached without any symbolic link.
core::Result<void> checkBeneath(const std::filesystem::path& folder, const std::string& name);

/// Removes a job's folder with all in it. What cannot be removed now goes with a later sweep (jobs/retention).
void removeJobFolder(const std::filesystem::path& data_folder, core::JobId id);

}  // namespace jobhost::jobs
