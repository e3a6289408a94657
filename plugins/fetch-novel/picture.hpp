#pragma once

#include <jobhost/plugin.hpp>

#include <string>

#include "support/image/thumbnail.hpp"

namespace jobhost::novel {

/// Anything that can be decoded as an RGB JPEG of the same size, upright; drawings at a size that can be read. Throws
/// support::Failure and Stopped.
support::Thumbnail toJpeg(const support::ImageInput& input, const support::ImageLimits& limits,
                          const support::StopCheck& stop);

/// The same of a response's body, without holding it in memory.
support::Thumbnail toJpeg(HttpResponse& response, const support::ImageLimits& limits, const support::StopCheck& stop);

/// A cover for a novel that has none: its title and authors on a colour of its own.
std::string drawnCover(const std::string& title, const std::string& authors);

}  // namespace jobhost::novel
