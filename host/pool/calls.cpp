#include "pool/calls.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/json_text.hpp"
#include "pool/call_request.hpp"

namespace jobhost::pool {

std::int32_t resultFor(core::ErrorCode code) {
  switch (code) {
    case core::ErrorCode::InvalidArgument:
    case core::ErrorCode::Conflict:
      return kInvalid;
    case core::ErrorCode::PermissionDenied:
    case core::ErrorCode::Unauthenticated:
      return kDenied;
    case core::ErrorCode::NotFound:
      return kNotFound;
    case core::ErrorCode::TooLarge:
    case core::ErrorCode::Exhausted:
      return kCallLimit;
    case core::ErrorCode::DeadlineExceeded:
      return kTimeout;
    case core::ErrorCode::Unavailable:
      return kAgain;
    case core::ErrorCode::Unsupported:
      return kUnsupported;
    case core::ErrorCode::Canceled:
      return kCancelled;
    case core::ErrorCode::Internal:
      return kFailed;
  }
  return kFailed;
}

std::string describe(const core::Error& error) {
  std::string text = error.message;
  for (const auto& field : error.fields) text += "; " + field.pointer + ": " + field.message;
  return core::cleanText(text, 4096);
}

namespace {

using ChildStates = std::vector<AttemptServices::ChildState>;

constexpr std::size_t kMaxChildBytes = 4 * 1024 * 1024;
constexpr std::size_t kMaxChildIds = 10'000;
constexpr int kMaxWaitDepth = 8;
constexpr std::int64_t kForeverMs = 366LL * 24 * 3600 * 1000;

bool hasEnded(core::JobState state) {
  return core::isTerminal(state);
}

/// Whether the manifest asks for children of this type, by its name or by what it provides.
bool mayMake(const Request& request, std::string_view type) {
  const auto& names = request.permissions.children;
  if (allows(names, type)) return true;
  const auto asks = [&](const std::string& what) {
    return std::find(names.begin(), names.end(), std::string(catalog::kProvidesPrefix) + what) != names.end();
  };
  const auto provided = request.context.services->provides(type);
  return std::any_of(provided.begin(), provided.end(), asks);
}

void submitChild(const Request& request) {
  const auto members = core::jsonMembers(request.body);
  const auto type = members ? member(*members, "type") : std::nullopt;
  const auto name = type ? core::jsonString(*type) : std::nullopt;
  if (!name || request.body.size() > kMaxChildBytes)
    return request.refuse(kInvalid, "the child's request cannot be read");
  if (!mayMake(request, *name)) {
    request.context.services->refused(request.caller, "children.submit", core::cleanText(*name, 128));
    return request.refuse(kDenied, "the manifest does not ask for permission to make children of type \"" +
                                       core::cleanText(*name, 128) + "\"");
  }
  std::string json =
      "{\"type\":" + core::quoteJson(*name) + ",\"params\":" + std::string(member(*members, "params").value_or("{}"));
  if (const auto options = member(*members, "options"); options && *options != "null") {
    const auto extra = core::jsonMembers(*options);
    if (!extra) return request.refuse(kInvalid, "the child's options are not a JSON object");
    for (const auto& option : *extra) {
      if (option.key != "type" && option.key != "params")
        json += "," + core::quoteJson(option.key) + ":" + std::string(option.value);
    }
  }
  json += "}";
  request.context.services->submitChild(request.caller, std::move(json),
                                        onLoop<core::JobId>(request.context.loop, request.answer, [](core::JobId id) {
                                          return CallAnswer{0, {}, "{\"id\":" + std::to_string(id.value) + "}"};
                                        }));
}

std::optional<core::JobId> childId(std::string_view body) {
  const auto members = core::jsonMembers(body);
  const auto value = members ? member(*members, "id") : std::nullopt;
  const auto id = value ? core::jsonInteger(*value) : std::nullopt;
  if (!id || *id <= 0) return std::nullopt;
  return core::JobId{*id};
}

void waitForChildren(const Request& request) {
  if (request.caller.depth > kMaxWaitDepth) {
    return request.refuse(kCallLimit, "nested too deep to wait in run(): return JH_E_SUSPENDED instead");
  }
  const auto members = core::jsonMembers(request.body);
  const auto list = members ? core::jsonItems(member(*members, "ids").value_or("[]")) : std::nullopt;
  const auto mode = members ? core::jsonString(member(*members, "mode").value_or("\"all\"")) : std::nullopt;
  const auto timeout = members ? core::jsonInteger(member(*members, "timeout_ms").value_or("-1")) : std::nullopt;
  if (!list || !mode || !timeout || list->size() > kMaxChildIds)
    return request.refuse(kInvalid, "the wait cannot be read");
  std::vector<core::JobId> ids;
  for (const auto item : *list) {
    const auto id = core::jsonInteger(item);
    if (!id || *id <= 0) return request.refuse(kInvalid, "a child's id is not a number");
    ids.push_back({*id});
  }
  const bool any = *mode == "any";
  const core::Millis wait(*timeout < 0 ? kForeverMs : std::min(*timeout, kForeverMs));
  const auto made = [any](const ChildStates& states) {
    const auto ended = [](const AttemptServices::ChildState& child) { return hasEnded(child.state); };
    const bool met =
        any ? std::any_of(states.begin(), states.end(), ended) : std::all_of(states.begin(), states.end(), ended);
    return met || states.empty() ? CallAnswer{} : CallAnswer{kTimeout, "the children have not ended in time", {}};
  };
  request.context.services->awaitChildren(request.caller, std::move(ids), any, wait,
                                          onLoop<ChildStates>(request.context.loop, request.answer, made));
}

CallAnswer describeChild(const AttemptServices::ChildState& child) {
  if (!hasEnded(child.state)) return {kAgain, "the child has not ended", {}};
  std::string json = "{\"id\":" + std::to_string(child.id.value) + ",\"type\":" + core::quoteJson(child.type) +
                     ",\"state\":\"" + std::string(core::toString(child.state)) +
                     "\",\"result\":" + (child.result_json.empty() ? "null" : child.result_json);
  if (child.error) {
    json += ",\"error\":{\"class\":" + std::to_string(static_cast<int>(child.error->error_class)) +
            ",\"code\":" + core::quoteJson(child.error->code) + ",\"message\":" + core::quoteJson(child.error->message);
    if (!child.error->details_json.empty()) json += ",\"details\":" + child.error->details_json;
    json += "}}";
  } else {
    json += ",\"error\":null}";
  }
  return {0, {}, std::move(json)};
}

void childResult(const Request& request) {
  const auto id = childId(request.body);
  if (!id) return request.refuse(kInvalid, "the child's id cannot be read");
  request.context.services->childStates(
      request.caller, {*id}, onLoop<ChildStates>(request.context.loop, request.answer, [](const ChildStates& states) {
        return states.empty() ? CallAnswer{kNotFound, "there is no such child", {}} : describeChild(states.front());
      }));
}

void cancelChild(const Request& request) {
  const auto id = childId(request.body);
  if (!id) return request.refuse(kInvalid, "the child's id cannot be read");
  request.context.services->cancelChild(request.caller, *id, onLoop<void>(request.context.loop, request.answer, 0));
}

void secret(const Request& request) {
  std::string name(request.body.substr(0, 256));
  const auto& granted = request.permissions.secrets;
  if (std::find(granted.begin(), granted.end(), name) == granted.end()) {
    request.context.services->refused(request.caller, "config.secret", core::cleanText(name, 128));
    return request.refuse(kDenied, "the manifest does not ask for the secret \"" + core::cleanText(name, 128) + "\"");
  }
  request.context.services->secret(request.caller, std::move(name),
                                   onLoop<std::string>(request.context.loop, request.answer, [](std::string& value) {
                                     return CallAnswer{0, {}, std::move(value)};
                                   }));
}

void dispatchCall(wire::Method method, const Request& request) {
  if (isRecordMethod(method)) return serveRecordCall(method, request);
  auto& loop = request.context.loop;
  auto& services = *request.context.services;
  const auto asBody = [](std::string& value) { return CallAnswer{0, {}, std::move(value)}; };
  switch (method) {
    case wire::Method::ConfigGet:
      return services.config(request.caller, onLoop<std::string>(loop, request.answer, asBody));
    case wire::Method::SecretGet:
      return secret(request);
    case wire::Method::ChildSubmit:
      return submitChild(request);
    case wire::Method::ChildWait:
      return waitForChildren(request);
    case wire::Method::ChildResult:
      return childResult(request);
    case wire::Method::ChildCancel:
      return cancelChild(request);
    case wire::Method::CheckpointSave:
      if (request.body.size() > wire::kMaxCheckpointBytes)
        return request.refuse(kCallLimit, "a checkpoint has at most 16 MiB");
      return services.saveCheckpoint(request.caller, std::string(request.body), onLoop<void>(loop, request.answer, 0));
    case wire::Method::CheckpointLoad:
      return services.loadCheckpoint(
          request.caller,
          onLoop<std::optional<std::string>>(loop, request.answer, [](std::optional<std::string>& bytes) {
            return bytes ? CallAnswer{0, {}, *std::move(bytes)} : CallAnswer{kNotFound, "there is no checkpoint", {}};
          }));
    case wire::Method::HttpFetch:
    case wire::Method::ProcessFind:
      break;  // go their own ways: http_calls.hpp, process_calls.hpp
    default:
      break;
  }
  request.refuse(kUnsupported, "this host does not serve method " + std::to_string(static_cast<int>(method)));
}

}  // namespace

void handleCall(PoolContext& context, Attempt& attempt, const wire::Call& call, Answer answer) {
  if (context.services == nullptr) return answer({kUnsupported, "this host serves no calls", {}});
  const auto& job = attempt.assignment.job;
  const Request request{
      context,   attempt,           {job.id, job.lease, job.type, attempt.assignment.plugin, job.owner, job.depth},
      call.body, std::move(answer), attempt.type->info.permissions};
  dispatchCall(call.method, request);
}

}  // namespace jobhost::pool
