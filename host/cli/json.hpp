#pragma once

#include <Poco/JSON/Object.h>

#include <optional>
#include <string>
#include <vector>

namespace jobhost::cli {

/// Lenient reading of the host's answers: what is missing or of another type is empty, so an older client still shows
/// what it knows of a newer host's answer.
using JsonObject = Poco::JSON::Object::Ptr;

/// Null when the text is no JSON object.
JsonObject parseObject(const std::string& text);
/// True when the text is one JSON value.
bool isJson(const std::string& text);
/// The member as text: strings as they are, numbers and flags printed, else "".
std::string textAt(const JsonObject& object, const std::string& key);
std::optional<double> numberAt(const JsonObject& object, const std::string& key);
/// Null when there is none.
JsonObject objectAt(const JsonObject& object, const std::string& key);
/// The objects in an array member.
std::vector<JsonObject> objectsAt(const JsonObject& object, const std::string& key);
/// The elements of an array member as text.
std::vector<std::string> textsAt(const JsonObject& object, const std::string& key);
/// The member as compact JSON; "" when there is none.
std::string jsonAt(const JsonObject& object, const std::string& key);
/// A JSON string literal.
std::string jsonString(const std::string& text);
/// The text as indented JSON; as it is when it is no object.
std::string indented(const std::string& text);

}  // namespace jobhost::cli
