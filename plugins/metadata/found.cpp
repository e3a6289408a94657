#include "metadata/found.hpp"

#include "support/tags/tags.hpp"
#include "support/xml/xml_document.hpp"

namespace jobhost::metadata {

std::string plainText(const std::string& text) {
  if (text.find('<') == std::string::npos || text.find('>') == std::string::npos) return support::tidied(text);
  // A blank before each tag, so that words on both sides of one do not grow together.
  std::string spaced = "<html><head><meta charset=\"utf-8\"></head><body>";
  for (const char c : text) {
    if (c == '<') spaced += ' ';
    spaced += c;
  }
  const auto document = support::XmlDocument::parseHtml(spaced);
  return document.root() == nullptr ? std::string() : support::tidied(support::xmlText(document.root()));
}

std::string shortened(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80U) --most;
  text.resize(most);
  return text;
}

}  // namespace jobhost::metadata
