#pragma once

namespace jobhost::support {

/// Starts libvips for this process, once; further calls do nothing. Thread-safe.
///
/// Only the loaders for the kinds of image_types.hpp stay enabled: everything else libvips or ImageMagick could read
/// is blocked. The operation cache is off (each input is seen once). Throws Failure image.engine.
void startImageEngine();

/// How many threads each picture is worked on with from now on. 1 where many pictures run side by side; 0: all cores.
void setThreadsPerImage(int threads);

}  // namespace jobhost::support
