#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace jobhost::store {

/// Order keys: bytes that compare as the JSON scalars they stand for: nothing, false, true, numbers, texts. A record's
/// sort key and the values of its indexed fields are kept this way, so that every engine orders them alike.
/// Pure; any thread.

inline constexpr std::size_t kMaxOrderText = 512;     ///< bytes of a text that is sorted or indexed by
inline constexpr std::size_t kMaxIndexedValues = 64;  ///< of one record in one field
inline constexpr std::size_t kMaxFieldBytes = 64;

/// Of a JSON scalar; "" for null. InvalidArgument: an array or object, a text over kMaxOrderText, a number that is not
/// exactly a double (2^53 + 1) or far beyond one.
core::Result<std::string> orderKey(std::string_view json);
/// The scalar again, as JSON; "null" for "" and for bytes that are no order key.
std::string orderKeyJson(std::string_view key);

/// Whether it names a field: up to 4 member names with dots between, as in "series.number".
bool isFieldName(std::string_view field);
/// The order keys of what a document has in a field, sorted, each once: one of a scalar, one for each scalar of an
/// array, none of null or where the field is absent. `document` is valid JSON. InvalidArgument, naming the field: an
/// object, something nested in the array, what orderKey() refuses, over kMaxIndexedValues.
core::Result<std::vector<std::string>> indexedValues(std::string_view document, std::string_view field);

}  // namespace jobhost::store
