#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>

#include "api/json_reader.hpp"
#include "api/native/native_dialect.hpp"
#include "api/native/openapi.hpp"
#include "dialects/api_host.hpp"

namespace jobhost::test {
namespace {

using api::JsonKind;

/// "GET /api/v1/jobs/{id}" for each operation of the document.
std::set<std::string> documented() {
  std::set<std::string> rows;
  const auto document = api::parseJson(api::native::openApiDocument());
  EXPECT_TRUE(document) << (document ? "" : document.error().message);
  if (!document) return rows;
  std::vector<core::FieldError> errors;
  api::JsonObject root(*document, "", errors);
  const auto paths = api::parseJson(*root.raw("paths", JsonKind::Object));
  for (const auto& path : paths->members) {
    const auto operations = api::parseJson(path.value.raw);
    for (const auto& operation : operations->members) {
      auto method = api::unescape(operation.raw_key);
      if (method == "parameters") continue;
      std::transform(method.begin(), method.end(), method.begin(), [](unsigned char c) { return std::toupper(c); });
      rows.insert(method + " " + api::unescape(path.raw_key));
    }
  }
  return rows;
}

TEST(OpenApi, DescribesExactlyTheRoutesThatExist) {
  ApiHost host;
  const auto document = host.call("GET", "/api/v1/openapi.json");
  EXPECT_EQ(document.status, 200);
  std::set<std::string> served = {"GET /api/minion/{jobid}", "GET /api/minion/{jobid}/detail",
                                  "POST /api/minion/{jobname}/queue"};
  for (auto row : host.nativeRoutes()) {
    const auto rest = row.find("...}");
    if (rest != std::string::npos) row.erase(rest, 3);  // OpenAPI has no word for a path's rest
    served.insert(row);
  }
  EXPECT_EQ(documented(), served);
}

}  // namespace
}  // namespace jobhost::test
