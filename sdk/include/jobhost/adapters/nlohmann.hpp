// jobhost SDK: jobhost::Json to and from nlohmann::json. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>

#include "../json.hpp"

namespace jobhost {

/// nlohmann::json document = job.params();   also of basic_json with other containers: ordered_json keeps the order.
template <class BasicJson>
void to_json(BasicJson& out, const Json& in) {
  switch (in.type()) {
    case Json::Type::Null:
      out = nullptr;
      return;
    case Json::Type::Bool:
      out = in.boolOr(false);
      return;
    case Json::Type::Int:
      out = in.intOr(0);
      return;
    case Json::Type::Double:
      out = in.numberOr(0);
      return;
    case Json::Type::String:
      out = std::string(in.stringOr(""));
      return;
    case Json::Type::Array:
      out = BasicJson::array();
      for (const auto& item : in.items()) {
        BasicJson value;
        to_json(value, item);
        out.push_back(std::move(value));
      }
      return;
    case Json::Type::Object:
      out = BasicJson::object();
      for (std::size_t i = 0; i < in.size(); ++i) {
        BasicJson value;
        to_json(value, in.items()[i]);
        out[in.names()[i]] = std::move(value);
      }
      return;
  }
}

/// The value of an nlohmann::json. Throws Error (bad input) for binary values and below Json::kMaxDepth. Unsigned
/// numbers over 2^63-1 become doubles.
template <class BasicJson>
Json fromNlohmann(const BasicJson& in, int depth = 0) {
  if (depth > Json::kMaxDepth) throw Error::badInput("the JSON value is nested too deep").code("json.depth");
  if (in.is_null()) return {};
  if (in.is_boolean()) return in.template get<bool>();
  if (in.is_number_unsigned()) return in.template get<std::uint64_t>();
  if (in.is_number_integer()) return in.template get<std::int64_t>();
  if (in.is_number_float()) return in.template get<double>();
  if (in.is_string()) return in.template get<std::string>();
  if (in.is_array()) {
    Json out = Json::array();
    for (const auto& item : in) out.push(fromNlohmann(item, depth + 1));
    return out;
  }
  if (!in.is_object()) throw Error::badInput("the value has no form in JSON").code("json.type");
  Json out = Json::object();
  for (auto at = in.begin(); at != in.end(); ++at) out.set(at.key(), fromNlohmann(at.value(), depth + 1));
  return out;
}

/// document.get<jobhost::Json>()
template <class BasicJson>
void from_json(const BasicJson& in, Json& out) {
  out = fromNlohmann(in);
}

}  // namespace jobhost
