// jobhost SDK: jobhost::Json to and from Poco::Dynamic::Var as Poco::JSON makes it. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <Poco/Dynamic/Var.h>
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include <cstdint>
#include <string>

#include "../json.hpp"

namespace jobhost {

/// Objects become Poco::JSON::Object::Ptr and keep the order of their members, arrays Poco::JSON::Array::Ptr, null an
/// empty Var.
inline Poco::Dynamic::Var toPoco(const Json& in) {
  switch (in.type()) {
    case Json::Type::Null:
      break;
    case Json::Type::Bool:
      return in.boolOr(false);
    case Json::Type::Int:
      return static_cast<Poco::Int64>(in.intOr(0));
    case Json::Type::Double:
      return in.numberOr(0);
    case Json::Type::String:
      return std::string(in.stringOr(""));
    case Json::Type::Array: {
      Poco::JSON::Array::Ptr list = new Poco::JSON::Array;
      for (const auto& item : in.items()) list->add(toPoco(item));
      return list;
    }
    case Json::Type::Object: {
      Poco::JSON::Object::Ptr object = new Poco::JSON::Object(Poco::JSON_PRESERVE_KEY_ORDER);
      for (std::size_t i = 0; i < in.size(); ++i) object->set(in.names()[i], toPoco(in.items()[i]));
      return object;
    }
  }
  return {};
}

/// Throws Error (bad input) for a Var that holds what JSON has not, and below Json::kMaxDepth. Unsigned numbers over
/// 2^63-1 become doubles.
inline Json fromPoco(const Poco::Dynamic::Var& in, int depth = 0) {
  if (depth > Json::kMaxDepth) throw Error::badInput("the JSON value is nested too deep").code("json.depth");
  if (in.isEmpty()) return {};
  if (in.isBoolean()) return in.convert<bool>();
  if (in.isString()) return in.convert<std::string>();
  if (in.isInteger()) {
    if (!in.isSigned()) return static_cast<std::uint64_t>(in.convert<Poco::UInt64>());
    return static_cast<std::int64_t>(in.convert<Poco::Int64>());
  }
  if (in.isNumeric()) return in.convert<double>();
  const auto list = [&](const Poco::JSON::Array& items) {
    Json out = Json::array();
    for (const auto& item : items) out.push(fromPoco(item, depth + 1));
    return out;
  };
  const auto object = [&](const Poco::JSON::Object& members) {
    Json out = Json::object();
    for (const auto& name : members.getNames()) out.set(name, fromPoco(members.get(name), depth + 1));
    return out;
  };
  if (in.type() == typeid(Poco::JSON::Array::Ptr)) return list(*in.extract<Poco::JSON::Array::Ptr>());
  if (in.type() == typeid(Poco::JSON::Object::Ptr)) return object(*in.extract<Poco::JSON::Object::Ptr>());
  if (in.type() == typeid(Poco::JSON::Array)) return list(in.extract<Poco::JSON::Array>());
  if (in.type() == typeid(Poco::JSON::Object)) return object(in.extract<Poco::JSON::Object>());
  throw Error::badInput("the value has no form in JSON").code("json.type");
}

}  // namespace jobhost
