#include "library/settings.hpp"

#include <algorithm>
#include <thread>

namespace jobhost::library {
namespace {

namespace fs = std::filesystem;

// An absolute folder, spelled plainly; empty when the key is absent or "".
fs::path folder(const Value& value) {
  const fs::path path = value.str("");
  if (path.empty()) return {};
  if (!path.is_absolute()) value.fail("must be an absolute path");
  const fs::path plain = path.lexically_normal();
  return plain.has_filename() ? plain : plain.parent_path();
}

// Those of `all` that the operator named, in that order; all of them when the key is absent.
std::vector<std::string> chosen(const Value& names, const std::vector<std::string>& all) {
  if (!names.present()) return all;
  std::vector<std::string> some;
  for (const std::string& name : names.strings()) {
    if (std::find(all.begin(), all.end(), name) != all.end()) some.push_back(name);
  }
  return some;
}

}  // namespace

Settings readSettings(Job& job) {
  const Value config = job.config();
  Settings settings;
  settings.content_dir = folder(config["content_dir"]);
  settings.upload_dir = folder(config["upload_dir"]);
  settings.thumb_dir = folder(config["thumb_dir"]);
  if (settings.thumb_dir.empty() && !settings.content_dir.empty())
    settings.thumb_dir = settings.content_dir.parent_path() / "thumb";
  settings.replace_duplicates = config["replace_duplicates"].boolean(false);
  settings.date_added = config["date_added"].boolean(true);
  settings.child_timeout_ms = 1000 * config["plugin_timeout_s"].integer(1, 86'400, 300);
  settings.max_download_bytes = config["max_download_mb"].integer(1, 1 << 20, 1024) << 20;
  settings.download_timeout_ms = 1000 * config["download_timeout_s"].integer(1, 86'400, 3600);
  settings.max_files = static_cast<std::size_t>(config["max_files"].integer(1, 10'000'000, 1'000'000));
  settings.threads = static_cast<int>(config["threads"].integer(0, 256, 0));
  if (settings.threads == 0) settings.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  settings.metadata = config["providers"]["metadata"].strings();
  settings.scripts = config["providers"]["script"].strings();
  settings.metadata_run = chosen(config["metadata_plugins"], settings.metadata);
  return settings;
}

const fs::path& needContentDir(const Settings& settings) {
  if (!settings.content_dir.empty()) return settings.content_dir;
  throw Error::denied("no content folder is configured (content.dir)").code("library.no_content_dir");
}

const fs::path& needUploadDir(const Settings& settings) {
  if (!settings.upload_dir.empty()) return settings.upload_dir;
  throw Error::denied("no upload folder is configured (content.upload_dir)").code("library.no_upload_dir");
}

}  // namespace jobhost::library
