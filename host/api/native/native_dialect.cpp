#include "api/native/native_dialect.hpp"

#include <algorithm>

#include "api/auth/client_address.hpp"
#include "api/auth/session_cookie.hpp"
#include "api/auth/token_bucket.hpp"
#include "api/json_writer.hpp"
#include "api/native/openapi.hpp"
#include "api/native/parse.hpp"

namespace jobhost::api::native {

std::optional<std::string_view> presentedKey(const Request& request) {
  if (const auto value = request.header("Authorization")) {
    if (value->size() > 7 && sameNoCase(value->substr(0, 7), "Bearer ")) return value->substr(7);
    return std::string_view{};  // another scheme: credentials we cannot accept
  }
  return request.header("X-API-Key");
}

namespace {

/// 400: the request cannot be read; 422: it can, and members of its body are wrong.
int nativeStatus(const core::Error& error) {
  const bool members = error.code == core::ErrorCode::InvalidArgument && !error.fields.empty() &&
                       error.fields.front().pointer.starts_with('/');
  return members ? 422 : statusOf(error.code);
}

/// What a handler would pass over in silence: a query it does not read, a body in a coding nobody undoes.
std::optional<Response> refuseUnread(const Request& request, const Route& route) {
  const auto coding = request.header("Content-Encoding");
  if (coding && !sameNoCase(*coding, "identity")) {
    return problem({core::ErrorCode::Unsupported, "a body must come without a content coding", "", {}}, 415);
  }
  if (route.takes_query || request.query.empty() || !request.path.starts_with("/api/v1/")) return std::nullopt;
  const auto query = Query::parse(request.query);
  if (!query) return problem(invalid("the query string is not valid", {}));
  std::vector<core::FieldError> errors;
  for (const auto& pair : query->pairs()) errors.push_back({pair.first, "is not known here"});
  if (errors.empty()) return std::nullopt;
  return problem(invalid("the query is not valid", std::move(errors)));
}

bool takesBody(Method method) {
  return method == Method::Post || method == Method::Put || method == Method::Patch;
}

bool changes(Method method) {
  return method != Method::Get && method != Method::Head && method != Method::Options;
}

constexpr std::string_view kJobPath = "/api/v1/jobs/{id}";

}  // namespace

Actor actorOf(const Parts& parts, const Call& call) {
  const auto& principal = *call.principal;
  return {principal.id, principal.name, call.address, principal.session.empty() ? principal.key : principal.session,
          [&accounts = parts.deps.accounts, caller = call.principal] { return accounts.stillMay(*caller); }};
}

Response limited(const core::Error& error, std::int64_t retry_after_s) {
  auto response = problem(error);
  for (auto& [name, value] : response.headers) {
    if (name == "Retry-After" && retry_after_s > 0) value = std::to_string(retry_after_s);
  }
  return response;
}

Response problem(const core::Error& error, int status) {
  if (status == 0) status = nativeStatus(error);
  JsonWriter json;
  json.beginObject();
  json.key("type").string(std::string("urn:jobhost:problem:") + core::toString(error.code));
  json.key("title").string(reasonPhrase(status));
  json.key("status").number(std::int64_t{status});
  json.key("code").string(core::toString(error.code));
  json.key("detail").string(error.message);
  if (!error.fields.empty()) {
    json.key("errors").beginArray();
    for (const auto& field : error.fields) {
      json.beginObject().key("pointer").string(field.pointer).key("message").string(field.message).endObject();
    }
    json.endArray();
  }
  json.endObject();
  Response response(status, "application/problem+json", json.take());
  if (status == 429 || status == 503) response.with("Retry-After", "1");
  if (status == 401) response.with("WWW-Authenticate", "Bearer");
  return response;
}

Response submitProblem(core::Error error) {
  if (error.code == core::ErrorCode::Canceled && !error.fields.empty()) error.code = core::ErrorCode::InvalidArgument;
  if (error.code == core::ErrorCode::NotFound) {
    error.code = core::ErrorCode::InvalidArgument;
    if (error.fields.empty()) error.fields.push_back({"/type", error.message});
  }
  return problem(error);
}

NativeDialect::NativeDialect(Parts parts) : parts_(parts) {
  addBulkRoutes(routes_, parts_);  // before the jobs': "bulk" is no job's id
  addJobRoutes(routes_, parts_);
  addListRoutes(routes_, parts_);
  addBatchRoutes(routes_, parts_);
  addFileRoutes(routes_, parts_);
  addInputRoutes(routes_, parts_);
  addEventRoutes(routes_, parts_);
  addCatalogRoutes(routes_, parts_);
  addAuthRoutes(routes_, parts_);
  addUserRoutes(routes_, parts_);
  addKeyRoutes(routes_, parts_);
  addAdminRoutes(routes_, parts_);
  addSystemRoutes(routes_, parts_);
  addReferenceRoutes(routes_, parts_);
}

std::string_view NativeDialect::openApi() const {
  return openApiDocument();
}

Response NativeDialect::failure(const core::Error& error, int status) const {
  return problem(error, status);
}

Response NativeDialect::handle(Request& request) {
  auto match = routes_.match(request.method, request.path);
  if (!match) return problem({core::ErrorCode::InvalidArgument, "the path is not valid", "", {}});
  if (match->route == nullptr) {
    if (!match->path_known) return problem({core::ErrorCode::NotFound, "there is nothing at this path", "", {}});
    auto response = problem({core::ErrorCode::Unsupported, "this path does not know the method", "", {}}, 405);
    if (request.method == Method::Options) {
      response = Response(204, {}, "");
      match->allow += ", OPTIONS";
    }
    response.with("Allow", match->allow);
    return response;
  }
  Call call{request, {std::move(match->captures[0]), std::move(match->captures[1])}, nullptr, {}, {}};
  call.address = clientAddress(request, parts_.options.auth.trusted_proxies);
  identify(call);
  if (call.principal) request.caller = call.principal->id;
  TokenBucket::Taken taken;
  const bool counted = call.principal && call.principal->rate;
  if (counted) taken = call.principal->rate->take(parts_.deps.clock.steadyNow());
  auto response =
      counted && !taken.allowed
          ? limited({core::ErrorCode::Exhausted, "this key has made too many requests", "", {}}, taken.retry_after_s)
          : serve(call, *match->route);
  if (counted) {
    response.with("RateLimit-Limit", std::to_string(taken.limit));
    response.with("RateLimit-Remaining", std::to_string(taken.remaining));
    response.with("RateLimit-Reset", std::to_string(taken.reset_s));
  }
  return response;
}

void NativeDialect::identify(Call& call) const {
  if (const auto key = presentedKey(call.request)) {
    call.principal = parts_.deps.keys.find(*key);  // a wrong key is not made good by a cookie
    return;
  }
  const auto token = sessionToken(call.request, parts_.options.auth);
  if (!token) return;
  call.principal = parts_.deps.accounts.findSession(*token);
  call.session_token = call.principal ? *token : std::string_view{};
}

std::optional<Response> NativeDialect::refuse(const Call& call, const Route& route) const {
  if (route.privilege == Privilege::None) return std::nullopt;
  if (!call.principal) {
    return problem({core::ErrorCode::Unauthenticated, "a valid API key or session is needed", "", {}});
  }
  if (!call.session_token.empty() && changes(call.request.method)) {
    if (const auto forged = refuseForged(call.request, call.session_token, parts_.options.auth))
      return problem(*forged);
  }
  if (!call.principal->may(route.privilege)) {
    return problem({core::ErrorCode::PermissionDenied,
                    "this needs the privilege " + std::string(toString(route.privilege)),
                    "",
                    {}});
  }
  // One place for all routes of a job: what belongs to somebody else is not there.
  if (!call.principal->all_jobs && route.pattern.starts_with(kJobPath)) {
    const auto id = readJobId(call.captures[0]);
    const auto owner = id ? parts_.deps.jobs.owner(*id) : core::Result<std::string>(noSuchJob());
    if (!owner) return problem(owner.error());
    if (!call.principal->reaches(*owner)) return problem(noSuchJob(*id));
  }
  return std::nullopt;
}

std::optional<Response> NativeDialect::refuseAnew(Call& call, const Route& route) const {
  if (route.privilege == Privilege::None) return std::nullopt;
  identify(call);
  return refuse(call, route);
}

Response NativeDialect::serve(Call& call, const Route& route) const {
  if (auto refused = refuse(call, route)) return *std::move(refused);
  if (auto refused = refuseUnread(call.request, route)) return *std::move(refused);
  if (takesBody(call.request.method)) {
    if (route.body == Body::Stream) {
      call.refusedNow = [&] { return refuseAnew(call, route); };
    } else {
      const bool expected = call.request.body->length().value_or(1) > 0;
      const auto body = call.request.body->all(route.body == Body::Small ? kSmallBody : parts_.options.http.body_bytes);
      if (!body) return problem(body.error());
      // A client may take its time with the body, also with one of no bytes in chunks, and who it is may have ended
      // meanwhile.
      if (expected) {
        if (auto refused = refuseAnew(call, route)) return *std::move(refused);
      }
    }
  }
  return route.handler(call);
}

}  // namespace jobhost::api::native
