#include "thumbnail/settings.hpp"

#include <algorithm>
#include <thread>
#include <vector>

namespace jobhost::thumbnail {
namespace {

namespace fs = std::filesystem;

fs::path& pluginDirSlot() {
  static fs::path dir;
  return dir;
}

// An absolute folder, spelled plainly; empty when the key is absent or "".
fs::path folder(const Value& value) {
  const fs::path path = value.str("");
  if (path.empty()) return {};
  if (!path.is_absolute()) value.fail("must be an absolute path");
  const fs::path plain = path.lexically_normal();
  return plain.has_filename() ? plain : plain.parent_path();
}

fs::path thumbDir(const Value& config, const fs::path& content_dir) {
  if (fs::path dir = folder(config["thumb_dir"]); !dir.empty()) return dir;
  return content_dir.empty() ? pluginDir() / "thumb" : content_dir.parent_path() / "thumb";
}

std::uint64_t bound(const Value& value, std::uint64_t fallback) {
  return static_cast<std::uint64_t>(value.integer(1, INT64_MAX, static_cast<std::int64_t>(fallback)));
}

}  // namespace

void setPluginDir(const std::string& plugin_dir) {
  pluginDirSlot() = plugin_dir;
}
const fs::path& pluginDir() {
  return pluginDirSlot();
}

Settings readSettings(Job& job) {
  const Value config = job.config();
  const fs::path content_dir = folder(config["content_dir"]);
  std::vector<fs::path> roots;
  for (const Value& root : config["roots"].items()) {
    if (fs::path path = folder(root); !path.empty()) roots.push_back(std::move(path));
  }
  if (!content_dir.empty()) roots.push_back(content_dir);

  Settings settings{content_dir, thumbDir(config, content_dir), support::ConfinedRoots(std::move(roots))};
  settings.hq_page_thumbs = config["hq_page_thumbs"].boolean(false);
  settings.threads = static_cast<int>(config["threads"].integer(0, 256, 0));
  if (settings.threads == 0) settings.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  settings.image.max_pixels = bound(config["max_pixels"], settings.image.max_pixels);
  settings.archive.max_entries = bound(config["max_entries"], settings.archive.max_entries);
  settings.archive.max_entry_bytes = bound(config["max_entry_bytes"], settings.archive.max_entry_bytes);
  settings.archive.max_total_bytes = bound(config["max_total_bytes"], settings.archive.max_total_bytes);
  settings.archive.max_ratio = config["max_ratio"].number(settings.archive.max_ratio);
  return settings;
}

}  // namespace jobhost::thumbnail
