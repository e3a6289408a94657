#pragma once

#include <vips/vips.h>

#include <memory>
#include <string>
#include <utility>

#include "support/common/failure.hpp"

namespace jobhost::support {

struct VipsUnref {
  void operator()(void* object) const { g_object_unref(object); }
};
/// Owns one reference.
using ImagePtr = std::unique_ptr<VipsImage, VipsUnref>;
using SourcePtr = std::unique_ptr<VipsSource, VipsUnref>;

/// What libvips says went wrong, in one line of at most 300 bytes, and its error buffer emptied.
[[nodiscard]] std::string takeVipsError();

/// Turns what libvips says into a Failure: encrypted documents, missing pages, truncated and broken files.
[[nodiscard]] Failure vipsFailure();

/// Calls `operation(&out)`, a libvips operation that answers 0 and one image, and owns what comes out.
template <class Operation>
ImagePtr made(Operation&& operation) {
  VipsImage* out = nullptr;
  if (operation(&out) != 0) {
    ImagePtr partial(out);
    throw vipsFailure();
  }
  return ImagePtr(out);
}

}  // namespace jobhost::support
