// Behaviours 2, 3 and 6 of contracts/minion.md 5.2, against the dialect with the clock in hand. Those that need real
// plugins are in tests/e2e/minion_test.cpp.
#include <gtest/gtest.h>

#include <cctype>
#include <chrono>
#include <initializer_list>
#include <string>
#include <vector>

#include "api/encoding.hpp"
#include "dialects/api_host.hpp"

namespace jobhost::test {
namespace {

using store::OutcomeKind;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string keyOf(const ApiHost& host) {
  return "Authorization: Bearer " + api::toBase64(host.adminKey()) + "\r\n";
}

std::string errors(const std::string& message, const std::string& path, int status) {
  return R"({"errors":[{"message":")" + message + R"(","path":")" + path + R"("}],"status":)" + std::to_string(status) +
         "}";
}

/// One row of 1.7.
struct Case {
  const char* what;
  const char* method;
  std::string target;
  bool key;
  int status;
  std::string body;  ///< whole, or its beginning
};

constexpr const char* kEnum =
    "Not in enum list: thumbnail_task, tank_thumbnail_task, page_thumbnails, regen_all_thumbnails, find_duplicates, "
    "build_stat_hashes, handle_upload, download_url, run_plugin";

void expectRows(ApiHost& host, std::initializer_list<Case> rows) {
  for (const auto& row : rows) {
    SCOPED_TRACE(std::string(row.what) + ": " + row.method + " " + row.target);
    const auto answer = host.bare(row.method, row.target, {}, row.key ? keyOf(host) : "");
    EXPECT_EQ(answer.status, row.status) << answer.body;
    EXPECT_TRUE(answer.body.starts_with(row.body)) << answer.body;
    EXPECT_EQ(answer.headers.at("content-type"), "application/json;charset=UTF-8");
    EXPECT_EQ(answer.headers.count("www-authenticate"), 0U);
  }
}

TEST(Contract52, 2_EveryRowOfTheErrorMatrix) {
  ApiHost host;
  const auto no_integer = errors("Expected integer - got string.", R"(\/jobid)", 400);
  const auto unauthorized = errors("Unauthorized", R"(\/security\/0\/api_key)", 401);
  const auto not_found = errors("Not Found.", R"(\/)", 404);
  const auto unknown = [](const std::string& operation) {
    return R"({"error":"No job with this ID.","errors":[{"message":"No job with this ID.","path":"\/jobid"}],"operation":")" +
           operation + R"(","status":400,"success":0,"successMessage":""})";
  };
  const std::string queue = "/api/minion/find_duplicates/queue";
  const std::string priority = R"("errors":[{"message":"Expected integer - got string.","path":"\/priority"}])";
  expectRows(
      host,
      {
          {"jobid abc", "GET", "/api/minion/abc", false, 400, no_integer},
          {"jobid 01", "GET", "/api/minion/01", false, 400, no_integer},
          {"jobid 1e0", "GET", "/api/minion/1e0", false, 400, no_integer},
          {"jobid blank 1", "GET", "/api/minion/%201", false, 400, no_integer},
          {"jobid abc, detail", "GET", "/api/minion/abc/detail", true, 400, no_integer},
          {"jobid unknown", "GET", "/api/minion/77", false, 400, unknown("minion_job_status")},
          {"jobid 0", "GET", "/api/minion/0", false, 400, unknown("minion_job_status")},
          {"jobid negative", "GET", "/api/minion/-1", false, 400, unknown("minion_job_status")},
          {"jobid huge", "GET", "/api/minion/123456789012345678901234567890", false, 400, unknown("minion_job_status")},
          {"jobid unknown, detail", "GET", "/api/minion/77/detail", true, 400, unknown("minion_job_detail")},
          {"jobid 0, detail", "GET", "/api/minion/0/detail", true, 400, unknown("minion_job_detail")},
          {"no key", "GET", "/api/minion/1/detail", false, 401, unauthorized},
          {"no key, 401 before 400", "GET", "/api/minion/abc/detail", false, 401, unauthorized},
          {"no key, queue", "POST", queue + "?args=[5]", false, 401, unauthorized},
          {"wrong key", "GET", "/api/minion/1/detail?key=wrong", false, 401, unauthorized},
          {"unknown jobname", "POST", "/api/minion/nonesuch/queue?args=[]", true, 400,
           std::string(R"({"errors":[{"message":")") + kEnum},
          {"internal task", "POST", "/api/minion/backup_json/queue?args=[]", true, 400,
           std::string(R"({"errors":[{"message":")") + kEnum},
          {"args missing", "POST", queue, true, 400, errors("Missing property.", R"(\/args)", 400)},
          {"args not JSON", "POST", queue + "?args=[5", true, 400, R"({"errors":[{"message":"Expected JSON - )"},
          {"args empty", "POST", queue + "?args=", true, 400, R"({"errors":[{"message":"Expected JSON - )"},
          {"priority abc", "POST", queue + "?args=[5]&priority=abc", true, 400, "{" + priority},
          {"priority 1.5", "POST", queue + "?args=[5]&priority=1.5", true, 400, "{" + priority},
          {"priority empty", "POST", queue + "?args=[5]&priority=", true, 400, "{" + priority},
          {"other path", "GET", "/api/minion/1/result", false, 404, not_found},
          {"other method", "POST", "/api/minion/1", false, 404, not_found},
          {"other method, detail", "DELETE", "/api/minion/1/detail", true, 404, not_found},
          {"other method, queue", "GET", queue + "?args=[5]", true, 404, not_found},
          {"unknown path without key", "GET", "/api/nothing/here", false, 404, not_found},
      });
  // The switch for upstream's own answer.
  api::ServerOptions options;
  options.minion.literal_unknown_id = true;
  ApiHost literal(options);
  const auto missing = errors("Missing property.", R"(\/body\/errors)", 500);
  expectRows(literal, {{"literal", "GET", "/api/minion/77", false, 500, missing},
                       {"literal, detail", "GET", "/api/minion/77/detail", true, 500, missing}});
}

TEST(Contract52, 2_OnlyTheExactHeaderOrTheKeyParameterAuthorises) {
  ApiHost host;
  host.submit("find_duplicates");
  const auto base64 = api::toBase64(host.adminKey());
  const auto detail = [&](const std::string& header, const std::string& query = {}) {
    return host
        .bare("GET", "/api/minion/1/detail" + query, {}, header.empty() ? "" : "Authorization: " + header + "\r\n")
        .status;
  };
  EXPECT_EQ(detail("Bearer " + base64), 200);
  auto unpadded = base64;
  while (unpadded.ends_with('=')) unpadded.pop_back();
  const bool padded = unpadded != base64;
  for (const std::string& header : std::vector<std::string>{
           "bearer " + base64, "BEARER " + base64, "Bearer  " + base64, "Bearer\t" + base64, "Bearer", "Bearer ",
           "Bearer " + host.adminKey(), base64, "Basic " + base64, "Bearer " + base64 + "=", "Bearer " + base64 + " x",
           "Bearer " + api::toBase64(host.adminKey() + "\n")}) {
    EXPECT_EQ(detail(header), 401) << header;
  }
  if (padded) {
    EXPECT_EQ(detail("Bearer " + unpadded), 401);
  }
  EXPECT_EQ(detail("", "?key=" + host.adminKey()), 200);
  EXPECT_EQ(detail("", "?key=" + base64), 401);
  EXPECT_EQ(detail("", "?key="), 401);
  EXPECT_EQ(host.bare("POST", "/api/minion/build_stat_hashes/queue?args=[]", "key=" + host.adminKey(),
                      "Content-Type: application/x-www-form-urlencoded\r\n")
                .status,
            200);
  EXPECT_EQ(host.bare("POST", "/api/minion/build_stat_hashes/queue?args=[]",
                      "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n" + host.adminKey() + "\r\n--b--\r\n",
                      "Content-Type: multipart/form-data; boundary=b\r\n")
                .status,
            200);
}

TEST(Contract52, 2_PasswordOffNoFunAndCors) {
  api::ServerOptions options;
  options.minion.open = true;
  ApiHost open(options);
  EXPECT_EQ(open.bare("POST", "/api/minion/find_duplicates/queue?args=[5]").status, 200);
  EXPECT_EQ(open.bare("GET", "/api/minion/1/detail").status, 200);

  options = {};
  options.minion.no_fun = true;
  options.minion.cors = true;
  ApiHost closed(options);
  const auto refused = closed.bare("GET", "/api/minion/1");
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.body, R"({"error":"This API is protected and requires login or an API Key."})");
  EXPECT_EQ(refused.headers.at("access-control-allow-origin"), "*");
  EXPECT_EQ(closed.bare("GET", "/api/nothing").status, 404);
  const auto preflight = closed.bare("OPTIONS", "/api/minion/x/queue", {},
                                     "Origin: http://a.example\r\nAccess-Control-Request-Method: POST\r\n");
  EXPECT_EQ(preflight.status, 200);
  EXPECT_EQ(preflight.headers.at("access-control-allow-methods"), "GET, OPTIONS, POST, DELETE, PUT");
  EXPECT_EQ(preflight.headers.at("access-control-allow-headers"), "Authorization");
  EXPECT_EQ(preflight.headers.count("access-control-max-age"), 0U);
  EXPECT_EQ(preflight.headers.count("access-control-allow-credentials"), 0U);

  ApiHost plain;
  EXPECT_EQ(plain.bare("OPTIONS", "/api/minion/1", {}, "Origin: http://a.example\r\n")
                .headers.count("access-control-allow-origin"),
            0U);
}

TEST(Contract52, 3_ArgsComeBackAsTheyWereGiven) {
  api::ServerOptions options;
  options.http.head_bytes = 256 * 1024;  // half of it may be the request's target
  ApiHost host(options);
  host.addType("any", {"a", "b", "c", "d", "e", "f", "g", "h"});
  const auto encoded = [](const std::string& text) {
    std::string out;
    for (const char c : text) {
      static constexpr char kHex[] = "0123456789ABCDEF";
      const auto byte = static_cast<unsigned char>(c);
      if (std::isalnum(byte) != 0 || c == '[' || c == ']' || c == ',') {
        out += c;  // raw brackets, as the front end sends them
      } else {
        out.append("%").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
      }
    }
    return out;
  };
  std::int64_t next = 0;
  const auto comesBack = [&](const std::string& sent, const std::string& shown) {
    const auto made = host.bare("POST", "/api/minion/any/queue?args=" + encoded(sent), {}, keyOf(host));
    EXPECT_EQ(made.status, 200) << sent.substr(0, 200) << made.body.substr(0, 300);
    ++next;
    const auto answer = host.bare("GET", "/api/minion/" + std::to_string(next) + "/detail", {}, keyOf(host));
    EXPECT_TRUE(answer.body.starts_with("{\"args\":" + shown + ",\"attempts\":\"1\",")) << answer.body.substr(0, 300);
  };
  comesBack("[]", "[]");
  comesBack("[5]", "[5]");
  comesBack(R"([[1,[2,[3,[]]]],{"b":{"c":[null]},"a":1}])", R"([[1,[2,[3,[]]]],{"a":1,"b":{"c":[null]}}])");
  comesBack(R"([1,-2,0.5,1e3,12345678901234567890])", R"([1,-2,0.5,1e3,12345678901234567890])");
  comesBack(R"([true,false,null,"",0,"0"])", R"([true,false,null,"",0,"0"])");
  comesBack(R"(["\u00e9\ud83d\ude00\n\/"])", "[\"\xC3\xA9\xF0\x9F\x98\x80\\n\\/\"]");
  comesBack("[\"\xE6\xBC\xAB\xE7\x94\xBB\"]", "[\"\xE6\xBC\xAB\xE7\x94\xBB\"]");
  const std::string large(100 * 1024, 'x');
  comesBack("[\"" + large + "\"]", "[\"" + large + "\"]");

  // The last of repeated parameters counts; a form's do not.
  auto made = host.bare("POST", "/api/minion/any/queue?args=[1]&args=[2]&priority=1&priority=2", {}, keyOf(host));
  EXPECT_EQ(made.status, 200);
  const auto last = host.bare("GET", "/api/minion/" + std::to_string(next + 1) + "/detail", {}, keyOf(host)).body;
  EXPECT_TRUE(has(last, R"("args":[2])") && has(last, R"("priority":"2")")) << last;
  made = host.bare("POST", "/api/minion/any/queue", "args=[1]",
                   keyOf(host) + "Content-Type: application/x-www-form-urlencoded\r\n");
  EXPECT_EQ(made.status, 400);
  EXPECT_EQ(made.body, errors("Missing property.", R"(\/args)", 400));
}

TEST(Contract52, 6_AFailedAttemptWaitsWithItsValuesAndThenFails) {
  using namespace std::chrono_literals;
  ApiHost host;
  ASSERT_EQ(host.call("POST", "/api/v1/jobs", R"({"type":"page_thumbnails","params":{},"max_attempts":3})").status,
            201);
  const auto detail = [&] { return host.bare("GET", "/api/minion/1/detail", {}, keyOf(host)).body; };
  const auto status = [&] { return host.bare("GET", "/api/minion/1").body; };
  const core::JobError busy{core::ErrorClass::Transient, "busy", "try again", ""};
  const auto expectParts = [](const std::string& shown, std::initializer_list<const char*> parts) {
    for (const char* part : parts) EXPECT_TRUE(has(shown, part)) << part << " in " << shown;
  };

  host.clock().advance(5s);
  auto job = host.start(1);
  host.note(job, "1", R"("processed")");
  host.clock().advance(5s);
  host.settle(job, OutcomeKind::Retry, "", busy);  // again 15 s later
  expectParts(detail(), {R"("state":"inactive")", R"("retries":"1")", R"("retried":"1800000010")",
                         R"("delayed":"1800000025")", R"("finished":"1800000010")", R"("result":"try again")",
                         R"("notes":{"1":"processed"})", R"("worker":"1")", R"("attempts":"3")"});
  EXPECT_EQ(status(), R"({"error":null,"notes":{"1":"processed"},"state":"inactive","task":"page_thumbnails"})");

  host.clock().advance(20s);
  job = host.start(1);
  expectParts(detail(), {R"("state":"active")", R"("retried":"1800000010")", R"("started":"1800000030")",
                         R"("finished":"1800000010")", R"("result":"try again")", R"("notes":{"1":"processed"})"});
  host.clock().advance(1s);
  host.settle(job, OutcomeKind::Failed, "", busy);
  expectParts(detail(), {R"("state":"failed")", R"("retries":"1")", R"("retried":"1800000010")",
                         R"("finished":"1800000031")", R"("result":"try again")"});
  EXPECT_EQ(status(), R"({"error":"try again","notes":{"1":"processed"},"state":"failed","task":"page_thumbnails"})");

  // A caller's own retry is one too: its turn comes at once.
  host.clock().advance(7s);
  ASSERT_EQ(host.call("POST", "/api/v1/jobs/1/retry").status, 200);
  expectParts(detail(), {R"("state":"inactive")", R"("retries":"2")", R"("retried":"1800000038")",
                         R"("delayed":"1800000038")", R"("finished":"1800000031")", R"("result":"try again")"});
}

}  // namespace
}  // namespace jobhost::test
