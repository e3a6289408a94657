#include "artifact/epub_pages.hpp"

#include <ctime>

#include "artifact/body.hpp"
#include "artifact/text.hpp"

namespace jobhost::artifact {
namespace {

constexpr std::size_t kMaxPeople = 100;
constexpr std::size_t kMaxTags = 200;

// The attributes every root element has: which language, and which way it runs.
std::string languageOf(const EpubBook& book) {
  std::string out;
  if (!book.language.empty()) out += " lang=\"" + book.language + "\" xml:lang=\"" + book.language + "\"";
  if (book.rtl) out += " dir=\"rtl\"";
  return out;
}

std::string page(const EpubBook& book, std::string_view title, std::string_view body_class, std::string_view content) {
  std::string out =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE html>\n"
      "<html xmlns=\"http://www.w3.org/1999/xhtml\" xmlns:epub=\"http://www.idpf.org/2007/ops\"";
  out += languageOf(book);
  out += ">\n<head>\n<title>";
  appendEscaped(out, title);
  out += "</title>\n<link rel=\"stylesheet\" type=\"text/css\" href=\"style.css\"/>\n</head>\n<body class=\"";
  ((out += body_class) += "\">\n") += content;
  out += "</body>\n</html>\n";
  return out;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) (out += out.empty() ? "" : ", ") += word;
  return out;
}

std::string fileOf(const EpubEntry& entry) {
  return entry.kind == EpubEntry::Kind::Volume ? volumeFile(entry.serial) : chapterFile(entry.serial);
}

// The stem of a file is its id: a letter first, and none of the characters ids may not have.
std::string idOf(std::string_view file) {
  return std::string(file.substr(0, file.find('.')));
}

std::string utcTime(std::int64_t ms) {
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  char text[32] = "1980-01-01T00:00:00Z";
  if (ms > 0 && ms < 253'402'300'800'000 && gmtime_r(&seconds, &parts) != nullptr) {
    (void)std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  }
  return text;
}

void appendLink(std::string& out, std::string_view href, std::string_view title) {
  ((out += "<a href=\"") += href) += "\">";
  appendEscaped(out, title);
  out += "</a>";
}

void appendPoint(std::string& out, int& order, std::string_view file, std::string_view title, bool leaf) {
  ++order;
  out += "<navPoint id=\"point-" + std::to_string(order) + "\" playOrder=\"" + std::to_string(order) +
         "\"><navLabel><text>";
  appendEscaped(out, title);
  ((out += "</text></navLabel><content src=\"") += file) += leaf ? "\"/></navPoint>\n" : "\"/>\n";
}

void appendItem(std::string& out, std::string_view id, std::string_view file, std::string_view media_type,
                std::string_view properties = "") {
  ((out += "<item id=\"") += id) += "\" href=\"";
  ((out += file) += "\" media-type=\"") += media_type;
  if (!properties.empty()) (out += "\" properties=\"") += properties;
  out += "\"/>\n";
}

void appendElement(std::string& out, std::string_view name, std::string_view text) {
  ((out += "<") += name) += ">";
  appendEscaped(out, text);
  ((out += "</") += name) += ">\n";
}

constexpr std::string_view kXhtml = "application/xhtml+xml";

}  // namespace

EpubBook EpubBook::of(const Novel& novel) {
  EpubBook book;
  book.id = oneLine(novel.id);
  book.title = lineOr(novel.title, "Untitled");
  book.url = oneLine(novel.url, 2083);
  book.synopsis_html = novel.synopsis_html;
  for (const std::string& author : novel.authors) {
    if (std::string name = oneLine(author); !name.empty() && book.authors.size() < kMaxPeople)
      book.authors.push_back(name);
  }
  for (const std::string& tag : novel.tags) {
    if (std::string name = oneLine(tag); !name.empty() && book.subjects.size() < kMaxTags)
      book.subjects.push_back(name);
  }
  book.language = novel.language ? languageTag(*novel.language) : std::string();
  book.rtl = novel.rtl;
  book.modified_ms = novel.modified_ms;
  return book;
}

std::string volumeFile(int serial) {
  return "volume_" + padded(serial, 3) + ".xhtml";
}

std::string chapterFile(int serial) {
  return "chapter_" + padded(serial, 5) + ".xhtml";
}

std::string coverPage(const EpubBook& book) {
  return page(book, book.title, "cover",
              "<section epub:type=\"cover\"><img src=\"" + book.cover->name + "\" alt=\"" + escaped(book.title) +
                  "\"/></section>\n");
}

std::string frontPage(const EpubBook& book) {
  std::string content = "<section epub:type=\"titlepage\">\n<h1>" + escaped(book.title) + "</h1>\n";
  if (!book.authors.empty()) content += "<p>" + escaped(joined(book.authors)) + "</p>\n";
  return page(book, book.title, "front", content + "</section>\n");
}

std::string introPage(const EpubBook& book) {
  std::string content = "<section epub:type=\"introduction\">\n<h1>" + escaped(book.title) + "</h1>\n";
  if (!book.authors.empty()) content += "<p class=\"authors\">" + escaped(joined(book.authors)) + "</p>\n";
  content += toXhtml(book.synopsis_html, {});
  if (isWebUrl(book.url)) {
    content += "<p class=\"source\">Source: ";
    appendLink(content, escaped(book.url), book.url);
    content += "</p>\n";
  } else if (!book.url.empty()) {
    content += "<p class=\"source\">Source: " + escaped(book.url) + "</p>\n";
  }
  return page(book, book.title, "intro", content + "<p class=\"source\">Made by jobhost.</p>\n</section>\n");
}

std::string volumePage(const EpubBook& book, std::string_view title) {
  return page(book, title, "volume", "<section epub:type=\"part\">\n<h1>" + escaped(title) + "</h1>\n</section>\n");
}

std::string chapterPage(const EpubBook& book, int serial, std::string_view title, std::string_view body) {
  std::string content = "<section epub:type=\"chapter\">\n<p class=\"serial\"><small>#" + std::to_string(serial) +
                        "</small></p>\n<h1>" + escaped(title) + "</h1>\n";
  content += body.empty() ? std::string_view("<p>No content available.</p>\n") : body;
  return page(book, title, "chapter", content + "</section>\n");
}

std::string navPage(const EpubBook& book, const std::vector<EpubEntry>& entries) {
  std::string toc = "<nav epub:type=\"toc\" id=\"toc\">\n<h1>Contents</h1>\n<ol>\n";
  if (book.cover) toc += "<li><a href=\"front.xhtml\">Title page</a></li>\n";
  toc += "<li><a href=\"intro.xhtml\">Introduction</a></li>\n";
  bool in_volume = false;
  for (const EpubEntry& entry : entries) {
    if (in_volume && entry.kind != EpubEntry::Kind::Chapter) {
      toc += "</ol></li>\n";
      in_volume = false;
    }
    toc += "<li>";
    appendLink(toc, fileOf(entry), entry.title);
    if (entry.kind == EpubEntry::Kind::Volume) {
      toc += "\n<ol>\n";
      in_volume = true;
    } else {
      toc += "</li>\n";
    }
  }
  if (in_volume) toc += "</ol></li>\n";
  toc += "</ol>\n</nav>\n<nav epub:type=\"landmarks\" id=\"landmarks\" hidden=\"hidden\">\n<ol>\n";
  if (book.cover) toc += "<li><a epub:type=\"cover\" href=\"cover.xhtml\">Cover</a></li>\n";
  toc += "<li><a epub:type=\"toc\" href=\"nav.xhtml#toc\">Contents</a></li>\n";
  if (!entries.empty()) {
    toc += "<li><a epub:type=\"bodymatter\" href=\"" + fileOf(entries.front()) + "\">Begin reading</a></li>\n";
  }
  return page(book, "Contents", "contents", toc + "</ol>\n</nav>\n");
}

std::string ncxFile(const EpubBook& book, const std::vector<EpubEntry>& entries) {
  bool has_parts = false;
  for (const EpubEntry& entry : entries) has_parts = has_parts || entry.kind == EpubEntry::Kind::Volume;
  std::string out =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<ncx xmlns=\"http://www.daisy.org/z3986/2005/ncx/\" version=\"2005-1\"";
  if (!book.language.empty()) out += " xml:lang=\"" + book.language + "\"";
  out += ">\n<head>\n<meta name=\"dtb:uid\" content=\"" + escaped(book.id) +
         "\"/>\n<meta name=\"dtb:depth\" content=\"" + (has_parts ? "2" : "1") +
         "\"/>\n<meta name=\"dtb:totalPageCount\" content=\"0\"/>\n<meta name=\"dtb:maxPageNumber\" "
         "content=\"0\"/>\n</head>\n"
         "<docTitle><text>";
  appendEscaped(out, book.title);
  out += "</text></docTitle>\n<navMap>\n";
  int order = 0;
  if (book.cover) appendPoint(out, order, "front.xhtml", "Title page", true);
  appendPoint(out, order, "intro.xhtml", "Introduction", true);
  bool in_volume = false;
  for (const EpubEntry& entry : entries) {
    if (in_volume && entry.kind != EpubEntry::Kind::Chapter) {
      out += "</navPoint>\n";
      in_volume = false;
    }
    const bool leaf = entry.kind != EpubEntry::Kind::Volume;
    appendPoint(out, order, fileOf(entry), entry.title, leaf);
    in_volume = in_volume || !leaf;
  }
  if (in_volume) out += "</navPoint>\n";
  return out + "</navMap>\n</ncx>\n";
}

std::string packageFile(const EpubBook& book, const std::vector<EpubEntry>& entries,
                        const std::vector<BookImage>& images) {
  std::string out =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<package xmlns=\"http://www.idpf.org/2007/opf\" version=\"3.0\" unique-identifier=\"book-id\"";
  if (!book.language.empty()) out += " xml:lang=\"" + book.language + "\"";
  out += ">\n<metadata xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n<dc:identifier id=\"book-id\">";
  appendEscaped(out, book.id);
  out += "</dc:identifier>\n";
  appendElement(out, "dc:title", book.title);
  appendElement(out, "dc:language", book.language.empty() ? std::string_view("und") : std::string_view(book.language));
  for (const std::string& author : book.authors) appendElement(out, "dc:creator", author);
  if (const std::string synopsis = toText(book.synopsis_html, {}); !synopsis.empty()) {
    appendElement(out, "dc:description", synopsis);
  }
  for (const std::string& subject : book.subjects) appendElement(out, "dc:subject", subject);
  if (!book.url.empty()) appendElement(out, "dc:source", book.url);
  out += "<meta property=\"dcterms:modified\">" + utcTime(book.modified_ms) + "</meta>\n";
  out += "<meta property=\"belongs-to-collection\" id=\"series\">" + escaped(book.title) + "</meta>\n";
  out += "<meta refines=\"#series\" property=\"collection-type\">series</meta>\n";
  if (book.cover) out += "<meta name=\"cover\" content=\"cover-image\"/>\n";
  out += "</metadata>\n<manifest>\n";
  appendItem(out, "nav", "nav.xhtml", kXhtml, "nav");
  appendItem(out, "ncx", "toc.ncx", "application/x-dtbncx+xml");
  appendItem(out, "style", "style.css", "text/css");
  if (book.cover) {
    appendItem(out, "cover-image", book.cover->name, book.cover->media_type, "cover-image");
    appendItem(out, "cover", "cover.xhtml", kXhtml);
    appendItem(out, "front", "front.xhtml", kXhtml);
  }
  appendItem(out, "intro", "intro.xhtml", kXhtml);
  for (const EpubEntry& entry : entries) appendItem(out, idOf(fileOf(entry)), fileOf(entry), kXhtml);
  for (std::size_t i = 0; i < images.size(); ++i) {
    appendItem(out, "image-" + std::to_string(i + 1), images[i].name, images[i].media_type);
  }
  out += "</manifest>\n<spine toc=\"ncx\"";
  if (book.rtl) out += " page-progression-direction=\"rtl\"";
  out += ">\n";
  if (book.cover) out += "<itemref idref=\"cover\"/>\n<itemref idref=\"front\"/>\n";
  out += "<itemref idref=\"intro\"/>\n<itemref idref=\"nav\"/>\n";
  for (const EpubEntry& entry : entries) out += "<itemref idref=\"" + idOf(fileOf(entry)) + "\"/>\n";
  return out + "</spine>\n</package>\n";
}

std::string_view styleSheet() {
  return "img { max-width: 100%; }\n"
         "p img:only-child { width: 100%; }\n"
         "br + br { display: none; }\n"
         "h1 { line-height: 1.2; }\n"
         "table { border-collapse: collapse; }\n"
         "td, th { border: 1px solid; padding: 0.2em 0.4em; text-align: start; }\n"
         ".cover, .front, .volume { text-align: center; }\n"
         ".cover img { max-height: 100%; }\n"
         ".front, .volume { padding-top: 30%; }\n"
         ".serial, .source { opacity: 0.7; }\n"
         ".contents ol { list-style-type: none; }\n";
}

std::string_view containerFile() {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
         "<container xmlns=\"urn:oasis:names:tc:opendocument:xmlns:container\" version=\"1.0\">\n<rootfiles>\n"
         "<rootfile full-path=\"EPUB/content.opf\" media-type=\"application/oebps-package+xml\"/>\n"
         "</rootfiles>\n</container>\n";
}

}  // namespace jobhost::artifact
