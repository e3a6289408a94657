#include "api/minion/minion_render.hpp"

#include <chrono>

#include "api/json_reader.hpp"
#include "api/json_writer.hpp"
#include "core/retry.hpp"

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
  // How upstream says that a job's process, or the worker itself, went away.
  const bool ended = job.error->code == "plugin_crashed" || job.error->code == "plugin_exited";
  if (ended && job.exit) {
    return "Job terminated unexpectedly (exit code: " + std::to_string(job.exit->code.value_or(0)) +
           ", signal: " + std::to_string(job.exit->signal.value_or(0)) + ")";
  }
  if (job.error->code == "lease_expired") return "Worker went away";
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

/// When it was last put back, as far as the job itself tells: by the host where its failed attempt ended, or by a
/// caller, and then its turn came at once. Once it has ended: so long before its last turn as the backoff says.
std::optional<core::Instant> retriedAt(const core::Job& job) {
  if (job.retries == 0) return std::nullopt;
  const auto wait = core::retryDelay(job.backoff, job.retries - 1, 0.0);
  if (!core::isTerminal(job.state)) {
    if (!job.finished_at) return job.run_at;
    const bool by_host = job.hold == core::Hold::Delayed ||
                         std::chrono::abs(job.run_at - *job.finished_at - wait) < std::chrono::seconds(1);
    return by_host ? *job.finished_at : job.run_at;
  }
  return job.run_at - wait < job.created_at ? job.run_at : job.run_at - wait;
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
  return {status, kContentType, std::move(body)};
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

Response complainTwice(std::string_view operation, const Complaint& complaint) {
  JsonWriter json(true);
  json.beginObject().key("error").string(complaint.message);
  json.key("errors").beginArray().beginObject().key("message").string(complaint.message);
  json.key("path").string(complaint.path).endObject().endArray();
  json.key("operation").string(operation).key("status").number(std::int64_t{400});
  json.key("success").number(std::int64_t{0}).key("successMessage").string("").endObject();
  return answer(400, json.take());
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
  writeEpoch(json, retriedAt(job));
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

std::string acceptedJson(std::string_view operation, core::JobId job) {
  JsonWriter json(true);
  json.beginObject().key("job").number(job.value).key("operation").string(operation);
  json.key("success").number(std::int64_t{1}).endObject();
  return json.take();
}

}  // namespace jobhost::api::minion
