#include "api/minion/minion_dialect.hpp"

#include <algorithm>
#include <limits>

#include "api/auth/token_bucket.hpp"
#include "api/json_reader.hpp"
#include "api/json_writer.hpp"
#include "api/minion/minion_render.hpp"
#include "api/minion/openapi.hpp"
#include "core/utf8.hpp"

namespace jobhost::api::minion {
namespace {

constexpr std::string_view kPrefix = "/api/minion/";
constexpr std::string_view kTasks[] = {"thumbnail_task",       "tank_thumbnail_task", "page_thumbnails",
                                       "regen_all_thumbnails", "find_duplicates",     "build_stat_hashes",
                                       "handle_upload",        "download_url",        "run_plugin"};
constexpr std::int64_t kMaxForm = 16 * 1024;  ///< read before the key is known

/// As JSON::Validator takes an integer from a path or query: no leading zeros, blanks, fraction, exponent.
bool looksLikeInteger(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

struct Target {
  std::string name;    ///< job id or task
  std::string action;  ///< "", "detail" or "queue"
};

/// nullopt: no such path.
std::optional<Target> readTarget(std::string_view path) {
  if (!path.starts_with(kPrefix)) return std::nullopt;
  path.remove_prefix(kPrefix.size());
  if (path.ends_with('/')) path.remove_suffix(1);  // one trailing slash is accepted
  const auto slash = path.find('/');
  const auto name = percentDecode(path.substr(0, slash), false);
  if (!name || name->empty() || name->find('/') != std::string::npos || name->find('.') != std::string::npos ||
      !core::isUtf8(*name)) {
    return std::nullopt;
  }
  if (slash == std::string_view::npos) return Target{*name, ""};
  const auto action = path.substr(slash + 1);
  if (action != "detail" && action != "queue") return std::nullopt;
  return Target{*name, std::string(action)};
}

Response notFound() {
  return complain(404, {{"Not Found.", "/"}});
}

std::string_view kindWord(JsonKind kind) {
  switch (kind) {
    case JsonKind::Null:
      return "null";
    case JsonKind::Bool:
      return "boolean";
    case JsonKind::Number:
      return "number";
    case JsonKind::String:
      return "string";
    case JsonKind::Array:
      return "array";
    case JsonKind::Object:
      return "object";
  }
  return "value";
}

/// The array text of the parameter; adds a complaint when it is none.
std::string readArgs(std::optional<std::string_view> text, std::vector<Complaint>& complaints) {
  if (!text) {
    complaints.push_back({"Missing property.", "/args"});
    return {};
  }
  const auto document = parseJson(*text);
  if (!document) {
    complaints.push_back({"Expected JSON - " + document.error().fields.front().message + ".", "/args"});
  } else if (document->root.kind == JsonKind::Null) {
    return "[]";  // upstream stores null as an empty list
  } else if (document->root.kind != JsonKind::Array) {
    complaints.push_back({"Expected array - got " + std::string(kindWord(document->root.kind)) + ".", "/args"});
  } else {
    return std::string(document->root.raw);
  }
  return {};
}

int readPriority(std::optional<std::string_view> text, std::vector<Complaint>& complaints) {
  if (!text) return 0;
  if (!looksLikeInteger(*text)) {
    complaints.push_back({"Expected integer - got string.", "/priority"});
    return 0;
  }
  const std::int64_t outside = std::numeric_limits<std::int64_t>::max();
  const std::int64_t number = toInteger(*text).value_or(outside);
  if (number < std::numeric_limits<int>::min() || number > std::numeric_limits<int>::max()) {
    complaints.push_back({"Integer out of range.", "/priority"});
    return 0;
  }
  return static_cast<int>(number);
}

}  // namespace

bool MinionDialect::owns(std::string_view path) const {
  // Upstream answers every unknown path under /api; /api/v1 is the native surface's.
  return path == "/api" || (path.starts_with("/api/") && path != "/api/v1" && !path.starts_with("/api/v1/"));
}

Response MinionDialect::failure(const core::Error& error, int status) const {
  auto response = complain(status, {{status >= 500 && status != 503 ? "Internal Server Error." : error.message, "/"}});
  if (status == 429 || status == 503) response.with("Retry-After", "1");
  return response;
}

std::string_view MinionDialect::openApi() const {
  return openApiDocument();
}

Response MinionDialect::handle(Request& request) {
  const auto target = readTarget(request.path);
  if (!target) return notFound();
  const bool queues = target->action == "queue";
  const auto operation = queues ? Operation::Queue : target->action == "detail" ? Operation::Detail : Operation::Status;
  const bool reads = request.method == Method::Get || request.method == Method::Head;
  if (request.method != Method::Options && (queues ? request.method != Method::Post : !reads)) return notFound();
  auto response = serve(request, target->name, operation);
  if (options_.cors) {  // on every answer of a known route, errors and preflights too
    response.with("Access-Control-Allow-Origin", "*");
    response.with("Access-Control-Allow-Methods", "GET, OPTIONS, POST, DELETE, PUT");
    response.with("Access-Control-Allow-Headers", "Authorization");
  }
  return response;
}

Response MinionDialect::serve(Request& request, const std::string& name, Operation operation) {
  const bool queues = operation == Operation::Queue;
  if (request.method == Method::Options) {
    return answer(200, describeJson(queues                           ? "queueMinionJob"
                                    : operation == Operation::Detail ? "minionJobDetail"
                                                                     : "minionJobStatus"));
  }
  const auto query = Query::parse(request.query);
  if (operation == Operation::Status && !options_.no_fun) return status(name, operation, nullptr);
  const auto principal = authorise(request, query);
  if (!principal || !principal->may(queues ? Privilege::RunJobs : Privilege::ReadJobs)) return refuse();
  if (principal->rate) {
    if (const auto taken = principal->rate->take(deps_.clock.steadyNow()); !taken.allowed) {
      auto response = complain(429, {{"Too many requests.", "/"}});
      response.with("Retry-After", std::to_string(taken.retry_after_s));
      return response;
    }
  }
  return queues ? queue(name, query, principal) : status(name, operation, principal);
}

Response MinionDialect::refuse() const {
  if (!options_.no_fun) return complain(401, {{"Unauthorized", "/security/0/api_key"}});
  JsonWriter json(true);
  json.beginObject().key("error").string("This API is protected and requires login or an API Key.").endObject();
  return answer(401, json.take());
}

PrincipalRef MinionDialect::authorise(Request& request, const std::optional<Query>& query) const {
  if (options_.open) {
    static const auto kAnybody =
        std::make_shared<const Principal>(Principal{.id = "minion",
                                                    .name = "minion",
                                                    .privileges = static_cast<std::uint32_t>(Privilege::ReadJobs) |
                                                                  static_cast<std::uint32_t>(Privilege::RunJobs)});
    return kAnybody;
  }
  constexpr std::string_view kBearer = "Bearer ";
  if (const auto header = request.header("Authorization"); header && header->starts_with(kBearer)) {
    if (auto principal = deps_.keys.findBase64(header->substr(kBearer.size()))) return principal;
  }
  if (!options_.query_key) return nullptr;
  if (const auto key = query ? query->last("key") : std::nullopt) return deps_.keys.find(*key);
  const auto type = request.header("Content-Type").value_or("");
  if (request.method != Method::Post || !type.starts_with("application/x-www-form-urlencoded")) return nullptr;
  const auto body = request.body->all(kMaxForm);
  const auto form = body ? Query::parse(*body) : std::nullopt;
  const auto key = form ? form->last("key") : std::nullopt;
  return key ? deps_.keys.find(*key) : nullptr;
}

Response MinionDialect::unknownId(Operation operation) const {
  if (options_.literal_unknown_id) return complain(500, {{"Missing property.", "/body/errors"}});
  JsonWriter json(true);
  json.beginObject().key("error").string("No job with this ID.");
  json.key("errors").beginArray().beginObject().key("message").string("No job with this ID.");
  json.key("path").string("/jobid").endObject().endArray();
  json.key("operation").string(operation == Operation::Detail ? "minion_job_detail" : "minion_job_status");
  json.key("status").number(std::int64_t{400}).key("success").number(std::int64_t{0});
  json.key("successMessage").string("").endObject();
  return answer(400, json.take());
}

Response MinionDialect::status(std::string_view id_text, Operation operation, const PrincipalRef& caller) {
  if (!looksLikeInteger(id_text)) return complain(400, {{"Expected integer - got string.", "/jobid"}});
  const auto id = toInteger(id_text);
  if (!id || *id <= 0) return unknownId(operation);
  const auto job = deps_.jobs.get({*id});
  if (!job)
    return job.error().code == core::ErrorCode::NotFound ? unknownId(operation)
                                                         : failure(job.error(), statusOf(job.error().code));
  if (caller && !caller->reaches(job->owner)) return unknownId(operation);
  if (operation == Operation::Status) return answer(200, statusJson(*job));
  const auto type = deps_.catalog.findType(job->type);
  return answer(200, detailJson(*job, type ? type->info.positional : std::vector<std::string>{}));
}

std::string MinionDialect::refuseTask(const std::string& task) const {
  if (std::find(std::begin(kTasks), std::end(kTasks), task) != std::end(kTasks)) return {};
  const auto snapshot = deps_.catalog.snapshot();
  if (snapshot->find(task) != nullptr) return {};
  std::string message = "Not in enum list: ";
  for (const auto name : kTasks) message.append(name == kTasks[0] ? "" : ", ").append(name);
  for (const auto& [name, entry] : snapshot->types) {
    if (std::find(std::begin(kTasks), std::end(kTasks), name) == std::end(kTasks)) message += ", " + name;
  }
  return message + ".";
}

Response MinionDialect::queue(std::string_view task, const std::optional<Query>& query, const PrincipalRef& principal) {
  if (!query) return complain(400, {{"Malformed query.", "/"}});
  std::vector<Complaint> complaints;
  jobs::JobRequest request;
  request.draft.type = task;
  if (auto refused = refuseTask(request.draft.type); !refused.empty()) {
    complaints.push_back({std::move(refused), "/jobname"});
  }
  request.args_json = readArgs(query->last("args"), complaints);
  request.draft.priority = readPriority(query->last("priority"), complaints);
  if (!complaints.empty()) return complain(400, complaints);
  request.draft.owner = principal->id;
  request.own_only = !principal->all_jobs;
  request.max_attempts = 1;
  const auto submitted = deps_.jobs.submit(std::move(request));
  if (!submitted) {
    const auto& error = submitted.error();
    if (error.code == core::ErrorCode::NotFound) {
      return complain(400, {{"No plugin for this task is installed.", "/jobname"}});
    }
    if (error.code != core::ErrorCode::InvalidArgument || error.fields.empty())
      return failure(error, statusOf(error.code));
    for (const auto& field : error.fields) {
      if (field.pointer == "/priority") {
        complaints.push_back({field.message, field.pointer});
      } else {
        complaints.push_back({field.pointer + ": " + field.message, "/args"});
      }
    }
    return complain(400, complaints);
  }
  JsonWriter json(true);
  json.beginObject().key("job").number(submitted->id.value).key("operation").string("queue_minion_job");
  json.key("success").number(std::int64_t{1}).endObject();
  return answer(200, json.take());
}

}  // namespace jobhost::api::minion
