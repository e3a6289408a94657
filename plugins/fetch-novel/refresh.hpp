#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fetch-novel/novel.hpp"

namespace jobhost::novel {

/// A chapter as an earlier reading of the novel left it.
struct StoredChapter {
  std::string url;
  std::string title;
  bool untitled = false;
  std::string volume_title;
  std::vector<std::pair<std::string, std::string>> extra;
};

/// How a fresh list of chapters meets the stored one, so that ids, files and titles stay together when the site inserts
/// or removes chapters: by address first, then, for those left over on both sides, by a title that says which chapter
/// it is: the site's own and the only one of its kind in both lists, else one "Interlude" would get another one's text.
/// For each fresh chapter the index of the stored one that it is, or -1.
std::vector<int> matchChapters(const std::vector<StoredChapter>& stored, const std::vector<Chapter>& fresh);

/// Why the stored chapters that a list lacks stay: the list was cut (Novel::cut), or lacks more than half of them,
/// which is what a site that is half down or an error page looks like. Empty: they go.
std::string whyKept(const Novel& novel, std::size_t stored, std::size_t lacking);

/// Puts the stored chapters that a normalised novel lacks into its list, each behind the one it was behind, and numbers
/// all anew. A volume that is gone comes back with its chapters. `matched` is matchChapters' answer and follows.
void keepLacking(Novel& novel, const std::vector<StoredChapter>& stored, std::vector<int>& matched);

}  // namespace jobhost::novel
