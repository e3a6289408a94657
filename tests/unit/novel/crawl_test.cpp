#include "fetch-novel/crawl.hpp"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>

#include "fetch-novel/charset.hpp"
#include "site.hpp"

namespace jobhost::novel {
namespace {

const std::string kNovel = "http://a.test/book/1";
const char* const kNovelPage =
    "<html lang=en><meta property=og:title content='Og Title'><h1>The Book</h1><div id=book data-id=9></div>"
    "<div class=toc><a href=/c/1>One</a><a href=/c/2>Two</a></div>";

std::string chapters(const Novel& novel) {
  std::string out;
  for (const Chapter& one : novel.chapters) {
    out += (out.empty() ? "" : " ") + std::to_string(one.serial) + ":" + one.title + "@" +
           one.url.substr(one.url.find("test") + 4);
  }
  return out;
}

std::string asked(const Site& site) {
  std::string out;
  for (const std::string& one : site.asked) out += (out.empty() ? "" : ", ") + one;
  return out;
}

template <class F>
std::string errorOf(F call) {
  try {
    call();
  } catch (const CrawlError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Crawl, ReadsANovelAndAChapter) {
  Site site;
  site.page(kNovel, kNovelPage).page("http://a.test/c/1", "<div id=text><p>Hello</p></div>");
  Crawl crawl(specWith("novel: { title: { css: h1 } }\n"), site);
  const Novel novel = crawl.readNovel(kNovel + "#top");
  EXPECT_EQ(novel.title, "The Book");
  EXPECT_EQ(novel.url, kNovel);
  EXPECT_EQ(novel.language, "en");
  EXPECT_EQ(chapters(novel), "1:One@/c/1 2:Two@/c/2");
  EXPECT_EQ(crawl.readChapter(kNovel, novel.chapters[0]), "<p>Hello</p>");
  EXPECT_EQ(asked(site), "GET " + kNovel + ", GET http://a.test/c/1");
  EXPECT_EQ(crawl.warnings(), (std::vector<std::string>{"novel.cover found nothing", "novel.authors found nothing",
                                                        "novel.tags found nothing", "novel.synopsis found nothing"}));
}

TEST(Crawl, FieldsTheSpecDoesNotNameComeFromThePageItself) {
  Site site;
  site.page(kNovel, kNovelPage);
  EXPECT_EQ(Crawl(specWith("language: fr\n"), site).readNovel(kNovel).title, "Og Title");
}

// ---- what a spec says of all its novels

struct FactCase {
  const char* name;
  const char* spec;        ///< beside novel.title
  const char* language;    ///< novel.language, if any
  const char* attributes;  ///< of the page's html element
  const char* facts;
};

class Facts : public testing::TestWithParam<FactCase> {};

TEST_P(Facts, OfTheNovelComeFromPageAndSpec) {
  const std::string language = GetParam().language;
  Site site;
  site.page(kNovel, "<html " + std::string(GetParam().attributes) +
                        "><h1>The Book</h1><i class=tongue> de-AT </i><div class=toc><a href=/c/1>One</a></div>");
  const auto source = specWith(std::string(GetParam().spec) + "novel: { title: { css: h1 }" +
                               (language.empty() ? "" : ", language: " + language) + " }\n");
  ASSERT_NE(source, nullptr);
  const Novel novel = Crawl(source, site).readNovel(kNovel);
  EXPECT_EQ(novel.language + (novel.manga ? " manga" : "") + (novel.mtl ? " mtl" : "") + (novel.rtl ? " rtl" : ""),
            GetParam().facts);
}

INSTANTIATE_TEST_SUITE_P(
    All, Facts,
    testing::Values(FactCase{"NothingSaid", "", "", "", ""}, FactCase{"Manga", "has_manga: true\n", "", "", " manga"},
                    FactCase{"Mtl", "has_mtl: true\n", "", "", " mtl"},
                    FactCase{"Neither", "has_manga: false\nhas_mtl: false\n", "", "", ""},
                    FactCase{"LanguageOfTheSpec", "language: ar\n", "", "", "ar rtl"},
                    FactCase{"ThePageBeforeTheSpec", "language: ar\n", "", "lang=pt-BR", "pt"},
                    FactCase{"ThePageSaysNothingUseful", "language: fr\n", "", "lang=und", "fr"},
                    FactCase{"Extracted", "", "{css: .tongue}", "", "de"},
                    FactCase{"ExtractedBeforeTheDefault", "language: fr\n", "{css: .tongue}", "", "de"},
                    FactCase{"ExtractedNothing", "language: fr\n", "{css: .none}", "", "fr"},
                    FactCase{"ThePageBeforeTheExtracted", "language: fr\n", "{css: .tongue}", "lang=en", "en"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Crawl, VolumesAreAsLongAsTheSpecSays) {
  std::string page = "<h1>T</h1><div class=toc>";
  for (int i = 1; i <= 205; ++i) page += "<a href=/c/" + std::to_string(i) + ">c</a>";
  Site site;
  site.page(kNovel, page + "</div>");
  const auto sizes = [&](const std::string& setting) {
    std::string out;
    for (const Volume& one : Crawl(specWith(setting + "novel: {title: {css: h1}}\n"), site).readNovel(kNovel).volumes)
      out += (out.empty() ? "" : " ") + std::to_string(one.chapter_count);
    return out;
  };
  EXPECT_EQ(sizes(""), "100 100 5");
  EXPECT_EQ(sizes("chapters_per_volume: 90\n"), "90 90 25");
  EXPECT_EQ(sizes("chapters_per_volume: 1000\n"), "205");
}

TEST(Crawl, AlternativesGoOnAfterFailuresAndEmptyPages) {
  Site site;
  site.page(kNovel, kNovelPage)
      .page("http://a.test/empty?id=9", "<p>nothing</p>")
      .page("http://a.test/list?id=9", "<a href=/c/7>Seven</a>");
  const auto source = spec(
      "vars: { book: { css: '#book', attr: data-id } }\n"
      "toc:\n  request: { from: [ {get: '{origin}/gone'}, {get: '{origin}/empty?id={vars.book}'}, {get: "
      "'{origin}/list?id={vars.book}'}, {page: novel} ] }\n"
      "  items: { css: a, fields: { title: {}, url: {attr: href} } }\n"
      "chapter: { body: { css: p } }\n");
  EXPECT_EQ(chapters(Crawl(source, site).readNovel(kNovel)), "1:Seven@/c/7");
  EXPECT_EQ(asked(site),
            "GET " + kNovel + ", GET http://a.test/gone, GET http://a.test/empty?id=9, GET http://a.test/list?id=9");
}

TEST(Crawl, WhenAllAlternativesFailEachIsNamed) {
  Site site;
  site.page(kNovel, kNovelPage);
  const auto source = spec(
      "toc:\n  request: { from: [ {get: '{origin}/x'}, {get: '{origin}/y'} ] }\n  items: { css: a, fields: { url: "
      "{attr: href} } }\nchapter: { body: { css: p } }\n");
  EXPECT_EQ(errorOf([&] { Crawl(source, site).readNovel(kNovel); }),
            "specs/a.test.yaml:4: toc.request.from: no alternative gave a page:\n"
            "  specs/a.test.yaml:4: toc.request.from[0]: GET http://a.test/x was answered with 404\n"
            "  specs/a.test.yaml:4: toc.request.from[1]: GET http://a.test/y was answered with 404");
}

// ---- pagination

std::shared_ptr<const Spec> paged(const std::string& paginate) {
  return spec("toc:\n  request: { get: '{novel_url}/list', paginate: " + paginate +
              " }\n  items: { css: a.c, fields: { title: {}, url: {attr: href} } }\nchapter: { body: { css: p } }\n");
}

Site pagedSite() {
  Site site;
  site.page(kNovel, kNovelPage);
  site.page(kNovel + "/list",
            "<a class=c href=/c/1>1</a><i>2</i><i>Next</i><i>3</i><a rel=next href='/book/1/list?p=2'>n</a>");
  site.page(kNovel + "/list?p=2", "<a class=c href=/c/2>2</a><a rel=next href='?p=3'>n</a>");
  site.page(kNovel + "/list?p=3", "<a class=c href=/c/3>3</a><a rel=next href='?p=2'>n</a>");
  return site;
}

struct PageCase {
  const char* name;
  const char* paginate;
  const char* chapters;
  int requests;
};

class Pagination : public testing::TestWithParam<PageCase> {};

TEST_P(Pagination, GathersPagesInOrder) {
  Site site = pagedSite();
  EXPECT_EQ(chapters(Crawl(paged(GetParam().paginate), site).readNovel(kNovel)), GetParam().chapters);
  EXPECT_EQ(static_cast<int>(site.asked.size()), GetParam().requests) << asked(site);
}

const char* const kAll = "1:1@/c/1 2:2@/c/2 3:3@/c/3";

INSTANTIATE_TEST_SUITE_P(
    All, Pagination,
    testing::Values(
        PageCase{"LastNumber", "{last: 2, url: '{request_url}?p={page}'}", "1:1@/c/1 2:2@/c/2", 3},
        PageCase{"LastReadTheLargestWins", "{last: {css: i}, url: '{novel_url}/list?p={page}'}", kAll, 4},
        PageCase{"LastReadByMax", "{last: {css: i, all: true, pipe: [max]}, url: '{novel_url}/list?p={page}'}", kAll,
                 4},
        PageCase{"LastNotThereMeansOne", "{last: {css: u}, url: '{novel_url}/list?p={page}'}", "1:1@/c/1", 2},
        PageCase{"WhileHasItemsEndsAtNotFound", "{while: has_items, url: '{novel_url}/list?p={page}'}", kAll, 5},
        PageCase{"NextEndsWhereItWasAlready", "{next: {css: 'a[rel=next]', attr: href}}", kAll, 4},
        PageCase{"First", "{first: 2, last: 3, url: '{novel_url}/list?p={page}'}", "1:1@/c/1 2:3@/c/3", 3},
        PageCase{"Step", "{last: 3, step: 2, url: '{novel_url}/list?p={page}'}", "1:1@/c/1 2:3@/c/3", 3}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Crawl, WhileHasItemsEndsAtAnEmptyOrRepeatedPage) {
  Site site = pagedSite();
  site.page(kNovel + "/list?p=4", "<p>no more</p>");
  EXPECT_EQ(chapters(Crawl(paged("{while: has_items, url: '{novel_url}/list?p={page}'}"), site).readNovel(kNovel)),
            kAll);
  Site again = pagedSite();
  for (int i = 4; i < 50; ++i)
    again.page(kNovel + "/list?p=" + std::to_string(i), "<a class=c href=/c/3>3</a><a rel=next href='?p=2'>n</a>");
  EXPECT_EQ(chapters(Crawl(paged("{while: has_items, url: '{novel_url}/list?p={page}'}"), again).readNovel(kNovel)),
            kAll);
  EXPECT_EQ(again.asked.size(), 5u);
}

TEST(Crawl, AMissingPageOfAKnownNumberIsAnError) {
  Site site = pagedSite();
  EXPECT_EQ(errorOf([&] { Crawl(paged("{last: 9, url: '{novel_url}/list?p={page}'}"), site).readNovel(kNovel); }),
            "specs/a.test.yaml:4: toc.request: GET http://a.test/book/1/list?p=4 was answered with 404");
}

TEST(Crawl, PagesAreLimited) {
  Site site = pagedSite();
  Crawl crawl(paged("{last: 3, url: '{novel_url}/list?p={page}'}"), site, {.pages = 2});
  EXPECT_EQ(chapters(crawl.readNovel(kNovel)), "1:1@/c/1 2:2@/c/2");
  EXPECT_EQ(crawl.warnings().back(), "specs/a.test.yaml:4: toc.request.paginate: stopped at 2 pages");
}

TEST(Crawl, SaysWhyAListMayNotBeWhole) {
  const auto cut = [](const std::string& paginate, std::size_t pages, Site site) {
    return Crawl(paged(paginate), site, {.pages = pages}).readNovel(kNovel).cut;
  };
  EXPECT_EQ(cut("{last: 3, url: '{novel_url}/list?p={page}'}", 100, pagedSite()), "");
  EXPECT_EQ(cut("{last: 3, url: '{novel_url}/list?p={page}'}", 2, pagedSite()),
            "specs/a.test.yaml:4: toc.request.paginate: stopped at 2 pages");
  EXPECT_EQ(cut("{next: {css: 'a[rel=next]', attr: href}}", 2, pagedSite()),
            "specs/a.test.yaml:4: toc.request.paginate: stopped at 2 pages");
  // A gap looks like an end.
  EXPECT_EQ(
      cut("{while: has_items, url: '{novel_url}/list?p={page}'}", 100, pagedSite().answers(kNovel + "/list?p=2", 404)),
      "specs/a.test.yaml:4: toc.request: GET http://a.test/book/1/list?p=2 was answered with 404");
  EXPECT_EQ(cut("{while: has_items, url: '{novel_url}/list?p={page}'}", 100,
                pagedSite().page(kNovel + "/list?p=4", "<p>no more</p>")),
            "");
}

TEST(Crawl, AnAlternativeThatFailedMayHaveHadMore) {
  const auto source = spec(
      "toc:\n  request: { from: [ {get: '{origin}/all'}, {page: novel} ] }\n"
      "  items: { css: .toc a, fields: { title: {}, url: {attr: href} } }\nchapter: { body: { css: p } }\n");
  const auto cut = [&](int status) {
    Site site;
    site.page(kNovel, kNovelPage).answers("http://a.test/all", status);
    return Crawl(source, site).readNovel(kNovel).cut;
  };
  EXPECT_EQ(cut(404), "") << "some sites have it, others have not";
  EXPECT_EQ(cut(503), "specs/a.test.yaml:4: toc.request.from[0]: GET http://a.test/all was answered with 503");
}

// Answers a list of pages that are all large, and looks at the heap each time.
class LargeList : public Fetcher {
 public:
  HttpResponse fetch(const HttpRequest& request) override {
    const struct mallinfo2 all = mallinfo2();
    heap.push_back(all.uordblks + all.hblkhd);
    const std::string number = std::to_string(heap.size());
    std::string page = "<title>Book</title><a class=c href=/c/" + number + ">c</a>";
    while (page.size() < 100'000) page += "<p>text <i>of</i> " + number;
    return {request.url, 200, {{"content-type", "text/html"}}, page};
  }
  std::vector<std::size_t> heap;
};

TEST(Crawl, PagesOfAListDoNotStayInMemory) {
  LargeList site;
  Crawl crawl(paged("{last: 60, url: '{novel_url}/list?p={page}'}"), site);
  EXPECT_EQ(crawl.readNovel(kNovel).chapters.size(), 60u);
  ASSERT_EQ(site.heap.size(), 61u);
  if (site.heap.front() == 0) GTEST_SKIP() << "this allocator does not tell what it holds";
  EXPECT_LT(site.heap.back(), site.heap[10] + (1 << 20)) << "50 pages of 100 kB and their trees";
}

TEST(Crawl, AnAlternativeMayHaveItsOwnPages) {
  Site site = pagedSite();
  const auto source = spec(
      "toc:\n  request: { from: [ {get: '{origin}/gone'}, {get: '{novel_url}/list', paginate: {last: 2, url: "
      "'{request_url}?p={page}'}} ] }\n"
      "  items: { css: a.c, fields: { title: {}, url: {attr: href} } }\nchapter: { body: { css: p } }\n");
  EXPECT_EQ(chapters(Crawl(source, site).readNovel(kNovel)), "1:1@/c/1 2:2@/c/2");
}

TEST(Crawl, AChapterMaySpanSeveralPages) {
  Site site;
  site.page(kNovel, kNovelPage).page("http://a.test/c/1", "<p id=text>one</p><a class=n href=/c/1_2>next page</a>");
  site.page("http://a.test/c/1_2", "<p id=text>two</p><a class=n href=/c/2>next chapter</a>");
  const auto source = specWith(
      "chapter:\n  request: { paginate: { next: { css: a.n, attr: href, pipe: [{regex: '.*_\\d+'}] } } }\n  body: { "
      "css: '#text', pipe: [text] }\n  join: ' + '\n");
  Crawl crawl(source, site);
  const Novel novel = crawl.readNovel(kNovel);
  EXPECT_EQ(crawl.readChapter(kNovel, novel.chapters[0]), "one + two");
}

// ---- requests

TEST(Crawl, PayloadsAreFormsOrJsonByTheirShape) {
  const auto bodyOf = [](const std::string& request) {
    Site site;
    site.page(kNovel, kNovelPage).page("http://a.test/list", kNovelPage);
    Crawl(spec("toc:\n  request: { post: '{origin}/list', " + request +
               " }\n  items: { css: .toc a, fields: { url: {attr: href} } }\nchapter: { body: { css: p } }\n"),
          site)
        .readNovel(kNovel);
    const HttpRequest& sent = site.requests.back();
    std::string type;
    for (const auto& [name, value] : sent.headers) {
      if (name == "content-type") type = value;
    }
    return sent.method + " " + type + " " + sent.body;
  };
  EXPECT_EQ(bodyOf("payload: {a: 'x y&', u: '{novel_url}'}"),
            "POST application/x-www-form-urlencoded a=x+y%26&u=http%3A%2F%2Fa.test%2Fbook%2F1");
  EXPECT_EQ(bodyOf("payload: {a: 1, b: [true, null], c: {d: '{origin}\"'}}"),
            "POST application/json {\"a\":1,\"b\":[true,null],\"c\":{\"d\":\"http://a.test\\\"\"}}");
  EXPECT_EQ(bodyOf("payload: {a: x}, headers: {Content-Type: application/json}"),
            "POST application/json {\"a\":\"x\"}");
  EXPECT_EQ(bodyOf("encoding: gbk, payload: {a: 你}"), "POST application/x-www-form-urlencoded a=%C4%E3");
}

TEST(Crawl, HeadersMergeOverTheSpecs) {
  Site site;
  site.page(kNovel, kNovelPage);
  Crawl(specWith("headers: {x-a: '1', x-b: '2'}\nnovel: { request: { headers: {X-B: '{novel_url}'} } }\n"), site)
      .readNovel(kNovel);
  EXPECT_EQ(site.requests[0].headers,
            (std::vector<std::pair<std::string, std::string>>{{"x-a", "1"}, {"x-b", kNovel}}));
}

TEST(Crawl, FormsAreHarvested) {
  Site site;
  site.page("http://a.test/search.html",
            "<form id=f action=/find method=post><input name=token value=t1><input type=checkbox name=c1 "
            "checked><input type=checkbox name=c2><input name=q>"
            "<select name=s><option value=1>a<option value=2 selected>b</select><textarea name=t>txt</textarea><input "
            "type=submit name=go value=Go><input name=off disabled value=x></form>");
  site.page("http://a.test/find", "<a class=r href=/book/1>The Book</a><a class=r>none</a>");
  const auto source = specWith(
      "search: { request: { get: '{origin}/search.html', form: '#f', payload: {q: '{query}'} }, css: a.r, fields: "
      "{title: {}, url: {attr: href}} }\n");
  const auto found = Crawl(source, site).search("a b");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].url, "http://a.test/book/1");
  EXPECT_EQ(site.asked.back(), "POST http://a.test/find token=t1&c1=on&q=a+b&s=2&t=txt");
}

TEST(Crawl, FormsOfThePageInScopeArePosted) {
  Site site;
  site.page(kNovel, std::string(kNovelPage) + "<form class=x><input type=hidden name=id value=5></form>")
      .page("http://a.test/list", kNovelPage);
  Crawl(spec("toc:\n  request: { post: '{origin}/list', form: form.x, payload: {more: y} }\n  items: { css: .toc a, "
             "fields: { url: {attr: href} } }\nchapter: { body: { css: p } }\n"),
        site)
      .readNovel(kNovel);
  EXPECT_EQ(site.asked.back(), "POST http://a.test/list id=5&more=y");
}

TEST(Crawl, AFormThatGetsBecomesAQuery) {
  Site site;
  site.page("http://a.test/s", "<form action=/find><input name=q></form>")
      .page("http://a.test/find?q=x", "<a href=/b>B</a>");
  const auto source = specWith(
      "search: { request: { get: '{origin}/s', form: form, payload: {q: '{query}'} }, css: a, fields: {title: {}, url: "
      "{attr: href}} }\n");
  EXPECT_EQ(Crawl(source, site).search("x").size(), 1u);
}

TEST(Crawl, LegacyEncodingsGovernRequestsAndPages) {
  Site site;
  const std::string title = fromUtf8("你好", "GBK");
  site.page("http://a.test/s?q=%C4%E3", "<a href=/b>" + title + "</a>", "text/html");
  const auto source = specWith(
      "encoding: gb2312\nsearch: { request: { get: '{origin}/s?q={query|urlencode}' }, css: a, fields: {title: {}, "
      "url: {attr: href}} }\n");
  EXPECT_EQ(Crawl(source, site).search("你").at(0).title, "你好");
}

struct EncodingCase {
  const char* name;
  const char* spec;
  const char* novel;    ///< the encoding of novel.request
  const char* toc;      ///< of toc.request
  const char* chapter;  ///< of chapter.request
  const char* result;   ///< title, first chapter's title, its text
};

class AnswersInAnEncoding : public testing::TestWithParam<EncodingCase> {};

// Every page is GBK and says that it is something else, so that only the spec can tell.
TEST_P(AnswersInAnEncoding, AreReadAsTheRequestSaysElseAsTheSpec) {
  const std::string type = "text/html; charset=windows-1252";
  const std::string word = fromUtf8("你", "GBK");
  Site site;
  site.page(kNovel, "<h1>" + word + "</h1>", type)
      .page("http://a.test/list", "<a href=/c/1>" + word + "</a>", type)
      .page("http://a.test/c/1", "<p>" + word + "</p>", type);
  const auto encoding = [](const std::string& name) { return name.empty() ? "" : ", encoding: " + name; };
  const auto source =
      spec(std::string(GetParam().spec) + "novel: { request: { get: '{novel_url}'" + encoding(GetParam().novel) +
           " }, title: {css: h1} }\ntoc:\n  request: { get: '{origin}/list'" + encoding(GetParam().toc) +
           " }\n  items: { css: a, fields: { title: {}, url: {attr: href} } }\nchapter: { request: { get: "
           "'{chapter.url}'" +
           encoding(GetParam().chapter) + " }, body: { css: p, pipe: [text] } }\n");
  ASSERT_NE(source, nullptr);
  Crawl crawl(source, site);
  const Novel novel = crawl.readNovel(kNovel);
  EXPECT_EQ(novel.title + " " + novel.chapters.at(0).title + " " + crawl.readChapter(kNovel, novel.chapters[0]),
            GetParam().result);
}

INSTANTIATE_TEST_SUITE_P(All, AnswersInAnEncoding,
                         testing::Values(EncodingCase{"OfNone", "", "", "", "", "Äã Äã Äã"},
                                         EncodingCase{"OfTheNovel", "", "gbk", "", "", "你 Äã Äã"},
                                         EncodingCase{"OfTheList", "", "", "gbk", "", "Äã 你 Äã"},
                                         EncodingCase{"OfTheChapter", "", "", "", "gbk", "Äã Äã 你"},
                                         EncodingCase{"OfTheSpec", "encoding: gbk\n", "", "", "", "你 你 你"},
                                         EncodingCase{"TheRequestsBeforeTheSpecs", "encoding: gbk\n", "",
                                                      "windows-1252", "", "你 Äã 你"}),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(Crawl, WrongCharsetsInHeadersAreSeenThrough) {
  Site site;
  site.page(kNovel, "<meta charset=gbk><h1>" + fromUtf8("你好", "GBK") + "</h1><div class=toc><a href=/c/1>1</a></div>",
            "text/html; charset=utf-8");
  EXPECT_EQ(Crawl(specWith("novel: {title: {css: h1}}\n"), site).readNovel(kNovel).title, "你好");
}

TEST(Crawl, NamedRequestsAreReused) {
  Site site;
  site.page(kNovel, kNovelPage).page("http://a.test/info", kNovelPage);
  const auto source = spec(
      "novel: { request: { name: info, get: '{origin}/info' } }\ntoc:\n  request: { page: info }\n  items: { css: .toc "
      "a, fields: { title: {}, url: {attr: href} } }\nchapter: { body: { css: p } }\n");
  EXPECT_EQ(Crawl(source, site).readNovel(kNovel).chapters.size(), 2u);
  EXPECT_EQ(asked(site), "GET http://a.test/info");
}

TEST(Crawl, LinksResolveAgainstWhereThePageCameFrom) {
  Site site;
  site.page("http://b.test/moved/", "<h1>T</h1><div class=toc><a href=c1>1</a></div>")
      .redirect(kNovel, "http://b.test/moved/");
  EXPECT_EQ(Crawl(specWith("novel: {title: {css: h1}}\n"), site).readNovel(kNovel).chapters[0].url,
            "http://b.test/moved/c1");
}

// ---- vars

TEST(Crawl, VarsReadUrlsPagesAndTheirOwnRequests) {
  Site site;
  site.page(kNovel, kNovelPage)
      .page("http://a.test/token", "{\"t\":\"abc\"}", "application/json")
      .page("http://a.test/toc/1/9/abc", kNovelPage);
  site.page("http://a.test/c/1", "<p id=key>k1</p>").page("http://a.test/c/2", "<p id=key>k2</p>");
  site.page("http://a.test/text/k1", "{\"text\":\"<p>one</p>\"}")
      .page("http://a.test/text/k2", "{\"text\":\"<p>two</p>\"}");
  const auto source = spec(
      "vars:\n  num: { on: url, regex: '/book/(\\d+)' }\n  book: { css: '#book', attr: data-id }\n  token: { on: {get: "
      "'{origin}/token'}, json: t }\n"
      "toc:\n  request: { get: '{origin}/toc/{vars.num}/{vars.book}/{vars.token}' }\n  items: { css: .toc a, fields: { "
      "title: {}, url: {attr: href} } }\n"
      "chapter: { body: { css: '#key', pipe: [text] } }\n");
  Crawl crawl(source, site);
  const Novel novel = crawl.readNovel(kNovel);
  EXPECT_EQ(chapters(novel), "1:One@/c/1 2:Two@/c/2");
  crawl.readNovel(kNovel);
  EXPECT_EQ(std::count(site.asked.begin(), site.asked.end(), "GET http://a.test/token"), 1) << "once a session";
}

TEST(Crawl, ChapterVarsBelongToOneChapter) {
  Site site;
  site.page(kNovel, kNovelPage)
      .page("http://a.test/c/1", "<p id=key>k1</p>")
      .page("http://a.test/c/2", "<p id=key>k2</p>");
  site.page("http://a.test/more/k1/2", "<p id=text>one</p>").page("http://a.test/more/k2/2", "<p id=text>two</p>");
  const auto source = specWith(
      "vars: { key: { on: chapter, css: '#key' } }\nchapter:\n  request: { paginate: { last: 2, url: "
      "'{origin}/more/{vars.key}/{page}' } }\n  body: { css: '#text', pipe: [text] }\n");
  Crawl crawl(source, site);
  const Novel novel = crawl.readNovel(kNovel);
  EXPECT_EQ(crawl.readChapter(kNovel, novel.chapters[0]) + crawl.readChapter(kNovel, novel.chapters[1]), "onetwo");
}

TEST(Crawl, RenewedVarsAreReadAgainOnceWhenRefused) {
  Site site;
  site.page(kNovel, kNovelPage)
      .page("http://a.test/token", "abc")
      .page("http://a.test/c/1", "<p id=text>x</p>")
      .answers("http://a.test/c/1", 403, 1);
  const std::string var =
      "vars: { token: { on: {get: '{origin}/token'}, regex: '\\w+', renew: true } }\nchapter: { request: { headers: "
      "{x-token: '{vars.token}'} }, body: { css: '#text', pipe: [text] } }\n";
  Crawl crawl(specWith(var), site);
  const Novel novel = crawl.readNovel(kNovel);
  EXPECT_EQ(crawl.readChapter(kNovel, novel.chapters[0]), "x");
  EXPECT_EQ(std::count(site.asked.begin(), site.asked.end(), "GET http://a.test/token"), 2);
  site.answers("http://a.test/c/1", 403);
  EXPECT_EQ(
      errorOf([&] { crawl.readChapter(kNovel, novel.chapters[0]); }).find("was answered with 403") == std::string::npos,
      false);
}

TEST(Crawl, AVarThatFindsNothingIsNamed) {
  Site site;
  site.page(kNovel, kNovelPage);
  const auto source = spec(
      "vars: { book: { css: '#nope' } }\ntoc:\n  request: { get: '{origin}/{vars.book}' }\n  items: { css: a, fields: "
      "{ url: {attr: href} } }\nchapter: { body: { css: p } }\n");
  EXPECT_EQ(errorOf([&] { Crawl(source, site).readNovel(kNovel); }),
            "specs/a.test.yaml:3: vars.book: found nothing on " + kNovel);
}

// ---- volumes, chapters

TEST(Crawl, HeadingsMakeVolumes) {
  Site site;
  site.page(kNovel,
            "<h1>T</h1><ul><li><a href=/0>p</a><li class=v>First<li><a href=/1>a</a><li><a href=/2>b</a><li class=v> "
            "<li class=v>Second<li><a href=/3>c</a></ul>");
  const auto source = spec(
      "novel: {title: {css: h1}}\ntoc:\n  request: {page: novel}\n  items: { css: 'li:has(a)', fields: { title: {css: "
      "a}, url: {css: a, attr: href} } }\n"
      "  volumes: { css: li.v, fields: { title: {} } }\nchapter: { body: { css: p } }\n");
  const Novel novel = Crawl(source, site).readNovel(kNovel);
  ASSERT_EQ(novel.volumes.size(), 3u);
  EXPECT_EQ(novel.volumes[0].title, "Volume 1");
  EXPECT_EQ(novel.volumes[1].title, "First");
  EXPECT_EQ(novel.volumes[2].title, "Second");
  EXPECT_EQ(novel.chapters[0].volume, 1);
  EXPECT_EQ(novel.chapters[2].volume, 2);
  EXPECT_EQ(novel.chapters[3].volume, 3);
}

TEST(Crawl, RowsMayCarryTheirVolume) {
  Site site;
  site.page(kNovel, "<h1>T</h1><a href=/1 data-v='Vol 2'>a</a><a href=/2 data-v='Vol 5'>b</a>");
  const auto source = spec(
      "novel: {title: {css: h1}}\ntoc:\n  request: {page: novel}\n  items: { css: a, fields: { title: {}, url: {attr: "
      "href}, volume: {attr: data-v} } }\nchapter: { body: { css: p } }\n");
  const Novel novel = Crawl(source, site).readNovel(kNovel);
  EXPECT_EQ(novel.volumes.size(), 2u);
  EXPECT_EQ(novel.chapters[1].volume, 2);
}

TEST(Crawl, ExtrasReachTheChapterAndDoublesGo) {
  Site site;
  site.page(kNovel,
            "<h1>T</h1><div class=toc><a href=/c/1 data-id=7>One</a><a href=/c/1 data-id=7>Start</a><a href=/c/2 "
            "data-id=8>Two</a></div>");
  site.page("http://a.test/api/7", R"({"body":"<p>x</p>"})", "application/json");
  const auto source = spec(
      "novel: {title: {css: h1}}\ntoc:\n  request: {page: novel}\n  items: { css: .toc a, fields: { title: {}, url: "
      "{attr: href}, id: {attr: data-id} } }\n"
      "chapter: { url: '{origin}/api//{chapter.id}', body: { json: body } }\n");
  Crawl crawl(source, site);
  const Novel novel = crawl.readNovel(kNovel);
  EXPECT_EQ(chapters(novel), "1:One@/c/1 2:Two@/c/2");
  EXPECT_EQ(crawl.readChapter(kNovel, novel.chapters[0]), "<p>x</p>");
}

TEST(Crawl, AChapterIsReadWithoutTheNovelBeforeIt) {
  Site site;
  site.page(kNovel, kNovelPage).page("http://a.test/text/9/c", "<div id=text><p>x</p></div>");
  const auto source = specWith(
      "vars: { book: { css: '#book', attr: data-id } }\nchapter: { url: '{origin}/text/{vars.book}/c', body: { css: "
      "'#text' } }\n");
  Chapter chapter;
  chapter.url = "http://a.test/c/1";
  EXPECT_EQ(Crawl(source, site).readChapter(kNovel, chapter), "<p>x</p>");
}

// ---- errors

TEST(Crawl, MissingThingsAreNamedByFileLineAndField) {
  Site site;
  site.page(kNovel, "<p>x</p>").page("http://a.test/c/1", "<p>no text</p>");
  EXPECT_EQ(errorOf([&] { Crawl(specWith("novel:\n  title: { css: h1 }\n"), site).readNovel(kNovel); }),
            "specs/a.test.yaml:4: novel.title: found nothing on " + kNovel + ", and a novel needs a title");
  site.page(kNovel, "<h1>T</h1><div class=toc><a>One</a></div>");
  EXPECT_EQ(errorOf([&] { Crawl(specWith("novel:\n  title: { css: h1 }\n"), site).readNovel(kNovel); }),
            "specs/a.test.yaml:7: toc.items: matched no chapters on " + kNovel + " (1 rows had no url)");
  Chapter chapter;
  chapter.url = "http://a.test/c/1";
  EXPECT_EQ(errorOf([&] { Crawl(specWith("language: en\n"), site).readChapter(kNovel, chapter); }),
            "specs/a.test.yaml:7: chapter.body: found nothing on http://a.test/c/1");
  site.answers("http://a.test/c/1", 503);
  EXPECT_EQ(errorOf([&] { Crawl(specWith("language: en\n"), site).readChapter(kNovel, chapter); }),
            "specs/a.test.yaml: chapter: GET http://a.test/c/1 was answered with 503");
}

TEST(Crawl, RefusedAndDisabledSourcesDoNotStart) {
  Site site;
  std::vector<SpecProblem> problems;
  const auto load = [&](const std::string& path, const std::string& text) {
    return loadSpec(oneFile(path, "spec: 1\nbase_url: http://a.test/\n" + text), path, problems);
  };
  EXPECT_EQ(errorOf([&] { Crawl(load("disabled/a.test.yaml", "disabled: it is gone\n"), site); }),
            "a.test is rejected: it is gone");
  EXPECT_EQ(errorOf([&] { Crawl(load("a.test.yaml", "hooks: {novel.title: x.py}\n"), site); }),
            "a.test.yaml: needs a code hook (novel.title)");
  EXPECT_EQ(errorOf([&] { Crawl(specWith("language: en\n"), site).search("x"); }),
            "specs/a.test.yaml: this source cannot search");
  EXPECT_EQ(errorOf([&] {
              Crawl(specWith("can_search: false\nsearch: {request: {get: '{origin}/s'}, css: a, fields: {url: {attr: "
                             "href}}}\n"),
                    site)
                  .search("x");
            }),
            "specs/a.test.yaml: this source cannot search");
  EXPECT_TRUE(site.asked.empty());
}

TEST(Crawl, WildPatternsAndSelectorsAreErrorsOfTheirField) {
  Site site;
  site.page(kNovel, "<h1>" + std::string(100, 'a') + "b</h1>");
  EXPECT_NE(errorOf([&] {
              Crawl(specWith("novel:\n  title: { css: h1, pipe: [{regex: '(a+)+$'}] }\n"), site).readNovel(kNovel);
            }).find("specs/a.test.yaml:4: novel.title: the pattern '(a+)+$' takes too long"),
            std::string::npos);
}

}  // namespace
}  // namespace jobhost::novel
