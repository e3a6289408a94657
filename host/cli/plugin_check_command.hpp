#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace jobhost::cli {

/// What the commands that run a plugin without a host give it.
struct PluginLabArgs {
  std::string runner;                ///< empty: jobhost-runner beside jobhost, or where it is installed
  std::string config;                ///< JSON object, @file, or empty
  std::vector<std::string> inputs;   ///< name=file
  std::vector<std::string> secrets;  ///< NAME=value
  int timeout_s = 0;                 ///< of one job; 0: the default
};

struct PluginCheckArgs {
  std::string file;
  PluginLabArgs lab;
  std::string level = "standard";
  std::vector<std::string> only;
  std::vector<std::string> skip;
  std::uint64_t seed = 1;
  std::string junit;        ///< file; empty: none
  bool in_process = false;  ///< no child processes: for a debugger
  bool json = false;
  bool verbose = false;
  bool list = false;
};

/// Applies the rules of the SDK to a plugin file. Exit status: 0 it keeps them, 1 it breaks one, 2 wrong arguments or a
/// file that cannot be read.
int pluginCheck(const PluginCheckArgs& args);

}  // namespace jobhost::cli
