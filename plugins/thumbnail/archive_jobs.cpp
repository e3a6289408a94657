#include "thumbnail/archive_jobs.hpp"

#include <map>
#include <memory>
#include <mutex>

#include "support/files/archive_id.hpp"
#include "support/files/confined.hpp"
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

// A host without records, or without the library and its collections.
bool isNoLibrary(const Error& error) {
  return error.code() == "extension_missing" || error.code() == "invalid" || error.code() == "denied";
}

std::optional<support::UniqueFd> openRecorded(const Record& record, const Settings& settings, const std::string& id) {
  const std::string file(record.value["file"].stringOr(""));
  if (file.empty() || settings.content_dir.empty()) return std::nullopt;
  try {
    support::UniqueFd fd = support::ConfinedRoots({settings.content_dir}).openFile(file);
    if (support::archiveIdOf(fd.get()) == id) return fd;
  } catch (const support::Failure&) {
    // Gone, moved or replaced since the library's last scan.
  }
  return std::nullopt;
}

}  // namespace

std::optional<Record> recordOfLibrary(Job& job, const char* collection, const std::string& key) {
  try {
    return job.records(collection).get(key);
  } catch (const Error& error) {
    if (isNoLibrary(error)) return std::nullopt;
    throw;
  }
}

std::optional<support::UniqueFd> openArchive(Job& job, const Settings& settings, const std::string& id,
                                             const support::StopCheck& stop) {
  if (!support::isArchiveId(id)) return std::nullopt;
  return openArchive(recordOfLibrary(job, kArchives, id), settings, id, stop);
}

std::optional<support::UniqueFd> openArchive(const std::optional<Record>& record, const Settings& settings,
                                             const std::string& id, const support::StopCheck& stop) {
  if (record) {
    if (auto file = openRecorded(*record, settings, id)) return file;
  }
  return indexOf(settings)->open(id, stop);
}

std::vector<KnownArchive> allArchives(Job& job, const Settings& settings, const support::StopCheck& stop) {
  std::vector<KnownArchive> all;
  bool any = false;
  try {
    job.records(kArchives).each(RecordQuery::all().limit(1000), [&](const Record& record) {
      support::checkStop(stop);
      if (!support::isArchiveId(record.key)) return;
      any = true;
      if (record.value["file"].stringOr("").empty()) return;
      all.push_back({record.key, record.value["thumbhash"].stringOr("").empty()});
    });
  } catch (const Error& error) {
    if (!isNoLibrary(error)) throw;
  }
  if (any) return all;
  for (auto& id : indexOf(settings)->ids(stop)) all.push_back({std::move(id), false});
  return all;
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
