// Arbitrary bytes as a job's params under a schema with most keywords. What is accepted must be accepted again,
// unchanged: all defaults are in.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "catalog/params_schema.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using jobhost::catalog::ParamsSchema;
  static const auto schema = *ParamsSchema::compile(R"({
    "$ref": "#/$defs/node",
    "$defs": {"node": {"type": "object", "properties": {
      "n": {"type": "integer", "minimum": -5, "maximum": 9007199254740993, "default": 3},
      "m": {"type": "number", "multipleOf": 0.01},
      "s": {"type": "string", "pattern": "^(a|b)*c", "maxLength": 20},
      "d": {"type": "string", "format": "date-time"}, "u": {"type": "string", "format": "uri"},
      "list": {"type": "array", "uniqueItems": true, "prefixItems": [{"type": "null"}], "items": {"$ref": "#/$defs/node"}},
      "e": {"enum": [1, "x", [2.0], {"k": null}]},
      "one": {"oneOf": [{"type": "string"}, {"type": "object", "required": ["q"]}]},
      "next": {"$ref": "#/$defs/node"}}}}})");
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto first = schema->check(text);
  if (!first) return 0;
  const auto second = schema->check(*first);
  if (!second || *second != *first) std::abort();
  return 0;
}
