#include "api/minion/minion_render.hpp"

#include "api/json_reader.hpp"
#include "api/json_writer.hpp"

namespace jobhost::api::minion {
namespace {

constexpr std::string_view kContentType = "application/json;charset=UTF-8";

/// Seconds since the epoch with up to 5 decimals, trailing zeros dropped.
std::string epoch(core::Instant at) {
  const auto tens = core::toMicros(at) / 10;
  std::string text = std::to_string(tens / 100'000);
  if (const auto rest = tens % 100'000; rest != 0) {
    std::string digits = std::to_string(100'000 + rest).substr(1);
    while (digits.back() == '0') digits.pop_back();
    text += '.' + digits;
  }
  return text;
}

void writeEpoch(JsonWriter& json, const std::optional<core::Instant>& at) {
  if (at) {
    json.string(epoch(*at));
  } else {
    json.null();
  }
}

std::string failureText(const core::Job& job) {
  if (job.state == core::JobState::Canceled) {
    return job.error && !job.error->message.empty() ? job.error->message : "canceled";
  }
  if (!job.error) return "failed";
  return job.error->message.empty() ? job.error->code : job.error->message;
}

/// A failure's own `{"errors": […]}` is its result, as the thumbnail tasks answer it; otherwise the text is.
void writeFailure(JsonWriter& json, const core::Job& job) {
  if (job.error && !job.error->details_json.empty()) {
    if (const auto details = parseJson(job.error->details_json); details && details->root.kind == JsonKind::Object) {
      for (const auto& member : details->members) {
        if (member.raw_key == "\"errors\"" && member.value.kind == JsonKind::Array) {
          json.canonical(job.error->details_json);
          return;
        }
      }
    }
  }
  json.string(failureText(job));
}

void writeResult(JsonWriter& json, const core::Job& job) {
  if (job.state == core::JobState::Succeeded) {
    json.canonical(job.result_json);
  } else if (job.state == core::JobState::Failed || job.state == core::JobState::Canceled || job.error) {
    writeFailure(json, job);  // also while a retry waits: the values of the failed attempt are kept
  } else {
    json.null();
  }
}

/// The arguments as they were given. A job made elsewhere has none: its params stand in for them, by the type's
/// positional order, without the absent ones at the end; as they are when the type declares no order.
void writeArgs(JsonWriter& json, const core::Job& job, const std::vector<std::string>& positional) {
  if (!job.args_json.empty()) {
    json.canonical(job.args_json);
    return;
  }
  const auto params = parseJson(job.params_json);
  if (!params || params->root.kind != JsonKind::Object || (positional.empty() && !params->members.empty())) {
    json.canonical(job.params_json);
    return;
  }
  std::vector<std::string_view> args;
  std::size_t used = 0;
  for (const auto& name : positional) {
    std::string_view value;
    for (const auto& member : params->members) {
      if (unescape(member.raw_key) == name) value = member.value.raw;
    }
    args.push_back(value);
    if (!value.empty()) used = args.size();
  }
  args.resize(used);
  json.beginArray();
  for (const auto value : args) json.canonical(value);
  json.endArray();
}

}  // namespace

Response answer(int status, std::string body) {
  Response response(status, kContentType, std::move(body));
  response.with("Set-Cookie", "lrr_baseurl=; path=/; SameSite=Lax");
  return response;
}

Response complain(int status, const std::vector<Complaint>& complaints) {
  JsonWriter json(true);
  json.beginObject().key("errors").beginArray();
  for (const auto& complaint : complaints) {
    json.beginObject().key("message").string(complaint.message).key("path").string(complaint.path).endObject();
  }
  json.endArray().key("status").number(std::int64_t{status}).endObject();
  return answer(status, json.take());
}

std::string_view stateWord(core::JobState state) {
  switch (state) {
    case core::JobState::Queued:
    case core::JobState::Suspended:
      return "inactive";
    case core::JobState::Running:
    case core::JobState::Waiting:
      return "active";
    case core::JobState::Succeeded:
      return "finished";
    case core::JobState::Failed:
    case core::JobState::Canceled:
      return "failed";
  }
  return "inactive";
}

std::string statusJson(const core::Job& job) {
  JsonWriter json(true);
  json.beginObject().key("error");
  if (stateWord(job.state) == "failed") {
    json.string(failureText(job));
  } else {
    json.null();
  }
  json.key("notes").canonical(job.notes_json.empty() ? "{}" : job.notes_json);
  json.key("state").string(stateWord(job.state));
  json.key("task").string(job.type).endObject();
  return json.take();
}

std::string detailJson(const core::Job& job, const std::vector<std::string>& positional) {
  JsonWriter json(true);
  json.beginObject();
  json.key("args");
  writeArgs(json, job, positional);
  json.key("attempts").string(std::to_string(job.max_attempts));
  json.key("children").beginArray().endArray();
  json.key("created").string(epoch(job.created_at));
  json.key("delayed").string(epoch(job.run_at));
  json.key("finished");
  writeEpoch(json, job.finished_at);
  json.key("id").string(core::toString(job.id));
  json.key("notes").canonical(job.notes_json.empty() ? "{}" : job.notes_json);
  json.key("parents").beginArray().endArray();
  json.key("priority").string(std::to_string(job.priority));
  json.key("queue").string("default");
  json.key("result");
  writeResult(json, job);
  json.key("retried");
  writeEpoch(json, job.retries > 0 ? job.finished_at : std::nullopt);
  json.key("retries").string(std::to_string(job.retries));
  json.key("started");
  writeEpoch(json, job.started_at);
  json.key("state").string(stateWord(job.state));
  json.key("task").string(job.type);
  json.key("worker");
  if (job.started_at) {
    json.string("1");  // one worker with many slots, as upstream's is
  } else {
    json.null();
  }
  json.endObject();
  return json.take();
}

std::string describeJson(std::string_view operation) {
  const bool queue = operation == "queueMinionJob";
  JsonWriter json(true);
  json.beginObject().key(queue ? "post" : "get").beginObject();
  json.key("operationId").string(operation).key("parameters").beginArray();
  const auto parameter = [&json](std::string_view in, std::string_view name, bool required, std::string_view type) {
    json.beginObject().key("in").string(in).key("name").string(name).key("required").boolean(required);
    json.key("schema").beginObject().key("type").string(type).endObject().endObject();
  };
  parameter("path", queue ? "jobname" : "jobid", true, queue ? "string" : "integer");
  if (queue) {
    parameter("query", "args", true, "string");
    parameter("query", "priority", false, "integer");
  }
  json.endArray().key("responses").beginObject().key("200").beginObject().key("description").string("OK").endObject();
  json.endObject();
  if (operation != "minionJobStatus") {
    json.key("security").beginArray().beginObject().key("api_key").beginArray().endArray().endObject().endArray();
  }
  json.endObject().endObject();
  return json.take();
}

}  // namespace jobhost::api::minion
