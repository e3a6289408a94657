#include "api/native/form.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catalog/json_document.hpp"

namespace jobhost::api::native {
namespace {

using catalog::JsonDocument;
using catalog::JsonKind;
using catalog::JsonValue;

constexpr int kMaxParts = 64;  ///< schemas that one field's schema is put together from
constexpr std::int64_t kLongText = 4096;  ///< a path is none

/// "max_width" as "Max width".
std::string labelOf(std::string_view name) {
  std::string label(name);
  std::replace_if(
      label.begin(), label.end(), [](char c) { return c == '_' || c == '-'; }, ' ');
  if (!label.empty()) label[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(label[0])));
  return label;
}

std::string escapedPointer(std::string_view part) {
  std::string out;
  for (const char c : part) c == '~' ? out += "~0" : c == '/' ? out += "~1" : out += c;
  return out;
}

/// One schema as a form sees it: itself, what its `$ref` names and what its `allOf` adds, asked one after the other.
class Schema {
 public:
  Schema(const JsonDocument& document, JsonValue schema) : document_(&document) { add(schema); }

  [[nodiscard]] std::optional<JsonValue> find(std::string_view keyword) const {
    for (const auto& part : parts_) {
      if (const auto value = part.find(keyword)) return value;
    }
    return std::nullopt;
  }
  [[nodiscard]] std::string text(std::string_view keyword) const {
    const auto value = find(keyword);
    return value && value->is(JsonKind::String) ? std::string(value->string()) : std::string();
  }
  [[nodiscard]] bool flag(std::string_view keyword) const {
    const auto value = find(keyword);
    return value && value->is(JsonKind::True);
  }
  /// Each property by its name once, in the order in which the parts name them.
  [[nodiscard]] std::vector<std::pair<std::string, JsonValue>> properties() const {
    std::vector<std::pair<std::string, JsonValue>> list;
    std::set<std::string, std::less<>> seen;
    for (const auto& part : parts_) {
      const auto value = part.find("properties");
      if (!value || !value->is(JsonKind::Object)) continue;
      value->members([&](JsonValue key, JsonValue schema) {
        if (seen.emplace(key.string()).second) list.emplace_back(key.string(), schema);
      });
    }
    return list;
  }
  [[nodiscard]] std::set<std::string, std::less<>> required() const {
    std::set<std::string, std::less<>> names;
    for (const auto& part : parts_) {
      const auto value = part.find("required");
      if (!value || !value->is(JsonKind::Array)) continue;
      value->elements([&](JsonValue name) {
        if (name.is(JsonKind::String)) names.emplace(name.string());
      });
    }
    return names;
  }
  /// The types it allows but null; empty: it does not say. `nullable`: null is among them.
  [[nodiscard]] std::vector<std::string> types(bool& nullable) const {
    std::vector<std::string> list;
    const auto add = [&](JsonValue name) {
      if (!name.is(JsonKind::String)) return;
      name.string() == "null" ? void(nullable = true) : void(list.emplace_back(name.string()));
    };
    if (const auto value = find("type")) value->is(JsonKind::Array) ? value->elements(add) : add(*value);
    return list;
  }
  [[nodiscard]] const JsonDocument& document() const { return *document_; }

 private:
  void add(JsonValue schema) {
    if (!schema.is(JsonKind::Object) || static_cast<int>(parts_.size()) >= kMaxParts) return;
    if (std::any_of(parts_.begin(), parts_.end(), [&](const auto& part) { return part.index() == schema.index(); }))
      return;
    parts_.push_back(schema);
    if (const auto ref = schema.find("$ref"); ref && ref->is(JsonKind::String)) {
      if (const auto target = resolve(ref->string())) add(*target);
    }
    if (const auto all = schema.find("allOf"); all && all->is(JsonKind::Array)) {
      all->elements([&](JsonValue one) { add(one); });
    }
  }

  /// What a pointer into the same document ("#/$defs/size") names.
  [[nodiscard]] std::optional<JsonValue> resolve(std::string_view ref) const {
    if (ref.empty() || ref[0] != '#') return std::nullopt;
    ref.remove_prefix(1);
    auto at = std::optional(document_->root());
    while (at && !ref.empty()) {
      if (ref[0] != '/') return std::nullopt;
      ref.remove_prefix(1);
      const auto end = ref.find('/');
      std::string part;
      const auto raw = ref.substr(0, end);
      for (std::size_t i = 0; i < raw.size(); ++i) {
        if (raw[i] == '~' && i + 1 < raw.size()) {
          part += raw[++i] == '1' ? '/' : '~';
        } else {
          part += raw[i];
        }
      }
      at = at->is(JsonKind::Object) ? at->find(part) : std::nullopt;
      ref = end == std::string_view::npos ? std::string_view{} : ref.substr(end);
    }
    return at;
  }

  const JsonDocument* document_;
  std::vector<JsonValue> parts_;
};

struct Choice {
  std::string value_json;
  std::string label;
};

/// What a field may be, once `enum`, `const` and the branches of `anyOf` and `oneOf` are looked at.
struct Shape {
  std::vector<std::string> types;
  bool nullable = false;
  std::vector<Choice> choices;
  std::vector<JsonValue> variants;  ///< two or more branches that are no choices
};

void addChoice(Shape& shape, JsonValue value, std::string label) {
  if (value.is(JsonKind::Null)) {
    shape.nullable = true;
    return;
  }
  if (label.empty()) label = value.is(JsonKind::String) ? std::string(value.string()) : std::string(value.raw());
  shape.choices.push_back({std::string(value.raw()), std::move(label)});
}

/// Branches that are constants are choices; a branch for null makes the field nullable; the rest are variants.
void addBranches(Shape& shape, const Schema& schema, std::string_view keyword) {
  const auto branches = schema.find(keyword);
  if (!branches || !branches->is(JsonKind::Array)) return;
  branches->elements([&](JsonValue branch) {
    const Schema one(schema.document(), branch);
    bool null_too = false;
    const auto types = one.types(null_too);
    if (const auto value = one.find("const")) {
      addChoice(shape, *value, one.text("title"));
    } else if (null_too && types.empty()) {
      shape.nullable = true;
    } else {
      shape.variants.push_back(branch);
    }
  });
}

Shape shapeOf(const Schema& schema) {
  Shape shape;
  shape.types = schema.types(shape.nullable);
  if (const auto list = schema.find("enum"); list && list->is(JsonKind::Array)) {
    list->elements([&](JsonValue value) { addChoice(shape, value, ""); });
  } else if (const auto only = schema.find("const")) {
    addChoice(shape, *only, "");
  }
  addBranches(shape, schema, "oneOf");
  addBranches(shape, schema, "anyOf");
  return shape;
}

std::string typeOf(const Shape& shape, const Schema& schema) {
  if (shape.types.size() == 1) return shape.types.front();
  if (shape.types.size() > 1) {
    const bool numbers = std::all_of(shape.types.begin(), shape.types.end(),
                                     [](const auto& type) { return type == "integer" || type == "number"; });
    return numbers ? "number" : "any";
  }
  if (schema.find("properties")) return "object";
  if (schema.find("items") || schema.find("prefixItems")) return "array";
  if (!shape.choices.empty()) {
    const bool strings = std::all_of(shape.choices.begin(), shape.choices.end(),
                                     [](const auto& choice) { return choice.value_json[0] == '"'; });
    if (strings) return "string";
  }
  return "any";
}

/// A schema's own `x-widget` comes first: its author knows best.
std::string widgetOf(const std::string& type, const Shape& shape, const Schema& schema) {
  if (auto asked = schema.text("x-widget"); !asked.empty()) return asked;
  if (!shape.choices.empty()) return "select";
  if (type == "boolean") return "checkbox";
  if (type == "integer" || type == "number") return "number";
  if (type == "object") return "group";
  if (type == "array") {
    const auto items = schema.find("items");
    if (items && items->is(JsonKind::Object)) {
      const bool set = schema.flag("uniqueItems");
      return set && !shapeOf(Schema(schema.document(), *items)).choices.empty() ? "multiselect" : "list";
    }
    return "json";
  }
  if (type != "string") return "json";
  if (schema.flag("writeOnly")) return "password";
  const auto format = schema.text("format");
  if (format == "uri") return "url";
  if (format == "date-time") return "datetime";
  if (format == "date" || format == "email") return format;
  const auto longest = schema.find("maxLength");
  const bool wide = longest && longest->is(JsonKind::Number) && longest->number().real > static_cast<double>(kLongText);
  return wide || !schema.text("contentMediaType").empty() ? "textarea" : "text";
}

class FormWriter {
 public:
  explicit FormWriter(JsonWriter& json) : json_(json) {}

  void fields(const Schema& schema, const std::string& pointer, const std::vector<std::string>& positional, int depth) {
    auto properties = schema.properties();
    const auto place = [&](const std::string& name) {
      return std::find(positional.begin(), positional.end(), name) - positional.begin();
    };
    std::stable_sort(properties.begin(), properties.end(),
                     [&](const auto& a, const auto& b) { return place(a.first) < place(b.first); });
    const auto required = schema.required();
    json_.beginArray();
    for (const auto& [name, value] : properties) {
      if (!take()) break;
      json_.beginObject().key("name").string(name).key("pointer").string(pointer + "/" + escapedPointer(name));
      json_.key("required").boolean(required.contains(name)).key("position");
      const auto at = static_cast<std::size_t>(place(name));
      at < positional.size() ? json_.number(static_cast<std::int64_t>(at)) : json_.null();
      describe(Schema(schema.document(), value), labelOf(name), pointer + "/" + escapedPointer(name), depth);
      json_.endObject();
    }
    json_.endArray();
  }

  /// Whether something was left out because there were too many fields.
  [[nodiscard]] bool truncated() const { return truncated_; }

 private:
  /// The members all fields have, those of fields with names and those inside of arrays and variants.
  void describe(const Schema& schema, const std::string& label, const std::string& pointer, int depth) {
    const auto shape = shapeOf(schema);
    const auto type = typeOf(shape, schema);
    const bool deep = depth >= kFormDepth;
    const auto widget = widgetOf(type, shape, schema);
    const auto title = schema.text("title");
    json_.key("label").string(title.empty() ? label : title).key("help").string(schema.text("description"));
    const bool looks_inside = widget == "group" || widget == "list" || widget == "multiselect";
    json_.key("type").string(type).key("widget").string(deep && looks_inside ? "json" : widget);
    json_.key("nullable").boolean(shape.nullable).key("default");
    const auto preset = schema.find("default");
    preset ? json_.raw(preset->raw()) : json_.null();
    json_.key("has_default").boolean(preset.has_value());
    limits(schema);
    if (!shape.choices.empty()) {
      json_.key("choices").beginArray();
      for (const auto& choice : shape.choices) {
        json_.beginObject().key("value").raw(choice.value_json).key("label").string(choice.label).endObject();
      }
      json_.endArray();
    }
    if (!deep) inside(schema, shape, type, pointer, depth);
  }

  void limits(const Schema& schema) {
    static constexpr std::pair<const char*, const char*> kLimits[] = {
        {"minimum", "minimum"},      {"exclusiveMinimum", "exclusive_minimum"},
        {"maximum", "maximum"},      {"exclusiveMaximum", "exclusive_maximum"},
        {"multipleOf", "step"},      {"minLength", "min_length"},
        {"maxLength", "max_length"}, {"pattern", "pattern"},
        {"format", "format"},        {"minItems", "min_items"},
        {"maxItems", "max_items"},   {"uniqueItems", "unique_items"},
        {"examples", "examples"}};
    json_.key("limits").beginObject();
    for (const auto& [keyword, name] : kLimits) {
      if (const auto value = schema.find(keyword)) json_.key(name).raw(value->raw());
    }
    json_.endObject();
  }

  void inside(const Schema& schema, const Shape& shape, const std::string& type, const std::string& pointer,
              int depth) {
    if (type == "object") {
      json_.key("fields");
      fields(schema, pointer, {}, depth + 1);
    }
    const auto items = schema.find("items");
    if (type == "array" && items && items->is(JsonKind::Object) && take()) {
      json_.key("item").beginObject();
      describe(Schema(schema.document(), *items), "", pointer + "/-", depth + 1);
      json_.endObject();
    }
    if (shape.variants.empty()) return;
    json_.key("variants").beginArray();
    for (const auto& variant : shape.variants) {
      if (!take()) break;
      json_.beginObject();
      describe(Schema(schema.document(), variant), "", pointer, depth + 1);
      json_.endObject();
    }
    json_.endArray();
  }

  bool take() {
    truncated_ = truncated_ || left_ == 0;
    return left_ > 0 && left_-- > 0;
  }

  JsonWriter& json_;
  int left_ = kFormFields;
  bool truncated_ = false;
};

}  // namespace

void writeForm(JsonWriter& json, const catalog::JobTypeInfo& type) {
  const std::string_view schema = type.params_schema_json.empty() ? std::string_view("{}") : type.params_schema_json;
  const auto document = JsonDocument::parse(schema);
  json.beginObject().key("job_type").string(type.name).key("title").string(type.title.empty() ? type.name : type.title);
  json.key("description").string(type.description).key("available").boolean(type.available);
  json.key("positional").beginArray();
  for (const auto& name : type.positional) json.string(name);
  json.endArray();
  bool more = true;
  if (document) {
    const auto additional = Schema(*document, document->root()).find("additionalProperties");
    more = !additional || !additional->is(JsonKind::False);
  }
  json.key("more_params").boolean(more).key("fields");
  FormWriter writer(json);
  if (document) {
    writer.fields(Schema(*document, document->root()), "", type.positional, 0);
  } else {
    json.beginArray().endArray();
  }
  json.key("truncated").boolean(writer.truncated()).endObject();
}

}  // namespace jobhost::api::native
