#include "fetch-novel/body.hpp"

#include <gtest/gtest.h>
#include <libxml/parser.h>

#include <memory>
#include <regex>

namespace jobhost::novel {
namespace {

const BodyOptions kOptions{"http://a.test/", "http://a.test/b/1.html", {"read at a.test"}};

std::string clean(const std::string& html) {
  return cleanBody(html, kOptions).html;
}

struct Case {
  const char* name;
  const char* html;
  const char* result;
};

class Bodies : public testing::TestWithParam<Case> {};

TEST_P(Bodies, BecomeParagraphs) {
  EXPECT_EQ(clean(GetParam().html), GetParam().result);
  EXPECT_EQ(clean(clean(GetParam().html)), GetParam().result) << "a second time changes it";
}

INSTANTIATE_TEST_SUITE_P(
    All, Bodies,
    testing::Values(
        Case{"PlainText", "one", "<p>one</p>"},
        Case{"Breaks", "one<br><br><br>two<hr>three", "<p>one</p><p>two</p><p>three</p>"},
        Case{"Blocks", "<div>a<section>b</section><h2>c</h2></div>", "<p>a</p><p>b</p><p>c</p>"},
        Case{"RemovedTags",
             "a<script>x</script><form><input>y</form><iframe>z</iframe><nav>n</nav><ins>i</"
             "ins><noscript>o</noscript><style>s</style><button>b</button>",
             "<p>a</p>"},
        Case{"Comments", "a<!-- b -->c", "<p>ac</p>"},
        Case{"Inline", "<p>a <b onclick=x>b</b> <i class=y>c</i></p>", "<p>a <b>b</b> <i>c</i></p>"},
        Case{"Flattened", "<p><span class=x>a <a href=y>b</a></span> <time>c</time></p>", "<p>a b c</p>"},
        Case{"StyledSpans",
             "<p><span style='color:red; Font-Style: Italic'>a</span><span "
             "style='font-weight:700'>b</span><span style='color:red'>c</span></p>",
             "<p><em>a</em><strong>b</strong>c</p>"},
        Case{"EmptyParagraphs", "<p> &nbsp;</p><p>a</p><p><b></b></p>", "<p>a</p>"},
        Case{"Blocklist", "<p>a</p><p> Read at  A.test </p><p>I read at a.test</p>", "<p>a</p><p>I read at a.test</p>"},
        Case{"Controls",
             "a\x01\xE2\x80\x8B"
             "b",
             "<p>ab</p>"},
        Case{"Pre", "<pre>a\n  b</pre>c", "<pre>a\n  b</pre><p>c</p>"},
        Case{"Examples", "<p>a<xmp>if (b<c) & d\n  e</xmp>f</p>",
             "<p>a</p><pre>if (b&lt;c) &amp; d\n  e</pre><p>f</p>"},
        Case{"PlainToTheEnd", "a<plaintext>b & <i>c</i>", "<p>a</p><pre>b &amp; &lt;i&gt;c&lt;/i&gt;</pre>"},
        Case{"FramesOfOldBrowsers", "a<noembed><b>x</b></noembed><noframes><p>y</p></noframes>b", "<p>ab</p>"},
        Case{"NoScript", "a<noscript><p>b</p></noscript>c", "<p>ac</p>"},
        Case{"OddNames", "<p>a <b<c>d</b<c> <o:p>e</o:p> <my-tag x=1>f</my-tag></p>",
             "<p>a d e <my-tag>f</my-tag></p>"},
        Case{"ForbiddenCharacters", "<table id='x&#1;y'><tr><td>a&#1;&#xFFFE;b</table>",
             "<table id=\"xy\"><tbody><tr><td>ab</td></tr></tbody></table>"},
        Case{"Table", "x<table class=t width=3><tr><td colspan=2 bgcolor=red>a</td></tr></table>",
             "<p>x</p><table><tbody><tr><td colspan=\"2\">a</td></tr></tbody></table>"},
        Case{"Lists", "<ul class=x><li>a</li></ul>", "<ul><li>a</li></ul>"},
        Case{"Escapes", "a &lt;b&gt; &amp;amp;", "<p>a &lt;b&gt; &amp;amp;</p>"},
        Case{"Ruby", "<ruby>漢<rt>kan</rt></ruby>", "<p><ruby>漢<rt>kan</rt></ruby></p>"},
        Case{"Broken", "<p>a<b>c<p>d</b>e", "<p>a<b>c</b></p><p><b>d</b>e</p>"}),
    [](const auto& tested) { return std::string(tested.param.name); });

// What of HTML is no XML: elements without an end, and the one named entity that is written.
std::string asXml(const std::string& html) {
  static const std::regex kVoid(
      "<(area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)((\\s[^>]*)?)>");
  return "<!DOCTYPE body [<!ENTITY nbsp \"&#160;\">]><body>" + std::regex_replace(html, kVoid, "<$1$2/>") + "</body>";
}

// Shapes from the standard's own tests of parsers (html5lib): what browsers have to repair.
class UglyBodies : public testing::TestWithParam<const char*> {};

TEST_P(UglyBodies, AreWellFormedAfterwards) {
  const std::string once = clean(GetParam());
  const std::string xml = asXml(once);
  const std::unique_ptr<xmlDoc, decltype(&xmlFreeDoc)> tree(
      xmlReadMemory(xml.data(), static_cast<int>(xml.size()), nullptr, "UTF-8",
                    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING),
      &xmlFreeDoc);
  EXPECT_NE(tree, nullptr) << xml << "\n" << (xmlGetLastError() != nullptr ? xmlGetLastError()->message : "");
  EXPECT_EQ(clean(once), once) << "a second time changes it";
}

INSTANTIATE_TEST_SUITE_P(
    All, UglyBodies,
    testing::Values("", "<", "</", "<!", "<!-", "<?", "a<b", "<p", "<p id=\"x", "</p>", "<>", "</>", "<a<b>c",
                    "<div//=a>b", "<!DOCTYPE html>a<!DOCTYPE x>b", "<!--a--!>b", "<!--a-->b--->c", "<![CDATA[a<b]]>c",
                    "<?xml version=1?>a", "a&b&amp;c&#0;&#x80;&#xD800;&#x110000;&#1;&notin;&notit;&;&#;&#x;",
                    "a\xC2\xA0&nbsp;b", "<b><i>a</b>b</i>c", "<p><b><p><i>a</b></i>", "<a>a<p>b<a>c</p>d</a>",
                    "<b><b><b><b><b>a</p>b</b>c", "<table><b>a<td>b</b><i>c</table>d",
                    "<table>a<tr><p>b<td><table><td>c</table></table>e",
                    "<table><caption>a<tr><td>b<tfoot><tr><td>c</table>", "<select><b>a<option>b</select>c",
                    "<ul><li>a<ul>b<li>c</ul>d<li><p>e</ul>f", "<dl><dt>a<dd>b<dt>c</dl>", "<ol>a<li>b</ol>",
                    "<h1>a<h2>b</h1>c</h2>", "<button>a<button>b</button>c", "<nobr>a<nobr>b</nobr>c",
                    "<form>a<form>b</form>c</form>d", "<xmp>a</xm></xmp >b<b>", "<xmp><script></xmp>", "<xmp>",
                    "a<plaintext></plaintext><p>", "<p>a<plaintext>b", "<table><plaintext>a<td>b", "<pre>\n\na</pre>b",
                    "<listing>\na<b></listing>", "<textarea>a<b></textarea>c", "<title>a<b></title>c",
                    "<noscript><img src=x></noscript>a", "<noembed>a<b></noembed>c", "<noframes>a</noframes>b",
                    "<iframe>a<b>", "<script><!--<script></script>--></script>a", "<script>a<!--</script>b",
                    "<style>a</style >b<style>", "<svg><b>a</svg>b", "<svg><title><p>a</title></svg>",
                    "<math><mi>a<b>c</math>d", "<math><annotation-xml><p>a", "<svg><style><img src=x></style></svg>a",
                    "<svg><![CDATA[a<b]]></svg>c", "<template>a<td>b</template>c", "<frameset><frame>a",
                    "<body id=x>a<body>b", "<html><head>a</head><p>b", "<image src=/x.png>a",
                    "<ruby>a<rt>b<rp>(</ruby>c", "<ruby>a<p>b<rt>c</ruby>d", "<ruby>a<rb>b<rtc>c<rt>d",
                    "<canvas>a<p>b</canvas>c", "<p><table><td>a</p>b", "<a b='\"' c=\"'\" d=<>e</a>",
                    "<td>a<th id=\"&quot;<>&\">b", "<img id=1 src=\"a?b&c<d>\">e", "<my:tag xmlns:my=x>a</my:tag>",
                    "<\xC3\xA9l\xC3\xA9ment>a", "<x\xE4y>a", "<p><o:p></o:p>a</p>", "<1>a</1>", "<b\x0C/id=x>a",
                    "a\x0B\xEF\xBF\xBF\xED\xA0\x80\xC0\xAF", "<center><font color=red>a<hr>b</font>c"));

TEST(Body, ImagesGetStableIdsAndOurAddresses) {
  const Body body = cleanBody(
      "<p><img data-lazy-src=x.png src=blank.gif width=3></p><img src=/y.png><img src='/y.png'><img "
      "src='data:image/png;base64,AA'><img alt=none>",
      kOptions);
  ASSERT_EQ(body.images.size(), 2u);
  EXPECT_EQ(body.images[0].url, "http://a.test/b/x.png");
  EXPECT_EQ(body.images[1].url, "http://a.test/y.png");
  EXPECT_EQ(body.images[0].id.size(), 32u);
  const std::string first = "<img src=\"images/" + body.images[0].id + ".jpg\" alt=\"" + body.images[0].id + "\">";
  EXPECT_EQ(body.html.substr(0, first.size() + 7), "<p>" + first + "</p>");
  EXPECT_EQ(cleanBody("<img src=x.png>", kOptions).images[0].id, body.images[0].id);
  EXPECT_NE(imageId("http://a.test/", "http://a.test/b/2.html", "http://a.test/b/x.png"), body.images[0].id);
  EXPECT_EQ(cleanBody(body.html, kOptions).html, body.html);
}

}  // namespace
}  // namespace jobhost::novel
