#include <gtest/gtest.h>

#include "api/encoding.hpp"

namespace jobhost::api {
namespace {

TEST(Times, AreWrittenAndReadAsRfc3339) {
  EXPECT_EQ(formatTime(core::fromMicros(1'800'000'000'123'456)), "2027-01-15T08:00:00.123Z");
  EXPECT_EQ(formatTime(core::fromMicros(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(core::toMicros(*parseTime("2027-01-15T08:00:00.123456Z")), 1'800'000'000'123'456);
  EXPECT_EQ(core::toMicros(*parseTime("2027-01-15T10:30:00+02:30")), 1'800'000'000'000'000);
  EXPECT_EQ(core::toMicros(*parseTime("2027-01-15T07:00:00-01:00")), 1'800'000'000'000'000);
  EXPECT_EQ(httpDate(core::fromMicros(784'111'777'000'000)), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(Times, ThatAreNoneAreRefused) {
  for (const char* text : {"", "2027-01-15", "2027-01-15T08:00:00", "2027-02-30T08:00:00Z", "2027-01-15T25:00:00Z",
                           "2027-01-15T08:00:00.Z", "2027-01-15T08:00:00Zx", "2027-01-15T08:00:00+2:00",
                           "1969-12-31T23:59:59Z", "2027-01-15T08:00:00+02:0", "2027-13-15T08:00:00Z"}) {
    EXPECT_FALSE(parseTime(text)) << text;
  }
}

TEST(Base64, HasOneSpellingForEachText) {
  EXPECT_EQ(toBase64("abcd"), "YWJjZA==");
  EXPECT_EQ(fromBase64("YWJjZA=="), "abcd");
  EXPECT_EQ(fromBase64("YWJj"), "abc");
  for (const char* text : {"", "YWJjZA", "YWJjZA=", "YWJjZB==", "YW Jj", "YWJ-", "====", "Y==="}) {
    EXPECT_FALSE(fromBase64(text)) << text;
  }
}

TEST(Query, DecodesAndKeepsOrder) {
  const auto query = Query::parse("a=1&b=x%20y+z&a=%5B2%5D&raw=[5]&empty=&bare");
  ASSERT_TRUE(query);
  EXPECT_EQ(query->last("a"), "[2]");
  EXPECT_EQ(query->last("b"), "x y z");
  EXPECT_EQ(query->last("raw"), "[5]");
  EXPECT_EQ(query->last("empty"), "");
  EXPECT_EQ(query->last("bare"), "");
  EXPECT_FALSE(query->last("none"));
}

TEST(Query, RefusesWhatItCannotRead) {
  EXPECT_FALSE(Query::parse("a=%zz"));
  EXPECT_FALSE(Query::parse("a=%"));
  EXPECT_FALSE(Query::parse("a=%00"));
  EXPECT_FALSE(Query::parse("a=%ff"));
  std::string many;
  for (int i = 0; i < 101; ++i) many += "a=1&";
  EXPECT_FALSE(Query::parse(many));
}

}  // namespace
}  // namespace jobhost::api
