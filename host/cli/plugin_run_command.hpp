#pragma once

#include <string>

#include "cli/plugin_check_command.hpp"

namespace jobhost::cli {

struct PluginRunArgs {
  std::string file;
  PluginLabArgs lab;
  std::string type;  ///< empty: the only one there is
  std::string params = "{}";
  std::string out = "out";
  std::string trace, record, replay;
  bool allow_private = false;  ///< it may fetch from loopback and private addresses
  bool gdb = false;
  bool valgrind = false;
  bool watch = false;
};

/// Runs one job of a plugin file in the foreground, without a host. The result goes to stdout, all else to stderr.
/// Ctrl-C asks the job to stop, a second one ends it. Exit status: 0 it succeeded, 1 it did not, 2 wrong arguments.
int pluginRun(const PluginRunArgs& args);

}  // namespace jobhost::cli
