#include "settings/rows.hpp"

#include <gmock/gmock.h>

#include <set>

namespace jobhost::settings {
namespace {

using testing::Contains;
using testing::HasSubstr;

TEST(SettingsRows, EachKeyStandsOnceAndHasASectionWithHelp) {
  std::set<std::string_view> seen;
  for (const Row& row : rows()) {
    EXPECT_TRUE(seen.insert(row.key).second) << row.key;
    EXPECT_FALSE(row.help.empty()) << row.key;
    EXPECT_FALSE(sectionHelp(sectionOf(row.key)).empty()) << row.key;
    EXPECT_EQ(findRow(row.key), &row);
  }
}

TEST(SettingsRows, EachRowHasItsOwnPlace) {
  Settings settings;
  std::set<const void*> places;
  for (const Row& row : rows()) {
    std::visit([&](const auto* place) { EXPECT_TRUE(places.insert(place).second) << row.key; }, row.field(settings));
  }
}

TEST(SettingsRows, EachDefaultIsAllowedAndSurvivesBeingWrittenDown) {
  const Settings defaults;
  for (const Row& row : rows()) {
    Settings copy;
    std::string text = valueText(row, defaults);
    if (text.front() == '"') text = text.substr(1, text.size() - 2);
    if (text.front() == '[') text = text == "[]" ? "" : text.substr(2, text.size() - 4);
    const auto assigned = assignText(row, copy, text);
    ASSERT_TRUE(assigned.ok()) << row.key << ": " << assigned.error().message;
    EXPECT_EQ(valueText(row, copy), valueText(row, defaults)) << row.key;
  }
}

struct TextCase {
  const char *name, *key, *text, *expected;  // expected: the value, or "!" and a part of the reason
};
void PrintTo(const TextCase& c, std::ostream* out) {
  *out << c.name;
}
class SettingsText : public testing::TestWithParam<TextCase> {};

TEST_P(SettingsText, IsTakenOrRefusedWithTheReason) {
  const auto& c = GetParam();
  Settings settings;
  const Row* row = findRow(c.key);
  ASSERT_NE(row, nullptr);
  const auto result = assignText(*row, settings, c.text);
  if (c.expected[0] == '!') {
    ASSERT_FALSE(result.ok());
    EXPECT_THAT(result.error().message, HasSubstr(c.expected + 1));
  } else {
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_EQ(valueText(*row, settings), c.expected);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cases, SettingsText,
    testing::Values(TextCase{"Number", "server.port", "9000", "9000"},
                    TextCase{"NumberWithSpaces", "server.port", " 9000 ", "9000"},
                    TextCase{"NumberTooLarge", "server.port", "65536", "!whole number from 0 to 65535, is 65536"},
                    TextCase{"NumberNegative", "server.port", "-1", "!from 0 to 65535"},
                    TextCase{"NumberOverflow", "server.port", "99999999999999999999", "!whole number"},
                    TextCase{"NumberWithTail", "server.port", "80x", "!is \"80x\""},
                    TextCase{"NumberEmpty", "server.port", "", "!is \"\""},
                    TextCase{"Duration", "shutdown.drain_ms", "250", "250"},
                    TextCase{"Flag", "minion.query_key", "true", "true"},
                    TextCase{"FlagNumber", "minion.query_key", "1", "!true or false"},
                    TextCase{"Word", "store.synchronous", "normal", "\"normal\""},
                    TextCase{"WrongWord", "store.synchronous", "off", "!one of full, normal, is \"off\""},
                    TextCase{"List", "plugins.folders", "a, b,,c", "[\"a\", \"b\", \"c\"]"},
                    TextCase{"EmptyList", "plugins.folders", "", "[]"},
                    TextCase{"ControlCharacter", "data.dir", "a\nb", "!is \"a\\u000ab\""}),
    [](const auto& given) { return std::string(given.param.name); });

TEST(SettingsRows, NameTheNearestKeyForAMisspeltOne) {
  EXPECT_EQ(nearestKey("server.prot"), "server.port");
  EXPECT_EQ(nearestKey("port"), "server.port");
  EXPECT_EQ(nearestKey("store.sync"), "store.synchronous");
  EXPECT_EQ(nearestKey("zzzzzzzzzzzzz"), "");
  EXPECT_EQ(nearestKey(std::string(100'000, 'x')), "");
}

}  // namespace
}  // namespace jobhost::settings
