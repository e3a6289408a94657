#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_types.hpp"

namespace jobhost::api {

/// A file of an archive that is made while it is sent.
struct ZipEntry {
  std::string name;             ///< as a plugin called it; zipName() is what the archive says
  std::filesystem::path file;   ///< read when its turn comes; not followed if it is a symbolic link
  std::int64_t size_bytes = 0;  ///< the file's, as the job's end left it
  bool packed = false;          ///< its format is a compressed one, so that deflating it would only cost time
};

/// The files as one ZIP, in order, in a few hundred KiB of memory whatever their sizes: entries carry their sizes
/// behind them, and beyond 4 GiB or 65 535 files it is a ZIP64. A file that is gone, has
/// another size than it should, or grows shorter meanwhile ends it with an error (Unavailable).
std::unique_ptr<BodySource> zipOf(std::vector<ZipEntry> entries);

/// A name no unpacking program is led astray by: '/' between parts, no empty, "." or ".." part, no part that ends in a
/// dot or blank, no drive, backslash or control character, valid UTF-8.
std::string zipName(std::string_view name);

/// Whether files of this media type are compressed already.
bool isPacked(std::string_view media_type);

}  // namespace jobhost::api
