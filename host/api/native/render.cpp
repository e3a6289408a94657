#include "api/native/render.hpp"

#include <limits>
#include <optional>

#include "api/json_reader.hpp"
#include "catalog/manifest.hpp"
#include "jobs/owned_key.hpp"

namespace jobhost::api::native {
namespace {

void writeStrings(JsonWriter& json, const std::vector<std::string>& list) {
  json.beginArray();
  for (const auto& text : list) json.string(text);
  json.endArray();
}

void writeText(JsonWriter& json, const std::string& text) {
  if (text.empty()) {
    json.null();
  } else {
    json.string(text);
  }
}

void writeCounters(JsonWriter& json, const core::ChildCounters& counters) {
  json.beginObject().key("total").number(counters.total).key("done").number(counters.done);
  json.key("failed").number(counters.failed).endObject();
}

void writeError(JsonWriter& json, const std::optional<core::JobError>& error) {
  if (!error) {
    json.null();
    return;
  }
  json.beginObject().key("class").string(toString(error->error_class)).key("code").string(error->code);
  json.key("message").string(error->message).key("details").raw(error->details_json).endObject();
}

/// A failure as the store keeps it, with its class as a number and its details as a string; nullopt: it is none.
std::optional<core::JobError> readStoredError(std::string_view text) {
  const auto document = parseJson(text);
  if (!document || document->root.kind != JsonKind::Object) return std::nullopt;
  constexpr auto kAnyLength = std::numeric_limits<std::size_t>::max();
  std::vector<core::FieldError> errors;
  JsonObject object(*document, "", errors);
  core::JobError error;
  const auto number = object.integer("class", 0, std::numeric_limits<int>::max());
  auto code = object.string("code", kAnyLength);
  auto message = object.string("message", kAnyLength);
  auto details = object.string("details", kAnyLength);
  if (!number || !code || !message || !errors.empty()) return std::nullopt;
  return core::JobError{static_cast<core::ErrorClass>(*number), *std::move(code), *std::move(message),
                        details ? *std::move(details) : std::string()};
}

void writeExit(JsonWriter& json, const std::optional<core::ProcessExit>& exit) {
  if (!exit) {
    json.null();
    return;
  }
  json.beginObject().key("code");
  exit->code ? json.number(std::int64_t{*exit->code}) : json.null();
  json.key("signal");
  exit->signal ? json.number(std::int64_t{*exit->signal}) : json.null();
  json.endObject();
}

std::string_view toString(core::Hold hold) {
  switch (hold) {
    case core::Hold::None:
      return "none";
    case core::Hold::Delayed:
      return "delayed";
    case core::Hold::KeyBusy:
      return "key_busy";
    case core::Hold::Dependency:
      return "dependency";
  }
  return "none";
}

/// What a queued job waits for that its `hold` does not tell: its type's plugin may be out of use, or gone.
void writeWaitingFor(JsonWriter& json, core::JobState state, std::string_view type, const catalog::Snapshot& types) {
  json.key("waiting_for");
  const auto* entry = state == core::JobState::Queued ? types.find(type) : nullptr;
  const bool waits = state == core::JobState::Queued && (entry == nullptr || !entry->info.available);
  waits ? json.string("plugin") : json.null();
}

void writeRelations(JsonWriter& json, const core::Job& job) {
  json.key("parent");
  job.parent ? json.number(job.parent->value) : json.null();
  json.key("root").number(job.root.value);
  json.key("depth").number(std::int64_t{job.depth});
  json.key("depends_on").beginArray();
  for (const auto id : job.depends_on) json.number(id.value);
  json.endArray();
  json.key("batch");
  writeText(json, job.batch);
  json.key("children");
  writeCounters(json, job.children);
  json.key("descendants");
  writeCounters(json, job.descendants);
  json.key("child_failure").string(job.child_failure == core::ChildFailure::Fail ? "fail" : "ignore");
}

void writeRun(JsonWriter& json, const core::Job& job) {
  json.key("attempt").number(std::int64_t{job.attempt});
  json.key("retries").number(std::int64_t{job.retries});
  json.key("max_attempts").number(std::int64_t{job.max_attempts});
  json.key("rescues").number(std::int64_t{job.rescues});
  json.key("backoff");
  writeBackoff(json, job.backoff);
  json.key("timeout_ms").number(std::int64_t{job.timeout.count()});
  json.key("cancel_requested").boolean(job.cancel_requested);
  json.key("suspend_requested").boolean(job.suspend_requested);
  json.key("progress").beginObject().key("fraction");
  // The last report of a job that is done may be any: few report their end.
  const double fraction = job.state == core::JobState::Succeeded ? 1 : job.progress.fraction;
  fraction < 0 ? json.null() : json.number(fraction);
  json.key("done").number(job.progress.done).key("total").number(job.progress.total);
  json.key("message").string(job.progress.message).endObject();
  json.key("usage").beginObject().key("cpu_us").number(job.usage.cpu_us);
  json.key("peak_rss_bytes").number(job.usage.peak_rss_bytes).key("read_bytes").number(job.usage.read_bytes);
  json.key("written_bytes").number(job.usage.written_bytes).endObject();
  json.key("exit");
  writeExit(json, job.exit);
  json.key("error");
  writeError(json, job.error);
}

}  // namespace

std::string_view toString(core::ErrorClass error_class) {
  switch (error_class) {
    case core::ErrorClass::BadInput:
      return "bad_input";
    case core::ErrorClass::Transient:
      return "transient";
    case core::ErrorClass::Permanent:
      return "permanent";
    case core::ErrorClass::Resource:
      return "resource";
    case core::ErrorClass::Denied:
      return "denied";
    case core::ErrorClass::Upstream:
      return "upstream";
    case core::ErrorClass::Internal:
      return "internal";
  }
  return "internal";
}

std::string_view toString(core::BackoffKind kind) {
  switch (kind) {
    case core::BackoffKind::Minion:
      return "minion";
    case core::BackoffKind::Fixed:
      return "fixed";
    case core::BackoffKind::Exponential:
      return "exponential";
  }
  return "minion";
}

void writeEventData(JsonWriter& json, const core::JobEvent& event) {
  if (event.data_json.empty()) {
    json.beginObject().endObject();
    return;
  }
  if (event.kind == core::EventKind::Failed || event.kind == core::EventKind::Canceled) {
    if (const auto error = readStoredError(event.data_json)) return writeError(json, error);
  }
  if (event.kind == core::EventKind::Queued && event.data_json.find("\"error\"") != std::string::npos) {
    const auto document = parseJson(event.data_json);
    std::vector<core::FieldError> errors;
    std::optional<std::string> reason;
    std::optional<std::string_view> stored;
    if (document && document->root.kind == JsonKind::Object) {
      JsonObject object(*document, "", errors);
      reason = object.string("reason");
      stored = object.raw("error", JsonKind::Object);
    }
    if (const auto error = stored ? readStoredError(*stored) : std::nullopt) {
      json.beginObject().key("reason").string(reason.value_or("")).key("error");
      writeError(json, error);
      json.endObject();
      return;
    }
  }
  json.raw(event.data_json);
}

void writeBackoff(JsonWriter& json, const core::Backoff& backoff) {
  json.beginObject().key("kind").string(toString(backoff.kind));
  json.key("base_ms")
      .number(std::int64_t{backoff.base.count()})
      .key("cap_ms")
      .number(std::int64_t{backoff.cap.count()});
  json.key("jitter").number(backoff.jitter).endObject();
}

std::string encodePath(std::string_view path) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : path) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                       c == '.' || c == '_' || c == '~' || c == '/';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

void writeOutput(JsonWriter& json, core::JobId job, const core::Output& output) {
  json.beginObject().key("name").string(output.name).key("media_type").string(output.media_type);
  json.key("size_bytes").number(output.size_bytes).key("sha256");
  writeText(json, output.sha256);
  json.key("url").string("/api/v1/jobs/" + core::toString(job) + "/outputs/" + encodePath(output.name)).endObject();
}

void writeJob(JsonWriter& json, const core::Job& job, const catalog::Snapshot& types, bool with_documents) {
  json.beginObject();
  json.key("id").number(job.id.value);
  json.key("type").string(job.type);
  json.key("state").string(core::toString(job.state));
  json.key("hold").string(toString(job.hold));
  writeWaitingFor(json, job.state, job.type, types);
  json.key("priority").number(std::int64_t{job.priority});
  json.key("created_at").time(job.created_at);
  json.key("run_at").time(job.run_at);
  json.key("started_at").time(job.started_at);
  json.key("finished_at").time(job.finished_at);
  json.key("updated_at").time(job.updated_at);
  json.key("owner");
  writeText(json, job.owner);
  json.key("tags");
  writeStrings(json, job.tags);
  json.key("queue_key");
  writeText(json, std::string(jobs::chosenKey(job.queue_key)));
  json.key("unique_key");
  writeText(json, job.unique_key);
  json.key("input_id");
  writeText(json, job.input_id);
  writeRelations(json, job);
  writeRun(json, job);
  if (with_documents) {
    json.key("params").raw(job.params_json);
    json.key("notes").raw(job.notes_json);
    json.key("result").raw(job.result_json);
    json.key("outputs").beginArray();
    for (const auto& output : job.outputs) writeOutput(json, job.id, output);
    json.endArray();
  }
  json.endObject();
}

std::string jobJson(const core::Job& job, const catalog::Snapshot& types) {
  JsonWriter json;
  writeJob(json, job, types);
  return json.take();
}

void writeSubmitted(JsonWriter& json, const store::Submitted& submitted, std::string_view type,
                    const catalog::Snapshot& types) {
  json.beginObject().key("id").number(submitted.id.value);
  json.key("state").string(core::toString(submitted.state));
  json.key("existing").boolean(submitted.existing);
  writeWaitingFor(json, submitted.state, type, types);
  json.endObject();
}

void writeSubmitted(JsonWriter& json, const std::vector<store::Submitted>& submitted,
                    const std::vector<std::string>& names, const catalog::Snapshot& types) {
  for (std::size_t i = 0; i < submitted.size(); ++i) {
    writeSubmitted(json, submitted[i], i < names.size() ? std::string_view(names[i]) : std::string_view(), types);
  }
}

/// One word for how its jobs stand: what is not over yet first, then the worst end.
static std::string_view stateOf(const store::Batch& batch) {
  const auto of = [&](core::JobState state) { return batch.by_state[static_cast<int>(state)]; };
  const auto ended = of(core::JobState::Succeeded) + of(core::JobState::Failed) + of(core::JobState::Canceled);
  if (batch.total() == 0) return "empty";
  if (ended < batch.total()) {
    const bool begun = ended > 0 || of(core::JobState::Running) > 0 || of(core::JobState::Waiting) > 0;
    return begun ? "running" : "queued";
  }
  if (of(core::JobState::Failed) > 0) return "failed";
  return of(core::JobState::Canceled) > 0 ? "canceled" : "succeeded";
}

void writeBatch(JsonWriter& json, const store::Batch& batch) {
  json.beginObject();
  writeBatchMembers(json, batch);
  json.endObject();
}

void writeBatchMembers(JsonWriter& json, const store::Batch& batch) {
  std::int64_t done = 0;
  json.key("id").string(batch.id).key("name").string(batch.name).key("owner");
  writeText(json, batch.owner);
  json.key("created_at").time(batch.created_at).key("state").string(stateOf(batch)).key("counts").beginObject();
  for (int i = 0; i < core::kJobStateCount; ++i) {
    const auto state = static_cast<core::JobState>(i);
    json.key(core::toString(state)).number(batch.by_state[i]);
    if (core::isTerminal(state)) done += batch.by_state[i];
  }
  const auto total = batch.total();
  json.endObject().key("progress").beginObject().key("fraction");
  total == 0 ? json.null() : json.number(static_cast<double>(done) / static_cast<double>(total));
  json.key("done").number(done).key("total").number(total).endObject();
}

void writeOutcome(JsonWriter& json, const jobs::JobService::BulkOutcome& outcome) {
  json.key("matched").number(outcome.matched).key("changed").number(outcome.changed).key("next_cursor");
  outcome.next ? json.number(outcome.next->value) : json.null();
}

void writeJobType(JsonWriter& json, const catalog::JobTypeInfo& type) {
  json.beginObject();
  json.key("name").string(type.name).key("title").string(type.title).key("description").string(type.description);
  json.key("plugin_id").string(type.plugin_id);
  json.key("available").boolean(type.available).key("unavailable_reason");
  writeText(json, type.unavailable_reason);
  json.key("params_schema").raw(type.params_schema_json).key("result_schema").raw(type.result_schema_json);
  json.key("params_version").number(std::int64_t{type.params_version});
  json.key("positional");
  writeStrings(json, type.positional);
  json.key("defaults").raw(type.defaults_json);
  json.key("limits").beginObject().key("wall_ms").number(std::int64_t{type.limits.wall.count()});
  json.key("cpu_ms").number(std::int64_t{type.limits.cpu.count()}).key("memory_bytes").number(type.limits.memory_bytes);
  json.key("output_bytes").number(type.limits.output_bytes);
  json.key("processes").number(std::int64_t{type.limits.processes}).endObject();
  json.key("cancel_grace_ms").number(std::int64_t{type.cancel_grace.count()});
  json.key("concurrency").number(std::int64_t{type.concurrency});
  json.key("retry").beginObject().key("max_attempts").number(std::int64_t{type.retry.max_attempts}).key("backoff");
  writeBackoff(json, type.retry.backoff);
  json.endObject();
  json.key("isolation")
      .string(type.isolation == catalog::Isolation::Fresh    ? "fresh"
              : type.isolation == catalog::Isolation::Shared ? "shared"
                                                             : "in_process_ok");
  json.key("idempotent").boolean(type.idempotent);
  json.key("provides");
  writeStrings(json, type.provides);
  json.endObject();
}

void writePlugin(JsonWriter& json, const catalog::PluginStatus& plugin) {
  json.beginObject();
  json.key("id").string(plugin.plugin_id).key("version").string(plugin.version);
  json.key("title").string(plugin.generation ? plugin.generation->title : "");
  json.key("kind").string(catalog::toString(catalog::kindOf(plugin.path)));
  json.key("state").string(catalog::toString(plugin.state)).key("reason");
  writeText(json, plugin.reason);
  json.key("since").time(plugin.since);
  json.key("file").string(plugin.path.filename().string()).key("sha256");
  writeText(json, plugin.sha256);
  json.key("generation");
  plugin.generation ? json.number(plugin.generation->id.value) : json.null();
  json.key("early_crashes").number(plugin.early_crashes);
  json.key("job_types");
  writeStrings(json, plugin.job_types);
  json.endObject();
}

void writeKey(JsonWriter& json, const store::ApiKey& key, const std::string& raw) {
  json.beginObject();
  if (!raw.empty()) json.key("key").string(raw);
  json.key("id").string(key.id).key("name").string(key.name).key("privileges");
  writeStrings(json, key.privileges);
  json.key("created_at").time(key.created_at).key("expires_at").time(key.expires_at);
  json.key("revoked_at").time(key.revoked_at).key("last_used_at").time(key.last_used_at);
  json.key("mask");
  key.mask.empty() ? json.null() : json.string(key.mask);
  json.key("user_id");
  key.owner.empty() ? json.null() : json.string(key.owner);
  json.key("all_jobs").boolean(key.all_jobs).key("rate_per_minute");
  key.rate_per_minute == 0 ? json.null() : json.number(std::int64_t{key.rate_per_minute});
  json.key("rate_burst");
  key.rate_burst == 0 ? json.null() : json.number(std::int64_t{key.rate_burst});
  json.endObject();
}

void writeUser(JsonWriter& json, const store::User& user) {
  json.beginObject().key("id").string(user.id).key("name").string(user.name).key("role").string(user.role);
  json.key("tier").number(std::int64_t{user.tier}).key("disabled").boolean(user.disabled);
  json.key("created_at").time(user.created_at).key("updated_at").time(user.updated_at);
  json.key("last_login_at").time(user.last_login_at).endObject();
}

void writeSession(JsonWriter& json, const store::Session& session, bool current) {
  json.beginObject().key("id").string(session.id).key("user_id").string(session.user);
  json.key("created_at").time(session.created_at).key("last_seen_at").time(session.seen_at);
  json.key("expires_at").time(session.expires_at).key("address").string(session.address);
  json.key("agent").string(session.agent).key("current").boolean(current).endObject();
}

void writeAudit(JsonWriter& json, const store::AuditLine& line) {
  const auto& entry = line.entry;
  json.beginObject().key("id").number(line.id).key("at").time(entry.at).key("actor").string(entry.actor);
  json.key("actor_name").string(entry.actor_name).key("action").string(entry.action);
  json.key("target").string(entry.target).key("address").string(entry.address);
  json.key("detail").raw(entry.detail_json).endObject();
}

}  // namespace jobhost::api::native
