#pragma once

#include <jobhost/plugin.hpp>

namespace jobhost::library {

// Params, results and errors of all: README.md.
/// `handle_upload`: takes a file of the upload folder into the library.
[[nodiscard]] Json runHandleUpload(Job& job);
/// `download_url`: fetches an archive and takes it in.
[[nodiscard]] Json runDownloadUrl(Job& job);
/// `find_duplicates`: groups archives whose covers are alike.
[[nodiscard]] Json runFindDuplicates(Job& job);
/// `build_stat_hashes`: rebuilds the tables that searches and statistics are made of.
[[nodiscard]] Json runBuildStatHashes(Job& job);
/// `run_plugin`: asks one metadata or script plugin.
[[nodiscard]] Json runRunPlugin(Job& job);
/// `scan_library`: registers what lies in the content folder.
[[nodiscard]] Json runScanLibrary(Job& job);

}  // namespace jobhost::library
