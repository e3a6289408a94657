#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace jobhost::scaffold {

enum class Language { Cpp, C };

struct Request {
  std::string name;  ///< of the plugin: its folder, file and CMake target
  std::string type;  ///< of its job
  std::string id;    ///< empty: com.example.<name>
  Language language = Language::Cpp;
  bool single_file = false;            ///< one source file instead of a project
  std::filesystem::path parent = ".";  ///< the folder that gets the new folder, or the file
};

/// Writes a new plugin that builds with the installed SDK alone. Answers the files it wrote. All or nothing: on an
/// error nothing new is left. Errors: InvalidArgument naming the argument and the reason; Conflict when the folder or
/// file is there already; NotFound for a parent that is not; Unavailable when the disk refuses.
core::Result<std::vector<std::filesystem::path>> create(const Request& request);

}  // namespace jobhost::scaffold
