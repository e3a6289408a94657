#include <gtest/gtest.h>

#include "api/http_parser.hpp"

namespace jobhost::api {
namespace {

HeadResult parse(const std::string& text, RequestHead& head) {
  return parseHead(text, {}, head);
}

TEST(HttpParser, ReadsAPlainRequest) {
  RequestHead head;
  const std::string text = "POST /a/b?x=[5]&y HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nX-A:  v \r\n\r\nabc";
  const auto result = parse(text, head);
  ASSERT_EQ(result.state, HeadState::Complete);
  EXPECT_EQ(text.substr(result.used), "abc");
  EXPECT_EQ(head.method, Method::Post);
  EXPECT_EQ(head.path, "/a/b");
  EXPECT_EQ(head.query, "x=[5]&y");
  EXPECT_EQ(head.content_length, 3);
  EXPECT_EQ(head.headers[2].value, "v");
  EXPECT_TRUE(head.keep_alive);
}

TEST(HttpParser, WaitsForTheRestAtEveryByte) {
  const std::string text = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  RequestHead head;
  for (std::size_t i = 0; i < text.size(); ++i) EXPECT_EQ(parse(text.substr(0, i), head).state, HeadState::Incomplete);
  EXPECT_EQ(parse(text, head).state, HeadState::Complete);
}

struct BadHead {
  const char* name;
  int status;
  std::string text;
};
class BadHeads : public testing::TestWithParam<BadHead> {};

TEST_P(BadHeads, AreRefused) {
  RequestHead head;
  const auto result = parse(GetParam().text, head);
  ASSERT_EQ(result.state, HeadState::Bad);
  EXPECT_EQ(result.status, GetParam().status) << result.problem;
}

const std::string kPost = "POST / HTTP/1.1\r\nHost: h\r\n";

INSTANTIATE_TEST_SUITE_P(
    Cases, BadHeads,
    testing::Values(
        BadHead{"BareLf", 400, "GET / HTTP/1.1\nHost: h\n\n"}, BadHead{"NoHost", 400, "GET / HTTP/1.1\r\n\r\n"},
        BadHead{"TwoHosts", 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
        BadHead{"BothLengths", 400, kPost + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"},
        BadHead{"TwoLengths", 400, kPost + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n"},
        BadHead{"LengthList", 400, kPost + "Content-Length: 3, 3\r\n\r\n"},
        BadHead{"NegativeLength", 400, kPost + "Content-Length: -3\r\n\r\n"},
        BadHead{"PlusLength", 400, kPost + "Content-Length: +3\r\n\r\n"},
        BadHead{"HugeLength", 400, kPost + "Content-Length: 9999999999999999999\r\n\r\n"},
        BadHead{"EmptyLength", 400, kPost + "Content-Length:\r\n\r\n"},
        BadHead{"OtherCoding", 400, kPost + "Transfer-Encoding: gzip, chunked\r\n\r\n"},
        BadHead{"DoubleChunked", 400, kPost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
        BadHead{"OldChunked", 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
        BadHead{"BlankBeforeColon", 400, kPost + "Content-Length : 3\r\n\r\n"},
        BadHead{"Folded", 400, kPost + "X: a\r\n b\r\n\r\n"},
        BadHead{"NulInValue", 400, kPost + std::string("X: a\0b\r\n\r\n", 10)},
        BadHead{"NulInTarget", 400, std::string("GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n", 28)},
        BadHead{"NoTarget", 400, "GET HTTP/1.1\r\nHost: h\r\n\r\n"},
        BadHead{"TwoBlanks", 400, "GET / x HTTP/1.1\r\nHost: h\r\n\r\n"},
        BadHead{"Fragment", 400, "GET /#a HTTP/1.1\r\nHost: h\r\n\r\n"},
        BadHead{"NoPath", 400, "GET a HTTP/1.1\r\nHost: h\r\n\r\n"},
        BadHead{"Version", 400, "GET / HTTP/2.0\r\nHost: h\r\n\r\n"}, BadHead{"Tls", 400, "\x16\x03\x01\x02\r\n\r\n"},
        BadHead{"LongTarget", 414, "GET /" + std::string(40'000, 'a')},
        BadHead{"ManyHeaders", 431,
                [] {
                  std::string text = "GET / HTTP/1.1\r\nHost: h\r\n";
                  for (int i = 0; i < 101; ++i) text += "A: b\r\n";
                  return text + "\r\n";
                }()},
        BadHead{"LargeHeaders", 431, "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(40'000, 'a') + "\r\n\r\n"}),
    [](const auto& one) { return std::string(one.param.name); });

std::string decode(const std::string& text, std::size_t piece, ChunkedDecoder::Step& last) {
  ChunkedDecoder decoder;
  std::string out, window;
  std::size_t at = 0;
  for (;;) {
    std::size_t used = 0;
    std::string_view data;
    last = decoder.next(window, used, data);
    out += data;
    window.erase(0, used);
    if (last == ChunkedDecoder::Step::End || last == ChunkedDecoder::Step::Bad) return out;
    if (last == ChunkedDecoder::Step::NeedMore) {
      if (at == text.size()) return out;
      window += text.substr(at, piece);
      at = std::min(text.size(), at + piece);
    }
  }
}

TEST(ChunkedDecoder, ReadsWhateverThePieces) {
  const std::string text = "3;ext=\"a\"\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    ChunkedDecoder::Step last{};
    EXPECT_EQ(decode(text, piece, last), "abc0123456789") << piece;
    EXPECT_EQ(last, ChunkedDecoder::Step::End);
  }
}

TEST(ChunkedDecoder, RefusesWhatCouldBeReadInTwoWays) {
  for (const std::string text :
       {"x\r\n", "-1\r\n", "0x3\r\nabc\r\n", "3\nabc\r\n", "3\r\nabcd\r\n", "3\r\nabc0\r\n\r\n", "\r\n",
        "10000000000000000\r\n", "3 x\r\nabc\r\n", "0\r\nA: b\n\r\n"}) {
    ChunkedDecoder::Step last{};
    decode(text, 1, last);
    EXPECT_EQ(last, ChunkedDecoder::Step::Bad) << text;
  }
  ChunkedDecoder::Step last{};
  decode("3;" + std::string(300, 'a'), 7, last);
  EXPECT_EQ(last, ChunkedDecoder::Step::Bad);
}

}  // namespace
}  // namespace jobhost::api
