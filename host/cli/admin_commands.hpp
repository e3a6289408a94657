#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/context.hpp"
#include "settings/loader.hpp"

namespace jobhost::cli {

struct PluginArgs {
  ClientArgs client;
  std::string id;
};
int pluginList(const PluginArgs& args);
/// Each decision the host took about the plugin, with its reason.
int pluginWhy(const PluginArgs& args);
int pluginRetry(const PluginArgs& args);
int pluginGrant(const PluginArgs& args);

struct KeyArgs {
  ClientArgs client;
  std::string name;
  std::vector<std::string> privileges;
  std::string id;
  std::string user;  ///< name or id; empty: the host's own key
  int days = 0;      ///< until it expires; 0: never
  int rate = 0;      ///< requests a minute; 0: no limit
  int burst = 0;
  bool all_jobs = false, own_jobs = false;
};
/// Prints the new key, once, alone on stdout.
int keyCreate(const KeyArgs& args);
int keyList(const KeyArgs& args);
int keyRevoke(const KeyArgs& args);

/// Where `serve` and `config show` take their configuration from.
struct ConfigArgs {
  std::string file;
  std::vector<std::string> set;
  std::string data, bind, log_level;
  std::vector<std::string> plugins;
  std::optional<int> port;
  bool json = false;
};
core::Result<settings::Loaded> loadConfig(const ConfigArgs& args);
int configShow(const ConfigArgs& args);
int configDocs();
int configExample();

}  // namespace jobhost::cli
