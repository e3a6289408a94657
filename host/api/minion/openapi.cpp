#include "api/minion/openapi.hpp"

#include "api/json_reader.hpp"
#include "api/json_writer.hpp"

namespace jobhost::api::minion {

std::string describePath(std::string_view pattern) {
  JsonWriter json(true);
  const auto document = parseJson(openApiDocument());
  if (!document) return "{}";
  for (const auto& section : document->members) {
    if (section.raw_key != "\"paths\"") continue;
    const auto paths = parseJson(section.value.raw);
    if (!paths) break;
    for (const auto& path : paths->members) {
      if (unescape(path.raw_key) == pattern) return json.canonical(path.value.raw).take();
    }
  }
  return "{}";
}

}  // namespace jobhost::api::minion
