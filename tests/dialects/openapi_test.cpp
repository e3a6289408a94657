#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>

#include "api/json_reader.hpp"
#include "api/lncrawl/lncrawl_dialect.hpp"
#include "api/minion/openapi.hpp"
#include "api/native/native_dialect.hpp"
#include "api/native/openapi.hpp"
#include "api/openapi_merge.hpp"
#include "catalog/json_document.hpp"
#include "dialects/api_host.hpp"
#include "dialects/response_check.hpp"

namespace jobhost::test {
namespace {

using api::JsonKind;

/// "GET /api/v1/jobs/{id}" for each operation of a document.
std::set<std::string> documented(const std::string& text) {
  std::set<std::string> rows;
  const auto document = api::parseJson(text);
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
  auto served = documented(std::string(api::minion::openApiDocument()));
  auto rows = host.nativeRoutes();
  for (const auto& route : host.lncrawlRoutes())
    rows.push_back(std::string(api::toString(route.method)) + " " + route.pattern);
  for (auto row : rows) {
    const auto rest = row.find("...}");
    if (rest != std::string::npos) row.erase(rest, 3);  // OpenAPI has no word for a path's rest
    served.insert(row);
  }
  EXPECT_EQ(documented(document.body), served);
}

TEST(OpenApi, NamesThePrivilegeThatEachRouteAsksFor) {
  ApiHost host;
  const std::string text(api::native::openApiDocument());
  const auto document = catalog::JsonDocument::parse(text);
  ASSERT_TRUE(document);
  for (const auto& route : host.routes()) {
    auto path = route.pattern;
    if (const auto rest = path.find("...}"); rest != std::string::npos) path.erase(rest, 3);
    std::string method(api::toString(route.method));
    std::transform(method.begin(), method.end(), method.begin(), [](unsigned char c) { return std::tolower(c); });
    const auto operation = document->root().find("paths")->find(path)->find(method);
    ASSERT_TRUE(operation) << method << " " << path;
    const auto privilege = operation->find("x-privilege");
    if (route.privilege == api::Privilege::None) {
      EXPECT_FALSE(privilege) << method << " " << path;
      const auto security = operation->find("security");
      EXPECT_TRUE(security && security->size() == 0) << method << " " << path << " is open";
    } else {
      const auto word = route.privilege == api::Privilege::Known ? "known" : api::toString(route.privilege);
      EXPECT_EQ(privilege ? privilege->string() : "none", word) << method << " " << path;
    }
  }
}

TEST(OpenApi, NamesEachOperationAndSaysHowAnyOfThemFails) {
  ApiHost host;
  const auto answer = host.call("GET", "/api/v1/openapi.json");
  const auto document = catalog::JsonDocument::parse(answer.body);
  ASSERT_TRUE(document);
  std::set<std::string> ids;
  document->root().find("paths")->members([&](catalog::JsonValue path, catalog::JsonValue operations) {
    operations.members([&](catalog::JsonValue method, catalog::JsonValue operation) {
      if (method.string() == "parameters") return;
      SCOPED_TRACE(std::string(method.string()) + " " + std::string(path.string()));
      const auto id = operation.find("operationId");
      ASSERT_TRUE(id);
      const std::string name(id->string());
      EXPECT_TRUE(std::islower(static_cast<unsigned char>(name[0])) != 0 &&
                  std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) != 0; }))
          << name;
      EXPECT_TRUE(ids.insert(name).second) << name << " is given twice";
      const auto responses = operation.find("responses");
      ASSERT_TRUE(responses);
      EXPECT_TRUE(responses->find("default"));
      EXPECT_TRUE(responses->find("400")) << "every request can be one that cannot be read";
      const bool own = path.string().starts_with("/api/v1/");
      if (own && (method.string() == "post" || method.string() == "patch")) {
        EXPECT_TRUE(responses->find("413"));
        EXPECT_TRUE(responses->find("415"));
      }
    });
  });
  EXPECT_GT(ids.size(), 60U);
}

TEST(OpenApi, LeavesOutADialectThatIsOff) {
  api::ServerOptions options;
  options.minion.enabled = options.lncrawl.enabled = false;
  ApiHost host(options);
  const auto rows = documented(host.call("GET", "/api/v1/openapi.json").body);
  EXPECT_TRUE(rows.contains("GET /api/v1/jobs/{id}"));
  EXPECT_FALSE(rows.contains("GET /api/minion/{jobid}"));
  EXPECT_FALSE(rows.contains("GET /api/auth/me"));
}

TEST(OpenApi, DocumentsThatContradictEachOtherAreNotMerged) {
  const std::string_view same[] = {
      R"({"openapi":"3.1.0","paths":{"/a":{}},"components":{"schemas":{"S":{"type":"null"}}}})",
      R"({"paths":{"/b":{}},"components":{"schemas":{"S":{"type":"null"}}},"tags":[{"name":"t"}]})"};
  const auto merged = api::mergeOpenApi(same);
  ASSERT_TRUE(merged);
  EXPECT_EQ(*merged, R"({"openapi":"3.1.0","tags":[{"name":"t"}],"paths":{"/a":{},"/b":{}},)"
                     R"("components":{"schemas":{"S":{"type":"null"}}}})");
  const std::string_view other[] = {same[0], R"({"components":{"schemas":{"S":{"type":"string"}}}})"};
  EXPECT_FALSE(api::mergeOpenApi(other));
  const std::string_view broken[] = {same[0], "{"};
  EXPECT_FALSE(api::mergeOpenApi(broken));
}

/// The check that every other test's answers go through finds what it is there to find.
TEST(ResponseCheck, FindsWhatADocumentDoesNotSay) {
  ResponseCheck check(R"({"paths":{"/a/{id}":{"get":{"responses":{
    "200":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/A"}}}},
    "204":{}, "400":{"$ref":"#/components/responses/P"}, "default":{"$ref":"#/components/responses/P"}},
    "x":1},"post":{"responses":{"200":{}}}}},
    "components":{"responses":{"P":{"content":{"application/problem+json":{"schema":{"type":"object"}}}}},
    "schemas":{"A":{"type":"object","required":["n"],"properties":{"n":{"type":"integer"},"more":{"$ref":"#/components/schemas/A"}}}}}})");
  const auto fault = [&](const std::string& method, int status, const std::string& type, const std::string& body) {
    return check.faultOf({method, "/a/7?x=1", status, type, body});
  };
  EXPECT_EQ(fault("GET", 200, "application/json", R"({"n":1,"more":{"n":2}})"), "");
  EXPECT_EQ(fault("HEAD", 200, "application/json", ""), "");
  EXPECT_EQ(fault("GET", 503, "application/problem+json", "{}"), "") << "the server's own, as the default says";
  EXPECT_NE(fault("GET", 503, "text/html", "<p>"), "") << "in another shape";
  EXPECT_NE(fault("POST", 503, "application/problem+json", "{}"), "") << "where there is no default";
  EXPECT_NE(fault("POST", 400, "application/problem+json", "{}"), "") << "an operation's own, which it must list";
  EXPECT_NE(fault("GET", 200, "application/json", R"({"n":"1"})"), "") << "a wrong type";
  EXPECT_NE(fault("GET", 200, "application/json", R"({"more":{"n":2}})"), "") << "a member that is missing";
  EXPECT_NE(fault("GET", 200, "application/json", R"({"n":1,"m":2})"), "") << "a member that is not described";
  EXPECT_NE(fault("GET", 200, "application/json", R"({"n":1,"more":{"n":2,"m":3}})"), "") << "the same further down";
  EXPECT_NE(fault("GET", 200, "text/plain", "x"), "") << "a media type that is not described";
  EXPECT_NE(fault("GET", 204, "", "x"), "") << "a body where none is described";
  EXPECT_NE(fault("GET", 404, "application/problem+json", "{}"), "") << "a status that is not described";
  EXPECT_NE(fault("PUT", 200, "application/json", "{}"), "") << "an operation that is not described";
  EXPECT_NE(fault("GET", 400, "application/problem+json", "[]"), "") << "a body that is no object";
}

}  // namespace
}  // namespace jobhost::test
