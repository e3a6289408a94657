#include "cli/job_commands.hpp"

#include <iostream>

#include "cli/json.hpp"

namespace jobhost::cli {
namespace {

std::string jobPath(std::int64_t id) {
  return "/api/v1/jobs/" + std::to_string(id);
}

std::string percentOf(const JsonObject& job) {
  auto fraction = numberAt(job, "progress");
  if (const auto progress = objectAt(job, "progress")) {
    fraction = numberAt(progress, "fraction");
    if (!fraction) fraction = numberAt(progress, "progress");
  }
  if (!fraction || *fraction < 0) return "-";
  return std::to_string(static_cast<int>(*fraction * 100)) + " %";
}

/// How a job stands, with what it waits for.
std::string standing(const JsonObject& job) {
  const bool waits = textAt(job, "waiting_for") == "plugin";
  return textAt(job, "state") + (waits ? " (no plugin)" : "");
}

/// One POST for each id; goes on after a refusal and answers the first failure's status. `say` tells of a job what was
/// done.
int forEach(const JobArgs& args, const std::string& action, std::string (*say)(const Response&)) {
  auto client = connect(args.client);
  if (!client) return fail(client.error()), kUsage;
  int status = kOk;
  for (const auto id : args.ids) {
    const auto answer = client->send("POST", jobPath(id) + action);
    if (!answer) {
      const int code = fail(answer.error());
      if (code == kUnreachable) return code;
      if (status == kOk) status = code;
    } else if (args.client.json) {
      printBody(args.client, answer->body);
    } else {
      std::cout << id << ' ' << say(*answer) << '\n';
    }
  }
  return status;
}

}  // namespace

int get(const JobArgs& args) {
  auto client = connect(args.client);
  if (!client) return fail(client.error()), kUsage;
  int status = kOk;
  for (const auto id : args.ids) {
    const auto answer = client->get(jobPath(id));
    if (answer) {
      printBody(args.client, answer->body);
    } else {
      status = fail(answer.error());
    }
  }
  return status;
}

int list(const ListArgs& args) {
  auto client = connect(args.client);
  if (!client) return fail(client.error()), kUsage;
  std::string path = "/api/v1/jobs?limit=" + std::to_string(args.limit);
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) path += "&" + std::string(name) + "=" + encoded(value);
  };
  for (const auto& state : args.states) add("state", state);
  for (const auto& type : args.types) add("type", type);
  add("tag", args.tag);
  add("batch", args.batch);
  add("owner", args.owner);
  add("parent", args.parent);
  add("cursor", args.cursor);
  const auto answer = client->get(path);
  if (!answer) return fail(answer.error());
  if (args.client.json) return printBody(args.client, answer->body), kOk;

  const auto page = parseObject(answer->body);
  std::vector<std::vector<std::string>> rows{{"ID", "STATE", "TYPE", "PROGRESS", "ATTEMPT", "CREATED"}};
  for (const auto& job : objectsAt(page, "jobs")) {
    rows.push_back({textAt(job, "id"), standing(job), textAt(job, "type"), percentOf(job),
                    textAt(job, "attempt") + "/" + textAt(job, "max_attempts"), textAt(job, "created_at")});
  }
  printTable(std::cout, rows);
  const auto next = textAt(page, "next_cursor");
  if (!next.empty()) std::cerr << "more: --cursor " << next << '\n';
  return kOk;
}

int cancel(const JobArgs& args) {
  return forEach(args, "/cancel", [](const Response& answer) -> std::string {
    if (answer.status == 202) return "cancel asked";
    const auto state = textAt(parseObject(answer.body), "state");
    return state == "canceled" ? state : "has ended already: " + state;
  });
}
int retry(const JobArgs& args) {
  return forEach(args, "/retry", [](const Response&) -> std::string { return "queued again"; });
}

}  // namespace jobhost::cli
