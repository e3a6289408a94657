#pragma once

#include "artifact/book_source.hpp"
#include "artifact/build.hpp"

namespace jobhost::artifact {

/// Writes the book as EPUB 3.2 into `fd` (an empty regular file, borrowed). The same source gives the same bytes.
///
/// Chapters without a body are left out, and volumes without a chapter; a book without any has its introduction.
/// Pictures go in once each, as what their bytes are; those a book cannot hold are left out and counted. Old readers
/// find a toc.ncx. Of the book only titles and names of pictures are held. Throws support::Failure (see BookWalk,
/// ImageShelf, ZipWriter; artifact.no_id) and Stopped; what is in the file then is to be thrown away.
BookReport writeEpub(BookSource& source, int fd, const BookLimits& limits = {}, const BuildHooks& hooks = {});

/// Writes the book as a ZIP of JSON: `{volume:03}/{chapter:05}.json` (the Chapter's record with its `content`),
/// `images/`, `cover.jpg`, and `meta.json` (the Novel's record with `volumes`, each with its `chapters`). Indented by
/// two; chapters without volume are in 000. Errors and memory as writeEpub.
BookReport writeJson(BookSource& source, int fd, const BookLimits& limits = {}, const BuildHooks& hooks = {});

/// Writes the book as a ZIP of text: `{volume:03}/{chapter:05}.txt`, `images/`, `cover.jpg`, and `meta.txt`.
/// Errors and memory as writeEpub.
BookReport writeTxt(BookSource& source, int fd, const BookLimits& limits = {}, const BuildHooks& hooks = {});

}  // namespace jobhost::artifact
