#pragma once

#include <re2/re2.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/json_document.hpp"
#include "catalog/params_schema.hpp"

namespace jobhost::catalog {

/// What `format` asserts.
enum class StringFormat : std::uint8_t { None, Uri, DateTime, Date, Uuid, Email };
std::optional<StringFormat> stringFormatFromString(std::string_view name);
bool matchesFormat(StringFormat format, std::string_view text);

/// One compiled (sub)schema. Other nodes are named by their index. Private to params_schema*.cpp and schema_*.cpp.
struct SchemaNode {
  static constexpr std::int32_t kNone = -1;
  struct Property {
    std::string name;
    std::int32_t schema = kNone;
    std::string default_json;  ///< empty: none
    bool declared = false;     ///< named by `properties`, not by `required` alone
    bool required = false;
  };

  bool never = false;      ///< the schema `false`
  std::uint8_t types = 0;  ///< bit per TypeBit; 0: any
  std::optional<JsonNumber> minimum, maximum, exclusive_minimum, exclusive_maximum, multiple_of;
  std::optional<std::uint64_t> min_length, max_length, min_items, max_items, min_properties, max_properties;
  std::unique_ptr<const re2::RE2> pattern;
  StringFormat format = StringFormat::None;
  bool has_enum = false;              ///< enum or const
  std::set<std::string> enum_values;  ///< canonical texts
  std::string enum_message;
  bool unique_items = false;
  std::vector<std::int32_t> prefix_items;
  std::int32_t items = kNone;
  bool has_object_rules = false;                                     ///< any of the next four
  std::vector<Property> properties;                                  ///< declared or required, in the schema's order
  std::map<std::string, std::uint32_t, std::less<>> property_index;  ///< filled where properties are many
  std::int32_t additional = kNone;                                   ///< schema of members not declared
  std::vector<std::int32_t> all_of, any_of, one_of;
  std::int32_t negated = kNone;
  std::int32_t ref = kNone;
  std::string default_json;  ///< raw bytes; empty: none
};

enum TypeBit : std::uint8_t {
  kNullBit = 1,
  kBooleanBit = 2,
  kIntegerBit = 4,
  kNumberBit = 8,
  kStringBit = 16,
  kArrayBit = 32,
  kObjectBit = 64,
};

struct ParamsSchema::Compiled {
  std::string text;
  std::vector<SchemaNode> nodes;  ///< [0] is the root
  std::string defaults_json = "{}";
  std::vector<std::string> property_names;
  std::vector<std::string> warnings;
  /// The answer for "{}", which many jobs send; absent while compiling.
  std::optional<core::Result<std::string>> empty_answer;
  bool permissive = false;  ///< any object is right and nothing has a default
};

/// Checks a document's root against one node. `fill`, where not null, receives the document's text with the defaults of
/// missing members. Errors: InvalidArgument with all faults; TooLarge when the check would cost too much.
core::Result<void> checkAgainst(const ParamsSchema::Compiled& schema, std::int32_t node, const JsonDocument& document,
                                std::string* fill);

/// ParamsSchema::check without its short cuts.
core::Result<std::string> checkText(const ParamsSchema::Compiled& schema, std::string_view params_json,
                                    const JsonLimits& limits);

std::string escapePointer(std::string_view part);  ///< one token of a JSON Pointer

}  // namespace jobhost::catalog
