#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "api/json_writer.hpp"
#include "api/lncrawl/credentials.hpp"
#include "api/lncrawl/errors.hpp"
#include "api/lncrawl/fields.hpp"
#include "api/lncrawl/job_uuid.hpp"
#include "api/lncrawl/records.hpp"
#include "api/lncrawl/tokens.hpp"
#include "api/router.hpp"
#include "api/server.hpp"

namespace jobhost::api::lncrawl {

class SourceScan;

/// What the routes of this surface work with; all borrowed from the dialect, which outlives them.
struct Parts {
  const Deps& deps;
  const ServerOptions& options;
  const JobUuids& ids;
  const Tokens& tokens;
  Credentials& credentials;
  const Records& records;
  SourceScan& scan;
  std::atomic<bool>& running;  ///< whether jobs of this surface are begun
};

// Each file of routes adds its own; handlers get a caller who is known (Call::principal) unless the row is open.
void addAuthRoutes(RouteTable& routes, const Parts& parts);
void addReadRoutes(RouteTable& routes, const Parts& parts);
void addJobRoutes(RouteTable& routes, const Parts& parts);
void addCreateRoutes(RouteTable& routes, const Parts& parts);
void addRunnerRoutes(RouteTable& routes, const Parts& parts);
/// What users keep here: libraries and reports.
void addUserRoutes(RouteTable& routes, const Parts& parts);

/// UNIX milliseconds, as every time of this surface is told.
inline std::int64_t millis(core::Instant at) {
  return core::toMicros(at) / 1000;
}

/// The envelope of a list: `write` is called once and writes the elements.
template <class Write>
Response answerList(std::int64_t total, const QueryFields::Span& span, Write write) {
  JsonWriter json;
  json.beginObject().key("total").number(total).key("offset").number(span.offset).key("limit").number(span.limit);
  json.key("items").beginArray();
  write(json);
  json.endArray().endObject();
  return answer(json.take());
}

/// A user as this surface shows it: for `me`, the login, and `/api/user/{id}`.
void writeUser(JsonWriter& json, const store::User& user);

}  // namespace jobhost::api::lncrawl
