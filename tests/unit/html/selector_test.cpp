#include "support/html/selector.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "support/common/failure.hpp"
#include "support/html/parse.hpp"

namespace jobhost::support::html {
namespace {

constexpr const char* kPage =
    R"(<html lang=en id=h><head id=hd><script id=s1>var chapImages = 1;</script></head><body id=b>
<div id=d1 class="box big"><h2 id=t1>Title</h2><p id=p1>one <a id=a1 href="/chapters/1">First</a></p><p id=p2></p><p id=p3>Author: Me</p></div>
<div id=d2 class="BOX" lang=pt-BR><ul id=u1><li id=l1>1</li><li id=l2 class=x>2</li><li id=l3>3<ul id=u2><li id=l4>4</li></ul></li></ul>
<input id=i1 type=TEXT disabled><input id=i2 type=checkbox checked><a id=a2 name=n>No address</a></div>
<span id=sp1 data-v="a-b" title="Hello World">s</span><em id=e1 data-v="a"></em><span id="sp:2">t</span></body></html>)";

std::string ids(const Document& document, const Node& scope, const std::string& selector) {
  std::string out;
  for (const Node* node : Selector::parse(selector).select(document, scope)) {
    const std::string* id = node->attribute("id");
    out += (out.empty() ? "" : " ") + (id == nullptr ? "?" : *id);
  }
  return out;
}

std::string idsIn(const std::string& html, const std::string& selector) {
  const Document document = parse(html);
  return ids(document, document.root(), selector);
}

struct Case {
  const char* name;
  const char* selector;
  const char* ids;
};

class Selectors : public testing::TestWithParam<Case> {};

TEST_P(Selectors, FindWhatTheyName) {
  EXPECT_EQ(idsIn(kPage, GetParam().selector), GetParam().ids) << GetParam().selector;
}

INSTANTIATE_TEST_SUITE_P(
    All, Selectors,
    testing::Values(
        Case{"Type", "h2", "t1"}, Case{"TypeInAnyCase", "H2", "t1"}, Case{"Universal", "#u2 *", "l4"},
        Case{"Id", "#d1", "d1"}, Case{"EscapedId", "#sp\\:2", "sp:2"}, Case{"HexEscape", "#sp\\3a 2", "sp:2"},
        Case{"ClassCaseCounts", ".box", "d1"}, Case{"TwoClasses", ".box.big", "d1"},
        Case{"List", "h2, em,#i1", "t1 i1 e1"}, Case{"HasAttribute", "[data-v]", "sp1 e1"},
        Case{"AttributeEquals", "[data-v=a]", "e1"}, Case{"AttributeQuoted", "[title='Hello World']", "sp1"},
        Case{"AttributeWord", "[title~=World]", "sp1"}, Case{"AttributeDash", "[lang|=pt]", "d2"},
        Case{"AttributePrefix", "a[href^='/chap']", "a1"}, Case{"AttributeSuffix", "[href$='/1']", "a1"},
        Case{"AttributeSubstring", "[href*=apter]", "a1"}, Case{"AttributeEmptyMatchesNothing", "[href*='']", ""},
        Case{"AttributeIgnoringCase", "[title^=hello i]", "sp1"}, Case{"TypeIgnoresCase", "[type=text]", "i1"},
        Case{"Descendant", "div a", "a1 a2"}, Case{"Child", "body > span", "sp1 sp:2"},
        Case{"ChildOfList", "#u1>li", "l1 l2 l3"}, Case{"Next", "h2 + p", "p1"}, Case{"Later", "h2 ~ p", "p1 p2 p3"},
        Case{"LaterAndDeeper", "#l1 ~ li li", "l4"}, Case{"FirstChild", "li:first-child", "l1 l4"},
        Case{"LastChild", "#u1 > li:last-child", "l3"}, Case{"OnlyChild", "li:only-child", "l4"},
        Case{"NthChildOdd", "#u1>li:nth-child(odd)", "l1 l3"},
        Case{"NthChildFormula", "#u1>li:nth-child( 2n + 1 )", "l1 l3"}, Case{"NthChildNumber", "li:nth-child(2)", "l2"},
        Case{"NthChildNegative", "#u1>li:nth-child(-n+2)", "l1 l2"},
        Case{"NthLastChild", "#u1>li:nth-last-child(1)", "l3"}, Case{"NthOfType", "p:nth-of-type(2)", "p2"},
        Case{"NthLastOfType", "p:nth-last-of-type(3)", "p1"}, Case{"FirstOfType", "p:first-of-type", "p1"},
        Case{"LastOfType", "#d1 p:last-of-type", "p3"}, Case{"OnlyOfType", "em:only-of-type", "e1"},
        Case{"Empty", "p:empty", "p2"}, Case{"Root", ":root", "h"}, Case{"Link", "a:link", "a1"},
        Case{"Visited", "a:visited", ""}, Case{"Lang", "li:lang(pt)", "l1 l2 l3 l4"},
        Case{"Disabled", ":disabled", "i1"}, Case{"Enabled", "input:enabled", "i2"}, Case{"Checked", ":checked", "i2"},
        Case{"Not", "#u1 > li:not(.x)", "l1 l3"}, Case{"NotList", "li:not(.x, #l1)", "l3 l4"},
        Case{"NotWithAncestor", "li:not(ul ul li)", "l1 l2 l3"}, Case{"Is", ":is(h2, em)", "t1 e1"},
        Case{"IsWithAncestor", ":is(#d2 ul) > .x", "l2"}, Case{"Where", ":where(em)", "e1"},
        Case{"Has", "div:has(h2)", "d1"}, Case{"HasChild", "li:has(> ul)", "l3"}, Case{"HasNext", "li:has(+ .x)", "l1"},
        Case{"HasLater", "h2:has(~ p:empty)", "t1"}, Case{"HasChain", "div:has(ul li > ul)", "d2"},
        Case{"HasNextAndDeeper", "li:has(+ li > ul)", "l2"}, Case{"HasList", "div:has(em, .x)", "d2"},
        Case{"HasDoesNotLookAbove", "ul:has(div li)", ""}, Case{"HasInHas", "body:has(div:has(> h2))", "b"},
        Case{"NotHas", "ul:not(:has(ul))", "u2"}, Case{"Contains", "p:-soup-contains('Author:')", "p3"},
        Case{"ContainsCaseCounts", "p:-soup-contains('author:')", ""},
        Case{"ContainsDescendants", "div:-soup-contains(\"First\")", "d1"},
        Case{"ContainsScript", "script:-soup-contains('var chapImages')", "s1"},
        Case{"ContainsAnyOf", "li:-soup-contains('1', '2')", "l1 l2"}, Case{"Scope", ":scope > body", "b"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Selector, WhatIsAboveTheScopeCounts) {
  const Document document = parse(kPage);
  const Node* list = Selector::parse("#u1").first(document, document.root());
  ASSERT_NE(list, nullptr);
  EXPECT_EQ(ids(document, *list, "#d2 .x"), "l2");
  EXPECT_EQ(ids(document, *list, "#u1 > .x"), "l2");
  EXPECT_EQ(ids(document, *list, "ul li"), "l1 l2 l3 l4");
  EXPECT_EQ(ids(document, *list, ":scope > li"), "l1 l2 l3");
  EXPECT_EQ(ids(document, *list, "#u1"), "");
}

TEST(Selector, TheScopeOfAFragmentIsItsRoot) {
  const Document document = parseFragment("<div id=a><div id=b></div></div><div id=c></div>");
  EXPECT_EQ(ids(document, document.root(), ":scope > div"), "a c");
  EXPECT_EQ(ids(document, document.root(), "div:first-child"), "a b");
}

TEST(Selector, StopsAtTheNumberAskedFor) {
  const Document document = parse(kPage);
  EXPECT_EQ(Selector::parse("li").select(document, document.root(), 2).size(), 2u);
}

struct BadCase {
  const char* name;
  const char* selector;
  const char* reason;
};

class BadSelectors : public testing::TestWithParam<BadCase> {};

TEST_P(BadSelectors, AreRefusedWithAReason) {
  try {
    Selector::parse(GetParam().selector);
    FAIL() << "was taken";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.kind(), FailureKind::BadInput);
    EXPECT_NE(std::string(failure.what()).find(GetParam().reason), std::string::npos) << failure.what();
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, BadSelectors,
    testing::Values(
        BadCase{"Nothing", "", "ends too early at character 1"}, BadCase{"OpenBracket", "a[href", "expected"},
        BadCase{"OpenQuote", "a[href='x]", "not closed"}, BadCase{"LoneCombinator", "> a", "unexpected '>'"},
        BadCase{"TrailingCombinator", "a >", "ends too early"}, BadCase{"TrailingComma", "a,", "ends too early"},
        BadCase{"Unknown", "a:nope", ":nope is not known"}, BadCase{"PseudoElement", "p::before", "pseudo-elements"},
        BadCase{"BadNumber", "a:nth-child(x)", "expected a number"}, BadCase{"ClassOfDigits", ".1a", "expected a name"},
        BadCase{"Namespace", "svg|a", "namespaces"}, BadCase{"EmptyNot", "a:not()", "unexpected ')'"},
        BadCase{"Rubbish", "a{b}", "unexpected '{'"}),
    [](const auto& tested) { return std::string(tested.param.name); });

std::string limitOf(const std::string& selector) {
  try {
    Selector::parse(selector);
  } catch (const Failure& failure) {
    return failure.code();
  }
  return "none";
}

TEST(Selector, HasLimitsOfItsOwn) {
  EXPECT_EQ(limitOf("a" + std::string(5000, 'a')), "selector.limit");
  std::string chain = "a", list = "a", nested;
  for (int i = 0; i < 100; ++i) chain += " a", list += ",a";
  for (int i = 0; i < 20; ++i) nested += ":not(";
  nested += "a" + std::string(20, ')');
  EXPECT_EQ(limitOf(chain), "selector.limit");
  EXPECT_EQ(limitOf(list), "selector.limit");
  EXPECT_EQ(limitOf(nested), "selector.limit");
}

// Backtracking over these would try some depth^20 ways.
TEST(Selector, ManyDescendantsStayCheap) {
  std::string page, selector = "i";
  for (int i = 0; i < 200; ++i) page += "<div>";
  for (int i = 0; i < 20; ++i) selector = "div " + selector;
  selector = "u " + selector;  // which is not there, so that every way is tried
  const Document document = parse(page + "<i>x</i>");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(Selector::parse(selector).select(document, document.root(), 0, {.steps = 100'000}).empty());
  EXPECT_TRUE(
      Selector::parse("div:has(div:has(div:has(b)))").select(document, document.root(), 0, {.steps = 500'000}).empty());
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(Selector, LongListsStayCheap) {
  std::string page = "<ul>";
  for (int i = 0; i < 20'000; ++i) page += "<li>x";
  const Document document = parse(page);
  EXPECT_EQ(Selector::parse("li:nth-last-child(2n)").select(document, document.root(), 0, {.steps = 400'000}).size(),
            10'000u);
  EXPECT_EQ(Selector::parse("b ~ li").select(document, document.root(), 0, {.steps = 400'000}).size(), 0u);
}

TEST(Selector, GivesUpWhenItTakesTooLong) {
  std::string page;
  for (int i = 0; i < 3000; ++i) page += "<div><p>text</p></div>";
  const Document document = parse(page);
  try {
    (void)Selector::parse("div:-soup-contains('nothing')").select(document, document.root(), 0, {.steps = 1000});
    FAIL() << "was not stopped";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), "selector.steps");
  }
}

}  // namespace
}  // namespace jobhost::support::html
