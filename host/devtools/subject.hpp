#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "catalog/manifest.hpp"
#include "devtools/elf_file.hpp"

namespace jobhost::devtools {

/// A plugin file as it lies there: what can be known of it without loading it. Immutable once read.
struct Subject {
  std::filesystem::path path;                ///< absolute, no links; of a program its manifest, `<name>.plugin.json`
  bool program = false;                      ///< of kind "process"
  std::vector<std::filesystem::path> files;  ///< all it is made of, `path` first
  std::uint64_t size_bytes = 0;              ///< of all of them
  std::string manifest_json;                 ///< empty: there is no note that can be read
  std::string note_problem;                  ///< why, or what is wrong with a file that it names; empty: nothing
  std::optional<catalog::Manifest> manifest;
  std::vector<std::string> manifest_problems;  ///< "/job_types/0/name: is required"
  std::optional<ElfFile> elf;
  std::string elf_problem;

  /// The raw JSON of the type's "examples" elements.
  [[nodiscard]] std::vector<std::string> examples(std::size_t type) const;
};

/// What this version offers to plugins, and runner/ serves: a plugin that requires another is refused before it is loaded.
catalog::HostAbi offeredAbi();

/// Reads the file. Errors: NotFound, PermissionDenied, InvalidArgument when it is no regular file, TooLarge over 1 GiB.
/// A file that is no plugin is no error: the subject says what is wrong with it.
core::Result<Subject> readSubject(const std::filesystem::path& file);

}  // namespace jobhost::devtools
