#include <gtest/gtest.h>

#include "api/router.hpp"

namespace jobhost::api {
namespace {

class Router : public testing::Test {
 protected:
  Router() {
    for (const char* pattern : {"/jobs", "/jobs/{id}", "/jobs/{id}/outputs/{name...}"}) {
      table_.add(Method::Get, pattern, Privilege::None, [](Call&) { return Response(); });
    }
    table_.add(Method::Post, "/jobs/{id}", Privilege::None, [](Call&) { return Response(); });
  }
  std::string pattern(Method method, std::string_view path) {
    match_ = table_.match(method, path);
    if (!match_) return "bad";
    return match_->route != nullptr ? match_->route->pattern : match_->path_known ? "405 " + match_->allow : "404";
  }
  RouteTable table_;
  std::optional<RouteTable::Match> match_;
};

TEST_F(Router, FindsRowsAndTheirCaptures) {
  EXPECT_EQ(pattern(Method::Get, "/jobs"), "/jobs");
  EXPECT_EQ(pattern(Method::Head, "/jobs/a%20b"), "/jobs/{id}");
  EXPECT_EQ(match_->captures[0], "a b");
  EXPECT_EQ(pattern(Method::Get, "/jobs/7/outputs/a/b%2Fc.jpg"), "/jobs/{id}/outputs/{name...}");
  EXPECT_EQ(match_->captures[1], "a/b/c.jpg");
}

TEST_F(Router, ASegmentHoldsSlashesWhereItsRowSaysSo) {
  table_.add(Method::Get, "/plugins/{+id}", Privilege::None, [](Call&) { return Response(); });
  table_.add(Method::Get, "/plugins/{+id}/why", Privilege::None, [](Call&) { return Response(); });
  EXPECT_EQ(pattern(Method::Get, "/plugins/%2Fa%2fb.so"), "/plugins/{id}");
  EXPECT_EQ(match_->captures[0], "/a/b.so");
  EXPECT_EQ(pattern(Method::Get, "/plugins/%2Fa%2Fb.so/why"), "/plugins/{id}/why");
  EXPECT_EQ(match_->captures[0], "/a/b.so");
  EXPECT_EQ(pattern(Method::Get, "/plugins/a/b.so"), "404");
  EXPECT_EQ(pattern(Method::Get, "/plugins/%2e%2e"), "bad");
  EXPECT_EQ(pattern(Method::Get, "/plugins/%2Fa%00"), "bad");
}

TEST_F(Router, TellsAnUnknownPathFromAWrongMethod) {
  EXPECT_EQ(pattern(Method::Delete, "/jobs/7"), "405 GET, POST");
  EXPECT_EQ(pattern(Method::Get, "/jobs/"), "404");
  EXPECT_EQ(pattern(Method::Get, "/jobs/7/outputs/"), "404");
  EXPECT_EQ(pattern(Method::Get, "/"), "404");
  EXPECT_EQ(pattern(Method::Options, "*"), "404");
  EXPECT_EQ(pattern(Method::Get, "/jobs/a%2fb"), "404");
  EXPECT_EQ(pattern(Method::Get, std::string("/jobs") + std::string(100, '/')), "404");
}

TEST_F(Router, RefusesPathsThatMeanSomethingElse) {
  for (const char* path : {"/jobs/..", "/jobs/./7", "/jobs/%2e%2E", "/jobs/%00", "/jobs/%f", "/jobs/%ff"}) {
    EXPECT_EQ(pattern(Method::Get, path), "bad") << path;
  }
}

}  // namespace
}  // namespace jobhost::api
