#include "api/native/input_store.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "api/json_writer.hpp"
#include "api/multipart.hpp"
#include "api/native/native_dialect.hpp"
#include "api/native/parse.hpp"
#include "core/job_paths.hpp"

namespace jobhost::api::native {
namespace {

Response created(const SavedInput& saved) {
  JsonWriter json;
  json.beginObject().key("input_id").string(saved.input_id);
  json.key("name").string(saved.files.front().name);
  json.key("size_bytes").number(saved.files.front().size_bytes).key("sha256").string(saved.files.front().sha256);
  json.key("files").beginArray();
  for (const auto& file : saved.files) {
    json.beginObject().key("name").string(file.name).key("size_bytes").number(file.size_bytes);
    json.key("sha256").string(file.sha256).endObject();
  }
  json.endArray().endObject();
  return {201, kJson, json.take()};
}

Response upload(const Parts& parts, Call& call) {
  auto query = QueryReader::from(call.request);
  if (!query) return problem(query.error());
  const auto name = query->text("name");
  const auto type = call.request.header("Content-Type").value_or("");
  const bool multipart = isMultipartForm(type);
  if (multipart && name) query->refuse("name", "excludes multipart/form-data, whose parts bring their names");
  if (const auto wrong = query->done()) return problem(*wrong);
  const auto length = call.request.body->length();
  const auto limit = parts.options.http.upload_bytes;
  if (length && *length > limit) {
    return problem(
        {core::ErrorCode::TooLarge, "the upload is larger than " + std::to_string(limit) + " bytes", "", {}});
  }
  core::Result<SavedInput> saved =
      multipart ? saveMultipart(parts.options.data_folder, std::string(type), *call.request.body, limit)
                : saveInput(parts.options.data_folder, name.value_or(""), *call.request.body, limit);
  if (!saved) return problem(saved.error());
  if (auto refused = call.refusedNow()) {
    std::error_code ignored;  // what stays goes with the uploads nobody took
    std::filesystem::remove_all(core::inputFolder(parts.options.data_folder, saved->input_id), ignored);
    return *std::move(refused);
  }
  return created(*saved);
}

}  // namespace

void addInputRoutes(RouteTable& routes, const Parts& parts) {
  const auto handler = [parts](Call& call) { return upload(parts, call); };
  routes.add(Method::Post, "/api/v1/inputs", Privilege::RunJobs, handler, kTakesQuery, Body::Stream);
}

}  // namespace jobhost::api::native
