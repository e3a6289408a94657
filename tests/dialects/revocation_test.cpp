// What ends with a key, a session or a user: requests on their way, streams, and what a caller may take for itself.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "dialects/api_host.hpp"

namespace jobhost::test {
namespace {

using namespace std::chrono_literals;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string byKey(const std::string& raw) {
  return "X-API-Key: " + raw + "\r\n";
}

/// A way in which somebody's right to call ends.
struct Ending {
  std::string name;
  bool by_key = false;  ///< the caller shows a key of hers, else a session
  std::function<void(ApiHost&, const std::string& user, const std::string& credential)> end;
};
void PrintTo(const Ending& ending, std::ostream* out) {
  *out << ending.name;
}

std::vector<Ending> endings() {
  const auto changed = [](const char* body) {
    return [body](ApiHost& host, const std::string& user, const std::string&) {
      EXPECT_EQ(host.call("PATCH", "/api/v1/users/" + user, body).status, 200);
    };
  };
  const auto key_revoked = [](ApiHost& host, const std::string&, const std::string& key) {
    EXPECT_EQ(host.call("DELETE", "/api/v1/keys/" + key).status, 204);
  };
  const auto all_revoked = [](ApiHost& host, const std::string& user, const std::string&) {
    EXPECT_EQ(host.call("POST", "/api/v1/users/" + user + "/revoke", R"({"keys":true})").status, 204);
  };
  const auto session_ended = [](ApiHost& host, const std::string&, const std::string& session) {
    EXPECT_EQ(host.call("DELETE", "/api/v1/auth/sessions/" + session).status, 204);
  };
  const auto deleted = [](ApiHost& host, const std::string& user, const std::string&) {
    EXPECT_EQ(host.call("DELETE", "/api/v1/users/" + user).status, 204);
  };
  return {{"KeyRevoked", true, key_revoked},
          {"KeysOfUserRevoked", true, all_revoked},
          {"UserOfKeyDisabled", true, changed(R"({"disabled":true})")},
          {"UserOfKeyDeleted", true, deleted},
          {"SessionEnded", false, session_ended},
          {"SessionsOfUserEnded", false, all_revoked},
          {"UserDisabled", false, changed(R"({"disabled":true})")},
          {"NewPassword", false, changed(R"({"password":"a new password"})")},
          {"UserDeleted", false, deleted}};
}

class Revocation : public testing::TestWithParam<Ending> {
 protected:
  Revocation() {
    ada_ = host_.addUser("ada", "admin");
    if (GetParam().by_key) {
      const auto made =
          host_.call("POST", "/api/v1/keys", R"({"name":"k","privileges":["admin"],"user_id":")" + ada_ + R"("})");
      EXPECT_EQ(made.status, 201) << made.body;
      credential_ = memberOf(made.body, "id");
      headers_ = byKey(memberOf(made.body, "key"));
    } else {
      headers_ = host_.logIn("ada");
      credential_ = memberOf(host_.bare("GET", "/api/v1/auth/me", "", headers_).body, "session_id");
    }
  }
  void end() { GetParam().end(host_, ada_, credential_); }
  /// The answer to a request whose caller's right ends after the host has let her in, and before the body has come.
  Answer caughtOnTheWay(const std::string& method, const std::string& target, const std::string& body) {
    Wire wire(host_.port());
    wire.send(method + " " + target + " HTTP/1.1\r\nHost: t\r\nConnection: close\r\n" + headers_ +
              "Expect: 100-continue\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
    EXPECT_EQ(wire.receive().status, 100);
    wire.send(body.substr(0, 1));
    end();
    wire.send(body.substr(1));
    return wire.receive();
  }

  ApiHost host_;
  std::string ada_, headers_, credential_;
};

TEST_P(Revocation, StopsAKeyThatIsBeingMade) {
  const auto answer = caughtOnTheWay("POST", "/api/v1/keys", R"({"name":"outlives","privileges":["read_jobs"]})");
  EXPECT_EQ(answer.status, 401) << answer.body;
  EXPECT_FALSE(has(host_.call("GET", "/api/v1/keys").body, "outlives"));
}

TEST_P(Revocation, StopsAUserWhoIsBeingMade) {
  const auto answer = caughtOnTheWay("POST", "/api/v1/users", R"({"name":"eve","password":"correct horse"})");
  EXPECT_EQ(answer.status, 401) << answer.body;
  EXPECT_FALSE(host_.accounts().findByName("eve"));
}

TEST_P(Revocation, StopsAJobThatIsBeingSubmitted) {
  const auto answer = caughtOnTheWay("POST", "/api/v1/jobs", R"({"type":"echo"})");
  EXPECT_EQ(answer.status, 401) << answer.body;
  EXPECT_TRUE(has(host_.call("GET", "/api/v1/jobs").body, R"("jobs":[])"));
}

TEST_P(Revocation, StopsAnActWhoseBodyIsEmpty) {
  const auto bob = host_.addUser("bob");
  const auto session = host_.logIn("bob");
  Wire wire(host_.port());
  wire.send("POST /api/v1/users/" + bob + "/revoke HTTP/1.1\r\nHost: t\r\nConnection: close\r\n" + headers_ +
            "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(wire.receive().status, 100);
  wire.send("0\r\n");
  end();
  wire.send("\r\n");
  EXPECT_EQ(wire.receive().status, 401);
  EXPECT_EQ(host_.bare("GET", "/api/v1/auth/me", "", session).status, 200) << "bob was let be";
}

TEST_P(Revocation, StopsAnUpload) {
  const auto answer = caughtOnTheWay("POST", "/api/v1/inputs?name=a.txt", "0123456789");
  EXPECT_EQ(answer.status, 401) << answer.body;
  EXPECT_TRUE(!std::filesystem::exists(host_.data() / "inputs") || std::filesystem::is_empty(host_.data() / "inputs"));
}

TEST_P(Revocation, EndsStreams) {
  const auto id = std::to_string(host_.submit());
  Wire all(host_.port()), job(host_.port()), log(host_.port()), other(host_.port());
  const auto open = [&](Wire& wire, const std::string& target, const std::string& headers) {
    wire.send("GET " + target + " HTTP/1.1\r\nHost: t\r\n" + headers + "\r\n");
    EXPECT_TRUE(has(wire.readUntil("\r\n\r\n"), "200 OK")) << target;
  };
  open(all, "/api/v1/events", headers_);
  open(job, "/api/v1/jobs/" + id + "/events", headers_);
  open(log, "/api/v1/jobs/" + id + "/logs?follow=true", headers_);
  open(other, "/api/v1/events", byKey(host_.adminKey()));
  end();
  host_.submit("resize", R"({"width":7})");
  EXPECT_FALSE(has(all.readUntil("nothing is told, and it ends"), "event: queued"));
  EXPECT_TRUE(job.atEnd());
  EXPECT_TRUE(log.atEnd());
  EXPECT_TRUE(has(other.readUntil("event: queued"), "event: queued")) << "others go on";
}

INSTANTIATE_TEST_SUITE_P(Of, Revocation, testing::ValuesIn(endings()),
                         [](const auto& each) { return each.param.name; });

TEST(Demotion, EndsTheStreamsOfAnAdminAndLimitsWhatIsOnItsWay) {
  ApiHost host;
  const auto root = host.addUser("root", "admin");
  const auto session = host.logIn("root");
  Wire events(host.port()), making(host.port());
  events.send("GET /api/v1/events HTTP/1.1\r\nHost: t\r\n" + session + "\r\n");
  events.readUntil("\r\n\r\n");
  const std::string body = R"({"name":"of the host","privileges":["admin"]})";
  making.send("POST /api/v1/keys HTTP/1.1\r\nHost: t\r\n" + session +
              "Expect: 100-continue\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  EXPECT_EQ(making.receive().status, 100);
  EXPECT_EQ(host.call("PATCH", "/api/v1/users/" + root, R"({"role":"user"})").status, 200);
  making.send(body);
  const auto refused = making.receive();
  EXPECT_EQ(refused.status, 422) << refused.body;
  EXPECT_TRUE(has(refused.body, "is more than you may do yourself")) << refused.body;
  EXPECT_TRUE(events.atEnd());
}

TEST(Expiry, EndsAStreamAtTheNextSignOfLife) {
  api::ServerOptions options;
  options.sse.keep_alive = 20ms;
  ApiHost host(options);
  const auto key = host.addKey(R"({"name":"e","privileges":["read_jobs"],"expires_at":"2027-01-15T08:00:01Z"})");
  Wire wire(host.port());
  wire.send("GET /api/v1/events HTTP/1.1\r\nHost: t\r\n" + byKey(key) + "\r\n");
  EXPECT_TRUE(has(wire.readUntil(":\n\n"), "200 OK"));
  host.clock().advance(2s);
  EXPECT_TRUE(wire.atEnd());
}

TEST(Streams, OfOneCallerAreLimited) {
  api::ServerOptions options;
  options.sse.max_per_caller = 2;
  ApiHost host(options);
  host.addUser("ada");
  host.addUser("bob");
  const auto ada = host.logIn("ada"), bob = host.logIn("bob");
  Wire one(host.port()), two(host.port());
  for (auto* wire : {&one, &two}) {
    wire->send("GET /api/v1/events HTTP/1.1\r\nHost: t\r\n" + ada + "\r\n");
    wire->readUntil("\r\n\r\n");
  }
  const auto refused = host.bare("GET", "/api/v1/events", "", ada);
  EXPECT_EQ(refused.status, 429) << refused.body;
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
  const auto job = std::to_string(host.submitAs(host.accounts().findByName("ada")->id));
  EXPECT_EQ(host.bare("GET", "/api/v1/jobs/" + job + "/logs?follow=true", "", ada).status, 429);
  Wire of_bob(host.port());
  of_bob.send("GET /api/v1/events HTTP/1.1\r\nHost: t\r\n" + bob + "\r\n");
  EXPECT_TRUE(has(of_bob.readUntil("\r\n\r\n"), "200 OK"));
}

TEST(Streams, ThatCatchUpOnMuchAreFewAtOnce) {
  api::ServerOptions options;
  options.sse.max_replays = 1;
  ApiHost host(options);
  host.addUser("ada");
  const auto ada = host.logIn("ada");
  for (int batch = 0; batch < 8; ++batch) {
    std::vector<core::JobDraft> drafts(10'000);
    for (auto& draft : drafts) draft.type = "echo";
    ASSERT_TRUE(host.store().submit(std::move(drafts), {}));
  }
  // Takes a first page, and so has its place, and then nothing more of what no buffer holds.
  Wire slow(host.port());
  slow.send("GET /api/v1/events?after=0 HTTP/1.1\r\nHost: t\r\n" + byKey(host.adminKey()) + "\r\n");
  slow.readUntil("id: 400\n");
  const auto same = host.call("GET", "/api/v1/events?after=0");
  EXPECT_EQ(same.status, 429) << same.body;
  const auto other = host.bare("GET", "/api/v1/events?after=0", "", ada);
  EXPECT_EQ(other.status, 503) << other.body;
  EXPECT_EQ(other.headers.at("retry-after"), "1");
  Wire now(host.port());
  now.send("GET /api/v1/events HTTP/1.1\r\nHost: t\r\n" + ada + "\r\n");
  EXPECT_TRUE(has(now.readUntil("\r\n\r\n"), "200 OK")) << "from now on needs no such place";
}

TEST(Streams, OfAUserWithoutJobsLookAtNobodyElses) {
  ApiHost host;
  const auto id = host.addUser("ada");
  const auto ada = host.logIn("ada");
  for (int batch = 0; batch < 3; ++batch) {
    std::vector<core::JobDraft> drafts(10'000);
    for (auto& draft : drafts) draft.type = "echo";
    ASSERT_TRUE(host.store().submit(std::move(drafts), {}));
  }
  Wire wire(host.port());
  wire.send("GET /api/v1/events?after=0 HTTP/1.1\r\nHost: t\r\n" + ada + "\r\n");
  wire.readUntil("\r\n\r\n");
  EXPECT_EQ(wire.readUntil("\n\n"), "id: " + std::to_string(*host.store().lastSeq()) + "\n\n")
      << "where to go on from, and no event";
  const auto mine = host.submitAs(id);
  EXPECT_TRUE(has(wire.readUntil("\"job_id\":" + std::to_string(mine) + ","), "event: queued"));
}

TEST(Streams, AnswerHeadWithTheHeadAlone) {
  ApiHost host;
  const auto id = std::to_string(host.submit());
  for (const auto& target : {std::string("/api/v1/events?after=0"), "/api/v1/jobs/" + id + "/events",
                             "/api/v1/jobs/" + id + "/logs?follow=true"}) {
    Wire wire(host.port());
    wire.send("HEAD " + target + " HTTP/1.1\r\nHost: t\r\n" + byKey(host.adminKey()) + "\r\n");
    EXPECT_TRUE(has(wire.readUntil("\r\n\r\n"), "Content-Type: text/event-stream\r\n")) << target;
    EXPECT_EQ(wire.readUntil("the end"), "") << target;
  }
}

TEST(SmallBodies, OfKeysUsersAndLoginsAreLimited) {
  ApiHost host;
  const auto user = host.addUser("ada");
  const auto long_body = R"({"name":")" + std::string(17 * 1024, 'x') + R"("})";
  for (const auto* target : {"/api/v1/keys", "/api/v1/users", "/api/v1/auth/login", "/api/v1/auth/password"}) {
    EXPECT_EQ(host.call("POST", target, long_body).status, 413) << target;
  }
  EXPECT_EQ(host.call("POST", "/api/v1/users/" + user + "/revoke", long_body).status, 413);
  EXPECT_EQ(host.call("PATCH", "/api/v1/users/" + user, long_body).status, 413);
}

TEST(Keys, AreListedInPages) {
  ApiHost host;
  for (int i = 0; i < 4; ++i) host.addKey(R"({"name":"k","privileges":["read_jobs"]})");
  std::set<std::string> seen;
  std::string cursor;
  int pages = 0;
  for (; pages < 10; ++pages) {
    const auto page = host.call("GET", "/api/v1/keys?limit=2" + cursor).body;
    for (auto at = page.find("\"id\":\""); at != std::string::npos; at = page.find("\"id\":\"", at + 1)) {
      seen.insert(page.substr(at + 6, 20));
    }
    if (has(page, R"("next_cursor":null)")) break;
    cursor = "&cursor=" + memberOf(page, "next_cursor");
  }
  EXPECT_EQ(pages, 2);
  EXPECT_EQ(seen.size(), 5U) << "with the admin's";
}

TEST(Keys, RevokedTwiceAreWrittenDownOnce) {
  ApiHost host;
  const auto id = memberOf(host.call("POST", "/api/v1/keys", R"({"name":"k","privileges":["read_jobs"]})").body, "id");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(host.call("DELETE", "/api/v1/keys/" + id).status, 204);
  const auto lines = host.store().audit({.actor = {}, .action = "key.revoke", .target = {}, .before = {}, .limit = 50});
  ASSERT_TRUE(lines);
  EXPECT_EQ(lines->size(), 1U);
}

TEST(Keys, OfOneUserChangeOnlySoFast) {
  ApiHost host;
  host.addUser("ada");
  const auto ada = host.logIn("ada");
  const auto make = [&] {
    return host.bare("POST", "/api/v1/keys", R"({"name":"k","privileges":["read_jobs"]})", ada);
  };
  for (int i = 0; i < 30; ++i) {
    const auto made = make();
    ASSERT_EQ(made.status, 201) << i << made.body;
    ASSERT_EQ(host.bare("DELETE", "/api/v1/keys/" + memberOf(made.body, "id"), "", ada).status, 204) << i;
  }
  const auto refused = make();
  EXPECT_EQ(refused.status, 429) << refused.body;
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
  host.addKey(R"({"name":"others","privileges":["read_jobs"]})");
  host.clock().advance(1s);
  EXPECT_EQ(make().status, 201);
}

TEST(Audit, SaysByWhichKeyOrSession) {
  ApiHost host;
  host.addUser("root", "admin");
  const auto session = host.logIn("root");
  const auto id = memberOf(host.bare("GET", "/api/v1/auth/me", "", session).body, "session_id");
  EXPECT_EQ(host.bare("POST", "/api/v1/users", R"({"name":"bob","password":"correct horse"})", session).status, 201);
  const auto lines = host.call("GET", "/api/v1/audit?limit=2").body;
  EXPECT_TRUE(has(lines, R"("detail":{"via":")" + id + R"(","name":"bob")")) << lines;
  EXPECT_TRUE(has(lines, R"("detail":{"via":"key_)")) << lines;
}

}  // namespace
}  // namespace jobhost::test
