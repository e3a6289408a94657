#include "catalog/params_schema.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "catalog/schema_nodes.hpp"

namespace jobhost::catalog {

namespace {

constexpr int kMaxCheckDepth = 512;  // schemas within schemas within values; each level costs stack

const char* kindName(JsonKind kind) {
  switch (kind) {
    case JsonKind::Null:
      return "null";
    case JsonKind::False:
    case JsonKind::True:
      return "a boolean";
    case JsonKind::Number:
      return "a number";
    case JsonKind::String:
      return "a string";
    case JsonKind::Array:
      return "an array";
    case JsonKind::Object:
      return "an object";
  }
  return "";
}

std::string typeNames(unsigned types) {
  struct Name {
    unsigned bits;
    const char* text;
  };
  static constexpr Name kNames[] = {
      {kNullBit, "null"},       {kBooleanBit, "a boolean"}, {kNumberBit, "a number"}, {kIntegerBit, "a whole number"},
      {kStringBit, "a string"}, {kArrayBit, "an array"},    {kObjectBit, "an object"}};
  std::string out;
  for (const auto& [bits, text] : kNames) {
    if ((types & bits) == 0 || (bits == kIntegerBit && (types & kNumberBit) != 0)) continue;
    out += (out.empty() ? "" : " or ") + std::string(text);
  }
  return out;
}

std::string show(const JsonNumber& number) {
  if (number.is_int) return std::to_string(number.integer);
  char buffer[40];
  const int length = std::snprintf(buffer, sizeof buffer, "%.15g", number.real);
  return {buffer, static_cast<std::size_t>(std::max(length, 0))};
}

bool isMultiple(const JsonNumber& value, const JsonNumber& of) {
  if (value.is_int && of.is_int) return value.integer % of.integer == 0;
  const double quotient = value.real / of.real;
  if (!std::isfinite(quotient)) return false;
  // 19.99 is meant to be a multiple of 0.01, though neither is exact in binary.
  return std::abs(quotient - std::round(quotient)) <= 1e-9 * std::max(1.0, std::abs(quotient));
}

/// One step of the way to the value being checked.
struct Step {
  std::string_view name;
  std::int64_t element = -1;  ///< 0…: an array's element; otherwise a member's name
};

/// A member to insert into the object that ends at `before`.
struct Insertion {
  std::size_t before;
  bool object_was_empty;
  const SchemaNode::Property* property;
};

class Checker {
 public:
  Checker(const ParamsSchema::Compiled& schema, const JsonDocument& document) : schema_(schema), document_(document) {}

  bool check(std::int32_t index, JsonValue value) {
    if (++steps_ > ParamsSchema::kMaxSteps || depth_ >= kMaxCheckDepth) {
      exhausted_ = true;
      return false;
    }
    ++depth_;
    const bool right = checkNode(schema_.nodes[static_cast<std::size_t>(index)], value);
    --depth_;
    return right && !exhausted_;
  }

  [[nodiscard]] bool exhausted() const { return exhausted_; }
  std::vector<core::FieldError> takeErrors() { return std::move(errors_); }

  [[nodiscard]] std::string filled() {
    const std::string_view text = document_.text();
    if (insertions_.empty()) return std::string(text);
    std::stable_sort(insertions_.begin(), insertions_.end(),
                     [](const Insertion& a, const Insertion& b) { return a.before < b.before; });
    std::string out;
    out.reserve(text.size() + insertions_.size() * 24);
    std::size_t copied = 0;
    std::vector<std::string_view> here;  // several schemas may speak of one object; the first default wins
    for (std::size_t i = 0; i < insertions_.size(); ++i) {
      const Insertion& entry = insertions_[i];
      if (i == 0 || insertions_[i - 1].before != entry.before) here.clear();
      if (std::find(here.begin(), here.end(), entry.property->name) != here.end()) continue;
      out.append(text.substr(copied, entry.before - copied));
      copied = entry.before;
      if (!here.empty() || !entry.object_was_empty) out += ',';
      out += quoteJson(entry.property->name);
      out += ':';
      out += entry.property->default_json;
      here.push_back(entry.property->name);
    }
    out.append(text.substr(copied));
    return out;
  }

 private:
  void wrong(std::string message, std::string_view member = {}) {
    if (quiet_ > 0 || errors_.size() >= ParamsSchema::kMaxErrors) return;
    std::string pointer;
    for (const Step& step : path_) {
      pointer += '/';
      pointer += step.element >= 0 ? std::to_string(step.element) : escapePointer(step.name);
    }
    if (!member.empty() || member.data() != nullptr) pointer += "/" + escapePointer(member);
    core::FieldError error{std::move(pointer), std::move(message)};
    if (std::find(errors_.begin(), errors_.end(), error) == errors_.end()) errors_.push_back(std::move(error));
  }

  bool checkNode(const SchemaNode& node, JsonValue value) {
    if (node.never) {
      wrong("is not allowed");
      return false;
    }
    if (node.types != 0 && !hasType(node.types, value)) {
      wrong("must be " + typeNames(node.types) + ", not " + kindName(value.kind()) +
            (value.is(JsonKind::Number) && (node.types & kIntegerBit) != 0 ? " with a fraction" : ""));
      return false;
    }
    bool right = true;
    if (node.has_enum && spend(value.raw().size()) && !node.enum_values.contains(value.canonical())) {
      wrong(node.enum_message);
      right = false;
    }
    switch (value.kind()) {
      case JsonKind::Number:
        right = checkNumber(node, value.number()) && right;
        break;
      case JsonKind::String:
        right = checkString(node, value.string()) && right;
        break;
      case JsonKind::Array:
        right = checkArray(node, value) && right;
        break;
      case JsonKind::Object:
        right = (!node.has_object_rules || checkObject(node, value)) && right;
        break;
      default:
        break;
    }
    return checkCombined(node, value) && right;
  }

  static bool hasType(unsigned types, JsonValue value) {
    switch (value.kind()) {
      case JsonKind::Null:
        return (types & kNullBit) != 0;
      case JsonKind::False:
      case JsonKind::True:
        return (types & kBooleanBit) != 0;
      case JsonKind::Number:
        return (types & kNumberBit) != 0 || ((types & kIntegerBit) != 0 && value.number().isIntegral());
      case JsonKind::String:
        return (types & kStringBit) != 0;
      case JsonKind::Array:
        return (types & kArrayBit) != 0;
      case JsonKind::Object:
        return (types & kObjectBit) != 0;
    }
    return false;
  }

  bool require(bool right, const char* text, const std::string& bound) {
    if (!right) wrong(text + bound);
    return right;
  }

  bool checkNumber(const SchemaNode& node, const JsonNumber& value) {
    bool right = true;
    const auto bound = [&](const std::optional<JsonNumber>& limit, const char* text, auto&& holds) {
      if (limit && !holds(compare(value, *limit))) right = require(false, text, show(*limit));
    };
    bound(node.minimum, "must be at least ", [](int order) { return order >= 0; });
    bound(node.maximum, "must be at most ", [](int order) { return order <= 0; });
    bound(node.exclusive_minimum, "must be greater than ", [](int order) { return order > 0; });
    bound(node.exclusive_maximum, "must be less than ", [](int order) { return order < 0; });
    if (node.multiple_of && !isMultiple(value, *node.multiple_of)) {
      right = require(false, "must be a multiple of ", show(*node.multiple_of));
    }
    return right;
  }

  bool checkCount(std::size_t count, const std::optional<std::uint64_t>& least,
                  const std::optional<std::uint64_t>& most, const char* unit) {
    if (least && count < *least) return require(false, "must have at least ", std::to_string(*least) + unit);
    if (most && count > *most) return require(false, "must have at most ", std::to_string(*most) + unit);
    return true;
  }

  bool checkString(const SchemaNode& node, std::string_view value) {
    bool right = true;
    if (!spend(value.size())) return false;
    if (node.min_length || node.max_length) {
      right = checkCount(countCodePoints(value), node.min_length, node.max_length, " characters");
    }
    if (node.pattern && !re2::RE2::PartialMatch(re2::StringPiece(value.data(), value.size()), *node.pattern)) {
      right = require(false, "must match the pattern ", node.pattern->pattern());
    }
    if (node.format != StringFormat::None && !matchesFormat(node.format, value)) {
      right = require(false, "must be ", formatMeaning(node.format));
    }
    return right;
  }

  bool checkArray(const SchemaNode& node, JsonValue value) {
    bool right = checkCount(value.size(), node.min_items, node.max_items, " elements");
    if (node.items != SchemaNode::kNone || !node.prefix_items.empty()) {
      std::int64_t at = 0;
      value.elements([&](JsonValue element) {
        const auto place = static_cast<std::size_t>(at);
        const auto schema = place < node.prefix_items.size() ? node.prefix_items[place] : node.items;
        if (schema != SchemaNode::kNone && !exhausted_) {
          path_.push_back({{}, at});
          right = check(schema, element) && right;
          path_.pop_back();
        }
        ++at;
      });
    }
    if (!node.unique_items || value.size() < 2 || !spend(value.raw().size())) return right;
    std::vector<std::string> texts;
    texts.reserve(value.size());
    value.elements([&](JsonValue element) { texts.push_back(element.canonical()); });
    std::sort(texts.begin(), texts.end());
    if (std::adjacent_find(texts.begin(), texts.end()) == texts.end()) return right;
    wrong("must not have the same element twice");
    return false;
  }

  static std::uint32_t findProperty(const SchemaNode& node, std::string_view name) {
    constexpr std::uint32_t kMissing = ~0u;
    if (node.properties.size() <= 12) {
      for (std::uint32_t i = 0; i < node.properties.size(); ++i) {
        if (node.properties[i].name == name) return i;
      }
      return kMissing;
    }
    const auto found = node.property_index.find(name);
    return found == node.property_index.end() ? kMissing : found->second;
  }

  bool checkObject(const SchemaNode& node, JsonValue value) {
    bool right = checkCount(value.size(), node.min_properties, node.max_properties, " members");
    std::uint64_t few = 0;  // which of the first 64 properties are there
    std::vector<bool> many(node.properties.size() > 64 ? node.properties.size() : 0);
    value.members([&](JsonValue key, JsonValue member) {
      const std::string_view name = key.string();
      const std::uint32_t at = findProperty(node, name);
      auto schema = node.additional;
      if (at < node.properties.size()) {
        if (many.empty()) {
          few |= std::uint64_t{1} << at;
        } else {
          many[at] = true;
        }
        if (node.properties[at].declared) schema = node.properties[at].schema;
      }
      if (schema == SchemaNode::kNone || exhausted_) return;
      path_.push_back({name, -1});
      if (schema == node.additional && schema_.nodes[static_cast<std::size_t>(schema)].never) {
        wrong("is not a known parameter");
        right = false;
      } else {
        right = check(schema, member) && right;
      }
      path_.pop_back();
    });
    for (std::size_t i = 0; i < node.properties.size(); ++i) {
      if (many.empty() ? (few >> i & 1u) != 0 : many[i]) continue;
      right = absent(node.properties[i], value) && right;
    }
    return right;
  }

  bool absent(const SchemaNode::Property& property, JsonValue object) {
    if (!property.default_json.empty()) {
      if (quiet_ == 0) fill(property, object);
      return true;
    }
    if (property.required) wrong("is required", property.name);
    return !property.required;
  }

  void fill(const SchemaNode::Property& property, JsonValue object) {
    insertions_.push_back({object.end() - 1, object.size() == 0, &property});
  }

  /// Long values count as many steps, so that no schema makes one submit cost minutes.
  bool spend(std::size_t bytes) {
    steps_ += static_cast<std::uint32_t>(bytes / 64);
    exhausted_ = exhausted_ || steps_ > ParamsSchema::kMaxSteps;
    return !exhausted_;
  }

  bool checkCombined(const SchemaNode& node, JsonValue value) {
    bool right = node.ref == SchemaNode::kNone || check(node.ref, value);
    for (const auto index : node.all_of) right = check(index, value) && right;
    if (!node.any_of.empty() && countMatches(node.any_of, value, 1) == 0) {
      right = false;
      explainNone(node.any_of, value);
    }
    if (!node.one_of.empty()) {
      const int matches = countMatches(node.one_of, value, 2);
      if (matches == 0) explainNone(node.one_of, value);
      if (matches > 1) wrong("matches more than one of the forms allowed");
      right = right && matches == 1;
    }
    if (node.negated != SchemaNode::kNone && countMatches({node.negated}, value, 1) == 1) {
      wrong("has a form that is not allowed");
      right = false;
    }
    return right;
  }

  int countMatches(const std::vector<std::int32_t>& forms, JsonValue value, int enough) {
    ++quiet_;
    int matches = 0;
    for (const auto form : forms) {
      if (matches >= enough || exhausted_) break;
      matches += check(form, value) ? 1 : 0;
    }
    --quiet_;
    return matches;
  }

  void explainNone(const std::vector<std::int32_t>& forms, JsonValue value) {
    if (quiet_ > 0) return;
    wrong("matches none of the " + std::to_string(forms.size()) + " forms allowed");
    // Where only one form could be meant by its type, its own faults say more.
    std::int32_t meant = SchemaNode::kNone;
    for (const auto form : forms) {
      const auto types = schema_.nodes[static_cast<std::size_t>(form)].types;
      if (types != 0 && !hasType(types, value)) continue;
      if (meant != SchemaNode::kNone) return;
      meant = form;
    }
    const auto before = insertions_.size();
    if (meant != SchemaNode::kNone) check(meant, value);
    insertions_.resize(before, {});
  }

  static std::string formatMeaning(StringFormat format) {
    switch (format) {
      case StringFormat::Uri:
        return "an absolute URI";
      case StringFormat::DateTime:
        return "a date and time as in RFC 3339: 2026-11-22T03:14:00Z";
      case StringFormat::Date:
        return "a date as in RFC 3339: 2026-11-22";
      case StringFormat::Uuid:
        return "a UUID";
      case StringFormat::Email:
        return "an e-mail address";
      case StringFormat::None:
        break;
    }
    return "";
  }

  const ParamsSchema::Compiled& schema_;
  const JsonDocument& document_;
  std::vector<Step> path_;
  std::vector<core::FieldError> errors_;
  std::vector<Insertion> insertions_;
  std::uint32_t steps_ = 0;
  int depth_ = 0;
  int quiet_ = 0;  ///< inside anyOf, oneOf, not: no errors, no defaults
  bool exhausted_ = false;
};

core::Error oneFault(core::ErrorCode code, std::string message) {
  core::FieldError field{"", message};
  return {code, std::move(message), {}, {std::move(field)}};
}

std::string summary(const std::vector<core::FieldError>& faults) {
  const auto& first = faults.front();
  std::string text = (first.pointer.empty() ? std::string("params") : first.pointer) + ": " + first.message;
  if (faults.size() > 1) text += " (and " + std::to_string(faults.size() - 1) + " more)";
  return text;
}

}  // namespace

core::Result<void> checkAgainst(const ParamsSchema::Compiled& schema, std::int32_t node, const JsonDocument& document,
                                std::string* fill) {
  Checker checker(schema, document);
  const bool right = checker.check(node, document.root());
  if (checker.exhausted()) return oneFault(core::ErrorCode::TooLarge, "the params are too complex to check");
  if (!right) {
    auto faults = checker.takeErrors();
    if (faults.empty()) faults.push_back({"", "does not match the schema"});
    std::string message = summary(faults);
    return core::Error{core::ErrorCode::InvalidArgument, std::move(message), {}, std::move(faults)};
  }
  if (fill != nullptr) *fill = checker.filled();
  return {};
}

core::Result<std::string> checkText(const ParamsSchema::Compiled& schema, std::string_view params_json,
                                    const JsonLimits& limits) {
  const auto document = JsonDocument::parse(params_json, limits);
  if (!document) return document.error();
  if (!document->root().is(JsonKind::Object)) {
    return oneFault(core::ErrorCode::InvalidArgument,
                    std::string("must be an object, not ") + kindName(document->root().kind()));
  }
  if (schema.permissive) return std::string(params_json);
  std::string filled;
  if (auto right = checkAgainst(schema, 0, *document, &filled); !right) return right.error();
  return filled;
}

ParamsSchema::ParamsSchema(std::unique_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
ParamsSchema::~ParamsSchema() = default;

core::Result<std::string> ParamsSchema::check(std::string_view params_json, const JsonLimits& limits) const {
  if (params_json == "{}" && compiled_->empty_answer) return *compiled_->empty_answer;
  return checkText(*compiled_, params_json, limits);
}

const std::string& ParamsSchema::defaultsJson() const {
  return compiled_->defaults_json;
}
const std::vector<std::string>& ParamsSchema::propertyNames() const {
  return compiled_->property_names;
}
const std::vector<std::string>& ParamsSchema::warnings() const {
  return compiled_->warnings;
}

}  // namespace jobhost::catalog
