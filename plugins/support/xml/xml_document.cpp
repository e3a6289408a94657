#include "support/xml/xml_document.hpp"

#include <libxml/HTMLparser.h>
#include <libxml/parser.h>

#include <limits>

namespace jobhost::support {
namespace {

bool fits(std::string_view text) {
  return text.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max());
}

std::string_view contentOf(const xmlNode* node) {
  return node->content == nullptr ? std::string_view() : reinterpret_cast<const char*>(node->content);
}

bool isText(const xmlNode* node) {
  return node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE;
}

// The node after `node` below `root` in document order, elements' children first; null at the end.
xmlNode* following(xmlNode* node, const xmlNode* root) {
  if (node->children != nullptr && node->type == XML_ELEMENT_NODE) return node->children;
  while (node != root && node->next == nullptr) {
    node = node->parent;
    if (node == nullptr) return nullptr;
  }
  return node == root ? nullptr : node->next;
}

}  // namespace

XmlDocument XmlDocument::parse(std::string_view text) {
  if (!fits(text)) return XmlDocument(nullptr);
  return XmlDocument(xmlReadMemory(text.data(), static_cast<int>(text.size()), "", nullptr,
                                   XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_RECOVER));
}

XmlDocument XmlDocument::parseHtml(std::string_view text) {
  if (!fits(text)) return XmlDocument(nullptr);
  return XmlDocument(htmlReadMemory(text.data(), static_cast<int>(text.size()), "", nullptr,
                                    HTML_PARSE_NONET | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_RECOVER));
}

void XmlDocument::walk(const std::function<bool(xmlNode*)>& visit) const {
  xmlNode* const top = root();
  for (xmlNode* node = top; node != nullptr; node = following(node, top)) {
    if (node->type == XML_ELEMENT_NODE && visit(node)) return;
  }
}

bool isElement(const xmlNode* node, const char* name) {
  return node->type == XML_ELEMENT_NODE && xmlStrEqual(node->name, reinterpret_cast<const xmlChar*>(name)) != 0;
}

std::string xmlAttribute(const xmlNode* node, const char* name) {
  for (const xmlAttr* at = node->properties; at != nullptr; at = at->next) {
    if (xmlStrEqual(at->name, reinterpret_cast<const xmlChar*>(name)) == 0) continue;
    std::string value;
    for (const xmlNode* part = at->children; part != nullptr; part = part->next) {
      if (isText(part)) value += contentOf(part);
    }
    return value;
  }
  return {};
}

std::string xmlText(const xmlNode* node, std::size_t max_bytes) {
  std::string text;
  // libxml2's functions want nodes that may be changed; none is.
  for (xmlNode* at = const_cast<xmlNode*>(node); at != nullptr; at = following(at, node)) {
    if (!isText(at)) continue;
    const std::string_view more = contentOf(at);
    text += more.substr(0, max_bytes - text.size());
    if (text.size() == max_bytes) break;
  }
  return text;
}

}  // namespace jobhost::support
