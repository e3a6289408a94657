#include "thumbnail/video_frame.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "support/files/unique_fd.hpp"
#include "support/job/job_failures.hpp"

namespace jobhost::thumbnail {
namespace {

using support::Failure;
using support::FailureKind;

constexpr const char* kFrame = "frame.bmp";
constexpr std::int64_t kTimeoutMs = 120'000;

std::string seconds(double time) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3f", time);
  return text;
}

/// The part of a video that is looked at: one frame, the first at `from_s` or later; or with `length_s` all of that
/// part, of which the last is kept.
struct Part {
  double from_s = 0;
  double skip_s = 0;    ///< decoded and thrown away before it: where seeking alone would miss it
  double length_s = 0;  ///< 0: one frame
};

// Where there is no frame at a time any more: the last one before it. Containers without an index (MPEG-TS) are sought
// by bytes, and a decoder can only begin at a key frame: so from well before it. A short part at first, as each frame
// of it is written; the longest is for times that lie beyond the end or for frames that stand for long.
constexpr double kLeadIn = 12;
constexpr double kPartsBefore[] = {0.5, 2, 10};

/// What ffmpeg is told. The container is named and nothing but this file may be opened: a playlist that calls itself a
/// video leads nowhere.
std::vector<std::string> commandFor(int fd, const std::optional<Part>& part, const Settings& settings) {
  std::vector<std::string> argv{"ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y"};
  const auto add = [&](std::initializer_list<std::string> more) { argv.insert(argv.end(), more); };
  if (part) add({"-ss", seconds(part->from_s)});
  add({"-protocol_whitelist", "file", "-max_pixels", std::to_string(settings.image.max_pixels)});
  add({"-f", std::string(support::videoFormatOf(fd))});
  // The open file, not its path: what was checked is what is read.
  add({"-i", "file:/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd)});
  add({"-map", "0:v:0", "-an", "-sn", "-dn"});
  if (!part) add({"-vf", "thumbnail=n=100"});
  if (part && part->skip_s > 0) add({"-ss", seconds(part->skip_s)});
  if (part && part->length_s > 0) {
    add({"-t", seconds(part->length_s)});
  } else {
    add({"-frames:v", "1"});
  }
  add({"-c:v", "bmp", "-pix_fmt", "bgr24", "-f", "image2", "-update", "1", kFrame});
  return argv;
}

ProcessResult runFfmpeg(Job& job, const std::vector<std::string>& argv) {
  try {
    ProcessOptions options;
    options.out = ProcessStream::none();
    options.timeout(kTimeoutMs).set("AV_LOG_FORCE_NOCOLOR", "1");
    return job.run(argv, options);
  } catch (const Error& error) {
    if (error.code() != "process.not_found" && error.code() != "extension_missing") throw;
    throw Error(JH_CLASS_PERMANENT, "video.no_ffmpeg", "pictures of videos need ffmpeg: " + error.message());
  }
}

/// Runs ffmpeg for that part (absent: a frame that stands for the beginning) and opens what it left; none: it found no
/// frame there.
support::UniqueFd takeFrame(Job& job, int fd, const std::optional<Part>& part, const Settings& settings) {
  const ProcessResult ran = runFfmpeg(job, commandFor(fd, part, settings));
  if (ran.timed_out) (void)ran.requireOk();
  if (!ran.ok()) {
    std::string why = ran.err.substr(0, 300);
    while (!why.empty() && why.back() == '\n') why.pop_back();
    if (const auto end = why.rfind('\n'); end != std::string::npos) why.erase(0, end + 1);
    throw Failure(FailureKind::Damaged, "video.damaged",
                  "ffmpeg cannot read the video: " + (why.empty() ? ran.describe() : why));
  }
  return support::UniqueFd(::open((job.tempDir() + "/" + kFrame).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
}

support::UniqueFd lastFrameBefore(Job& job, int fd, double time_s, const Settings& settings) {
  const double from = std::max(0.0, time_s - kLeadIn);
  // At that time after all, where only the seeking went too far.
  if (auto frame = takeFrame(job, fd, Part{from, time_s - from, 0}, settings)) return frame;
  for (const double length : kPartsBefore) {
    const double begin = std::max(from, time_s - length);
    if (auto frame = takeFrame(job, fd, Part{from, begin - from, time_s - begin}, settings)) return frame;
    if (begin <= from) break;
  }
  return support::UniqueFd(-1);
}

}  // namespace

support::Thumbnail makeVideoThumbnail(Job& job, int fd, std::optional<double> time_s,
                                      const support::ThumbnailOptions& options, const Settings& settings) {
  auto frame = takeFrame(job, fd, time_s ? std::optional(Part{*time_s, 0, 0}) : std::nullopt, settings);
  if (!frame && time_s && *time_s > 0) frame = lastFrameBefore(job, fd, *time_s, settings);
  if (!frame) {
    throw Failure(FailureKind::NotFound, "video.no_frame",
                  time_s ? "the video has no frame at " + seconds(*time_s) + " s, nor in the ten seconds before"
                         : "the video has no frames");
  }
  return support::makeThumbnail({frame.get(), {}}, options, settings.image, support::stopCheckOf(job));
}

}  // namespace jobhost::thumbnail
