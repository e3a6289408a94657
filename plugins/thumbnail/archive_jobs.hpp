#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "support/image/thumbnail.hpp"
#include "thumbnail/page_source.hpp"
#include "thumbnail/settings.hpp"

namespace jobhost::thumbnail {

/// How the thumbnails of archives look: at most 500 × 1000, small pages enlarged, jpeg. `high_quality`: 80, else 50.
[[nodiscard]] support::ThumbnailOptions archiveThumbnail(bool high_quality);

/// Where they go, with xx the first two characters of the id: page 0 (the cover) `xx/<id>.jpg`, page N
/// `xx/<id>/<N>.jpg`.
[[nodiscard]] std::filesystem::path thumbnailPath(const Settings& settings, const std::string& id, int page);

/// The ids of all archives of the content folder, each once.
[[nodiscard]] std::vector<std::string> allArchives(const Settings& settings, const support::StopCheck& stop);

/// Whether a thumbnail is there.
[[nodiscard]] bool isMade(const std::filesystem::path& path);

/// `force` as callers send it, truth as their language has it: 0, "0", "", false and null are not.
[[nodiscard]] bool readForce(const Value& force);

/// `thumbdir` is a path chosen by the caller: only the folder we would write to anyway is accepted. Throws Failure
/// path.denied.
void checkThumbDir(const Value& thumbdir, const Settings& settings);

/// The archive of the content folder with this id; nullopt when there is none.
[[nodiscard]] std::optional<support::UniqueFd> openArchive(const Settings& settings, const std::string& id,
                                                           const support::StopCheck& stop);

}  // namespace jobhost::thumbnail
