#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "catalog/params_schema.hpp"
#include "jobhost/json.hpp"

namespace jobhost::devtools {

/// Makes params from a job type's schema: the same seed makes the same. What it answers was checked by the schema as a
/// host would, and has its defaults filled in; what it cannot make (a pattern too hard, branches that exclude each
/// other) it does not answer. One thread.
class ParamsMaker {
 public:
  enum class Style {
    Minimal,  ///< what is required and no more
    Full,     ///< every property; examples and defaults where there are some
    Random,   ///< any
    Unicode,  ///< texts with everything that goes wrong with texts
    Huge,     ///< texts, lists and numbers as large as the schema allows, up to some 100 KB
  };
  ParamsMaker(const std::string& schema_json, std::shared_ptr<const catalog::ParamsSchema> schema, std::uint64_t seed);

  std::optional<std::string> make(Style style);
  /// Params that the schema refuses; nullopt when it refuses nothing.
  std::optional<std::string> makeInvalid();

 private:
  Json value(const Json& schema, Style style, int depth);
  Json object(const Json& schema, Style style, int depth);
  Json array(const Json& schema, Style style, int depth);
  std::string text(const Json& schema, Style style);
  Json number(const Json& schema, Style style, bool whole);
  const Json& resolved(const Json& schema, int depth) const;
  std::int64_t pick(std::int64_t least, std::int64_t most);
  Json spoiled(Json params);

  Json schema_;
  std::shared_ptr<const catalog::ParamsSchema> checker_;
  std::mt19937_64 random_;
};

/// A text that the pattern (a subset of regular expressions) matches, as far as it is understood.
std::string textFor(const std::string& pattern, std::mt19937_64& random);

}  // namespace jobhost::devtools
