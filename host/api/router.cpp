#include "api/router.hpp"
#include "core/utf8.hpp"

namespace jobhost::api {
namespace {

constexpr std::size_t kMaxSegments = 24;

/// The segments between slashes of a path that begins with one; false: too many.
bool split(std::string_view path, std::string_view (&segments)[kMaxSegments], std::size_t& count) {
  count = 0;
  path.remove_prefix(1);
  for (;;) {
    if (count == kMaxSegments) return false;
    const auto slash = path.find('/');
    segments[count++] = path.substr(0, slash);
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

bool isSafe(std::string_view raw) {
  if (raw == "." || raw == "..") return false;
  if (raw.find('%') == std::string_view::npos) return true;
  const auto text = percentDecode(raw, false);
  return text && core::isUtf8(*text) && *text != "." && *text != "..";
}

/// A slash that hides in an escape separates nothing: a single segment holds one only where its row says so.
std::optional<std::string> decodeSegment(std::string_view raw, bool with_slashes) {
  if (raw.find('%') == std::string_view::npos) return std::string(raw);
  auto text = percentDecode(raw, false);
  if (text && !with_slashes && text->find('/') != std::string::npos) return std::nullopt;
  return text;
}

}  // namespace

void RouteTable::add(Method method, std::string pattern, Privilege privilege, Handler handler, bool takes_query,
                     Body body) {
  Pattern compiled;
  std::string_view segments[kMaxSegments];
  std::size_t count = 0;
  split(pattern, segments, count);
  for (std::size_t i = 0; i < count; ++i) {
    const bool capture = segments[i].starts_with('{');
    compiled.segments.emplace_back(capture ? std::string_view{} : segments[i]);
    compiled.takes_rest = capture && segments[i].ends_with("...}");
    if (segments[i].starts_with("{+")) compiled.with_slashes = i + 1;
  }
  if (const auto plus = pattern.find("{+"); plus != std::string::npos) pattern.erase(plus + 1, 1);
  patterns_.push_back(std::move(compiled));
  rows_.push_back({method, std::move(pattern), privilege, std::move(handler), takes_query, body});
}

std::optional<RouteTable::Match> RouteTable::match(Method method, std::string_view path) const {
  std::string_view segments[kMaxSegments];
  std::size_t count = 0;
  Match match;
  if (!path.starts_with('/') || !split(path, segments, count)) return match;
  for (std::size_t i = 0; i < count; ++i) {
    if (!isSafe(segments[i])) return std::nullopt;
  }
  const auto wanted = method == Method::Head ? Method::Get : method;
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    const auto& pattern = patterns_[row];
    const std::size_t size = pattern.segments.size();
    if (pattern.takes_rest ? count < size : count != size) continue;
    std::string captures[2];
    std::size_t captured = 0;
    bool fits = true;
    for (std::size_t i = 0; i < size && fits; ++i) {
      if (!pattern.segments[i].empty()) {
        fits = segments[i] == pattern.segments[i];
        continue;
      }
      auto raw = segments[i];
      const bool rest = pattern.takes_rest && i + 1 == size;
      if (rest) raw = path.substr(static_cast<std::size_t>(raw.data() - path.data()));
      auto value = rest ? percentDecode(raw, false) : decodeSegment(raw, pattern.with_slashes == i + 1);
      fits = value && !value->empty();
      if (fits) captures[captured++] = *std::move(value);
    }
    if (!fits) continue;
    match.path_known = true;
    if (rows_[row].method == wanted) {
      match.route = &rows_[row];
      match.captures[0] = std::move(captures[0]);
      match.captures[1] = std::move(captures[1]);
      return match;
    }
    const auto other = toString(rows_[row].method);
    if (match.allow.find(other) != std::string::npos) continue;  // "bulk/cancel" also fits "{id}/cancel"
    match.allow += match.allow.empty() ? "" : ", ";
    match.allow += other;
  }
  return match;
}

int statusOf(core::ErrorCode code) {
  switch (code) {
    case core::ErrorCode::InvalidArgument:
      return 400;
    case core::ErrorCode::Unauthenticated:
      return 401;
    case core::ErrorCode::PermissionDenied:
      return 403;
    case core::ErrorCode::NotFound:
      return 404;
    case core::ErrorCode::Conflict:
      return 409;
    case core::ErrorCode::TooLarge:
      return 413;
    case core::ErrorCode::Exhausted:
      return 429;
    case core::ErrorCode::Unavailable:
      return 503;
    case core::ErrorCode::DeadlineExceeded:
      return 408;
    case core::ErrorCode::Unsupported:
      return 501;
    case core::ErrorCode::Canceled:
      return 400;
    case core::ErrorCode::Internal:
      return 500;
  }
  return 500;
}

}  // namespace jobhost::api
