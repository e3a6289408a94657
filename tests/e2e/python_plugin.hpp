#pragma once

#include <filesystem>
#include <fstream>
#include <string>

namespace jobhost::e2e {

/// Makes a folder with a plugin that is this Python program, beside the module it needs. `members` of its note: its id,
/// version, permissions and job types, as they stand within the braces.
inline void putPythonPlugin(const std::filesystem::path& folder, const std::string& program,
                            const std::string& members) {
  namespace fs = std::filesystem;
  fs::create_directories(folder);
  fs::copy_file(fs::path(JOBHOST_SOURCE_DIR) / "examples/python-handler/jobhost_handler.py",
                folder / "jobhost_handler.py");
  std::ofstream(folder / "handler.py") << program;
  fs::permissions(folder / "handler.py", fs::perms(0755));
  std::ofstream(folder / "handler.plugin.json")
      << R"({"manifest":1,"kind":"process","command":["./handler.py"],"files":["jobhost_handler.py"],)" << members
      << "}";
}

}  // namespace jobhost::e2e
