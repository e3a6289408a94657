#pragma once

#include "catalog/plugin_loader.hpp"

namespace jobhost::catalog {

/// One path in a plugin folder. Private to plugin_loader*.cpp.
struct PluginLoader::File {
  std::filesystem::path path;
  std::optional<core::Clock::Steady> due;  ///< absent: nothing to do until it changes
  std::vector<std::filesystem::path> parts;  ///< all files it is made of, as far as is known; itself first
  std::vector<FileStamp> stamps;             ///< of the parts, at the last look
  std::string first_hash;                  ///< of the first of two looks; empty: none yet
  std::string sha256;                      ///< of the content decided upon
  std::optional<Candidate> candidate;      ///< a readable manifest stands in it
  bool usable = false;                     ///< the candidate may be chosen
  bool blocked = false;                    ///< only because another plugin has one of its types
  GenerationState state = GenerationState::Refused;
  std::string reason;
  core::Instant since;
  std::string signer;  ///< name of the key that signed the content; empty: unsigned
};

/// One plugin id that runs or ran here.
struct PluginLoader::Plugin {
  Loaded current;
  Loaded previous;  ///< kept to go back to while `current` counts as new; may be empty
  core::Clock::Steady new_until{};
  bool is_new = false;
  bool available = true;  ///< false: `current` has no file to run any more
  GenerationState state = GenerationState::Current;
  std::string reason;
  core::Instant since;
  std::int64_t early_crashes = 0;
};

/// Text from files and plugins, fit for logs and JSON: one line of valid UTF-8, not endless.
std::string printable(std::string_view text);

}  // namespace jobhost::catalog
