#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jobhost::core {

/// For text and JSON that comes from somewhere else: bytes of unknown intent, looked at without building a document.
/// Pure. None throws but bad_alloc.

/// The same text with everything that is not UTF-8 (and NUL) replaced by U+FFFD, cut to `max_bytes` at a character.
std::string cleanText(std::string_view text, std::size_t max_bytes);

/// `text` as a JSON string with its quotes; what is not UTF-8 becomes U+FFFD.
std::string quoteJson(std::string_view text);
void appendJsonString(std::string& out, std::string_view text);

/// Whether `json` is exactly one JSON value (RFC 8259), valid UTF-8, nested at most `max_depth` deep.
bool isJson(std::string_view json, int max_depth = 64);

/// The members of a JSON object as raw text, in order; nullopt when `json` is not an object or holds a key twice.
/// Keys are unescaped; values are views into `json`.
struct JsonMember {
  std::string key;
  std::string_view value;
};
std::optional<std::vector<JsonMember>> jsonMembers(std::string_view json);

/// The items of a JSON array as raw text; nullopt when it is none.
std::optional<std::vector<std::string_view>> jsonItems(std::string_view json);

/// The member `key` of a JSON object as raw text; of a key that is there twice the first. nullopt when there is none or
/// `json` is no object. Reads no further than the member.
std::optional<std::string_view> jsonFind(std::string_view json, std::string_view key);

/// The text of a JSON string; nullopt when `json` is none.
std::optional<std::string> jsonString(std::string_view json);

/// The number a JSON number is, as the nearest double; nullopt when it is none or has no double near it.
std::optional<double> jsonNumber(std::string_view json);

/// The integer a JSON number is; nullopt when it is none, has a fraction or does not fit.
std::optional<std::int64_t> jsonInteger(std::string_view json);

}  // namespace jobhost::core
