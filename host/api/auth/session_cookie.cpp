#include "api/auth/session_cookie.hpp"

#include <algorithm>

#include "api/auth/cookies.hpp"
#include "api/auth/secrets.hpp"

namespace jobhost::api {
namespace {

/// With the prefix a browser takes it only from us, by HTTPS, and for no other host of the domain.
std::string_view cookieName(const AuthOptions& options) {
  return options.cookie_secure ? "__Host-jobhost_session" : "jobhost_session";
}

}  // namespace

std::optional<std::string_view> sessionToken(const Request& request, const AuthOptions& options) {
  const auto header = request.header("Cookie");
  if (!header) return std::nullopt;
  const auto token = cookieValue(*header, cookieName(options));
  return token && !token->empty() ? token : std::nullopt;
}

std::string sessionCookie(std::string_view token, const AuthOptions& options) {
  const auto seconds = token.empty() ? 0 : std::chrono::duration_cast<std::chrono::seconds>(options.session).count();
  std::string cookie(cookieName(options));
  cookie.append("=").append(token).append("; Path=/; HttpOnly; Max-Age=").append(std::to_string(seconds));
  cookie += options.same_site == "strict" ? "; SameSite=Strict" : "; SameSite=Lax";
  if (options.cookie_secure) cookie += "; Secure";
  return cookie;
}

std::optional<core::Error> refuseForeignOrigin(const Request& request, const AuthOptions& options) {
  const auto origin = request.header("Origin");
  if (!origin) return std::nullopt;
  if (sameHost(*origin, request.header("Host").value_or(""))) return std::nullopt;
  const auto named = normalOrigin(*origin);
  const bool trusted = named && std::any_of(options.trusted_origins.begin(), options.trusted_origins.end(),
                                            [&](const auto& one) { return normalOrigin(one) == named; });
  if (trusted) return std::nullopt;
  return core::Error{core::ErrorCode::PermissionDenied, "a page of another origin must not do this", "", {}};
}

std::optional<core::Error> refuseForged(const Request& request, std::string_view token, const AuthOptions& options) {
  if (auto wrong = refuseForeignOrigin(request, options)) return wrong;
  const auto shown = request.header("X-CSRF-Token");
  if (shown && sameSecret(*shown, csrfTokenOf(token))) return std::nullopt;
  return core::Error{core::ErrorCode::PermissionDenied,
                     "a change by cookie needs the header X-CSRF-Token, as the login answered it",
                     "",
                     {}};
}

}  // namespace jobhost::api
