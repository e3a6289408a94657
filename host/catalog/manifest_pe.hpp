#pragma once

#include <span>
#include <string>

#include "catalog/manifest_note.hpp"

namespace jobhost::catalog {

/// A manifest read from a file this host may not be able to load.
struct FileManifest {
  ManifestNote note;
  std::string format;  ///< "ELF", "PE x86-64"
};

/// Whether the bytes begin as a Windows DLL or program does.
[[nodiscard]] bool looksLikePe(std::span<const unsigned char> head);

/// Reads the section `.jhman` of a Windows DLL (PE32+): the same bytes as the ELF note, without mapping or running it.
/// The bytes are hostile: every offset is checked against the file's size, at most 96 sections, 1 MiB of section, 256
/// KiB of manifest. Errors as readManifestNote.
core::Result<FileManifest> readManifestPe(std::span<const unsigned char> file);
core::Result<FileManifest> readManifestPe(int fd);

/// The manifest of an ELF plugin for this machine, or of a Windows DLL: what `jobhost plugin info` shows.
core::Result<FileManifest> readManifestFile(int fd);
core::Result<FileManifest> readManifestFile(std::span<const unsigned char> file);

}  // namespace jobhost::catalog
