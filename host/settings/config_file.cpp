#include "settings/config_file.hpp"

#include <toml++/toml.h>

#include <cmath>
#include <fstream>
#include <sstream>

namespace jobhost::settings {
namespace {

constexpr std::uintmax_t kMaxFileBytes = 1 << 20;

std::optional<TypedValue> typed(const toml::node& node) {
  if (const auto* flag = node.as_boolean()) return TypedValue(flag->get());
  if (const auto* number = node.as_integer()) return TypedValue(number->get());
  if (const auto* text = node.as_string()) return TypedValue(text->get());
  if (const auto* array = node.as_array()) {
    std::vector<std::string> items;
    for (const auto& item : *array) {
      const auto* text = item.as_string();
      if (text == nullptr) return std::nullopt;
      items.push_back(text->get());
    }
    return TypedValue(std::move(items));
  }
  return std::nullopt;
}

std::string jsonText(const toml::node& node);

std::string jsonTable(const toml::table& table) {
  std::string out = "{";
  for (const auto& [key, value] : table) {
    if (out.size() > 1) out += ',';
    out += quotedText(key.str()) + ':' + jsonText(value);
  }
  return out + '}';
}

std::string jsonText(const toml::node& node) {
  if (const auto* table = node.as_table()) return jsonTable(*table);
  if (const auto* array = node.as_array()) {
    std::string out = "[";
    for (const auto& item : *array) out += (out.size() > 1 ? "," : "") + jsonText(item);
    return out + ']';
  }
  if (const auto* text = node.as_string()) return quotedText(text->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  std::ostringstream out;
  if (const auto* real = node.as_floating_point()) {
    if (!std::isfinite(real->get())) return "null";
    out.precision(17);
    out << real->get();
    return out.str();
  }
  if (const auto* date = node.as_date()) out << date->get();
  if (const auto* time = node.as_time()) out << time->get();
  if (const auto* moment = node.as_date_time()) out << moment->get();
  return quotedText(out.str());
}

void collect(const toml::table& table, std::vector<std::string>& path, std::vector<FileEntry>& entries) {
  for (const auto& [key, node] : table) {
    path.emplace_back(key.str());
    const auto* inner = node.as_table();
    if (inner != nullptr && !inner->is_inline()) {
      collect(*inner, path, entries);
    } else {
      const auto line = static_cast<int>(node.source().begin.line);
      entries.push_back({.path = path, .value = typed(node), .json = jsonText(node), .line = line});
    }
    path.pop_back();
  }
}

core::Error invalid(std::string message) {
  return {.code = core::ErrorCode::InvalidArgument, .message = std::move(message), .detail = {}, .fields = {}};
}

}  // namespace

core::Result<std::vector<FileEntry>> parseConfig(std::string_view text) {
  try {
    const toml::table table = toml::parse(text);
    std::vector<FileEntry> entries;
    std::vector<std::string> path;
    collect(table, path, entries);
    return entries;
  } catch (const toml::parse_error& error) {
    return invalid("line " + std::to_string(error.source().begin.line) + ": " + std::string(error.description()));
  }
}

core::Result<std::vector<FileEntry>> readConfigFile(const std::filesystem::path& file) {
  std::error_code code;
  const auto size = std::filesystem::file_size(file, code);
  if (code) {
    return core::Error{.code = core::ErrorCode::NotFound,
                       .message = "config file " + file.string() + ": " + code.message(),
                       .detail = {},
                       .fields = {}};
  }
  if (size > kMaxFileBytes) {
    return core::Error{.code = core::ErrorCode::TooLarge,
                       .message = "config file " + file.string() + ": larger than 1 MiB",
                       .detail = {},
                       .fields = {}};
  }
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return invalid("config file " + file.string() + ": cannot be read");
  auto entries = parseConfig(text.str());
  if (!entries) return invalid("config file " + file.string() + ": " + entries.error().message);
  return entries;
}

}  // namespace jobhost::settings
