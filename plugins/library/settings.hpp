#pragma once

#include <jobhost/plugin.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "support/archive/archive.hpp"
#include "support/image/thumbnail.hpp"

namespace jobhost::library {

/// What the operator configured for this plugin, read at the start of each attempt.
struct Settings {
  std::filesystem::path content_dir;  ///< empty: none; then nothing is scanned and nothing taken in
  std::filesystem::path upload_dir;   ///< empty: none; then nothing is taken in
  std::filesystem::path thumb_dir;    ///< where covers lie; empty: nowhere known
  bool replace_duplicates = false;
  bool date_added = true;                 ///< whether archives get a tag date_added:<epoch>
  std::int64_t child_timeout_ms = 0;      ///< for the cover and for each plugin
  std::int64_t max_download_bytes = 0;    ///< of one file
  std::int64_t download_timeout_ms = 0;   ///< of one download, redirects and retries included
  std::size_t max_files = 0;              ///< archives in the content folder
  int threads = 1;                        ///< that read files side by side
  std::vector<std::string> metadata;      ///< job types that provide metadata, in the order they are asked
  std::vector<std::string> metadata_run;  ///< those of them that are run on each new archive
  std::vector<std::string> scripts;       ///< job types that provide a script
  support::ArchiveLimits archive;
  support::ImageLimits image;
};

/// Throws Error (bad input, "config/threads: …") when the configuration is wrong.
[[nodiscard]] Settings readSettings(Job& job);

/// The content and upload folders; each throws Error::permanent when the operator has not configured it.
[[nodiscard]] const std::filesystem::path& needContentDir(const Settings& settings);
[[nodiscard]] const std::filesystem::path& needUploadDir(const Settings& settings);

}  // namespace jobhost::library
