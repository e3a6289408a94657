#include "api/lncrawl/lncrawl_dialect.hpp"

#include <algorithm>

#include "api/auth/client_address.hpp"
#include "api/auth/first_start.hpp"
#include "api/auth/secrets.hpp"
#include "api/lncrawl/openapi.hpp"

namespace jobhost::api::lncrawl {
namespace {

/// First segments below /api that are this surface's, whatever follows.
constexpr std::string_view kWords[] = {"admin",    "announcement", "artifact", "artifacts", "auth",         "chapter",
                                       "feedback", "feedbacks",    "image",    "job",       "jobs",         "library",
                                       "meta",     "novel",        "novels",   "ping",      "read-history", "settings",
                                       "user",     "users",        "volume"};

bool startsWithSegment(std::string_view path, std::string_view segment) {
  return path.starts_with(segment) && (path.size() == segment.size() || path[segment.size()] == '/');
}

bool takesBody(Method method) {
  return method == Method::Post || method == Method::Put || method == Method::Patch;
}

/// As the framework upstream is built on says it.
Response plainDetail(int status, std::string_view detail) {
  JsonWriter json;
  json.beginObject().key("detail").string(detail).endObject();
  return answer(json.take(), status);
}

/// Never seen by anybody: without the key the server does not start.
std::string orRandom(const core::Result<std::string>& key) {
  if (key) return *key;
  const auto random = randomHex(32);
  return random ? *random : std::string(32, '\0');
}

void allowOrigins(const Request& request, Response& response) {
  const auto origin = request.header("Origin");
  if (!origin) return;
  // No cookie counts here, so a page of another origin can do no more than what it was given a token or password for.
  response.with("Access-Control-Allow-Origin", std::string(*origin));
  response.with("Access-Control-Allow-Credentials", "true");
  response.with("Access-Control-Expose-Headers", "*");
  response.with("Vary", "Origin");
}

/// A browser that asks whether it may send the request; nullopt: it is none.
std::optional<Response> preflight(const Request& request) {
  const auto method = request.header("Access-Control-Request-Method");
  if (request.method != Method::Options || !method || !request.header("Origin")) return std::nullopt;
  Response response(200, kText, "OK");
  response.with("Access-Control-Allow-Methods", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
  response.with("Access-Control-Max-Age", "600");
  if (const auto headers = request.header("Access-Control-Request-Headers")) {
    response.with("Access-Control-Allow-Headers", std::string(*headers));
  }
  return response;
}

}  // namespace

LncrawlDialect::LncrawlDialect(const Deps& deps, const ServerOptions& options)
    : deps_(deps),
      options_(options),
      key_(ensureSecret(options.data_folder, "lncrawl.key")),
      ids_(orRandom(key_)),
      tokens_(orRandom(key_), options.lncrawl.token),
      credentials_(deps.accounts, deps.clock, tokens_, orRandom(key_)),
      records_(deps.records),
      scan_(deps),
      parts_{deps_, options_, ids_, tokens_, credentials_, records_, scan_, running_} {
  addAuthRoutes(routes_, parts_);
  addReadRoutes(routes_, parts_);
  addCreateRoutes(routes_, parts_);
  addJobRoutes(routes_, parts_);
  addRunnerRoutes(routes_, parts_);
  addUserRoutes(routes_, parts_);
}

core::Result<void> LncrawlDialect::start() {
  if (!key_) return key_.error();
  scan_.start();
  return {};
}

bool LncrawlDialect::owns(std::string_view path) const {
  if (startsWithSegment(path, "/api/v1")) return false;
  if (startsWithSegment(path, "/static")) return true;
  if (!startsWithSegment(path, "/api")) return false;
  if (!options_.minion.enabled) return true;
  const auto rest = path.substr(std::min<std::size_t>(path.size(), 5));
  const auto word = rest.substr(0, rest.find('/'));
  return std::find(std::begin(kWords), std::end(kWords), word) != std::end(kWords);
}

std::string_view LncrawlDialect::openApi() const {
  return openApiDocument();
}

Response LncrawlDialect::failure(const core::Error& error, int status) const {
  return refusal(error, status);  // the server has told its own log
}

Response LncrawlDialect::handle(Request& request) {
  auto asked = options_.lncrawl.cors ? preflight(request) : std::nullopt;
  auto response = asked ? *std::move(asked) : route(request);
  if (options_.lncrawl.cors) allowOrigins(request, response);
  return response;
}

Response LncrawlDialect::route(Request& request) {
  auto match = routes_.match(request.method, request.path);
  if (!match || (match->route == nullptr && !match->path_known)) return plainDetail(404, "Not Found");
  if (match->route == nullptr) {
    auto response = plainDetail(405, "Method Not Allowed");
    response.with("Allow", match->allow);
    return response;
  }
  Call call{request, {std::move(match->captures[0]), std::move(match->captures[1])}, nullptr, {}, {}};
  call.address = clientAddress(request, options_.auth.trusted_proxies);
  return serve(call, *match->route);
}

std::optional<Response> LncrawlDialect::refuse(Call& call, const Route& route) {
  if (route.privilege == Privilege::None) return std::nullopt;
  auto known = credentials_.identify(call.request, call.address);
  if (!known) {
    if (known.error().code == core::ErrorCode::PermissionDenied) return lncrawl::failure(403, "User is inactive");
    return lncrawl::failure(known.error());
  }
  if (!*known) return unauthorized();
  call.principal = *std::move(known);
  call.request.caller = call.principal->id;
  if (!call.principal->may(route.privilege)) return forbidden();
  return std::nullopt;
}

Response LncrawlDialect::serve(Call& call, const Route& route) {
  if (auto refused = refuse(call, route)) return *std::move(refused);
  if (takesBody(call.request.method) && route.body != Body::Stream) {
    const bool expected = call.request.body->length().value_or(1) > 0;
    const auto body = call.request.body->all(route.body == Body::Small ? kSmallBody : options_.http.body_bytes);
    if (!body) return lncrawl::failure(body.error());
    // A client may take its time with the body, and who it is may have ended meanwhile.
    if (expected) {
      if (auto refused = refuse(call, route)) return *std::move(refused);
    }
  }
  return route.handler(call);
}

}  // namespace jobhost::api::lncrawl
