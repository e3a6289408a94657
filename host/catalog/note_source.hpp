#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace jobhost::catalog {

/// Bytes at offsets: a descriptor or memory, borrowed. read() is all or nothing.
struct Source {
  std::uint64_t size = 0;
  std::function<bool(std::uint64_t offset, void* into, std::size_t length)> read;

  [[nodiscard]] bool holds(std::uint64_t offset, std::uint64_t length) const {
    return offset <= size && length <= size - offset;
  }
};
core::Result<Source> sourceOf(int fd);
Source sourceOf(std::span<const unsigned char> bytes);

/// What mends a library without a manifest.
inline constexpr std::string_view kGiveManifest =
    "build it with JOBHOST_MANIFEST or jobhost_add_plugin(… MANIFEST …); a library that plugins need belongs elsewhere";

/// Adds the manifests found in one segment or section of notes; `notes` counts over all of a file.
core::Result<void> scanNotes(std::span<const unsigned char> segment, std::uint64_t alignment, int& notes,
                             std::vector<std::string>& found);

/// The one manifest among those found, without its NUL, UTF-8 checked.
core::Result<std::string> onlyManifest(std::vector<std::string> found);

}  // namespace jobhost::catalog
