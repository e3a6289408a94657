#include "metadata/epub_package.hpp"

#include <algorithm>
#include <map>
#include <string>

#include "support/tags/tags.hpp"
#include "support/xml/xml_document.hpp"

namespace jobhost::metadata {
namespace {

using support::isElement;
using support::xmlAttribute;

// MARC relator codes (http://id.loc.gov/vocabulary/relators): the roles that have a namespace of their own.
const char* namespaceOfRole(const std::string& role, bool contributor) {
  if (role == "aut") return "author";
  if (role == "art" || role == "ill" || role == "cov") return "artist";
  if (role == "trl") return "translator";
  if (role.empty()) return contributor ? "contributor" : "author";
  return "contributor";
}

// calibre writes itself down as a contributor that made the book ("bkp"); that says nothing of the book.
bool isTool(const std::string& role) {
  return role == "bkp";
}

/// Reads one package's metadata.
class Reader {
 public:
  explicit Reader(const support::XmlDocument& document) {
    // EPUB 3 says more about an element elsewhere: <meta refines="#id" property="role">aut</meta>.
    document.walk([&](xmlNode* node) {
      if (!isElement(node, "meta")) return false;
      const std::string refines = xmlAttribute(node, "refines");
      if (refines.size() > 1) refined_[{refines.substr(1), xmlAttribute(node, "property")}] = textOf(node);
      return false;
    });
    document.walk([&](xmlNode* node) {
      take(node);
      return isElement(node, "manifest");  // metadata comes before it
    });
  }
  Found found;

 private:
  static std::string textOf(const xmlNode* node) { return support::tidied(support::xmlText(node)); }

  void add(const char* name_space, const std::string& value) {
    if (!value.empty()) found.tags.push_back(support::makeTag(name_space, value));
  }

  std::string about(const xmlNode* node, const char* property) const {
    const auto at = refined_.find({xmlAttribute(node, "id"), property});
    return at == refined_.end() ? std::string() : at->second;
  }

  void take(xmlNode* node) {
    if (isElement(node, "title")) return takeTitle(node);
    if (isElement(node, "creator")) return takePerson(node, false);
    if (isElement(node, "contributor")) return takePerson(node, true);
    if (isElement(node, "subject")) return takeSubjects(textOf(node));
    if (isElement(node, "language")) return add("language", textOf(node));
    if (isElement(node, "publisher")) return add("publisher", textOf(node));
    if (isElement(node, "description")) {
      if (found.summary.empty()) found.summary = plainText(support::xmlText(node));
      return;
    }
    if (isElement(node, "date")) return takeDate(node);
    if (isElement(node, "identifier")) return takeIdentifier(node);
    if (isElement(node, "source")) return takeSource(textOf(node));
    if (isElement(node, "meta")) takeMeta(node);
  }

  // Several: the one that is called main, else the first.
  void takeTitle(xmlNode* node) {
    if (found.title.empty() || about(node, "title-type") == "main") found.title = textOf(node);
  }

  void takePerson(xmlNode* node, bool contributor) {
    std::string role = xmlAttribute(node, "role");
    if (role.empty()) role = about(node, "role");
    const std::string name = textOf(node);
    if (!isTool(role) && support::lowerCase(name) != "unknown") add(namespaceOfRole(role, contributor), name);
  }

  void takeSubjects(std::string text) {
    std::replace(text.begin(), text.end(), ';', ',');
    for (const auto& one : support::splitTags(text)) add("", one);
  }

  void takeDate(xmlNode* node) {
    const std::string event = xmlAttribute(node, "event");
    const std::string year = textOf(node).substr(0, 4);
    const bool digits = year.size() == 4 && year.find_first_not_of("0123456789") == std::string::npos;
    // calibre's 0101-01-01 stands for a date nobody knows.
    if (digits && year > "1000" && (event.empty() || event == "publication")) add("year", year);
  }

  void takeIdentifier(xmlNode* node) {
    std::string text = support::lowerCase(textOf(node));
    const bool named = support::lowerCase(xmlAttribute(node, "scheme")) == "isbn";
    if (const auto at = text.find("isbn:"); at != std::string::npos) {
      text.erase(0, at + 5);
    } else if (!named) {
      return;
    }
    std::erase(text, '-');
    std::erase(text, ' ');
    if (text.size() == 10 || text.size() == 13) add("isbn", text);
  }

  void takeSource(const std::string& text) {
    if (text.starts_with("http://") || text.starts_with("https://")) add("source", text.substr(text.find("://") + 3));
  }

  void takeMeta(xmlNode* node) {
    if (xmlAttribute(node, "name") == "calibre:series")
      return add("series", support::tidied(xmlAttribute(node, "content")));
    if (xmlAttribute(node, "property") != "belongs-to-collection") return;
    const std::string kind = about(node, "collection-type");
    if (kind.empty() || kind == "series") add("series", textOf(node));
  }

  std::map<std::pair<std::string, std::string>, std::string> refined_;
};

}  // namespace

std::optional<Found> readEpubPackage(std::string_view opf) {
  const auto document = support::XmlDocument::parse(opf);
  if (document.root() == nullptr || !isElement(document.root(), "package")) return std::nullopt;
  return Reader(document).found;
}

}  // namespace jobhost::metadata
