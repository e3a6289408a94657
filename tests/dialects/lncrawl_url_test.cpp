#include <gtest/gtest.h>

#include <string>

#include "api/lncrawl/url.hpp"
#include "lncrawl_urls.hpp"

namespace jobhost::test {
namespace {

class LncrawlUrl : public testing::TestWithParam<UrlRow> {};

TEST_P(LncrawlUrl, IsSpeltAsTheUrlStandardSays) {
  const auto& row = GetParam();
  const auto url = api::lncrawl::normalUrl(row.given);
  if (row.expected.starts_with('!')) {
    ASSERT_FALSE(url) << url->text;
    EXPECT_EQ('!' + url.error().detail + " " + url.error().message, row.expected);
    return;
  }
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->text, row.expected);
  if (!row.host.empty()) {
    EXPECT_EQ(url->host, row.host);
  }
  const auto again = api::lncrawl::normalUrl(url->text);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->text, url->text) << "the normal form is its own";
}

INSTANTIATE_TEST_SUITE_P(All, LncrawlUrl, testing::ValuesIn(kUrlRows), [](const auto& row) { return row.param.name; });

TEST(LncrawlUrls, AreNotLongerThanTheClientsTake) {
  const auto url = api::lncrawl::normalUrl("http://a.test/" + std::string(2070, 'x'));
  ASSERT_FALSE(url);
  EXPECT_EQ(url.error().detail, "url_too_long");
  EXPECT_EQ(url.error().message, "URL should have at most 2083 characters");
}

TEST(LncrawlSourceHost, IsTheHostWithoutWww) {
  EXPECT_EQ(api::lncrawl::sourceHost("www.a.test"), "a.test");
  EXPECT_EQ(api::lncrawl::sourceHost("a.test"), "a.test");
  EXPECT_EQ(api::lncrawl::sourceHost("wwwa.test"), "wwwa.test");
}

}  // namespace
}  // namespace jobhost::test
