#include "dialects/response_check.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <stdexcept>
#include <vector>

#include <zlib.h>

#include "api/lncrawl/openapi.hpp"
#include "api/minion/openapi.hpp"
#include "api/native/openapi.hpp"
#include "api/openapi_merge.hpp"

namespace jobhost::test {
namespace {

using catalog::JsonDocument;
using catalog::JsonKind;
using catalog::JsonValue;

/// What the server answers before or around any operation: an operation's `default` describes it. All else that an
/// operation answers it must list.
constexpr int kAround[] = {405, 408, 413, 414, 415, 429, 431, 500, 501, 503};

std::vector<std::string_view> segments(std::string_view path) {
  std::vector<std::string_view> list;
  while (!path.empty()) {
    path.remove_prefix(1);
    const auto slash = path.find('/');
    list.push_back(path.substr(0, slash));
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash);
  }
  return list;
}

/// How many segments of the path the template names literally; nullopt: it does not fit.
std::optional<int> fit(std::string_view wanted, std::string_view path) {
  const auto pattern = segments(wanted);
  const auto parts = segments(path);
  // the names that may have slashes
  const bool takes_rest = wanted.ends_with("/outputs/{name}") || wanted == "/static/{path}";
  if (takes_rest ? parts.size() < pattern.size() : parts.size() != pattern.size()) return std::nullopt;
  int literal = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i].starts_with('{')) {
      if (parts[i].empty()) return std::nullopt;
    } else if (pattern[i] != parts[i]) {
      return std::nullopt;
    } else {
      ++literal;
    }
  }
  return literal;
}

std::string member(JsonValue key, const std::string& value) {
  return catalog::quoteJson(key.string()) + ":" + value;
}

/// A schema of the document as the compiler for params takes it, and strict: objects that name members have no others.
std::string strict(JsonValue schema) {
  if (!schema.is(JsonKind::Object)) return std::string(schema.raw());
  std::string out = "{";
  const auto add = [&out](const std::string& text) { out += (out.size() > 1 ? "," : "") + text; };
  schema.members([&](JsonValue key, JsonValue value) {
    const auto name = key.string();
    if (name == "$ref") {
      std::string ref(value.string());
      const std::string from = "#/components/schemas/";
      if (ref.starts_with(from)) ref.replace(0, from.size(), "#/$defs/");
      add("\"$ref\":" + catalog::quoteJson(ref));
    } else if (name == "properties") {
      std::string list = "{";
      value.members(
          [&](JsonValue one, JsonValue of) { list += (list.size() > 1 ? "," : "") + member(one, strict(of)); });
      add("\"properties\":" + list + "}");
    } else if (name == "items" || name == "additionalProperties" || name == "not") {
      add(member(key, strict(value)));
    } else if (name == "oneOf" || name == "anyOf" || name == "allOf" || name == "prefixItems") {
      std::string list = "[";
      value.elements([&](JsonValue one) { list += (list.size() > 1 ? "," : "") + strict(one); });
      add(member(key, list + "]"));
    } else if (name == "format" && value.raw() == "\"binary\"") {
      return;
    } else if (name != "default" && name != "example" && name != "discriminator") {  // a check fills nothing in
      add(member(key, std::string(value.raw())));
    }
  });
  if (schema.find("properties") && !schema.find("additionalProperties")) add("\"additionalProperties\":false");
  return out + "}";
}

JsonDocument parsed(std::string_view text) {
  auto document = JsonDocument::parse(text);
  if (!document) throw std::runtime_error("the OpenAPI document is not JSON: " + document.error().message);
  return *std::move(document);
}

std::optional<JsonValue> follow(JsonValue root, JsonValue value) {
  const auto ref = value.find("$ref");
  if (!ref) return value;
  auto at = std::optional(root);
  for (const auto part : segments(ref->string().substr(1))) at = at ? at->find(part) : std::nullopt;
  return at;
}

std::string_view mediaType(std::string_view header) {
  return header.substr(0, header.find(';'));
}

}  // namespace

ResponseCheck& ResponseCheck::ofAllDialects() {
  static ResponseCheck check([] {
    const std::array documents{api::native::openApiDocument(), api::minion::openApiDocument(),
                               api::lncrawl::openApiDocument()};
    auto merged = api::mergeOpenApi(documents);
    if (!merged) throw std::runtime_error(merged.error().message);
    return *std::move(merged);
  }());
  return check;
}

ResponseCheck::ResponseCheck(std::string document) : text_(std::move(document)), document_(parsed(text_)) {
  const auto components = document_.root().find("components");
  const auto schemas = components ? components->find("schemas") : std::nullopt;
  defs_ = "{";
  if (schemas) {
    schemas->members(
        [&](JsonValue key, JsonValue schema) { defs_ += (defs_.size() > 1 ? "," : "") + member(key, strict(schema)); });
  }
  defs_ += "}";
}

std::string ResponseCheck::faultOf(const Seen& seen) {
  const auto path = seen.target.substr(0, seen.target.find('?'));
  std::optional<JsonValue> operations;
  std::string pattern;
  int best = -1;
  document_.root().find("paths")->members([&](JsonValue key, JsonValue value) {
    const auto literal = fit(key.string(), path);
    if (!literal || *literal <= best) return;
    best = *literal;
    pattern = key.string();
    operations = value;
  });
  if (!operations) {
    if (path.starts_with("/api/v1/") && seen.status < 400)
      return "answered " + std::to_string(seen.status) + " at a path that is not described";
    return {};
  }
  std::string method(seen.method == "HEAD" ? "GET" : seen.method);
  std::transform(method.begin(), method.end(), method.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto operation = operations->find(method);
  if (!operation) return seen.status < 400 && method != "options" ? "is an operation that is not described" : "";
  ++checked_;
  const auto responses = operation->find("responses");
  const auto status = std::to_string(seen.status);
  const auto where = method + " " + pattern + " " + status;
  auto response = responses->find(status);
  if (!response) {
    const bool around = std::find(std::begin(kAround), std::end(kAround), seen.status) != std::end(kAround);
    if (around) response = responses->find("default");
    if (!response) return "has the status " + status + ", which " + method + " " + pattern + " does not describe";
  }
  const auto described = follow(document_.root(), *response);
  if (!described) return "has a dangling reference at " + where;
  if (seen.method == "HEAD" || seen.status == 304 || seen.status == 206) return {};
  return faultOfBody(seen, where, *described);
}

std::string ResponseCheck::faultOfBody(const Seen& seen, const std::string& where, JsonValue response) {
  const auto content = response.find("content");
  if (!content) return seen.body.empty() ? "" : "has a body where " + where + " describes none";
  const auto type = mediaType(seen.content_type);
  auto described = content->find(type);
  if (!described) described = content->find("*/*");
  if (!described) return "has the media type \"" + std::string(type) + "\", which " + where + " does not describe";
  const auto schema = described->find("schema");
  const bool binary = schema && schema->find("format") && schema->find("format")->raw() == "\"binary\"";
  const bool json = !binary && (type == "application/json" || type.ends_with("+json"));
  return json && schema ? faultOfJson(where, *schema, seen.body) : std::string();
}

std::string ResponseCheck::faultOfJson(const std::string& where, JsonValue schema, std::string_view body) {
  auto& compiled = schemas_[std::to_string(schema.begin())];
  if (!compiled) {
    const auto text = R"({"type":"object","required":["body"],"properties":{"body":)" + strict(schema) +
                      R"(},"$defs":)" + defs_ + "}";
    auto made = catalog::ParamsSchema::compile(text);
    if (!made) {
      const auto& fields = made.error().fields;
      return "has a schema that cannot be used at " + where + ": " +
             (fields.empty() ? made.error().message : fields.front().pointer + ": " + fields.front().message);
    }
    compiled = *made;
  }
  const auto checked = compiled->check("{\"body\":" + std::string(body) + "}", {64U << 20, 64});
  if (checked) return {};
  std::string faults;
  for (const auto& field : checked.error().fields) faults += "\n  " + field.pointer + " " + field.message;
  return "does not fit " + where + ": " + checked.error().message + faults + "\n  " + std::string(body.substr(0, 2000));
}

std::string gunzip(std::string_view bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return {};
  std::string out;
  std::array<char, 65536> piece;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  int result = Z_OK;
  while (result == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    result = inflate(&stream, Z_NO_FLUSH);
    out.append(piece.data(), piece.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  return result == Z_STREAM_END ? out : std::string();
}

}  // namespace jobhost::test
