#pragma once

#include <jobhost/plugin.hpp>

#include <string>

#include "support/common/failure.hpp"
#include "thumbnail/settings.hpp"

namespace jobhost::thumbnail {

/// Makes the cover of an archive of the content folder, in high quality, and keeps the `thumbhash` of the picture it
/// was made of in the archive's record, where the library has one. Answers the cover's path. Any thread. Throws
/// support::Failure (archive.unknown …), support::Stopped, Error and Cancelled.
[[nodiscard]] std::string makeCover(Job& job, const Settings& settings, const std::string& id);

/// Keeps the `thumbhash` of an archive whose cover was made when the library had no record of it; the cover stays as it
/// is. Any thread. Throws as makeCover.
void addThumbhash(Job& job, const Settings& settings, const std::string& id);

/// The cover of a tankoubon: that of its first archive. Answers its path; "No archives in tank." where the library
/// has none of it or is not installed. Throws as makeCover.
[[nodiscard]] std::string makeTankCover(Job& job, const Settings& settings, const std::string& tank);

}  // namespace jobhost::thumbnail
