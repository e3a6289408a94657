#pragma once

#include <jobhost/plugin.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

#include "fetch-novel/politeness.hpp"
#include "support/image/thumbnail.hpp"

namespace jobhost::novel {

/// What the operator configured for this plugin, read at the start of each attempt. README.md has the keys.
struct Settings {
  std::filesystem::path dir;      ///< where novels lie
  std::filesystem::path sources;  ///< the operator's specs; empty: none
  bool robots = true;             ///< whether robots.txt is obeyed
  bool generic = true;            ///< whether sites without a spec are read by guessing
  Politeness::Options politeness;
  int retries = 2;  ///< of a request after 429, 5xx or a broken connection
  std::int64_t timeout_ms = 0;
  std::int64_t image_timeout_ms = 0;
  std::int64_t max_page_bytes = 0;
  std::int64_t max_job_bytes = 0;  ///< of all pages of one job
  std::int64_t max_image_bytes = 0;
  std::size_t max_chapters = 0;
  std::set<std::string> credentials;  ///< hosts that the operator gave credentials for
  support::ImageLimits image;
};

/// Throws Error (bad input, "config/retries: …") when the configuration is wrong. `need_dir`: lncrawl_dir must be
/// there; else the job's temporary folder takes its place.
[[nodiscard]] Settings readSettings(Job& job, bool need_dir = true);

}  // namespace jobhost::novel
