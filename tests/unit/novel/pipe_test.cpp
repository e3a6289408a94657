// Each step of 4.3 has a case here that fails without it.
#include <gtest/gtest.h>

#include "fetch-novel/extract.hpp"
#include "site.hpp"

namespace jobhost::novel {
namespace {

struct Case {
  const char* name;
  const char* html;    ///< of #v
  const char* attr;    ///< "" for the pipe's own wish
  const char* pipe;    ///< YAML
  const char* result;  ///< entries of a list joined by '|'
  bool all = false;
};

// `novel.title` of a spec with that pipe, evaluated on a page.
std::string run(const Case& tested) {
  const std::string attr = *tested.attr == '\0' ? "" : std::string("attr: ") + tested.attr + ", ";
  const auto source = specWith("novel:\n  title: { css: '.v', " + attr + (tested.all ? "all: true, " : "") +
                               "pipe: " + tested.pipe + " }\n");
  if (source == nullptr) return "the spec was refused";
  const Page page({"http://a.test/p", 200, {{"content-type", "text/html; charset=utf-8"}}, tested.html}, "");
  const Value value = extract(*source->novel.title, {&page, nullptr, nullptr, nullptr},
                              [](const Template::Part&) { return std::string(); });
  if (value.kind != Value::Kind::List) return value.asText();
  std::string out;
  for (std::size_t i = 0; i < value.items.size(); ++i) out += (i > 0 ? "|" : "") + value.items[i].asText();
  return out;
}

class Steps : public testing::TestWithParam<Case> {};

TEST_P(Steps, DoWhatTheirNamesSay) {
  EXPECT_EQ(run(GetParam()), GetParam().result);
}

const char* const kItems = "<i class=v>a</i><i class=v> </i><i class=v>b</i><i class=v>a</i>";
const char* const kNumbers = "<i class=v>3</i><i class=v>Next</i><i class=v>1,024</i><i class=v>12</i>";

INSTANTIATE_TEST_SUITE_P(
    Markup, Steps,
    testing::Values(
        Case{"StripTags", "<div class=v>a<script>s</script><b>b<u>u</u></b></div>", "",
             "[{strip_tags: [script, U]}, inner_html]", "a<b>b</b>"},
        Case{"StripTagsOne", "<div class=v>a<u>u</u></div>", "", "[{strip_tags: u}, text]", "a"},
        Case{"StripCss", "<div class=v>a<p class=ad>x</p><p>b</p></div>", "",
             "[{strip_css: ['.ad', 'p:empty']}, inner_html]", "a<p>b</p>"},
        Case{"StripCssNothing", "<div class=v>a</div>", "", "[{strip_css: .ad}, inner_html]", "a"},
        Case{"StripMatchingLeaf", "<div class=v><p>read at x.com</p><p>b</p></div>", "",
             "[{strip_matching: 'x\\.com'}, inner_html]", "<p>b</p>"},
        Case{"StripMatchingTags", "<div class=v><div><p>x.com</p>y</div><p>b</p></div>", "",
             "[{strip_matching: {pattern: 'x\\.com', tags: [div]}}, inner_html]", "<p>b</p>"},
        Case{"Unwrap", "<div class=v><a href=x>a<b>c</b></a></div>", "", "[{unwrap: [a]}, inner_html]", "a<b>c</b>"},
        Case{"UnwrapAll", "<div class=v><a href=x>a<b>c</b></a>d</div>", "", "[unwrap_all, inner_html]", "acd"},
        Case{"KeepAttrs", "<div class=v><img src=a alt=b width=3></div>", "", "[{keep_attrs: [src]}, inner_html]",
             "<img src=\"a\">"},
        Case{"UnlazyImages", "<div class=v><img data-src=b src=c><img data-lazy-src=a data-src=b><img src=d></div>", "",
             "[unlazy_images, inner_html]", "<img src=\"b\"><img src=\"a\"><img src=\"d\">"},
        Case{"DropEmptyNodes", "<div class=v><p> &nbsp;</p><p><img src=a></p><p>b<u></u></p></div>", "",
             "[drop_empty_nodes, inner_html]", "<p><img src=\"a\"></p><p>b</p>"},
        Case{"DropLeading", "<div class=v><h3>Chapter 1</h3><p>Chapter 1 again, and much more of it follows</p></div>",
             "", "[{drop_leading: {matches: '(?i)^chapter'}}, inner_html]",
             "<p>Chapter 1 again, and much more of it follows</p>"},
        Case{"DropLeadingWithin", "<div class=v><p>x</p><h3>Chapter 1</h3><p>text that is longer</p></div>", "",
             "[{drop_leading: {matches: '^Chapter', within: 2}}, inner_html]", "<p>x</p><p>text that is longer</p>"},
        Case{"DropLeadingNotTooFar", "<div class=v><p>x</p><h3>Chapter 1</h3></div>", "",
             "[{drop_leading: '^Chapter'}, inner_html]", "<p>x</p><h3>Chapter 1</h3>"},
        Case{"DropLeadingNeverTheBody", "<div class=v><div>Chapter 1<p>all the text</p></div></div>", "",
             "[{drop_leading: '^Chapter'}, text]", "Chapter 1all the text"},
        Case{"Paragraphs",
             "<div class=v>one<br>two <b>bold<br>line</b><p>three</p><!-- c "
             "--><script>s</script><div><p></p></div>&lt;</div>",
             "", "[paragraphs]", "<p>one</p><p>two <b>bold</b></p><p><b>line</b></p><p>three</p><p>&lt;</p>"},
        Case{"ParagraphsKeepImages", "<div class=v><p><img src=a alt=b></p><pre>x\n y</pre></div>", "", "[paragraphs]",
             "<p><img src=\"a\" alt=\"b\"></p><p><pre>x\n y</pre></p>"},
        Case{"ParagraphsOptions", "<div class=v>a<p>b</p><u>c</u><i>d</i></div>", "",
             "[{paragraphs: {block_tags: [u], preserve: [i]}}]", "<p>a<p>b</p></p><p>c</p><p><i>d</i></p>"},
        Case{"InnerHtml", "<div class=v>a<b>c</b></div>", "", "[inner_html]", "a<b>c</b>"},
        Case{"TextOfMarkup", "<div class=v>a<b>c</b></div>", "", "[text]", "ac"},
        Case{"ParseHtml", "<div class=v data-x='&lt;p&gt;a&lt;/p&gt;&lt;p&gt;b&lt;/p&gt;'></div>", "data-x",
             "[parse_html, {strip_css: 'p:first-child'}, text]", "b"}),
    [](const auto& tested) { return std::string(tested.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Texts, Steps,
    testing::Values(
        Case{"Trim", "<i class=v> a  b\xC2\xA0</i>", "", "[trim]", "a  b"},
        Case{"CollapseSpaces", "<i class=v>a \n\xC2\xA0 b</i>", "", "[collapse_spaces]", "a b"},
        Case{"Lower", "<i class=v>ÀB</i>", "", "[lower]", "àb"},
        Case{"TitleCase", "<i class=v>the NASA bob's</i>", "", "[title_case]", "The NASA Bob's"},
        Case{"NormalizeUnicode", "<i class=v>ﬁ①</i>", "", "[normalize_unicode]", "fi1"},
        Case{"NormalizeUnicodeForm", "<i class=v>ﬁ</i>", "", "[{normalize_unicode: {form: NFC}}]", "ﬁ"},
        Case{"StripPrefix", "<i class=v>Author: x</i>", "", "[{strip_prefix: 'Author: '}]", "x"},
        Case{"StripPrefixSeveral", "<i class=v>By Me</i>", "", "[{strip_prefix: ['Author ', 'By ']}]", "Me"},
        Case{"StripPrefixAbsent", "<i class=v>x</i>", "", "[{strip_prefix: '#'}]", "x"},
        Case{"StripSuffix", "<i class=v>x - Read</i>", "", "[{strip_suffix: ' - Read'}]", "x"},
        Case{"Replace", "<i class=v>a-b</i>", "", "[{replace: {pattern: '(\\w)-(\\w)', with: '\\2+\\1'}}]", "b+a"},
        Case{"ReplaceWithNothing", "<i class=v>a1b2</i>", "", "[{replace: {pattern: '\\d'}}]", "ab"},
        Case{"RegexGroup", "<i class=v>id=42</i>", "", "[{regex: 'id=(\\d+)'}]", "42"},
        Case{"RegexNamedGroup", "<i class=v>a1b2</i>", "", "[{regex: {pattern: '(\\d).(\\d)', group: 2}}]", "2"},
        Case{"RegexWhole", "<i class=v>id=42</i>", "", "[{regex: {pattern: 'id=(\\d+)', group: 0}}]", "id=42"},
        Case{"RegexFilters", "<i class=v>x</i>", "", "[{regex: '\\d'}]", ""},
        Case{"RejectMatching", "<i class=v>ad x</i>", "", "[{reject: '^ad'}]", ""},
        Case{"RejectOther", "<i class=v>x</i>", "", "[{reject: '^ad'}]", "x"}),
    [](const auto& tested) { return std::string(tested.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Lists, Steps,
    testing::Values(
        Case{"ScalarStepsMap", kItems, "", "[{strip_prefix: a}]", "||b|", true},
        Case{"Split", "<i class=v>a, b,,c</i>", "", "[{split: ','}]", "a| b||c"},
        Case{"SplitOfOne", "<i class=v>a</i>", "", "[{split: {sep: ','}}]", "a"},
        Case{"DropEmpty", kItems, "", "[drop_empty]", "a|b|a", true},
        Case{"Unique", kItems, "", "[unique]", "a||b", true},
        Case{"Join", kItems, "", "[drop_empty, {join: ', '}]", "a, b, a", true},
        Case{"JoinPlain", kItems, "", "[drop_empty, join]", "aba", true},
        Case{"Max", kNumbers, "", "[max]", "1,024", true}, Case{"Min", kNumbers, "", "[min]", "3", true},
        Case{"MaxOfNone", kItems, "", "[max]", "", true},
        Case{"LinesToHtml", "<i class=v>a&lt;\nb</i>", "", "[{split: \"\\n\"}, lines_to_html]", "<p>a&lt;</p><p>b</p>"},
        Case{"LinesToHtmlAttribute", "<i class=v>x?a&amp;b,y</i>", "",
             "[{split: ','}, {lines_to_html: {tag: img, attr: src}}]", "<img src=\"x?a&amp;b\"><img src=\"y\">"},
        Case{"FilteredEntriesCanBeDropped", kItems, "", "[{reject: b}, drop_empty, unique]", "a", true}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Pipes, NamedPipesExpandAndNest) {
  const auto source = specWith(
      "pipes: { clean: [trim, {strip_prefix: '#'}], more: [clean, lower] }\nnovel: { title: { css: i, pipe: more }, "
      "synopsis: { css: i, pipe: [more, {strip_suffix: '!'}] } }\n");
  ASSERT_NE(source, nullptr);
  const Page page({"http://a.test/", 200, {}, "<i> #AB! </i>"}, "");
  const auto none = [](const Template::Part&) { return std::string(); };
  EXPECT_EQ(extract(*source->novel.title, {&page, nullptr, nullptr, nullptr}, none).asText(), "ab!");
  EXPECT_EQ(extract(*source->novel.synopsis, {&page, nullptr, nullptr, nullptr}, none).asText(), "ab");
}

TEST(Pipes, PagesStayAsTheyWere) {
  const auto source = specWith("novel: { title: { css: p, pipe: [{strip_tags: [u]}, text] } }\n");
  ASSERT_NE(source, nullptr);
  const Page page({"http://a.test/", 200, {}, "<p>a<u>b</u></p>"}, "");
  const auto none = [](const Template::Part&) { return std::string(); };
  EXPECT_EQ(extract(*source->novel.title, {&page, nullptr, nullptr, nullptr}, none).asText(), "a");
  EXPECT_NE(support::html::outerHtml(page.html()->root()).find("<p>a<u>b</u></p>"), std::string::npos);
}

TEST(Numbers, AreWholeOrFound) {
  EXPECT_EQ(wholeNumber(" 1,024 "), 1024);
  EXPECT_EQ(wholeNumber("12a"), std::nullopt);
  EXPECT_EQ(firstNumber("Chapter 12.5: 3"), 12.5);
  EXPECT_EQ(firstNumber("Prologue"), std::nullopt);
}

}  // namespace
}  // namespace jobhost::novel
