#include <algorithm>
#include <charconv>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>

#include "catalog/params_schema.hpp"
#include "catalog/schema_nodes.hpp"

namespace jobhost::catalog {

namespace {

constexpr std::size_t kMaxNodes = 4096;
constexpr std::size_t kMaxFaults = 100;

/// Keywords that only describe; their values are not looked at.
constexpr std::string_view kAnnotations[] = {"title",     "description",      "examples",       "$schema",
                                             "$id",       "$comment",         "deprecated",     "readOnly",
                                             "writeOnly", "contentMediaType", "contentEncoding"};

/// Keywords of JSON Schema that would change the outcome, and that we do not have.
constexpr std::string_view kUnsupported[] = {
    "if",           "then",           "else",          "patternProperties", "propertyNames",    "dependentRequired",
    "contains",     "minContains",    "maxContains",   "dependentSchemas",  "unevaluatedItems", "unevaluatedProperties",
    "$dynamicRef",  "$dynamicAnchor", "$recursiveRef", "additionalItems",   "dependencies",     "$anchor",
    "contentSchema"};

std::optional<std::uint8_t> typeBit(std::string_view name) {
  if (name == "null") return kNullBit;
  if (name == "boolean") return kBooleanBit;
  if (name == "integer") return kIntegerBit;
  if (name == "number") return std::uint8_t{kNumberBit | kIntegerBit};
  if (name == "string") return kStringBit;
  if (name == "array") return kArrayBit;
  if (name == "object") return kObjectBit;
  return std::nullopt;
}

std::string unescapePointer(std::string_view part) {
  std::string out;
  for (std::size_t i = 0; i < part.size(); ++i) {
    const bool tilde = part[i] == '~' && i + 1 < part.size();
    if (tilde && part[i + 1] == '0') {
      out += '~';
      ++i;
    } else if (tilde && part[i + 1] == '1') {
      out += '/';
      ++i;
    } else {
      out += part[i];
    }
  }
  return out;
}

}  // namespace

/// Turns a schema document into nodes, collecting every fault on the way.
class SchemaCompiler {
 public:
  SchemaCompiler(const JsonDocument& document, ParamsSchema::Compiled& out) : document_(document), out_(out) {}

  void run() {
    compile(document_.root(), "");
    while (!pending_.empty() && faults_.empty()) {
      const Pending next = std::move(pending_.back());
      pending_.pop_back();
      const auto target = compile(document_.at(next.target), next.pointer);
      node(next.from).ref = target;
    }
    if (faults_.empty()) refuseLoops();
    if (faults_.empty()) checkDefaults();
    if (faults_.empty()) describeRoot();
  }
  std::vector<core::FieldError> takeFaults() { return std::move(faults_); }

  static std::shared_ptr<const ParamsSchema> make(std::unique_ptr<const ParamsSchema::Compiled> compiled) {
    return std::shared_ptr<const ParamsSchema>(new ParamsSchema(std::move(compiled)));
  }

 private:
  struct Pending {
    std::int32_t from;
    std::uint32_t target;
    std::string pointer;
  };
  using Handler = void (SchemaCompiler::*)(std::int32_t, JsonValue, const std::string&);

  void fault(const std::string& pointer, std::string message) {
    if (faults_.size() < kMaxFaults) faults_.push_back({pointer, std::move(message)});
  }
  SchemaNode& node(std::int32_t index) { return out_.nodes[static_cast<std::size_t>(index)]; }

  /// The node of the schema that stands at this place of the document; each place is compiled once.
  std::int32_t compile(JsonValue schema, const std::string& pointer) {
    if (const auto known = compiled_.find(schema.index()); known != compiled_.end()) return known->second;
    if (out_.nodes.size() >= kMaxNodes) {
      if (!too_large_) fault(pointer, "the schema has more than " + std::to_string(kMaxNodes) + " parts");
      too_large_ = true;
      return 0;
    }
    const auto index = static_cast<std::int32_t>(out_.nodes.size());
    out_.nodes.emplace_back();
    places_.push_back(pointer);
    compiled_.emplace(schema.index(), index);
    if (schema.isBool()) {
      node(index).never = !schema.boolean();
    } else if (!schema.is(JsonKind::Object)) {
      fault(pointer, "must be a schema: an object, true or false");
    } else {
      schema.members([&](JsonValue key, JsonValue value) { keyword(index, key.string(), value, pointer); });
      finishObjectRules(index);
    }
    return index;
  }

  void keyword(std::int32_t index, std::string_view name, JsonValue value, const std::string& base) {
    static const std::unordered_map<std::string_view, Handler> kHandlers = {
        {"type", &SchemaCompiler::onType},
        {"enum", &SchemaCompiler::onEnum},
        {"const", &SchemaCompiler::onConst},
        {"default", &SchemaCompiler::onDefault},
        {"minimum", &SchemaCompiler::onMinimum},
        {"maximum", &SchemaCompiler::onMaximum},
        {"exclusiveMinimum", &SchemaCompiler::onExclusiveMinimum},
        {"exclusiveMaximum", &SchemaCompiler::onExclusiveMaximum},
        {"multipleOf", &SchemaCompiler::onMultipleOf},
        {"minLength", &SchemaCompiler::onMinLength},
        {"maxLength", &SchemaCompiler::onMaxLength},
        {"minItems", &SchemaCompiler::onMinItems},
        {"maxItems", &SchemaCompiler::onMaxItems},
        {"minProperties", &SchemaCompiler::onMinProperties},
        {"maxProperties", &SchemaCompiler::onMaxProperties},
        {"pattern", &SchemaCompiler::onPattern},
        {"format", &SchemaCompiler::onFormat},
        {"uniqueItems", &SchemaCompiler::onUniqueItems},
        {"items", &SchemaCompiler::onItems},
        {"prefixItems", &SchemaCompiler::onPrefixItems},
        {"properties", &SchemaCompiler::onProperties},
        {"required", &SchemaCompiler::onRequired},
        {"additionalProperties", &SchemaCompiler::onAdditional},
        {"allOf", &SchemaCompiler::onAllOf},
        {"anyOf", &SchemaCompiler::onAnyOf},
        {"oneOf", &SchemaCompiler::onOneOf},
        {"not", &SchemaCompiler::onNot},
        {"$ref", &SchemaCompiler::onRef},
        {"$defs", &SchemaCompiler::onDefs},
        {"definitions", &SchemaCompiler::onDefs},
    };
    const std::string pointer = base + "/" + escapePointer(name);
    if (const auto found = kHandlers.find(name); found != kHandlers.end()) {
      (this->*found->second)(index, value, pointer);
    } else if (std::find(std::begin(kUnsupported), std::end(kUnsupported), name) != std::end(kUnsupported)) {
      fault(pointer, "the keyword \"" + std::string(name) + "\" is not supported");
    } else if (name.substr(0, 2) != "x-" &&
               std::find(std::begin(kAnnotations), std::end(kAnnotations), name) == std::end(kAnnotations)) {
      out_.warnings.push_back(pointer + ": unknown keyword, ignored");
    }
  }

  void onType(std::int32_t index, JsonValue value, const std::string& pointer) {
    std::uint8_t types = 0;
    const auto add = [&](JsonValue name) {
      const auto bit = name.is(JsonKind::String) ? typeBit(name.string()) : std::nullopt;
      if (!bit) return fault(pointer, "must name types: null, boolean, integer, number, string, array, object");
      types = static_cast<std::uint8_t>(types | *bit);
    };
    if (value.is(JsonKind::Array)) {
      value.elements(add);
      if (value.size() == 0) fault(pointer, "must name at least one type");
    } else {
      add(value);
    }
    node(index).types = types;
  }

  void allow(std::int32_t index, std::set<std::string> values, std::string message) {
    SchemaNode& target = node(index);
    if (target.has_enum) {  // enum and const together: both must hold
      std::erase_if(values, [&](const std::string& value) { return !target.enum_values.contains(value); });
    }
    target.has_enum = true;
    target.enum_values = std::move(values);
    target.enum_message = std::move(message);
  }
  void onEnum(std::int32_t index, JsonValue value, const std::string& pointer) {
    if (!value.is(JsonKind::Array) || value.size() == 0)
      return fault(pointer, "must be an array with at least one value");
    std::set<std::string> values;
    std::string message = "must be one of ";
    value.elements([&](JsonValue element) {
      if (!values.empty() && message.size() < 300) message += ", ";
      if (message.size() < 300) message += element.raw();
      values.insert(element.canonical());
    });
    if (message.size() >= 300) message += ", …";
    allow(index, std::move(values), std::move(message));
  }
  void onConst(std::int32_t index, JsonValue value, const std::string&) {
    allow(index, {value.canonical()}, "must be " + std::string(value.raw().substr(0, 300)));
  }
  void onDefault(std::int32_t index, JsonValue value, const std::string&) { node(index).default_json = value.raw(); }

  std::optional<JsonNumber> numberOf(JsonValue value, const std::string& pointer) {
    if (value.is(JsonKind::Number)) return value.number();
    fault(pointer, "must be a number");
    return std::nullopt;
  }
  void onMinimum(std::int32_t index, JsonValue value, const std::string& pointer) {
    node(index).minimum = numberOf(value, pointer);
  }
  void onMaximum(std::int32_t index, JsonValue value, const std::string& pointer) {
    node(index).maximum = numberOf(value, pointer);
  }
  void onExclusiveMinimum(std::int32_t index, JsonValue value, const std::string& pointer) {
    node(index).exclusive_minimum = numberOf(value, pointer);
  }
  void onExclusiveMaximum(std::int32_t index, JsonValue value, const std::string& pointer) {
    node(index).exclusive_maximum = numberOf(value, pointer);
  }
  void onMultipleOf(std::int32_t index, JsonValue value, const std::string& pointer) {
    node(index).multiple_of = numberOf(value, pointer);
    if (node(index).multiple_of && node(index).multiple_of->real <= 0) fault(pointer, "must be greater than 0");
  }

  std::optional<std::uint64_t> countOf(JsonValue value, const std::string& pointer) {
    if (value.is(JsonKind::Number)) {
      const JsonNumber number = value.number();
      if (number.isIntegral() && number.real >= 0 && number.real <= 9e15)
        return static_cast<std::uint64_t>(number.real);
    }
    fault(pointer, "must be a whole number, 0 or more");
    return std::nullopt;
  }
  void onMinLength(std::int32_t index, JsonValue value, const std::string& pointer) {
    node(index).min_length = countOf(value, pointer);
  }
  void onMaxLength(std::int32_t index, JsonValue value, const std::string& pointer) {
    node(index).max_length = countOf(value, pointer);
  }
  void onMinItems(std::int32_t index, JsonValue value, const std::string& pointer) {
    node(index).min_items = countOf(value, pointer);
  }
  void onMaxItems(std::int32_t index, JsonValue value, const std::string& pointer) {
    node(index).max_items = countOf(value, pointer);
  }
  void onMinProperties(std::int32_t index, JsonValue value, const std::string& pointer) {
    node(index).min_properties = countOf(value, pointer);
  }
  void onMaxProperties(std::int32_t index, JsonValue value, const std::string& pointer) {
    node(index).max_properties = countOf(value, pointer);
  }

  void onPattern(std::int32_t index, JsonValue value, const std::string& pointer) {
    if (!value.is(JsonKind::String)) return fault(pointer, "must be a string");
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(1 << 20);
    const std::string_view text = value.string();
    auto pattern = std::make_unique<const re2::RE2>(re2::StringPiece(text.data(), text.size()), options);
    if (!pattern->ok()) return fault(pointer, "is not a pattern in RE2's syntax: " + pattern->error());
    node(index).pattern = std::move(pattern);
  }
  void onFormat(std::int32_t index, JsonValue value, const std::string& pointer) {
    const auto format = value.is(JsonKind::String) ? stringFormatFromString(value.string()) : std::nullopt;
    if (!format) return fault(pointer, "must be one of \"uri\", \"date-time\", \"date\", \"uuid\", \"email\"");
    node(index).format = *format;
  }
  void onUniqueItems(std::int32_t index, JsonValue value, const std::string& pointer) {
    if (!value.isBool()) return fault(pointer, "must be true or false");
    node(index).unique_items = value.boolean();
  }

  void onItems(std::int32_t index, JsonValue value, const std::string& pointer) {
    const auto items = compile(value, pointer);
    node(index).items = items;
  }
  std::vector<std::int32_t> compileList(JsonValue value, const std::string& pointer) {
    std::vector<std::int32_t> list;
    if (!value.is(JsonKind::Array) || value.size() == 0) {
      fault(pointer, "must be an array with at least one schema");
      return list;
    }
    value.elements(
        [&](JsonValue element) { list.push_back(compile(element, pointer + "/" + std::to_string(list.size()))); });
    return list;
  }
  void onPrefixItems(std::int32_t index, JsonValue value, const std::string& pointer) {
    auto list = compileList(value, pointer);
    node(index).prefix_items = std::move(list);
  }
  void onAllOf(std::int32_t index, JsonValue value, const std::string& pointer) {
    auto list = compileList(value, pointer);
    node(index).all_of = std::move(list);
  }
  void onAnyOf(std::int32_t index, JsonValue value, const std::string& pointer) {
    auto list = compileList(value, pointer);
    node(index).any_of = std::move(list);
  }
  void onOneOf(std::int32_t index, JsonValue value, const std::string& pointer) {
    auto list = compileList(value, pointer);
    node(index).one_of = std::move(list);
  }
  void onNot(std::int32_t index, JsonValue value, const std::string& pointer) {
    const auto negated = compile(value, pointer);
    node(index).negated = negated;
  }

  SchemaNode::Property& property(std::int32_t index, std::string_view name) {
    SchemaNode& target = node(index);
    if (const auto found = target.property_index.find(name); found != target.property_index.end()) {
      return target.properties[found->second];
    }
    target.property_index.emplace(name, static_cast<std::uint32_t>(target.properties.size()));
    target.properties.emplace_back().name = name;
    return target.properties.back();
  }
  void onProperties(std::int32_t index, JsonValue value, const std::string& pointer) {
    if (!value.is(JsonKind::Object)) return fault(pointer, "must be an object of schemas");
    value.members([&](JsonValue key, JsonValue schema) {
      const auto compiled = compile(schema, pointer + "/" + escapePointer(key.string()));
      SchemaNode::Property& entry = property(index, key.string());
      entry.schema = compiled;
      entry.declared = true;
    });
  }
  void onRequired(std::int32_t index, JsonValue value, const std::string& pointer) {
    if (!value.is(JsonKind::Array)) return fault(pointer, "must be an array of names");
    value.elements([&](JsonValue name) {
      if (!name.is(JsonKind::String)) return fault(pointer, "must be an array of names");
      property(index, name.string()).required = true;
    });
  }
  void onAdditional(std::int32_t index, JsonValue value, const std::string& pointer) {
    const auto schema = compile(value, pointer);
    node(index).additional = schema;
  }

  void onDefs(std::int32_t, JsonValue value, const std::string& pointer) {
    if (!value.is(JsonKind::Object)) return fault(pointer, "must be an object of schemas");
    value.members(
        [&](JsonValue key, JsonValue schema) { compile(schema, pointer + "/" + escapePointer(key.string())); });
  }
  void onRef(std::int32_t index, JsonValue value, const std::string& pointer) {
    const std::string_view text = value.is(JsonKind::String) ? value.string() : std::string_view();
    if (text.empty() || text[0] != '#' || (text.size() > 1 && text[1] != '/')) {
      return fault(pointer, "must point into this schema: \"#/$defs/…\"");
    }
    JsonValue target = document_.root();
    for (std::string_view rest = text.substr(1); !rest.empty();) {
      const auto slash = std::min(rest.find('/', 1), rest.size());
      const std::string part = unescapePointer(rest.substr(1, slash - 1));
      rest.remove_prefix(slash);
      const auto next = step(target, part);
      if (!next) return fault(pointer, "points to nothing: " + std::string(text));
      target = *next;
    }
    pending_.push_back({index, target.index(), std::string(text.substr(1))});  // later: chains must not cost stack
  }
  static std::optional<JsonValue> step(JsonValue from, const std::string& part) {
    if (!from.is(JsonKind::Array)) return from.find(part);
    std::uint32_t wanted = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), wanted);
    if (error != std::errc() || end != part.data() + part.size()) return std::nullopt;
    std::optional<JsonValue> found;
    std::uint32_t at = 0;
    from.elements([&](JsonValue element) {
      if (at++ == wanted) found = element;
    });
    return found;
  }

  void finishObjectRules(std::int32_t index) {
    SchemaNode& target = node(index);
    target.has_object_rules = !target.properties.empty() || target.additional != SchemaNode::kNone ||
                              target.min_properties || target.max_properties;
  }

  /// A schema that applies itself to the same value for ever: {"$ref": "#"}.
  void refuseLoops() {
    std::vector<std::uint8_t> seen(out_.nodes.size(), 0);  // 1: on the way down, 2: done
    const std::function<bool(std::int32_t)> loops = [&](std::int32_t index) -> bool {
      if (index == SchemaNode::kNone) return false;
      auto& mark = seen[static_cast<std::size_t>(index)];
      if (mark != 0) return mark == 1;
      mark = 1;
      const SchemaNode& at = node(index);
      bool found = loops(at.ref) || loops(at.negated);
      for (const auto* list : {&at.all_of, &at.any_of, &at.one_of}) {
        for (const auto next : *list) found = found || loops(next);
      }
      seen[static_cast<std::size_t>(index)] = 2;
      return found;
    };
    for (std::size_t i = 0; i < out_.nodes.size(); ++i) {
      if (loops(static_cast<std::int32_t>(i))) return fault(places_[i], "refers to itself without end");
    }
  }

  /// A default may stand behind references.
  const std::string& defaultOf(std::int32_t index) {
    static const std::string kNothing;
    for (; index != SchemaNode::kNone; index = node(index).ref) {
      if (!node(index).default_json.empty()) return node(index).default_json;
    }
    return kNothing;
  }

  void checkDefaults() {
    for (std::size_t i = 0; i < out_.nodes.size(); ++i) {
      for (SchemaNode::Property& entry : out_.nodes[i].properties) {
        if (entry.declared) entry.default_json = defaultOf(entry.schema);
      }
    }
    for (std::size_t i = 0; i < out_.nodes.size(); ++i) {
      const std::string& text = out_.nodes[i].default_json;
      if (text.empty()) continue;
      const auto document = JsonDocument::parse(text);
      if (!document) continue;  // it was parsed with the schema already
      if (auto right = checkAgainst(out_, static_cast<std::int32_t>(i), *document, nullptr); !right) {
        for (const auto& wrong : right.error().fields) {
          fault(places_[i] + "/default" + wrong.pointer, "breaks its own schema: " + wrong.message);
        }
      }
    }
  }

  void describeRoot() {
    std::string defaults;
    for (const SchemaNode::Property& entry : node(0).properties) {
      if (!entry.declared) continue;
      out_.property_names.push_back(entry.name);
      if (entry.default_json.empty()) continue;
      defaults += (defaults.empty() ? "" : ",") + quoteJson(entry.name) + ":" + entry.default_json;
    }
    out_.defaults_json = "{" + defaults + "}";
    const SchemaNode& root = node(0);
    out_.permissive = !root.never && !root.has_enum && !root.has_object_rules && root.all_of.empty() &&
                      root.any_of.empty() && root.one_of.empty() && root.negated == SchemaNode::kNone &&
                      root.ref == SchemaNode::kNone && (root.types == 0 || (root.types & kObjectBit) != 0);
  }

  const JsonDocument& document_;
  ParamsSchema::Compiled& out_;
  std::unordered_map<std::uint32_t, std::int32_t> compiled_;
  std::vector<std::string> places_;  ///< beside out_.nodes: JSON Pointer of each
  std::vector<Pending> pending_;     ///< references to follow once all else is compiled
  std::vector<core::FieldError> faults_;
  bool too_large_ = false;
};

core::Result<std::shared_ptr<const ParamsSchema>> ParamsSchema::compile(std::string_view schema_json) {
  auto compiled = std::make_unique<Compiled>();
  compiled->text = schema_json;
  const auto document = JsonDocument::parse(compiled->text, {.max_bytes = 1u << 20, .max_depth = 64});
  if (!document) return document.error();
  SchemaCompiler compiler(*document, *compiled);
  compiler.run();
  if (auto faults = compiler.takeFaults(); !faults.empty()) {
    std::string message = "the schema is not usable: " + faults[0].pointer + ": " + faults[0].message;
    return core::Error{core::ErrorCode::InvalidArgument, std::move(message), {}, std::move(faults)};
  }
  compiled->empty_answer = checkText(*compiled, "{}", {});
  return SchemaCompiler::make(std::move(compiled));
}

}  // namespace jobhost::catalog
