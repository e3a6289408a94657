#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fetch-novel/novel.hpp"
#include "fetch-novel/page.hpp"

namespace jobhost::novel {

/// What a page says of itself: OpenGraph, then JSON-LD, then its title and meta elements.
struct PageFacts {
  std::string title;
  std::string cover_url;
  std::vector<std::string> authors;
  std::vector<std::string> tags;
  std::string synopsis;  ///< HTML
  std::string language;
};
PageFacts readFacts(const Page& page);

/// The chapters that a page without a spec lists: the block of links that looks most like a table of contents. Empty:
/// none does. Links to other hosts, to the page itself and doubles are left out; a list that counts down is turned
/// round.
std::vector<Chapter> guessChapters(const Page& page);

/// The main text of a page without a spec, as HTML: the element with the most prose and the fewest links. Empty: none.
std::string guessBody(const Page& page);

/// The address of the next page, of a link that says so (rel=next, "next", "→"); for books that have no contents page.
std::string guessNext(const Page& page);

/// A novel of a site without a spec, from its page alone. Throws CrawlError Missing when it has no title or chapters.
Novel guessNovel(const Page& page);

}  // namespace jobhost::novel
