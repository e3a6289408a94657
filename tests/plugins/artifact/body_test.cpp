#include "artifact/body.hpp"

#include <gtest/gtest.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include <map>
#include <memory>
#include <random>
#include <set>

namespace jobhost::artifact {
namespace {

std::optional<std::string> anyImage(const ImageReference& reference) {
  if (reference.id == "absent") return std::nullopt;
  return "images/" + reference.id + ".jpg";
}

// Line ends between blocks are for people who look at the file.
std::string xhtml(std::string_view html) {
  std::string out = toXhtml(html, anyImage);
  for (std::size_t at; (at = out.find(">\n")) != std::string::npos;) out.erase(at + 1, 1);
  return out;
}

struct Case {
  std::string name, html, xhtml;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.html;
}

class Body : public ::testing::TestWithParam<Case> {};

TEST_P(Body, BecomesWhatABookCanHold) {
  EXPECT_EQ(xhtml(GetParam().html), GetParam().xhtml);
}

INSTANTIATE_TEST_SUITE_P(
    Paragraphs, Body,
    ::testing::Values(
        Case{"AsTheCrawlerCleans", "<p>One.</p><p>Two <em>three</em>.</p>", "<p>One.</p><p>Two <em>three</em>.</p>"},
        Case{"Nothing", "", ""}, Case{"OnlySpace", " \n <p> </p> ", ""},
        Case{"OnlyEmptyElements", "<p><b></b></p><ul></ul>", ""}, Case{"LooseText", "just text", "<p>just text</p>"},
        Case{"LooseTextBesideBlocks", "a<p>b</p>c", "<p>a</p><p>b</p><p>c</p>"},
        Case{"UnclosedParagraphs", "<p>a<p>b", "<p>a</p><p>b</p>"},
        Case{"Divs", "<div>a<div>b</div>c</div>", "<p>a</p><p>b</p><p>c</p>"},
        Case{"BlockInInline", "<b>a<p>b</p>c</b>", "<p><b>a</b></p><p>b</p><p>c</p>"},
        Case{"WrongNesting", "<p><b>a<i>b</b>c</i>d</p>", "<p><b>a<i>b</i></b>cd</p>"},
        Case{"UnclosedInline", "<p><b>a</p><p>b</p>", "<p><b>a</b></p><p>b</p>"},
        Case{"TheSameTwice", "<b><b>a</b></b>", "<p><b>a</b></p>"},
        Case{"WhiteSpace", "<p>  a \n\t b  <b> c </b> d  </p>", "<p>a b <b>c</b> d</p>"},
        Case{"HardSpaceStays", "<p>\u3000\u3000a&nbsp;b</p>", "<p>\u3000\u3000a\u00a0b</p>"},
        Case{"OneBreak", "<p>a<br>b</p>", "<p>a<br/>b</p>"}, Case{"TwoBreaks", "a<br><br/>b", "<p>a</p><p>b</p>"},
        Case{"ManyBreaksInBold", "<b>a<br> <br><br>b</b>", "<p><b>a</b></p><p><b>b</b></p>"},
        Case{"BreaksAtTheEnds", "<p><br>a<br></p>", "<p>a</p>"}, Case{"Rule", "a<hr>b", "<p>a</p><hr/><p>b</p>"},
        Case{"Entities", "&lt;b&gt; &amp; &quot;x&quot; &eacute; &#x4e2d; &nosuch; &",
             "<p>&lt;b&gt; &amp; &quot;x&quot; é 中 &amp;nosuch; &amp;</p>"},
        Case{"ForbiddenCharacters",
             std::string("a\0b\x01"
                         "c\x7f&#1;&#xFFFE;d\xEF\xBF\xBF",
                         22),
             "<p>abcd</p>"},
        Case{"NotUtf8", "a\xFFz", "<p>a\uFFFDz</p>"}, Case{"StrayTags", "</p></b>a</div><", "<p>a&lt;</p>"},
        Case{"Comments", "a<!-- <p>x -->b", "<p>ab</p>"},
        Case{"WholeDocument",
             "<!DOCTYPE html><html><head><title>t</title><meta charset=gbk></head><body><p>中</p></body></html>",
             "<p>中</p>"}),
    [](const auto& tested) { return tested.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Elements, Body,
    ::testing::Values(
        Case{"Scripts", "a<script>x<y</script><style>p{}</style>b", "<p>ab</p>"},
        Case{"Embedded", "a<iframe>x</iframe><object>y</object><video>z</video>b", "<p>ab</p>"},
        Case{"Links", "<p><a href='javascript:x' onclick='y'>a</a> <a name=z></a>b</p>", "<p>a b</p>"},
        Case{"Unknown", "<p><o:p>a</o:p><foo bar=1>b</foo><font color=red>c</font></p>", "<p>abc</p>"},
        Case{"OldNames", "<p><strike>a</strike><tt>b</tt><ins>c</ins></p>", "<p><s>a</s><code>b</code><u>c</u></p>"},
        Case{"Styles", "<p style='font-style: italic'>a <span style='FONT-WEIGHT:bold'>b</span></p>",
             "<p><i>a <b>b</b></i></p>"},
        Case{"Headings", "<h1>a</h1><h3>b<div>c</div></h3>", "<h2>a</h2><h3>b</h3><h3>c</h3>"},
        Case{"HeadingBreaks", "<h2>a<br><br>b</h2>", "<h2>a<br/>b</h2>"},
        Case{"Preformatted", "<pre>a  b\n  <b>c</b></pre>", "<pre>a  b\n  <b>c</b></pre>"},
        Case{"Lists", "<ul><li>a</li><li>b<ol><li>c</ol></ul>",
             "<ul><li><p>a</p></li><li><p>b</p><ol><li><p>c</p></li></ol></li></ul>"},
        Case{"ListWithoutItems", "<ul>a<p>b</p><li>c</li>d</ul>",
             "<ul><li><p>a</p><p>b</p></li><li><p>c</p></li><li><p>d</p></li></ul>"},
        Case{"ItemWithoutList", "<li>a</li><li>b</li>", "<p>a</p><p>b</p>"},
        Case{"ListInParagraph", "<p>a<ul><li>b</ul>c</p>", "<p>a</p><ul><li><p>b</p></li></ul><p>c</p>"},
        Case{"Quotes", "<blockquote>a<p>b</blockquote>c", "<blockquote><p>a</p><p>b</p></blockquote><p>c</p>"},
        Case{"Terms", "<dl><dt>a<dd>b</dl>", "<p>a</p><blockquote><p>b</p></blockquote>"},
        Case{"Table", "<table><tbody><tr><th scope=col>a<td colspan=2 rowspan=x>b</table>",
             "<table><tr><th><p>a</p></th><td colspan=\"2\"><p>b</p></td></tr></table>"},
        Case{"EmptyTable", "a<table><tr></tr></table>b", "<p>a</p><p>b</p>"},
        Case{"HostileSpan", "<table><tr><td colspan=999999999999 rowspan=-1>b</table>",
             "<table><tr><td><p>b</p></td></tr></table>"},
        Case{"CellsWithoutTable", "<td>a</td><tr>b</tr>", "<p>a</p><p>b</p>"},
        Case{"Image", "<p>a<img src='images/0a1b.jpg' alt='0a1b'></p>",
             "<p>a<img src=\"images/0a1b.jpg\" alt=\"\"/></p>"},
        Case{"ImageText", "<img src='images/x.png' alt='A \"map\"'>",
             "<p><img src=\"images/x.jpg\" alt=\"A &quot;map&quot;\"/></p>"},
        Case{"ImageElsewhere",
             "a<img src='http://x/y.jpg'><img src='data:image/png;base64,AAAA'><img src='../images/x.jpg'><img>b",
             "<p>ab</p>"},
        Case{"ImageAbsent", "<p><img src='images/absent.jpg'></p>", ""},
        Case{"ImageWithPath", "<img src='images/../../x.jpg'><img src='images/a/b.jpg'>", ""},
        Case{"Ruby", "<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp>字<rt>ji</rt></ruby>!",
             "<p><ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp>字<rp>(</rp><rt>ji</rt><rp>)</rp></ruby>!</p>"},
        Case{"RubyUnclosed", "<ruby>漢<rt>kan<rt>x", "<p><ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>x</p>"},
        Case{"RubyWithoutReading", "<ruby>漢</ruby><ruby><rt>x</rt></ruby>", "<p>漢x</p>"},
        Case{"Directions", "<bdo dir=RTL>a</bdo><bdo dir=ltr>b</bdo><bdi>c</bdi>",
             "<p><bdo dir=\"rtl\">a</bdo><bdo dir=\"ltr\">b</bdo><bdi>c</bdi></p>"}),
    [](const auto& tested) { return tested.param.name; });

TEST(BodyText, IsWhatAReaderSees) {
  EXPECT_EQ(toText("<h2>T</h2><p>a<br>b &amp; c</p><hr><blockquote>q</blockquote>", {}), "T\n\na\nb & c\n\n* * *\n\nq");
  EXPECT_EQ(toText("<p>x</p><ul><li>a</li><li>b</li></ul><ol><li>c<li>d</ol>", {}), "x\n\n- a\n- b\n\n1. c\n2. d");
  EXPECT_EQ(toText("<table><tr><th>a<th>b<tr><td>c<td>d</table>z", {}), "a\tb\nc\td\n\nz");
  EXPECT_EQ(toText("<p><img src=images/x.jpg></p><ruby>漢<rt>kan</ruby>", anyImage),
            "[picture: images/x.jpg]\n\n漢 (kan)");
  EXPECT_EQ(toText("", {}), "");
}

TEST(BodyImages, AreSafeNames) {
  EXPECT_EQ(imageReference("images/0a.jpg")->id, "0a");
  EXPECT_EQ(imageReference("./images/0a.jpg")->name, "images/0a.jpg");
  for (const char* src : {"", "images/", "images/.jpg", "images/a", "images/a.", "images/a.jpg.exe/", "images/a b.jpg",
                          "/images/a.jpg", "images/%2e.jpg", "images/a.jpg?x"}) {
    EXPECT_FALSE(imageReference(src)) << src;
  }
}

// A parser that keeps a list of what is open would be searched for each end tag: minutes for a megabyte.
TEST(BodyDepth, CostsNoMoreThanItsText) {
  std::string deep, unmatched;
  for (int i = 0; i < 200'000; ++i) deep += "<b><div>";
  for (int i = 0; i < 200'000; ++i) unmatched += "</i>";
  EXPECT_EQ(xhtml(deep + "text &amp; more" + unmatched), "<p>text &amp; more</p>");
  std::string lists;
  for (int i = 0; i < 100; ++i) lists += "<ul><li>";
  const std::string shallow = xhtml(lists + "x");
  EXPECT_NE(shallow.find("<p>x</p>"), std::string::npos);
  EXPECT_EQ(shallow.find("<ul>"), 0u);
}

TEST(BodyErrors, OfTheResolverComeThrough) {
  const ImageResolver broken = [](const ImageReference&) -> std::optional<std::string> {
    throw std::runtime_error("disk");
  };
  EXPECT_THROW((void)toXhtml("<img src=images/a.jpg>", broken), std::runtime_error);
}

// A slow look at what may stand where, by names.
bool mayHold(std::string_view parent, std::string_view child) {
  static const std::set<std::string_view> blocks = {"p",   "h2",         "h3", "h4", "h5",    "h6",
                                                    "pre", "blockquote", "ul", "ol", "table", "hr"};
  static const std::set<std::string_view> flow = {"body", "blockquote", "li", "td", "th"};
  if (flow.contains(parent)) return blocks.contains(child);
  if (parent == "ul" || parent == "ol") return child == "li";
  if (parent == "table") return child == "tr";
  if (parent == "tr") return child == "td" || child == "th";
  if (parent == "ruby") return child == "rp" || child == "rt";
  static const std::set<std::string_view> parts = {"li", "tr", "td", "th", "rp", "rt", "body"};
  return !blocks.contains(child) && !parts.contains(child);
}

void checkTree(const xmlNode* node, int depth) {
  ASSERT_LT(depth, 80);
  const std::string_view name = reinterpret_cast<const char*>(node->name);
  std::set<std::string_view> path;
  for (const xmlNode* up = node; up != nullptr && up->type == XML_ELEMENT_NODE; up = up->parent) {
    const std::string_view above = reinterpret_cast<const char*>(up->name);
    const bool is_inline = mayHold("p", above) && above != "bdo";
    if (is_inline) {
      ASSERT_TRUE(path.insert(above).second) << above << " in itself";
    }
  }
  for (const xmlNode* child = node->children; child != nullptr; child = child->next) {
    if (child->type == XML_ELEMENT_NODE) {
      ASSERT_TRUE(mayHold(name, reinterpret_cast<const char*>(child->name))) << child->name << " in " << name;
      checkTree(child, depth + 1);
    } else if (child->type == XML_TEXT_NODE &&
               (mayHold(name, "p") || mayHold(name, "li") || mayHold(name, "tr") || mayHold(name, "td"))) {
      ASSERT_TRUE(xmlIsBlankNode(child)) << "text in " << name;
    }
  }
}

TEST(BodyModel, HoldsWhateverGoesIn) {
  const std::vector<std::string> pieces = {"<p>",
                                           "</p>",
                                           "<b>",
                                           "</b>",
                                           "<i>",
                                           "</i>",
                                           "<ul>",
                                           "</ul>",
                                           "<ol>",
                                           "<li>",
                                           "</li>",
                                           "<table>",
                                           "</table>",
                                           "<tr>",
                                           "</tr>",
                                           "<td>",
                                           "<th colspan=3>",
                                           "</td>",
                                           "<blockquote>",
                                           "</blockquote>",
                                           "<pre>",
                                           "</pre>",
                                           "<h3>",
                                           "</h3>",
                                           "<br>",
                                           "<br>",
                                           "<hr>",
                                           "<img src=images/a.jpg>",
                                           "<ruby>",
                                           "<rt>",
                                           "</rt>",
                                           "</ruby>",
                                           "<div style='font-style:italic;font-weight:bold'>",
                                           "</div>",
                                           "<script>",
                                           "</script>",
                                           "<svg>",
                                           "</svg>",
                                           "<dl>",
                                           "<dt>",
                                           "<dd>",
                                           "</dl>",
                                           "<caption>",
                                           "<tbody>",
                                           "<center>",
                                           "<span>",
                                           "text ",
                                           " a&amp;b ",
                                           "\n",
                                           "&#0;",
                                           "<",
                                           "&",
                                           "<!--",
                                           "-->",
                                           "<bdo dir=ltr>",
                                           "</bdo>",
                                           "<q>",
                                           "</q>",
                                           "<small>",
                                           "<a href=x>",
                                           "</a>"};
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    std::string html;
    const auto length = 1 + random() % 60;
    for (std::size_t i = 0; i < length; ++i) html += pieces[random() % pieces.size()];
    const std::string document = "<body>" + toXhtml(html, anyImage) + "</body>";
    const std::unique_ptr<xmlDoc, decltype(&xmlFreeDoc)> tree(
        xmlReadMemory(document.data(), static_cast<int>(document.size()), nullptr, "UTF-8",
                      XML_PARSE_NOERROR | XML_PARSE_NOWARNING),
        &xmlFreeDoc);
    ASSERT_NE(tree, nullptr) << html << "\n" << document;
    checkTree(xmlDocGetRootElement(tree.get()), 0);
    if (HasFatalFailure()) FAIL() << "seed 7, round " << round << ": " << html << "\n" << document;
  }
}

}  // namespace
}  // namespace jobhost::artifact
