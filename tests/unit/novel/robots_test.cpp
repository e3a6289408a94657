#include "fetch-novel/robots.hpp"

#include <gtest/gtest.h>

namespace jobhost::novel {
namespace {

struct Case {
  const char* name;
  const char* text;
  const char* target;
  bool allowed;
};

class RobotsRules : public testing::TestWithParam<Case> {};

TEST_P(RobotsRules, Apply) {
  EXPECT_EQ(Robots::parse(GetParam().text, "jobhost").allows(GetParam().target), GetParam().allowed);
}

INSTANTIATE_TEST_SUITE_P(
    All, RobotsRules,
    testing::Values(
        Case{"NothingSaid", "", "/x", true}, Case{"ForAll", "User-agent: *\nDisallow: /private", "/private/x", false},
        Case{"OnlyPrefixes", "User-agent: *\nDisallow: /private", "/a/private", true},
        Case{"EmptyDisallowAllows", "User-agent: *\nDisallow:", "/x", true},
        Case{"OursBeforeAll", "User-agent: *\nDisallow: /\nUser-agent: jobhost\nAllow: /", "/x", true},
        Case{"OursInAnyCaseAndVersion", "User-agent: JobHost/2.0\nDisallow: /x", "/x", false},
        Case{"NotALongerName", "User-agent: jobhost-news\nDisallow: /x", "/x", true},
        Case{"GroupOfSeveral", "User-agent: other\nUser-agent: jobhost\nDisallow: /x", "/x", false},
        Case{"GroupsOfTheSameAgentAdd",
             "User-agent: jobhost\nDisallow: /a\nUser-agent: b\nDisallow: /c\nUser-agent: jobhost\nDisallow: /x", "/x",
             false},
        Case{"SitemapEndsNoGroup", "User-agent: *\nSitemap: http://a/s\nDisallow: /x", "/x", false},
        Case{"LongestWins", "User-agent: *\nAllow: /a/b\nDisallow: /a", "/a/b/c", true},
        Case{"AllowWinsTies", "User-agent: *\nDisallow: /a\nAllow: /a", "/a", true},
        Case{"Star", "User-agent: *\nDisallow: /*.pdf", "/x/y.pdf?z", false},
        Case{"End", "User-agent: *\nDisallow: /*.pdf$", "/x.pdf?z", true},
        Case{"EndMatches", "User-agent: *\nDisallow: /*.pdf$", "/x.pdf", false},
        Case{"ManyStars", "User-agent: *\nDisallow: /a*b*c*d$", "/axbxcxe", true},
        Case{"EscapesAreTheSame", "User-agent: *\nDisallow: /%7ejoe/%c3%a9", "/~joe/\xC3\xA9", false},
        Case{"Comments", "# hi\nUser-agent: * # all\nDisallow: /x # no", "/x", false},
        Case{"CarriageReturns", "User-agent: *\r\nDisallow: /x\r\n", "/x", false},
        Case{"RobotsItself", "User-agent: *\nDisallow: /", "/robots.txt", true}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Robots, AStatusSaysWhatIsAllowed) {
  EXPECT_FALSE(Robots::forStatus(200, "User-agent: *\nDisallow: /", "jobhost").allows("/"));
  EXPECT_TRUE(Robots::forStatus(404, "User-agent: *\nDisallow: /", "jobhost").allows("/"));
  EXPECT_TRUE(Robots::forStatus(403, "", "jobhost").allows("/"));
  EXPECT_FALSE(Robots::forStatus(503, "", "jobhost").allows("/"));
  EXPECT_FALSE(Robots::forStatus(0, "", "jobhost").allows("/"));
}

TEST(Robots, ReadsTheDelayOfItsGroup) {
  const auto robots =
      Robots::parse("User-agent: *\nCrawl-delay: 9\n\nUser-agent: jobhost\nCrawl-delay: 2.5\nDisallow: /x", "jobhost");
  EXPECT_EQ(robots.crawlDelay(), std::chrono::milliseconds(2500));
  EXPECT_EQ(Robots::parse("User-agent: *\nCrawl-delay: 1e9", "jobhost").crawlDelay(), std::chrono::minutes(10));
  EXPECT_EQ(Robots::parse("User-agent: *\nCrawl-delay: soon", "jobhost").crawlDelay(), std::nullopt);
}

TEST(Robots, HugeFilesAreCutNotRead) {
  std::string text = "User-agent: *\n";
  while (text.size() < (600u << 10)) text += "Disallow: /a\n";
  EXPECT_TRUE(Robots::parse(text + "Disallow: /x\n", "jobhost").allows("/x"));
}

}  // namespace
}  // namespace jobhost::novel
