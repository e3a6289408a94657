#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "pool/unique_fd.hpp"

namespace jobhost::pool {

/// Appends to one job's log file: a JSON object a line, {"at":"2026-11-22T10:00:00.123Z","level":"info","text":"…"}.
/// Levels: trace debug info warn error fatal, stdout, stderr (what the plugin printed) and host (what the host adds).
///
/// The file comes to be with its first line. Lines over the rate or over the file's limit are dropped and counted; one
/// line says how many. Text is made valid UTF-8. Not thread-safe; a failed write is logged once and drops the rest.
class JobLog {
 public:
  struct Limits {
    std::int64_t max_bytes = 64LL << 20;  ///< of the file, earlier attempts included
    int lines_per_s = 1'000;
    int burst = 5'000;
  };
  static constexpr std::size_t kMaxLineBytes = 16 * 1024;

  JobLog(std::filesystem::path path, Limits limits);
  ~JobLog();
  JobLog(JobLog&&) = default;
  JobLog& operator=(JobLog&&) = delete;

  /// The line as written, without its newline; nullopt: dropped. Lines of the level "host" are not rate limited.
  std::optional<std::string> append(core::Instant at, std::string_view level, std::string_view text);
  /// Writes what is buffered.
  void flush();
  /// At the attempt's end: a line for what was dropped since the last such line, then flush(). Answers that line.
  std::optional<std::string> finish();
  [[nodiscard]] std::int64_t dropped() const { return dropped_total_; }

 private:
  bool open();
  bool allow();
  void tellDropped();
  std::string put(core::Instant at, std::string_view level, std::string_view text);

  std::filesystem::path path_;
  Limits limits_;
  UniqueFd file_;
  bool failed_ = false;
  bool full_ = false;
  std::int64_t size_ = 0;  ///< of the file with the buffer
  std::string buffer_;
  double tokens_;
  std::chrono::steady_clock::time_point refilled_;
  std::int64_t dropped_ = 0;
  std::int64_t dropped_total_ = 0;
  std::chrono::steady_clock::time_point told_dropped_;
  core::Instant last_at_;
};

/// The name of an ABI log level (JH_LOG_*); "info" for unknown ones.
std::string_view logLevelName(int level);

/// "2026-11-22T10:00:00.123Z".
std::string isoTime(core::Instant at);

}  // namespace jobhost::pool
