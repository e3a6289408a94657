#include "support/archive/epub.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "samples.hpp"
#include "support/archive/page_order.hpp"
#include "support/files/unique_fd.hpp"

namespace jobhost::support {
namespace {

using samples::Files;

class EpubTest : public ::testing::Test {
 protected:
  std::string coverOf(const std::string& bytes) {
    const UniqueFd fd(::open(folder_.write("book.epub", bytes).c_str(), O_RDONLY | O_CLOEXEC));
    Archive archive(fd.get(), {});
    EXPECT_TRUE(isEpub(archive));
    const auto cover = findEpubCover(archive);
    return cover ? archive.entries()[*cover].name : "none";
  }

  const Files pictures_{
      {"OEBPS/img/a.png", "a"},
      {"OEBPS/img/front page.png", "f"},
      {"OEBPS/c.xhtml",
       "<html xmlns=\"http://www.w3.org/1999/xhtml\"><body><p>x</p><img src=\"img/a.png\"/></body></html>"}};
  samples::TempFolder folder_;
};

TEST_F(EpubTest, TakesTheCoverImageOfEpub3) {
  EXPECT_EQ(
      coverOf(samples::epub(
          "<item id=\"x\" href=\"img/a.png\" media-type=\"image/png\"/>"
          "<item id=\"y\" href=\"img/front%20page.png\" properties=\"svg cover-image\" media-type=\"image/png\"/>",
          "", pictures_)),
      "OEBPS/img/front page.png");
}

TEST_F(EpubTest, TakesTheCoverMetaOfEpub2) {
  EXPECT_EQ(coverOf(samples::epub("<item id=\"x\" href=\"./img/../img/a.png\" media-type=\"image/png\"/>",
                                  "<meta name=\"cover\" content=\"x\"/>", pictures_)),
            "OEBPS/img/a.png");
}

TEST_F(EpubTest, TakesTheFirstPictureOfTheGuidesCoverPage) {
  EXPECT_EQ(
      coverOf(samples::epub("", "", pictures_, "<guide><reference type=\"cover\" href=\"c.xhtml#top\"/></guide>")),
      "OEBPS/img/a.png");
}

TEST_F(EpubTest, FindsTheSvgWrappedPictureOfACoverPage) {
  Files files = pictures_;
  files[2].second =
      "<html><body><svg xmlns:xlink=\"http://www.w3.org/1999/xlink\"><image "
      "xlink:href=\"img/a.png\"/></svg></body></html>";
  EXPECT_EQ(coverOf(samples::epub("", "", files, "<guide><reference type=\"cover\" href=\"c.xhtml\"/></guide>")),
            "OEBPS/img/a.png");
}

TEST_F(EpubTest, TakesAPictureCalledCoverWhenNothingIsDeclared) {
  EXPECT_EQ(coverOf(samples::epub("<item id=\"cover\" href=\"img/a.png\" media-type=\"image/png\"/>", "", pictures_)),
            "OEBPS/img/a.png");
  EXPECT_EQ(coverOf(samples::epub("", "", pictures_)), "none") << "pictures nobody lists are no part of the book";
}

TEST_F(EpubTest, TakesThePictureOfThePageACoverMetaNames) {
  EXPECT_EQ(coverOf(samples::epub("<item id=\"p\" href=\"c.xhtml\" media-type=\"application/xhtml+xml\"/>"
                                  "<item id=\"y\" href=\"img/front%20page.png\" media-type=\"image/png\"/>",
                                  "<meta name=\"cover\" content=\"p\"/>", pictures_)),
            "OEBPS/img/a.png");
}

TEST_F(EpubTest, TakesWhatTheFirstPageShowsWhenNoCoverIsDeclared) {
  Files files = pictures_;
  files[0].second = "small";
  files[1].second = "larger than the other";
  files[2].second = "<html><body><img src=\"http://example.com/x.png\"/><img src=\"img/a.png\"/></body></html>";
  EXPECT_EQ(coverOf(samples::epub("<item id=\"y\" href=\"img/front%20page.png\" media-type=\"image/png\"/>"
                                  "<item id=\"x\" href=\"img/a.png\" media-type=\"image/png\"/>"
                                  "<item id=\"p\" href=\"c.xhtml\" media-type=\"application/xhtml+xml\"/>",
                                  "", files, "<spine><itemref idref=\"p\"/><itemref idref=\"q\"/></spine>")),
            "OEBPS/img/a.png");
}

TEST_F(EpubTest, TakesTheLargestPictureWhenTheFirstPageShowsNone) {
  Files files = pictures_;
  files[1].second = "larger than the ornament before it";
  files[2].second = "<html><body>words</body></html>";
  EXPECT_EQ(coverOf(samples::epub("<item id=\"x\" href=\"img/a.png\" media-type=\"image/png\"/>"
                                  "<item id=\"y\" href=\"img/front%20page.png\" media-type=\"image/png\"/>"
                                  "<item id=\"p\" href=\"c.xhtml\" media-type=\"application/xhtml+xml\"/>",
                                  "", files, "<spine><itemref idref=\"p\"/></spine>")),
            "OEBPS/img/front page.png");
}

TEST_F(EpubTest, NeverLeavesTheBook) {
  EXPECT_EQ(coverOf(samples::epub("<item id=\"x\" href=\"../../../etc/passwd\" properties=\"cover-image\"/>"
                                  "<item id=\"z\" href=\"http://example.com/a.png\" properties=\"cover-image\"/>",
                                  "", pictures_)),
            "none");
}

TEST_F(EpubTest, SurvivesABrokenPackageDocument) {
  EXPECT_EQ(coverOf(samples::epub("<item id=<<<", "", pictures_)), "none");
}

TEST_F(EpubTest, DoesNotExpandEntities) {
  std::string lol = "<!DOCTYPE package [<!ENTITY a \"img/a.png\"><!ENTITY x SYSTEM \"file:///etc/passwd\">]>";
  Files files{
      {"mimetype", "application/epub+zip"},
      {"META-INF/container.xml", "<container><rootfiles><rootfile full-path=\"o.opf\"/></rootfiles></container>"},
      {"o.opf",
       lol + "<package><manifest><item id=\"&x;\" href=\"&x;\" properties=\"cover-image\"/></manifest></package>"}};
  EXPECT_EQ(coverOf(samples::archive("zip", files)), "none");
}

TEST_F(EpubTest, ReadsARealBook) {
  // It declares no cover: one of its pictures stands in.
  EXPECT_TRUE(isPageName(coverOf(samples::readAll(samples::realEpub()))));
}

TEST(ResolveHref, ResolvesBelowTheBaseOnly) {
  EXPECT_EQ(resolveHref("a/b/c.opf", "d.png"), "a/b/d.png");
  EXPECT_EQ(resolveHref("a/b/c.opf", "../d.png#x"), "a/d.png");
  EXPECT_EQ(resolveHref("a/b/c.opf", "/d%2Ee.png"), "d.e.png");
  EXPECT_EQ(resolveHref("c.opf", "../d.png"), "");
  EXPECT_EQ(resolveHref("c.opf", "data:image/png;base64,AA"), "");
  EXPECT_EQ(resolveHref("c.opf", ""), "");
}

}  // namespace
}  // namespace jobhost::support
