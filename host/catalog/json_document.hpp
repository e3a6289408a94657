#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace jobhost::catalog {

/// What a JSON text may cost to read.
struct JsonLimits {
  std::size_t max_bytes = 16u << 20;
  int max_depth = 64;
};

/// A number with as much exactness as its spelling has: integers that fit 64 bits stay integers.
struct JsonNumber {
  bool is_int = false;
  std::int64_t integer = 0;  ///< where is_int
  double real = 0.0;         ///< always set
  /// Whether the value has no fraction, however it is spelt (1.0 and 1e3 have none).
  [[nodiscard]] bool isIntegral() const;
};
/// Negative, zero or positive as a is less than, equal to or greater than b; exact for 64-bit integers.
int compare(const JsonNumber& a, const JsonNumber& b);

enum class JsonKind : std::uint8_t { Null, False, True, Number, String, Array, Object };

class JsonDocument;

/// A place in a JsonDocument: cheap to copy, valid as long as the document (and its text) lives.
class JsonValue {
 public:
  JsonValue(const JsonDocument& document, std::uint32_t index) : document_(&document), index_(index) {}

  [[nodiscard]] JsonKind kind() const;
  [[nodiscard]] bool is(JsonKind kind_wanted) const { return kind() == kind_wanted; }
  [[nodiscard]] bool isBool() const { return is(JsonKind::True) || is(JsonKind::False); }
  [[nodiscard]] bool boolean() const { return is(JsonKind::True); }
  [[nodiscard]] JsonNumber number() const;        ///< of a Number
  [[nodiscard]] std::string_view string() const;  ///< of a String (or key): decoded UTF-8
  [[nodiscard]] std::string_view raw() const;     ///< the bytes of the text it was read from
  [[nodiscard]] std::size_t begin() const;        ///< offset of the first byte in the text
  [[nodiscard]] std::size_t end() const;          ///< offset behind the last byte
  [[nodiscard]] std::uint32_t size() const;       ///< elements of an Array, members of an Object, else 0
  [[nodiscard]] std::uint32_t index() const { return index_; }
  [[nodiscard]] std::optional<JsonValue> find(std::string_view key) const;  ///< of an Object; linear

  /// Of an Array: f(JsonValue). In order.
  template <class F>
  void elements(F&& f) const;
  /// Of an Object: f(JsonValue key, JsonValue value). In order.
  template <class F>
  void members(F&& f) const;

  /// The same value however it is spelt: member order, escapes, 1 and 1.0 do not matter. Equal values have equal texts.
  [[nodiscard]] std::string canonical() const;

 private:
  const JsonDocument* document_;
  std::uint32_t index_;
};

/// A parsed JSON text as a flat list of nodes that remember where in the text they stand, so that a text can be checked
/// and completed without writing it anew. Strict RFC 8259: UTF-8, no duplicate keys, no unpaired surrogates, no numbers
/// beyond a double. Borrows the text, which must outlive it. Immutable; any thread may read.
class JsonDocument {
 public:
  /// Errors: InvalidArgument (with the byte offset) or TooLarge. Never throws but for memory.
  static core::Result<JsonDocument> parse(std::string_view text, const JsonLimits& limits = {});

  [[nodiscard]] JsonValue root() const { return {*this, 0}; }
  [[nodiscard]] JsonValue at(std::uint32_t index) const { return {*this, index}; }
  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  friend class JsonValue;
  friend class JsonParser;
  struct Node {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::uint32_t next = 0;   ///< index behind this node and all below it
    std::uint32_t count = 0;  ///< size of a container; of an escaped string: index into decoded_ plus one
    JsonKind kind = JsonKind::Null;
  };
  JsonDocument() = default;

  std::string_view text_;
  std::vector<Node> nodes_;
  std::vector<std::string> decoded_;
};

/// The text as a JSON string, with the quotes.
std::string quoteJson(std::string_view text);

/// Code points in well-formed UTF-8.
std::size_t countCodePoints(std::string_view text);

template <class F>
void JsonValue::elements(F&& f) const {
  const auto& nodes = document_->nodes_;
  std::uint32_t at = index_ + 1;
  for (std::uint32_t i = 0; i < size(); ++i, at = nodes[at].next) f(JsonValue(*document_, at));
}

template <class F>
void JsonValue::members(F&& f) const {
  const auto& nodes = document_->nodes_;
  std::uint32_t at = index_ + 1;
  for (std::uint32_t i = 0; i < size(); ++i, at = nodes[at + 1].next) {
    f(JsonValue(*document_, at), JsonValue(*document_, at + 1));
  }
}

}  // namespace jobhost::catalog
