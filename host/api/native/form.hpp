#pragma once

#include "api/json_writer.hpp"
#include "catalog/job_type.hpp"

namespace jobhost::api::native {

/// What a form for a job of this type shows, derived from the schema of its params: its fields in the order of the
/// positional arguments, then in the schema's; of each the label, type, widget, default, limits and choices, and what
/// is inside of objects and arrays. `$ref` and `allOf` are followed; `anyOf` and `oneOf` become choices, a nullable
/// field, or `variants`. Nothing a schema says can make it long: kFormDepth levels and kFormFields fields, and a field
/// beyond them is edited as JSON. Pure.
void writeForm(JsonWriter& json, const catalog::JobTypeInfo& type);

inline constexpr int kFormDepth = 6;
inline constexpr int kFormFields = 500;

}  // namespace jobhost::api::native
