#pragma once

#include <filesystem>
#include <string>

#include "core/job.hpp"

namespace jobhost::core {

/// Where a job's files lie: `<data>/jobs/<shard>/<id>/{log,output/}`. Pure: touches no disk.
/// The shard is the id modulo 1000, three digits, so that no folder holds more than a thousandth of the jobs.
struct JobPaths {
  std::filesystem::path folder;
  std::filesystem::path log;
  std::filesystem::path output;
};

inline JobPaths jobPaths(const std::filesystem::path& data_folder, JobId id) {
  const std::string shard = std::to_string(1000 + id.value % 1000).substr(1);
  const auto folder = data_folder / "jobs" / shard / std::to_string(id.value);
  return {folder, folder / "log", folder / "output"};
}

/// Where an upload waits for its job: `<data>/inputs/<input id>/<file name>`.
inline std::filesystem::path inputFolder(const std::filesystem::path& data_folder, const std::string& input_id) {
  return data_folder / "inputs" / input_id;
}

}  // namespace jobhost::core
