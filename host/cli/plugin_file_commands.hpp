#pragma once

#include <string>

namespace jobhost::cli {

struct PluginNewArgs {
  std::string name;
  std::string type;
  std::string id;
  std::string language = "cpp";
  std::string dir = ".";
  bool single_file = false;
};
/// Writes a new plugin and says how to go on. Exit status: 0 or 2.
int pluginNew(const PluginNewArgs& args);

struct PluginInfoArgs {
  std::string file;   ///< or a folder
  std::string index;  ///< of a folder: where to keep what was read, so that the next look is quick; empty: nowhere
  bool json = false;  ///< the manifest as it stands in the file
};
/// What a plugin says of itself without loading it: an ELF library, a Windows DLL or the manifest of a process; or all
/// plugins in a folder, as a host would read them. Exit status: 0; 1 for a manifest that is missing or wrong; 2 for what
/// cannot be opened.
int pluginInfo(const PluginInfoArgs& args);

}  // namespace jobhost::cli
