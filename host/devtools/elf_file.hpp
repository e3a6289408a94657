#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace jobhost::devtools {

/// What the dynamic linker will make of a shared library, read from its bytes without mapping or running it. Works on
/// stripped files and files without section headers.
struct ElfFile {
  std::uint64_t size_bytes = 0;
  std::string build_id;              ///< lower-case hex; empty: none
  std::vector<std::string> exports;  ///< names of defined dynamic symbols others can bind to, sorted
  std::vector<std::string> undefined;
  std::vector<std::string> unique;              ///< of type GNU_UNIQUE
  std::vector<std::string> needed;              ///< DT_NEEDED, in order
  std::vector<std::string> search;              ///< DT_RUNPATH or DT_RPATH, split at ':'
  std::map<std::string, std::string> versions;  ///< highest version needed by prefix: "GLIBC" → "2.34"
  bool text_relocations = false;
  bool static_tls = false;
  bool binds_now = false;
  bool relro = false;
  bool stack_marked = false;  ///< PT_GNU_STACK is there
  bool executable_stack = false;
  bool writable_code = false;  ///< a segment that is writable and executable
};

/// Reads a 64-bit little-endian ELF file. The bytes are hostile: each offset is checked, each count has a limit.
/// Errors: InvalidArgument saying what is damaged.
core::Result<ElfFile> readElf(std::span<const unsigned char> file);

/// The folders the dynamic linker looks into for libraries of `plugin` beside the cache: its own search path with
/// $ORIGIN filled in, then what /etc/ld.so.conf names, then the built-in ones.
std::vector<std::string> librarySearchPath(const ElfFile& elf, const std::string& plugin_folder);

}  // namespace jobhost::devtools
