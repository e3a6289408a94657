#pragma once

#include <jobhost/plugin.hpp>

namespace jobhost::thumbnail {

/// `thumbnail`: one picture as an output of the job. Params, result and errors of all: README.md.
[[nodiscard]] Json runThumbnail(Job& job);
/// `thumbnail_task`: the cover or a page of an archive, written to the thumbnail folder; the result is its path.
[[nodiscard]] Json runThumbnailTask(Job& job);
/// `page_thumbnails`: every page of an archive, written to the thumbnail folder, with a note for each.
[[nodiscard]] Json runPageThumbnails(Job& job);

/// `tank_thumbnail_task`: the cover of a tankoubon, that of its first archive; the result is its path.
[[nodiscard]] Json runTankThumbnailTask(Job& job);
/// `regen_all_thumbnails`: the covers of all archives and tankoubons.
[[nodiscard]] Json runRegenAllThumbnails(Job& job);

}  // namespace jobhost::thumbnail
