// The rules of host/fetch that need no network: addresses, URLs, headers, redirects, retries, turns.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "fetch/address_guard.hpp"
#include "fetch/header_rules.hpp"
#include "fetch/retry_rule.hpp"
#include "fetch/turnstile.hpp"
#include "fetch/url.hpp"

namespace jobhost::fetch {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// ------------------------------------------------------------------------------------------------------- addresses
struct AddressCase {
  const char* address;
  AddressKind kind;
};

class AddressTable : public testing::TestWithParam<AddressCase> {};

TEST_P(AddressTable, IsOfItsKind) {
  const auto address = Address::parse(GetParam().address);
  ASSERT_TRUE(address.has_value());
  EXPECT_EQ(toString(kindOf(*address)), toString(GetParam().kind)) << GetParam().address;
}

using enum AddressKind;
INSTANTIATE_TEST_SUITE_P(
    Ranges, AddressTable,
    testing::Values(
        AddressCase{"93.184.216.34", Public}, AddressCase{"1.1.1.1", Public}, AddressCase{"9.255.255.255", Public},
        AddressCase{"11.0.0.0", Public}, AddressCase{"127.0.0.1", Loopback}, AddressCase{"127.255.255.254", Loopback},
        AddressCase{"10.0.0.0", Private}, AddressCase{"10.255.255.255", Private}, AddressCase{"172.15.255.255", Public},
        AddressCase{"172.16.0.1", Private}, AddressCase{"172.31.255.255", Private}, AddressCase{"172.32.0.0", Public},
        AddressCase{"192.168.1.1", Private}, AddressCase{"192.169.0.0", Public}, AddressCase{"100.63.255.255", Public},
        AddressCase{"100.64.0.1", Private}, AddressCase{"100.100.100.200", Metadata},
        AddressCase{"100.127.255.255", Private}, AddressCase{"100.128.0.0", Public},
        AddressCase{"169.254.169.254", LinkLocal}, AddressCase{"169.254.0.1", LinkLocal},
        AddressCase{"168.63.129.16", Metadata}, AddressCase{"0.0.0.0", Reserved}, AddressCase{"0.1.2.3", Reserved},
        AddressCase{"192.0.0.192", Reserved}, AddressCase{"192.0.2.1", Reserved}, AddressCase{"198.18.0.1", Reserved},
        AddressCase{"198.19.255.255", Reserved}, AddressCase{"198.20.0.0", Public},
        AddressCase{"198.51.100.7", Reserved}, AddressCase{"203.0.113.7", Reserved},
        AddressCase{"224.0.0.1", Multicast}, AddressCase{"239.255.255.255", Multicast},
        AddressCase{"240.0.0.1", Reserved}, AddressCase{"255.255.255.255", Reserved},
        AddressCase{"2606:2800:220:1::1", Public}, AddressCase{"::1", Loopback}, AddressCase{"::", Reserved},
        AddressCase{"fe80::1", LinkLocal}, AddressCase{"febf::1", LinkLocal}, AddressCase{"fec0::1", Private},
        AddressCase{"fc00::1", Private}, AddressCase{"fd00:ec2::254", Metadata}, AddressCase{"fd00:ec2::255", Private},
        AddressCase{"fd20:ce::254", Metadata}, AddressCase{"100.100.100.201", Private},
        AddressCase{"ff02::1", Multicast}, AddressCase{"2001:db8::1", Reserved}, AddressCase{"2001::1", Reserved},
        AddressCase{"2001:200::1", Public}, AddressCase{"100::1", Reserved}, AddressCase{"4000::1", Reserved},
        AddressCase{"::ffff:127.0.0.1", Loopback}, AddressCase{"::ffff:10.0.0.1", Private},
        AddressCase{"::ffff:8.8.8.8", Public}, AddressCase{"::ffff:0:169.254.169.254", LinkLocal},
        AddressCase{"::127.0.0.1", Loopback}, AddressCase{"64:ff9b::10.0.0.1", Private},
        AddressCase{"64:ff9b::8.8.8.8", Public}, AddressCase{"64:ff9b:1:7f00:0:100:808:808", Reserved},
        AddressCase{"64:ff9b:1::8.8.8.8", Reserved}, AddressCase{"2002:7f00:1::", Loopback},
        AddressCase{"2002:0808:0808::1", Public}));

bool allows(const AddressGuard& guard, const char* address) {
  return guard.allows(*Address::parse(address));
}

TEST(AddressGuard, ReachesPublicAddressesAlone) {
  const auto guard = AddressGuard::make(false, {});
  ASSERT_TRUE(guard);
  EXPECT_TRUE(allows(*guard, "8.8.8.8"));
  EXPECT_FALSE(allows(*guard, "127.0.0.1"));
  EXPECT_FALSE(allows(*guard, "::1"));
  EXPECT_FALSE(allows(*guard, "192.168.0.1"));
}

TEST(AddressGuard, AllowPrivateOpensLoopbackAndPrivateRangesAndNothingElse) {
  const auto guard = AddressGuard::make(true, {});
  ASSERT_TRUE(guard);
  EXPECT_TRUE(allows(*guard, "127.0.0.1"));
  EXPECT_TRUE(allows(*guard, "::ffff:10.1.2.3"));
  EXPECT_TRUE(allows(*guard, "fd00::1"));
  EXPECT_FALSE(allows(*guard, "169.254.169.254"));
  EXPECT_FALSE(allows(*guard, "168.63.129.16"));
  EXPECT_FALSE(allows(*guard, "0.0.0.0"));
  EXPECT_FALSE(allows(*guard, "224.0.0.1"));
}

TEST(AddressGuard, NetworksOpenWhatLiesInThem) {
  const auto guard = AddressGuard::make(false, {"10.1.0.0/16", "169.254.169.254", "fd12:3456::/32", "172.16.0.0/15"});
  ASSERT_TRUE(guard);
  EXPECT_TRUE(allows(*guard, "10.1.255.255"));
  EXPECT_TRUE(allows(*guard, "::ffff:10.1.0.1"));
  EXPECT_FALSE(allows(*guard, "10.2.0.0"));
  EXPECT_TRUE(allows(*guard, "169.254.169.254"));
  EXPECT_FALSE(allows(*guard, "169.254.169.253"));
  EXPECT_TRUE(allows(*guard, "fd12:3456:789a::1"));
  EXPECT_FALSE(allows(*guard, "fd12:3457::1"));
  EXPECT_TRUE(allows(*guard, "172.17.255.255"));
  EXPECT_FALSE(allows(*guard, "172.18.0.0"));
}

TEST(AddressGuard, RefusesWhatIsNoNetworkAndNamesIt) {
  for (const char* bad : {"10.0.0.0/33", "10.0.0/8", "fd00::/129", "localhost", "10.0.0.0/", "10.0.0.0/x", ""}) {
    const auto guard = AddressGuard::make(false, {"10.0.0.0/8", bad});
    ASSERT_FALSE(guard) << bad;
    EXPECT_THAT(guard.error().message, HasSubstr("\"" + std::string(bad) + "\""));
  }
}

// ------------------------------------------------------------------------------------------------------------ URLs
Url good(std::string_view text) {
  auto url = parseUrl(text);
  if (const auto* failed = std::get_if<Failure>(&url)) {
    ADD_FAILURE() << text << ": " << failed->message;
    return {};
  }
  return std::get<Url>(url);
}

Failure bad(std::string_view text) {
  auto url = parseUrl(text);
  if (const auto* failed = std::get_if<Failure>(&url)) return *failed;
  ADD_FAILURE() << text << " was taken as " << std::get<Url>(url).text;
  return {};
}

TEST(Url, IsShownWithoutItsSecrets) {
  const Url url = good("https://user:pa%20ss@Example.COM:8443/a/b?token=abc#frag");
  EXPECT_EQ(url.shown, "https://example.com:8443/a/b");
  EXPECT_EQ(url.visible, "https://example.com:8443/a/b?token=abc");
  EXPECT_EQ(url.text, "https://user:pa%20ss@example.com:8443/a/b?token=abc");
  EXPECT_EQ(url.host, "example.com");
  EXPECT_EQ(url.port, 8443);
}

TEST(Url, SpellingsOfAnAddressAreOneAddress) {
  EXPECT_EQ(good("http://2130706433/").host, "127.0.0.1");
  EXPECT_EQ(good("http://0x7f.1/").host, "127.0.0.1");
  EXPECT_EQ(good("http://0177.0.0.1/").host, "127.0.0.1");
  EXPECT_EQ(good("http://[::1]:81/").host, "::1");
  EXPECT_EQ(good("http://example.com./").host, "example.com");
  EXPECT_EQ(good("http://xn--bcher-kva.example/").host, "xn--bcher-kva.example");
  EXPECT_THAT(bad("http://b\xc3\xbc"
                  "cher.example/")
                  .message,
              HasSubstr("must be ASCII"));
}

TEST(Url, OnlyHttpAndHttpsAreTaken) {
  for (const char* text :
       {"file:///etc/passwd", "ftp://example.com/", "gopher://x/", "javascript:alert(1)", "data:,x"}) {
    const auto url = parseUrl(text);
    ASSERT_TRUE(std::holds_alternative<Failure>(url)) << text;
    EXPECT_TRUE(std::get<Failure>(url).code == FailureCode::Scheme ||
                std::get<Failure>(url).code == FailureCode::InvalidRequest)
        << text;
  }
  EXPECT_EQ(bad("file:///etc/passwd").code, FailureCode::Scheme);
}

TEST(Url, NonsenseIsRefusedWithoutRepeatingIt) {
  for (const char* text :
       {"", "example.com", "/path", "http://", "http://a b/", "http://exa\nmple.com/", "http://x:99999/"}) {
    EXPECT_EQ(bad(text).code, FailureCode::InvalidRequest) << text;
  }
  EXPECT_THAT(bad("http://user:secret@x:99999/").message, Not(HasSubstr("secret")));
  EXPECT_EQ(bad("http://x/" + std::string(kMaxUrlBytes, 'a')).code, FailureCode::InvalidRequest);
}

TEST(Url, RedirectsAreResolvedAgainstWhereTheyCameFrom) {
  const Url from = good("https://user:pw@example.com/a/b?q=1");
  const auto to = [&](std::string_view location) { return std::get<Url>(resolveUrl(from, location)); };
  EXPECT_EQ(to("c").text, "https://user:pw@example.com/a/c");
  EXPECT_EQ(to("/c?x=y z").visible, "https://example.com/c?x=y+z");
  EXPECT_EQ(to("//other.example/x").text, "https://other.example/x");
  EXPECT_EQ(to("http://example.com/").text, "http://example.com/");
  EXPECT_FALSE(to("http://example.com/").sameOrigin(from));
  EXPECT_TRUE(to("https://example.com:443/z").sameOrigin(from));
  EXPECT_FALSE(to("https://example.com:444/z").sameOrigin(from));
}

TEST(Url, RedirectsToWhatIsNoPlaceAreRefused) {
  const Url from = good("https://example.com/");
  EXPECT_EQ(std::get<Failure>(resolveUrl(from, "file:///etc/passwd")).code, FailureCode::Scheme);
  EXPECT_EQ(std::get<Failure>(resolveUrl(from, "")).code, FailureCode::BadRedirect);
  EXPECT_EQ(std::get<Failure>(resolveUrl(from, "http://a:b:c/")).code, FailureCode::BadRedirect);
}

TEST(Url, HostsMatchTheirPatterns) {
  EXPECT_TRUE(hostMatches("example.com", "example.com"));
  EXPECT_TRUE(hostMatches("Example.COM", "example.com"));
  EXPECT_FALSE(hostMatches("example.com", "www.example.com"));
  EXPECT_TRUE(hostMatches("*.example.com", "www.example.com"));
  EXPECT_TRUE(hostMatches("*.example.com", "a.b.example.com"));
  EXPECT_FALSE(hostMatches("*.example.com", "example.com"));
  EXPECT_FALSE(hostMatches("*.example.com", "badexample.com"));
  EXPECT_TRUE(hostMatches("*", "127.0.0.1"));
}

// --------------------------------------------------------------------------------------------------------- headers
TEST(Headers, ThoseOfTheHostAndBrokenOnesAreRefused) {
  for (const char* name : {"Host", "content-length", "Transfer-Encoding", "Connection", "Proxy-Authorization", "Expect",
                           "TE", "bad name", "", "x:y"}) {
    EXPECT_TRUE(problemOf({{"Accept", "a"}, {name, "value"}}).has_value()) << name;
  }
  EXPECT_THAT(*problemOf({{"Accept", "a"}, {"Host", "x"}}), HasSubstr("headers/1"));
  EXPECT_TRUE(problemOf({{"X", "a\r\nY: b"}}).has_value());
  EXPECT_FALSE(problemOf({{"X-Key", "v"}, {"Authorization", "Bearer x"}, {"Empty", ""}}).has_value());
}

TEST(Headers, HaveTheirLimits) {
  EXPECT_TRUE(problemOf(std::vector<Header>(kMaxRequestHeaders + 1, {"X", "y"})).has_value());
  EXPECT_TRUE(problemOf({{"X", std::string(kMaxRequestHeaderBytes, 'y')}}).has_value());
}

TEST(Redirects, KeepCredentialsWithinTheOrigin) {
  const std::vector<Header> headers{{"Authorization", "Bearer x"}, {"Cookie", "a=b"},     {"X-Api-Key", "k"},
                                    {"Accept", "text/html"},       {"Content-Type", "t"}, {"Range", "bytes=0-1"}};
  EXPECT_EQ(headersAfter(headers, true, true), headers);
  EXPECT_THAT(headersAfter(headers, false, true),
              ElementsAre(Header{"Accept", "text/html"}, Header{"Content-Type", "t"}, Header{"Range", "bytes=0-1"}));
  EXPECT_THAT(headersAfter(headers, false, false),
              ElementsAre(Header{"Accept", "text/html"}, Header{"Range", "bytes=0-1"}));
}

TEST(Redirects, ChangeTheMethodAsBrowsersDo) {
  EXPECT_EQ(methodAfter(301, "POST"), "GET");
  EXPECT_EQ(methodAfter(302, "POST"), "GET");
  EXPECT_EQ(methodAfter(303, "PUT"), "GET");
  EXPECT_EQ(methodAfter(303, "HEAD"), "HEAD");
  EXPECT_EQ(methodAfter(307, "POST"), "POST");
  EXPECT_EQ(methodAfter(308, "PATCH"), "PATCH");
  EXPECT_EQ(methodAfter(301, "DELETE"), "DELETE");
  EXPECT_FALSE(isRedirect(304));
  EXPECT_FALSE(isRedirect(300));
}

// --------------------------------------------------------------------------------------------------------- retries
TEST(Retries, WaitAsTheServerAsksAndElseLongerEachTime) {
  std::minstd_rand random(1);
  EXPECT_EQ(pauseBefore(1, 3s, 10s, random), 3000ms);
  EXPECT_EQ(pauseBefore(1, 11s, 10s, random), std::nullopt);
  for (int i = 0; i < 100; ++i) {
    const auto first = pauseBefore(1, std::nullopt, 1h, random);
    const auto third = pauseBefore(3, std::nullopt, 1h, random);
    const auto late = pauseBefore(50, std::nullopt, 1h, random);
    ASSERT_TRUE(first && third && late);
    EXPECT_TRUE(*first >= 125ms && *first <= 250ms) << first->count();
    EXPECT_TRUE(*third >= 500ms && *third <= 1000ms) << third->count();
    EXPECT_TRUE(*late >= 5s && *late <= 10s) << late->count();
  }
}

// ----------------------------------------------------------------------------------------------------------- turns
TEST(Turnstile, HoldsEachHostToItsShareAndLetsOthersPass) {
  Turnstile turns({.at_once = 3, .at_once_per_host = 2});
  const Turnstile::Steady::time_point now{};
  for (Turnstile::Id id = 1; id <= 4; ++id) ASSERT_TRUE(turns.enter(id, "a"));
  ASSERT_TRUE(turns.enter(5, "b"));
  EXPECT_THAT(turns.admit(now), ElementsAre(1, 2, 5));
  EXPECT_THAT(turns.admit(now), IsEmpty());
  turns.leave("b");
  EXPECT_THAT(turns.admit(now), IsEmpty()) << "host a is at its limit";
  turns.leave("a");
  EXPECT_THAT(turns.admit(now), ElementsAre(3));
}

TEST(Turnstile, RefusesWhenTooManyWaitAndForgetsThoseThatLeave) {
  Turnstile turns({.at_once = 1, .waiting = 2});
  ASSERT_TRUE(turns.enter(1, "a"));
  ASSERT_TRUE(turns.enter(2, "a"));
  EXPECT_FALSE(turns.enter(3, "a"));
  turns.forget(1);
  EXPECT_TRUE(turns.enter(3, "a"));
  EXPECT_THAT(turns.admit({}), ElementsAre(2));
}

TEST(Turnstile, BeginsNoMoreThanSoManyASecondForAHost) {
  Turnstile turns({.at_once = 100, .at_once_per_host = 100, .per_second_per_host = 2});
  Turnstile::Steady::time_point now{};
  for (Turnstile::Id id = 1; id <= 5; ++id) ASSERT_TRUE(turns.enter(id, "a"));
  ASSERT_TRUE(turns.enter(6, "b"));
  EXPECT_THAT(turns.admit(now), ElementsAre(1, 2, 6));
  ASSERT_TRUE(turns.nextTurn(now).has_value());
  EXPECT_EQ(*turns.nextTurn(now) - now, 500ms);
  now += 500ms;
  EXPECT_THAT(turns.admit(now), ElementsAre(3));
  now += 1s;
  EXPECT_THAT(turns.admit(now), ElementsAre(4, 5));
  EXPECT_EQ(turns.nextTurn(now), std::nullopt) << "nothing waits";
}

TEST(Turnstile, ForgetsHostsThatAreQuiet) {
  Turnstile turns({.at_once = 10'000, .at_once_per_host = 1, .per_second_per_host = 1, .waiting = 10'000});
  Turnstile::Steady::time_point now{};
  for (Turnstile::Id id = 1; id <= 1000; ++id) {
    ASSERT_TRUE(turns.enter(id, "host" + std::to_string(id)));
    turns.admit(now);
    turns.leave("host" + std::to_string(id));
    now += 1s;
  }
  EXPECT_LT(turns.hosts(), 300U);
}

}  // namespace
}  // namespace jobhost::fetch
