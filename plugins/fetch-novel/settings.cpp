#include "fetch-novel/settings.hpp"

#include "fetch-novel/url.hpp"

namespace jobhost::novel {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMiB = std::int64_t{1} << 20;

// An absolute folder, spelled plainly; empty when the key is absent or "".
fs::path folder(const Value& value) {
  const fs::path path = value.str("");
  if (path.empty()) return {};
  if (!path.is_absolute()) value.fail("must be an absolute path");
  const fs::path plain = path.lexically_normal();
  return plain.has_filename() ? plain : plain.parent_path();
}

}  // namespace

Settings readSettings(Job& job, bool need_dir) {
  using std::chrono::milliseconds;
  const Value config = job.config();
  Settings out;
  out.dir = folder(config["lncrawl_dir"]);
  if (out.dir.empty()) {
    if (need_dir) {
      throw Error::denied(
          "no folder for novels is configured: set lncrawl.dir, or in a trial (jobhost plugin run) the key lncrawl_dir "
          "of --config")
          .code("novel.no_dir");
    }
    out.dir = job.tempDir();
  }
  out.sources = folder(config["lncrawl_sources"]);
  out.robots = config["robots"].boolean(true);
  out.generic = config["generic"].boolean(true);
  out.politeness.gap = milliseconds(config["gap_ms"].integer(0, 600'000, 1000));
  out.politeness.at_once = static_cast<std::size_t>(config["at_once"].integer(1, 16, 1));
  out.politeness.back_off = milliseconds(config["back_off_ms"].integer(0, 600'000, 5000));
  out.politeness.max_wait = milliseconds(1000 * config["max_wait_s"].integer(1, 86'400, 600));
  out.retries = static_cast<int>(config["retries"].integer(0, 10, 2));
  out.timeout_ms = 1000 * config["timeout_s"].integer(1, 3600, 300);
  out.image_timeout_ms = 1000 * config["image_timeout_s"].integer(1, 3600, 60);
  out.max_page_bytes = kMiB * config["max_page_mb"].integer(1, 256, 16);
  out.max_job_bytes = kMiB * config["max_job_mb"].integer(1, 4096, 128);
  out.max_image_bytes = kMiB * config["max_image_mb"].integer(1, 1024, 32);
  out.max_chapters = static_cast<std::size_t>(config["max_chapters"].integer(1, 1'000'000, 100'000));
  for (const auto& [host, unused] : config["credentials"].members()) out.credentials.insert(sourceHost(host));
  return out;
}

}  // namespace jobhost::novel
