#include "api/minion/minion_dialect.hpp"

#include <algorithm>
#include <limits>

#include "api/auth/session_cookie.hpp"
#include "api/auth/token_bucket.hpp"
#include "api/json_reader.hpp"
#include "api/json_writer.hpp"
#include "api/minion/openapi.hpp"

namespace jobhost::api::minion {
namespace {

constexpr std::string_view kTasks[] = {"thumbnail_task",       "tank_thumbnail_task", "page_thumbnails",
                                       "regen_all_thumbnails", "find_duplicates",     "build_stat_hashes",
                                       "handle_upload",        "download_url",        "run_plugin"};

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

bool startsWithSegment(std::string_view path, std::string_view segment) {
  return path.starts_with(segment) && (path.size() == segment.size() || path[segment.size()] == '/');
}

/// Who calls where no key is asked for.
/// Of this surface, or of a key that belongs to no user: what upstream's open route tells to anybody. A user's job is
/// told to who reaches it.
bool isOfTheHost(std::string_view owner) {
  return owner.empty() || owner == "minion" || owner.starts_with("key_");
}

const PrincipalRef& anybody() {
  static const auto kAnybody = std::make_shared<const Principal>(Principal{
      .id = "minion",
      .name = "minion",
      .privileges = static_cast<std::uint32_t>(Privilege::ReadJobs) | static_cast<std::uint32_t>(Privilege::RunJobs)});
  return kAnybody;
}

}  // namespace

MinionDialect::MinionDialect(const Deps& deps, const ServerOptions& options)
    : deps_(deps),
      server_(options),
      options_(options.minion),
      cookie_("lrr_baseurl=" + options_.base_url_path + "; path=/; SameSite=Lax") {}

std::string_view MinionDialect::withoutPrefix(std::string_view path) const {
  const auto& prefix = options_.base_url_path;
  if (!prefix.empty() && startsWithSegment(path, prefix)) path.remove_prefix(prefix.size());
  return path;
}

bool MinionDialect::owns(std::string_view path) const {
  // Upstream answers every unknown path under /api; /api/v1 is the native surface's, which knows no prefix.
  if (startsWithSegment(path, "/api/v1")) return false;
  const auto rest = withoutPrefix(path);
  return startsWithSegment(rest, "/api") || startsWithSegment(rest, "/upload");
}

Response MinionDialect::failure(const core::Error& error, int status) const {
  auto response = failed(error, status);
  response.with("Set-Cookie", cookie_);
  return response;
}

Response MinionDialect::failed(const core::Error& error, int status) const {
  if (status == 0) status = statusOf(error.code);
  auto response = complain(status, {{status >= 500 && status != 503 ? "Internal Server Error." : error.message, "/"}});
  if (status == 429 || status == 503) response.with("Retry-After", "1");
  return response;
}

std::string_view MinionDialect::openApi() const {
  return openApiDocument();
}

Response MinionDialect::handle(Request& request) {
  auto response = route(request);
  response.with("Set-Cookie", cookie_);  // upstream's front end finds the prefix by it
  return response;
}

Response MinionDialect::route(Request& request) {
  const auto path = withoutPrefix(request.path);
  const auto match = matchMinion(request.method, path);
  if (!match || (!match->method_fits && request.method != Method::Options)) return notFound();
  Visit visit{request, *match->route, match->capture, {}, nullptr};
  auto response = serve(visit);
  if (options_.cors && match->route->operation != Operation::Upload) {
    // on every answer of a known route, errors and preflights too
    response.with("Access-Control-Allow-Origin", "*");
    response.with("Access-Control-Allow-Methods", "GET, OPTIONS, POST, DELETE, PUT");
    response.with("Access-Control-Allow-Headers", "Authorization");
  }
  return response;
}

Response MinionDialect::serve(Visit& visit) {
  const auto& route = visit.route;
  if (visit.request.method == Method::Options) return answer(200, describePath(route.pattern));
  // An upload goes to the disk as it comes, and not before its sender is known.
  visit.parameters = Parameters::read(visit.request, route.operation != Operation::Upload);
  const bool open = route.open && !options_.no_fun;
  visit.caller = authorise(visit);
  if (open && route.operation == Operation::JobStatus) return dispatch(visit);
  if (!visit.caller && route.operation == Operation::Upload) {
    auto known = identify(visit.request);
    if (!known) return complain(403, {{known.error().message, "/header/X-CSRF-Token"}});
    visit.caller = *std::move(known);
  }
  if (open && visit.caller && !visit.caller->may(Privilege::RunJobs)) visit.caller = nullptr;  // its jobs are nobody's
  if (!open && (!visit.caller || !visit.caller->may(route.privilege))) return refuse();
  if (visit.caller && !options_.open) visit.request.caller = visit.caller->id;  // else it is who stands at an address
  if (visit.caller && visit.caller->rate) {
    if (const auto taken = visit.caller->rate->take(deps_.clock.steadyNow()); !taken.allowed) {
      auto response = complain(429, {{"Too many requests.", "/"}});
      response.with("Retry-After", std::to_string(taken.retry_after_s));
      return response;
    }
  }
  return dispatch(visit);
}

Response MinionDialect::dispatch(Visit& visit) {
  switch (visit.route.operation) {
    case Operation::JobStatus:
    case Operation::JobDetail:
      return status(visit);
    case Operation::QueueJob:
      return queue(visit);
    case Operation::Thumbnail:
      return thumbnail(visit);
    case Operation::TankThumbnail:
      return tankThumbnail(visit);
    case Operation::PageThumbnails:
      return pageThumbnails(visit);
    case Operation::RegenThumbnails:
      return regenThumbnails(visit);
    case Operation::DownloadUrl:
      return downloadUrl(visit);
    case Operation::QueuePlugin:
      return queuePlugin(visit);
    case Operation::Upload:
      return upload(visit);
  }
  return notFound();
}

Response MinionDialect::refuse() const {
  if (!options_.no_fun) return complain(401, {{"Unauthorized", "/security/0/api_key"}});
  JsonWriter json(true);
  json.beginObject().key("error").string("This API is protected and requires login or an API Key.").endObject();
  return answer(401, json.take());
}

PrincipalRef MinionDialect::authorise(const Visit& visit) const {
  if (options_.open) return anybody();
  constexpr std::string_view kBearer = "Bearer ";
  if (const auto header = visit.request.header("Authorization"); header && header->starts_with(kBearer)) {
    if (auto principal = deps_.keys.findBase64(header->substr(kBearer.size()))) return principal;
  }
  const auto key = options_.query_key ? visit.parameters.any("key") : std::nullopt;
  return key ? deps_.keys.find(*key) : nullptr;
}

core::Result<PrincipalRef> MinionDialect::identify(const Request& request) const {
  constexpr std::string_view kBearer = "Bearer ";
  if (const auto header = request.header("Authorization")) {
    return header->starts_with(kBearer) ? deps_.keys.find(header->substr(kBearer.size())) : nullptr;
  }
  if (const auto key = request.header("X-API-Key")) return deps_.keys.find(*key);
  const auto token = sessionToken(request, server_.auth);
  auto principal = token ? deps_.accounts.findSession(*token) : nullptr;
  if (!principal) return PrincipalRef();
  if (auto forged = refuseForged(request, *token, server_.auth)) return *std::move(forged);
  return principal;
}

Response MinionDialect::unknownId(const MinionRoute& route) const {
  if (options_.literal_unknown_id) return complain(500, {{"Missing property.", "/body/errors"}});
  return complainTwice(route.word, {"No job with this ID.", "/jobid"});
}

Response MinionDialect::status(const Visit& visit) {
  const auto& id_text = visit.target;
  if (!looksLikeInteger(id_text)) return complain(400, {{"Expected integer - got string.", "/jobid"}});
  const auto id = toInteger(id_text);
  if (!id || *id <= 0) return unknownId(visit.route);
  const auto job = deps_.jobs.get({*id});
  if (!job) return job.error().code == core::ErrorCode::NotFound ? unknownId(visit.route) : failed(job.error());
  const bool basic = visit.route.operation == Operation::JobStatus;
  const bool reached = visit.caller && visit.caller->reaches(job->owner);
  if (!reached && !(basic && isOfTheHost(job->owner))) return unknownId(visit.route);
  if (basic) return answer(200, statusJson(*job));
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

Response MinionDialect::queue(const Visit& visit) {
  if (visit.parameters.badQuery()) return complain(400, {{"Malformed query.", "/"}});
  // Upstream never matches a dot in a path; names of our job types may have one, all others stay unknown paths.
  if (visit.target.find('.') != std::string::npos && deps_.catalog.snapshot()->find(visit.target) == nullptr) {
    return notFound();
  }
  std::vector<Complaint> complaints;
  Order order;
  order.task = visit.target;
  if (auto refused = refuseTask(order.task); !refused.empty()) complaints.push_back({std::move(refused), "/jobname"});
  order.args_json = readArgs(visit.parameters.inQuery("args"), complaints);
  order.priority =
      static_cast<int>(readInteger(visit.parameters.inQuery("priority"), "/priority", 0,
                                   std::numeric_limits<int>::min(), std::numeric_limits<int>::max(), complaints));
  if (!complaints.empty()) return complain(400, complaints);
  const auto job = submit(visit, std::move(order));
  if (!job) {
    const bool no_plugin = job.error().code == core::ErrorCode::NotFound;
    return refusal(job.error(), no_plugin ? "/jobname" : "/args");
  }
  return answer(200, acceptedJson(visit.route.word, *job));
}

bool MinionDialect::queueIsFull(const std::string& task) const {
  const auto counts = deps_.jobs.counts();
  if (!counts) return false;  // the submit says why
  const auto found = std::find_if(counts->begin(), counts->end(), [&](const auto& row) { return row.type == task; });
  return found != counts->end() && found->by_state[static_cast<int>(core::JobState::Queued)] >= options_.max_open_jobs;
}

core::Result<core::JobId> MinionDialect::submit(const Visit& visit, Order order) {
  if (!visit.caller && queueIsFull(order.task)) {
    return core::Error{core::ErrorCode::Exhausted, "too many jobs of this task wait; come back later", "", {}};
  }
  const auto& caller = visit.caller ? *visit.caller : *anybody();
  jobs::JobRequest request;
  request.draft.type = std::move(order.task);
  request.draft.owner = caller.id;
  request.draft.priority = order.priority;
  request.draft.unique_key = std::move(order.unique_key);
  request.args_json = std::move(order.args_json);
  // The open routes' jobs are everybody's: one that is there already is answered, whoever made it.
  request.own_only = !caller.all_jobs && !visit.route.open;
  request.max_attempts = order.attempts;
  const auto submitted = deps_.jobs.submit(std::move(request));
  if (!submitted) return submitted.error();
  return submitted->id;
}

Response MinionDialect::refusal(const core::Error& error, std::string_view args_path) const {
  if (error.code == core::ErrorCode::NotFound) {
    return complain(400, {{"No plugin for this task is installed.", std::string(args_path)}});
  }
  if (error.code != core::ErrorCode::InvalidArgument || error.fields.empty()) return failed(error);
  std::vector<Complaint> complaints;
  for (const auto& field : error.fields) {
    if (field.pointer == "/priority") {
      complaints.push_back({field.message, field.pointer});
    } else {
      complaints.push_back({field.pointer + ": " + field.message, std::string(args_path)});
    }
  }
  return complain(400, complaints);
}

}  // namespace jobhost::api::minion
