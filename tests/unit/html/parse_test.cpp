#include "support/html/parse.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "support/common/failure.hpp"
#include "support/html/dom.hpp"

namespace jobhost::support::html {
namespace {

std::string body(const std::string& text) {
  const Document document = parse(text);
  for (const Node* node = &document.root(); node != nullptr; node = following(node, document.root())) {
    if (node->is("body")) return innerHtml(*node);
  }
  return "no body";
}

std::string repeated(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

std::string failureOf(const std::string& text, const ParseLimits& limits) {
  try {
    parse(text, limits);
  } catch (const Failure& failure) {
    return failure.code();
  }
  return "none";
}

struct Case {
  const char* name;
  const char* html;
  const char* body;
};

class UglyPages : public testing::TestWithParam<Case> {};

// What browsers make of these is in the HTML standard, section 13.2.
TEST_P(UglyPages, ParseAsBrowsersDo) {
  EXPECT_EQ(body(GetParam().html), GetParam().body);
}

INSTANTIATE_TEST_SUITE_P(
    All, UglyPages,
    testing::Values(
        Case{"LinkInLink", "<a href=1>one<a href=2>two</a></a>", R"(<a href="1">one</a><a href="2">two</a>)"},
        Case{"ParagraphInParagraph", "<p>one<p>two<div>x</p>y</div>", "<p>one</p><p>two</p><div>x<p></p>y</div>"},
        Case{"TextInTable", "<table><tr>foster<td>cell</table>after",
             "foster<table><tbody><tr><td>cell</td></tr></tbody></table>after"},
        Case{"OpenItems", "<ul><li>a<li>b</ul>", "<ul><li>a</li><li>b</li></ul>"},
        Case{"Misnested", "<p>1<b>2<i>3</b>4</i>5</p>", "<p>1<b>2<i>3</i></b><i>4</i>5</p>"},
        Case{"NoHtml", "plain <br> more", "plain <br> more"},
        Case{"ScriptWithMarkup", "x<script>if(a<b)w('</p>')</script>", "x<script>if(a<b)w('</p>')</script>"},
        Case{"OldEntities", "&copy &#150; &amp;amp;", "\xC2\xA9 \xE2\x80\x93 &amp;amp;"},
        Case{"OddAttributes", "<p class=a class=b data-x = 'y>z' DISABLED>t",
             R"(<p class="a" data-x="y&gt;z" disabled="">t</p>)"},
        Case{"UnknownElements", "<My-El foo><chapter>t</chapter></my-el>",
             R"(<my-el foo=""><chapter>t</chapter></my-el>)"},
        Case{"LateText", "<html><body>x</body></html><p>late", "x<p>late</p>"},
        Case{"BreakEnd", "a</br>b</p>c", "a<br>b<p></p>c"}, Case{"NoBreakSpace", "a\xC2\xA0&nbsp;b", "a&nbsp;&nbsp;b"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(HtmlParse, TakesBytesThatAreNoText) {
  EXPECT_EQ(body(std::string("<p>a\0b\xFF</p>", 11)), "<p>ab\xEF\xBF\xBD</p>");
}

TEST(HtmlParse, FragmentsHaveNoBodyOfTheirOwn) {
  const Document document = parseFragment("<li>a</li><li>b</li>text");
  EXPECT_TRUE(document.fragment());
  EXPECT_EQ(innerHtml(document.root()), "<li>a</li><li>b</li>text");
}

TEST(HtmlParse, FragmentsMayHoldForms) {
  EXPECT_EQ(innerHtml(parseFragment("<form><input name=a></form>").root()), "<form><input name=\"a\"></form>");
}

TEST(HtmlParse, TextBeforeTheEndOfAFormStaysInIt) {
  const char* const text =
      "<form>a<input>b</FORM>c<p title=\"</form>\">d</p><!-- </form> --><script>'</form>'</script>";
  const char* const expected =
      "<form>a<input>b</form>c<p title=\"&lt;/form&gt;\">d</p><!-- </form> --><script>'</form>'</script>";
  EXPECT_EQ(innerHtml(parseFragment(text).root()), expected);
  EXPECT_EQ(body(std::string("<body>") + text), expected);
}

TEST(HtmlParse, ControlCharactersAreLeftOut) {
  EXPECT_EQ(body("a\x01\x0B\x7F\xC2\x85\xEF\xBF\xBE"
                 "b\tc\n"),
            "ab\tc\n");
  EXPECT_EQ(innerHtml(parseFragment("\x02").root()), "");
}

TEST(HtmlParse, DeepElementsBecomeSiblingsAndKeepTheirText) {
  const Document document = parse(repeated("<div>x", 2000), {.depth = 50});
  std::size_t deepest = 0;
  std::string text;
  for (const Node* node = &document.root(); node != nullptr; node = following(node, document.root())) {
    std::size_t depth = 0;
    for (const Node* up = node->parent; up != nullptr; up = up->parent) ++depth;
    deepest = std::max(deepest, depth);
    if (node->type == NodeType::Text) text += node->data;
  }
  EXPECT_LE(deepest, 52u);
  EXPECT_EQ(text, std::string(2000, 'x'));
}

TEST(HtmlParse, GivesUpAPageThatTakesTooLong) {
  // Each of these elements makes the parser look at all open ones.
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(failureOf(repeated("<div>", 300'000), {.time = std::chrono::milliseconds(50)}), "html.time");
  EXPECT_EQ(failureOf("<p " + repeated("a=1 b=2 ", 10) + repeated("x", 10) +
                          [] {
                            std::string attributes;
                            for (int i = 0; i < 60'000; ++i) attributes += "a" + std::to_string(i) + "=1 ";
                            return attributes;
                          }() +
                          ">",
                      {.time = std::chrono::milliseconds(50)}),
            "html.time");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST(HtmlParse, HasLimitsOfBytesNodesAndMemory) {
  EXPECT_EQ(failureOf("<p>abc", {.bytes = 5}), "html.bytes");
  EXPECT_EQ(failureOf(repeated("<p>a", 200), {.nodes = 100}), "html.nodes");
  EXPECT_EQ(failureOf(repeated("<p>a", 20'000), {.memory = 1 << 20}), "html.memory");
}

TEST(HtmlDom, TextThatStandsForItselfIsWrittenAsPre) {
  for (const auto& [text, written] : {std::pair{"<xmp>a <b> &amp; c</xmp>d", "<pre>a &lt;b&gt; &amp;amp; c</pre>d"},
                                      {"<xmp>\na</xmp>", "<pre>\n\na</pre>"},
                                      {"a<plaintext>b</plaintext><i>", "a<pre>b&lt;/plaintext&gt;&lt;i&gt;</pre>"},
                                      {"<listing>a &lt;b></listing>", "<listing>a &lt;b&gt;</listing>"}}) {
    const std::string once = innerHtml(parseFragment(text).root());
    EXPECT_EQ(once, written);
    EXPECT_EQ(innerHtml(parseFragment(once).root()), written) << "escaped once more";
  }
}

TEST(HtmlDom, ParsesWhatItWrites) {
  for (const char* text :
       {"<pre>\n\na</pre>", "<svg><style>a &lt;b&gt; c</style><title>&lt;i&gt;</title></svg>",
        "<noscript><b>x</b> &lt;i&gt;</noscript>", "<p>a&lt;b &amp; c</p>", "<p title=\"&quot;x&quot; &lt;\">t</p>",
        "<pre>a\n b</pre>", "<img src=\"a?b&amp;c\">x", "<b><i>x</i></b><!-- c -->"}) {
    const Document once = parseFragment(text);
    EXPECT_EQ(innerHtml(once.root()), text);
  }
}

TEST(HtmlDom, TextLeavesOutScriptsUnlessAskedForThem) {
  const Document document = parseFragment("a<script>s</script><style>t</style><b>b</b><!--c-->");
  EXPECT_EQ(textOf(document.root()), "ab");
  EXPECT_EQ(textOf(*document.root().first->next), "s");
}

TEST(HtmlDom, UnwrapAndDetachKeepTheOrder) {
  Document document = parseFragment("<p>a<b>b<i>c</i></b>d</p>");
  Node& p = *document.root().first;
  unwrap(*p.first->next);
  EXPECT_EQ(innerHtml(p), "ab<i>c</i>d");
  detach(*p.first);
  EXPECT_EQ(innerHtml(p), "b<i>c</i>d");
  detach(*p.last);
  EXPECT_EQ(innerHtml(p), "b<i>c</i>");
}

}  // namespace
}  // namespace jobhost::support::html
