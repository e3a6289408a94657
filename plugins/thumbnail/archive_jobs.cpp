#include "thumbnail/archive_jobs.hpp"

#include <map>
#include <memory>
#include <mutex>

#include "thumbnail/archive_index.hpp"

namespace jobhost::thumbnail {

support::ThumbnailOptions archiveThumbnail(bool high_quality) {
  support::ThumbnailOptions options;
  options.width = 500;
  options.height = 1000;
  options.enlarge = true;
  options.quality = high_quality ? 80 : 50;
  return options;
}

std::filesystem::path thumbnailPath(const Settings& settings, const std::string& id, int page) {
  const std::filesystem::path folder = settings.thumb_dir / id.substr(0, 2);
  return page == 0 ? folder / (id + ".jpg") : folder / id / (std::to_string(page) + ".jpg");
}

std::optional<support::UniqueFd> openArchive(const Settings& settings, const std::string& id,
                                             const support::StopCheck& stop) {
  // A warm runner keeps what it learnt about the content folder; there is one, unless the operator changes it.
  static std::mutex mutex;
  static std::map<std::filesystem::path, std::shared_ptr<ArchiveIndex>> indexes;
  std::shared_ptr<ArchiveIndex> index;
  {
    const std::lock_guard lock(mutex);
    auto& slot = indexes[settings.content_dir];
    if (!slot) slot = std::make_shared<ArchiveIndex>(settings.content_dir, pluginDir() / "archive-index");
    index = slot;
  }
  return index->open(id, stop);
}

}  // namespace jobhost::thumbnail
