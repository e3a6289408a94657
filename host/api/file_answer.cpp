#include "api/file_answer.hpp"

#include <algorithm>
#include <ctime>
#include <limits>
#include <string_view>
#include <utility>

#include <sys/stat.h>

#include "api/encoding.hpp"
#include "api/json_reader.hpp"

namespace jobhost::api {
namespace {

struct ByteRange {
  std::int64_t first = 0;
  std::int64_t length = 0;
};
enum class RangeKind { None, Some, Unsatisfiable };

RangeKind readRange(std::string_view header, std::int64_t size, ByteRange& range) {
  if (!header.starts_with("bytes=") || header.find(',') != std::string_view::npos) return RangeKind::None;
  header.remove_prefix(6);
  const auto dash = header.find('-');
  if (dash == std::string_view::npos) return RangeKind::None;
  const auto number = [](std::string_view text) -> std::optional<std::int64_t> {
    const bool digits =
        !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) return std::nullopt;
    return toInteger(text).value_or(std::numeric_limits<std::int64_t>::max());  // beyond 64 bits: beyond every file
  };
  const auto first = number(header.substr(0, dash));
  const auto last = number(header.substr(dash + 1));
  if (dash == 0) {
    if (!last) return RangeKind::None;
    if (*last == 0 || size == 0) return RangeKind::Unsatisfiable;
    range.length = std::min(*last, size);
    range.first = size - range.length;
    return RangeKind::Some;
  }
  if (!first || (!last && dash + 1 != header.size()) || (last && *last < *first)) return RangeKind::None;
  if (*first >= size) return RangeKind::Unsatisfiable;
  range.first = *first;
  range.length = std::min(last.value_or(size - 1), size - 1) - *first + 1;
  return RangeKind::Some;
}

/// nullopt: no HTTP date.
std::optional<std::time_t> readHttpDate(std::string_view text) {
  std::tm time{};
  const std::string copy(text);
  const char* end = ::strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return ::timegm(&time);
}

bool isKnown(const Request& request, const OpenFile& file) {
  if (const auto tags = request.header("If-None-Match")) {
    return *tags == "*" || tags->find(file.etag) != std::string_view::npos;
  }
  if (!file.changed_at) return false;
  const auto since = request.header("If-Modified-Since");
  const auto at = since ? readHttpDate(*since) : std::nullopt;
  return at && core::toMicros(*file.changed_at) / 1'000'000 <= *at;
}

}  // namespace

std::optional<OpenFile> openedFile(int fd) {
  OpenFile file{FileBody(fd, 0, 0), {}, {}};
  struct stat info {};
  if (fd < 0 || ::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  file.body.length = static_cast<std::int64_t>(info.st_size);
  file.etag = "\"" + std::to_string(info.st_size) + "-" + std::to_string(info.st_mtim.tv_sec) + "-" +
              std::to_string(info.st_mtim.tv_nsec) + "\"";
  file.changed_at = core::fromMicros(std::int64_t{info.st_mtim.tv_sec} * 1'000'000);
  return file;
}

void answerWith(OpenFile file, const Request& request, Response& response) {
  const auto size = file.size();
  response.with("ETag", file.etag);
  if (file.changed_at) response.with("Last-Modified", httpDate(*file.changed_at));
  response.with("Accept-Ranges", "bytes");
  if (isKnown(request, file)) {
    response.status = 304;
    return;
  }
  ByteRange range{0, size};
  const auto if_range = request.header("If-Range");
  if (const auto header = request.header("Range"); header && (!if_range || *if_range == file.etag)) {
    const auto kind = readRange(*header, size, range);
    if (kind == RangeKind::Unsatisfiable) {
      response.status = 416;
      response.with("Content-Range", "bytes */" + std::to_string(size));
      return;
    }
    if (kind == RangeKind::Some) {
      response.status = 206;
      response.with("Content-Range", "bytes " + std::to_string(range.first) + "-" +
                                         std::to_string(range.first + range.length - 1) + "/" + std::to_string(size));
    }
  }
  file.body.offset = range.first;
  file.body.length = range.length;
  response.file = std::move(file.body);
}

}  // namespace jobhost::api
