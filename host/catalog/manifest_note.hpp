#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "core/result.hpp"

namespace jobhost::catalog {

/// Bounds of the reader; a file beyond them is refused, not read further.
inline constexpr std::size_t kMaxProgramHeaders = 64;
inline constexpr std::size_t kMaxNoteSegment = 1u << 20;
inline constexpr std::size_t kMaxManifest = 256u << 10;

/// What the note of a shared library says, read without mapping or running it.
struct ManifestNote {
  std::string manifest_json;  ///< valid UTF-8, not yet parsed; without a terminating NUL
  std::uint64_t file_size = 0;
};

/// Reads the note `JobHost` of an ELF shared library (64-bit, this machine's byte order and architecture) through its
/// PT_NOTE program headers, so that stripped files and files without section headers work.
///
/// The bytes are hostile: every offset is checked against the file's size, every count and size has a limit.
/// Errors, each with a reason for people: InvalidArgument (not a plugin: not an ELF file, no note, truncated,
/// damaged…), Unsupported (an ELF file of another architecture, word size or byte order, or not a shared library),
/// TooLarge.
core::Result<ManifestNote> readManifestNote(int fd);

/// The same of bytes in memory; what the fuzzer drives.
core::Result<ManifestNote> readManifestNote(std::span<const unsigned char> file);

/// Opens a path for reading as plugins are read: no symlink as the last part, regular files only, never blocking on a
/// FIFO. The caller closes the descriptor. Errors: NotFound, PermissionDenied, InvalidArgument (symlink, FIFO, device,
/// directory), Unavailable.
core::Result<int> openPluginFile(const std::filesystem::path& path);

}  // namespace jobhost::catalog
