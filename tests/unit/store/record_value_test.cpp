#include "store/record_value.hpp"

#include <algorithm>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/store/record_harness.hpp"

namespace jobhost::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(OrderKey, ComparesAsItsScalar) {
  const std::vector<std::string> in_order = {"null",  "false", "true",  "-1e300", "-2.5",    "-1",     "-1e-300",
                                             "0",     "1e-9",  "0.5",   "1",      "1.5",     "2",      "10",
                                             "1e300", "\"\"",  "\"A\"", "\"a\"",  "\"a b\"", "\"ab\"", "\"ü\""};
  for (std::size_t i = 0; i + 1 < in_order.size(); ++i) {
    EXPECT_LT(orderOf(in_order[i]), orderOf(in_order[i + 1])) << in_order[i] << " " << in_order[i + 1];
  }
  EXPECT_EQ(orderOf("1.0"), orderOf("1"));
  EXPECT_EQ(orderOf("-0.0"), orderOf("0"));
}

TEST(OrderKey, IsShownAsTheScalarAgain) {
  for (const char* json : {"null", "false", "true", "-2.5", "0", "7", "1e+300", "\"a \\\"b\\\" \\n\""}) {
    EXPECT_EQ(orderKeyJson(orderOf(json)), json);
  }
  for (const char* damaged : {"\x03x", "x", "\x7f"}) EXPECT_EQ(orderKeyJson(damaged), "null");
}

TEST(OrderKey, OfRandomNumbersComparesAsTheyDo) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 2000; ++i) {
    const double a = std::ldexp(static_cast<double>(random() % 2001) - 1000, static_cast<int>(random() % 60) - 30);
    const double b = std::ldexp(static_cast<double>(random() % 2001) - 1000, static_cast<int>(random() % 60) - 30);
    char text[64];
    std::snprintf(text, sizeof text, "%.17g", a);
    const auto one = orderOf(text);
    std::snprintf(text, sizeof text, "%.17g", b);
    const auto other = orderOf(text);
    EXPECT_EQ(a < b, one < other) << a << " " << b;
    EXPECT_EQ(a == b, one == other) << a << " " << b;
  }
}

TEST(OrderKey, RefusesWhatItWouldConfuse) {
  EXPECT_TRUE(orderKey("9007199254740992").ok());
  for (const char* wrong : {"[1]", "{}", "", "nul", "1e999", "9007199254740993", "-9223372036854775807"}) {
    EXPECT_EQ(orderKey(wrong).error().code, core::ErrorCode::InvalidArgument) << wrong;
  }
  EXPECT_FALSE(orderKey("\"" + std::string(kMaxOrderText + 1, 'x') + "\"").ok());
  EXPECT_TRUE(orderKey("\"" + std::string(kMaxOrderText, 'x') + "\"").ok());
}

TEST(IndexedValues, AreThoseOfTheFieldWhereverItLies) {
  const std::string document =
      R"({"url":"http://x","series":{"number":3,"of":{"all":true}},"tags":["b","a","b",null],"none":null})";
  EXPECT_THAT(*indexedValues(document, "url"), ElementsAre(orderOf("\"http://x\"")));
  EXPECT_THAT(*indexedValues(document, "series.number"), ElementsAre(orderOf("3")));
  EXPECT_THAT(*indexedValues(document, "series.of.all"), ElementsAre(orderOf("true")));
  EXPECT_THAT(*indexedValues(document, "tags"), ElementsAre(orderOf("\"a\""), orderOf("\"b\"")));
  for (const char* absent : {"none", "nothing", "url.x", "series.of.all.x", "tags.x"}) {
    EXPECT_THAT(*indexedValues(document, absent), IsEmpty()) << absent;
  }
  EXPECT_THAT(*indexedValues("[1,2]", "a"), IsEmpty());
  EXPECT_THAT(indexedValues(document, "series").error().message, testing::HasSubstr("\"series\""));
  EXPECT_FALSE(indexedValues(R"({"a":[[1]]})", "a").ok());
  std::string many = "{\"a\":[0";
  for (std::size_t i = 1; i <= kMaxIndexedValues; ++i) many += "," + std::to_string(i);
  EXPECT_FALSE(indexedValues(many + "]}", "a").ok());
}

TEST(FieldName, IsUpToFourNames) {
  for (const char* good : {"a", "url", "a.b.c.d", "A_1-x"}) EXPECT_TRUE(isFieldName(good)) << good;
  for (const char* bad : {"", ".", "a.", ".a", "a..b", "a.b.c.d.e", "a b", "/a", "a\"b"}) {
    EXPECT_FALSE(isFieldName(bad)) << bad;
  }
  EXPECT_FALSE(isFieldName(std::string(kMaxFieldBytes + 1, 'a')));
}

}  // namespace
}  // namespace jobhost::store
