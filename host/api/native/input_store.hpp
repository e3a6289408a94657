#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "api/channel.hpp"
#include "api/file_sink.hpp"
#include "core/result.hpp"

namespace jobhost::api::native {

/// An upload that waits for its job in core::inputFolder(data, input_id). Durable once returned: the files and the
/// folder were synced, and the folder appears whole by a rename. Retention removes those no job takes.
struct SavedInput {
  std::string input_id;          ///< "in_" + 32 hex digits, unguessable
  std::vector<SavedFile> files;  ///< at least one
};

/// Whether a file of an upload may have this name: 1 to 255 bytes of UTF-8, no slash, no control character, no leading
/// dot.
bool isInputName(std::string_view name);

/// Streams a body to disk as one file. Errors: InvalidArgument (name), TooLarge, those of BodyReader, Unavailable
/// (disk).
core::Result<SavedInput> saveInput(const std::filesystem::path& data_folder, const std::string& name, BodyReader& body,
                                   std::int64_t limit);
/// The same for multipart/form-data: each part with a file name becomes a file, at most 100; other parts are skipped.
core::Result<SavedInput> saveMultipart(const std::filesystem::path& data_folder, const std::string& content_type,
                                       BodyReader& body, std::int64_t limit);

}  // namespace jobhost::api::native
