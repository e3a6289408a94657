#include "fetch-novel/generic.hpp"

#include <gtest/gtest.h>

namespace jobhost::novel {
namespace {

Page pageOf(const std::string& body, const std::string& url = "http://a.test/book/index.html") {
  return Page({url, 200, {{"content-type", "text/html; charset=utf-8"}}, body}, "");
}

std::string chapters(const std::vector<Chapter>& list) {
  std::string out;
  for (const Chapter& one : list)
    out += (out.empty() ? "" : " ") + one.title + "@" + one.url.substr(one.url.find("test") + 4);
  return out;
}

TEST(Facts, OpenGraphBeforeJsonLdBeforeTheTitle) {
  const char* const ld =
      R"(<script type="application/ld+json">{"@graph":[{"@type":"WebSite","name":"Site"},{"@type":["Book"],"name":"Ld","author":[{"name":"A"},"B"],"image":{"url":"/i.png"},"genre":"g","description":"d<","inLanguage":"fr-FR"}]}</script>)";
  const PageFacts all = readFacts(pageOf(
      std::string(
          "<html lang=de><meta property=og:title content=Og><meta property=og:image content=o.png><title>T</title>") +
      ld));
  EXPECT_EQ(all.title, "Og");
  EXPECT_EQ(all.cover_url, "http://a.test/book/o.png");
  EXPECT_EQ(all.authors, (std::vector<std::string>{"A", "B"}));
  EXPECT_EQ(all.tags, (std::vector<std::string>{"g"}));
  EXPECT_EQ(all.synopsis, "<p>d&lt;</p>");
  EXPECT_EQ(all.language, "de");
  const PageFacts some = readFacts(pageOf(std::string("<title>T</title>") + ld));
  EXPECT_EQ(some.title, "Ld");
  EXPECT_EQ(some.cover_url, "http://a.test/i.png");
  EXPECT_EQ(some.language, "fr");
  const PageFacts few =
      readFacts(pageOf("<title> T  x </title><meta name=description content=d><meta name=author content=Me>"));
  EXPECT_EQ(few.title, "T x");
  EXPECT_EQ(few.synopsis, "<p>d</p>");
  EXPECT_EQ(few.authors, (std::vector<std::string>{"Me"}));
}

TEST(Guess, TheTableOfContentsAmongOtherLinks) {
  const Page page = pageOf(
      "<nav class=menu><a href=/>Home</a><a href=/a>About us</a><a href=/b>Blog</a><a href=/n>News</a></nav>"
      "<h1>Book</h1><p>Some words about it, with <a href=/author>a link</a> in them, long enough to be prose.</p>"
      "<ul class=toc><li><a href=c0.html>Preface</a><li><a href=c1.html>Chapter 1: One</a><li><a href=c2.html>Chapter "
      "2</a><li><a href=c3.html>Chapter 3</a></ul>"
      "<div class=related><a href=/x1>Other book</a><a href=/x2>Another</a></div><footer><a "
      "href=http://b.test/>b</a></footer>");
  EXPECT_EQ(chapters(guessChapters(page)),
            "Preface@/book/c0.html Chapter 1: One@/book/c1.html Chapter 2@/book/c2.html Chapter 3@/book/c3.html");
}

TEST(Guess, NumberedContentsOfABook) {
  const Page page = pageOf(
      "<div class=toc><dl><dt><a href=ch01.html>1. About</a><dd><dl><dt><a href=ch01.html#s1>1.1. Scope</a></dl><dt><a "
      "href=ch02.html>2. Archive</a></dl></div>");
  EXPECT_EQ(chapters(guessChapters(page)), "1. About@/book/ch01.html 2. Archive@/book/ch02.html");
}

TEST(Guess, NewestFirstIsTurnedRound) {
  const Page page =
      pageOf("<ul><li><a href=4>第4章</a><li><a href=3>第3章</a><li><a href=2>第2章</a><li><a href=1>第1章</a></ul>");
  EXPECT_EQ(chapters(guessChapters(page)), "第1章@/book/1 第2章@/book/2 第3章@/book/3 第4章@/book/4");
}

TEST(Guess, TheTextAmongMenusAndComments) {
  const std::string prose =
      "<p>It was a long, dark night, and nobody had expected the rain to last, not even the old man at the gate, who "
      "knew it.</p>";
  const Page page = pageOf(
      "<div class=menu><a href=/>Home</a> <a href=/x>Some other page of this site with a long name</a></div><div "
      "id=story>" +
      prose + prose + prose +
      "</div><div class=comments><p>I like it, and this is a comment that is fairly long, as comments can be, you "
      "know, really.</p></div>");
  EXPECT_EQ(guessBody(page), prose + prose + prose);
  EXPECT_EQ(guessBody(pageOf("<a href=/>Home</a>")), "");
}

TEST(Guess, TextBetweenBreaks) {
  const std::string line =
      "The words of this page stand between line breaks, as they did in the old days of the web, without a "
      "paragraph.<br>";
  const std::string body =
      guessBody(pageOf("<table><tr><td><a href=/>Home</a></td><td id=t>" + line + line + line + "</td></tr></table>"));
  EXPECT_EQ(body, line + line + line);
}

TEST(Guess, TheNextPage) {
  EXPECT_EQ(guessNext(pageOf("<a href=p2>Next chapter</a>")), "http://a.test/book/p2");
  EXPECT_EQ(guessNext(pageOf("<link rel='next' href=p3><a href=p2>Next</a>")), "http://a.test/book/p3");
  EXPECT_EQ(guessNext(pageOf("<a href=p2>下一章</a>")), "http://a.test/book/p2");
  EXPECT_EQ(guessNext(pageOf("<a href=p2>Nextcloud</a><a href=http://b.test/>Next</a>")), "");
}

TEST(Guess, ANovelNeedsATitleAndChapters) {
  EXPECT_EQ(guessNovel(pageOf("<h1>B</h1><ul><li><a href=1>Chapter 1</a><li><a href=2>Chapter 2</a></ul>")).title, "B");
  EXPECT_THROW(guessNovel(pageOf("<ul><li><a href=1>Chapter 1</a><li><a href=2>Chapter 2</a></ul>")), CrawlError);
  EXPECT_THROW(guessNovel(pageOf("<h1>B</h1><p>text")), CrawlError);
}

}  // namespace
}  // namespace jobhost::novel
