#include "pool/redaction.hpp"

#include <gtest/gtest.h>

#include "core/json_text.hpp"

namespace jobhost::pool {
namespace {

TEST(Redaction, TakesSecretsOutOfText) {
  const Redaction redaction({"s3cret-token"});
  EXPECT_EQ(redaction.text("a s3cret-token and s3cret-token"), "a [secret] and [secret]");
  EXPECT_EQ(redaction.text("s3cret-toke"), "s3cret-toke");
  EXPECT_EQ(redaction.text(""), "");
}

TEST(Redaction, TakesTheLongerSecretFirst) {
  const Redaction redaction({"abcd", "abcdefgh"});
  EXPECT_EQ(redaction.text("abcdefgh abcd"), "[secret] [secret]");
}

TEST(Redaction, LeavesTextAloneWithoutSecretsOrWithTinyOnes) {
  EXPECT_TRUE(Redaction().empty());
  EXPECT_TRUE(Redaction({"", "a", "abc"}).empty());
  EXPECT_EQ(Redaction().text("as it was"), "as it was");
}

TEST(Redaction, FindsASecretAsJsonSpellsIt) {
  const std::string secret = "pass\"word\\with\ttricks";
  const Redaction redaction({secret});
  const auto clean = redaction.json("{\"token\":" + core::quoteJson("x" + secret + "y") + "}");
  EXPECT_EQ(clean, R"({"token":"x[secret]y"})");
}

TEST(Redaction, KnowsEachLineOfASecretOfSeveralLines) {
  const Redaction redaction({"-----BEGIN KEY-----\nMIIEvQIBADAN\r\nend0"});
  EXPECT_EQ(redaction.text("line MIIEvQIBADAN"), "line [secret]");
  EXPECT_EQ(redaction.text("end0"), "[secret]");
}

TEST(Redaction, KeepsAJsonValueAJsonValue) {
  const Redaction redaction({"12345678"});
  EXPECT_EQ(redaction.json(R"({"pin":"12345678"})"), R"({"pin":"[secret]"})");
  EXPECT_EQ(redaction.json(R"({"pin":12345678})"), R"("[secret]")");
  EXPECT_EQ(redaction.json("12345678"), R"("[secret]")");
  EXPECT_EQ(redaction.json("[1,2]"), "[1,2]");
}

TEST(Redaction, EndsWhenASecretLooksLikeItsReplacement) {
  const Redaction redaction({"[secret]", "secret"});
  EXPECT_EQ(redaction.text("a secret"), "a [secret]");
}

}  // namespace
}  // namespace jobhost::pool
