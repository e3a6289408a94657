#include "metadata/comic_info.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <string>

#include "support/tags/tags.hpp"
#include "support/xml/xml_document.hpp"

namespace jobhost::metadata {
namespace {

/// An element that becomes tags: its namespace (empty: none), and whether it is a list with commas.
struct Field {
  const char* element;
  const char* name_space;
  bool list;
};

constexpr std::array kFields{
    Field{"Series", "series", false},
    Field{"Writer", "author", true},
    Field{"Penciller", "artist", true},
    Field{"Inker", "artist", true},
    Field{"Colorist", "artist", true},
    Field{"CoverArtist", "artist", true},
    Field{"Translator", "translator", true},
    Field{"Publisher", "publisher", false},
    Field{"Imprint", "imprint", false},
    Field{"Characters", "character", true},
    Field{"Teams", "team", true},
    Field{"Locations", "location", true},
    Field{"StoryArc", "story_arc", true},
    Field{"LanguageISO", "language", false},
    Field{"Year", "year", false},
    Field{"AgeRating", "age_rating", false},
    Field{"Genre", "", true},
    Field{"Tags", "", true},
};

bool means(const std::string& value) {
  const std::string low = support::lowerCase(value);
  return !low.empty() && low != "unknown" && low != "-1";
}

void addField(const Field& field, const std::string& text, Found& found) {
  if (!field.list) {
    if (means(text)) found.tags.push_back(support::makeTag(field.name_space, text));
    return;
  }
  for (const auto& one : support::splitTags(text)) {
    if (means(one)) found.tags.push_back(support::makeTag(field.name_space, one));
  }
}

// Several addresses stand with blanks between.
void addSources(const std::string& text, Found& found) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string url = text.substr(at, end - at);
    if (url.starts_with("http://") || url.starts_with("https://"))
      found.tags.push_back(support::makeTag("source", url.substr(url.find("://") + 3)));
    at = end + 1;
  }
}

}  // namespace

std::optional<Found> readComicInfo(std::string_view xml) {
  const auto document = support::XmlDocument::parse(xml);
  xmlNode* const root = document.root();
  if (root == nullptr || !support::isElement(root, "ComicInfo")) return std::nullopt;
  Found found;
  for (xmlNode* node = root->children; node != nullptr; node = node->next) {
    if (node->type != XML_ELEMENT_NODE) continue;
    const std::string raw = support::xmlText(node);
    const std::string text = support::tidied(raw);
    if (support::isElement(node, "Title")) found.title = text;
    if (support::isElement(node, "Summary")) found.summary = plainText(raw);
    if (support::isElement(node, "Web")) addSources(text, found);
    if (support::isElement(node, "Manga") && text == "YesAndRightToLeft")
      found.tags.emplace_back("direction:right to left");
    for (const Field& field : kFields) {
      if (support::isElement(node, field.element)) addField(field, text, found);
    }
  }
  return found;
}

}  // namespace jobhost::metadata
