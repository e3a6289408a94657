// jobhost.http/1 under a real host: what jobs fetch, what they may not, and how it ends.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <latch>
#include <memory>

#include <gmock/gmock.h>

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include "e2e/host_process.hpp"
#include "e2e/python_plugin.hpp"
#include "integration/fetch/rude_server.hpp"

namespace jobhost::e2e {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::RudeServer;
using testing::HasSubstr;
using Connection = RudeServer::Connection;
using Asked = RudeServer::Request;

class Http : public testing::Test {
 protected:
  void start(std::vector<std::string> set = {"http.allow_private=true"}, const std::string& python = {}) {
    fs::path plugins = fs::path(JOBHOST_TEST_PLUGIN_DIR) / "http";
    if (!python.empty()) {
      plugins = folder_ / "plugins";
      putPythonPlugin(plugins, python,
                      R"("id":"test.py-fetch","version":"1.0.0","permissions":{"net":["127.0.0.1"]},)"
                      R"("job_types":[{"name":"py-fetch"}])");
    }
    set.emplace_back("plugins.early_crashes=1000");
    host_ = std::make_unique<HostProcess>(
        HostProcess::Options{.data = folder_ / "data", .plugins = {plugins}, .set = std::move(set), .wrapper = {}});
    ASSERT_TRUE(host_->start()) << host_->log();
    const std::string type = python.empty() ? "fetch" : "py-fetch";
    ASSERT_TRUE(HostProcess::eventually([&] { return host_->get("/api/v1/job-types/" + type).status == 200; }))
        << host_->log();
  }
  void TearDown() override {
    if (host_ && host_->pid() > 0) {
      EXPECT_EQ(host_->stop(), 0);
    }
  }

  std::string requests(const std::vector<std::string>& paths) const {
    std::string all;
    for (const auto& path : paths) all += (all.empty() ? "" : ",") + ("{\"url\":\"" + server_.url(path) + "\"}");
    return "{\"requests\":[" + all + "]}";
  }
  std::int64_t submit(const std::string& params, const std::string& type = "fetch") {
    const auto id = host_->submit(type, params);
    EXPECT_TRUE(id) << params;
    return id.value_or(0);
  }
  Poco::JSON::Object::Ptr run(const std::string& params, const std::string& type = "fetch") {
    auto job = host_->waitForEnd(submit(params, type));
    EXPECT_TRUE(job) << host_->log();
    return job ? job : Poco::JSON::Object::Ptr(new Poco::JSON::Object);
  }
  static std::string error(const Poco::JSON::Object::Ptr& job, const std::string& member) {
    const auto object = job->getObject("error");
    return object ? text(object, member) : "";
  }
  static Poco::JSON::Object::Ptr result(const Poco::JSON::Object::Ptr& job, unsigned index) {
    const auto all = job->getArray("result");
    return all && all->size() > index ? all->getObject(index) : Poco::JSON::Object::Ptr(new Poco::JSON::Object);
  }

  TempFolder folder_;
  RudeServer server_;
  std::unique_ptr<HostProcess> host_;
};

TEST_F(Http, AJobFetchesThroughTheHost) {
  server_.on("/page", [](const Asked&, Connection& to) { to.answer(200, "a page", "Set-Cookie: seen=1; Path=/\r\n"); });
  server_.on("/away", [](const Asked&, Connection& to) { to.answer(302, "", "Location: /page\r\n"); });
  start();
  const auto job = run(requests({"/away", "/page", "/nothing"}));
  ASSERT_EQ(text(job, "state"), "succeeded") << error(job, "message");
  EXPECT_EQ(text(result(job, 0), "text"), "a page");
  EXPECT_EQ(text(result(job, 2), "status"), "404");
  EXPECT_EQ(text(result(job, 1), "file_bytes"), "6") << "a path is to be had of a small body too";
  const auto asked = server_.requests();
  EXPECT_THAT(*asked[0].header("User-Agent"), HasSubstr("jobhost/"));
  EXPECT_EQ(asked[2].header("Cookie"), "seen=1");
  run(requests({"/page"}));
  EXPECT_EQ(server_.requests().back().header("Cookie"), std::nullopt) << "of another job";
}

TEST_F(Http, ALargeBodyGoesThroughAFileThatGoesWithTheJob) {
  const std::string body(5'000'000, 'x');
  server_.on("/large", [&](const Asked&, Connection& to) { to.answer(200, body); });
  start();
  const auto job = run(requests({"/large", "/large"}));
  ASSERT_EQ(text(job, "state"), "succeeded") << error(job, "message");
  EXPECT_EQ(text(result(job, 0), "bytes"), "5000000");
  EXPECT_EQ(text(result(job, 0), "file_bytes"), "5000000");
  EXPECT_EQ(host_->get("/api/v1/jobs/" + text(job, "id") + "/outputs/rest-1").body.size(), body.size() - 64);
  EXPECT_FALSE(fs::exists(text(result(job, 0), "file")));
  EXPECT_NE(text(result(job, 0), "file"), text(result(job, 1), "file"));
}

TEST_F(Http, WithoutThePermissionNothingIsFetched) {
  start();
  const auto job = run(requests({"/page"}), "fetch-mute");
  EXPECT_EQ(error(job, "code"), "http.host_denied");
  EXPECT_THAT(error(job, "message"), HasSubstr("permissions.net"));
  const auto other = run("{\"requests\":[{\"url\":\"http://localhost:" + std::to_string(server_.port()) + "/\"}]}");
  EXPECT_EQ(error(other, "code"), "http.host_denied");
  EXPECT_THAT(error(other, "message"), HasSubstr("permissions.net"));
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(Http, PrivateAddressesAreShutUnlessTheOperatorOpensThem) {
  server_.on("/page", [](const Asked&, Connection& to) { to.answer(200, "a page"); });
  start({});
  const auto job = run(requests({"/page"}));
  EXPECT_EQ(error(job, "code"), "http.address_denied");
  EXPECT_EQ(error(job, "class"), "denied");
  EXPECT_TRUE(server_.requests().empty());
  ASSERT_EQ(host_->stop(), 0);
  start({"http.allow_networks=127.0.0.0/8"});
  EXPECT_EQ(text(run(requests({"/page"})), "state"), "succeeded");
}

TEST_F(Http, ANetworkThatIsNoneStopsTheStart) {
  host_ = std::make_unique<HostProcess>(HostProcess::Options{
      .data = folder_ / "data", .plugins = {}, .set = {"http.allow_networks=10.0.0.0/99"}, .wrapper = {}});
  EXPECT_FALSE(host_->start());
  EXPECT_THAT(host_->log(), HasSubstr("http.allow_networks"));
}

TEST_F(Http, FailuresComeWithTheirCode) {
  server_.on("/half",
             [](const Asked&, Connection& to) { to.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"); });
  start();
  const auto job = run(requests({"/half?secret=1"}));
  EXPECT_EQ(error(job, "code"), "http.truncated");
  EXPECT_THAT(error(job, "message"), HasSubstr("GET " + server_.url("/half") + ": "));
  EXPECT_THAT(error(job, "message"), testing::Not(HasSubstr("secret")));
}

TEST_F(Http, ACancelEndsTheFetchAndTheJob) {
  std::latch asked(1);
  std::latch left(1);
  server_.on("/silent", [&](const Asked&, Connection& to) {
    asked.count_down();
    EXPECT_TRUE(to.clientLeaves(20'000));
    left.count_down();
  });
  start();
  const auto id = submit(requests({"/silent"}));
  asked.wait();
  EXPECT_EQ(host_->post("/api/v1/jobs/" + std::to_string(id) + "/cancel").status, 202);
  left.wait();
  EXPECT_EQ(text(host_->waitForEnd(id), "state"), "canceled");
}

TEST_F(Http, AHostThatStopsDoesNotWaitForAServer) {
  std::latch asked(1);
  server_.on("/silent", [&](const Asked&, Connection& to) {
    asked.count_down();
    to.clientLeaves(60'000);
  });
  start({"http.allow_private=true", "shutdown.drain_ms=0"});
  submit(requests({"/silent"}));
  asked.wait();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(host_->stop(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 30s);
}

TEST_F(Http, APythonHandlerFetchesToo) {
  const std::string body(300'000, 'y');
  server_.on("/small", [](const Asked& request, Connection& to) { to.answer(200, request.method + request.body); });
  server_.on("/large", [&](const Asked&, Connection& to) { to.answer(200, body); });
  start({"http.allow_private=true"}, R"py(#!/usr/bin/env python3
from jobhost_handler import FetchFailed, handler, serve

@handler("py-fetch")
def fetch(job):
    base = job.params["base"]
    with job.fetch(base + "/small", method="POST", body=b"sent", headers={"Content-Type": "text/plain"}) as small:
        text = small.read().decode()
    with job.fetch(base + "/large") as large:
        size = len(large.read())
    try:
        job.fetch("http://far.example/")
        denied = ""
    except FetchFailed as failed:
        denied = failed.code
    missing = job.fetch(base + "/nothing").status
    return {"text": text, "size": size, "denied": denied, "missing": missing}

serve()
)py");
  const auto job = run("{\"base\":\"" + server_.url("") + "\"}", "py-fetch");
  ASSERT_EQ(text(job, "state"), "succeeded") << error(job, "message");
  const auto said = job->getObject("result");
  EXPECT_EQ(text(said, "text"), "POSTsent");
  EXPECT_EQ(text(said, "size"), "300000");
  EXPECT_EQ(text(said, "denied"), "http.host_denied");
  EXPECT_EQ(text(said, "missing"), "404");
}

}  // namespace
}  // namespace jobhost::e2e
