// jobhost SDK: jobhost::Json to and from boost::json::value (Boost 1.75 or later). SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json.hpp>

#include <cstdint>
#include <string>

#include "../json.hpp"

namespace jobhost {

/// boost::json::value_from(job.params())
inline void tag_invoke(boost::json::value_from_tag, boost::json::value& out, const Json& in) {
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
    case Json::Type::String: {
      const auto text = in.stringOr("");
      out = boost::json::string_view(text.data(), text.size());
      return;
    }
    case Json::Type::Array: {
      auto& list = out.emplace_array();
      for (const auto& item : in.items()) list.push_back(boost::json::value_from(item, list.storage()));
      return;
    }
    case Json::Type::Object: {
      auto& object = out.emplace_object();
      for (std::size_t i = 0; i < in.size(); ++i) {
        object[in.names()[i]] = boost::json::value_from(in.items()[i], object.storage());
      }
      return;
    }
  }
}

/// The value of a boost::json::value. Throws Error (bad input) below Json::kMaxDepth. Unsigned numbers over 2^63-1
/// become doubles.
inline Json fromBoost(const boost::json::value& in, int depth = 0) {
  if (depth > Json::kMaxDepth) throw Error::badInput("the JSON value is nested too deep").code("json.depth");
  switch (in.kind()) {
    case boost::json::kind::null:
      return {};
    case boost::json::kind::bool_:
      return in.get_bool();
    case boost::json::kind::int64:
      return in.get_int64();
    case boost::json::kind::uint64:
      return in.get_uint64();
    case boost::json::kind::double_:
      return in.get_double();
    case boost::json::kind::string:
      return std::string(in.get_string().data(), in.get_string().size());
    case boost::json::kind::array: {
      Json out = Json::array();
      for (const auto& item : in.get_array()) out.push(fromBoost(item, depth + 1));
      return out;
    }
    case boost::json::kind::object:
      break;
  }
  Json out = Json::object();
  for (const auto& member : in.get_object()) {
    const auto key = member.key();
    out.set(std::string_view(key.data(), key.size()), fromBoost(member.value(), depth + 1));
  }
  return out;
}

/// boost::json::value_to<jobhost::Json>(document)
inline Json tag_invoke(boost::json::value_to_tag<Json>, const boost::json::value& in) {
  return fromBoost(in);
}

}  // namespace jobhost
