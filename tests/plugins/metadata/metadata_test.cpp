#include <fcntl.h>
#include <gtest/gtest.h>
#include <jobhost/testing.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "metadata/comic_info.hpp"
#include "metadata/epub_package.hpp"
#include "samples.hpp"

namespace jobhost::metadata {
namespace {

using Tags = std::vector<std::string>;

TEST(ComicInfo, BecomesTags) {
  const auto found = readComicInfo(R"(<?xml version="1.0" encoding="utf-8"?>
    <ComicInfo xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
      <Title> The  First
        Part </Title>
      <Series>Long &amp; Winding, a Road</Series>
      <Summary>It begins.&#10;&lt;b&gt;Really&lt;/b&gt;.</Summary>
      <Writer>Ann A, Bo B</Writer><Penciller>Cy C</Penciller><Inker/>
      <Genre>Drama, Mystery</Genre><Tags>full colour, female:x</Tags>
      <LanguageISO>en</LanguageISO><Year>1998</Year><Month>-1</Month>
      <Characters>X</Characters><AgeRating>Unknown</AgeRating><Manga>YesAndRightToLeft</Manga>
      <Web>https://example.com/g/1/ ftp://no.example http://example.org/2</Web>
      <PageCount>3</PageCount><Pages><Page Image="0"><Genre>Nested</Genre></Page></Pages>
    </ComicInfo>)");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->title, "The First Part");
  EXPECT_EQ(found->summary, "It begins. Really .");
  EXPECT_EQ(found->tags, (Tags{"series:Long & Winding a Road", "author:Ann A", "author:Bo B", "artist:Cy C", "Drama",
                               "Mystery", "full colour", "female:x", "language:en", "year:1998", "character:X",
                               "direction:right to left", "source:example.com/g/1/", "source:example.org/2"}));
}

TEST(ComicInfo, OfAnotherKindIsNone) {
  EXPECT_FALSE(readComicInfo("<Book><Title>x</Title></Book>"));
  EXPECT_FALSE(readComicInfo("no xml"));
  EXPECT_FALSE(readComicInfo(""));
  EXPECT_TRUE(readComicInfo("<ComicInfo/>")->empty());
  EXPECT_EQ(readComicInfo("<ComicInfo><Title>cut sho")->title, "cut sho") << "what is there is read";
}

TEST(ComicInfo, InUtf16AndWithEntities) {
  std::string wide("\xff\xfe", 2);
  for (const char c : std::string("<ComicInfo><Series>S</Series></ComicInfo>")) (wide += c) += '\0';
  EXPECT_EQ(readComicInfo(wide)->tags, Tags{"series:S"});
  const auto found = readComicInfo(
      "<!DOCTYPE ComicInfo [<!ENTITY f SYSTEM 'file:///etc/passwd'><!ENTITY e 'eee'>]>"
      "<ComicInfo><Series>a&f;b&e;</Series></ComicInfo>");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->tags, Tags{"series:ab"});
}

std::string opf(const std::string& metadata) {
  return R"(<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata )"
         R"(xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:opf="http://www.idpf.org/2007/opf">)" +
         metadata + "</metadata><manifest><item id='title' href='x'/></manifest></package>";
}

TEST(EpubPackage, OfVersionTwo) {
  const auto found = readEpubPackage(opf(
      R"(<dc:title>Emma</dc:title><dc:creator opf:role="aut" opf:file-as="Austen, Jane">Jane Austen</dc:creator>)"
      R"(<dc:creator opf:role="ill">Hugh Thomson</dc:creator><dc:contributor opf:role="trl">T T</dc:contributor>)"
      R"(<dc:contributor opf:role="bkp">calibre (5.0)</dc:contributor><dc:subject>Fiction; Love stories, English</dc:subject>)"
      R"(<dc:language>en</dc:language><dc:publisher>John Murray, London</dc:publisher>)"
      R"(<dc:date opf:event="publication">1815-12-23</dc:date><dc:date opf:event="modification">2020</dc:date>)"
      R"(<dc:identifier opf:scheme="ISBN">978-0-14-143958-7</dc:identifier><dc:identifier>urn:uuid:1</dc:identifier>)"
      R"(<dc:source>https://www.gutenberg.org/ebooks/158</dc:source>)"
      R"(<dc:description>&lt;p&gt;Handsome,&lt;/p&gt;&lt;p&gt;clever&lt;/p&gt;</dc:description>)"
      R"(<meta name="calibre:series" content="Novels"/>)"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->title, "Emma");
  EXPECT_EQ(found->summary, "Handsome, clever");
  EXPECT_EQ(found->tags, (Tags{"author:Jane Austen", "artist:Hugh Thomson", "translator:T T", "Fiction", "Love stories",
                               "English", "language:en", "publisher:John Murray London", "year:1815",
                               "isbn:9780141439587", "source:www.gutenberg.org/ebooks/158", "series:Novels"}));
}

TEST(EpubPackage, OfVersionThree) {
  const auto found = readEpubPackage(opf(
      R"(<dc:title id="t1">A Sub Title</dc:title><dc:title id="t2">The Title</dc:title>)"
      R"(<meta refines="#t2" property="title-type">main</meta><dc:creator id="c">X</dc:creator>)"
      R"(<meta refines="#c" property="role" scheme="marc:relators">ill</meta>)"
      R"(<meta property="belongs-to-collection" id="s">S</meta><meta refines="#s" property="collection-type">series</meta>)"
      R"(<meta property="belongs-to-collection" id="l">L</meta><meta refines="#l" property="collection-type">set</meta>)"
      R"(<dc:identifier>urn:isbn:0141439580</dc:identifier><dc:date>0101-01-01</dc:date>)"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->title, "The Title");
  EXPECT_EQ(found->tags, (Tags{"artist:X", "series:S", "isbn:0141439580"}));
}

TEST(EpubPackage, OfAnotherKindIsNone) {
  EXPECT_FALSE(readEpubPackage("<html/>"));
  EXPECT_FALSE(readEpubPackage(""));
  EXPECT_TRUE(readEpubPackage("<package/>")->empty());
}

TEST(Text, IsShortenedBetweenLetters) {
  EXPECT_EQ(shortened("漫画", 4), "漫");
  EXPECT_EQ(shortened("abc", 3), "abc");
  EXPECT_EQ(plainText("a < b  c"), "a < b c");
}

class Comicinfo : public ::testing::Test {
 protected:
  Comicinfo() { host_.setConfig(Json{{"content_dir", folder_.path().string()}}); }
  jobhost::testing::Attempt run(const std::string& name, const samples::Files& files, const std::string& tags = {},
                                const std::string& format = "zip") {
    folder_.write(name, samples::archive(format, files));
    return host_.run("comicinfo", {{"file", name}, {"tags", tags}});
  }
  samples::TempFolder folder_;
  jobhost::testing::FakeHost host_{std::string(JOBHOST_PLUGIN_DIR) + "/metadata.so"};
};

TEST_F(Comicinfo, TellsOnlyWhatIsNew) {
  const samples::Files files{{"1.png", "p"},
                             {"deep/er/ComicInfo.xml", "<ComicInfo><Series>wrong</Series></ComicInfo>"},
                             {"in/comicinfo.XML", "<ComicInfo><Series>S</Series><Genre>g, G</Genre></ComicInfo>"}};
  for (const char* format : {"zip", "tar.gz", "7z"}) {
    const auto done = run(std::string("a.") + format, files, "SERIES:s, other", format);
    ASSERT_TRUE(done.succeeded()) << format << done.error_message;
    EXPECT_EQ(done.result, (Json{{"new_tags", " g"}})) << format;
    EXPECT_TRUE(done.complaints.empty());
  }
}

TEST_F(Comicinfo, FailsWhereThereIsNothingToRead) {
  EXPECT_EQ(run("a.zip", {{"1.png", "p"}}).error_code, "metadata.none");
  EXPECT_EQ(run("b.zip", {{"ComicInfo.xml", "<other/>"}}).error_code, "metadata.comic_info");
  EXPECT_EQ(run("c.zip", {{"ComicInfo.xml", std::string(2 << 20, ' ')}}).code, JH_E_FAILED) << "over its limit";
  EXPECT_EQ(host_.run("comicinfo", {{"file", "absent.zip"}}).error_code, "path.not_found");
  EXPECT_EQ(host_.run("comicinfo", {{"file", "../../etc/passwd"}}).error_code, "path.denied");
  EXPECT_EQ(host_.run("comicinfo").error_class, JH_CLASS_BAD_INPUT);
}

TEST_F(Comicinfo, ReadsAnInput) {
  host_.addInputBytes("book", samples::archive("zip", {{"ComicInfo.xml", "<ComicInfo><Title>T</Title></ComicInfo>"}}));
  const auto done = host_.run("comicinfo");
  EXPECT_EQ(done.result, (Json{{"new_tags", ""}, {"title", "T"}})) << done.error_message;
}

TEST_F(Comicinfo, BoundsWhatItTells) {
  std::string genres, summary(100'000, 's');
  for (int i = 0; i < 2000; ++i) genres += "tag" + std::to_string(i) + ",";
  const auto done =
      run("a.zip", {{"ComicInfo.xml", "<ComicInfo><Summary>" + summary + "</Summary><Genre>" + genres +
                                          "</Genre><Tags>" + std::string(400, 'x') + "</Tags></ComicInfo>"}});
  ASSERT_TRUE(done.succeeded()) << done.error_message;
  const std::string tags(done.result["new_tags"].stringOr(""));
  EXPECT_EQ(std::count(tags.begin(), tags.end(), ','), 499);
  EXPECT_EQ(done.result["summary"].stringOr("").size(), kMaxSummaryBytes);
}

TEST_F(Comicinfo, ReadsARealBook) {
  std::filesystem::copy_file(samples::realEpub(), folder_.path() / "policy.epub");
  const auto done = host_.run("comicinfo", {{"file", "policy.epub"}});
  ASSERT_TRUE(done.succeeded()) << done.error_message;
  EXPECT_NE(done.result["title"].stringOr("").find("Debian Policy Manual"), std::string::npos) << done.result.dump();
  EXPECT_NE(done.result["new_tags"].stringOr("").find("language:en"), std::string::npos) << done.result.dump();
}

}  // namespace
}  // namespace jobhost::metadata
