#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.hpp"

namespace jobhost::api {

/// Spellings at the edge: hex, base64, percent-encoding, times. Pure; any thread.

std::string toHex(std::string_view bytes);
std::optional<std::string> fromHex(std::string_view hex);
/// Standard alphabet, padded, canonical (unused bits zero); anything else is nullopt.
std::optional<std::string> fromBase64(std::string_view text);
std::string toBase64(std::string_view bytes);
std::string sha256Hex(std::string_view bytes);

/// Decodes %XX. nullopt: a bad escape, or a NUL byte. `plus_is_space` for query strings and forms.
std::optional<std::string> percentDecode(std::string_view text, bool plus_is_space);

/// Decoded name=value pairs in order. nullopt: bad escape, NUL, bad UTF-8, or more than 100 pairs.
class Query {
 public:
  static std::optional<Query> parse(std::string_view raw);
  /// The last one of that name, as Mojolicious reads them; nullopt: absent.
  [[nodiscard]] std::optional<std::string_view> last(std::string_view name) const;
  /// All of that name; `a=1,2` is not split.
  [[nodiscard]] std::vector<std::string_view> all(std::string_view name) const;
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& pairs() const { return pairs_; }

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

/// RFC 3339, UTC, milliseconds: "2026-07-12T08:15:30.123Z".
std::string formatTime(core::Instant at);
void appendTime(std::string& out, core::Instant at);
/// RFC 3339 with Z or an offset, fraction optional. nullopt: not a time, or outside the years 1970–9999.
std::optional<core::Instant> parseTime(std::string_view text);
/// For the Date header: "Sun, 06 Nov 1994 08:49:37 GMT".
std::string httpDate(core::Instant at);

}  // namespace jobhost::api
