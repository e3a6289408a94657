#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "api/http_types.hpp"
#include "core/result.hpp"

namespace jobhost::api::minion {

/// Whether an archive may be called so: by its ending, whatever its case (contracts/minion.md 3.0).
bool isArchiveName(std::string_view name);

/// The name under which an upload is kept: UTF-8 without \ / : " * ? < > | and control characters, no leading dot, and
/// short enough that name + ".upload" fits in a directory entry (255 bytes). `name` is an archive's.
std::string safeArchiveName(std::string_view name);

/// One archive that was uploaded.
struct ArchiveUpload {
  std::string name;        ///< as the client sent it
  std::string media_type;  ///< as the client sent it; may be empty
  std::string safe_name;
  bool accepted = false;             ///< false: not an archive by its name; nothing was stored
  std::filesystem::path file;        ///< where it lies now, in a folder of its own; durable
  std::optional<std::string> catid;  ///< absent when the form has none, or an empty one
};

/// Streams the form's `file` to a new folder below `upload_dir`. Errors: InvalidArgument (no form, no or several
/// files), TooLarge (over `limit` bytes), Unavailable (disk), those of BodyReader.
core::Result<ArchiveUpload> receiveArchive(Request& request, const std::filesystem::path& upload_dir,
                                           std::int64_t limit);

}  // namespace jobhost::api::minion
