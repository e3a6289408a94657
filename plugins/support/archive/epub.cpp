#include "support/archive/epub.hpp"

#include <libxml/HTMLparser.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include <functional>
#include <memory>
#include <vector>

#include "support/archive/page_order.hpp"

namespace jobhost::support {
namespace {

constexpr std::uint64_t kContainerBytes = 1 << 20;
constexpr std::uint64_t kDocumentBytes = 16 << 20;

using Doc = std::unique_ptr<xmlDoc, decltype(&xmlFreeDoc)>;

// No network, no DTD, no entities, and libxml2's own bounds (no XML_PARSE_HUGE): depth 256, amplification checked.
Doc parseXml(const std::string& text) {
  return {xmlReadMemory(text.data(), static_cast<int>(text.size()), "", nullptr,
                        XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_RECOVER),
          &xmlFreeDoc};
}

Doc parseHtml(const std::string& text) {
  return {htmlReadMemory(text.data(), static_cast<int>(text.size()), "", nullptr,
                         HTML_PARSE_NONET | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_RECOVER),
          &xmlFreeDoc};
}

std::string attribute(xmlNode* node, const char* name) {
  // By local name: OPF documents use prefixes as they please.
  for (xmlAttr* at = node->properties; at != nullptr; at = at->next) {
    if (xmlStrEqual(at->name, reinterpret_cast<const xmlChar*>(name)) == 0) continue;
    std::unique_ptr<xmlChar, decltype(xmlFree)> value(xmlNodeListGetString(node->doc, at->children, 1), xmlFree);
    return value ? reinterpret_cast<const char*>(value.get()) : "";
  }
  return {};
}

bool isElement(const xmlNode* node, const char* name) {
  return node->type == XML_ELEMENT_NODE && xmlStrEqual(node->name, reinterpret_cast<const xmlChar*>(name)) != 0;
}

// All elements in document order, without recursion; `visit` returns true to stop.
void walk(xmlDoc* doc, const std::function<bool(xmlNode*)>& visit) {
  xmlNode* root = doc != nullptr ? xmlDocGetRootElement(doc) : nullptr;
  for (xmlNode* node = root; node != nullptr;) {
    if (node->type == XML_ELEMENT_NODE && visit(node)) return;
    if (node->children != nullptr && node->type == XML_ELEMENT_NODE) {
      node = node->children;
      continue;
    }
    while (node != nullptr && node != root && node->next == nullptr) node = node->parent;
    node = node == nullptr || node == root ? nullptr : node->next;
  }
}

bool hasWord(std::string_view text, std::string_view word) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = text.find_first_not_of(" \t\r\n", at);
    if (start == std::string_view::npos) return false;
    const std::size_t end = std::min(text.find_first_of(" \t\r\n", start), text.size());
    if (text.substr(start, end - start) == word) return true;
    at = end;
  }
  return false;
}

struct Item {
  std::string id, href, media_type, properties;
  [[nodiscard]] bool isImage() const { return media_type.starts_with("image/") || isPageName(href); }
};

struct Package {
  std::vector<Item> items;
  std::string cover_id;    // <meta name="cover" content="…">
  std::string cover_page;  // <reference type="cover" href="…">
};

Package readPackage(xmlDoc* doc) {
  Package package;
  walk(doc, [&](xmlNode* node) {
    if (isElement(node, "item")) {
      package.items.push_back({attribute(node, "id"), attribute(node, "href"), attribute(node, "media-type"),
                               attribute(node, "properties")});
    } else if (isElement(node, "meta") && attribute(node, "name") == "cover") {
      package.cover_id = attribute(node, "content");
    } else if (isElement(node, "reference") && attribute(node, "type") == "cover") {
      package.cover_page = attribute(node, "href");
    }
    return false;
  });
  return package;
}

std::string firstPicture(const std::string& html) {
  std::string href;
  const Doc doc = parseHtml(html);
  walk(doc.get(), [&](xmlNode* node) {
    if (isElement(node, "img")) href = attribute(node, "src");
    if (isElement(node, "image"))
      href = attribute(node, "href").empty() ? attribute(node, "xlink:href") : attribute(node, "href");
    return !href.empty();
  });
  return href;
}

std::optional<std::size_t> coverOf(Archive& archive, const std::string& opf_name, const Package& package) {
  const auto entryOf = [&](const std::string& href) { return archive.find(resolveHref(opf_name, href)); };
  for (const Item& item : package.items) {
    if (!hasWord(item.properties, "cover-image")) continue;
    if (auto found = entryOf(item.href)) return found;
  }
  for (const Item& item : package.items) {
    if (package.cover_id.empty() || (item.id != package.cover_id && item.href != package.cover_id) || !item.isImage()) {
      continue;
    }
    if (auto found = entryOf(item.href)) return found;
  }
  if (!package.cover_page.empty()) {
    const std::string page_name = resolveHref(opf_name, package.cover_page);
    if (const auto page = archive.find(page_name)) {
      const std::string href = firstPicture(archive.read(*page, kDocumentBytes));
      if (!href.empty()) {
        if (auto found = archive.find(resolveHref(page_name, href))) return found;
      }
    }
  }
  for (const Item& item : package.items) {
    if (!item.isImage() || (!isCoverName(item.id) && !isCoverName(item.href))) continue;
    if (auto found = entryOf(item.href)) return found;
  }
  return std::nullopt;
}

int hexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percentDecoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hexValue(text[i + 1]) >= 0 && hexValue(text[i + 2]) >= 0) {
      out += static_cast<char>(hexValue(text[i + 1]) * 16 + hexValue(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

std::string resolveHref(std::string_view base, std::string_view href) {
  href = href.substr(0, href.find('#'));
  if (href.empty() || href.find(':') < href.find('/')) return {};
  std::string joined = percentDecoded(href);
  if (joined.starts_with('/')) {
    joined.erase(0, 1);
  } else if (const auto slash = base.find_last_of('/'); slash != std::string_view::npos) {
    joined.insert(0, base.substr(0, slash + 1));
  }
  std::vector<std::string_view> parts;
  for (std::string_view rest = joined; !rest.empty();) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (part == "..") {
      if (parts.empty()) return {};
      parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
  }
  std::string out;
  for (const auto part : parts) (out += out.empty() ? "" : "/") += part;
  return out;
}

bool isEpub(Archive& archive) {
  if (archive.find("META-INF/container.xml")) return true;
  const auto mimetype = archive.find("mimetype");
  return mimetype && archive.read(*mimetype, kContainerBytes).starts_with("application/epub+zip");
}

std::optional<std::size_t> findEpubCover(Archive& archive) {
  const auto container = archive.find("META-INF/container.xml");
  if (!container) return std::nullopt;
  try {
    std::string opf_name;
    const Doc doc = parseXml(archive.read(*container, kContainerBytes));
    walk(doc.get(), [&](xmlNode* node) {
      if (isElement(node, "rootfile")) opf_name = resolveHref("", attribute(node, "full-path"));
      return !opf_name.empty();
    });
    const auto opf = opf_name.empty() ? std::nullopt : archive.find(opf_name);
    if (!opf) return std::nullopt;
    const Doc package = parseXml(archive.read(*opf, kDocumentBytes));
    return coverOf(archive, opf_name, readPackage(package.get()));
  } catch (const Failure& failure) {
    if (failure.kind() == FailureKind::Limit || failure.kind() == FailureKind::Encrypted) throw;
    return std::nullopt;
  }
}

}  // namespace jobhost::support
