#include "support/archive/epub.hpp"

#include <vector>

#include "support/archive/page_order.hpp"
#include "support/xml/xml_document.hpp"

namespace jobhost::support {
namespace {

constexpr std::uint64_t kContainerBytes = 1 << 20;

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
  std::string first_id;    // of the spine: what a reader shows first

  [[nodiscard]] const Item* find(const std::string& id) const {
    for (const Item& item : items) {
      if (!id.empty() && item.id == id) return &item;
    }
    return nullptr;
  }
};

Package readPackage(const XmlDocument& document) {
  Package package;
  document.walk([&](xmlNode* node) {
    if (isElement(node, "item")) {
      package.items.push_back({xmlAttribute(node, "id"), xmlAttribute(node, "href"), xmlAttribute(node, "media-type"),
                               xmlAttribute(node, "properties")});
    } else if (isElement(node, "meta") && xmlAttribute(node, "name") == "cover") {
      package.cover_id = xmlAttribute(node, "content");
    } else if (isElement(node, "reference") && xmlAttribute(node, "type") == "cover") {
      package.cover_page = xmlAttribute(node, "href");
    } else if (isElement(node, "itemref") && package.first_id.empty()) {
      package.first_id = xmlAttribute(node, "idref");
    }
    return false;
  });
  return package;
}

// What an element of a page shows; empty when it shows no picture. HTML keeps prefixes as part of the name.
std::string pictureHref(xmlNode* node) {
  if (isElement(node, "img")) return xmlAttribute(node, "src");
  if (!isElement(node, "image") && !isElement(node, "svg:image")) return {};
  const std::string plain = xmlAttribute(node, "href");
  return plain.empty() ? xmlAttribute(node, "xlink:href") : plain;
}

/// Looks for the cover of one book, in the places where makers of books put it, the surest first.
class CoverFinder {
 public:
  CoverFinder(Archive& archive, std::string opf_name, const Package& package)
      : archive_(archive), opf_name_(std::move(opf_name)), package_(package) {}

  std::optional<std::size_t> find() {
    if (auto found = declared()) return found;
    if (auto found = named()) return found;
    if (const Item* first = package_.find(package_.first_id)) {
      if (auto found = shown(resolve(first->href))) return found;
    }
    return largest();
  }

 private:
  [[nodiscard]] std::string resolve(const std::string& href) const { return resolveHref(opf_name_, href); }

  // EPUB 3's property, EPUB 2's meta (which names an image, in some books the page around it), the guide.
  std::optional<std::size_t> declared() {
    for (const Item& item : package_.items) {
      if (!hasWord(item.properties, "cover-image")) continue;
      if (auto found = archive_.find(resolve(item.href))) return found;
    }
    for (const Item& item : package_.items) {
      if (package_.cover_id.empty() || (item.id != package_.cover_id && item.href != package_.cover_id)) continue;
      if (auto found = item.isImage() ? archive_.find(resolve(item.href)) : shown(resolve(item.href))) return found;
    }
    return package_.cover_page.empty() ? std::nullopt : shown(resolve(package_.cover_page));
  }

  std::optional<std::size_t> named() {
    for (const Item& item : package_.items) {
      if (!item.isImage() || (!isCoverName(item.id) && !isCoverName(item.href))) continue;
      if (auto found = archive_.find(resolve(item.href))) return found;
    }
    return std::nullopt;
  }

  // The first picture of a page that is in the book; the page itself when it is a picture.
  std::optional<std::size_t> shown(const std::string& page_name) {
    const auto page = archive_.find(page_name);
    if (!page || isPageName(page_name)) return page;
    std::optional<std::size_t> found;
    XmlDocument::parseHtml(archive_.read(*page, kEpubDocumentBytes)).walk([&](xmlNode* node) {
      const std::string href = pictureHref(node);
      if (!href.empty()) found = archive_.find(resolveHref(page_name, href));
      return found.has_value();
    });
    return found;
  }

  // Ornaments and logos are small files; of equals the first.
  std::optional<std::size_t> largest() {
    std::optional<std::size_t> best;
    std::uint64_t most = 0;
    for (const Item& item : package_.items) {
      if (!isPageName(item.href)) continue;
      const auto found = archive_.find(resolve(item.href));
      const std::uint64_t bytes = found ? archive_.entries()[*found].size_bytes.value_or(0) : 0;
      if (!found || (best && bytes <= most)) continue;
      best = found;
      most = bytes;
    }
    return best;
  }

  Archive& archive_;
  const std::string opf_name_;
  const Package& package_;
};

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

std::optional<std::size_t> findEpubPackage(Archive& archive) {
  const auto container = archive.find("META-INF/container.xml");
  if (!container) return std::nullopt;
  std::string opf_name;
  XmlDocument::parse(archive.read(*container, kContainerBytes)).walk([&](xmlNode* node) {
    if (isElement(node, "rootfile")) opf_name = resolveHref("", xmlAttribute(node, "full-path"));
    return !opf_name.empty();
  });
  return opf_name.empty() ? std::nullopt : archive.find(opf_name);
}

std::optional<std::size_t> findEpubCover(Archive& archive) {
  try {
    const auto opf = findEpubPackage(archive);
    if (!opf) return std::nullopt;
    const Package package = readPackage(XmlDocument::parse(archive.read(*opf, kEpubDocumentBytes)));
    return CoverFinder(archive, archive.entries()[*opf].name, package).find();
  } catch (const Failure& failure) {
    if (failure.kind() == FailureKind::Limit || failure.kind() == FailureKind::Encrypted) throw;
    return std::nullopt;
  }
}

}  // namespace jobhost::support
