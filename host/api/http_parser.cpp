#include "api/http_parser.hpp"

#include <algorithm>
#include <array>

namespace jobhost::api {
namespace {

constexpr std::size_t kMaxChunkLine = 256;
constexpr std::size_t kMaxTrailers = 8 * 1024;

constexpr std::array<bool, 256> kTokenChars = [] {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

bool isToken(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return kTokenChars[static_cast<unsigned char>(c)]; });
}

HeadResult bad(int status, const char* problem) {
  return {HeadState::Bad, 0, status, problem};
}

Method methodOf(std::string_view word) {
  for (const auto method :
       {Method::Get, Method::Post, Method::Delete, Method::Head, Method::Patch, Method::Put, Method::Options}) {
    if (toString(method) == word) return method;
  }
  return Method::Other;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Whether a comma separated field value names the token.
bool lists(std::string_view value, std::string_view token) {
  while (!value.empty()) {
    const auto comma = value.find(',');
    if (sameNoCase(trim(value.substr(0, comma)), token)) return true;
    value = comma == std::string_view::npos ? std::string_view{} : value.substr(comma + 1);
  }
  return false;
}

/// `longest`: of the target; half of what the head may have, so that headers have room beside it.
HeadResult requestLine(std::string_view line, std::size_t longest, RequestHead& head) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return bad(400, "the request line is not valid");
  const auto method = line.substr(0, first);
  auto target = line.substr(first + 1, last - first - 1);
  const auto version = line.substr(last + 1);
  if (!isToken(method)) return bad(400, "the method is not valid");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    // 400 rather than 505 (and than 501 below): whoever watches our 5xx wants to see our faults, not a client's.
    return bad(
        400, version.starts_with("HTTP/") ? "only HTTP/1.1 and HTTP/1.0 are spoken" : "the request line is not valid");
  }
  if (target.size() > longest) return bad(414, "the request target is too long");
  if (!std::all_of(target.begin(), target.end(), [](char c) { return c > 0x20 && c < 0x7f; })) {
    return bad(400, "the request target has a character that must be percent-encoded");
  }
  head.method = methodOf(method);
  head.http11 = version == "HTTP/1.1";
  if (target.starts_with("http://") || target.starts_with("https://")) {
    const auto slash = target.find('/', target.find("//") + 2);
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  if (target.find('#') != std::string_view::npos) return bad(400, "the request target has a fragment");
  if (!target.starts_with('/') && !(target == "*" && head.method == Method::Options)) {
    return bad(400, "the request target must be a path");
  }
  const auto question = target.find('?');
  head.path = target.substr(0, question);
  head.query = question == std::string_view::npos ? std::string_view{} : target.substr(question + 1);
  return {HeadState::Complete, 0, 0, ""};
}

HeadResult headerLine(std::string_view line, RequestHead& head) {
  if (line.front() == ' ' || line.front() == '\t') return bad(400, "a header line is folded");
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !isToken(line.substr(0, colon))) return bad(400, "a header line is not valid");
  const auto value = trim(line.substr(colon + 1));
  const bool clean = std::all_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || c == '\t';
  });
  if (!clean) return bad(400, "a header value has a control character");
  head.headers.push_back({line.substr(0, colon), value});
  return {HeadState::Complete, 0, 0, ""};
}

/// The fields that decide where the body ends and what becomes of the connection.
HeadResult framing(RequestHead& head) {
  int hosts = 0, lengths = 0, codings = 0;
  bool close = false, keep = false;
  for (const auto& [name, value] : head.headers) {
    switch (name.size()) {
      case 4:
        hosts += sameNoCase(name, "Host") ? 1 : 0;
        break;
      case 6:
        head.expects_continue |= sameNoCase(name, "Expect") && sameNoCase(value, "100-continue");
        break;
      case 10:
        if (sameNoCase(name, "Connection")) {
          close = close || lists(value, "close");
          keep = keep || lists(value, "keep-alive");
        }
        break;
      case 14:
        if (sameNoCase(name, "Content-Length")) {
          ++lengths;
          if (value.empty() || value.size() > 18 ||
              !std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; })) {
            return bad(400, "the Content-Length is not valid");
          }
          for (const char c : value) head.content_length = head.content_length * 10 + (c - '0');
        }
        break;
      case 17:
        if (sameNoCase(name, "Transfer-Encoding")) {
          ++codings;
          if (!sameNoCase(value, "chunked")) return bad(400, "only the transfer coding chunked is understood");
        }
        break;
      default:
        break;
    }
  }
  if (hosts > 1 || (head.http11 && hosts == 0)) return bad(400, "exactly one Host header is needed");
  if (lengths > 1) return bad(400, "there is more than one Content-Length");
  if (codings > 1) return bad(400, "there is more than one Transfer-Encoding");
  if (codings != 0 && lengths != 0) return bad(400, "Content-Length and Transfer-Encoding exclude each other");
  if (codings != 0 && !head.http11) return bad(400, "HTTP/1.0 has no Transfer-Encoding");
  head.chunked = codings != 0;
  head.keep_alive = head.http11 ? !close : keep && !close;
  return {HeadState::Complete, 0, 0, ""};
}

}  // namespace

HeadResult parseHead(std::string_view text, const HeadLimits& limits, RequestHead& head) {
  head.headers.clear();
  head.content_length = 0;
  head.chunked = head.expects_continue = false;
  std::size_t at = 0;
  while (text.substr(at, 2) == "\r\n" && at < 4) at += 2;  // blank lines before a request are tolerated (RFC 9112 2.2)
  bool first = true;
  for (;;) {
    const auto end = text.find('\n', at);
    if (end == std::string_view::npos) {
      if (text.size() <= limits.bytes) return {};
      return first ? bad(414, "the request target is too long") : bad(431, "the headers are too large");
    }
    if (end >= limits.bytes) return bad(431, "the headers are too large");
    if (end == at || text[end - 1] != '\r') return bad(400, "a line does not end in CR LF");
    const auto line = text.substr(at, end - 1 - at);
    at = end + 1;
    if (line.empty()) break;
    if (!first && head.headers.size() >= limits.headers) return bad(431, "there are too many headers");
    if (const auto result = first ? requestLine(line, limits.bytes / 2, head) : headerLine(line, head);
        result.state == HeadState::Bad) {
      return result;
    }
    first = false;
  }
  if (first) return bad(400, "the request line is missing");
  if (const auto result = framing(head); result.state == HeadState::Bad) return result;
  return {HeadState::Complete, at, 0, ""};
}

ChunkedDecoder::Step ChunkedDecoder::readSize(std::string_view input, std::size_t& used) {
  const auto end = input.find('\n');
  if (end == std::string_view::npos) return input.size() > kMaxChunkLine ? Step::Bad : Step::NeedMore;
  if (end > kMaxChunkLine || end < 2 || input[end - 1] != '\r') return Step::Bad;
  const auto line = input.substr(0, end - 1);
  if (line.find('\r') != std::string_view::npos) return Step::Bad;
  std::size_t digits = 0;
  left_ = 0;
  for (; digits < line.size(); ++digits) {
    const char c = line[digits];
    const int value = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (value < 0) break;
    if (digits >= 12) return Step::Bad;
    left_ = left_ * 16 + static_cast<std::uint64_t>(value);
  }
  if (digits == 0) return Step::Bad;
  const auto rest = trim(line.substr(digits));
  if (!rest.empty() && rest.front() != ';') return Step::Bad;
  used += end + 1;
  phase_ = left_ == 0 ? Phase::Trailer : Phase::Data;
  return Step::Data;  // progress; the caller goes on
}

ChunkedDecoder::Step ChunkedDecoder::readTrailer(std::string_view input, std::size_t& used) {
  const auto end = input.find('\n');
  if (end == std::string_view::npos) return input.size() + trailer_bytes_ > kMaxTrailers ? Step::Bad : Step::NeedMore;
  trailer_bytes_ += end + 1;
  if (end == 0 || input[end - 1] != '\r' || trailer_bytes_ > kMaxTrailers) return Step::Bad;
  used += end + 1;
  if (end == 1) phase_ = Phase::Done;
  return Step::Data;
}

ChunkedDecoder::Step ChunkedDecoder::next(std::string_view input, std::size_t& used, std::string_view& data) {
  used = 0;
  data = {};
  for (;;) {
    const auto rest = input.substr(used);
    Step step = Step::Data;
    switch (phase_) {
      case Phase::Size:
        step = readSize(rest, used);
        break;
      case Phase::Data:
        if (rest.empty()) return Step::NeedMore;
        data = rest.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size())));
        left_ -= data.size();
        used += data.size();
        if (left_ == 0) phase_ = Phase::DataEnd;
        return Step::Data;
      case Phase::DataEnd:
        if (rest.size() < 2) return rest.empty() || rest[0] == '\r' ? Step::NeedMore : Step::Bad;
        if (rest.substr(0, 2) != "\r\n") return Step::Bad;
        used += 2;
        phase_ = Phase::Size;
        break;
      case Phase::Trailer:
        step = readTrailer(rest, used);
        break;
      case Phase::Done:
        return Step::End;
    }
    if (step != Step::Data) return step;
  }
}

}  // namespace jobhost::api
