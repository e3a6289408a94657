#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <system_error>

#include <fcntl.h>

#include "api/file_answer.hpp"
#include "api/json_writer.hpp"
#include "api/native/native_dialect.hpp"
#include "api/native/parse.hpp"
#include "api/native/render.hpp"
#include "api/places.hpp"
#include "api/zip_source.hpp"

namespace jobhost::api::native {
namespace {

constexpr std::int64_t kMaxLogPart = 4 << 20;

/// What a plugin calls its output, if it can stand in a header.
std::string safeMediaType(const std::string& type) {
  const bool clean = !type.empty() && type.size() <= 128 && type.find('/') != std::string::npos &&
                     std::all_of(type.begin(), type.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  return clean ? type : "application/octet-stream";
}

/// An output whose file is no more what the job made would be taken for the whole of it.
core::Error damaged(const core::Output& output, std::uintmax_t size) {
  return {core::ErrorCode::NotFound,
          "the file of the output " + output.name + " is damaged: it has " + std::to_string(size) +
              " bytes instead of " + std::to_string(output.size_bytes),
          "",
          {}};
}

Response sendOutput(const Parts& parts, Call& call, core::JobId id) {
  const auto output = parts.deps.jobs.output(id, call.captures[1]);
  if (!output) return problem(output.error());
  auto file = openedFile(::open(output->path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return problem({core::ErrorCode::NotFound, "the output's file is gone", "", {}});
  if (file->size() != output->output.size_bytes) {
    return problem(damaged(output->output, static_cast<std::uintmax_t>(file->size())));
  }
  if (!output->output.sha256.empty()) file->etag = "\"" + output->output.sha256 + "\"";
  file->changed_at.reset();  // the tag says more, and a job's outputs never change
  Response response;
  response.owned_content_type = safeMediaType(output->output.media_type);
  response.with("X-Content-Type-Options", "nosniff");
  // What a plugin made may be a page with scripts; it must not act in our origin.
  response.with("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox");
  const auto name = output->path.filename().string();
  response.with("Content-Disposition", "inline; filename*=UTF-8''" + encodePath(name));
  response.with("Cache-Control", "private, max-age=0, must-revalidate");
  const auto size = file->size();
  answerWith(*std::move(file), call.request, response);
  if (response.status == 416) {
    auto refused = problem({core::ErrorCode::InvalidArgument, "the range lies outside the output", "", {}}, 416);
    refused.with("Content-Range", "bytes */" + std::to_string(size));
    return refused;
  }
  return response;
}

Response listOutputs(const Parts& parts, core::JobId id) {
  const auto job = parts.deps.jobs.get(id);
  if (!job) return problem(job.error());
  JsonWriter json;
  json.beginObject().key("outputs").beginArray();
  for (const auto& output : job->outputs) writeOutput(json, id, output);
  json.endArray().endObject();
  return {200, kJson, json.take()};
}

/// Every output in one archive, made while it is sent. It keeps a thread and a processor until its client has it all,
/// so that there are `places` for few.
Response sendArchive(const Parts& parts, const Call& call, core::JobId id, Places& places) {
  const auto job = parts.deps.jobs.get(id);
  if (!job) return problem(job.error());
  if (job->outputs.empty()) return problem({core::ErrorCode::NotFound, "the job has no outputs", "", {}});
  std::vector<ZipEntry> entries;
  entries.reserve(job->outputs.size());
  for (const auto& listed : job->outputs) {
    const auto output = parts.deps.jobs.output(*job, listed.name);
    if (!output) return problem(output.error());
    std::error_code unknown;  // what became of it since then is found when its turn comes
    const auto size = std::filesystem::file_size(output->path, unknown);
    if (!unknown && size != static_cast<std::uintmax_t>(listed.size_bytes)) return problem(damaged(listed, size));
    entries.push_back({listed.name, output->path, listed.size_bytes, isPacked(listed.media_type)});
  }
  auto place = places.take(call.principal->id);
  if (!place) {
    const bool callers = places.room(call.principal->id) == Places::Room::CallerFull;
    return problem(callers
                       ? core::Error{core::ErrorCode::Exhausted, "too many of your archives are on their way", "", {}}
                       : core::Error{core::ErrorCode::Unavailable, "too many archives are on their way", "", {}});
  }
  Response response(200, "application/zip", "");
  response.seat = std::move(place);
  response.source = zipOf(std::move(entries));
  response.with("Content-Disposition", "attachment; filename=\"job-" + core::toString(id) + ".zip\"");
  response.with("Accept-Ranges", "none").with("X-Content-Type-Options", "nosniff");
  response.with("Cache-Control", "private, no-store");
  return response;
}

Response followLog(const Parts& parts, Call& call, core::JobId id, std::int64_t offset) {
  auto seat = parts.hub.seat(*call.principal, false);
  if (!seat) return problem(seat.error());
  if (const auto job = parts.deps.jobs.get(id); !job) return problem(job.error());
  if (const auto last = call.request.header("Last-Event-ID")) {
    const auto seen = toInteger(*last);
    if (!seen || *seen < 0) {
      return problem(invalid("the Last-Event-ID is not valid", {{"Last-Event-ID", "must be an offset"}}));
    }
    offset = *seen;
  }
  Response response;
  auto& plan = response.stream.emplace();
  plan.kind = StreamPlan::Kind::Log;
  plan.job = id;
  plan.after = offset;
  plan.principal = call.principal;
  plan.seat = *std::move(seat);
  return response;
}

Response showLog(const Parts& parts, Call& call, core::JobId id) {
  auto query = QueryReader::from(call.request);
  if (!query) return problem(query.error());
  const auto offset = query->integer("offset", 0, std::numeric_limits<std::int64_t>::max()).value_or(0);
  const auto limit = query->integer("limit", 1, kMaxLogPart);
  const bool follow = query->boolean("follow").value_or(false);
  const auto format = query->text("format");
  if (format && *format != "json" && *format != "text") query->refuse("format", "must be json or text");
  if (follow && limit) query->refuse("limit", "excludes follow");
  if (follow && format) query->refuse("format", "excludes follow, which is an event stream");
  if (const auto wrong = query->done()) return problem(*wrong);
  if (follow) return followLog(parts, call, id, offset);
  auto part = parts.deps.jobs.log(id, offset, limit.value_or(kMaxLogPart));
  if (!part) return problem(part.error());
  const auto accept = call.request.header("Accept").value_or("");
  const bool as_json = format ? *format == "json" : accept.starts_with("application/json");
  const auto next = part->offset + static_cast<std::int64_t>(part->bytes.size());
  Response response(200, kText, "");
  if (as_json) {
    JsonWriter json;
    json.beginObject().key("offset").number(part->offset).key("next_offset").number(next);
    json.key("size_bytes").number(part->size).key("text").string(part->bytes).endObject();
    response = Response(200, kJson, json.take());
  } else {
    response.body = std::move(part->bytes);
    response.with("X-Log-Size", std::to_string(part->size)).with("X-Log-Next-Offset", std::to_string(next));
  }
  response.with("X-Content-Type-Options", "nosniff");
  return response;
}

}  // namespace

void addFileRoutes(RouteTable& routes, const Parts& parts) {
  const auto withJob = [&](Response (*handler)(const Parts&, Call&, core::JobId)) -> Handler {
    return [parts, handler](Call& call) {
      const auto id = readJobId(call.captures[0]);
      return id ? handler(parts, call, *id) : problem(noSuchJob());
    };
  };
  routes.add(Method::Get, "/api/v1/jobs/{id}/logs", Privilege::ReadJobs, withJob(showLog), kTakesQuery);
  routes.add(Method::Get, "/api/v1/jobs/{id}/outputs", Privilege::ReadJobs,
             withJob([](const Parts& p, Call&, core::JobId id) { return listOutputs(p, id); }));
  const int archives = std::max(1, parts.options.http.max_archives);
  const auto places = std::make_shared<Places>(archives, std::max(1, archives / 4));
  routes.add(Method::Get, "/api/v1/jobs/{id}/outputs.zip", Privilege::ReadJobs, [parts, places](Call& call) {
    const auto id = readJobId(call.captures[0]);
    return id ? sendArchive(parts, call, *id, *places) : problem(noSuchJob());
  });
  routes.add(Method::Get, "/api/v1/jobs/{id}/outputs/{name...}", Privilege::ReadJobs, withJob(sendOutput));
}

}  // namespace jobhost::api::native
