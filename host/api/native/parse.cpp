#include "api/native/parse.hpp"

#include <algorithm>
#include <limits>

namespace jobhost::api::native {
namespace {

constexpr std::int64_t kMaxMillis = 366LL * 24 * 3600 * 1000;
constexpr std::size_t kMaxListItems = 1000;
constexpr std::size_t kMaxIdempotencyKey = 255;
constexpr std::size_t kMaxErrors = 100;
constexpr std::size_t kMaxFilterItems = 100;
constexpr std::size_t kMaxSearchBytes = 200;
constexpr std::size_t kMaxWords = 8;

std::optional<core::Backoff> readBackoff(JsonObject& job) {
  const auto raw = job.raw("backoff", JsonKind::Object);
  if (!raw) return std::nullopt;
  const auto document = parseJson(*raw);
  JsonObject object(*document, job.pointer() + "/backoff", job.errors());
  core::Backoff backoff;
  const auto kind = object.string("kind", 32).value_or("minion");
  if (kind == "fixed") {
    backoff.kind = core::BackoffKind::Fixed;
  } else if (kind == "exponential") {
    backoff.kind = core::BackoffKind::Exponential;
  } else if (kind != "minion") {
    object.refuse("kind", "must be minion, fixed or exponential");
  }
  if (const auto base = object.integer("base_ms", 0, kMaxMillis)) backoff.base = core::Millis(*base);
  if (const auto cap = object.integer("cap_ms", 0, kMaxMillis)) backoff.cap = core::Millis(*cap);
  if (const auto jitter = object.number("jitter", 0.0, 1.0)) backoff.jitter = *jitter;
  object.refuseUnknown();
  return backoff;
}

}  // namespace

std::optional<int> readInt(JsonObject& object, std::string_view name) {
  using Wide = std::numeric_limits<std::int64_t>;
  using Int = std::numeric_limits<int>;
  const auto value = object.integer(name, Wide::min(), Wide::max());
  if (!value) return std::nullopt;
  return static_cast<int>(std::clamp<std::int64_t>(*value, Int::min(), Int::max()));
}

namespace {

void readRelations(JsonObject& object, core::JobDraft& draft) {
  if (const auto parent = object.integer("parent", 1, std::numeric_limits<std::int64_t>::max())) {
    draft.parent = core::JobId{*parent};
  }
  if (const auto ids = object.integers("depends_on", kMaxListItems, 1)) {
    for (const auto id : *ids) draft.depends_on.push_back({id});
  }
  if (auto text = object.string("batch")) draft.batch = *std::move(text);
  if (auto text = object.string("dedupe_key")) draft.dedupe_key = *std::move(text);
  if (auto text = object.string("child_failure", 16)) {
    if (*text == "fail") {
      draft.child_failure = core::ChildFailure::Fail;
    } else if (*text != "ignore") {
      object.refuse("child_failure", "must be ignore or fail");
    }
  }
}

}  // namespace

jobs::JobRequest readJobRequest(const JsonDocument& document, std::string pointer, core::Instant now,
                                std::vector<core::FieldError>& errors) {
  JsonObject object(document, std::move(pointer), errors);
  jobs::JobRequest request;
  auto& draft = request.draft;
  object.require("type");
  if (auto type = object.string("type")) draft.type = *std::move(type);
  if (const auto params = object.raw("params", JsonKind::Object)) draft.params_json = *params;
  if (const auto args = object.raw("args", JsonKind::Array)) request.args_json = std::string(*args);
  if (const auto priority = readInt(object, "priority")) draft.priority = *priority;
  draft.run_at = object.time("run_at");
  if (const auto delay = object.integer("delay_ms", 0, 10 * kMaxMillis)) {
    if (draft.run_at) object.refuse("delay_ms", "excludes run_at");
    draft.run_at = now + std::chrono::milliseconds(*delay);
  }
  if (auto text = object.string("queue_key")) draft.queue_key = *std::move(text);
  if (auto text = object.string("unique_key")) draft.unique_key = *std::move(text);
  if (auto text = object.string("input_id", 128)) draft.input_id = *std::move(text);
  if (auto tags = object.strings("tags", kMaxListItems)) draft.tags = *std::move(tags);
  if (const auto notes = object.raw("notes", JsonKind::Object)) draft.notes_json = *notes;
  if (const auto timeout = object.integer("timeout_ms", 0, kMaxMillis)) draft.timeout = core::Millis(*timeout);
  request.max_attempts = readInt(object, "max_attempts");
  request.backoff = readBackoff(object);
  readRelations(object, draft);
  if (request.args_json && object.raw("params", JsonKind::Object)) object.refuse("args", "excludes params");
  object.refuseUnknown();
  return request;
}

std::vector<jobs::JobRequest> readJobRequests(const std::vector<std::string_view>& texts, const std::string& pointer,
                                              const Call& call, core::Instant now,
                                              std::vector<core::FieldError>& errors) {
  std::vector<jobs::JobRequest> requests;
  requests.reserve(texts.size());
  for (std::size_t i = 0; i < texts.size() && errors.size() < kMaxErrors; ++i) {
    const std::string at = pointer + "/" + std::to_string(i);
    const auto document = parseJson(texts[i]);
    if (!document) {
      errors.push_back({at, document.error().message});
      continue;
    }
    requests.push_back(readJobRequest(*document, at, now, errors));
    requests.back().draft.owner = call.principal->id;
    requests.back().own_only = !call.principal->all_jobs;
  }
  return requests;
}

std::vector<std::string> typesOf(const std::vector<jobs::JobRequest>& requests) {
  std::vector<std::string> types;
  types.reserve(requests.size());
  for (const auto& request : requests) types.push_back(request.draft.type);
  return types;
}

void addFaults(std::vector<core::FieldError>& errors, std::vector<core::FieldError> faults) {
  const auto within = [](const std::string& inner, const std::string& outer) {
    return inner.starts_with(outer) && (inner.size() == outer.size() || inner[outer.size()] == '/');
  };
  const std::size_t read = errors.size();
  for (auto& fault : faults) {
    if (errors.size() >= kMaxErrors) return;
    const auto known = [&](const core::FieldError& error) {
      return within(fault.pointer, error.pointer) || within(error.pointer, fault.pointer);
    };
    const auto end = errors.begin() + static_cast<std::ptrdiff_t>(read);
    if (std::none_of(errors.begin(), end, known)) errors.push_back(std::move(fault));
  }
}

core::Result<std::optional<store::Idempotency>> readIdempotency(const Call& call, std::string_view body) {
  const auto key = call.request.header("Idempotency-Key");
  if (!key) return std::optional<store::Idempotency>{};
  const bool clean = std::all_of(key->begin(), key->end(), [](char c) { return c > 0x20 && c < 0x7f; });
  const auto named = [](const Header& header) { return sameNoCase(header.name, "Idempotency-Key"); };
  if (std::count_if(call.request.headers.begin(), call.request.headers.end(), named) > 1) {
    return invalid("the Idempotency-Key is not valid", {{"Idempotency-Key", "is given more than once"}});
  }
  if (key->empty() || key->size() > kMaxIdempotencyKey || !clean) {
    return invalid("the Idempotency-Key is not valid",
                   {{"Idempotency-Key", "must be 1 to 255 visible ASCII characters"}});
  }
  store::Idempotency idempotency;
  idempotency.principal = call.principal->id;
  idempotency.key = *key;
  idempotency.request_digest = sha256Hex(std::string(call.request.path) + '\n' + std::string(body));
  return std::optional(std::move(idempotency));
}

std::optional<core::Error> refuseIdempotency(const Call& call) {
  if (!call.request.header("Idempotency-Key")) return std::nullopt;
  return invalid("an Idempotency-Key is not known here",
                 {{"Idempotency-Key", "is for requests that make jobs; this one may be repeated as it is"}});
}

namespace {

core::Result<Steering> readCommand(const ServerOptions& options, Call& call, bool takes_cursor) {
  const auto body = call.request.body->all(options.http.body_bytes);
  if (!body) return body.error();
  if (body->empty()) return Steering{};
  const auto document = parseJson(*body);
  if (!document) return document.error();
  std::vector<core::FieldError> errors;
  JsonObject object(*document, "", errors);
  Steering steering;
  steering.reason = object.string("reason", 1024).value_or("");
  const auto cursor =
      takes_cursor ? object.integer("cursor", 1, std::numeric_limits<std::int64_t>::max()) : std::nullopt;
  if (cursor) steering.cursor = core::JobId{*cursor};
  object.refuseUnknown();
  if (!errors.empty()) return invalid("the body is not valid", std::move(errors));
  return steering;
}

}  // namespace

core::Result<JsonDocument> readJsonBody(Call& call, std::size_t max_bytes) {
  const auto body = call.request.body->all(max_bytes);
  if (!body) return body.error();
  return parseJson(*body);
}

core::Result<std::string> readReason(const ServerOptions& options, Call& call) {
  auto read = readCommand(options, call, false);
  if (!read) return read.error();
  return std::move(read->reason);
}

core::Result<Steering> readSteering(const ServerOptions& options, Call& call) {
  return readCommand(options, call, true);
}

std::vector<std::string> readWords(std::string_view text, const std::string& pointer,
                                   std::vector<core::FieldError>& errors) {
  std::vector<std::string> words;
  if (text.size() > kMaxSearchBytes) {
    errors.push_back({pointer, "is longer than " + std::to_string(kMaxSearchBytes) + " bytes"});
    return words;
  }
  while (!text.empty()) {
    const auto end = text.find(' ');
    if (end != 0) words.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  if (words.empty()) errors.push_back({pointer, "must have a word to look for"});
  if (words.size() > kMaxWords) errors.push_back({pointer, "has more than " + std::to_string(kMaxWords) + " words"});
  return words;
}

bool readFilter(JsonObject& object, const Principal& caller, store::JobFilter& filter) {
  for (const auto& word : object.strings("state", core::kJobStateCount).value_or(std::vector<std::string>{})) {
    if (const auto state = core::jobStateFromString(word)) {
      filter.states.push_back(*state);
    } else {
      object.refuse("state", "has no state " + word);
    }
  }
  filter.types = object.strings("type", kMaxFilterItems).value_or(std::vector<std::string>{});
  filter.owner = object.string("owner").value_or("");
  const bool others = !caller.all_jobs && !filter.owner.empty() && filter.owner != caller.id;
  filter.batch = object.string("batch").value_or("");
  filter.tag = object.string("tag").value_or("");
  filter.queue_key = object.string("queue_key").value_or("");
  filter.input_id = object.string("input_id").value_or("");
  if (const auto parent = object.integer("parent", 1, std::numeric_limits<std::int64_t>::max())) {
    filter.parent = core::JobId{*parent};
  }
  filter.roots_only = object.boolean("roots");
  filter.created_after = object.time("created_after");
  filter.created_before = object.time("created_before");
  filter.finished_after = object.time("finished_after");
  filter.finished_before = object.time("finished_before");
  if (const auto text = object.string("q")) filter.words = readWords(*text, object.pointer() + "/q", object.errors());
  object.refuseUnknown();
  const bool empty = filter.states.empty() && filter.types.empty() && filter.owner.empty() && filter.batch.empty() &&
                     filter.tag.empty() && filter.queue_key.empty() && filter.input_id.empty() && !filter.parent &&
                     !filter.roots_only && !filter.created_after && !filter.created_before && !filter.finished_after &&
                     !filter.finished_before && filter.words.empty();
  if (empty && object.errors().empty())
    object.errors().push_back({object.pointer(), "must name at least one condition"});
  if (!caller.all_jobs) filter.owner = caller.id;
  return !others;
}

std::optional<core::JobId> readJobId(std::string_view text) {
  if (text.empty() || text.size() > 19 || text.front() == '0') return std::nullopt;
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  const auto id = toInteger(text);
  if (!id) return std::nullopt;
  return core::JobId{*id};
}

core::Error noSuchJob() {
  return {core::ErrorCode::NotFound, "there is no job with this id", "", {}};
}

core::Error noSuchJob(core::JobId id) {
  return {core::ErrorCode::NotFound, "job " + core::toString(id) + " does not exist", "", {}};
}

core::Error invalid(std::string message, std::vector<core::FieldError> errors) {
  return {core::ErrorCode::InvalidArgument, std::move(message), "", std::move(errors)};
}

core::Result<QueryReader> QueryReader::from(const Request& request) {
  auto query = Query::parse(request.query);
  if (!query) return invalid("the query string is not valid", {});
  return QueryReader(*std::move(query));
}

std::optional<std::string> QueryReader::text(std::string_view name) {
  asked_.push_back(name);
  const auto values = query_.all(name);
  if (values.empty()) return std::nullopt;
  if (values.size() > 1) refuse(name, "is given more than once");
  return std::string(values.back());
}

std::optional<std::int64_t> QueryReader::integer(std::string_view name, std::int64_t min, std::int64_t max) {
  const auto value = text(name);
  if (!value) return std::nullopt;
  const auto number = toInteger(*value);
  if (number && *number >= min && *number <= max) return number;
  refuse(name, "must be a whole number between " + std::to_string(min) + " and " + std::to_string(max));
  return std::nullopt;
}

std::optional<bool> QueryReader::boolean(std::string_view name) {
  const auto value = text(name);
  if (!value) return std::nullopt;
  if (*value == "true" || *value == "1") return true;
  if (*value == "false" || *value == "0") return false;
  refuse(name, "must be true or false");
  return std::nullopt;
}

std::optional<core::Instant> QueryReader::time(std::string_view name) {
  const auto value = text(name);
  if (!value) return std::nullopt;
  auto at = parseTime(*value);
  if (!at) refuse(name, "must be a time as in RFC 3339, such as 2026-01-31T12:00:00Z");
  return at;
}

std::vector<std::string> QueryReader::list(std::string_view name) {
  asked_.push_back(name);
  std::vector<std::string> items;
  for (auto value : query_.all(name)) {
    for (;;) {
      const auto comma = value.find(',');
      if (const auto item = value.substr(0, comma); !item.empty()) items.emplace_back(item);
      if (comma == std::string_view::npos) break;
      value.remove_prefix(comma + 1);
    }
  }
  if (items.size() > 100) refuse(name, "has more than 100 items");
  return items;
}

void QueryReader::refuse(std::string_view name, std::string reason) {
  errors_.push_back({std::string(name), std::move(reason)});
}

std::optional<core::Error> QueryReader::done() {
  for (const auto& [name, value] : query_.pairs()) {
    if (std::find(asked_.begin(), asked_.end(), name) == asked_.end()) refuse(name, "is not known here");
  }
  if (errors_.empty()) return std::nullopt;
  return invalid("the query is not valid", std::move(errors_));
}

}  // namespace jobhost::api::native
