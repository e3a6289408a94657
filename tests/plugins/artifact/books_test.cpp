#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "artifact/books.hpp"
#include "artifact/image_probe.hpp"
#include "artifact/zip_writer.hpp"
#include "core/sanitized.hpp"
#include "fake_book.hpp"
#include "support/archive/archive.hpp"
#include "support/files/unique_fd.hpp"

namespace jobhost::artifact {
namespace {

using support::Failure;
using testing::Epub;
using testing::FakeBook;
using testing::Written;
using Names = std::vector<std::string>;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string codeOf(const std::function<void()>& act) {
  try {
    act();
  } catch (const Failure& failure) {
    return failure.code();
  }
  return "";
}

FakeBook twoVolumes() {
  FakeBook book;
  book.volume("First").chapter("One", "<p>a</p>").chapter("Two", "<p>b</p>");
  book.volume("Second").chapter("Three", "<p>c</p>");
  return book;
}

TEST(EpubFile, BeginsWithItsTypeInPlainBytes) {
  FakeBook book = twoVolumes();
  const std::string bytes = Epub(book).bytes();
  EXPECT_EQ(bytes.substr(0, 4), "PK\3\4");
  EXPECT_EQ(bytes.substr(8, 2), std::string(2, '\0')) << "stored";
  EXPECT_EQ(bytes.substr(28, 2), std::string(2, '\0')) << "no extra field";
  EXPECT_EQ(bytes.substr(30, 28), "mimetypeapplication/epub+zip");
}

TEST(EpubFile, HasTheSameBytesForTheSameBook) {
  FakeBook book = twoVolumes();
  book.cover_bytes = testing::jpeg();
  book.image("a", testing::png()).chapter("Four", "<img src='images/a.jpg'>");
  EXPECT_EQ(Epub(book).bytes(), Epub(book).bytes());
  const std::string before = Epub(book).bytes();
  book.facts.modified_ms += 1000;
  EXPECT_NE(Epub(book).bytes(), before);
}

TEST(EpubFile, HoldsCoverIntroVolumesAndChaptersInOrder) {
  FakeBook book = twoVolumes();
  book.cover_bytes = testing::jpeg();
  const Epub epub(book);
  const std::string opf = epub.entry("EPUB/content.opf");
  EXPECT_TRUE(
      has(opf,
          "<spine toc=\"ncx\">\n<itemref idref=\"cover\"/>\n<itemref idref=\"front\"/>\n<itemref idref=\"intro\"/>\n"
          "<itemref idref=\"nav\"/>\n<itemref idref=\"volume_001\"/>\n<itemref idref=\"chapter_00001\"/>\n"
          "<itemref idref=\"chapter_00002\"/>\n<itemref idref=\"volume_002\"/>\n<itemref "
          "idref=\"chapter_00003\"/>\n</spine>"))
      << opf;
  EXPECT_TRUE(has(opf, "<dc:identifier id=\"book-id\">" + book.facts.id + "</dc:identifier>"));
  EXPECT_TRUE(has(opf, "<meta property=\"dcterms:modified\">2026-04-04T10:53:20Z</meta>"));
  EXPECT_TRUE(has(opf, "href=\"cover.jpg\" media-type=\"image/jpeg\" properties=\"cover-image\""));
  const std::string nav = epub.entry("EPUB/nav.xhtml");
  EXPECT_TRUE(has(nav,
                  "<li><a href=\"volume_001.xhtml\">First</a>\n<ol>\n<li><a href=\"chapter_00001.xhtml\">One</a></li>\n"
                  "<li><a href=\"chapter_00002.xhtml\">Two</a></li>\n</ol></li>\n<li><a "
                  "href=\"volume_002.xhtml\">Second</a>\n<ol>\n"
                  "<li><a href=\"chapter_00003.xhtml\">Three</a></li>\n</ol></li>\n</ol>"))
      << nav;
  const std::string ncx = epub.entry("EPUB/toc.ncx");
  EXPECT_TRUE(has(ncx, "content=\"" + book.facts.id + "\""));
  EXPECT_TRUE(has(epub.entry("EPUB/chapter_00003.xhtml"), "<small>#3</small></p>\n<h1>Three</h1>\n<p>c</p>"));
  EXPECT_EQ(epub.report.chapters, 3u);
  EXPECT_EQ(epub.report.volumes, 2u);
  EXPECT_TRUE(epub.report.cover);
  EXPECT_EQ(epub.report.size_bytes, epub.bytes().size());
}

TEST(EpubFile, LeavesOutWhatIsNotThere) {
  FakeBook book;
  book.volume("Empty").volume("Gone").chapter("Missing", std::nullopt);
  book.volume("").chapter("Missing", std::nullopt).chapter("", "<p>x</p>").chapter("Blank", "");
  book.facts.language.reset();
  book.facts.authors.clear();
  const Epub epub(book);
  EXPECT_EQ(epub.names(), (Names{"mimetype", "META-INF/container.xml", "EPUB/style.css", "EPUB/intro.xhtml",
                                 "EPUB/volume_003.xhtml", "EPUB/chapter_00003.xhtml", "EPUB/chapter_00004.xhtml",
                                 "EPUB/nav.xhtml", "EPUB/toc.ncx", "EPUB/content.opf"}));
  EXPECT_TRUE(has(epub.entry("EPUB/volume_003.xhtml"), "<h1>Volume 3</h1>"));
  EXPECT_TRUE(has(epub.entry("EPUB/chapter_00003.xhtml"), "<h1>Chapter 3</h1>"));
  EXPECT_TRUE(has(epub.entry("EPUB/chapter_00004.xhtml"), "No content available."));
  EXPECT_TRUE(has(epub.entry("EPUB/content.opf"), "<dc:language>und</dc:language>"));
  EXPECT_FALSE(has(epub.entry("EPUB/content.opf"), "dc:creator"));
  EXPECT_EQ(epub.report.missing_chapters, 2u);
}

TEST(EpubFile, DeclaresPicturesAsWhatTheyAre) {
  FakeBook book;
  book.image("j", testing::jpeg()).image("p", testing::png()).image("g", testing::gif()).image("w", "RIFF0000WEBPVP8 ");
  book.image("broken", "\xFF\xD8\xFF\xE0 cut");
  book.chapter("One",
               "<img src='images/p.jpg'><img src='images/j.jpg'><img src='images/w.jpg'><img src='images/no.jpg'>");
  book.chapter(
      "Two", "<img src='images/g.jpg'><img src='images/p.jpg'><img src='images/broken.jpg'><img src='images/no.jpg'>");
  const Epub epub(book);
  const std::string opf = epub.entry("EPUB/content.opf");
  EXPECT_TRUE(has(opf,
                  "<item id=\"image-1\" href=\"images/p.png\" media-type=\"image/png\"/>\n"
                  "<item id=\"image-2\" href=\"images/j.jpg\" media-type=\"image/jpeg\"/>\n"
                  "<item id=\"image-3\" href=\"images/g.gif\" media-type=\"image/gif\"/>\n</manifest>"))
      << opf;
  EXPECT_EQ(epub.entry("EPUB/images/p.png"), testing::png());
  EXPECT_TRUE(has(epub.entry("EPUB/chapter_00002.xhtml"),
                  "<p><img src=\"images/g.gif\" alt=\"\"/><img src=\"images/p.png\" alt=\"\"/></p>"));
  EXPECT_EQ(epub.report.images, 3u);
  EXPECT_EQ(epub.report.missing_images, 3u);
}

TEST(EpubFile, RunsFromRightToLeft) {
  FakeBook book;
  book.facts.rtl = true;
  book.facts.language = "ar";
  book.chapter("باب", "<p>نص</p>");
  const Epub epub(book);
  EXPECT_TRUE(has(epub.entry("EPUB/content.opf"), "<spine toc=\"ncx\" page-progression-direction=\"rtl\">"));
  EXPECT_TRUE(has(epub.entry("EPUB/chapter_00001.xhtml"), " lang=\"ar\" xml:lang=\"ar\" dir=\"rtl\">"));
}

TEST(EpubFile, EscapesWhatPeopleWrote) {
  FakeBook book;
  book.facts.title = "A <b> & \"B\"\x01";
  book.facts.authors = {"<x>"};
  book.facts.tags = {"a&b", " "};
  book.facts.url = "https://x.test/?a=1&b=<2>";
  book.facts.synopsis_html = "<p>1 &lt; 2<script>x</script></p>";
  book.facts.language = "not a language";
  book.volume("V<>").chapter("C & <d>\n e", "<p>x");
  const Epub epub(book);
  const std::string opf = epub.entry("EPUB/content.opf");
  EXPECT_TRUE(has(opf, "<dc:title>A &lt;b&gt; &amp; &quot;B&quot;</dc:title>"));
  EXPECT_TRUE(has(opf, "<dc:subject>a&amp;b</dc:subject>\n<dc:source>"));
  EXPECT_TRUE(has(opf, "<dc:description>1 &lt; 2</dc:description>"));
  EXPECT_TRUE(has(opf, "<dc:language>und</dc:language>"));
  EXPECT_FALSE(has(epub.entry("EPUB/intro.xhtml"), "<a "));
  EXPECT_TRUE(has(epub.entry("EPUB/nav.xhtml"), ">C &amp; &lt;d&gt; e</a>"));
}

TEST(EpubFile, IsABookWithoutChapters) {
  FakeBook book;
  book.chapter("Missing", std::nullopt);
  const Epub epub(book);
  EXPECT_TRUE(has(epub.entry("EPUB/nav.xhtml"), "intro.xhtml"));
  EXPECT_EQ(epub.report.chapters, 0u);
}

TEST(JsonFile, HoldsRecordsContentAndPictures) {
  FakeBook book = twoVolumes();
  book.cover_bytes = testing::jpeg();
  book.image("x", testing::jpeg())
      .chapter("Vier — 四", "<p>d<img src=\"images/x.jpg\"></p>")
      .chapter("Gone", std::nullopt);
  const Written json(&writeJson, book);
  EXPECT_EQ(json.names(), (Names{"cover.jpg", "001/00001.json", "001/00002.json", "002/00003.json", "images/x.jpg",
                                 "002/00004.json", "meta.json"}));
  EXPECT_EQ(json.entry("002/00004.json"),
            "{\n  \"serial\": 4,\n  \"title\": \"Vier — 四\",\n  \"content\": \"<p>d<img "
            "src=\\\"images/x.jpg\\\"></p>\"\n}\n");
  const std::string text = json.entry("meta.json");
  EXPECT_TRUE(
      text.starts_with("{\n  \"id\": \"" + book.facts.id +
                       "\",\n  \"title\": \"A Book\",\n  \"tags\": [\n    \"one\",\n"
                       "    \"two\"\n  ],\n  \"volumes\": [\n    {\n      \"serial\": 1,\n      \"title\": \"First\",\n"
                       "      \"chapters\": [\n        {\n          \"serial\": 1,"))
      << text;
  const Json meta = Json::parse(text);
  ASSERT_EQ(meta["volumes"].size(), 2u);
  ASSERT_EQ(meta["volumes"].at(1)["chapters"].size(), 2u);
  EXPECT_EQ(meta["volumes"].at(1)["chapters"].at(1)["title"].stringOr(""), "Vier — 四");
  EXPECT_EQ(Written(&writeJson, book).bytes(), json.bytes());
}

TEST(JsonFile, IsWholeWithoutAnything) {
  FakeBook book;
  book.facts.record = Json::object();
  EXPECT_EQ(Json::parse(Written(&writeJson, book).entry("meta.json"))["volumes"].size(), 0u);
  book.chapter("Loose", "<p>x</p>");
  const Written json(&writeJson, book);
  EXPECT_EQ(json.names().front(), "000/00001.json");
  EXPECT_EQ(Json::parse(json.entry("meta.json"))["volumes"].at(0)["chapters"].size(), 1u);
}

TEST(TxtFile, HoldsTextAndMetaText) {
  FakeBook book = twoVolumes();
  book.facts.tags = {"one", "two"};
  book.facts.synopsis_html = "<p>It begins.</p><p>It ends.</p>";
  book.image("x", testing::png()).chapter("Four", "<p>d<br>e</p><p><img src='images/x.jpg'></p>");
  const Written txt(&writeTxt, book);
  EXPECT_EQ(txt.names(),
            (Names{"001/00001.txt", "001/00002.txt", "002/00003.txt", "images/x.jpg", "002/00004.txt", "meta.txt"}));
  EXPECT_EQ(txt.entry("002/00004.txt"), "Four\n\nd\ne\n\n[picture: images/x.jpg]\n");
  const std::string rule(60, '-');
  EXPECT_EQ(txt.entry("meta.txt"), "https://novels.example.test/book/1\n" + rule + "\nA Book\nby, Ann Author\n" + rule +
                                       "\nIt begins.\n\nIt ends.\n" + rule +
                                       "\nTags: one, two\nVolumes: 2\nChapters: 4\n");
}

TEST(Walk, RefusesWhatHasNoOrder) {
  const auto code = [](const FakeBook& book) {
    FakeBook copy = book;
    return codeOf([&] { Epub{copy}; });
  };
  FakeBook twice = twoVolumes();
  twice.entries[1].chapter.serial = 1;
  EXPECT_EQ(code(twice), "artifact.order");
  FakeBook apart = twoVolumes();
  apart.chapter("Back in one", "<p>x");
  apart.entries.back().chapter.volume_serial = 1;
  EXPECT_EQ(code(apart), "artifact.order");
  FakeBook unknown = twoVolumes();
  unknown.entries[0].chapter.volume_serial = 9;
  EXPECT_EQ(code(unknown), "artifact.volume");
  FakeBook same = twoVolumes();
  same.parts[1].serial = 1;
  EXPECT_EQ(code(same), "artifact.order");
  FakeBook anonymous = twoVolumes();
  anonymous.facts.id = " ";
  EXPECT_EQ(code(anonymous), "artifact.no_id");
}

// Chapters that no volume claims end in a last one, so serials need not rise through the book.
TEST(Walk, TakesChaptersInTheOrderTheyStand) {
  FakeBook book = twoVolumes();
  std::swap(book.entries[0].chapter.serial, book.entries[2].chapter.serial);
  const Epub epub(book);
  EXPECT_TRUE(has(epub.entry("EPUB/content.opf"),
                  "\"volume_001\"/>\n<itemref idref=\"chapter_00003\"/>\n<itemref idref=\"chapter_00002\"/>"));
}

TEST(Walk, KeepsItsLimits) {
  FakeBook book = twoVolumes();
  book.image("a", testing::jpeg()).image("b", testing::jpeg());
  book.chapter("Pictures", "<img src='images/a.jpg'><img src='images/b.jpg'>");
  const auto code = [&](const BookLimits& limits) { return codeOf([&] { Epub(book, limits); }); };
  EXPECT_EQ(code({}), "");
  EXPECT_EQ(code({.max_chapters = 3}), "artifact.chapters");
  EXPECT_EQ(code({.max_volumes = 1}), "artifact.volumes");
  EXPECT_EQ(code({.max_images = 1}), "artifact.images");
  EXPECT_EQ(code({.max_body_bytes = 7}), "artifact.chapter_too_large");
  EXPECT_EQ(code({.max_image_bytes = 100}), "artifact.image_too_large");
}

TEST(Walk, TellsProgressAndStops) {
  FakeBook book = twoVolumes();
  std::vector<std::size_t> told;
  BuildHooks hooks;
  hooks.written = [&](std::size_t chapters) { told.push_back(chapters); };
  Epub(book, {}, hooks);
  EXPECT_EQ(told, (std::vector<std::size_t>{1, 2, 3}));
  hooks.stop = [&] { return told.size() == 4; };
  EXPECT_THROW(Epub(book, {}, hooks), support::Stopped);
}

TEST(Zip, HoldsLargeEntries) {
  std::string name = (std::filesystem::temp_directory_path() / "jobhost-zip-XXXXXX").string();
  const support::UniqueFd fd(::mkstemp(name.data()));
  std::filesystem::remove(name);
  std::string large;
  for (int i = 0; i < 500'000; ++i) large += std::to_string(i * 7919LL);
  ZipWriter zip(fd.get());
  zip.add("a", large);
  zip.begin("b", ZipWriter::Method::Stored);
  zip.write(large);
  zip.write("!");
  zip.add("c", "");
  const auto size = zip.finish();
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_END), static_cast<off_t>(size));
  support::Archive archive(fd.get(), {});
  ASSERT_EQ(archive.entries().size(), 3u);
  EXPECT_EQ(archive.read(0), large);
  EXPECT_EQ(archive.read(1), large + "!");
  EXPECT_EQ(archive.read(2), "");
}

TEST(Zip, TellsThatItCannotWrite) {
  FakeBook book = twoVolumes();
  const support::UniqueFd full(::open("/dev/full", O_RDWR | O_CLOEXEC));
  try {
    writeEpub(book, full.get());
    FAIL() << "nothing was thrown";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), "artifact.write");
    EXPECT_EQ(failure.kind(), support::FailureKind::Io);
    EXPECT_TRUE(has(failure.what(), "No space left")) << failure.what();
  }
}

TEST(Pictures, AreKnownByTheirBytes) {
  EXPECT_EQ(probeImage(testing::jpeg())->media_type, "image/jpeg");
  EXPECT_EQ(probeImage(testing::jpeg())->width, 8);
  EXPECT_EQ(probeImage(testing::png())->height, 2);
  EXPECT_EQ(probeImage(testing::gif())->ending, "gif");
  for (const std::string& whole : {testing::jpeg(), testing::png(), testing::gif()}) {
    const std::size_t header = whole == testing::jpeg() ? 168 : whole == testing::png() ? 33 : 13;
    for (std::size_t size = 0; size < header; ++size) {
      const std::vector<char> cut(whole.begin(),
                                  whole.begin() + static_cast<std::ptrdiff_t>(size));  // reading past it shows
      EXPECT_FALSE(probeImage({cut.data(), cut.size()})) << size;
    }
  }
  EXPECT_FALSE(probeImage("<svg/>"));
}

// 5000 chapters and 2000 pictures of 100 KiB, in a process of its own.
TEST(Memory, StaysBelow200MiBForALargeBook) {
  for (const char* format : {"epub", "json", "txt"}) {
    const std::string command = JOBHOST_BIN_DIR "/artifact_bench --json " + std::string(format) + " 5000 2000";
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"), &::pclose);
    ASSERT_TRUE(pipe);
    std::string text(4096, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), pipe.get()));
    const Json told = Json::parse(text);
    EXPECT_EQ(told["chapters"].intOr(0), 5000);
    EXPECT_EQ(told["images"].intOr(0), 2000);
    if (!core::kSanitized) {
      EXPECT_LT(told["peak_bytes"].intOr(INT64_MAX), 200 << 20) << format;
    }
  }
}

}  // namespace
}  // namespace jobhost::artifact
