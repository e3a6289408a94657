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

namespace {

std::shared_ptr<ArchiveIndex> indexOf(const Settings& settings) {
  // A warm runner keeps what it learnt about the content folder; there is one, unless the operator changes it.
  static std::mutex mutex;
  static std::map<std::filesystem::path, std::shared_ptr<ArchiveIndex>> indexes;
  const std::lock_guard lock(mutex);
  auto& slot = indexes[settings.content_dir];
  if (!slot) slot = std::make_shared<ArchiveIndex>(settings.content_dir, pluginDir() / "archive-index");
  return slot;
}

}  // namespace

std::optional<support::UniqueFd> openArchive(const Settings& settings, const std::string& id,
                                             const support::StopCheck& stop) {
  return indexOf(settings)->open(id, stop);
}

std::vector<std::string> allArchives(const Settings& settings, const support::StopCheck& stop) {
  return indexOf(settings)->ids(stop);
}

bool isMade(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error) && std::filesystem::file_size(path, error) > 0;
}

bool readForce(const Value& force) {
  const Json& json = force.json();
  if (json.isString()) return json.stringOr("") != "0" && !json.stringOr("").empty();
  return json.boolOr(json.intOr(0) != 0);
}

void checkThumbDir(const Value& thumbdir, const Settings& settings) {
  const std::filesystem::path given = std::filesystem::path(thumbdir.str("")).lexically_normal();
  if (given.empty()) return;
  const auto plain = given.has_filename() ? given : given.parent_path();
  if (plain != settings.thumb_dir) {
    throw support::Failure(support::FailureKind::Denied, "path.denied", "path not allowed");
  }
}

}  // namespace jobhost::thumbnail
