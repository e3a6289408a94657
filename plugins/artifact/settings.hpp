#pragma once

#include <jobhost/plugin.hpp>

#include <cstdint>
#include <filesystem>
#include <string>

namespace jobhost::artifact {

/// The plugin's configuration.
struct Settings {
  std::filesystem::path dir;   ///< lncrawl_dir: where novels lie; absolute
  std::string converter_url;   ///< base of an HTTP converter; empty: the program
  std::int64_t timeout_s = 0;  ///< of one conversion
  int conversions = 1;         ///< at once, on this machine
  bool browser_sandbox = true;

  /// Throws Error for a value that cannot be used, and without lncrawl_dir (artifact.no_folder).
  static Settings of(Job& job);

  /// The folder of a novel; `novel_id` is one name of a path (isFileId).
  [[nodiscard]] std::filesystem::path novel(const std::string& novel_id) const { return dir / "novels" / novel_id; }
  /// Where its artifacts lie.
  [[nodiscard]] std::filesystem::path artifacts(const std::string& novel_id) const {
    return novel(novel_id) / "artifacts";
  }
  [[nodiscard]] std::filesystem::path temporary() const { return dir / "tmp"; }
};

}  // namespace jobhost::artifact
