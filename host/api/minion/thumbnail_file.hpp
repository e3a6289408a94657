#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "api/http_types.hpp"

namespace jobhost::api::minion {

/// 40 lower-case hex digits: the only ids whose files are looked for, so no path can be made of one.
bool isArchiveId(std::string_view text);
/// "TANK_" and 10 digits.
bool isTankId(std::string_view text);

// Where the thumbnail plugin puts pictures (contracts/minion.md 3.0), below the thumbnail folder.
std::filesystem::path coverFile(const std::filesystem::path& thumb_dir, const std::string& archive);
std::filesystem::path pageFile(const std::filesystem::path& thumb_dir, const std::string& archive, std::int64_t page);
std::filesystem::path tankFile(const std::filesystem::path& thumb_dir, const std::string& tank);

/// Whether a picture lies there, whole: they appear by a rename.
bool isThere(const std::filesystem::path& picture);
/// The picture with its ETag and Last-Modified, or 304 for who has it already; nullopt: there is none.
std::optional<Response> servePicture(const Request& request, const std::filesystem::path& picture);
/// What is shown in place of a picture that is not there: our own, a PNG made at the first call.
Response servePlaceholder();

}  // namespace jobhost::api::minion
