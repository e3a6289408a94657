#include "cli/json.hpp"

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Parser.h>
#include <Poco/JSON/Stringifier.h>

#include <sstream>

namespace jobhost::cli {
namespace {

constexpr int kIndent = 2;

std::string textOf(const Poco::Dynamic::Var& value) {
  if (value.isString()) return value.extract<std::string>();
  if (value.isBoolean()) return value.extract<bool>() ? "true" : "false";
  if (value.isNumeric()) return value.toString();
  return {};
}

std::optional<Poco::Dynamic::Var> parse(const std::string& text) {
  try {
    Poco::JSON::Parser parser;
    parser.setDepth(64);
    return parser.parse(text);
  } catch (const Poco::Exception&) {
    return std::nullopt;
  }
}

Poco::JSON::Array::Ptr arrayAt(const JsonObject& object, const std::string& key) {
  return object && object->isArray(key) ? object->getArray(key) : nullptr;
}

}  // namespace

JsonObject parseObject(const std::string& text) {
  const auto value = parse(text);
  if (!value || value->type() != typeid(JsonObject)) return nullptr;
  return value->extract<JsonObject>();
}

bool isJson(const std::string& text) {
  const auto value = parse("[" + text + "]");  // Poco parses objects and arrays only
  return value && value->type() == typeid(Poco::JSON::Array::Ptr) &&
         value->extract<Poco::JSON::Array::Ptr>()->size() == 1;
}

std::string textAt(const JsonObject& object, const std::string& key) {
  return object && object->has(key) ? textOf(object->get(key)) : std::string();
}

std::optional<double> numberAt(const JsonObject& object, const std::string& key) {
  if (!object || !object->has(key)) return std::nullopt;
  const auto value = object->get(key);
  if (!value.isNumeric() || value.isBoolean()) return std::nullopt;
  return value.convert<double>();
}

JsonObject objectAt(const JsonObject& object, const std::string& key) {
  return object && object->isObject(key) ? object->getObject(key) : nullptr;
}

std::vector<JsonObject> objectsAt(const JsonObject& object, const std::string& key) {
  std::vector<JsonObject> all;
  const auto array = arrayAt(object, key);
  for (unsigned i = 0; array && i < array->size(); ++i) {
    if (array->isObject(i)) all.push_back(array->getObject(i));
  }
  return all;
}

std::vector<std::string> textsAt(const JsonObject& object, const std::string& key) {
  std::vector<std::string> all;
  const auto array = arrayAt(object, key);
  for (unsigned i = 0; array && i < array->size(); ++i) all.push_back(textOf(array->get(i)));
  return all;
}

std::string jsonAt(const JsonObject& object, const std::string& key) {
  if (!object || !object->has(key) || object->isNull(key)) return {};
  std::ostringstream out;
  Poco::JSON::Stringifier::stringify(object->get(key), out);
  return out.str();
}

std::string jsonString(const std::string& text) {
  std::ostringstream out;
  Poco::JSON::Stringifier::stringify(Poco::Dynamic::Var(text), out);
  return out.str();
}

std::string indented(const std::string& text) {
  const auto value = parse(text);
  if (!value) return text;
  std::ostringstream out;
  Poco::JSON::Stringifier::stringify(*value, out, kIndent);
  return out.str();
}

}  // namespace jobhost::cli
