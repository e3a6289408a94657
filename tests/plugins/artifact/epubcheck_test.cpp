// Books that are nasty in one way each, before the eyes of epubcheck: no error and no warning.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <functional>

#include "fake_book.hpp"

namespace jobhost::artifact {
namespace {

using testing::FakeBook;

constexpr const char* kPhrase = "It was a bright cold day, and the clocks were striking. ";

struct Case {
  std::string name;
  std::function<void(FakeBook&)> fill;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

class EpubCheck : public ::testing::TestWithParam<Case> {};

TEST_P(EpubCheck, FindsNothing) {
  FakeBook book;
  GetParam().fill(book);
  const testing::Epub epub(book);
  // As a jar: where jars are not programs (containers), /usr/bin/epubcheck is none. It checks the reading order by
  // recursion, a frame for each chapter. Only errors and warnings are printed.
  const std::string command =
      "java -Xss256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -jar /usr/share/java/epubcheck.jar --failonwarnings -q "
      "'" +
      epub.path() + "' 2>&1";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string said(1 << 16, '\0');
  said.resize(std::fread(said.data(), 1, said.size(), pipe));
  const int status = ::pclose(pipe);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
      << "status " << status << " (is the package epubcheck installed?)\n"
      << said;
  EXPECT_EQ(said.find("ERROR"), std::string::npos) << said;
  EXPECT_EQ(said.find("WARNING"), std::string::npos) << said;
}

void fillOrdinary(FakeBook& book) {
  book.cover_bytes = testing::jpeg();
  book.facts.synopsis_html = "<p>What <b>happens</b>.</p>";
  book.facts.tags = {"fantasy", "a & b"};
  book.facts.authors = {"Ann Author", "Bob \"B\" <b@example.test>"};
  book.image("aa", testing::jpeg())
      .image("bb", testing::png())
      .image("cc", testing::gif())
      .image("dd", "RIFF0000WEBPVP8 ");
  book.volume("First").chapter("One", std::string("<p>") + kPhrase + "<img src='images/aa.jpg' alt='aa'></p>");
  book.chapter(
      "Two",
      "<p><img src='images/bb.jpg'><img src='images/cc.jpg'><img src='images/dd.jpg'><img src='images/none.jpg'></p>");
  book.volume("Nothing in it").chapter("Three", std::nullopt);
  book.volume("Second").chapter("Four", "").chapter("Five", "<h1>x</h1><h4>y</h4>");
}

void fillRightToLeft(FakeBook& book) {
  book.facts.rtl = true;
  book.facts.language = "ar";
  book.facts.title = "كتاب الرحلة";
  book.volume("المجلد الأول")
      .chapter("الفصل الأول", "<p dir=rtl>كان يا ما كان <bdo dir=ltr>abc</bdo> <bdi>x</bdi></p>");
}

void fillChinese(FakeBook& book) {
  book.facts.language = "zh-TW";
  book.facts.title = "小說：測試 😀";
  book.cover_bytes = testing::png();
  book.volume("第一卷").chapter("第一章　開始",
                                "<p>　　春眠不覺曉。</p><ruby>漢<rt>ㄏㄢˋ</rt>字<rt>ㄗˋ</rt></ruby><p>𠮷野家</p>");
  book.chapter("第二章", "<ruby>東<rb>京<rt>とう<rt>きょう</ruby><ruby></ruby><ruby>x</ruby>");
}

void fillBroken(FakeBook& book) {
  book.facts.language = "no such language";
  book.facts.url = "not a url <&>";
  book.facts.title = "  ";
  book.facts.synopsis_html = "<ul><li>a<table><tr><td>b";
  book.chapter("<b>Title</b> &amp; \x01\xFF", "<p>a<div>b<table><td>c<li>d</ul></p><p><b><i>e</b>f</i><h1>g<p>h</h1>");
  book.chapter("Scripts",
               "<script>alert(1)</script><style>x</style><form><input value=x>t</form><iframe src=x></iframe>y");
  book.chapter(
      "Attributes",
      "<p id=1 id=1 onclick=x style='color:red;;' class='&quot;' xml:lang=zz data-x=1>a<a href='x:y' id=1>b</a></p>");
  book.chapter(
      "Names",
      "<o:p>a</o:p><p:b>c</p:b><svg:svg><path d=x></svg:svg><math><mi>x</mi></math><custom-tag>y</custom-tag>");
  book.chapter("Nested",
               "<dl><dt>a<dd>b<dl><dd>c</dl></dl><blockquote><li>q</blockquote><ol><ol><ol>z</ol></ol></"
               "ol><pre>x<table><tr><td>y</pre>");
  book.chapter("Tables",
               "<table>text<caption>c</caption><tr>t<td rowspan=0 colspan=99999>a</td>u</tr><td>v</table><tr><td>w");
  book.chapter("Cut off", "<p>text <b>and <a href=\"http://x");
  book.chapter(
      "Inline",
      "<q><cite><dfn>x</dfn></cite></q><sub><sup>y</sup></sub><small><mark>z</mark></small><kbd><samp><var><code>w");
  book.chapter("Entities", "&nbsp;&copy;&#0;&#xD800;&#x110000;&bogus;&lt;script&gt; & < > \" '");
  std::string deep;
  for (int i = 0; i < 300; ++i) deep += "<blockquote><ul><li>";
  book.chapter("Deep", deep + "bottom");
}

void fillDuplicates(FakeBook& book) {
  for (int part = 0; part < 3; ++part) {
    book.volume("The Same");
    for (int i = 0; i < 4; ++i) book.chapter("The Same", "<h2 id=x>Same</h2><p id=x>a</p>");
  }
}

void fillLong(FakeBook& book) {
  for (int i = 0; i < 3000; ++i) {
    if (i % 100 == 0) book.volume("");
    book.chapter(i % 7 == 0 ? "" : "A chapter of many", std::string("<p>") + kPhrase + "</p>");
  }
}

INSTANTIATE_TEST_SUITE_P(Books, EpubCheck,
                         ::testing::Values(Case{"Ordinary", fillOrdinary}, Case{"RightToLeft", fillRightToLeft},
                                           Case{"Chinese", fillChinese}, Case{"BrokenHtml", fillBroken},
                                           Case{"DuplicateTitles", fillDuplicates},
                                           Case{"NoChapters", [](FakeBook&) {}},
                                           Case{"ThreeThousandChapters", fillLong}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace jobhost::artifact
