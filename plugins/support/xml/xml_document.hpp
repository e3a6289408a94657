#pragma once

#include <libxml/tree.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace jobhost::support {

/// A parsed document, or none where it could not be parsed at all. Parsed without network, DTDs and entities, with
/// libxml2's own bounds (no XML_PARSE_HUGE): depth 256, amplification checked. Not for sharing between threads.
class XmlDocument {
 public:
  static XmlDocument parse(std::string_view text);
  static XmlDocument parseHtml(std::string_view text);

  [[nodiscard]] xmlNode* root() const { return document_ ? xmlDocGetRootElement(document_.get()) : nullptr; }

  /// All elements in document order, without recursion; `visit` returns true to stop.
  void walk(const std::function<bool(xmlNode*)>& visit) const;

 private:
  explicit XmlDocument(xmlDoc* document) : document_(document, &xmlFreeDoc) {}
  std::unique_ptr<xmlDoc, decltype(&xmlFreeDoc)> document_;
};

/// Whether it is an element of this local name, whatever its prefix.
[[nodiscard]] bool isElement(const xmlNode* node, const char* name);

/// An attribute by its local name (documents use prefixes as they please); empty when absent. References to entities
/// other than the five of XML are left out: what they stand for may be a million times as long.
[[nodiscard]] std::string xmlAttribute(const xmlNode* node, const char* name);

/// The text in an element and the elements below it, at most `max_bytes`; entities as above.
[[nodiscard]] std::string xmlText(const xmlNode* node, std::size_t max_bytes = 1 << 20);

}  // namespace jobhost::support
