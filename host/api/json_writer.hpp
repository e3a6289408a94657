#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.hpp"

namespace jobhost::api {

/// Writes JSON text front to back. Compact, keys in the order given; commas are its business, matching begin and end is
/// the caller's. Strings that are not UTF-8 get U+FFFD for each bad byte, so the output always is.
/// `escape_slash` writes '/' as '\/' (minion's clients see it so).
class JsonWriter {
 public:
  explicit JsonWriter(bool escape_slash = false) : escape_slash_(escape_slash) {}

  JsonWriter& beginObject() { return open('{'); }
  JsonWriter& endObject() { return close('}'); }
  JsonWriter& beginArray() { return open('['); }
  JsonWriter& endArray() { return close(']'); }
  JsonWriter& key(std::string_view name);
  JsonWriter& string(std::string_view text);
  JsonWriter& number(std::int64_t value);
  JsonWriter& number(double value);  ///< null for NaN and infinities
  JsonWriter& boolean(bool value) { return bare(value ? "true" : "false"); }
  JsonWriter& null() { return bare("null"); }
  JsonWriter& time(core::Instant at);
  JsonWriter& time(const std::optional<core::Instant>& at) { return at ? time(*at) : null(); }
  /// Text that is JSON already; empty: null.
  JsonWriter& raw(std::string_view json) { return bare(json.empty() ? std::string_view("null") : json); }
  /// Such text written anew: compact, keys sorted, this writer's escapes. Text that is not JSON becomes a string.
  JsonWriter& canonical(std::string_view json);

  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  JsonWriter& bare(std::string_view text);
  void comma() {
    if (needs_comma_) out_ += ',';
    needs_comma_ = true;
  }
  void quoted(std::string_view text);

  std::string out_;
  bool escape_slash_;
  bool needs_comma_ = false;
};

}  // namespace jobhost::api
