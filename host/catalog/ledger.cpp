#include "catalog/ledger.hpp"

#include <fstream>
#include <iterator>
#include <vector>

#include "catalog/json_document.hpp"
#include "catalog/replace_file.hpp"
#include "telemetry/log.hpp"

namespace jobhost::catalog {

namespace fs = std::filesystem;

namespace {

std::string textOf(JsonValue object, std::string_view name) {
  const auto value = object.find(name);
  return value ? std::string(value->string()) : std::string();
}

core::Instant timeOf(JsonValue object, std::string_view name) {
  const auto value = object.find(name);
  return core::fromMicros(value && value->is(JsonKind::Number) ? value->number().integer : 0);
}

std::string member(const char* name, const std::string& text) {
  return quoteJson(name) + ": " + quoteJson(text);
}
std::string member(const char* name, core::Instant at) {
  return quoteJson(name) + ": " + std::to_string(core::toMicros(at));
}

std::vector<std::string> textsOf(JsonValue object, std::string_view name) {
  std::vector<std::string> texts;
  if (const auto list = object.find(name)) {
    list->elements([&texts](JsonValue one) { texts.emplace_back(one.string()); });
  }
  return texts;
}

std::string member(const char* name, const std::vector<std::string>& texts) {
  std::string list;
  for (const auto& text : texts) list += (list.empty() ? "" : ", ") + quoteJson(text);
  return quoteJson(name) + ": [" + list + "]";
}

}  // namespace

void Ledger::load() {
  bad.clear();
  loaded.clear();
  grants.clear();
  std::ifstream in(file_, std::ios::binary);
  if (!in) return;
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const auto document = JsonDocument::parse(text);
  if (!document) {
    telemetry::log("catalog").error("plugin ledger damaged and set aside file={} reason={}", file_.string(),
                                    document.error().message);
    std::error_code ignored;
    fs::rename(file_, file_.string() + ".damaged", ignored);
    return;
  }
  if (const auto list = document->root().find("quarantined")) {
    list->elements([this](JsonValue entry) {
      bad[textOf(entry, "sha256")] = {textOf(entry, "plugin"), textOf(entry, "version"), textOf(entry, "reason"),
                                      timeOf(entry, "at_us")};
    });
  }
  if (const auto list = document->root().find("loaded")) {
    list->elements([this](JsonValue entry) {
      loaded[textOf(entry, "path")] = {textOf(entry, "sha256"), textOf(entry, "plugin"), textOf(entry, "version"),
                                       textOf(entry, "copy"), timeOf(entry, "accepted_at_us"),
                                       textOf(entry, "signer")};
    });
  }
  if (const auto list = document->root().find("grants")) {
    list->elements([this](JsonValue entry) {
      const auto kv = entry.find("kv");
      grants[{textOf(entry, "plugin"), textOf(entry, "signer")}] = {
          {textsOf(entry, "net"), textsOf(entry, "exec"), textsOf(entry, "secrets"), textsOf(entry, "children"),
           textsOf(entry, "config"), kv && kv->is(JsonKind::True), textsOf(entry, "records_read"),
           textsOf(entry, "records_write")},
          timeOf(entry, "at_us")};
    });
  }
  bad.erase("");
  loaded.erase("");
}

core::Result<void> Ledger::save() const {
  std::string text = "{\n\"quarantined\": [";
  const char* comma = "\n  {";
  for (const auto& [sha256, entry] : bad) {
    text += comma + member("sha256", sha256) + ", " + member("plugin", entry.plugin_id) + ", " +
            member("version", entry.version) + ", " + member("reason", entry.reason) + ", " +
            member("at_us", entry.at) + "}";
    comma = ",\n  {";
  }
  text += "],\n\"loaded\": [";
  comma = "\n  {";
  for (const auto& [path, entry] : loaded) {
    text += comma + member("path", path.string()) + ", " + member("sha256", entry.sha256) + ", " +
            member("plugin", entry.plugin_id) + ", " + member("version", entry.version) + ", " +
            member("copy", entry.private_path.string()) + ", " + member("accepted_at_us", entry.accepted_at) + ", " +
            member("signer", entry.signer) + "}";
    comma = ",\n  {";
  }
  text += "],\n\"grants\": [";
  comma = "\n  {";
  for (const auto& [to, grant] : grants) {
    text += comma + member("plugin", to.first) + ", " + member("signer", to.second) + ", " +
            member("net", grant.permissions.net) + ", " + member("exec", grant.permissions.exec) + ", " +
            member("secrets", grant.permissions.secrets) + ", " + member("children", grant.permissions.children) +
            ", " + member("config", grant.permissions.config) + ", " + quoteJson("kv") + ": " +
            (grant.permissions.kv ? "true" : "false") + ", " + member("records_read", grant.permissions.records_read) +
            ", " + member("records_write", grant.permissions.records_write) + ", " + member("at_us", grant.at) + "}";
    comma = ",\n  {";
  }
  text += "]\n}\n";

  if (const auto kept = replaceFile(file_, text, Durable::Yes); !kept) {
    return core::Error{core::ErrorCode::Unavailable,
                       "the plugin ledger cannot be kept: " + kept.error().message,
                       kept.error().detail,
                       {}};
  }
  return {};
}

}  // namespace jobhost::catalog
