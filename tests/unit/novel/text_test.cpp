#include "fetch-novel/utf8.hpp"

#include <gtest/gtest.h>

#include "fetch-novel/regex.hpp"
#include "fetch-novel/template.hpp"
#include "support/common/failure.hpp"

namespace jobhost::novel {
namespace {

TEST(Text, SpacesOfAllKinds) {
  EXPECT_EQ(trimmed(" \t\xC2\xA0x y\xE3\x80\x80\n"), "x y");
  EXPECT_EQ(trimmed("\xEF\xBB\xBF"), "");
  EXPECT_EQ(collapsed("a \n\xC2\xA0 b"), "a b");
  EXPECT_TRUE(isBlank("\xE2\x80\x8B "));
}

TEST(Text, CaseAndForms) {
  EXPECT_EQ(lower("ÀB"), "àb");
  EXPECT_EQ(titleCase("the NASA bob's éa"), "The NASA Bob's Éa");
  EXPECT_EQ(normalized("ﬁ①", NormalForm::Nfkc), "fi1");
  EXPECT_EQ(normalized("é", NormalForm::Nfd), "e\xCC\x81");
  EXPECT_EQ(folded("Straße"), "strasse");
  EXPECT_EQ(slug("  The Köln & 2nd!  "), "the-köln-2nd");
  EXPECT_EQ(length("aé漢😀"), 4u);
}

TEST(Text, ControlsGoJoinersStay) {
  EXPECT_EQ(withoutControls("a\x01\x7F\xC2\x85"
                            "b\xE2\x80\x8B\n"),
            "ab\n");
  EXPECT_EQ(withoutControls("\xE2\x80\x8C\xE2\x80\x8D"), "\xE2\x80\x8C\xE2\x80\x8D");
}

TEST(Text, PercentEncoding) {
  EXPECT_EQ(percentEncoded("a b/é~"), "a%20b%2F%C3%A9~");
  EXPECT_EQ(percentEncoded("a b+", true), "a+b%2B");
}

std::shared_ptr<const Regex> regex(const char* pattern) {
  std::string error;
  auto out = Regex::compile(pattern, error);
  EXPECT_NE(out, nullptr) << error;
  return out;
}

TEST(RegexTest, YieldsTheFirstGroupOrTheWhole) {
  EXPECT_EQ(regex("id=(\\d+)")->search("x id=42"), "42");
  EXPECT_EQ(regex("\\d+")->search("x 42"), "42");
  EXPECT_EQ(regex("(a)(b)")->search("ab", 2), "b");
  EXPECT_EQ(regex("(a)|b")->search("b"), std::nullopt);
  EXPECT_EQ(regex("x")->search("b"), std::nullopt);
  EXPECT_EQ(regex("(?P<n>\\w+)\\u00e9")->search("caf\xC3\xA9"), "caf");
  EXPECT_EQ(regex("(?<=v)\\d(?!\\d)")->search("v12 v3"), "3");
}

TEST(RegexTest, FindsAllAndReplaces) {
  EXPECT_EQ(regex("\\d")->searchAll("1 2 3"), (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_EQ(regex("x*")->searchAll("xéx"), (std::vector<std::string>{"x", "", "x", ""}));  // as Python has it
  EXPECT_EQ(regex("(\\w)-(\\w)")->replaceAll("a-b c-d", "\\2\\g<1>"), "ba dc");
  EXPECT_EQ(regex("^")->replaceAll("a", "b"), "ba");
}

TEST(RegexTest, SaysWhatIsWrongWithAPattern) {
  std::string error;
  EXPECT_EQ(Regex::compile("a(b", error), nullptr);
  EXPECT_NE(error.find("at character 4"), std::string::npos) << error;
}

TEST(RegexTest, WildPatternsAreStopped) {
  EXPECT_THROW((void)regex("(a+)+$")->search(std::string(60, 'a') + "b"), support::Failure);
}

std::string rendered(const char* text) {
  std::string error;
  const auto found = Template::parse(text, error);
  if (!found) return error;
  return found->render(
      [](const Template::Part& part) { return part.group == "query" ? "A b/ü" : part.group + ":" + part.name; });
}

TEST(TemplateTest, FillsPlaceholdersThroughFilters) {
  EXPECT_EQ(rendered("{origin}/s?q={query|urlencode}"), "origin:/s?q=A%20b%2F%C3%BC");
  EXPECT_EQ(rendered("{query|urlencode_plus}"), "A+b%2F%C3%BC");
  EXPECT_EQ(rendered("{query|plus}"), "A+b/ü");
  EXPECT_EQ(rendered("{query|lower|slug}"), "a-b-ü");
  EXPECT_EQ(rendered("{ vars.id }{item.x}{chapter.y}"), "vars:iditem:xchapter:y");
}

TEST(TemplateTest, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(rendered("{nope}"), "there is no placeholder {nope}");
  EXPECT_EQ(rendered("{origin.x}"), "there is no placeholder {origin.x}");
  EXPECT_EQ(rendered("{vars}"), "there is no placeholder {vars}");
  EXPECT_EQ(rendered("{query|upper}"), "there is no filter 'upper' (plus, urlencode, urlencode_plus, lower, slug)");
  EXPECT_EQ(rendered("a{b"), "'{' is not closed");
}

}  // namespace
}  // namespace jobhost::novel
