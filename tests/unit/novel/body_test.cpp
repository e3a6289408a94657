#include "fetch-novel/body.hpp"

#include <gtest/gtest.h>

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
    testing::Values(Case{"PlainText", "one", "<p>one</p>"},
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
                    Case{"Blocklist", "<p>a</p><p> Read at  A.test </p><p>I read at a.test</p>",
                         "<p>a</p><p>I read at a.test</p>"},
                    Case{"Controls",
                         "a\x01\xE2\x80\x8B"
                         "b",
                         "<p>ab</p>"},
                    Case{"Pre", "<pre>a\n  b</pre>c", "<pre>a\n  b</pre><p>c</p>"},
                    Case{"Table", "x<table class=t width=3><tr><td colspan=2 bgcolor=red>a</td></tr></table>",
                         "<p>x</p><table><tbody><tr><td colspan=\"2\">a</td></tr></tbody></table>"},
                    Case{"Lists", "<ul class=x><li>a</li></ul>", "<ul><li>a</li></ul>"},
                    Case{"Escapes", "a &lt;b&gt; &amp;amp;", "<p>a &lt;b&gt; &amp;amp;</p>"},
                    Case{"Ruby", "<ruby>漢<rt>kan</rt></ruby>", "<p><ruby>漢<rt>kan</rt></ruby></p>"},
                    Case{"Broken", "<p>a<b>c<p>d</b>e", "<p>a<b>c</b></p><p><b>d</b>e</p>"}),
    [](const auto& tested) { return std::string(tested.param.name); });

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
