#include "fetch-novel/url.hpp"

#include <gtest/gtest.h>

namespace jobhost::novel {
namespace {

struct Pair {
  const char* from;
  const char* to;  ///< empty: refused
};

TEST(Url, IsNormalised) {
  for (const auto& [from, to] :
       std::initializer_list<Pair>{{"HTTP://Example.ORG", "http://example.org/"},
                                   {" https://a.test:443/x ", "https://a.test/x"},
                                   {"http://a.test:8080/x?y#z", "http://a.test:8080/x?y"},
                                   {"http://user:pw@a.test/", "http://a.test/"},
                                   {"http://a.test/a/./b/../c/", "http://a.test/a/c/"},
                                   {"http://a.test/../..", "http://a.test/"},
                                   {"http://a.test/ü x?q=ü y", "http://a.test/%C3%BC%20x?q=%C3%BC%20y"},
                                   {"http://a.test/%7Ea%2fb", "http://a.test/%7Ea%2fb"},
                                   {"http://a.test\\x\\y", "http://a.test/x/y"},
                                   {"http://Bücher.example/", "http://xn--bcher-kva.example/"},
                                   {"http://faß.de/", "http://xn--fa-hia.de/"},
                                   {"http://[::1]:81/", "http://[::1]:81/"},
                                   {"http://a.test./", "http://a.test/"},
                                   {"ftp://a.test/", ""},

                                   {"a.test/x", ""},
                                   {"http://a b/", ""},
                                   {"http://a.test:99999/", ""},
                                   {"http://a.test:x/", ""},
                                   {"javascript:alert(1)", ""},
                                   {"", ""}}) {
    const auto url = parseUrl(from);
    EXPECT_EQ(url ? url->text() : "", to) << from;
  }
}

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
  EXPECT_EQ(sourceHost("://"), "");
}

TEST(Url, DoubledSlashesOfThePathGo) {
  EXPECT_EQ(withSingleSlashes("http://a.test/x//y///z?u=http://b//c"), "http://a.test/x/y/z?u=http://b//c");
}

}  // namespace
}  // namespace jobhost::novel
