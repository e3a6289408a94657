#include "fetch-novel/url.hpp"

#include <gtest/gtest.h>

#include "lncrawl_urls.hpp"

namespace jobhost::novel {
namespace {

struct Pair {
  const char* from;
  const char* to;  ///< empty: refused
};

class Urls : public testing::TestWithParam<test::UrlRow> {};

TEST_P(Urls, AreSpeltAsTheServerSpellsThem) {
  const test::UrlRow& row = GetParam();
  const auto url = parseUrl(row.given);
  EXPECT_EQ(url ? url->text() : "!", row.expected.substr(0, row.expected.starts_with('!') ? 1 : std::string::npos));
  if (!url) return;
  if (!row.host.empty()) {
    EXPECT_EQ(url->host, row.host);
  }
  const auto again = parseUrl(url->text());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->text(), url->text()) << "the normal form is its own";
  const auto resolved = resolveUrl(*parseUrl("https://other.test/y"), url->text());
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->text(), url->text()) << "as a link";
}

INSTANTIATE_TEST_SUITE_P(All, Urls, testing::ValuesIn(test::kUrlRows), [](const auto& row) { return row.param.name; });

TEST(Url, LinksResolveAsInABrowser) {
  const Url base = *parseUrl("http://a.test/b/c/d?q");
  for (const auto& [from, to] : std::initializer_list<Pair>{{"g", "http://a.test/b/c/g"},
                                                            {"./g", "http://a.test/b/c/g"},
                                                            {"g/", "http://a.test/b/c/g/"},
                                                            {"/g", "http://a.test/g"},
                                                            {"//g", "http://g/"},
                                                            {"?y", "http://a.test/b/c/d?y"},
                                                            {"g?y", "http://a.test/b/c/g?y"},
                                                            {"#s", "http://a.test/b/c/d?q"},
                                                            {"", "http://a.test/b/c/d?q"},
                                                            {".", "http://a.test/b/c/"},
                                                            {"..", "http://a.test/b/"},
                                                            {"../g", "http://a.test/b/g"},
                                                            {"../../../g", "http://a.test/g"},
                                                            {"https://x.test/y", "https://x.test/y"},
                                                            {"http:g", "http://a.test/b/c/g"},
                                                            {"http:/g", "http://a.test/g"},
                                                            {"g\xE9", "http://a.test/b/c/g%E9"},
                                                            {" g\n", "http://a.test/b/c/g"},
                                                            {"a:b", ""},
                                                            {"mailto:x@y", ""},
                                                            {"javascript:void(0)", ""},
                                                            {"data:text/html,x", ""}}) {
    const auto url = resolveUrl(base, from);
    EXPECT_EQ(url ? url->text() : "", to) << from;
  }
}

TEST(Url, TheHostOfASourceHasNoWww) {
  EXPECT_EQ(sourceHost("https://www.A.test:8080/x"), "a.test");
  EXPECT_EQ(sourceHost("a.test"), "a.test");
  EXPECT_EQ(sourceHost("WWW.bücher.example"), "xn--bcher-kva.example");
  EXPECT_EQ(sourceHost("http://www.a.test./x"), "a.test");
  EXPECT_EQ(sourceHost("://"), "");
}

TEST(Url, DoubledSlashesOfThePathGo) {
  EXPECT_EQ(withSingleSlashes("http://a.test/x//y///z?u=http://b//c"), "http://a.test/x/y/z?u=http://b//c");
}

}  // namespace
}  // namespace jobhost::novel
