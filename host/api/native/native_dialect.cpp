#include "api/native/native_dialect.hpp"

#include "api/json_writer.hpp"
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

}  // namespace

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

NativeDialect::NativeDialect(Parts parts) : parts_(parts) {
  addJobRoutes(routes_, parts_);
  addListRoutes(routes_, parts_);
  addFileRoutes(routes_, parts_);
  addInputRoutes(routes_, parts_);
  addEventRoutes(routes_, parts_);
  addCatalogRoutes(routes_, parts_);
  addAdminRoutes(routes_, parts_);
  addSystemRoutes(routes_, parts_);
}

Response NativeDialect::failure(const core::Error& error) const {
  return problem(error);
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
  Call call{request, {std::move(match->captures[0]), std::move(match->captures[1])}, nullptr};
  if (const auto key = presentedKey(request)) call.principal = parts_.deps.keys.find(*key);
  const auto privilege = match->route->privilege;
  if (privilege != Privilege::None) {
    if (!call.principal) return problem({core::ErrorCode::Unauthenticated, "a valid API key is needed", "", {}});
    if (!call.principal->may(privilege)) {
      return problem(
          {core::ErrorCode::PermissionDenied, "this needs the privilege " + std::string(toString(privilege)), "", {}});
    }
  }
  if (auto refused = refuseUnread(request, *match->route)) return *std::move(refused);
  return match->route->handler(call);
}

}  // namespace jobhost::api::native
