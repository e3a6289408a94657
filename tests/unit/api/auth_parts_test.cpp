// The pieces of authentication, each by itself: hashes, budgets, waits, cookies, addresses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <random>
#include <thread>
#include <vector>

#include "api/auth/client_address.hpp"
#include "api/auth/cookies.hpp"
#include "api/auth/login_throttle.hpp"
#include "api/places.hpp"
#include "api/auth/password_hasher.hpp"
#include "api/auth/principal.hpp"
#include "api/auth/secrets.hpp"
#include "api/auth/token_bucket.hpp"

namespace jobhost::api {
namespace {

using namespace std::chrono_literals;

PasswordHasher::Options cheap(int parallel = 2, int queue = 16) {
  return {{64, 1, 1}, parallel, queue};
}

TEST(PasswordHasher, KnowsThePasswordAgainAndNoOther) {
  PasswordHasher hasher(cheap());
  const auto hash = hasher.hash("correct horse");
  ASSERT_TRUE(hash);
  EXPECT_TRUE(hash->starts_with("$argon2id$v=19$m=64,t=1,p=1$")) << *hash;
  EXPECT_FALSE(hash->ends_with('=')) << "PHC strings have no padding: " << *hash;
  EXPECT_TRUE(*hasher.verify("correct horse", *hash));
  EXPECT_FALSE(*hasher.verify("correct hors", *hash));
  EXPECT_FALSE(*hasher.verify("", *hash));
  EXPECT_FALSE(*hasher.verify(std::string("correct horse\0", 14), *hash));
  EXPECT_NE(*hasher.hash("correct horse"), *hash) << "each has its own salt";
}

// Made with the reference library's own encoder: "correct horse", salt "somesalt1234", t=2, m=512, p=1.
TEST(PasswordHasher, ChecksHashesThatOthersMade) {
  PasswordHasher hasher(cheap());
  const std::string theirs =
      "$argon2id$v=19$m=512,t=2,p=1$c29tZXNhbHQxMjM0$r04DG1jhhuPldWkb3TapboyjRcmo+HqBt8rFph1PuO4";
  EXPECT_TRUE(*hasher.verify("correct horse", theirs));
  EXPECT_FALSE(*hasher.verify("correct house", theirs));
}

TEST(PasswordHasher, TellsAHashOfAnotherCost) {
  PasswordHasher hasher(cheap());
  const auto hash = hasher.hash("x");
  EXPECT_FALSE(hasher.outdated(*hash));
  EXPECT_TRUE(PasswordHasher({{128, 1, 1}, 1, 1}).outdated(*hash));
  EXPECT_TRUE(PasswordHasher({{64, 2, 1}, 1, 1}).outdated(*hash));
  EXPECT_TRUE(hasher.outdated("nonsense"));
}

TEST(PasswordHasher, RefusesWhatIsNoHashOrCostsBeyondReason) {
  PasswordHasher hasher(cheap());
  const auto good = *hasher.hash("x");
  const auto with = [&](const std::string& from, const std::string& to) {
    auto text = good;
    return text.replace(text.find(from), from.size(), to);
  };
  for (const auto& text :
       {std::string(), std::string("$"), with("argon2id", "argon2i"), with("v=19", "v=16"),
        with("m=64", "m=4294967295"), with("t=1", "t=0"), with("p=1", "p=1000"), with("m=64", "m=-64"), good + "=",
        good.substr(0, good.rfind('$')), good + "$x", with("m=64,", "")}) {
    EXPECT_FALSE(parsePhc(text)) << text;
    EXPECT_EQ(hasher.verify("x", text).error().code, core::ErrorCode::Internal);
  }
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    auto text = good;
    for (int n = 0; n < 3; ++n) text[random() % text.size()] = static_cast<char>(random() % 128);
    const auto phc = parsePhc(text);
    EXPECT_TRUE(!phc || phc->cost.memory_kib <= 1U << 20);
  }
}

TEST(PasswordHasher, SendsAwayWhomItHasNoRoomFor) {
  // One hash at once and one that waits: of many at the same moment at least those two are served.
  PasswordHasher hasher({{8192, 3, 1}, 1, 1});
  constexpr int kCallers = 12;
  std::barrier together(kCallers);
  std::atomic<int> served{0}, refused{0};
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < kCallers; ++i) {
      callers.emplace_back([&] {
        together.arrive_and_wait();
        const auto hash = hasher.hash("x");
        if (hash) ++served;
        if (!hash && hash.error().code == core::ErrorCode::Exhausted) ++refused;
      });
    }
  }
  EXPECT_EQ(served + refused, kCallers);
  EXPECT_GE(served, 2);
  EXPECT_GE(refused, 1);
  EXPECT_TRUE(hasher.hash("x")) << "there is room again";
}

TEST(PasswordHasher, KnowsTheFloorOfOwasp) {
  EXPECT_TRUE(meetsOwaspFloor(HashCost{}));
  EXPECT_TRUE(meetsOwaspFloor({47'104, 1, 1}));
  EXPECT_TRUE(meetsOwaspFloor({7'168, 5, 1}));
  EXPECT_FALSE(meetsOwaspFloor({19'455, 2, 1}));
  EXPECT_FALSE(meetsOwaspFloor({19'456, 1, 1}));
  EXPECT_FALSE(meetsOwaspFloor({7'167, 64, 1}));
}

TEST(TokenBucket, LetsABurstThroughAndThenSoManyAMinute) {
  core::ManualClock clock;
  TokenBucket bucket(60, 3, clock.steadyNow());
  for (int left = 2; left >= 0; --left) {
    const auto taken = bucket.take(clock.steadyNow());
    EXPECT_TRUE(taken.allowed);
    EXPECT_EQ(taken.remaining, left);
    EXPECT_EQ(taken.limit, 3);
  }
  const auto refused = bucket.take(clock.steadyNow());
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after_s, 1);
  EXPECT_EQ(refused.reset_s, 3);
  clock.advance(999ms);
  EXPECT_FALSE(bucket.take(clock.steadyNow()).allowed);
  clock.advance(1ms);
  EXPECT_TRUE(bucket.take(clock.steadyNow()).allowed);
  EXPECT_FALSE(bucket.take(clock.steadyNow()).allowed);
  clock.advance(1h);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(clock.steadyNow()).allowed);
  EXPECT_FALSE(bucket.take(clock.steadyNow()).allowed) << "it holds no more than the burst";
}

TEST(TokenBucket, GivesNoMoreToManyThreads) {
  core::ManualClock clock;
  TokenBucket bucket(1, 500, clock.steadyNow());
  std::atomic<int> allowed{0};
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 4; ++i) {
      callers.emplace_back([&] {
        for (int n = 0; n < 1000; ++n) allowed += bucket.take(clock.steadyNow()).allowed ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(allowed, 500);
}

class Throttle : public testing::Test {
 protected:
  using End = LoginThrottle::End;
  bool fails(const std::string& name = "ada", const std::string& address = "192.0.2.1") {
    if (throttle.begin(name, address)) return false;
    throttle.ended(name, address, End::Wrong);
    return true;
  }
  core::Millis wait(const std::string& name = "ada", const std::string& address = "192.0.2.1") {
    const auto blocked = throttle.begin(name, address);
    if (!blocked) throttle.ended(name, address, End::NotTried);
    return blocked.value_or(0ms);
  }
  core::ManualClock clock;
  LoginThrottle throttle{
      {.failures = 3, .address_failures = 6, .backoff = 1s, .backoff_max = 10s, .forget = 1h, .entries = 50}, clock};
};

TEST_F(Throttle, WaitsTwiceAsLongAfterEachFailureUpToALimit) {
  LoginThrottle patient({.failures = 3, .address_failures = 1000, .backoff = 1s, .backoff_max = 10s}, clock);
  const auto fail = [&] {
    ASSERT_FALSE(patient.begin("ada", "192.0.2.1"));
    patient.ended("ada", "192.0.2.1", End::Wrong);
  };
  for (int i = 0; i < 3; ++i) fail();
  for (const core::Millis expected : {1s, 2s, 4s, 8s, 10s, 10s}) {
    EXPECT_EQ(patient.begin("ada", "192.0.2.1"), expected);
    clock.advance(expected - 1ms);
    EXPECT_EQ(patient.begin("ada", "192.0.2.1"), 1ms);
    clock.advance(1ms);
    fail();
  }
}

TEST_F(Throttle, ARightPasswordClearsTheNameAndNotTheAddress) {
  fails(), fails();
  ASSERT_FALSE(throttle.begin("ada", "192.0.2.1"));
  throttle.ended("ada", "192.0.2.1", End::Right);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(fails()) << i;
  EXPECT_GT(wait(), 0ms);
  EXPECT_EQ(wait("bob"), 0ms);
  EXPECT_TRUE(fails("bob"));
  EXPECT_GT(wait("carol"), 0ms) << "six failures of one address";
  EXPECT_EQ(wait("carol", "192.0.2.2"), 0ms);
}

TEST_F(Throttle, OneAddressDoesNotLockANameOutElsewhere) {
  for (int i = 0; i < 3; ++i) fails();
  EXPECT_GT(wait(), 0ms);
  EXPECT_EQ(wait("ada", "192.0.2.9"), 0ms);
}

TEST_F(Throttle, LetsOneAttemptAtATimeThroughOnceItHasFailed) {
  for (int i = 0; i < 3; ++i) fails();
  clock.advance(1s);
  ASSERT_FALSE(throttle.begin("ada", "192.0.2.1"));
  EXPECT_GT(wait(), 0ms) << "a second one at the same time";
  throttle.ended("ada", "192.0.2.1", End::Wrong);
  EXPECT_EQ(wait(), 2s);
}

TEST_F(Throttle, ForgetsInTimeAndNotWhenTheWallClockJumps) {
  for (int i = 0; i < 3; ++i) fails();
  clock.jump(24h);
  EXPECT_EQ(wait(), 1s);
  clock.advance(1h + 1s);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(fails()) << i;
}

TEST_F(Throttle, ABurstBuysNoMoreGuessesThanOneAfterTheOther) {
  LoginThrottle crowd({.failures = 5, .at_once = 100}, clock);
  int let_in = 0;
  for (int i = 0; i < 40; ++i) let_in += crowd.begin("ada", "192.0.2.1") ? 0 : 1;
  EXPECT_EQ(let_in, 5);
  for (int i = 0; i < let_in; ++i) crowd.ended("ada", "192.0.2.1", End::Wrong);
  EXPECT_EQ(crowd.begin("ada", "192.0.2.1"), 1s);
}

TEST_F(Throttle, AnAddressHasFewAttemptsUnderWay) {
  for (const auto* name : {"ada", "bob"}) ASSERT_FALSE(throttle.begin(name, "2001:db8::1"));
  EXPECT_GT(wait("carol", "2001:db8::2"), 0ms) << "the same network";
  EXPECT_EQ(wait("carol", "2001:db8:0:1::1"), 0ms);
  throttle.ended("bob", "2001:db8::1", End::Right);
  EXPECT_EQ(wait("carol", "2001:db8::2"), 0ms);
  throttle.ended("ada", "2001:db8::1", End::NotTried);
}

TEST_F(Throttle, ANameIsGuessedAtFromManyNetworksOnlySlowly) {
  LoginThrottle wide({.failures = 3, .name_failures = 10, .backoff = 1s, .name_backoff_max = 4s}, clock);
  const auto from = [](int i) { return "2001:db8:0:" + std::to_string(i) + "::1"; };
  ASSERT_FALSE(wide.begin("ada", "192.0.2.1"));
  wide.ended("ada", "192.0.2.1", End::Right);
  for (int i = 0; i < 10; ++i) {
    ASSERT_FALSE(wide.begin("ada", from(i))) << i;
    wide.ended("ada", from(i), End::Wrong);
  }
  EXPECT_EQ(wide.begin("ada", from(10)), 1s) << "a fresh network is no fresh start";
  EXPECT_FALSE(wide.begin("bob", from(10)));
  wide.ended("bob", from(10), End::NotTried);
  for (const core::Millis expected : {1s, 2s, 4s, 4s}) {
    EXPECT_EQ(wide.begin("ada", from(11)), expected);
    EXPECT_FALSE(wide.begin("ada", "192.0.2.1")) << "she logged in from there";
    wide.ended("ada", "192.0.2.1", End::NotTried);
    clock.advance(expected);
    ASSERT_FALSE(wide.begin("ada", from(12)));
    wide.ended("ada", from(12), End::NotTried);
    ASSERT_FALSE(wide.begin("ada", from(20 + static_cast<int>(expected.count()))));
    wide.ended("ada", from(20 + static_cast<int>(expected.count())), End::Wrong);
  }
}

TEST_F(Throttle, WhoFloodsTheTableTakesNobodysFamiliarAddressAway) {
  LoginThrottle small({.failures = 3, .name_failures = 5, .at_once = 2, .entries = 50}, clock);
  ASSERT_FALSE(small.begin("ada", "192.0.2.1"));
  small.ended("ada", "192.0.2.1", End::Right);
  for (int i = 0; i < 200; ++i) {
    const auto address = "198.51.100." + std::to_string(i);
    if (!small.begin(i < 100 ? "n" + std::to_string(i) : "ada", address)) {
      small.ended(i < 100 ? "n" + std::to_string(i) : "ada", address, End::Wrong);
    }
  }
  EXPECT_TRUE(small.begin("ada", "203.0.113.1"));
  EXPECT_FALSE(small.begin("ada", "192.0.2.1"));
  small.ended("ada", "192.0.2.1", End::Right);
}

TEST_F(Throttle, RightPasswordsHaveABudgetToo) {
  LoginThrottle strict({.per_minute = 3}, clock);
  const auto logsIn = [&](const std::string& name, const std::string& address) {
    if (strict.begin(name, address)) return false;
    strict.ended(name, address, End::Right);
    return true;
  };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(logsIn("ada", "192.0.2.1")) << i;
  EXPECT_EQ(strict.begin("ada", "192.0.2.1"), 20s);
  EXPECT_TRUE(logsIn("bob", "192.0.2.1"));
  EXPECT_TRUE(logsIn("ada", "192.0.2.2"));
  clock.advance(20s);
  EXPECT_TRUE(logsIn("ada", "192.0.2.1"));
  EXPECT_FALSE(logsIn("ada", "192.0.2.1"));
}

TEST(SharedPlaces, GoToNobodyAloneAndComeBack) {
  Places places(3, 2);
  auto a1 = places.take("a"), a2 = places.take("a");
  ASSERT_TRUE(a1 && a2);
  EXPECT_EQ(places.room("a"), Places::Room::CallerFull);
  EXPECT_EQ(places.take("a"), nullptr);
  auto b1 = places.take("b");
  ASSERT_TRUE(b1);
  EXPECT_EQ(places.room("b"), Places::Room::Full);
  EXPECT_EQ(places.take("c"), nullptr);
  const auto copy = a2;
  a2.reset();
  EXPECT_EQ(places.take("c"), nullptr) << "a copy holds it";
  a1.reset();
  EXPECT_EQ(places.room("a"), Places::Room::Free);
  EXPECT_TRUE(places.take("c"));
}

TEST_F(Throttle, KeepsABoundedTable) {
  for (int i = 0; i < 3; ++i) fails("victim", "192.0.2.77");
  for (int i = 0; i < 200; ++i) fails("n" + std::to_string(i), "198.51.100." + std::to_string(i));
  EXPECT_LE(throttle.entriesForTest(), 50U);
  EXPECT_EQ(wait("victim", "192.0.2.77"), 0ms) << "the oldest went";
}

TEST_F(Throttle, AnEmptyNameIsNotTheAddressItself) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(fails(""));
  EXPECT_EQ(wait("ada"), 0ms);
}

TEST(AddressGroup, IsTheNetworkOneClientHasWhole) {
  EXPECT_EQ(addressGroup("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(addressGroup("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
  EXPECT_EQ(addressGroup("2001:db8:1:2::9"), "2001:db8:1:2::");
  EXPECT_EQ(addressGroup("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(addressGroup("nonsense:"), "nonsense:");
}

TEST(Cookies, AreFoundByName) {
  EXPECT_EQ(cookieValue("a=1; s=tok; b=2", "s"), "tok");
  EXPECT_EQ(cookieValue("s=tok", "s"), "tok");
  EXPECT_EQ(cookieValue("  s = tok ;x", "s"), "tok");
  EXPECT_EQ(cookieValue("s=\"tok\"", "s"), "tok");
  EXPECT_EQ(cookieValue("s=a=b", "s"), "a=b");
  EXPECT_EQ(cookieValue("s=", "s"), "");
  EXPECT_EQ(cookieValue("xs=tok; S=tok; s", "s"), std::nullopt);
  EXPECT_EQ(cookieValue("", "s"), std::nullopt);
  EXPECT_EQ(cookieValue(";;;=;", "s"), std::nullopt);
}

TEST(Cookies, OneThatIsThereTwiceIsNotBelieved) {
  EXPECT_EQ(cookieValue("s=mine; s=theirs", "s"), std::nullopt);
  EXPECT_EQ(cookieValue("s=mine; s=mine", "s"), "mine");
}

TEST(Cookies, NoBytesLeadAstray) {
  std::mt19937 random(11);
  const std::string alphabet = "s=; \t\"a,\\\x01\xff";
  for (int i = 0; i < 50'000; ++i) {
    std::string header;
    for (auto n = random() % 40; n > 0; --n) header += alphabet[random() % alphabet.size()];
    if (const auto value = cookieValue(header, "s")) {
      // What is found lies in the header, behind the name.
      ASSERT_TRUE(value->data() >= header.data() && value->data() + value->size() <= header.data() + header.size());
      ASSERT_EQ(value->find(';'), std::string_view::npos);
    }
    static_cast<void>(sameHost(header, header));
    static_cast<void>(normalOrigin("http://" + header));
  }
}

TEST(Origins, AreTheHostsOwnOrNot) {
  EXPECT_TRUE(sameHost("http://jobs.example.org", "jobs.example.org"));
  EXPECT_TRUE(sameHost("https://Jobs.example.org", "jobs.example.ORG"));
  EXPECT_TRUE(sameHost("http://127.0.0.1:8080", "127.0.0.1:8080"));
  EXPECT_TRUE(sameHost("http://[::1]:8080", "[::1]:8080"));
  EXPECT_TRUE(sameHost("http://h:80", "h"));
  EXPECT_TRUE(sameHost("https://h", "h:443"));
  for (const auto* origin : {"http://evil.example", "http://127.0.0.1:8081", "null", "", "http://", "ftp://h",
                             "http://127.0.0.1:8080.evil.example", "http://127.0.0.1:8080@evil.example",
                             "http://127.0.0.1:8080/x", "http://evil.example/127.0.0.1:8080", "127.0.0.1:8080"}) {
    EXPECT_FALSE(sameHost(origin, "127.0.0.1:8080")) << origin;
  }
  EXPECT_FALSE(sameHost("http://h", ""));
}

class Addresses : public testing::Test {
 protected:
  std::string of(const std::string& peer, std::vector<std::string> forwarded, std::vector<std::string> trusted) {
    std::vector<Header> headers;
    for (const auto& value : forwarded) headers.push_back({"x-forwarded-for", value});
    Request request;
    request.peer = peer;
    request.headers = headers;
    return clientAddress(request, trusted);
  }
};

TEST_F(Addresses, AreThePeersWhereNoProxyIsTrusted) {
  EXPECT_EQ(of("192.0.2.1", {}, {}), "192.0.2.1");
  EXPECT_EQ(of("192.0.2.1", {"10.0.0.1"}, {}), "192.0.2.1");
  EXPECT_EQ(of("192.0.2.1", {"10.0.0.1"}, {"10.0.0.9"}), "192.0.2.1");
}

TEST_F(Addresses, AreTheLastThatNoTrustedProxyWrote) {
  EXPECT_EQ(of("10.0.0.9", {"198.51.100.1"}, {"10.0.0.9"}), "198.51.100.1");
  EXPECT_EQ(of("10.0.0.9", {"1.1.1.1, 198.51.100.1"}, {"10.0.0.9"}), "198.51.100.1")
      << "the left was the caller's word";
  EXPECT_EQ(of("10.0.0.9", {"198.51.100.1, 10.0.0.8"}, {"10.0.0.9", "10.0.0.8"}), "198.51.100.1");
  EXPECT_EQ(of("10.0.0.9", {"1.1.1.1", "198.51.100.1"}, {"10.0.0.9"}), "198.51.100.1") << "lines are one list";
  EXPECT_EQ(of("10.0.0.9", {"[2001:db8::1]:4711"}, {"10.0.0.9"}), "2001:db8::1");
  EXPECT_EQ(of("10.0.0.9", {"198.51.100.1:4711"}, {"10.0.0.9"}), "198.51.100.1");
  EXPECT_EQ(of("::ffff:10.0.0.9", {"::ffff:198.51.100.1"}, {"10.0.0.9"}), "198.51.100.1") << "a listener of both kinds";
  EXPECT_EQ(of("2001:db8::9", {"198.51.100.1"}, {"2001:DB8:0::9"}), "198.51.100.1");
  for (const auto* nonsense : {"", "unknown", "a.b.c.d", ",", "[", "[]", "1.2.3.4.5"}) {
    EXPECT_EQ(of("10.0.0.9", {nonsense}, {"10.0.0.9"}), "10.0.0.9") << nonsense;
  }
}

TEST_F(Addresses, AreNoNetworksAndNoNames) {
  for (const auto* address : {"10.0.0.1", "::1", "2001:db8::1"}) EXPECT_TRUE(isAddress(address)) << address;
  for (const auto* other : {"", "10.0.0.0/8", "proxy", "[::1]", "10.0.0.1:80"}) EXPECT_FALSE(isAddress(other)) << other;
}

TEST(Secrets, AreRandomAndOfTheirForm) {
  const auto id = *randomUuid();
  EXPECT_THAT(id, testing::MatchesRegex("[0-9a-f]+-[0-9a-f]+-4[0-9a-f]+-[89ab][0-9a-f]+-[0-9a-f]+"));
  EXPECT_EQ(id.size(), 36U);
  EXPECT_NE(*randomUuid(), id);
  EXPECT_EQ(randomHex(32)->size(), 64U);
  EXPECT_EQ(csrfTokenOf("a"), csrfTokenOf("a"));
  EXPECT_NE(csrfTokenOf("a"), csrfTokenOf("b"));
  EXPECT_TRUE(sameSecret("abc", "abc"));
  EXPECT_FALSE(sameSecret("abc", "abd"));
  EXPECT_FALSE(sameSecret("abc", "abcd"));
}

TEST(Roles, GiveWhatTheTableSays) {
  EXPECT_EQ(privilegeWords(findRole("admin")->privileges), std::vector<std::string>{"admin"});
  EXPECT_EQ(privilegeWords(findRole("viewer")->privileges), std::vector<std::string>{"read_jobs"});
  EXPECT_EQ(privilegeWords(findRole("user")->privileges).size(), 5U);
  EXPECT_EQ(findRole("root"), nullptr);
  EXPECT_EQ(privilegeFromString("known"), std::nullopt) << "no key may have it";
  Principal nobody;
  EXPECT_TRUE(nobody.may(Privilege::Known));
  EXPECT_FALSE(nobody.may(Privilege::ReadJobs));
}

}  // namespace
}  // namespace jobhost::api
