#pragma once

#include <jobhost/plugin.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "support/image/thumbnail.hpp"
#include "thumbnail/page_source.hpp"
#include "thumbnail/settings.hpp"

namespace jobhost::thumbnail {

/// The library plugin's collections, where that plugin is installed.
inline constexpr const char* kArchives = "org.jobhost.library/archives";
inline constexpr const char* kTankoubons = "org.jobhost.library/tankoubons";

/// A record of another plugin; nullopt where that plugin, its collection or the record is not there.
[[nodiscard]] std::optional<Record> recordOfLibrary(Job& job, const char* collection, const std::string& key);

/// How the thumbnails of archives look: at most 500 × 1000, small pages enlarged, jpeg. `high_quality`: 80, else 50.
[[nodiscard]] support::ThumbnailOptions archiveThumbnail(bool high_quality);

/// Where they go, with xx the first two characters of the id: page 0 (the cover) `xx/<id>.jpg`, page N
/// `xx/<id>/<N>.jpg`.
[[nodiscard]] std::filesystem::path thumbnailPath(const Settings& settings, const std::string& id, int page);

/// An archive that is there.
struct KnownArchive {
  std::string id;
  bool lacks_thumbhash = false;  ///< the library has a record of it, without a `thumbhash`
};

/// All archives, each once, by id: those the library's records say are there. Where there is no library, or it has no
/// archive yet, those of the content folder, which is looked through.
[[nodiscard]] std::vector<KnownArchive> allArchives(Job& job, const Settings& settings, const support::StopCheck& stop);

/// Whether a thumbnail is there.
[[nodiscard]] bool isMade(const std::filesystem::path& path);

/// `force` as callers send it, truth as their language has it: 0, "0", "", false and null are not.
[[nodiscard]] bool readForce(const Value& force);

/// `thumbdir` is a path chosen by the caller: only the folder we would write to anyway is accepted. Throws Failure
/// path.denied.
void checkThumbDir(const Value& thumbdir, const Settings& settings);

/// The archive with this id; nullopt when there is none that can be found. Where it lies its record in the library says
/// (`record`, where the caller has read it). Where there is no record, or the file is not there, the content folder may
/// have it: then it is looked for there, within ArchiveIndex's bounds. What is opened is always checked against the id.
[[nodiscard]] std::optional<support::UniqueFd> openArchive(Job& job, const Settings& settings, const std::string& id,
                                                           const support::StopCheck& stop);
[[nodiscard]] std::optional<support::UniqueFd> openArchive(const std::optional<Record>& record,
                                                           const Settings& settings, const std::string& id,
                                                           const support::StopCheck& stop);

}  // namespace jobhost::thumbnail
