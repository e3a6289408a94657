#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/encoding.hpp"
#include "api/http_types.hpp"
#include "api/json_reader.hpp"
#include "api/router.hpp"
#include "api/server.hpp"
#include "core/result.hpp"
#include "jobs/job_service.hpp"

namespace jobhost::api::native {

/// The whole body, at most `max_bytes` of it, as a JSON document that lives as long as the request.
core::Result<JsonDocument> readJsonBody(Call& call, std::size_t max_bytes);

/// One job as a client describes it. Every wrong member adds an error; the answer is then not to be used. `pointer` is
/// where the description lies in the body. Params are passed on as the bytes of the body.
jobs::JobRequest readJobRequest(const JsonDocument& document, std::string pointer, core::Instant now,
                                std::vector<core::FieldError>& errors);

/// The jobs of a request for several: each text of an array, with pointers that begin with `pointer` and its index.
/// `call` says whose they become. Every wrong member adds an error (at most some 100).
std::vector<jobs::JobRequest> readJobRequests(const std::vector<std::string_view>& texts, const std::string& pointer,
                                              const Call& call, core::Instant now,
                                              std::vector<core::FieldError>& errors);

/// A whole number whose bounds jobs/ knows, and names when it lies beyond: one beyond an int is its nearest.
std::optional<int> readInt(JsonObject& object, std::string_view name);

/// The names of their job types, which are gone once they have been submitted.
std::vector<std::string> typesOf(const std::vector<jobs::JobRequest>& requests);

/// Adds what a later check finds wrong, but for what follows from members that are among the errors already.
void addFaults(std::vector<core::FieldError>& errors, std::vector<core::FieldError> faults);

/// The Idempotency-Key of a request with this body; nullopt: none was sent. InvalidArgument: it is not valid.
core::Result<std::optional<store::Idempotency>> readIdempotency(const Call& call, std::string_view body);

/// For a command that keeps no such promise: it would be passed over in silence.
std::optional<core::Error> refuseIdempotency(const Call& call);

/// The words of a search: parted by blanks. InvalidArgument is added to `errors` at `pointer`.
std::vector<std::string> readWords(std::string_view text, const std::string& pointer,
                                   std::vector<core::FieldError>& errors);

/// The small body of a command, {"reason": "…"}, which may be absent.
core::Result<std::string> readReason(const ServerOptions& options, Call& call);

/// The small body of a command over many jobs, {"reason": "…", "cursor": 7}, which may be absent.
struct Steering {
  std::string reason;
  std::optional<core::JobId> cursor;
};
core::Result<Steering> readSteering(const ServerOptions& options, Call& call);

/// What a filter in a body asks for; names as in the query of GET /jobs, lists as arrays. It must name a condition. For
/// a caller who does not reach all jobs it is one over their own; false: it names another's, so nothing is to be found.
bool readFilter(JsonObject& object, const Principal& caller, store::JobFilter& filter);

/// A positive job id as it stands in a path or query; nullopt otherwise.
std::optional<core::JobId> readJobId(std::string_view text);
/// The error of a path whose id cannot be one.
core::Error noSuchJob();
/// The same as for an id that no job has.
core::Error noSuchJob(core::JobId id);

core::Error invalid(std::string message, std::vector<core::FieldError> errors);

/// A query whose names must be among those asked for. Errors gather; done() answers them.
class QueryReader {
 public:
  /// InvalidArgument when the query itself cannot be read.
  static core::Result<QueryReader> from(const Request& request);

  std::optional<std::string> text(std::string_view name);
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t min, std::int64_t max);
  std::optional<bool> boolean(std::string_view name);
  std::optional<core::Instant> time(std::string_view name);
  /// `a=1&a=2` and `a=1,2` alike.
  std::vector<std::string> list(std::string_view name);
  void refuse(std::string_view name, std::string reason);
  std::vector<core::FieldError>& errors() { return errors_; }
  /// The error over all that was wrong, unknown names included; nullopt: all is well.
  std::optional<core::Error> done();

 private:
  explicit QueryReader(Query query) : query_(std::move(query)) {}
  Query query_;
  std::vector<std::string_view> asked_;
  std::vector<core::FieldError> errors_;
};

}  // namespace jobhost::api::native
