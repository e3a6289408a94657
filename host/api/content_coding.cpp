#include "api/content_coding.hpp"

#include <algorithm>
#include <bit>
#include <optional>

#include <zlib.h>

namespace jobhost::api {
namespace {

constexpr std::size_t kLargest = 32 << 20;  ///< beyond it a request's thread would be at it for a second and more
constexpr int kLevel = 4;                   ///< half the time of zlib's default for some hundredths of size

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

/// "0.25" as 250; what is no weight counts as 0: the coding is not used.
int thousandths(std::string_view weight) {
  if (weight.empty() || (weight[0] != '0' && weight[0] != '1') || weight.size() > 5) return 0;
  int value = (weight[0] - '0') * 1000;
  if (weight.size() > 1 && weight[1] != '.') return 0;
  int digit = 100;
  for (const char c : weight.substr(std::min<std::size_t>(2, weight.size()))) {
    if (c < '0' || c > '9') return 0;
    value += digit * (c - '0');
    digit /= 10;
  }
  return std::min(value, 1000);
}

/// The weight of one element of the list: "gzip;q=0.5" is 500.
int weightOf(std::string_view parameters) {
  while (!parameters.empty()) {
    parameters.remove_prefix(1);  // the semicolon
    const auto end = parameters.find(';');
    const auto one = trimmed(parameters.substr(0, end));
    if (one.size() >= 2 && (one[0] == 'q' || one[0] == 'Q') && one[1] == '=') return thousandths(one.substr(2));
    parameters = end == std::string_view::npos ? std::string_view{} : parameters.substr(end);
  }
  return 1000;
}

bool isJson(const Response& response) {
  std::string_view type = response.owned_content_type.empty() ? response.content_type : response.owned_content_type;
  type = trimmed(type.substr(0, type.find(';')));
  return sameNoCase(type, kJson) || (type.size() > 5 && sameNoCase(type.substr(type.size() - 5), "+json"));
}

std::string* headerOf(Response& response, std::string_view name) {
  for (auto& [known, value] : response.headers) {
    if (sameNoCase(known, name)) return &value;
  }
  return nullptr;
}

/// The text as gzip; nullopt: memory is short, or it would not become smaller.
std::optional<std::string> compressed(std::string_view text) {
  // The window need not be larger than the text: zlib would take and clear 256 KiB for each answer.
  const int window = std::clamp(static_cast<int>(std::bit_width(text.size())), 10, 15);
  z_stream stream{};
  if (deflateInit2(&stream, kLevel, Z_DEFLATED, window + 16, window - 7, Z_DEFAULT_STRATEGY) != Z_OK)
    return std::nullopt;
  std::string out;
  out.resize(text.size());
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&stream, Z_FINISH);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) return std::nullopt;
  return out;
}

}  // namespace

bool acceptsGzip(std::span<const Header> headers) {
  std::optional<int> gzip, any, identity;
  for (const auto& header : headers) {
    if (!sameNoCase(header.name, "Accept-Encoding")) continue;
    for (auto list = header.value; !list.empty();) {
      const auto comma = list.find(',');
      const auto one = list.substr(0, comma);
      const auto semicolon = one.find(';');
      const auto coding = trimmed(one.substr(0, semicolon));
      const int weight = semicolon == std::string_view::npos ? 1000 : weightOf(one.substr(semicolon));
      if (sameNoCase(coding, "gzip") || sameNoCase(coding, "x-gzip")) gzip = weight;
      if (coding == "*") any = weight;
      if (sameNoCase(coding, "identity")) identity = weight;
      list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
    }
  }
  const int ours = gzip ? *gzip : any.value_or(0);
  return ours > 0 && ours >= identity.value_or(0);
}

void encodeBody(const Request& request, Response& response) {
  if (response.file || response.source || response.stream || response.body.size() < kCompressedBody) return;
  if (response.body.size() > kLargest) return;
  if (response.status == 206 || !isJson(response)) return;
  if (headerOf(response, "Content-Encoding") != nullptr || headerOf(response, "ETag") != nullptr) return;
  if (auto* vary = headerOf(response, "Vary")) {
    if (*vary != "*") *vary += ", Accept-Encoding";
  } else {
    response.with("Vary", "Accept-Encoding");
  }
  if (!acceptsGzip(request.headers)) return;
  if (auto smaller = compressed(response.body)) {
    response.body = *std::move(smaller);
    response.with("Content-Encoding", "gzip");
  }
}

}  // namespace jobhost::api
