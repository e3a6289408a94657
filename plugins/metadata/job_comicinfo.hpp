#pragma once

#include <jobhost/plugin.hpp>

namespace jobhost::metadata {

/// `comicinfo`: what an archive says of itself in its ComicInfo.xml or, as an EPUB, in its package document. Params,
/// result and errors: README.md.
[[nodiscard]] Json runComicinfo(Job& job);

}  // namespace jobhost::metadata
