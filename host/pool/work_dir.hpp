#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/job.hpp"
#include "core/result.hpp"
#include "wire/messages.hpp"

namespace jobhost::pool {

/// The folder a runner works in: `in/<slot>/`, `out/<slot>/`, `tmp/<slot>/`. Everything here touches the disk and may
/// take long: called on the files thread. Nothing follows a symbolic link that a plugin may have made.

core::Result<void> makeWorkDir(const std::filesystem::path& folder);

/// Copies (or reflinks) the regular files of `from` into `to`, which must not exist yet, read-only.
/// Errors: NotFound when `from` is not there, TooLarge over `max_bytes`, Unavailable when the disk refuses.
core::Result<std::vector<wire::InputFile>> stageInputs(const std::filesystem::path& from,
                                                       const std::filesystem::path& to, std::int64_t max_bytes);

struct OutputLimits {
  std::int64_t max_files = 10'000;
  std::int64_t max_bytes = 16LL << 30;
  bool sync = true;
};

/// Moves the files the runner names from `from` (its `out/<slot>/`) to the job's output folder `to`, which is replaced
/// whole: there are all of them or those of before. Names are checked again; only regular files with one link count.
/// Each is read once more for its SHA-256.
/// Errors: InvalidArgument (a name, a file that is none), TooLarge (a limit), Unavailable (the disk).
core::Result<std::vector<core::Output>> collectOutputs(const std::filesystem::path& from,
                                                       const std::filesystem::path& to,
                                                       const std::vector<wire::OutputFile>& files,
                                                       const OutputLimits& limits);

/// Whether an output's name is a relative path that stays below its folder (rules: sdk/include/jobhost/abi.h).
bool isOutputName(const std::string& name);

/// Removes the folder with all below; links are removed, not followed. Never throws; what cannot go is logged.
void removeTree(const std::filesystem::path& folder);

}  // namespace jobhost::pool
