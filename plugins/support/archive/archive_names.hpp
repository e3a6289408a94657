#pragma once

#include <array>
#include <string_view>

namespace jobhost::support {

/// What names of archives end with, in lower case and without the dot; those of two parts before their last part. The
/// one list of them: what the library takes in, scans and cuts names by. The host's upload route keeps its own, since
/// it knows no plugin; tests/dialects/minion_library_test.cpp holds them together.
///
/// `cbw`, a list of URLs, is not among them: nothing here reads the network.
inline constexpr std::array<std::string_view, 17> kArchiveEndings{
    "tar.gz", "tar.zst", "tar.xz", "tar.lzma", "zip", "rar", "7z",  "tar", "lzma",
    "xz",     "zst",     "cbz",    "cbr",      "cb7", "cbt", "pdf", "epub"};

/// The ending of an archive's name with its dot, as it is spelt there ("…/Book.TAR.GZ": ".TAR.GZ"), in any case; empty
/// for other names, and where nothing stands before the dot.
[[nodiscard]] std::string_view archiveEndingOf(std::string_view name);

/// Whether an archive may be called so.
[[nodiscard]] bool isArchiveName(std::string_view name);

}  // namespace jobhost::support
