#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jobhost::novel {

/// A value of a JSON body or of a source spec. Knows the line it began at, so that a spec's errors can name it.
/// Numbers keep their spelling: ids of more than 53 bits stay what they are.
struct Data {
  enum class Kind : unsigned char { Null, Bool, Number, String, List, Map };
  struct Member;

  Kind kind = Kind::Null;
  bool boolean = false;
  std::string text;  ///< String; Number as it was written
  std::vector<Data> items;
  std::vector<Member> members;  ///< in order; names are unique
  int line = 0;                 ///< from 1; 0: unknown
  int file = 0;                 ///< which file of a merged spec; the loader's

  [[nodiscard]] bool isNull() const { return kind == Kind::Null; }
  [[nodiscard]] bool isString() const { return kind == Kind::String; }
  [[nodiscard]] bool isList() const { return kind == Kind::List; }
  [[nodiscard]] bool isMap() const { return kind == Kind::Map; }
  [[nodiscard]] const Data* find(std::string_view name) const;
  [[nodiscard]] Data* find(std::string_view name);
  /// A scalar as text: a string, the spelling of a number, "true", "false"; else empty.
  [[nodiscard]] std::string scalarText() const;
};

struct Data::Member {
  std::string name;
  Data value;
};

/// Where a document stopped making sense.
struct DataError {
  int line = 0;
  std::string reason;
};

struct DataLimits {
  std::size_t bytes = 32 << 20;
  std::size_t nodes = 1'000'000;  ///< what YAML aliases repeat counts each time
  std::size_t depth = 64;
};

/// RFC 8259; of members with the same name `error` is set when `unique`, else the last counts. Never throws but
/// std::bad_alloc.
std::optional<Data> parseJson(std::string_view text, DataError& error, bool unique = false,
                              const DataLimits& limits = {});

/// One YAML document of the core schema: `null`, `true` and `false` in lower case, numbers; `yes`, `on` and the like
/// are strings. Anchors work, tags and merge keys are refused.
std::optional<Data> parseYaml(std::string_view text, DataError& error, const DataLimits& limits = {});

/// Compact JSON.
std::string toJson(const Data& data);
void appendJsonString(std::string& out, std::string_view text);

/// A dotted path: `$` is the value itself, digits index a list, anything else names a member. nullptr: no such thing.
const Data* atPath(const Data& data, std::string_view path);

}  // namespace jobhost::novel
