#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/auth/principal.hpp"
#include "api/channel.hpp"
#include "api/encoding.hpp"
#include "api/http_types.hpp"
#include "core/result.hpp"

namespace jobhost::api {

/// One request on its way to its handler: with what the route's pattern captured and who calls.
struct Call {
  Request& request;
  std::string captures[2];         ///< decoded values of the pattern's {names}, in order
  PrincipalRef principal;          ///< null on open routes without credentials
  std::string address;             ///< where the caller is, beyond the proxies we trust
  std::string_view session_token;  ///< what the cookie held, when the principal came by it; empty otherwise
  /// For a handler that reads the body itself (Body::Stream): to be asked when it has come. Knows the caller anew; an
  /// answer refuses it.
  std::function<std::optional<Response>()> refusedNow = nullptr;
};

using Handler = std::function<Response(Call&)>;

/// How a route's body is read.
enum class Body {
  Document,  ///< before the handler runs, up to http.body_bytes
  Small,     ///< the same, up to kSmallBody: also of requests whose sender nobody knows
  Stream,    ///< by the handler, piece by piece
};
inline constexpr std::int64_t kSmallBody = 16 * 1024;

struct Route {
  Method method;
  std::string pattern;  ///< "/api/v1/jobs/{id}"; a last "{name...}" takes the rest, slashes and all
  Privilege privilege;  ///< None: open to everybody
  Handler handler;
  bool takes_query = false;    ///< whether the handler reads the query string
  Body body = Body::Document;  ///< of POST, PUT and PATCH
};

/// For RouteTable::add: the handler reads the query string, and refuses names it does not know.
constexpr bool kTakesQuery = true;

/// Rows of routes, matched segment by segment. Filled at start, then read by all threads.
class RouteTable {
 public:
  /// "{+name}" captures a segment whose value may have slashes, spelt "%2F"; the row's pattern then says "{name}".
  void add(Method method, std::string pattern, Privilege privilege, Handler handler, bool takes_query = false,
           Body body = Body::Document);

  struct Match {
    const Route* route = nullptr;  ///< null: no row fits
    bool path_known = false;       ///< some row fits but for the method
    std::string allow;             ///< then: "GET, POST"
    std::string captures[2];
  };
  /// HEAD finds the row of GET. nullopt: the path itself is bad (escape, NUL, UTF-8, "." or ".." segment).
  [[nodiscard]] std::optional<Match> match(Method method, std::string_view path) const;
  [[nodiscard]] const std::vector<Route>& rows() const { return rows_; }

 private:
  struct Pattern {
    std::vector<std::string> segments;  ///< "" stands for a capture
    bool takes_rest = false;            ///< the last one
    std::size_t with_slashes = 0;       ///< the number of the one that is "{+name}"; 0: none
  };
  std::vector<Route> rows_;
  std::vector<Pattern> patterns_;
};

/// One REST surface: owns some paths and spells requests, answers and errors in its own way.
/// Thread-safety: every method from any thread.
class Dialect {
 public:
  virtual ~Dialect() = default;
  /// Called once, before the first request. An error keeps the server from starting.
  virtual core::Result<void> start() { return {}; }
  [[nodiscard]] virtual bool owns(std::string_view path) const = 0;
  virtual Response handle(Request& request) = 0;
  /// How this surface says that something failed, with this HTTP status (statusOf() where nothing says otherwise).
  [[nodiscard]] virtual Response failure(const core::Error& error, int status) const = 0;
  /// Its routes as an OpenAPI 3.1 document, as far as it has one: `paths`, `components` and `tags` are taken into the
  /// document of all. Valid as long as the dialect. Empty: it has none.
  [[nodiscard]] virtual std::string_view openApi() const { return {}; }
};

/// The HTTP status a failure usually has; dialects deviate where their contract says so.
int statusOf(core::ErrorCode code);

}  // namespace jobhost::api
