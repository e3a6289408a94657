#include <iostream>

#include "cli/job_commands.hpp"
#include "cli/json.hpp"
#include "cli/log_lines.hpp"
#include "cli/progress_bar.hpp"
#include "cli/sse.hpp"
#include "core/job_state.hpp"

namespace jobhost::cli {
namespace {

bool ended(const std::string& state) {
  const auto known = core::jobStateFromString(state);
  return known && core::isTerminal(*known);
}

/// Takes what an event or a job's document says of state and progress into the view.
void take(const JsonObject& object, JobView& view) {
  if (!object) return;
  if (const auto state = textAt(object, "state"); !state.empty()) view.state = state;
  if (const auto fraction = numberAt(object, "progress")) view.fraction = *fraction;
  if (const auto fraction = numberAt(object, "fraction")) view.fraction = *fraction;
  if (object->has("progress") && object->isNull("progress")) view.fraction = -1;
  if (const auto message = textAt(object, "message"); !message.empty()) view.message = message;
  if (view.state == "succeeded") view.fraction = 1;
  for (const char* inner : {"progress", "data", "job"}) take(objectAt(object, inner), view);
}

core::Result<JsonObject> job(Client& client, std::int64_t id, std::string* body = nullptr) {
  auto answer = client.get("/api/v1/jobs/" + std::to_string(id));
  if (!answer) return answer.error();
  if (body != nullptr) *body = answer->body;
  return parseObject(answer->body);
}

void printEnd(const JsonObject& job) {
  if (const auto error = objectAt(job, "error")) {
    std::cerr << "error " << textAt(error, "code") << ": " << textAt(error, "message") << '\n';
  }
  const auto result = jsonAt(job, "result");
  if (!result.empty()) std::cout << result << '\n';
}

}  // namespace

int watchJob(Client& client, std::int64_t id, bool json) {
  const auto first = job(client, id);
  if (!first) return fail(first.error());
  JobView view;
  take(*first, view);
  if (textAt(*first, "waiting_for") == "plugin") view.message = "no plugin runs its type now";
  ProgressBar bar(std::cerr, terminalWidth());
  if (!json) bar.show(view);
  const auto isOver = [&] { return ended(view.state); };

  if (!isOver()) {
    const auto on_event = [&](const SseEvent& event) {
      if (event.name == "log") return true;
      take(parseObject(event.data), view);
      if (json) {
        std::cout << event.data << std::endl;
      } else {
        bar.show(view);
      }
      return !isOver();
    };
    const auto on_end = [&] {  // in order, or because the host stopped: the job's document tells
      const auto now = job(client, id);
      if (now) take(*now, view);
      return !isOver();
    };
    const auto followed = follow(
        client, {.path = "/api/v1/jobs/" + std::to_string(id) + "/events", .on_event = on_event, .on_end = on_end});
    if (!followed) return bar.end(), fail(followed.error());
  }
  std::string body;
  const auto last = job(client, id, &body);
  if (!last) return bar.end(), fail(last.error());
  take(*last, view);
  if (json) {
    std::cout << body << std::endl;
  } else {
    bar.show(view);
    bar.end();
    printEnd(*last);
  }
  return view.state == "succeeded" ? kOk : kJobFailed;
}

int watch(const JobArgs& args) {
  auto client = connect(args.client);
  if (!client) return fail(client.error()), kUsage;
  int status = kOk;
  for (const auto id : args.ids) {
    const int one = watchJob(*client, id, args.client.json);
    if (status == kOk) status = one;
  }
  return status;
}

int logs(const LogsArgs& args) {
  auto client = connect(args.client);
  if (!client) return fail(client.error()), kUsage;
  const std::string path = "/api/v1/jobs/" + std::to_string(args.id);
  std::size_t offset = 0;
  constexpr std::size_t kPiece = 1 << 20;
  LogLines lines;
  // Prints what the log has beyond `offset`.
  const auto print = [&]() -> core::Result<void> {
    for (;;) {
      const auto part =
          client->send("GET", path + "/logs?offset=" + std::to_string(offset) + "&limit=" + std::to_string(kPiece), {},
                       {{"Accept", "text/plain"}});
      if (!part) return part.error();
      std::cout << (args.client.json ? part->body : lines.feed(part->body)) << std::flush;
      offset += part->body.size();
      if (part->body.size() < kPiece) return {};
    }
  };
  if (const auto printed = print(); !printed) return fail(printed.error());
  if (!args.follow) return std::cout << lines.rest(), kOk;

  JobView view;
  core::Result<void> failed;
  const auto refresh = [&] {
    const auto printed = print();
    if (!printed) failed = printed;
    return printed.ok();
  };
  const auto on_event = [&](const SseEvent& event) {
    if (event.name != "log") take(parseObject(event.data), view);
    return refresh() && !ended(view.state);
  };
  const auto on_end = [&] {
    const auto now = job(*client, args.id);
    if (now) take(*now, view);
    return refresh() && !ended(view.state);
  };
  const auto followed = follow(*client, {.path = path + "/events", .on_event = on_event, .on_end = on_end});
  std::cout << lines.rest();
  if (!failed) return fail(failed.error());
  return followed ? kOk : fail(followed.error());
}

}  // namespace jobhost::cli
