#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace jobhost::novel {

struct BodyImage {
  std::string id;   ///< 32 hexadecimal digits, the same for the same image of the same chapter
  std::string url;  ///< absolute
};

struct Body {
  std::string html;               ///< paragraphs; images as <img src="images/{id}.jpg" alt="{id}">
  std::vector<BodyImage> images;  ///< in order, each once
};

struct BodyOptions {
  std::string site;                         ///< the source's root address; goes into the ids
  std::string chapter_url;                  ///< where relative links of images start
  std::vector<std::string> text_blocklist;  ///< paragraphs that hold nothing else are dropped, whatever their case
};

/// The form a chapter is stored in, from what a spec's extractor or the generic fallback gave: what no book needs is
/// removed (forms, frames, scripts, players …), attributes but a few go, lazy images get their address, inline wrappers
/// are flattened, empty paragraphs go, control characters too. Running it on its own output changes nothing but ids.
Body cleanBody(std::string_view html, const BodyOptions& options);

/// The id of an image.
std::string imageId(std::string_view site, std::string_view chapter_url, std::string_view image_url);

}  // namespace jobhost::novel
