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
  std::string file;
  bool json = false;  ///< the manifest as it stands in the file
};
/// What a plugin file says of itself, ELF or Windows DLL, without loading it. Exit status: 0; 1 for a file whose
/// manifest is missing or wrong; 2 for one that cannot be opened.
int pluginInfo(const PluginInfoArgs& args);

}  // namespace jobhost::cli
