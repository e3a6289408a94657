#include "settings/loader.hpp"

#include <Poco/JSON/Parser.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "settings/config_file.hpp"
#include "settings/rows.hpp"

namespace jobhost::settings {
namespace {

constexpr std::string_view kPrefix = "JOBHOST_";
constexpr std::size_t kMaxNameBytes = 128;
constexpr std::size_t kMaxFreeBytes = 64 << 10;

/// Variables of the client, of tests and of benches; names of one word cannot be a key either.
bool isOthersVariable(std::string_view name) {
  return name.find('_') == std::string_view::npos || name == "KEY_FILE" || name.starts_with("TEST_") ||
         name.starts_with("BENCH_");
}

std::string environmentName(std::string_view key) {
  std::string name(kPrefix);
  for (const char c : key) {
    name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

bool isName(std::string_view text, bool dots) {
  return !text.empty() && text.size() <= kMaxNameBytes && std::all_of(text.begin(), text.end(), [&](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || (dots && c == '.');
  });
}

/// Text from the environment or --set as a JSON value: itself where it is one, else a string.
/// A URL may hold a password; what a host is asked about itself is shown to more people than may know it.
std::string withoutUserinfo(const Row& row, std::string value) {
  if (row.unit != "URL") return value;
  const auto scheme = value.find("://");
  if (scheme == std::string::npos) return value;
  const auto begin = scheme + 3;
  const auto at = value.substr(0, value.find_first_of("/?#", begin)).rfind('@');
  if (at != std::string::npos && at > begin) value.replace(begin, at - begin, "***");
  return value;
}

std::string asJson(const std::string& text) {
  const bool maybe =
      !text.empty() && (std::string_view("[{\"-0123456789").find(text.front()) != std::string_view::npos ||
                        text == "true" || text == "false" || text == "null");
  if (!maybe) return quotedText(text);
  try {
    Poco::JSON::Parser parser;
    parser.setDepth(32);
    const auto list = parser.parse("[" + text + "]").extract<Poco::JSON::Array::Ptr>();
    return list->size() == 1 ? text : quotedText(text);
  } catch (const Poco::Exception&) {
    return quotedText(text);
  }
}

void makeAbsolute(std::string& folder) {
  if (!folder.empty()) folder = std::filesystem::absolute(folder).lexically_normal().string();
}

class Loader {
 public:
  Loader() {
    for (const Row& row : rows()) source_of_.emplace(row.key, "default");
  }

  void file(const std::vector<FileEntry>& entries, const std::string& name) {
    for (const auto& entry : entries) {
      const std::string source = name + ":" + std::to_string(entry.line);
      if (isFree(entry.path)) {
        takeFree(entry.path, entry.json, source, entry.value);
        continue;
      }
      std::string key;
      for (const auto& part : entry.path) key += (key.empty() ? "" : ".") + part;
      const Row* row = findRow(key);
      if (row == nullptr) {
        unknown(key, source);
      } else if (!entry.value) {
        wrong(key, "must be " + typeText(*row) + ", is " + entry.json, source);
      } else {
        note(key, source, assign(*row, settings_, *entry.value));
      }
    }
  }

  void variable(const std::string& name, const std::string& value) {
    if (!name.starts_with(kPrefix)) return;
    const std::string rest = name.substr(kPrefix.size());
    if (isOthersVariable(rest)) return;
    for (const std::string_view section : {"plugin", "secret"}) {  // JOBHOST_PLUGIN__<id>__<key>
      if (!rest.starts_with(environmentName(section).substr(kPrefix.size()) + "__")) continue;
      const std::string tail = rest.substr(section.size() + 2);
      const auto split = tail.rfind("__");
      const std::string id = tail.substr(0, split);
      const std::string key = split == std::string::npos ? "" : tail.substr(split + 2);
      return takeFree({std::string(section), id, key}, asJson(value), name, value);
    }
    for (const Row& row : rows()) {
      if (environmentName(row.key) == name) return note(row.key, name, assignText(row, settings_, value));
    }
    std::string key = rest;
    std::transform(key.begin(), key.end(), key.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    key.replace(key.find('_'), 1, ".");
    const std::string near = nearestKey(key);
    wrong(name, "is no setting" + (near.empty() ? "" : "; did you mean " + environmentName(near) + "?"), "environment");
  }

  void option(const Sources::Option& option) {
    const auto first = option.key.find('.');
    const auto last = option.key.rfind('.');
    if (first != last && (option.key.starts_with("plugin.") || option.key.starts_with("secret."))) {
      return takeFree(
          {option.key.substr(0, first), option.key.substr(first + 1, last - first - 1), option.key.substr(last + 1)},
          asJson(option.value), option.name, option.value);
    }
    const Row* row = findRow(option.key);
    if (row == nullptr) return unknown(option.key, option.name);
    note(row->key, option.name, assignText(*row, settings_, option.value));
  }

  core::Result<Loaded> finish() {
    if (!errors_.empty()) {
      std::string message;
      for (const auto& error : errors_) message += (message.empty() ? "" : "\n") + error.pointer + ": " + error.message;
      return core::Error{
          .code = core::ErrorCode::InvalidArgument, .message = message, .detail = {}, .fields = std::move(errors_)};
    }
    // Plugins work in folders of their own, where a relative path would mean something else.
    makeAbsolute(settings_.content.dir);
    makeAbsolute(settings_.content.thumb_dir);
    makeAbsolute(settings_.content.upload_dir);
    for (auto& root : settings_.content.roots) makeAbsolute(root);
    std::vector<Effective> effective;
    for (const Row& row : rows()) {
      const std::string key(row.key);
      effective.push_back({key, withoutUserinfo(row, valueText(row, settings_)), source_of_.at(key)});
    }
    const auto addFree = [&](const std::string& section, const auto& by_plugin, bool hide) {
      for (const auto& [id, values] : by_plugin) {
        for (const auto& [name, value] : values) {
          const std::string key = section + "." + id + "." + name;
          effective.push_back({key, hide ? "(set)" : value, source_of_.at(key)});
        }
      }
    };
    addFree("plugin", settings_.plugin, false);
    addFree("secret", settings_.secret, true);
    return Loaded{std::move(settings_), std::move(effective)};
  }

 private:
  static bool isFree(const std::vector<std::string>& path) {
    return path.size() >= 2 && (path.front() == "plugin" || path.front() == "secret");
  }

  /// path: {"plugin", id…, key}; the id may have been split at its dots.
  void takeFree(const std::vector<std::string>& path, const std::string& json, const std::string& source,
                const std::optional<TypedValue>& value) {
    std::string id;
    for (std::size_t i = 1; i + 1 < path.size(); ++i) id += (id.empty() ? "" : ".") + path[i];
    const std::string& key = path.back();
    const std::string full = path.front() + "." + id + "." + key;
    if (!isName(id, true) || !isName(key, false)) {
      return wrong(full, "must be " + path.front() + ".<plugin id>.<name> of letters, digits, '_' and '-'", source);
    }
    if (json.size() > kMaxFreeBytes) return wrong(full, "must be at most 64 KiB", source);
    if (path.front() == "plugin") {
      settings_.plugin[id][key] = json;
    } else {
      const auto* text = value ? std::get_if<std::string>(&*value) : nullptr;
      if (text == nullptr || text->empty()) return wrong(full, "must be text", source);
      settings_.secret[id][key] = *text;
    }
    source_of_[full] = source;
  }

  void note(std::string_view key, const std::string& source, const core::Result<void>& result) {
    if (result) {
      source_of_[std::string(key)] = source;
    } else {
      wrong(std::string(key), result.error().message, source);
    }
  }
  void unknown(const std::string& key, const std::string& source) {
    const std::string near = nearestKey(key);
    wrong(key, "is no known key" + (near.empty() ? "" : "; did you mean " + near + "?"), source);
  }
  void wrong(std::string key, const std::string& reason, const std::string& source) {
    errors_.push_back({std::move(key), reason + " (from " + source + ")"});
  }

  Settings settings_;
  std::map<std::string, std::string> source_of_;
  std::vector<core::FieldError> errors_;
};

}  // namespace

core::Result<Loaded> load(const Sources& sources) {
  Loader loader;
  if (sources.file) {
    auto entries = readConfigFile(*sources.file);
    if (!entries) return entries.error();
    loader.file(*entries, sources.file->string());
  }
  for (const auto& [name, value] : sources.environment) loader.variable(name, value);
  for (const auto& option : sources.options) loader.option(option);
  return loader.finish();
}

core::Result<Sources::Option> parseSet(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return core::Error{.code = core::ErrorCode::InvalidArgument,
                       .message = "--set " + text + ": must be key=value",
                       .detail = {},
                       .fields = {}};
  }
  return Sources::Option{"--set", text.substr(0, equals), text.substr(equals + 1)};
}

std::string pluginConfigJson(const Settings& settings, const std::string& plugin_id, const Providers& providers) {
  std::map<std::string, std::string> all;
  if (!settings.content.dir.empty()) all["content_dir"] = quotedText(settings.content.dir);
  if (!settings.content.thumb_dir.empty()) all["thumb_dir"] = quotedText(settings.content.thumb_dir);
  if (!settings.content.upload_dir.empty()) all["upload_dir"] = quotedText(settings.content.upload_dir);
  if (!settings.lncrawl.dir.empty()) all["lncrawl_dir"] = quotedText(settings.lncrawl.dir);
  if (!settings.lncrawl.sources.empty()) all["lncrawl_sources"] = quotedText(settings.lncrawl.sources);
  if (!providers.empty()) {
    std::string object = "{";
    for (const auto& [what, types] : providers) {
      object += (object.size() > 1 ? "," : "") + quotedText(what) + ":[";
      for (const auto& type : types) object += (object.back() == '[' ? "" : ",") + quotedText(type);
      object += "]";
    }
    all["providers"] = object + "}";
  }
  if (!settings.content.roots.empty()) {
    std::string list = "[";
    for (const auto& root : settings.content.roots) list += (list.size() > 1 ? "," : "") + quotedText(root);
    all["roots"] = list + "]";
  }
  const auto own = settings.plugin.find(plugin_id);
  if (own != settings.plugin.end()) {
    for (const auto& [key, json] : own->second) all[key] = json;
  }
  std::string out = "{";
  for (const auto& [key, json] : all) out += (out.size() > 1 ? "," : "") + quotedText(key) + ":" + json;
  return out + "}";
}

}  // namespace jobhost::settings
