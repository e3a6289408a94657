#include <gtest/gtest.h>

#include <string>

#include "api/lncrawl/url.hpp"

namespace jobhost::test {
namespace {

struct Row {
  std::string name, given, expected;  ///< expected: the URL, or "!" and why it is none
  std::string host = {};              ///< empty: not looked at
};

class LncrawlUrl : public testing::TestWithParam<Row> {};

TEST_P(LncrawlUrl, IsSpeltAsTheUrlStandardSays) {
  const auto& row = GetParam();
  const auto url = api::lncrawl::normalUrl(row.given);
  if (row.expected.starts_with('!')) {
    ASSERT_FALSE(url) << url->text;
    EXPECT_EQ('!' + url.error().detail + " " + url.error().message, row.expected);
    return;
  }
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->text, row.expected);
  if (!row.host.empty()) {
    EXPECT_EQ(url->host, row.host);
  }
  const auto again = api::lncrawl::normalUrl(url->text);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->text, url->text) << "the normal form is its own";
}

const Row kRows[] = {
    {"plain", "https://novels.example.test/book/1", "https://novels.example.test/book/1", "novels.example.test"},
    {"letters", "HTTPS://Novels.Example.TEST/Book", "https://novels.example.test/Book"},
    {"empty_path", "http://a.test", "http://a.test/"},
    {"query_alone", "http://a.test?x=1", "http://a.test/?x=1"},
    {"fragment_alone", "http://a.test#x", "http://a.test/"},
    {"default_port", "http://a.test:80/x", "http://a.test/x"},
    {"default_port_https", "https://a.test:443", "https://a.test/"},
    {"other_port", "https://a.test:80/x", "https://a.test:80/x", "a.test"},
    {"port_zeros", "http://a.test:00080/x", "http://a.test/x"},
    {"empty_port", "http://a.test:/x", "http://a.test/x"},
    {"port_beyond", "http://a.test:65536/", "!url_parsing invalid port number"},
    {"port_letters", "http://a.test:8a/", "!url_parsing invalid port number"},
    {"dots", "http://a.test/a/./b/../c", "http://a.test/a/c"},
    {"dots_up_beyond", "http://a.test/../../x", "http://a.test/x"},
    {"dots_at_end", "http://a.test/a/b/..", "http://a.test/a/"},
    {"dot_at_end", "http://a.test/a/.", "http://a.test/a/"},
    {"dots_escaped", "http://a.test/a/%2E%2e/b/%2e", "http://a.test/b/"},
    {"three_dots", "http://a.test/.../x", "http://a.test/.../x"},
    {"doubled_slash", "http://a.test//x//y", "http://a.test//x//y"},
    {"backslashes", "http:\\\\a.test\\b\\c", "http://a.test/b/c"},
    {"one_slash", "http:/a.test/x", "http://a.test/x"},
    {"no_slash", "http:a.test/x", "http://a.test/x"},
    {"blanks_around", "  http://a.test/x \n", "http://a.test/x"},
    {"line_ends_inside", "http://a.te\nst/x\ty", "http://a.test/xy"},
    {"blank_in_path", "http://a.test/my book", "http://a.test/my%20book"},
    {"letters_in_path", "http://a.test/книга", "http://a.test/%D0%BA%D0%BD%D0%B8%D0%B3%D0%B0"},
    {"quotes_in_path", "http://a.test/\"<>`{}|^[]'", "http://a.test/%22%3C%3E%60%7B%7D|^[]'"},
    {"quotes_in_query", "http://a.test/?q='<>\"`{}", "http://a.test/?q=%27%3C%3E%22`{}"},
    {"fragment", "http://a.test/x#a b`<", "http://a.test/x"},
    {"escapes_stay", "http://a.test/%e4%zz%41", "http://a.test/%e4%zz%41"},
    {"user", "http://me:p%40ss@a.test/", "http://a.test/", "a.test"},
    {"user_marks", "http://m e@x:y@a.test/", "http://a.test/"},
    {"user_empty", "http://@a.test/", "http://a.test/"},
    {"idn", "http://Bücher.example/x", "http://xn--bcher-kva.example/x", "xn--bcher-kva.example"},
    {"idn_sharp_s", "http://faß.de/", "http://xn--fa-hia.de/"},
    {"idn_wide", "http://Ｅxample.test/", "http://example.test/"},
    {"idn_chinese", "https://中文.example/", "https://xn--fiq228c.example/"},
    {"idn_escaped", "http://b%C3%BCcher.example/", "http://xn--bcher-kva.example/"},
    {"idn_bad", "http://xn--a.example/", "!url_parsing invalid international domain name"},
    {"ipv4", "http://127.0.0.1:8080/", "http://127.0.0.1:8080/"},
    {"ipv4_hex", "http://0x7f.1/", "http://127.0.0.1/", "127.0.0.1"},
    {"ipv4_number", "http://2130706433/", "http://127.0.0.1/"},
    {"ipv4_octal", "http://0177.0.0.01/", "http://127.0.0.1/"},
    {"ipv4_beyond", "http://256.1.1.1/", "!url_parsing invalid IPv4 address"},
    {"ipv4_five", "http://1.2.3.4.5/", "!url_parsing invalid IPv4 address"},
    {"ipv6", "http://[2001:DB8:0:0::1]:80/", "http://[2001:db8::1]/", "[2001:db8::1]"},
    {"ipv6_bad", "http://[::1/", "!url_parsing invalid IPv6 address"},
    {"no_host", "http://", "!url_parsing empty host"},
    {"no_host_path", "http:///", "!url_parsing empty host"},
    {"host_mark", "http://a b.test/", "!url_parsing invalid domain character"},
    {"host_nul", "http://a%00.test/", "!url_parsing invalid international domain name"},
    {"relative", "/book/1", "!url_parsing relative URL without a base"},
    {"no_scheme", "a.test/x", "!url_parsing relative URL without a base"},
    {"empty", "", "!url_parsing input is empty"},
    {"ftp", "ftp://a.test/x", "!url_scheme URL scheme should be 'http' or 'https'"},
    {"javascript", "javascript:alert(1)", "!url_scheme URL scheme should be 'http' or 'https'"},
    {"too_long", "http://a.test/" + std::string(2070, 'x'), "!url_too_long URL should have at most 2083 characters"},
    {"not_utf8", "http://a.test/\xff", "!url_parsing invalid text encoding"},
};

INSTANTIATE_TEST_SUITE_P(All, LncrawlUrl, testing::ValuesIn(kRows), [](const auto& row) { return row.param.name; });

TEST(LncrawlSourceHost, IsTheHostWithoutWww) {
  EXPECT_EQ(api::lncrawl::sourceHost("www.a.test"), "a.test");
  EXPECT_EQ(api::lncrawl::sourceHost("a.test"), "a.test");
  EXPECT_EQ(api::lncrawl::sourceHost("wwwa.test"), "wwwa.test");
}

}  // namespace
}  // namespace jobhost::test
