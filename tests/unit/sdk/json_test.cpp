#include <gtest/gtest.h>
#include <jobhost/json.hpp>
#include <jobhost/value.hpp>

#include <functional>
#include <random>

namespace jobhost {
namespace {

std::string messageOf(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.errorClass(), JH_CLASS_BAD_INPUT);
    return error.message();
  }
  return "no error";
}

TEST(Json, ReadsAndWritesTheSameText) {
  for (const char* text :
       {"null", "true", "-1", "9223372036854775807", "-9223372036854775808", "0.5", "1e+300", R"("a\"\\\n\u0001ä😀")",
        "[]", "{}", R"([1,[2,{"a":null}],"x"])", R"({"b":1,"a":{"c":[true,false]}})"}) {
    EXPECT_EQ(Json::parse(text).dump(), text);
  }
}

TEST(Json, KeepsIntegersExactAndOthersAsDoubles) {
  EXPECT_TRUE(Json::parse("9007199254740993").isInt());
  EXPECT_EQ(Json::parse("9007199254740993").intOr(0), 9007199254740993);
  EXPECT_FALSE(Json::parse("9223372036854775808").isInt());
  EXPECT_FALSE(Json::parse("1.0").isInt());
  EXPECT_EQ(Json(std::uint64_t{1} << 63).type(), Json::Type::Double);
}

TEST(Json, UnderstandsEscapes) {
  EXPECT_EQ(Json::parse(R"("\u00e4\ud83d\ude00\/\b\f")").stringOr(""), "ä😀/\b\f");
  EXPECT_EQ(Json("\xff").dump(), "\"\xef\xbf\xbd\"");
}

TEST(Json, RefusesWhatIsNotJson) {
  for (const char* text : {"",
                           " ",
                           "nul",
                           "tru",
                           "01",
                           "+1",
                           "1.",
                           ".5",
                           "1e",
                           "--1",
                           "[1,]",
                           "[1 2]",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{a:1}",
                           "{\"a\":1,}",
                           "\"",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\ud800\"",
                           "\"\\ud800\\u0041\"",
                           "\"\t\"",
                           "[",
                           "{",
                           "1 1",
                           "// c\n1",
                           "'a'",
                           "NaN",
                           "1e999",
                           "\"\xc0\x80\"",
                           "\"\xed\xa0\x80\"",
                           "\"\xf5\x80\x80\x80\""}) {
    EXPECT_THROW(Json::parse(text), Error) << text;
  }
  EXPECT_THROW(Json::parse(std::string("\"a\0\"", 4)), Error);
}

TEST(Json, LendsNothingOfATemporary) {
  static_assert(!std::is_reference_v<decltype(Json::parse("[]").items())>);
  static_assert(!std::is_reference_v<decltype(Json::parse("{}").names())>);
  std::int64_t sum = 0;
  for (const auto& item : Json::parse("[1000,2000,3000]").items()) sum += item.intOr(0);
  EXPECT_EQ(sum, 6000);
}

TEST(Json, BoundsItsDepth) {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') + std::string(static_cast<std::size_t>(depth), ']');
  };
  EXPECT_NO_THROW(Json::parse(nested(Json::kMaxDepth)));
  EXPECT_THROW(Json::parse(nested(Json::kMaxDepth + 1)), Error);
  EXPECT_THROW(Json::parse(std::string(10'000'000, '[')), Error);
}

TEST(Json, MakesObjectsOfPairsAndArraysOfTheRest) {
  const Json object{{"a", 1}, {"b", Json::array({1, 2})}};
  EXPECT_EQ(object.dump(), R"({"a":1,"b":[1,2]})");
  const Json array{1, "x", nullptr};
  EXPECT_EQ(array.dump(), R"([1,"x",null])");
  EXPECT_EQ(object["b"].at(1).intOr(0), 2);
  EXPECT_TRUE(object["none"]["deeper"].isNull());
  EXPECT_EQ(Json::parse(R"({"a":1,"a":2})")["a"].intOr(0), 2);
}

TEST(Json, StandsDamagedText) {
  std::mt19937 random(7);
  const std::string good = R"({"a":[1,2.5e-3,"text\u00e4\n",{"b":null,"c":[true,false]}],"d":{"e":"x"}})";
  for (int round = 0; round < 50'000; ++round) {
    std::string text = good.substr(0, 1 + random() % good.size());
    for (unsigned n = random() % 4; n > 0; --n) text[random() % text.size()] = static_cast<char>(random());
    try {
      const Json value = Json::parse(text);
      EXPECT_EQ(Json::parse(value.dump()), value);
    } catch (const Error&) {
    }
  }
}

TEST(Value, NamesThePlaceOfWhatIsWrong) {
  const Json json = Json::parse(R"({"width":"x","list":[1,{"a/b~":"s"}],"big":99,"fit":"odd"})");
  const Value params(&json, "");
  EXPECT_EQ(messageOf([&] { params["width"].integer(); }), "/width: must be an integer");
  EXPECT_EQ(messageOf([&] { params["none"].str(); }), "/none: is missing");
  EXPECT_EQ(messageOf([&] { params["list"].at(1)["a/b~"].number(); }), "/list/1/a~1b~0: must be a number");
  EXPECT_EQ(messageOf([&] { params["big"].integer(0, 10); }), "/big: at most 10");
  EXPECT_EQ(messageOf([&] {
              params["fit"].oneOf({"inside", "cover"}, "inside");
            }),
            "/fit: must be one of inside, cover");
  EXPECT_EQ(params["none"].integer(0, 10, 7), 7);
  EXPECT_EQ(params["none"].items().size(), 0U);
  EXPECT_EQ(messageOf([&] { params["big"].number(0, 0.5); }), "/big: at most 0.5");
  EXPECT_EQ(params["none"].number(0, 1, 0.25), 0.25);
  EXPECT_EQ(messageOf([&] { params["list"].strings(); }), "/list/0: must be a string");
  EXPECT_EQ(params["list"].at(1).members().size(), 1U);
  EXPECT_EQ(messageOf([&] { params["big"].members(); }), "/big: must be an object");
  EXPECT_EQ(messageOf([&] {
              params.onlyKnown({"width", "list", "big"});
            }),
            "/fit: is not known (known: width, list, big)");
}

}  // namespace
}  // namespace jobhost
