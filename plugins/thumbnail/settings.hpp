#pragma once

#include <jobhost/plugin.hpp>

#include <filesystem>
#include <string>

#include "support/archive/archive.hpp"
#include "support/files/confined.hpp"
#include "support/image/thumbnail.hpp"

namespace jobhost::thumbnail {

/// What the operator configured for this plugin, read at the start of each attempt.
struct Settings {
  std::filesystem::path content_dir;  ///< empty: none; then no archive has an id
  std::filesystem::path thumb_dir;    ///< never empty
  support::ConfinedRoots roots;       ///< where `source` may lie: the configured roots and content_dir
  bool hq_page_thumbs = false;
  int threads = 1;  ///< for page_thumbnails
  support::ImageLimits image;
  support::ArchiveLimits archive;
};

/// Where init said the plugin's own files live; set once before any job runs.
void setPluginDir(const std::string& plugin_dir);
[[nodiscard]] const std::filesystem::path& pluginDir();

/// Throws Error (bad input, "config/max_pixels: …") when the configuration is wrong.
[[nodiscard]] Settings readSettings(Job& job);

}  // namespace jobhost::thumbnail
