#include "cli/admin_commands.hpp"

#include <chrono>
#include <ctime>
#include <iostream>

#include "cli/json.hpp"
#include "cli/user_commands.hpp"
#include "core/clock.hpp"
#include "settings/documents.hpp"
#include "settings/environment.hpp"
#include "settings/rows.hpp"

namespace jobhost::cli {
namespace {

/// GETs a path and shows it with `show`, or as it is with --json.
template <class Show>
int shown(const ClientArgs& args, const std::string& path, Show&& show) {
  auto client = connect(args);
  if (!client) return fail(client.error()), kUsage;
  const auto answer = client->get(path);
  if (!answer) return fail(answer.error());
  if (args.json) {
    printBody(args, answer->body);
  } else {
    show(parseObject(answer->body));
  }
  return kOk;
}

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const auto& word : words) all += (all.empty() ? "" : ",") + word;
  return all;
}

/// RFC 3339, to the second.
std::string inDays(int days) {
  const auto at = std::chrono::system_clock::to_time_t(core::SystemClock().now() + std::chrono::days(days));
  std::tm parts{};
  ::gmtime_r(&at, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace

int pluginList(const PluginArgs& args) {
  return shown(args.client, "/api/v1/plugins", [](const JsonObject& answer) {
    std::vector<std::vector<std::string>> rows{{"ID", "VERSION", "KIND", "STATE", "JOB TYPES", "FILE", "REASON"}};
    for (const auto& plugin : objectsAt(answer, "plugins")) {
      rows.push_back({textAt(plugin, "id"), textAt(plugin, "version"), textAt(plugin, "kind"), textAt(plugin, "state"),
                      joined(textsAt(plugin, "job_types")), textAt(plugin, "file"), textAt(plugin, "reason")});
    }
    printTable(std::cout, rows);
  });
}

int pluginWhy(const PluginArgs& args) {
  return shown(args.client, "/api/v1/plugins/" + encoded(args.id), [](const JsonObject& plugin) {
    for (const auto& file : objectsAt(plugin, "files")) {
      std::cout << textAt(file, "file") << ": " << textAt(file, "id") << ' ' << textAt(file, "version") << ' '
                << textAt(file, "state");
      if (const auto reason = textAt(file, "reason"); !reason.empty()) std::cout << " (" << reason << ')';
      std::cout << '\n';
    }
    std::vector<std::vector<std::string>> rows{{"AT", "DECISION", "REASON"}};
    for (const auto& one : objectsAt(plugin, "why")) {
      rows.push_back({textAt(one, "at"), textAt(one, "decision"), textAt(one, "reason")});
    }
    if (rows.size() > 1) printTable(std::cout, rows);
  });
}

int pluginRetry(const PluginArgs& args) {
  auto client = connect(args.client);
  if (!client) return fail(client.error()), kUsage;
  const auto answer = client->send("POST", "/api/v1/plugins/" + encoded(args.id) + "/retry");
  if (!answer) return fail(answer.error());
  std::cout << args.id << " is looked at again\n";
  return kOk;
}

int pluginGrant(const PluginArgs& args) {
  auto client = connect(args.client);
  if (!client) return fail(client.error()), kUsage;
  const auto answer = client->send("POST", "/api/v1/plugins/" + encoded(args.id) + "/grant");
  if (!answer) return fail(answer.error());
  std::cout << args.id << " is granted what its manifest asks for\n";
  return kOk;
}

int keyCreate(const KeyArgs& args) {
  auto client = connect(args.client);
  if (!client) return fail(client.error()), kUsage;
  std::string privileges;
  for (const auto& word : args.privileges) privileges += (privileges.empty() ? "" : ",") + jsonString(word);
  std::string body = "{\"name\":" + jsonString(args.name) + ",\"privileges\":[" + privileges + "]";
  if (!args.user.empty()) {
    const auto user = userId(*client, args.user);
    if (!user) return fail(user.error());
    body += ",\"user_id\":" + jsonString(*user);
  }
  if (args.days > 0) body += ",\"expires_at\":" + jsonString(inDays(args.days));
  if (args.rate > 0) body += ",\"rate_per_minute\":" + std::to_string(args.rate);
  if (args.burst > 0) body += ",\"rate_burst\":" + std::to_string(args.burst);
  if (args.all_jobs) body += ",\"all_jobs\":true";
  if (args.own_jobs) body += ",\"all_jobs\":false";
  const auto answer = client->send("POST", "/api/v1/keys", body + "}");
  if (!answer) return fail(answer.error());
  const auto key = parseObject(answer->body);
  if (args.client.json || textAt(key, "key").empty()) return printBody(args.client, answer->body), kOk;
  std::cerr << "key " << textAt(key, "id") << "; it is shown this once:\n";
  std::cout << textAt(key, "key") << '\n';
  return kOk;
}

int keyList(const KeyArgs& args) {
  auto client = connect(args.client);
  if (!client) return fail(client.error()), kUsage;
  std::vector<std::vector<std::string>> rows{
      {"ID", "KEY", "NAME", "USER", "PRIVILEGES", "JOBS", "CREATED", "LAST USED", "EXPIRES", "REVOKED"}};
  std::string cursor;
  do {
    const auto answer = client->get("/api/v1/keys?limit=1000" + (cursor.empty() ? "" : "&cursor=" + encoded(cursor)));
    if (!answer) return fail(answer.error());
    const auto page = parseObject(answer->body);
    if (args.client.json) printBody(args.client, answer->body);  // a page a line
    for (const auto& key : objectsAt(page, "keys")) {
      rows.push_back({textAt(key, "id"), textAt(key, "mask"), textAt(key, "name"), textAt(key, "user_id"),
                      joined(textsAt(key, "privileges")), textAt(key, "all_jobs") == "true" ? "all" : "own",
                      textAt(key, "created_at"), textAt(key, "last_used_at"), textAt(key, "expires_at"),
                      textAt(key, "revoked_at")});
    }
    cursor = textAt(page, "next_cursor");
  } while (!cursor.empty());
  if (!args.client.json) printTable(std::cout, rows);
  return kOk;
}

int keyRevoke(const KeyArgs& args) {
  auto client = connect(args.client);
  if (!client) return fail(client.error()), kUsage;
  const auto answer = client->send("DELETE", "/api/v1/keys/" + encoded(args.id));
  if (!answer) return fail(answer.error());
  std::cout << args.id << " revoked\n";
  return kOk;
}

core::Result<settings::Loaded> loadConfig(const ConfigArgs& args) {
  settings::Sources sources;
  if (!args.file.empty()) sources.file = args.file;
  sources.environment = settings::environment();
  for (const auto& text : args.set) {
    auto option = settings::parseSet(text);
    if (!option) return option.error();
    sources.options.push_back(*std::move(option));
  }
  const auto flag = [&](const char* name, const char* key, const std::string& value) {
    if (!value.empty()) sources.options.push_back({name, key, value});
  };
  flag("--data", "data.dir", args.data);
  flag("--bind", "server.bind", args.bind);
  flag("--log-level", "log.level", args.log_level);
  if (args.port) flag("--port", "server.port", std::to_string(*args.port));
  auto loaded = settings::load(sources);
  if (!loaded) loaded.error().fields.clear();  // the message names each of them already
  if (loaded && !args.plugins.empty()) {       // as a list, not as text: a folder's name may hold a comma
    loaded->settings.plugins.folders = args.plugins;
    for (auto& row : loaded->effective) {
      if (row.key != "plugins.folders") continue;
      row.source = "--plugins";
      row.value = settings::listValueText(args.plugins);
    }
  }
  return loaded;
}

int configShow(const ConfigArgs& args) {
  const auto loaded = loadConfig(args);
  if (!loaded) return fail(loaded.error()), kUsage;
  if (args.json) {
    std::string out = "{\"settings\":[";
    for (const auto& row : loaded->effective) {
      out += (out.back() == '[' ? "{" : ",{");
      out += "\"key\":" + jsonString(row.key) +
             ",\"value\":" + (isJson(row.value) ? row.value : jsonString(row.value)) +
             ",\"source\":" + jsonString(row.source) + "}";
    }
    std::cout << out << "]}\n";
    return kOk;
  }
  std::vector<std::vector<std::string>> rows{{"KEY", "VALUE", "SOURCE"}};
  for (const auto& row : loaded->effective) rows.push_back({row.key, row.value, row.source});
  printTable(std::cout, rows);
  return kOk;
}

int configDocs() {
  std::cout << settings::configurationMarkdown();
  return kOk;
}

int configExample() {
  std::cout << settings::exampleToml();
  return kOk;
}

}  // namespace jobhost::cli
