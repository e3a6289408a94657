#pragma once

#include <filesystem>
#include <string_view>

namespace jobhost::support {

/// Writes a file so that readers see the old or the new content, never a part: temporary file beside it, then rename.
/// Makes missing folders. `durable` also waits for the disk. Throws Failure file.write.
void writeFileAtomically(const std::filesystem::path& path, std::string_view bytes, bool durable = false);

}  // namespace jobhost::support
