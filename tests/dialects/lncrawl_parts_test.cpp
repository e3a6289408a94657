// The parts below the lncrawl routes: ids, tokens, credentials.
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <limits>
#include <random>
#include <set>

#include <sys/stat.h>

#include "api/auth/first_start.hpp"
#include "api/encoding.hpp"
#include "api/lncrawl/job_uuid.hpp"
#include "api/lncrawl/tokens.hpp"
#include "dialects/api_host.hpp"

namespace jobhost::test {
namespace {

using api::lncrawl::JobUuids;
using api::lncrawl::Tokens;
using namespace std::chrono_literals;

TEST(LncrawlJobUuids, AreUuidsOfVersion4AndComeBackAsTheNumber) {
  const JobUuids ids("key");
  std::set<std::string> seen;
  for (const std::int64_t number :
       {std::int64_t{1}, std::int64_t{2}, std::int64_t{1000}, std::int64_t{1} << 58, (std::int64_t{1} << 61) - 1,
        std::int64_t{1} << 61, std::int64_t{3} << 61, std::numeric_limits<std::int64_t>::max()}) {
    const auto text = ids.spell({number});
    ASSERT_EQ(text.size(), 36U);
    for (const std::size_t at : {8U, 13U, 18U, 23U}) EXPECT_EQ(text[at], '-') << text;
    EXPECT_EQ(text[14], '4') << text;
    EXPECT_NE(std::string("89ab").find(text[19]), std::string::npos) << text;
    EXPECT_TRUE(seen.insert(text).second) << text;
    ASSERT_TRUE(ids.read(text)) << text;
    EXPECT_EQ(ids.read(text)->value, number);
    EXPECT_EQ(ids.spell({number}), text) << "a number has one id";
  }
}

TEST(LncrawlJobUuids, OfAnotherKeyOrChangedAreNobodys) {
  const JobUuids ids("key"), others("another");
  EXPECT_FALSE(others.read(ids.spell({7})));
  const auto text = ids.spell({7});
  int read = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const char c : {'0', '1', '7', 'f', 'A', '-', 'g'}) {
      auto other = text;
      other[at] = c;
      if (other != text && ids.read(other)) ++read;
    }
  }
  EXPECT_EQ(read, 0) << "every bit of an id counts";
  for (const std::string wrong :
       {"", "7", "5b0c7f0e-6a0f-4a35-9a34-3e0a3f1c9d11", "00000000-0000-4000-8000-000000000000"}) {
    EXPECT_FALSE(ids.read(wrong)) << wrong;
  }
  EXPECT_FALSE(ids.read(text + "0"));
  std::string upper = text;
  for (auto& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  EXPECT_TRUE(upper == text || !ids.read(upper));
}

store::User somebody() {
  store::User user;
  user.id = "u1";
  user.name = "somebody";
  user.role = "admin";
  user.tier = 7;
  user.password = "$argon2id$1";
  return user;
}

TEST(LncrawlTokens, SayWhoAndUntilWhenAndEndThen) {
  const core::ManualClock clock;
  const Tokens tokens("key", 1h);
  const auto text = tokens.issue(somebody(), clock.now());
  const auto first = text.find('.'), last = text.rfind('.');
  auto payload = text.substr(first + 1, last - first - 1);
  while (payload.size() % 4 != 0) payload += '=';
  const auto claims = api::fromBase64(payload);
  ASSERT_TRUE(claims);
  const auto end = core::toMicros(clock.now() + 1h) / 1'000'000;
  EXPECT_EQ(claims->find(R"({"sub":"u1","scopes":["admin",2],"exp":)" + std::to_string(end) + ","), 0U) << *claims;
  const auto read = tokens.read(text, clock.now());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->user, "u1");
  EXPECT_EQ(read->version, tokens.versionOf(somebody()));
  EXPECT_TRUE(tokens.read(text, clock.now() + 59min));
  EXPECT_FALSE(tokens.read(text, clock.now() + 1h));
}

TEST(LncrawlTokens, HoldForTheUserAsItWas) {
  const Tokens tokens("key", 1h);
  const auto version = tokens.versionOf(somebody());
  auto user = somebody();
  user.tier = 0;
  user.name = "renamed";
  EXPECT_EQ(tokens.versionOf(user), version);
  user.password += "2";
  EXPECT_NE(tokens.versionOf(user), version);
  user = somebody();
  user.role = "user";
  EXPECT_NE(tokens.versionOf(user), version);
}

TEST(LncrawlTokens, ThatWereChangedOrForgedAreNone) {
  const core::ManualClock clock;
  const Tokens tokens("key", 1h), others("another", 1h);
  const auto text = tokens.issue(somebody(), clock.now());
  EXPECT_FALSE(others.read(text, clock.now()));
  for (std::size_t at = 0; at + 1 < text.size(); ++at) {  // the last character has bits that mean nothing
    auto other = text;
    other[at] = other[at] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(tokens.read(other, clock.now())) << at;
  }
  const auto body = text.substr(text.find('.'), text.rfind('.') - text.find('.'));
  const std::string none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";  // {"alg":"none","typ":"JWT"}
  for (const auto& wrong : {std::string(), std::string("."), std::string(".."), std::string("a.b.c"), none + body + ".",
                            text.substr(0, text.rfind('.')), text + "."}) {
    EXPECT_FALSE(tokens.read(wrong, clock.now())) << wrong;
  }
}

class LncrawlAuth : public testing::Test {
 protected:
  Answer login(const std::string& name, const std::string& password) {
    return host_.bare("POST", "/api/auth/login", R"({"email":")" + name + R"(","password":")" + password + R"("})");
  }
  std::string bearer(const std::string& name) {
    const auto answer = login(name, "correct horse " + name);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return "Authorization: Bearer " + memberOf(answer.body, "token") + "\r\n";
  }
  static std::string basic(const std::string& name, const std::string& password) {
    return "Authorization: Basic " + api::toBase64(name + ":" + password) + "\r\n";
  }
  Answer me(const std::string& headers) { return host_.bare("GET", "/api/auth/me", "", headers); }

  ApiHost host_;
};

TEST_F(LncrawlAuth, Item1LoginGivesATokenAndBasicDoesToo) {
  const auto id = host_.addUser("ann", "admin");
  const auto answer = login("ann", "correct horse ann");
  ASSERT_EQ(answer.status, 200) << answer.body;
  const auto user = R"("user":{"id":")" + id + R"(","created_at":)";
  EXPECT_NE(answer.body.find(user), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find(R"("extra":{},"referrer_id":null,"email":"ann","name":"ann","role":"admin","tier":0,)"
                             R"("is_active":true,"is_verified":true}})"),
            std::string::npos)
      << answer.body;
  const auto by_token = me("Authorization: Bearer " + memberOf(answer.body, "token") + "\r\n");
  EXPECT_EQ(by_token.status, 200);
  EXPECT_EQ(memberOf(by_token.body, "id"), id);
  EXPECT_EQ(me(basic("ann", "correct horse ann")).body, by_token.body);
  EXPECT_EQ(me(basic("ANN", "correct horse ann")).body, by_token.body);
}

TEST_F(LncrawlAuth, Item1WithoutCredentialsIsRefusedInOneShape) {
  host_.addUser("ann");
  const std::string refused = R"({"error":"Unauthorized","detail":null})";
  for (const auto& headers :
       {std::string(), std::string("Authorization: Bearer x\r\n"), std::string("Authorization: Basic !\r\n"),
        std::string("Authorization: Digest x\r\n"), basic("ann", "wrong"), basic("nobody", "wrong"),
        "Authorization: Bearer " + host_.adminKey() + "\r\n"}) {
    const auto answer = me(headers);
    EXPECT_EQ(answer.status, 401) << headers;
    EXPECT_EQ(answer.body, refused) << headers;
    EXPECT_EQ(answer.headers.count("www-authenticate"), 0U);
  }
  EXPECT_EQ(login("ann", "wrong").body, refused);
  EXPECT_EQ(login("nobody", "wrong").status, 404);
  EXPECT_EQ(login("nobody", "wrong").body, R"({"error":"No such user","detail":null})");
  const auto missing = host_.bare("POST", "/api/auth/login", R"({"email":7})");
  EXPECT_EQ(missing.status, 422);
  EXPECT_EQ(
      missing.body,
      R"({"detail":[{"type":"string_type","loc":["body","email"],"msg":"Input should be a valid string","input":7},)"
      R"({"type":"missing","loc":["body","password"],"msg":"Field required","input":{"email":7}}]})");
  const auto secret = host_.bare("POST", "/api/auth/login", R"({"password":"correct horse"})");
  EXPECT_EQ(secret.status, 422);
  EXPECT_EQ(secret.body.find("correct horse"), std::string::npos) << secret.body;
  const auto far = host_.bare("POST", "/api/auth/login", R"({"email":1e999,"password":"x"})");
  EXPECT_NE(far.body.find(R"("input":"1e999")"), std::string::npos) << "no reader can hold that number: " << far.body;
  const auto longer = host_.bare("POST", "/api/auth/login", R"({"email":[")" + std::string(5000, 'x') + R"("]})");
  EXPECT_LT(longer.body.size(), 4000U);
}

TEST_F(LncrawlAuth, EndsWithPasswordRoleAndUser) {
  int users = 0;
  for (const std::string change :
       {R"({"password":"another horse"})", R"({"role":"viewer"})", R"({"disabled":true})", ""}) {
    const auto name = "u" + std::to_string(++users);
    const auto id = host_.addUser(name);
    const auto token = bearer(name), password = basic(name, "correct horse " + name);
    EXPECT_EQ(me(token).status, 200);
    EXPECT_EQ(me(password).status, 200);
    const auto done = change.empty() ? host_.call("DELETE", "/api/v1/users/" + id)
                                     : host_.call("PATCH", "/api/v1/users/" + id, change);
    ASSERT_LT(done.status, 300) << done.body;
    EXPECT_EQ(me(token).status, 401) << change;
    const bool disabled = change.find("disabled") != std::string::npos;
    const bool demoted = change.find("role") != std::string::npos;
    EXPECT_EQ(me(password).status, demoted ? 200 : disabled ? 403 : 401) << change;
  }
}

TEST_F(LncrawlAuth, GuessesAreSlowedDownAndRightPasswordsRemembered) {
  host_.addUser("ann");
  for (int i = 0; i < 100; ++i) EXPECT_EQ(me(basic("ann", "correct horse ann")).status, 200) << i;
  int refused = 0;
  for (int i = 0; i < 8; ++i) {
    const auto answer = me(basic("ann", "guess " + std::to_string(i)));
    if (answer.status != 429) continue;
    ++refused;
    EXPECT_NE(answer.headers.find("retry-after"), answer.headers.end());
  }
  EXPECT_GT(refused, 0);
  EXPECT_EQ(login("ann", "correct horse ann").status, 429);
}

TEST_F(LncrawlAuth, UnknownPathsAndMethodsAnswerAsUpstreamsFrameworkDoes) {
  const auto unknown = host_.bare("GET", "/api/auth/nothing");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.body, R"({"detail":"Not Found"})");
  const auto method = host_.bare("DELETE", "/api/auth/me");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.body, R"({"detail":"Method Not Allowed"})");
  EXPECT_EQ(method.headers.at("allow"), "GET");
  EXPECT_NE(host_.bare("GET", "/api/nothing").body.find("\"errors\""), std::string::npos) << "minion's";
  api::ServerOptions options;
  options.minion.enabled = false;
  ApiHost alone(options);
  EXPECT_EQ(alone.bare("GET", "/api/nothing").body, R"({"detail":"Not Found"})");
  EXPECT_EQ(alone.bare("GET", "/api/v1/nothing").headers.at("content-type"), "application/problem+json");
}

TEST_F(LncrawlAuth, PagesOfAnyOriginMayCall) {
  const auto asked = host_.bare("OPTIONS", "/api/auth/login", "",
                                "Origin: http://a.example\r\nAccess-Control-Request-Method: POST\r\n"
                                "Access-Control-Request-Headers: authorization,content-type\r\n");
  EXPECT_EQ(asked.status, 200);
  EXPECT_EQ(asked.headers.at("access-control-allow-origin"), "http://a.example");
  EXPECT_EQ(asked.headers.at("access-control-allow-headers"), "authorization,content-type");
  EXPECT_EQ(me("Origin: http://a.example\r\n").headers.at("access-control-allow-origin"), "http://a.example");
  EXPECT_EQ(host_.bare("GET", "/api/ping").body, R"("pong")");
  EXPECT_EQ(host_.bare("GET", "/api/ping").headers.count("access-control-allow-origin"), 0U);
}

TEST(LncrawlSecret, IsMadeOnceAndKeptPrivate) {
  auto pattern = (std::filesystem::temp_directory_path() / "jobhost-secret-XXXXXX").string();
  const std::filesystem::path folder = ::mkdtemp(pattern.data());
  const auto made = api::ensureSecret(folder, "a.key");
  ASSERT_TRUE(made);
  EXPECT_EQ(made->size(), 32U);
  struct stat status {};
  ASSERT_EQ(::stat((folder / "keys" / "a.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(*api::ensureSecret(folder, "a.key"), *made);
  EXPECT_NE(*api::ensureSecret(folder, "b.key"), *made);
  std::ofstream(folder / "keys" / "a.key") << "damaged";
  const auto damaged = api::ensureSecret(folder, "a.key");
  ASSERT_FALSE(damaged);
  EXPECT_NE(damaged.error().message.find("damaged"), std::string::npos);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace jobhost::test
