#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "core/job_paths.hpp"
#include "dialects/api_host.hpp"
#include "telemetry/metrics.hpp"

namespace jobhost::test {
namespace {

using store::OutcomeKind;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string get(const ApiHost& host, const std::string& target, const std::string& headers = {}) {
  return "GET " + target + " HTTP/1.1\r\nHost: t\r\nX-API-Key: " + host.adminKey() + "\r\n" + headers + "\r\n";
}

std::int64_t finishWithOutput(ApiHost& host, const std::string& name, const std::string& bytes,
                              const std::string& media_type = "image/jpeg") {
  const auto id = host.submit();
  const auto file = core::jobPaths(host.data(), {id}).output / name;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << bytes;
  host.settle(host.start(id), OutcomeKind::Succeeded, "{}", std::nullopt,
              {{name, media_type, static_cast<std::int64_t>(bytes.size()), ""}});
  return id;
}

TEST(NativeOutputs, AreServedWholeInPartsAndByTag) {
  ApiHost host;
  const auto id = finishWithOutput(host, "pages/1 a.jpg", "0123456789");
  const auto target = "/api/v1/jobs/" + std::to_string(id) + "/outputs/pages/1%20a.jpg";
  const auto whole = host.call("GET", target);
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.body, "0123456789");
  EXPECT_EQ(whole.headers.at("content-type"), "image/jpeg");
  EXPECT_EQ(whole.headers.at("x-content-type-options"), "nosniff");
  const auto etag = whole.headers.at("etag");
  EXPECT_EQ(host.call("GET", target, "", "If-None-Match: " + etag + "\r\n").status, 304);
  const auto part = host.call("GET", target, "", "Range: bytes=2-4\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "234");
  EXPECT_EQ(part.headers.at("content-range"), "bytes 2-4/10");
  EXPECT_EQ(host.call("GET", target, "", "Range: bytes=-3\r\n").body, "789");
  EXPECT_EQ(host.call("GET", target, "", "Range: bytes=8-\r\n").body, "89");
  const auto beyond = host.call("GET", target, "", "Range: bytes=10-\r\n");
  EXPECT_EQ(beyond.status, 416);
  EXPECT_TRUE(has(beyond.body, R"("status":416,)")) << beyond.body;
  EXPECT_EQ(host.call("GET", target, "", "Range: bytes=4-2\r\n").status, 200);
  EXPECT_EQ(host.call("GET", target, "", "Range: bytes=8-99999999999999999999\r\n").body, "89");
  EXPECT_EQ(host.call("GET", target, "", "Range: bytes=99999999999999999999-\r\n").status, 416);
  EXPECT_EQ(host.call("GET", target, "", "Range: bytes=0-1\r\nIf-Range: \"other\"\r\n").status, 200);
  const auto head = host.call("HEAD", target);
  EXPECT_EQ(head.headers.at("content-length"), "10");
}

TEST(NativeOutputs, NeverLeaveTheJobsFolder) {
  ApiHost host;
  const auto id = finishWithOutput(host, "a.txt", "x", "text/html\r\nX-Evil: 1");
  const auto base = "/api/v1/jobs/" + std::to_string(id) + "/outputs/";
  EXPECT_EQ(host.call("GET", base + "../log").status, 400);
  EXPECT_EQ(host.call("GET", base + "..%2f..%2fjobhost.db").status, 404);
  EXPECT_EQ(host.call("GET", base + "b.txt").status, 404);
  const auto answer = host.call("GET", base + "a.txt");
  EXPECT_EQ(answer.headers.at("content-type"), "application/octet-stream");
  EXPECT_EQ(answer.headers.count("x-evil"), 0U);
  std::filesystem::remove(core::jobPaths(host.data(), {id}).output / "a.txt");
  std::filesystem::create_symlink("/etc/hostname", core::jobPaths(host.data(), {id}).output / "a.txt");
  EXPECT_GE(host.call("GET", base + "a.txt").status, 400);
}

TEST(NativeLogs, AreReadInParts) {
  ApiHost host;
  const auto id = host.submit();
  const auto log = core::jobPaths(host.data(), {id}).log;
  std::filesystem::create_directories(log.parent_path());
  std::ofstream(log) << "one\ntwo\n";
  const auto target = "/api/v1/jobs/" + std::to_string(id) + "/logs";
  EXPECT_EQ(host.call("GET", target).body, "one\ntwo\n");
  EXPECT_EQ(host.call("GET", target + "?offset=4&limit=2").body, "tw");
  EXPECT_EQ(host.call("GET", target + "?format=json&offset=4").body,
            R"({"offset":4,"next_offset":8,"size_bytes":8,"text":"two\n"})");
  EXPECT_EQ(host.call("GET", target + "?offset=-1").status, 400);
  EXPECT_EQ(host.call("GET", target + "?follow=true&limit=2").status, 400);
  EXPECT_EQ(host.call("GET", target + "?follow=true&format=json").status, 400);
  EXPECT_EQ(host.call("GET", "/api/v1/jobs/77/logs").status, 404);
}

TEST(NativeLogs, AreFollowedToTheEnd) {
  ApiHost host;
  const auto id = host.submit();
  const auto log = core::jobPaths(host.data(), {id}).log;
  std::filesystem::create_directories(log.parent_path());
  std::ofstream(log) << "one\n";
  const auto job = host.start(id);
  Wire wire(host.port());
  wire.send(get(host, "/api/v1/jobs/" + std::to_string(id) + "/logs?follow=true"));
  EXPECT_TRUE(has(wire.readUntil("data: one\n\n"), "id: 4\nevent: log\n"));
  std::ofstream(log, std::ios::app) << "two\nlast";
  core::JobEvent line;
  line.kind = core::EventKind::Log;
  line.job = {id};
  line.state = core::JobState::Running;
  host.bus().publish({&line, 1});
  EXPECT_TRUE(has(wire.readUntil("data: two\n\n"), "id: 8\n"));
  host.settle(job, OutcomeKind::Succeeded, "1");
  EXPECT_TRUE(has(wire.readUntil("event: end\ndata: {}\n\n"), "data: last\n\n"));
  EXPECT_TRUE(wire.atEnd());
}

TEST(NativeEvents, BeginWithASnapshotAndEndWithTheJob) {
  ApiHost host;
  const auto id = host.submit();
  Wire wire(host.port());
  wire.send(get(host, "/api/v1/jobs/" + std::to_string(id) + "/events"));
  EXPECT_TRUE(has(wire.readUntil("\r\n\r\n"), "Content-Type: text/event-stream"));
  EXPECT_TRUE(has(wire.readUntil("\n\n"), "event: snapshot\ndata: {\"id\":" + std::to_string(id)));
  const auto job = host.start(id);
  EXPECT_TRUE(has(wire.readUntil("\n\n"), "event: started\ndata: {\"seq\":"));
  core::JobEvent progress;
  progress.kind = core::EventKind::Progress;
  progress.job = {id};
  progress.state = core::JobState::Running;
  progress.data_json = R"({"fraction":0.5})";
  host.bus().publish({&progress, 1});
  const auto live = wire.readUntil("\n\n");
  EXPECT_TRUE(has(live, R"("data":{"fraction":0.5})")) << live;
  EXPECT_FALSE(has(live, "id: ")) << live;
  host.settle(job, OutcomeKind::Succeeded, "{}");
  EXPECT_TRUE(has(wire.readUntil("\n\n"), "event: succeeded\n"));
  EXPECT_TRUE(wire.atEnd());
}

TEST(NativeEvents, GoOnAfterTheLastOneSeenWithoutGapOrRepetition) {
  ApiHost host;
  const auto id = host.submit();
  const auto target = "/api/v1/jobs/" + std::to_string(id) + "/events";
  host.settle(host.start(id), OutcomeKind::Succeeded, "{}");
  Wire wire(host.port());
  wire.send(get(host, target, "Last-Event-ID: 0\r\n"));
  const auto all = wire.readUntil("event: succeeded");
  EXPECT_TRUE(has(all, "id: 1\nevent: queued\n")) << all;
  EXPECT_TRUE(has(all, "id: 2\nevent: started\n")) << all;
  EXPECT_TRUE(wire.atEnd());
  Wire later(host.port());
  later.send(get(host, target, "Last-Event-ID: 2\r\n"));
  const auto rest = later.readUntil("event: succeeded");
  EXPECT_FALSE(has(rest, "event: started")) << rest;
  EXPECT_TRUE(later.atEnd());
  // Who has heard the end is told not to come back.
  EXPECT_EQ(host.call("GET", target, "", "Last-Event-ID: 3\r\n").status, 204);
  EXPECT_EQ(host.call("GET", target, "", "Last-Event-ID: x\r\n").status, 400);
}

TEST(NativeEvents, SpellAFailureAsTheJobDoes) {
  ApiHost host;
  const auto id = host.submit();
  const core::JobError error{core::ErrorClass::Upstream, "kit.busy", "try \"later\"", R"({"errors":["a"]})"};
  host.settle(host.start(id), OutcomeKind::Failed, "", error);
  const std::string spelt =
      R"({"class":"upstream","code":"kit.busy","message":"try \"later\"","details":{"errors":["a"]}})";
  const auto target = "/api/v1/jobs/" + std::to_string(id);
  EXPECT_TRUE(has(host.call("GET", target).body, R"("error":)" + spelt));
  Wire wire(host.port());
  wire.send(get(host, target + "/events?after=0"));
  wire.readUntil("event: failed\n");
  const auto event = wire.readUntil("\n\n");
  EXPECT_TRUE(has(event, R"("data":)" + spelt + "}\n\n")) << event;
}

TEST(NativeEvents, SpellAFailureThatIsTriedAgainLikewise) {
  ApiHost host;
  const auto id = host.submit();
  host.settle(host.start(id), OutcomeKind::Retry, "", core::JobError{core::ErrorClass::Transient, "busy", "later", ""});
  Wire wire(host.port());
  wire.send(get(host, "/api/v1/events?after=2"));
  wire.readUntil("event: queued\n");
  const auto event = wire.readUntil("\n\n");
  EXPECT_TRUE(has(event, R"("error":{"class":"transient","code":"busy","message":"later","details":null}}})")) << event;
}

TEST(NativeEvents, OfAllJobsArriveInOrderUnderLoad) {
  ApiHost host;
  Wire wire(host.port());
  wire.send(get(host, "/api/v1/events?after=0"));
  wire.readUntil("\r\n\r\n");
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&host] {
      for (int k = 0; k < 25; ++k) host.submit();
    });
  }
  for (int seq = 1; seq <= 100; ++seq) {
    const auto event = wire.readUntil("\n\n");
    ASSERT_TRUE(event.starts_with("id: " + std::to_string(seq) + "\n")) << event;
  }
  for (auto& client : clients) client.join();
}

TEST(NativeEvents, OfABatchAreThoseOfItsJobs) {
  ApiHost host;
  const auto made = host.call("POST", "/api/v1/batches", R"({"name":"n","jobs":[{"type":"echo"},{"type":"echo"}]})");
  const auto target = "/api/v1/batches/" + memberOf(made.body, "id") + "/events";
  Wire wire(host.port());
  wire.send(get(host, target));
  wire.readUntil("event: snapshot\ndata: {\"id\":\"b_");
  const auto first = wire.readUntil("\n\n");
  EXPECT_TRUE(has(first, R"("total":2}})")) << first;
  host.submit();
  const auto running = host.start(1);
  host.settle(running, OutcomeKind::Succeeded, "{}");
  ASSERT_EQ(host.call("POST", "/api/v1/jobs/2/cancel").status, 200);
  const auto told = wire.readUntil("event: canceled\n");
  EXPECT_TRUE(has(told, "event: started\n")) << told;
  EXPECT_TRUE(has(told, "event: succeeded\n")) << told;
  EXPECT_FALSE(has(told, "event: queued\n")) << "a job of no batch: " << told;
  // The same from the store, and on: neither of the three earlier than the number, nor of other jobs.
  Wire later(host.port());
  later.send(get(host, target, "Last-Event-ID: 1\r\n"));
  const auto rest = later.readUntil("event: canceled\n");
  EXPECT_FALSE(has(rest, "\"job_id\":3,")) << rest;
  EXPECT_FALSE(has(rest, "event: snapshot\n")) << rest;
  EXPECT_TRUE(has(rest, "id: 2\nevent: queued\n")) << rest;
  EXPECT_TRUE(has(rest, "event: succeeded\n")) << rest;
  EXPECT_EQ(host.call("GET", "/api/v1/batches/b_0/events").status, 404);
  EXPECT_EQ(host.call("GET", target + "?after=x").status, 400);
}

TEST(NativeEvents, ANumberBeyondTheNewestIsTheNewest) {
  ApiHost host;
  const auto made = host.call("POST", "/api/v1/batches", R"({"name":"n","jobs":[{"type":"echo"}]})");
  Wire of_job(host.port()), of_batch(host.port()), of_all(host.port());
  for (auto [wire, target] : {std::pair{&of_job, std::string("/api/v1/jobs/1/events")},
                              {&of_batch, "/api/v1/batches/" + memberOf(made.body, "id") + "/events"},
                              {&of_all, std::string("/api/v1/events")}}) {
    wire->send(get(host, target, "Last-Event-ID: 999999\r\n"));
    wire->readUntil("\r\n\r\n");
  }
  host.settle(host.start(1), OutcomeKind::Succeeded, "{}");
  for (auto* wire : {&of_job, &of_batch, &of_all}) {
    const auto told = wire->readUntil("event: succeeded\n");
    EXPECT_TRUE(told.starts_with("id: 2\nevent: started\n")) << told;
    EXPECT_TRUE(has(told, "event: succeeded\n")) << told;
  }
  EXPECT_TRUE(of_job.atEnd());
}

TEST(NativeEvents, OfABatchEndWithIt) {
  api::ServerOptions options;
  options.sse.keep_alive = std::chrono::minutes(10);
  ApiHost host(options);
  const auto made = host.call("POST", "/api/v1/batches", R"({"name":"n","jobs":[{"type":"echo"}]})");
  const auto target = "/api/v1/batches/" + memberOf(made.body, "id");
  Wire wire(host.port());
  wire.send(get(host, target + "/events"));
  wire.readUntil("event: snapshot\n");
  ASSERT_EQ(host.call("POST", "/api/v1/jobs/1/cancel").status, 200);
  ASSERT_EQ(host.call("DELETE", target).status, 204);
  const auto told = wire.readUntil("event: deleted\n");
  EXPECT_TRUE(has(told, "event: canceled\n")) << told;
  EXPECT_TRUE(has(told, "event: deleted\n")) << told;
  EXPECT_TRUE(wire.atEnd());
}

TEST(NativeEvents, OfABatchThatRetentionTookEndToo) {
  api::ServerOptions options;
  options.sse.keep_alive = std::chrono::milliseconds(20);
  ApiHost host(options);
  const auto made = host.call("POST", "/api/v1/batches", R"({"name":"n","jobs":[{"type":"echo"}]})");
  const auto id = memberOf(made.body, "id");
  Wire wire(host.port());
  wire.send(get(host, "/api/v1/batches/" + id + "/events"));
  wire.readUntil("event: snapshot\n");
  wire.readUntil(":\n\n");
  ASSERT_EQ(host.call("POST", "/api/v1/jobs/1/cancel").status, 200);
  ASSERT_EQ(host.call("DELETE", "/api/v1/jobs/1").status, 204);
  EXPECT_TRUE(has(wire.readUntil("event: deleted\n"), "event: deleted\n"));
  wire.readUntil(":\n\n");  // it lives while the batch does
  ASSERT_TRUE(host.store().removeBatch(id));
  wire.readUntil("no such line");
  EXPECT_TRUE(wire.atEnd());
}

TEST(NativePlugins, ArePathsToo) {
  ApiHost host;
  for (const std::string action : {"/retry", "/grant"}) {
    const auto answer = host.call("POST", "/api/v1/plugins/%2Fopt%2fa.so" + action);
    EXPECT_TRUE(has(answer.body, "there is no plugin /opt/a.so")) << answer.body;
  }
  const auto shown = host.call("GET", "/api/v1/plugins/%2Fopt%2Fa.so");
  EXPECT_TRUE(has(shown.body, "there is no plugin with this id")) << shown.body;
}

TEST(NativeEvents, AreRefusedBeyondTheLimitOfWatchers) {
  api::ServerOptions options;
  options.sse.max_watchers = 1;
  ApiHost host(options);
  Wire wire(host.port());
  wire.send(get(host, "/api/v1/events?after=0"));
  wire.readUntil("\r\n\r\n");
  host.submit();
  wire.readUntil("event: queued");
  const auto refused = host.call("GET", "/api/v1/events");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
}

TEST(NativeEvents, EndWhenTheServerStops) {
  ApiHost host;
  Wire wire(host.port());
  wire.send(get(host, "/api/v1/events"));
  wire.readUntil("\r\n\r\n");
  host.server().stop();
  EXPECT_TRUE(wire.atEnd());
}

TEST(NativeEvents, AReaderThatTakesNothingIsDropped) {
  api::ServerOptions options;
  options.sse.buffer_bytes = 8 * 1024;
  ApiHost host(options);
  Wire wire(host.port());
  wire.send(get(host, "/api/v1/events?after=0"));
  wire.readUntil("\r\n\r\n");
  core::JobEvent event;
  event.kind = core::EventKind::Progress;
  event.job = {1};
  event.data_json = "{\"x\":\"" + std::string(64 * 1024, 'x') + "\"}";
  const auto dropped = [] { return telemetry::metrics().value(telemetry::Counter::SseDropped); };
  const auto before = dropped();
  // Far more than the buffers of both sockets and the stream hold. Reading begins after the drop: a reader that keeps
  // up takes a burst of any size.
  for (int i = 0; i < 512; ++i) host.bus().publish({&event, 1});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(90);
  while (dropped() == before && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_EQ(dropped(), before + 1);
  EXPECT_TRUE(wire.atEnd());
}

TEST(NativeKeys, PrivilegesExpiryAndRevocationHold) {
  ApiHost host;
  const auto made = host.call("POST", "/api/v1/keys",
                              R"({"name":"r","privileges":["read_jobs"],"expires_at":"2027-01-15T09:00:00Z"})");
  ASSERT_EQ(made.status, 201) << made.body;
  const auto at = made.body.find("jh_");
  const auto key = made.body.substr(at, made.body.find('"', at) - at);
  const auto id_at = made.body.find("key_");
  const auto key_id = made.body.substr(id_at, made.body.find('"', id_at) - id_at);
  const auto as = [&](const std::string& method, const std::string& target) {
    Wire wire(host.port());
    wire.send(method + " " + target + " HTTP/1.1\r\nHost: t\r\nX-API-Key: " + key + "\r\nContent-Length: 0\r\n\r\n");
    return wire.receive().status;
  };
  EXPECT_EQ(as("GET", "/api/v1/jobs"), 200);
  EXPECT_EQ(as("POST", "/api/v1/jobs"), 403);
  EXPECT_EQ(as("GET", "/api/v1/keys"), 403);
  host.clock().advance(std::chrono::hours(2));  // the test's clock starts at 2027-01-15T08:00:00Z
  EXPECT_EQ(as("GET", "/api/v1/jobs"), 401);
  const auto second = host.call("POST", "/api/v1/keys", R"({"name":"s","privileges":["admin"]})");
  const auto s = second.body.find("\"id\":\"") + 6;
  EXPECT_EQ(host.call("DELETE", "/api/v1/keys/" + second.body.substr(s, second.body.find('"', s) - s)).status, 204);
  EXPECT_EQ(host.call("DELETE", "/api/v1/keys/" + key_id).status, 204);
}

TEST(NativeKeys, WhoMayNotReadJobsLearnsOnlyTheirState) {
  ApiHost host;
  const auto id = host.submit("echo", R"({"secret":"plan"})");
  const auto made = host.call("POST", "/api/v1/keys", R"({"name":"a","privileges":["abort_jobs","tag_jobs"]})");
  const auto at = made.body.find("jh_");
  const auto key = made.body.substr(at, made.body.find('"', at) - at);
  const auto as = [&](const std::string& method, const std::string& action, const std::string& body) {
    Wire wire(host.port());
    wire.send(method + " /api/v1/jobs/" + std::to_string(id) + action + " HTTP/1.1\r\nHost: t\r\nX-API-Key: " + key +
              "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return wire.receive();
  };
  const std::string queued = "{\"id\":" + std::to_string(id) + ",\"state\":\"queued\"}";
  EXPECT_EQ(as("PATCH", "", R"({"tags":["x"]})").body, queued);
  const auto canceled = as("POST", "/cancel", "");
  EXPECT_EQ(canceled.status, 200);
  EXPECT_EQ(canceled.body, "{\"id\":" + std::to_string(id) + ",\"state\":\"canceled\"}");
  EXPECT_EQ(as("POST", "/cancel", "").body, canceled.body) << "a job that has ended shows no more";
}

TEST(NativeKeys, NamesFitALogLine) {
  ApiHost host;
  const auto refused = host.call("POST", "/api/v1/keys", R"({"name":"a\nerror app forged","privileges":["admin"]})");
  EXPECT_EQ(refused.status, 422);
  EXPECT_TRUE(has(refused.body, R"("pointer":"/name")")) << refused.body;
}

TEST(NativeKeys, TheAdminKeyFileIsPrivateAndMadeAnewWhenLost) {
  ApiHost host;
  const auto file = host.data() / "keys" / "admin.key";
  EXPECT_EQ(std::filesystem::status(file).permissions(), std::filesystem::perms(0600));
  EXPECT_EQ(std::filesystem::status(file.parent_path()).permissions(), std::filesystem::perms(0700));
  ASSERT_TRUE(api::ensureAdminKey(host.data(), host.keys()));
  std::string same;
  std::ifstream(file) >> same;
  EXPECT_EQ(same, host.adminKey());
  std::filesystem::remove(file);
  ASSERT_TRUE(api::ensureAdminKey(host.data(), host.keys()));
  std::string fresh;
  std::ifstream(file) >> fresh;
  EXPECT_NE(fresh, host.adminKey());
  EXPECT_NE(host.keys().find(fresh), nullptr);
}

TEST(NativeInputs, AMultipartUploadKeepsItsFiles) {
  ApiHost host;
  const std::string body =
      "--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n"
      "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nabc\r\n"
      "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"b.txt\"\r\n\r\n\r\n--b--\r\n";
  const std::string type = "Content-Type: multipart/form-data; boundary=b\r\n";
  const auto answer = host.call("POST", "/api/v1/inputs", body, type);
  ASSERT_EQ(answer.status, 201) << answer.body;
  const auto at = answer.body.find("in_");
  const auto folder = core::inputFolder(host.data(), answer.body.substr(at, 35));
  EXPECT_EQ(std::filesystem::file_size(folder / "a.txt"), 3U);
  EXPECT_EQ(std::filesystem::file_size(folder / "b.txt"), 0U);
  auto evil = body;
  evil.replace(evil.find("b.txt"), 5, "../b.");
  EXPECT_EQ(host.call("POST", "/api/v1/inputs", evil, type).status, 400);
  EXPECT_EQ(host.call("POST", "/api/v1/inputs", "nonsense", type).status, 400);
  const auto cut = host.call("POST", "/api/v1/inputs", body.substr(0, body.size() - 6), type);
  EXPECT_EQ(cut.status, 400);
  EXPECT_TRUE(has(cut.body, "ends before its last boundary")) << cut.body;
  EXPECT_EQ(host.call("POST", "/api/v1/inputs", body, "Content-Type: multipart/form-data\r\n").status, 400);
}

TEST(NativeInputs, OverTheLimitLeaveNothingBehind) {
  api::ServerOptions options;
  options.http.upload_bytes = 10;
  ApiHost host(options);
  EXPECT_EQ(host.call("POST", "/api/v1/inputs?name=a", std::string(11, 'x')).status, 413);
  Wire wire(host.port());
  wire.send("POST /api/v1/inputs?name=a HTTP/1.1\r\nHost: t\r\nX-API-Key: " + host.adminKey() +
            "\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n");
  EXPECT_EQ(wire.receive().status, 413);
  EXPECT_TRUE(!std::filesystem::exists(host.data() / "inputs") || std::filesystem::is_empty(host.data() / "inputs"));
}

TEST(NativeJobs, AParentThatIsBeingCanceledTakesNoChild) {
  ApiHost host;
  const auto id = host.submit();
  const auto running = host.start(id);
  ASSERT_EQ(host.call("POST", "/api/v1/jobs/" + std::to_string(id) + "/cancel").status, 202);
  const auto refused = host.call("POST", "/api/v1/jobs", R"({"type":"echo","parent":)" + std::to_string(id) + "}");
  EXPECT_EQ(refused.status, 422);
  EXPECT_TRUE(has(refused.body, R"({"pointer":"/parent","message":"is being canceled"})")) << refused.body;
}

TEST(NativeJobs, AQueueKeyOfAUserHoldsUpNobodyElse) {
  ApiHost host;
  host.addUser("ada");
  host.addUser("bob");
  const std::string body = R"({"type":"echo","queue_key":"imports"})";
  std::set<std::string> stored;
  for (const auto& headers : {host.logIn("ada"), host.logIn("bob"), "X-API-Key: " + host.adminKey() + "\r\n"}) {
    const auto made = host.bare("POST", "/api/v1/jobs", body, headers);
    ASSERT_EQ(made.status, 201) << made.body;
    const auto listed = host.bare("GET", "/api/v1/jobs?queue_key=imports", "", headers);
    EXPECT_NE(listed.body.find(R"("queue_key":"imports")"), std::string::npos) << listed.body;
    EXPECT_EQ(listed.body.find("queue_key"), listed.body.rfind("queue_key")) << "one job each: " << listed.body;
    const auto at = made.body.find("\"id\":");
    stored.insert(host.store().get({std::atoll(made.body.c_str() + at + 5)})->queue_key);
  }
  EXPECT_EQ(stored.size(), 3U);
}

TEST(NativeOverload, AFullQueueAnswers429WithRetryAfter) {
  jobs::SubmitLimits limits;
  limits.queued_per_type = 1;
  ApiHost host({}, limits);
  host.submit();
  const auto refused = host.call("POST", "/api/v1/jobs", R"({"type":"echo"})");
  EXPECT_EQ(refused.status, 429) << refused.body;
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
}

}  // namespace
}  // namespace jobhost::test
