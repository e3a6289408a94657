#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace jobhost::devtools {

struct Bench;

/// Something that valgrind's memcheck found.
struct MemcheckError {
  struct Frame {
    std::string object;    ///< the file the code is in; empty: unknown
    std::string function;  ///< empty: unknown
    std::string place;     ///< "zoo.c:12"; empty: the file has no debug information
  };
  std::string kind;          ///< "InvalidRead", "Leak_DefinitelyLost", …
  std::string what;          ///< a sentence
  std::vector<Frame> stack;  ///< where it happened; of a leak where the block was allocated. The innermost first
};

/// Reads memcheck's XML (its protocol 4), which may end anywhere: of a process that was killed what is whole counts.
std::vector<MemcheckError> parseMemcheck(std::string_view xml);

/// Runs the manifest's examples, or what stands for them, under valgrind and answers what it found, each thing once.
/// Errors: NotFound when valgrind is not installed, Unavailable when the plugin could not be run to its end.
core::Result<std::vector<MemcheckError>> underMemcheck(Bench& bench);

/// A program of the machine. Errors: NotFound, "<name> is not installed".
core::Result<std::filesystem::path> findTool(const std::string& name,
                                             const std::vector<std::filesystem::path>& folders);
/// Where tools are looked for: the system's folders, whatever PATH says.
std::vector<std::filesystem::path> toolFolders();

}  // namespace jobhost::devtools
