#include "pool/job_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>

#include "core/json_text.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace jobhost::pool {
namespace {
constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr std::int64_t kRoomForTheLast = 4096;  // so that "the log is full" and a crash report's head still fit

std::string droppedText(std::int64_t count, bool full) {
  return std::to_string(count) + (full ? " lines dropped: the log is full" : " lines dropped: too many a second");
}
}  // namespace

std::string_view logLevelName(int level) {
  static constexpr std::array<std::string_view, 6> kNames{"trace", "debug", "info", "warn", "error", "fatal"};
  return level >= 0 && level < static_cast<int>(kNames.size()) ? kNames[static_cast<std::size_t>(level)] : "info";
}

std::string isoTime(core::Instant at) {
  const std::int64_t micros = core::toMicros(at);
  const auto seconds = static_cast<std::time_t>(micros / 1'000'000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  const std::size_t n = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + n, text.size() - n, ".%03dZ", static_cast<int>(micros / 1'000 % 1'000));
  return text.data();
}

JobLog::JobLog(std::filesystem::path path, Limits limits)
    : path_(std::move(path)), limits_(limits), tokens_(limits.burst), refilled_(std::chrono::steady_clock::now()) {}

JobLog::~JobLog() {
  if (!buffer_.empty()) flush();
}

bool JobLog::open() {
  if (file_ || failed_) return !failed_;
  std::error_code error;
  std::filesystem::create_directories(path_.parent_path(), error);
  file_.reset(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  struct stat status {};
  if (!file_ || ::fstat(file_.get(), &status) != 0) {
    failed_ = true;
    telemetry::log("pool").error("job log not writable path={} errno={}", path_.string(), errno);
    return false;
  }
  size_ = status.st_size;
  return true;
}

bool JobLog::allow() {
  const auto now = std::chrono::steady_clock::now();
  const double passed = std::chrono::duration<double>(now - refilled_).count();
  refilled_ = now;
  tokens_ = std::min(static_cast<double>(limits_.burst), tokens_ + passed * limits_.lines_per_s);
  if (tokens_ < 1.0) return false;
  tokens_ -= 1.0;
  return true;
}

std::string JobLog::put(core::Instant at, std::string_view level, std::string_view text) {
  std::string line = "{\"at\":\"" + isoTime(at) + "\",\"level\":\"";
  line.append(level).append("\",\"text\":");
  core::appendJsonString(line, text.substr(0, kMaxLineBytes));
  line.push_back('}');
  size_ += static_cast<std::int64_t>(line.size()) + 1;
  buffer_.append(line).push_back('\n');
  if (buffer_.size() >= kBufferBytes) flush();
  return line;
}

std::optional<std::string> JobLog::append(core::Instant at, std::string_view level, std::string_view text) {
  if (!open()) return std::nullopt;
  last_at_ = at;
  const bool host = level == "host";
  const auto bytes = static_cast<std::int64_t>(std::min(text.size(), kMaxLineBytes));
  const std::int64_t limit = limits_.max_bytes + (host ? 4 * kRoomForTheLast : -kRoomForTheLast);
  if (size_ + bytes > limit) full_ = true;
  if (size_ + bytes > limit || (!host && !allow())) {
    ++dropped_;
    ++dropped_total_;
    telemetry::metrics().add(telemetry::Counter::LogLinesDropped);
    return std::nullopt;
  }
  tellDropped();
  return put(at, level, text);
}

void JobLog::tellDropped() {
  const auto now = std::chrono::steady_clock::now();
  if (dropped_ == 0 || now - told_dropped_ < std::chrono::seconds(1)) return;
  told_dropped_ = now;
  put(last_at_, "host", droppedText(dropped_, full_));
  dropped_ = 0;
}

std::optional<std::string> JobLog::finish() {
  std::optional<std::string> line;
  if (dropped_ > 0 && open()) {
    line = put(last_at_, "host", droppedText(dropped_, full_));
    dropped_ = 0;
  }
  flush();
  return line;
}

void JobLog::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty() && file_) {
    const ssize_t written = ::write(file_.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      failed_ = true;
      telemetry::log("pool").error("job log write failed path={} errno={}", path_.string(), errno);
      break;
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  buffer_.clear();
}

}  // namespace jobhost::pool
