#pragma once

#include <filesystem>
#include <string_view>

#include "core/result.hpp"

namespace jobhost::catalog {

/// Whether a replaced file has to survive a power cut.
enum class Durable { No, Yes };

/// Puts a file with this text, mode 0600, in the place of `file` in one step; makes its folder. Error: Unavailable with
/// the failing step; the file before is still there.
core::Result<void> replaceFile(const std::filesystem::path& file, std::string_view text, Durable durable);

}  // namespace jobhost::catalog
