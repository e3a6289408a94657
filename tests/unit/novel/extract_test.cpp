// Extractors, item lists and requests of 4.3, on small pages of our own.
#include <gtest/gtest.h>

#include "fetch-novel/extract.hpp"
#include "site.hpp"

namespace jobhost::novel {
namespace {

const char* const kPage = R"(<html><head><title>t</title></head><body data-b=1>
<h1 title=" "> The  Title </h1><a class=x href="/one">One</a><a class=x href="two">Two</a>
<img data-src="c.jpg" src="blank.gif"><p class=syn>A<a href=y>link</a><br>B</p>
<script id=data type="application/json">{"book":{"name":"Json Name","id":9007199254740993,"tags":["a","b"],"ok":true,"html":"<p>x</p><p>y</p>","null":null,"none":[],"nothing":[null," "],"blank":" \n\t "}}</script>
<script>var bookId = 77; var other = "q";</script></body></html>)";

std::string run(const std::string& field, const std::string& extractor, const std::string& body = kPage,
                const std::string& type = "text/html; charset=utf-8") {
  const auto source = specWith("novel: { " + field + ": " + extractor + " }\n");
  if (source == nullptr) return "the spec was refused";
  const Page page({"http://a.test/d/p", 200, {{"Content-Type", type}, {"X-Token", "tok"}}, body}, "");
  const auto& stage = source->novel;
  const auto& what = field == "cover"      ? stage.cover
                     : field == "tags"     ? stage.tags
                     : field == "synopsis" ? stage.synopsis
                                           : stage.title;
  const Value value = extract(*what, {&page, nullptr, nullptr, nullptr},
                              [](const Template::Part& part) { return "<" + part.group + ">"; });
  if (value.kind != Value::Kind::List) return value.asText();
  std::string out;
  for (std::size_t i = 0; i < value.items.size(); ++i) out += (i > 0 ? "|" : "") + value.items[i].asText();
  return out;
}

struct Case {
  const char* name;
  const char* field;
  const char* extractor;
  const char* result;
};

class Extractors : public testing::TestWithParam<Case> {};

TEST_P(Extractors, ReadOneValue) {
  EXPECT_EQ(run(GetParam().field, GetParam().extractor), GetParam().result);
}

INSTANTIATE_TEST_SUITE_P(
    All, Extractors,
    testing::Values(
        Case{"CssAndDefaultPipe", "title", "{css: h1}", "The Title"},
        Case{"PipeReplacesDefault", "title", "{css: h1, pipe: []}", " The  Title "},
        Case{"AttrOrder", "title", "{css: h1, attr: [title, text]}", "The Title"},
        Case{"AttrNamed", "title", "{css: a, attr: href}", "/one"},
        Case{"AttrHtml", "title", "{css: p, attr: html}", "A<a href=\"y\">link</a><br>B"},
        Case{"AttrOuterHtml", "title", "{css: a, attr: outer_html}", "<a class=\"x\" href=\"/one\">One</a>"},
        Case{"All", "title", "{css: a.x, all: true}", "One|Two"}, Case{"FirstOnly", "title", "{css: a.x}", "One"},
        Case{"Json", "title", "{css: '#data', json: book.name}", "Json Name"},
        Case{"JsonNumberKeepsDigits", "title", "{css: '#data', json: book.id}", "9007199254740993"},
        Case{"JsonBool", "title", "{css: '#data', json: book.ok}", "true"},
        Case{"JsonList", "title", "{css: '#data', json: book.tags}", "a|b"},
        Case{"JsonIndex", "title", "{css: '#data', json: book.tags.1}", "b"},
        Case{"JsonMissing", "title", "{css: '#data', json: book.nope}", ""},
        Case{"RegexOnRawText", "title", "{regex: 'bookId = (\\d+)'}", "77"},
        Case{"RegexInElement", "title", "{css: h1, regex: 'T\\w+'}", "The"},
        Case{"RegexAll", "title", "{regex: 'class=x href=\"([^\"]+)', all: true}", "/one|two"},
        Case{"Header", "title", "{header: x-token}", "tok"}, Case{"HeaderMissing", "title", "{header: x-none}", ""},
        Case{"Const", "title", "{const: 'k {origin}'}", "k <origin>"}, Case{"ConstNumber", "title", "{const: 5}", "5"},
        Case{"Default", "title", "{css: b, default: none}", "none"},
        Case{"Fallback", "title", "{css: b, fallback: [{css: u}, {css: h1}, {css: a}]}", "The Title"},
        Case{"DefaultBeforeFallback", "title", "{css: b, default: d, fallback: [{css: h1}]}", "d"},
        Case{"NullIsEmpty", "title", "{css: '#data', json: book.null, pipe: [], default: d}", "d"},
        Case{"NoItemsAreEmpty", "title", "{css: '#data', json: book.none, pipe: [], default: d}", "d"},
        Case{"BlankItemsAreEmpty", "title", "{css: '#data', json: book.nothing, pipe: [], default: d}", "d"},
        Case{"BlankTextIsEmpty", "title", "{css: '#data', json: book.blank, pipe: [], default: d}", "d"},
        Case{"NullFallsBack", "title", "{css: '#data', json: book.null, fallback: [{css: a}]}", "One"},
        Case{"NoItemsFallBack", "title", "{css: '#data', json: book.none, fallback: [{css: a}]}", "One"},
        Case{"BlankTextFallsBack", "title", "{css: '#data', json: book.blank, fallback: [{css: a}]}", "One"},
        Case{"FallbackAfterFilter", "title", "{css: h1, pipe: [{regex: '\\d'}], fallback: [{css: a}]}", "One"},
        Case{"UrlIsResolved", "cover", "{css: img, attr: [data-lazy-src, data-src, src]}", "http://a.test/d/c.jpg"},
        Case{"UrlIsTrimmed", "cover", "{const: ' \tc.jpg\n '}", "http://a.test/d/c.jpg"},
        // A URL loses only ASCII blanks by itself.
        Case{"UrlIsTrimmedOfAllBlanks", "cover", "{const: '\u00A0c.jpg\u3000'}", "http://a.test/d/c.jpg"},
        Case{"UrlIsNotCollapsed", "cover", "{const: 'c  d.jpg'}", "http://a.test/d/c%20%20d.jpg"},
        Case{"UrlOfScriptIsNone", "cover", "{const: 'javascript:x()'}", ""},
        Case{"TagsDefault", "tags", "{const: ' a  b '}", "a b"},
        Case{"ProseDefault", "synopsis", "{css: .syn}", "<p>Alink</p><p>B</p>"},
        Case{"ProseFromJson", "synopsis", "{css: '#data', json: book.html}", "<p>x</p><p>y</p>"},
        Case{"NodeInScope", "title", "{attr: text, pipe: [{regex: 'T\\w+ +T\\w+'}]}", "The  Title"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Extractor, TagsAreDistinctAndNotEmpty) {
  EXPECT_EQ(run("tags", "{css: i, all: true}", "<i> A b</i><i></i><i>A  b</i><i>c</i>"), "A b|c");
}

TEST(Extractor, ReadsAJsonBody) {
  EXPECT_EQ(run("title", "{json: a.0.b}", R"({"a":[{"b":"x"}]})", "application/json"), "x");
  EXPECT_EQ(run("title", "{json: '$'}", R"(["p","q"])", "application/json"), "p|q");
  EXPECT_EQ(run("title", "{json: a}", "no json"), "");
}

TEST(Extractor, TheBaseElementCounts) {
  EXPECT_EQ(run("cover", "{css: img, attr: src}", "<base href='http://b.test/x/'><img src=i.png>"),
            "http://b.test/x/i.png");
}

// ---- item lists

std::string rows(const std::string& list, const std::string& body,
                 const std::string& type = "text/html; charset=utf-8") {
  const auto source = spec("toc: { request: {page: novel}, items: " + list + " }\nchapter: {body: {css: p}}\n");
  if (source == nullptr) return "the spec was refused";
  const Page page({"http://a.test/d/p", 200, {{"Content-Type", type}}, body}, "");
  Rows found = readRows(*source->toc.items, page, {"url"}, [](const Template::Part& part) {
    return part.group == "origin" ? std::string("http://a.test") : std::string();
  });
  sortRows(found.rows, *source->toc.items);
  std::string out;
  for (const Row& row : found.rows) out += (out.empty() ? "" : " ") + row.get("title") + "=" + row.get("url");
  return out + (found.skipped > 0 ? " skipped " + std::to_string(found.skipped) : "");
}

const char* const kList =
    "<ul><li data-n=2><a href=/2>Two</a></li><li data-n=10><a href=/10>Ten</a></li><li><a>None</a></li><li data-n=x><a "
    "href=/x>X</a></li><li data-n=1><a href=/1>One</a></li></ul>";

TEST(ItemList, CssRowsInOrderAndWithoutUrlSkipped) {
  EXPECT_EQ(rows("{css: li, fields: {title: {css: a}, url: {css: a, attr: href}}}", kList),
            "Two=http://a.test/2 Ten=http://a.test/10 X=http://a.test/x One=http://a.test/1 skipped 1");
}

TEST(ItemList, ReverseAndSortBy) {
  EXPECT_EQ(rows("{css: 'li a[href]', reverse: true, fields: {title: {}, url: {attr: href}}}", kList),
            "One=http://a.test/1 X=http://a.test/x Ten=http://a.test/10 Two=http://a.test/2");
  const std::string fields = "fields: {n: {attr: data-n}, title: {css: a}, url: {css: a, attr: href}}";
  EXPECT_EQ(rows("{css: 'li[data-n]', sort_by: n, " + fields + "}", kList),
            "One=http://a.test/1 Two=http://a.test/2 Ten=http://a.test/10 X=http://a.test/x");
  EXPECT_EQ(rows("{css: 'li[data-n]', sort_by: n, reverse: true, " + fields + "}", kList),
            "X=http://a.test/x Ten=http://a.test/10 Two=http://a.test/2 One=http://a.test/1");
}

TEST(ItemList, RequireDropsRows) {
  EXPECT_EQ(rows("{css: li, require: [n], fields: {n: {attr: data-n, pipe: [{regex: '^\\d+$'}]}, title: {css: a}, url: "
                 "{css: a, attr: href}}}",
                 kList),
            "Two=http://a.test/2 Ten=http://a.test/10 One=http://a.test/1 skipped 2");
}

TEST(ItemList, AFieldMayBeATemplateOfEarlierOnes) {
  EXPECT_EQ(rows("{css: 'li[data-n]', fields: {n: {attr: data-n}, title: {css: a}, url: '{origin}//n-{item.n|slug}'}}",
                 kList),
            "Two=http://a.test/n-2 Ten=http://a.test/n-10 X=http://a.test/n-x One=http://a.test/n-1");
}

TEST(ItemList, JsonRows) {
  EXPECT_EQ(rows("{json: data.list, fields: {title: {json: t}, url: {json: u.path}}}",
                 R"({"data":{"list":[{"t":"A","u":{"path":"/a"}},{"t":"B"},{"t":"C","u":{"path":"c"}}]}})",
                 "application/json"),
            "A=http://a.test/a C=http://a.test/d/c skipped 1");
  EXPECT_EQ(rows("{json: '$', fields: {title: {json: t}, url: '{origin}/x/{item.title}'}}", R"([{"t":"A"}])",
                 "application/json"),
            "A=http://a.test/x/A");
}

// The default pipe of a field is [trim, collapse_spaces], that of an address [trim].
struct ListCase {
  const char* name;
  const char* list;
  const char* body;
  const char* type;
  const char* result;
};

class BlanksInFields : public testing::TestWithParam<ListCase> {};

TEST_P(BlanksInFields, GoUnlessThePipeSaysOtherwise) {
  EXPECT_EQ(rows(GetParam().list, GetParam().body, GetParam().type), GetParam().result);
}

const char* const kBlanks = "<a href='\t\u00A0/1  2\u3000 ' data-n='  n   1 '>  The \n <b> First </b>\tOne </a>";

INSTANTIATE_TEST_SUITE_P(
    All, BlanksInFields,
    testing::Values(ListCase{"Text", "{css: a, fields: {title: {}, url: {attr: href}}}", kBlanks, "text/html",
                             "The First One=http://a.test/1%20%202"},
                    ListCase{"Attribute", "{css: a, fields: {title: {attr: data-n}, url: {attr: href}}}", kBlanks,
                             "text/html", "n 1=http://a.test/1%20%202"},
                    ListCase{"OwnPipe", "{css: a, fields: {title: {attr: data-n, pipe: []}, url: {attr: href}}}",
                             kBlanks, "text/html", "  n   1 =http://a.test/1%20%202"},
                    ListCase{"InATemplate", "{css: a, fields: {n: {attr: data-n}, title: {}, url: '/c-{item.n}'}}",
                             kBlanks, "text/html", "The First One=http://a.test/c-n%201"},
                    ListCase{"Json", "{json: '$', fields: {title: {json: t}, url: {json: u}}}",
                             R"([{"t":" A \n  b ","u":" /a "},{"t":"B","u":"  "}])", "application/json",
                             "A b=http://a.test/a skipped 1"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(ItemList, MarkupInJson) {
  EXPECT_EQ(rows("{json: html, css: 'li a', fields: {title: {}, url: {attr: href}}}",
                 R"({"html":"<li><a href='/a'>A</a></li><li><a href='b'>B</a>"})", "application/json"),
            "A=http://a.test/a B=http://a.test/d/b");
  EXPECT_EQ(rows("{json: '$', css: a, fields: {title: {}, url: {attr: href}}}",
                 R"(["<a href='/a'>A</a>","<a href='/b'>B</a>"])", "application/json"),
            "A=http://a.test/a B=http://a.test/b");
}

TEST(ItemList, JsonInAScript) {
  EXPECT_EQ(rows("{script: 'script#__DATA__', json: props.list, fields: {title: {json: n}, url: {json: h}}}",
                 R"(<script id="__DATA__" type="application/json">{"props":{"list":[{"n":"A","h":"/a"}]}}</script>)"),
            "A=http://a.test/a");
}

}  // namespace
}  // namespace jobhost::novel
