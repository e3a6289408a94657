#include "store/sql_rows.hpp"

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>
#include <Poco/JSONString.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <sstream>

namespace jobhost::store {

namespace json = Poco::JSON;

const char* const kLiveSelect =
    "id, type_id, state, hold, priority, run_at, attempt, retries, max_attempts, ask, resumed, own_done, lease, "
    "lease_until, event_seq, deps_pending, docs, child_total, child_done, child_failed, desc_total, desc_done, "
    "desc_failed, child_failure, started_at, finished_at, parent, root, depth, queue_key, owner, created_at, "
    "rescues, batch, below_total, below_done, below_failed";

const char* const kJobSelect =
    "j.id, t.name, j.state, j.hold, j.priority, j.run_at, j.attempt, j.retries, j.max_attempts, j.ask, j.docs, "
    "j.child_total, j.child_done, j.child_failed, j.desc_total, j.desc_done, j.desc_failed, j.child_failure, "
    "j.created_at, j.updated_at, j.started_at, j.finished_at, j.parent, j.root, j.depth, j.timeout_ms, j.queue_key, "
    "j.owner, j.batch, j.unique_key, j.dedupe_key, j.input_id, j.backoff, j.webhook, j.tags, j.progress, j.error, "
    "j.usage, j.exit_code, j.exit_signal, j.params, j.result, j.own_done, j.below_total, "
    "j.below_done, j.below_failed, j.rescues";

namespace {

core::ChildCounters readCounters(const Query& q, int at) {
  return {q.number(at), q.number(at + 1), q.number(at + 2)};
}

}  // namespace

LiveRow readLive(const Query& q) {
  LiveRow row;
  int at = 0;
  row.id = {q.number(at++)};
  row.type_id = q.integer(at++);
  row.state = static_cast<core::JobState>(q.integer(at++));
  row.hold = static_cast<core::Hold>(q.integer(at++));
  row.priority = q.integer(at++);
  row.run_at = q.number(at++);
  row.attempt = q.integer(at++);
  row.retries = q.integer(at++);
  row.max_attempts = q.integer(at++);
  row.ask = static_cast<Ask>(q.integer(at++));
  row.resumed = static_cast<Resume>(q.integer(at++));
  row.own_done = q.integer(at++) != 0;
  row.lease = q.number(at++);
  row.lease_until = q.number(at++);
  row.event_seq = q.number(at++);
  row.deps_pending = q.integer(at++);
  row.docs = q.integer(at++);
  for (core::ChildCounters* counters : {&row.children, &row.descendants}) {
    counters->total = q.number(at++);
    counters->done = q.number(at++);
    counters->failed = q.number(at++);
  }
  row.child_failure = static_cast<core::ChildFailure>(q.integer(at++));
  row.started_at = q.numberOrNull(at++);
  row.finished_at = q.numberOrNull(at++);
  row.parent = q.numberOrNull(at++);
  row.root = q.number(at++);
  row.depth = q.integer(at++);
  row.queue_key = q.view(at++);
  row.owner = q.view(at++);
  row.created_at = q.number(at++);
  row.rescues = q.integer(at++);
  row.batch = q.text(at++);
  row.units = readCounters(q, at);
  return row;
}

core::Job readJob(const Query& q, int& docs) {
  core::Job job;
  int at = 0;
  const auto instant = [&](int column) { return core::fromMicros(q.number(column)); };
  const auto maybeInstant = [&](int column) {
    return q.isNull(column) ? std::optional<core::Instant>() : std::optional(instant(column));
  };
  job.id = {q.number(at++)};
  job.type = q.view(at++);
  job.state = static_cast<core::JobState>(q.integer(at++));
  job.hold = static_cast<core::Hold>(q.integer(at++));
  job.priority = q.integer(at++);
  job.run_at = instant(at++);
  job.attempt = q.integer(at++);
  job.retries = q.integer(at++);
  job.max_attempts = q.integer(at++);
  const auto ask = static_cast<Ask>(q.integer(at++));
  job.cancel_requested = ask == Ask::Cancel;
  job.suspend_requested = ask == Ask::Suspend;
  docs = q.integer(at++);
  for (core::ChildCounters* counters : {&job.children, &job.descendants}) {
    counters->total = q.number(at++);
    counters->done = q.number(at++);
    counters->failed = q.number(at++);
  }
  job.child_failure = static_cast<core::ChildFailure>(q.integer(at++));
  job.created_at = instant(at++);
  job.updated_at = instant(at++);
  job.started_at = maybeInstant(at++);
  job.finished_at = maybeInstant(at++);
  if (const auto parent = q.numberOrNull(at++)) job.parent = core::JobId{*parent};
  job.root = {q.number(at++)};
  job.depth = q.integer(at++);
  job.timeout = core::Millis(q.number(at++));
  job.queue_key = q.view(at++);
  job.owner = q.view(at++);
  job.batch = q.view(at++);
  job.unique_key = q.view(at++);
  job.dedupe_key = q.view(at++);
  job.input_id = q.view(at++);
  job.backoff = readBackoff(q.view(at++));
  job.webhook_json = q.view(at++);
  job.tags = readTags(q.view(at++));
  job.progress = readProgress(q.view(at++));
  job.error = readError(q.view(at++));
  job.usage = readUsage(q.view(at++));
  const auto code = q.numberOrNull(at++);
  const auto signal = q.numberOrNull(at++);
  if (code || signal) {
    job.exit.emplace();
    if (code) job.exit->code = static_cast<int>(*code);
    if (signal) job.exit->signal = static_cast<int>(*signal);
  }
  job.params_json = q.view(at++);
  job.result_json = q.view(at++);
  job.own_done = q.integer(at++) != 0;
  job.units_below = readCounters(q, at);
  job.rescues = q.integer(at + 3);
  return job;
}

namespace {

/// The next word of a space-separated text.
std::string_view word(std::string_view& text) {
  const std::size_t end = text.find(' ');
  const std::string_view first = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return first;
}

template <class Number>
Number numberOf(std::string_view text) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string realText(double value) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return {buffer.data(), end};
}

std::string stringify(const Poco::Dynamic::Var& value) {
  std::ostringstream out;
  json::Stringifier::stringify(value, out, 0, -1, Poco::JSON_WRAP_STRINGS);
  return out.str();
}

std::optional<Poco::Dynamic::Var> parse(std::string_view text) {
  if (text.empty()) return std::nullopt;
  try {
    json::ParseHandler::Ptr handler(new json::ParseHandler(true));
    return json::Parser(handler).parse(std::string(text));
  } catch (const Poco::Exception&) {
    return std::nullopt;
  }
}

json::Object::Ptr parseObject(std::string_view text) {
  const auto value = parse(text);
  if (value && value->type() == typeid(json::Object::Ptr)) return value->extract<json::Object::Ptr>();
  return new json::Object(Poco::JSON_PRESERVE_KEY_ORDER);
}

json::Array::Ptr parseArray(std::string_view text) {
  const auto value = parse(text);
  if (value && value->type() == typeid(json::Array::Ptr)) return value->extract<json::Array::Ptr>();
  return new json::Array;
}

/// A JSON value of any kind; Poco parses only objects and arrays by themselves.
std::optional<Poco::Dynamic::Var> parseValue(const std::string& text) {
  const json::Array::Ptr array = parseArray("[" + text + "]");
  return array->size() == 1 ? std::optional(array->get(0)) : std::nullopt;
}

}  // namespace

std::string backoffText(const core::Backoff& backoff) {
  if (backoff == core::Backoff{}) return {};
  return std::to_string(static_cast<int>(backoff.kind)) + ' ' + std::to_string(backoff.base.count()) + ' ' +
         std::to_string(backoff.cap.count()) + ' ' + realText(backoff.jitter);
}

core::Backoff readBackoff(std::string_view text) {
  core::Backoff backoff;
  if (text.empty()) return backoff;
  backoff.kind = static_cast<core::BackoffKind>(numberOf<int>(word(text)));
  backoff.base = core::Millis(numberOf<std::int64_t>(word(text)));
  backoff.cap = core::Millis(numberOf<std::int64_t>(word(text)));
  backoff.jitter = numberOf<double>(word(text));
  return backoff;
}

std::string usageText(const core::Usage& usage) {
  if (usage == core::Usage{}) return {};
  return std::to_string(usage.cpu_us) + ' ' + std::to_string(usage.peak_rss_bytes) + ' ' +
         std::to_string(usage.read_bytes) + ' ' + std::to_string(usage.written_bytes);
}

core::Usage readUsage(std::string_view text) {
  core::Usage usage;
  usage.cpu_us = numberOf<std::int64_t>(word(text));
  usage.peak_rss_bytes = numberOf<std::int64_t>(word(text));
  usage.read_bytes = numberOf<std::int64_t>(word(text));
  usage.written_bytes = numberOf<std::int64_t>(word(text));
  return usage;
}

std::string progressText(const core::Progress& progress) {
  return realText(progress.fraction) + ' ' + realText(progress.done) + ' ' + realText(progress.total) + ' ' +
         progress.message;
}

core::Progress readProgress(std::string_view text) {
  core::Progress progress;
  progress.fraction = numberOf<double>(word(text));
  progress.done = numberOf<double>(word(text));
  progress.total = numberOf<double>(word(text));
  progress.message = text;
  return progress;
}

std::string jsonString(std::string_view text) {
  return Poco::toJSON(std::string(text), Poco::JSON_WRAP_STRINGS);
}

std::string errorText(const core::JobError& error) {
  std::string text = "{\"class\":" + std::to_string(static_cast<int>(error.error_class)) +
                     ",\"code\":" + jsonString(error.code) + ",\"message\":" + jsonString(error.message);
  if (!error.details_json.empty()) text += ",\"details\":" + jsonString(error.details_json);
  return text + "}";
}

std::optional<core::JobError> readError(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const json::Object::Ptr object = parseObject(text);
  core::JobError error;
  error.error_class = static_cast<core::ErrorClass>(object->optValue<int>("class", 9));
  error.code = object->optValue<std::string>("code", "");
  error.message = object->optValue<std::string>("message", "");
  error.details_json = object->optValue<std::string>("details", "");
  return error;
}

std::string tagsText(const std::vector<std::string>& tags) {
  if (tags.empty()) return {};
  std::string text = "[";
  for (const std::string& tag : tags) text += (text.size() > 1 ? "," : "") + jsonString(tag);
  return text + "]";
}

std::vector<std::string> readTags(std::string_view text) {
  std::vector<std::string> tags;
  if (text.empty()) return tags;
  const json::Array::Ptr array = parseArray(text);
  for (std::size_t i = 0; i < array->size(); ++i)
    tags.push_back(array->getElement<std::string>(static_cast<unsigned>(i)));
  return tags;
}

std::string outputsText(const std::vector<core::Output>& outputs) {
  std::string text = "[";
  for (const core::Output& output : outputs) {
    if (text.size() > 1) text += ',';
    text += "{\"name\":" + jsonString(output.name) + ",\"media_type\":" + jsonString(output.media_type) +
            ",\"size\":" + std::to_string(output.size_bytes) + ",\"sha256\":" + jsonString(output.sha256) + "}";
  }
  return text + "]";
}

std::vector<core::Output> readOutputs(std::string_view text) {
  std::vector<core::Output> outputs;
  const json::Array::Ptr array = parseArray(text);
  for (std::size_t i = 0; i < array->size(); ++i) {
    const json::Object::Ptr object = array->getObject(static_cast<unsigned>(i));
    if (object.isNull()) continue;
    outputs.push_back({object->optValue<std::string>("name", ""), object->optValue<std::string>("media_type", ""),
                       object->optValue<std::int64_t>("size", 0), object->optValue<std::string>("sha256", "")});
  }
  return outputs;
}

std::string mergeNotes(std::string_view notes, const std::vector<std::pair<std::string, std::string>>& changes) {
  json::Object::Ptr object = parseObject(notes);
  for (const auto& [key, value] : changes) {
    if (const auto parsed = parseValue(value)) {
      parsed->isEmpty() ? object->remove(key) : static_cast<void>(object->set(key, *parsed));
    }
  }
  return stringify(object);
}

std::string notesText(const std::vector<std::pair<std::string, std::string>>& changes) {
  json::Object::Ptr object = new json::Object(Poco::JSON_PRESERVE_KEY_ORDER);
  for (const auto& [key, value] : changes) {
    if (const auto parsed = parseValue(value)) object->set(key, *parsed);
  }
  return stringify(object);
}

}  // namespace jobhost::store
