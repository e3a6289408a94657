#include "api/lncrawl/fields.hpp"

#include <algorithm>
#include <limits>

#include "api/json_writer.hpp"

namespace jobhost::api::lncrawl {
namespace {

constexpr std::size_t kMaxFilter = 512;

std::string numbers(const std::vector<std::int64_t>& values) {
  std::string all;
  for (std::size_t i = 0; i < values.size(); ++i) {
    all += i == 0 ? "" : i + 1 == values.size() ? " or " : ", ";
    all += std::to_string(values[i]);
  }
  return all;
}

/// Of UTF-8, which every text here is.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

Fault tooShort(std::vector<std::string> where, std::string input_json) {
  return {"string_too_short", std::move(where), "String should have at least 1 character", std::move(input_json),
          R"({"min_length":1})"};
}

Fault tooLong(std::vector<std::string> where, std::size_t max_characters) {
  const auto most = std::to_string(max_characters);
  return {"string_too_long", std::move(where), "String should have at most " + most + " characters", "null",
          R"({"max_length":)" + most + "}"};
}

Fault notOneOf(std::vector<std::string> where, const std::vector<std::int64_t>& values, std::string input_json) {
  const auto expected = numbers(values);
  return {"enum", std::move(where), "Input should be " + expected, std::move(input_json),
          R"({"expected":)" + jsonText(expected) + "}"};
}

/// As pydantic reads an integer from text: blanks around it, a sign, digits, perhaps a fraction of zeros.
std::optional<std::int64_t> integerText(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  if (text.starts_with('+')) text.remove_prefix(1);
  bool negative = false;
  if (text.starts_with('-')) {
    negative = true;
    text.remove_prefix(1);
  }
  if (const auto dot = text.find('.'); dot != std::string_view::npos && dot + 1 < text.size()) {
    const auto fraction = text.substr(dot + 1);
    if (fraction.find_first_not_of('0') == std::string_view::npos) text = text.substr(0, dot);
  }
  while (text.size() > 1 && text.front() == '0') text.remove_prefix(1);
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  const auto number = toInteger(text).value_or(std::numeric_limits<std::int64_t>::max());
  return negative ? -number : number;
}

}  // namespace

std::string jsonText(std::string_view text) {
  JsonWriter json;
  return json.string(text).take();
}

std::optional<bool> booleanWord(std::string_view text) {
  for (const auto word : {"true", "1", "yes", "on", "t", "y"}) {
    if (sameNoCase(text, word)) return true;
  }
  for (const auto word : {"false", "0", "no", "off", "f", "n"}) {
    if (sameNoCase(text, word)) return false;
  }
  return std::nullopt;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\f\v";
  const auto begin = text.find_first_not_of(kBlanks);
  return begin == std::string_view::npos ? "" : text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

QueryFields::QueryFields(const Request& request) : query_(Query::parse(request.query)) {
  if (!query_) fault({"value_error", {"query"}, "The query string is not valid", jsonText(request.query)});
}

std::optional<std::string> QueryFields::text(std::string_view name) {
  const auto found = query_ ? query_->last(name) : std::nullopt;
  return found ? std::optional<std::string>(*found) : std::nullopt;
}

std::optional<std::string> QueryFields::filter(std::string_view name) {
  auto given = text(name);
  if (!given || given->empty()) return std::nullopt;
  if (characters(*given) > kMaxFilter) {
    auto wrong = tooLong({"query", std::string(name)}, kMaxFilter);
    wrong.input_json = jsonText(*given);
    fault(std::move(wrong));
    return std::nullopt;
  }
  return given;
}

std::optional<std::int64_t> QueryFields::integer(std::string_view name, std::int64_t min, std::int64_t max) {
  const auto given = text(name);
  if (!given) return std::nullopt;
  const std::vector<std::string> where{"query", std::string(name)};
  const auto number = integerText(*given);
  if (!number) {
    fault({"int_parsing", where, "Input should be a valid integer, unable to parse string as an integer",
           jsonText(*given)});
    return std::nullopt;
  }
  if (*number < min || *number > max) {
    const bool low = *number < min;
    const auto bound = std::to_string(low ? min : max);
    fault({low ? "greater_than_equal" : "less_than_equal", where,
           std::string("Input should be ") + (low ? "greater" : "less") + " than or equal to " + bound,
           jsonText(*given), std::string(low ? R"({"ge":)" : R"({"le":)") + bound + "}"});
    return std::nullopt;
  }
  return number;
}

std::optional<bool> QueryFields::boolean(std::string_view name) {
  const auto given = text(name);
  if (!given) return std::nullopt;
  const auto value = booleanWord(*given);
  if (!value) {
    fault({"bool_parsing",
           {"query", std::string(name)},
           "Input should be a valid boolean, unable to interpret input",
           jsonText(*given)});
  }
  return value;
}

std::optional<std::int64_t> QueryFields::oneOf(std::string_view name, const std::vector<std::int64_t>& values) {
  const auto given = text(name);
  if (!given) return std::nullopt;
  const auto number = integerText(*given);
  if (number && std::find(values.begin(), values.end(), *number) != values.end()) return number;
  fault(notOneOf({"query", std::string(name)}, values, jsonText(*given)));
  return std::nullopt;
}

QueryFields::Span QueryFields::span() {
  Span span;
  span.offset = integer("offset", 0, std::numeric_limits<std::int64_t>::max()).value_or(span.offset);
  span.limit = integer("limit", 0, 100).value_or(span.limit);
  return span;
}

BodyFields::BodyFields(std::string_view body) : body_(body) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    fault({"missing", {"body"}, "Field required", "null"});
    return;
  }
  auto document = parseJson(body);
  if (!document) {
    const auto& why = document.error().fields.empty() ? document.error().message : document.error().fields[0].message;
    fault({"json_invalid", {"body", "0"}, "JSON decode error", "{}", R"({"error":)" + jsonText(why) + "}"});
    return;
  }
  if (document->root.kind != JsonKind::Object) {
    fault({"model_attributes_type",
           {"body"},
           "Input should be a valid dictionary or object to extract fields from",
           std::string(document->root.raw)});
    return;
  }
  document_ = *std::move(document);
}

const JsonValue* BodyFields::value(std::string_view name, bool required) {
  if (!document_) return nullptr;
  for (const auto& member : document_->members) {
    if (unescape(member.raw_key) == name) return &member.value;
  }
  if (required) {
    // A body that holds a secret is not sent back.
    const bool secret = std::any_of(document_->members.begin(), document_->members.end(),
                                    [](const auto& member) { return unescape(member.raw_key) == "password"; });
    fault({"missing",
           {"body", std::string(name)},
           "Field required",
           secret ? std::string("null") : std::string(document_->root.raw)});
  }
  return nullptr;
}

std::optional<std::string> BodyFields::text(std::string_view name, std::size_t max_characters) {
  const auto* found = value(name, true);
  return found == nullptr ? std::nullopt : textOf(*found, name, max_characters);
}

std::optional<std::string> BodyFields::textOrNull(std::string_view name, std::size_t max_characters) {
  return has(name) ? textOf(*value(name, false), name, max_characters) : std::nullopt;
}

std::optional<std::string> BodyFields::textOf(const JsonValue& value, std::string_view name,
                                              std::size_t max_characters) {
  const std::vector<std::string> where{"body", std::string(name)};
  if (value.kind != JsonKind::String) {
    fault({"string_type", where, "Input should be a valid string",
           name == "password" ? std::string("null") : std::string(value.raw)});
    return std::nullopt;
  }
  auto text = unescape(value.raw);
  if (characters(text) > max_characters) {
    fault(tooLong(where, max_characters));
    return std::nullopt;
  }
  return text;
}

std::optional<std::string> BodyFields::title(std::string_view name, std::size_t max_characters) {
  const auto given = text(name, max_characters);
  if (!given) return std::nullopt;
  const auto bare = trimmed(*given);
  if (!bare.empty()) return std::string(bare);
  fault(tooShort({"body", std::string(name)}, jsonText(*given)));
  return std::nullopt;
}

bool BodyFields::has(std::string_view name) {
  const auto* found = value(name, false);
  return found != nullptr && found->kind != JsonKind::Null;
}

bool BodyFields::boolean(std::string_view name, bool otherwise) {
  const auto* found = value(name, false);
  if (found == nullptr) return otherwise;
  if (found->kind == JsonKind::Bool) return found->raw == "true";
  const bool scalar = found->kind == JsonKind::Number || found->kind == JsonKind::String;
  if (found->kind == JsonKind::Number && (found->raw == "0" || found->raw == "1")) return found->raw == "1";
  if (found->kind == JsonKind::String) {
    if (const auto word = booleanWord(unescape(found->raw))) return *word;
  }
  fault({scalar ? "bool_parsing" : "bool_type",
         {"body", std::string(name)},
         scalar ? "Input should be a valid boolean, unable to interpret input" : "Input should be a valid boolean",
         std::string(found->raw)});
  return otherwise;
}

std::optional<bool> BodyFields::booleanOrNull(std::string_view name) {
  if (!has(name)) return std::nullopt;
  const auto before = faults_.size();
  const bool given = boolean(name, false);
  return faults_.size() == before ? std::optional(given) : std::nullopt;
}

std::optional<std::int64_t> BodyFields::oneOf(std::string_view name, const std::vector<std::int64_t>& values) {
  const auto* found = value(name, true);
  if (found == nullptr) return std::nullopt;
  const bool scalar = found->kind == JsonKind::Number || found->kind == JsonKind::String;
  const auto number =
      !scalar ? std::nullopt
              : integerText(found->kind == JsonKind::String ? unescape(found->raw) : std::string(found->raw));
  if (number && std::find(values.begin(), values.end(), *number) != values.end()) return number;
  fault(notOneOf({"body", std::string(name)}, values, std::string(found->raw)));
  return std::nullopt;
}

std::optional<std::vector<JsonValue>> BodyFields::list(std::string_view name, std::size_t max_items) {
  const auto* found = value(name, true);
  if (found == nullptr) return std::nullopt;
  const std::vector<std::string> where{"body", std::string(name)};
  if (found->kind != JsonKind::Array) {
    fault({"list_type", where, "Input should be a valid list", std::string(found->raw)});
    return std::nullopt;
  }
  const auto elements = parseJson(found->raw);  // a part of what was read already
  std::vector<JsonValue> values;
  if (elements) {
    for (const auto& member : elements->members) values.push_back(member.value);
  }
  if (values.size() > max_items) {
    const auto most = std::to_string(max_items);
    fault({"too_long", where, "List should have at most " + most + " items", "null", R"({"max_length":)" + most + "}"});
    return std::nullopt;
  }
  return values;
}

std::optional<std::vector<std::string>> BodyFields::texts(std::string_view name, std::size_t max_items,
                                                          std::size_t max_characters) {
  const auto values = list(name, max_items);
  if (!values) return std::nullopt;
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < values->size(); ++i) {
    const auto& value = (*values)[i];
    const std::vector<std::string> where{"body", std::string(name), std::to_string(i)};
    if (value.kind != JsonKind::String) {
      fault({"string_type", where, "Input should be a valid string", std::string(value.raw)});
      continue;
    }
    texts.push_back(unescape(value.raw));
    if (texts.back().empty()) fault(tooShort(where, std::string(value.raw)));
    if (characters(texts.back()) > max_characters) fault(tooLong(where, max_characters));
  }
  return texts;
}

}  // namespace jobhost::api::lncrawl
