#include "thumbnail/video_frame.hpp"

#include <fcntl.h>
#include <unistd.h>

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

/// What ffmpeg is told. The container is named and nothing but this file may be opened: a playlist that calls itself a
/// video leads nowhere.
std::vector<std::string> commandFor(int fd, std::optional<double> time_s, const Settings& settings) {
  std::vector<std::string> argv{"ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y"};
  const auto add = [&](std::initializer_list<std::string> more) { argv.insert(argv.end(), more); };
  if (time_s) add({"-ss", seconds(*time_s)});
  add({"-protocol_whitelist", "file", "-max_pixels", std::to_string(settings.image.max_pixels)});
  add({"-f", std::string(support::videoFormatOf(fd))});
  // The open file, not its path: what was checked is what is read.
  add({"-i", "file:/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd)});
  add({"-map", "0:v:0", "-an", "-sn", "-dn"});
  if (!time_s) add({"-vf", "thumbnail=n=100"});
  add({"-frames:v", "1", "-c:v", "bmp", "-pix_fmt", "bgr24", "-f", "image2", "-update", "1", kFrame});
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

}  // namespace

support::Thumbnail makeVideoThumbnail(Job& job, int fd, std::optional<double> time_s,
                                      const support::ThumbnailOptions& options, const Settings& settings) {
  const std::string folder = job.tempDir();
  const ProcessResult ran = runFfmpeg(job, commandFor(fd, time_s, settings));
  if (ran.timed_out) (void)ran.requireOk();
  const support::UniqueFd frame(::open((folder + "/" + kFrame).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!ran.ok()) {
    std::string why = ran.err.substr(0, 300);
    while (!why.empty() && why.back() == '\n') why.pop_back();
    if (const auto end = why.rfind('\n'); end != std::string::npos) why.erase(0, end + 1);
    throw Failure(FailureKind::Damaged, "video.damaged",
                  "ffmpeg cannot read the video: " + (why.empty() ? ran.describe() : why));
  }
  if (!frame) {
    throw Failure(FailureKind::NotFound, "video.no_frame",
                  time_s ? "the video has no frame at " + seconds(*time_s) + " s" : "the video has no frames");
  }
  return support::makeThumbnail({frame.get(), {}}, options, settings.image, support::stopCheckOf(job));
}

}  // namespace jobhost::thumbnail
