#pragma once

#include <jobhost/plugin.hpp>

#include <optional>

#include "support/image/thumbnail.hpp"
#include "thumbnail/settings.hpp"

namespace jobhost::thumbnail {

/// A picture of a video, taken by ffmpeg: the frame at `time_s`, where there is none any more the last of the ten
/// seconds before it, or without `time_s` one that stands for the first seconds.
/// `fd`: the video, which stays the caller's. Throws support::Failure (video.no_frame, video.damaged), Error
/// (video.no_ffmpeg, process.…) and Cancelled.
[[nodiscard]] support::Thumbnail makeVideoThumbnail(Job& job, int fd, std::optional<double> time_s,
                                                    const support::ThumbnailOptions& options, const Settings& settings);

}  // namespace jobhost::thumbnail
