#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/json_document.hpp"
#include "core/result.hpp"

namespace jobhost::catalog {

/// A JSON Schema, compiled once for each generation of a plugin and then asked for every submit.
///
/// The dialect is the subset of 2020-12 that docs/decisions/0006-json-schema.md lists. A keyword of JSON Schema outside
/// it is refused, so that no schema promises a check that is not made; unknown words are kept as warnings.
/// Immutable; any thread may check. Time and memory are bounded: patterns run on RE2, and one check makes at most
/// kMaxSteps steps.
class ParamsSchema {
 public:
  static constexpr std::size_t kMaxErrors = 100;
  static constexpr std::uint32_t kMaxSteps = 2'000'000;

  /// Errors: InvalidArgument with every fault of the schema, pointers relative to it.
  static core::Result<std::shared_ptr<const ParamsSchema>> compile(std::string_view schema_json);

  ~ParamsSchema();
  ParamsSchema(const ParamsSchema&) = delete;
  ParamsSchema& operator=(const ParamsSchema&) = delete;

  /// Checks a job's params, which must be an object. Answers their text: unchanged bytes, with the defaults of missing
  /// members inserted. Defaults come from `properties`, through `$ref` and `allOf`, not from branches of `anyOf` and
  /// `oneOf`. Errors: InvalidArgument with a FieldError for each fault (at most kMaxErrors), TooLarge over `limits`.
  [[nodiscard]] core::Result<std::string> check(std::string_view params_json, const JsonLimits& limits = {}) const;

  /// Top-level defaults as an object: {"quality":80}.
  [[nodiscard]] const std::string& defaultsJson() const;
  /// Names of top-level properties in the schema's order.
  [[nodiscard]] const std::vector<std::string>& propertyNames() const;
  /// "pointer: unknown keyword …", for the author of the schema.
  [[nodiscard]] const std::vector<std::string>& warnings() const;

  struct Compiled;  ///< in schema_nodes.hpp, for the parts of this class

 private:
  explicit ParamsSchema(std::unique_ptr<const Compiled> compiled);
  std::unique_ptr<const Compiled> compiled_;
  friend class SchemaCompiler;
};

}  // namespace jobhost::catalog
