#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "settings/settings.hpp"

namespace jobhost::settings {

/// Where values may come from; a later source wins: defaults, file, environment, options.
struct Sources {
  std::optional<std::filesystem::path> file;       ///< TOML
  std::map<std::string, std::string> environment;  ///< JOBHOST_SERVER_PORT=…; other names are ignored
  /// `--set key=value` and flags that stand for a key. `name` is what the error and effective() show ("--port").
  struct Option {
    std::string name, key, value;
  };
  std::vector<Option> options;
};

/// One key's value as it holds, and where it came from ("default", "/etc/jobhost.toml:3", "JOBHOST_SERVER_PORT",
/// "--set").
struct Effective {
  std::string key;
  std::string value;  ///< as in a config file; secrets are "(set)"
  std::string source;
  bool operator==(const Effective&) const = default;
};

struct Loaded {
  Settings settings;
  std::vector<Effective> effective;  ///< rows in their order, then plugin.* and secret.* sorted
};

/// Reads all sources. Thread: any; touches only the file named.
/// Errors: InvalidArgument with one FieldError for every wrong key of every source (pointer: the key; message: reason,
/// source, nearest known key); the message holds them all, one a line. NotFound, TooLarge: the file.
core::Result<Loaded> load(const Sources& sources);

/// Splits "key=value" as given to --set. InvalidArgument when there is no '='.
core::Result<Sources::Option> parseSet(const std::string& text);

/// The names of the job types that provide something, by what they provide.
using Providers = std::map<std::string, std::vector<std::string>>;

/// What a plugin gets as its configuration: a JSON object of content_dir, thumb_dir, upload_dir, roots, lncrawl_dir and
/// lncrawl_sources (where set), `providers` (where there are any) and its own `plugin.<id>.*` values, which win.
std::string pluginConfigJson(const Settings& settings, const std::string& plugin_id, const Providers& providers = {});

}  // namespace jobhost::settings
