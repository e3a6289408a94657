#include "thumbnail/cover.hpp"

#include <algorithm>

#include "support/files/archive_id.hpp"
#include "support/files/atomic_file.hpp"
#include "support/job/job_failures.hpp"
#include "thumbnail/archive_jobs.hpp"
#include "thumbnail/page_source.hpp"

namespace jobhost::thumbnail {
namespace {

using support::Failure;
using support::FailureKind;

constexpr int kTries = 5;  // of a record that others change meanwhile
constexpr const char* kNoArchives = "No archives in tank.";

support::UniqueFd openOrFail(const std::optional<Record>& record, const Settings& settings, const std::string& id,
                             const support::StopCheck& stop) {
  auto file = openArchive(record, settings, id, stop);
  if (!file) {
    throw Failure(FailureKind::NotFound, "archive.unknown", "no archive in the content folder has the id " + id);
  }
  return *std::move(file);
}

/// Stored at once: so is the cover, and an attempt that makes thousands must not hold them all.
void keepThumbhash(Job& job, const std::string& id, const std::string& thumbhash) {
  for (int tried = 1;; ++tried) {
    auto record = recordOfLibrary(job, kArchives, id);
    if (!record || !record->value.isObject() || record->value["thumbhash"].stringOr("") == thumbhash) return;
    record->value.set("thumbhash", thumbhash);
    PutOptions options;
    options.parent = record->parent;
    options.sort = record->sort;
    options.expected = record->version;
    options.now = true;
    try {
      job.records(kArchives).put(id, record->value, options);
      return;
    } catch (const Error& error) {
      if (error.code() != "conflict" || tried == kTries) throw;
    }
  }
}

/// "TANK_" and ten digits.
bool isTankId(const std::string& id) {
  return id.size() == 15 && id.starts_with("TANK_") &&
         std::all_of(id.begin() + 5, id.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string makeCover(Job& job, const Settings& settings, const std::string& id) {
  const auto stop = support::stopCheckOf(job);
  const auto record = recordOfLibrary(job, kArchives, id);
  PageSource source(openOrFail(record, settings, id, stop), settings, stop);
  std::string original;
  const auto thumbnail = source.make(0, archiveThumbnail(true), record ? &original : nullptr);
  const auto path = thumbnailPath(settings, id, 0);
  support::writeFileAtomically(path, thumbnail.bytes);
  if (record) keepThumbhash(job, id, support::sha1Of(original));
  return path.string();
}

void addThumbhash(Job& job, const Settings& settings, const std::string& id) {
  const auto stop = support::stopCheckOf(job);
  PageSource source(openOrFail(recordOfLibrary(job, kArchives, id), settings, id, stop), settings, stop);
  keepThumbhash(job, id, support::sha1Of(source.original(0)));
}

std::string makeTankCover(Job& job, const Settings& settings, const std::string& tank) {
  if (!isTankId(tank)) return kNoArchives;
  const auto record = recordOfLibrary(job, kTankoubons, tank);
  const std::string id(record ? record->value["archives"].at(0).stringOr("") : "");
  if (id.empty()) return kNoArchives;

  const auto stop = support::stopCheckOf(job);
  PageSource source(openOrFail(recordOfLibrary(job, kArchives, id), settings, id, stop), settings, stop);
  const auto thumbnail = source.make(0, archiveThumbnail(true));
  // In the folder of its pages: the archive's own cover and thumbhash stay as they are.
  support::writeFileAtomically(thumbnailPath(settings, id, 1).parent_path() / "0.jpg", thumbnail.bytes);
  const auto path = settings.thumb_dir / "TA" / (tank + ".jpg");
  support::writeFileAtomically(path, thumbnail.bytes);
  return path.string();
}

}  // namespace jobhost::thumbnail
