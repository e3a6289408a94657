#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace jobhost::support {

/// How much of a file its archive id covers: 512,000 bytes, not 524,288 (as the Minion clients compute it).
inline constexpr std::size_t kArchiveIdBytes = 512'000;

/// The lower-case hex SHA-1 of the first kArchiveIdBytes of the file. Throws Failure archive.empty, file.read.
[[nodiscard]] std::string archiveIdOf(int fd);

/// The lower-case hex SHA-1 of bytes.
[[nodiscard]] std::string sha1Of(std::string_view bytes);

/// 40 lower-case hex digits.
[[nodiscard]] bool isArchiveId(std::string_view text);

}  // namespace jobhost::support
