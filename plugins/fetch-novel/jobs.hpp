#pragma once

#include <jobhost/plugin.hpp>

namespace jobhost::novel {

// Params, results, notes and errors of all: README.md.
/// `novel`: reads a novel's page and list of chapters.
[[nodiscard]] Json runNovel(Job& job);
/// `full_novel`: the same, then all volumes and an EPUB as jobs of their own.
[[nodiscard]] Json runFullNovel(Job& job);
/// `novel_batch`, `full_novel_batch`: one of these for each address.
[[nodiscard]] Json runNovelBatch(Job& job);
[[nodiscard]] Json runFullNovelBatch(Job& job);
/// `volume`: a job for each of its chapters.
[[nodiscard]] Json runVolume(Job& job);
[[nodiscard]] Json runVolumeBatch(Job& job);
/// `chapter`: fetches a chapter's text; its pictures as jobs of their own.
[[nodiscard]] Json runChapter(Job& job);
[[nodiscard]] Json runChapterBatch(Job& job);
/// `image`: fetches a picture of a chapter.
[[nodiscard]] Json runImage(Job& job);
[[nodiscard]] Json runImageBatch(Job& job);
/// `scan_sources`: reads all source specs, or tries one on an address.
[[nodiscard]] Json runScanSources(Job& job);

}  // namespace jobhost::novel
