#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"

namespace jobhost::api {

enum class JsonKind { Null, Bool, Number, String, Array, Object };

/// "a string", "an object": for messages.
std::string_view describe(JsonKind kind);

/// One value, as the bytes it was written with (no blanks around it).
struct JsonValue {
  JsonKind kind = JsonKind::Null;
  std::string_view raw;
};

struct JsonMember {
  std::string_view raw_key;  ///< with quotes and escapes; empty in arrays
  JsonValue value;
};

/// A checked document: the whole text is well-formed JSON (RFC 8259) in UTF-8, no object has a key twice, nesting is at
/// most kMaxJsonDepth, nothing follows the value. Views point into the text, which must outlive it.
struct JsonDocument {
  JsonValue root;
  std::vector<JsonMember> members;  ///< of the root object, or elements of the root array, in order
};

inline constexpr int kMaxJsonDepth = 32;

/// Errors: InvalidArgument with one FieldError: pointer "" and the byte where the text stops being JSON.
core::Result<JsonDocument> parseJson(std::string_view text);

/// The text of a string value (kind String of a checked document), escapes resolved.
std::string unescape(std::string_view raw_string);

/// Asks a checked object for members by name and type. Every wrong answer adds a FieldError (pointer, reason) to the
/// list given; the getter then answers nullopt like for an absent member. A member that is `null` counts as absent.
/// Not thread-safe; lives as long as its document.
class JsonObject {
 public:
  /// `pointer` is where the object lies in the whole document ("" is the root, "/3").
  JsonObject(const JsonDocument& document, std::string pointer, std::vector<core::FieldError>& errors);

  std::optional<std::string> string(std::string_view name, std::size_t max_bytes = 64 * 1024);
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t min, std::int64_t max);
  std::optional<double> number(std::string_view name, double min, double max);
  std::optional<bool> boolean(std::string_view name);
  std::optional<core::Instant> time(std::string_view name);
  /// The bytes of an object or array, not copied and not read further.
  std::optional<std::string_view> raw(std::string_view name, JsonKind kind);
  std::optional<std::vector<std::string>> strings(std::string_view name, std::size_t max_items,
                                                  std::size_t max_bytes = 64 * 1024);
  std::optional<std::vector<std::int64_t>> integers(std::string_view name, std::size_t max_items, std::int64_t min);

  void require(std::string_view name);  ///< an error when absent or null
  void refuse(std::string_view name, std::string reason);
  void refuseUnknown();  ///< an error for each member no getter asked for
  [[nodiscard]] const std::string& pointer() const { return pointer_; }
  std::vector<core::FieldError>& errors() { return errors_; }

 private:
  const JsonValue* take(std::string_view name);
  const JsonValue* take(std::string_view name, JsonKind kind);
  [[nodiscard]] std::string pointerTo(std::string_view name) const;

  const JsonDocument& document_;
  std::string pointer_;
  std::vector<core::FieldError>& errors_;
  std::vector<bool> asked_;
};

/// Whole number without fraction or exponent; nullopt: not one, or beyond 64 bits.
std::optional<std::int64_t> toInteger(std::string_view raw_number);

}  // namespace jobhost::api
