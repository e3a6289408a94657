#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace jobhost::novel {

/// A chapter as a source lists it.
struct Chapter {
  int serial = 0;  ///< from 1, after normalise()
  int volume = 0;  ///< the serial of its volume; before normalise(): the source's own number, 0 for none
  std::string title;
  std::string url;
  std::vector<std::pair<std::string, std::string>> extra;  ///< further fields of the row, for {chapter.…}
  bool untitled = false;                                   ///< normalise() made the title: the source gave none
};

struct Volume {
  int serial = 0;
  std::string title;
  int chapter_count = 0;
};

struct Novel {
  std::string url;
  std::string title;
  std::string cover_url;
  std::vector<std::string> authors;
  std::vector<std::string> tags;
  std::string synopsis;  ///< HTML
  std::string language;  ///< two or three letters; empty: unknown
  bool rtl = false;
  bool manga = false;
  bool mtl = false;
  std::vector<Chapter> chapters;  ///< in reading order
  std::vector<Volume> volumes;    ///< before normalise(): titles of the source's own, numbered as its chapters say
  int volume_size = 0;            ///< after normalise(): chapters of a volume where the source has none; 0: it has
  std::string cut;                ///< why chapters may be missing at the list's end or in between; empty: it is whole
};

struct SearchResult {
  std::string title;
  std::string url;
  std::string info;
};

/// Brings a crawled novel into the form it is stored in: serials from 1, volumes without gaps or empty ones (of
/// `chapters_per_volume` when the source has none; chapters of no known volume go where their serial falls, else to a
/// last one, "Others"), titles and authors decoded, NFKC, white space collapsed, empty ones numbered, tags distinct.
void normalise(Novel& novel, int chapters_per_volume);

/// The last step of it, for who changed the list afterwards: serials, made up titles, volumes and their counts.
void renumber(Novel& novel);

/// One title or name as above, without the numbering.
std::string cleanTitle(std::string_view text);

/// Whether the script of a language (ISO 639) runs from right to left.
bool isRightToLeft(std::string_view language);

/// The two or three letters of "en-GB", "pt_BR", "zh-Hans"; empty when it is no language.
std::string languageCode(std::string_view tag);

}  // namespace jobhost::novel
