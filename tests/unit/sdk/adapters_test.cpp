// jobhost::Json and the JSON libraries of others. ADAPTER_… tells what this program is compiled with.
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "jobhost/json_adapters.hpp"

#ifdef ADAPTER_BOOST
#include <boost/json/src.hpp>
#endif

namespace jobhost {
namespace {

constexpr const char* kDocument =
    R"({"z":1,"a":[true,null,-9223372036854775808,9007199254740993,1.5,"h\u00e9\u0000\ud83d\ude00"],"o":{"empty":{},"list":[]}})";

const Json& document() {
  static const Json value = Json::parse(kDocument);
  return value;
}

#ifdef ADAPTER_NLOHMANN
TEST(NlohmannAdapter, GoesThereAndBackWhole) {
  const nlohmann::ordered_json there = document();
  EXPECT_EQ(there["a"][3].get<std::int64_t>(), 9007199254740993) << "as a double it would be another";
  EXPECT_EQ(there.begin().key(), "z");
  EXPECT_EQ(there.get<Json>(), document());
  const nlohmann::json sorted = document();
  EXPECT_EQ(Json::parse(sorted.dump()), sorted.get<Json>());
}

TEST(NlohmannAdapter, RefusesWhatJsonHasNot) {
  EXPECT_THROW(fromNlohmann(nlohmann::json::binary({1, 2})), Error);
  nlohmann::json deep = 1;
  for (int i = 0; i < 100; ++i) deep = nlohmann::json::array({deep});
  EXPECT_THROW(fromNlohmann(deep), Error);
  EXPECT_FALSE(fromNlohmann(nlohmann::json(std::numeric_limits<std::uint64_t>::max())).isInt());
}
#endif

#ifdef ADAPTER_POCO
TEST(PocoAdapter, GoesThereAndBackWhole) {
  const auto there = toPoco(document());
  const auto object = there.extract<Poco::JSON::Object::Ptr>();
  EXPECT_EQ(object->getArray("a")->getElement<Poco::Int64>(3), 9007199254740993);
  EXPECT_EQ(object->getNames().front(), "z");
  EXPECT_EQ(fromPoco(there), document());
}

TEST(PocoAdapter, RefusesWhatJsonHasNot) {
  struct Thing {};
  EXPECT_THROW(fromPoco(Poco::Dynamic::Var(Thing{})), Error);
  Poco::Dynamic::Var deep = 1;
  for (int i = 0; i < 100; ++i) {
    Poco::JSON::Array::Ptr around = new Poco::JSON::Array;
    around->add(deep);
    deep = around;
  }
  EXPECT_THROW(fromPoco(deep), Error);
  EXPECT_FALSE(fromPoco(Poco::Dynamic::Var(std::numeric_limits<Poco::UInt64>::max())).isInt());
}
#endif

#ifdef ADAPTER_BOOST
TEST(BoostAdapter, GoesThereAndBackWhole) {
  const auto there = boost::json::value_from(document());
  EXPECT_EQ(there.at("a").at(3).as_int64(), 9007199254740993);
  EXPECT_EQ(boost::json::value_to<Json>(there), document());
}

TEST(BoostAdapter, RefusesWhatJsonHasNot) {
  boost::json::value deep = 1;
  for (int i = 0; i < 100; ++i) deep = boost::json::array{deep};
  EXPECT_THROW(fromBoost(deep), Error);
  EXPECT_FALSE(fromBoost(boost::json::value(std::numeric_limits<std::uint64_t>::max())).isInt());
}
#endif

}  // namespace
}  // namespace jobhost
