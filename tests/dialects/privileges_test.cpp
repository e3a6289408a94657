// Who may do what: every route of the router, for every kind of caller.
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "dialects/api_host.hpp"

namespace jobhost::test {
namespace {

using api::Method;
using api::Privilege;
using namespace std::chrono_literals;

constexpr Privilege kAll[] = {Privilege::ReadJobs,   Privilege::RunJobs, Privilege::AbortJobs,
                              Privilege::DeleteJobs, Privilege::TagJobs, Privilege::Admin};

std::string keyHeader(const std::string& raw) {
  return "X-API-Key: " + raw + "\r\n";
}

/// Somebody who calls: with these header lines, and these rights.
struct Caller {
  std::string name;
  std::string headers;
  bool known = true;  ///< the credentials hold
  bool by_cookie = false;
  bool genuine = true;  ///< by cookie: token and origin are as they should be
  std::uint32_t privileges = 0;
  bool all_jobs = false;
  std::string user;  ///< owner of the jobs that are there for a caller without all_jobs
};

class Privileges : public testing::Test {
 protected:
  Privileges() {
    owner_ = host_.addUser("owner");
    stranger_ = host_.addUser("stranger");
    viewer_ = host_.addUser("viewer", "viewer");
    root_ = host_.addUser("root", "admin");
    const auto of_role = [](const char* role) { return api::findRole(role)->privileges; };
    add({"no credentials", "", false});
    add({"a wrong key", keyHeader("jh_" + std::string(64, '0')), false});
    add({"an empty key", "X-API-Key: \r\n", false});
    add({"another scheme", "Authorization: Basic b3duZXI6eA==\r\n", false});
    add({"a wrong session", "Cookie: jobhost_session=jhs_0\r\nX-CSRF-Token: 0\r\n", false});
    add({"an expired key",
         keyHeader(host_.addKey(R"({"name":"e","privileges":["admin"],"expires_at":")" +
                                std::string("2027-01-15T08:00:01Z") + R"("})")),
         false});
    const auto revoked = host_.call("POST", "/api/v1/keys", R"({"name":"r","privileges":["admin"]})");
    add({"a revoked key", keyHeader(memberOf(revoked.body, "key")), false});
    EXPECT_EQ(host_.call("DELETE", "/api/v1/keys/" + memberOf(revoked.body, "id")).status, 204);
    for (const auto privilege : kAll) {
      const std::string word(api::toString(privilege));
      const auto raw = host_.addKey(R"({"name":")" + word + R"(","privileges":[")" + word + R"("]})");
      add({"a host's key with " + word, keyHeader(raw), true, false, true, static_cast<std::uint32_t>(privilege),
           true});
    }
    const auto every = std::string(R"(["read_jobs","run_jobs","abort_jobs","delete_jobs","tag_jobs"])");
    for (const auto& [name, user] : {std::pair("the owner", owner_), std::pair("a stranger", stranger_)}) {
      const std::string who = user == owner_ ? "owner" : "stranger";
      const auto role = of_role("user");
      const auto key = host_.addKey(R"({"name":"k","privileges":)" + every + R"(,"user_id":")" + user + R"("})");
      add({name + std::string(" by key"), keyHeader(key), true, false, true, role, false, user});
      const auto reader = host_.addKey(R"({"name":"k","privileges":["read_jobs"],"user_id":")" + user + R"("})");
      add({name + std::string(" by a reader's key"), keyHeader(reader), true, false, true,
           static_cast<std::uint32_t>(Privilege::ReadJobs), false, user});
      const auto session = host_.logIn(who);
      add({name + std::string(" in a session"), session, true, true, true, role, false, user});
      add({name + std::string(" in a session from our own page"), session + "Origin: http://t\r\n", true, true, true,
           role, false, user});
      add({name + std::string(" in a session from another page"), session + "Origin: http://evil.example\r\n", true,
           true, false, role, false, user});
      add({name + std::string(" in a session without token"), session.substr(0, session.find("X-CSRF")), true, true,
           false, role, false, user});
    }
    const auto lone = host_.addKey(R"({"name":"l","privileges":["read_jobs","run_jobs"],"all_jobs":false})");
    add({"a host's key for its own jobs", keyHeader(lone), true, false, true,
         static_cast<std::uint32_t>(Privilege::ReadJobs) | static_cast<std::uint32_t>(Privilege::RunJobs), false,
         "nobody"});
    add({"a viewer in a session", host_.logIn("viewer"), true, true, true, of_role("viewer"), false, viewer_});
    add({"an admin in a session", host_.logIn("root"), true, true, true, of_role("admin"), true, root_});
    host_.clock().advance(2s);  // past the expiry of the key made for it
  }

  void add(Caller caller) { callers_.push_back(std::move(caller)); }

  /// A path of the route whose target is there, fresh, and may be used up.
  std::string pathOf(const api::Route& route) {
    auto path = route.pattern;
    const auto put = [&](const std::string& name, const std::string& value) {
      if (const auto at = path.find(name); at != std::string::npos) path.replace(at, name.size(), value);
    };
    if (path.starts_with("/api/v1/jobs/{id}")) put("{id}", std::to_string(host_.submitAs(owner_)));
    if (path.starts_with("/api/v1/batches/{id}")) put("{id}", host_.addBatchAs(owner_));
    if (path.starts_with("/api/v1/users/{id}")) put("{id}", host_.addUser("u" + std::to_string(++count_)));
    put("{id}", "none");
    put("{name...}", "none.jpg");
    put("{name}", "echo");
    return path;
  }

  /// What the caller is to be answered: 401, 403, 404, or 0 where the request reaches the handler.
  int refusalOf(const api::Route& route, const Caller& caller) const {
    if (route.privilege == Privilege::None) return 0;
    if (!caller.known) return 401;
    const bool changes = route.method != Method::Get && route.method != Method::Head;
    if (changes && caller.by_cookie && !caller.genuine) return 403;
    api::Principal principal;
    principal.privileges = caller.privileges;
    if (!principal.may(route.privilege)) return 403;
    const bool of_all = route.pattern == "/api/v1/counts" || route.pattern == "/api/v1/metrics";
    if (!caller.all_jobs && of_all) return 403;
    const bool owned =
        route.pattern.starts_with("/api/v1/jobs/{id}") || route.pattern.starts_with("/api/v1/batches/{id}");
    if (!caller.all_jobs && owned && caller.user != owner_) return 404;
    return 0;
  }

  ApiHost host_;
  std::string owner_, stranger_, viewer_, root_;
  std::vector<Caller> callers_;
  int count_ = 0;
};

/// Routes whose handlers look closer at who calls; golden files say how.
bool looksCloser(const api::Route& route) {
  return route.privilege == Privilege::Known;
}

TEST_F(Privileges, OfEveryRouteAreAskedOfEveryCaller) {
  std::map<int, int> seen;
  for (const auto& route : host_.routes()) {
    for (const auto& caller : callers_) {
      if (caller.by_cookie && route.pattern == "/api/v1/auth/logout") continue;  // it would end the session of the test
      const auto path = pathOf(route);
      const auto answer = host_.bare(std::string(api::toString(route.method)), path, "", caller.headers);
      const int expected = refusalOf(route, caller);
      SCOPED_TRACE(std::string(api::toString(route.method)) + " " + route.pattern + " for " + caller.name + ": " +
                   std::to_string(answer.status) + " " + answer.body.substr(0, 300));
      ++seen[expected];
      if (expected == 0) {
        EXPECT_NE(answer.status, 401);
        EXPECT_TRUE(answer.status != 403 || looksCloser(route) || route.privilege == Privilege::None);
        if (route.pattern.starts_with("/api/v1/jobs/{id}")) {
          const bool no_output = answer.body.find("no output") != std::string::npos;
          EXPECT_TRUE(answer.status != 404 || no_output);
        }
        EXPECT_TRUE(answer.status < 500 || answer.status == 501);  // 501: this host has no plugin folder
      } else {
        EXPECT_EQ(answer.status, expected);
      }
      if (expected == 404) {
        // What belongs to others is answered as what is not there, to the letter.
        const auto at_id = route.pattern.find("{id}");
        const auto id = path.substr(at_id, path.find('/', at_id) - at_id);
        const auto none = host_.bare(std::string(api::toString(route.method)),
                                     std::string(path).replace(at_id, id.size(), "999999"), "", caller.headers);
        auto body = none.body;
        if (const auto at = body.find("999999"); at != std::string::npos) body.replace(at, 6, id);
        EXPECT_EQ(answer.body, body);
      }
    }
  }
  for (const int status : {0, 401, 403, 404}) EXPECT_GT(seen[status], 20) << status;
}

TEST_F(Privileges, OfAStrangerReachNoJobThroughLists) {
  const auto mine = host_.submitAs(stranger_), theirs = host_.submitAs(owner_);
  const auto session = host_.logIn("stranger");
  const auto list = [&](const std::string& query) {
    return host_.bare("GET", "/api/v1/jobs" + query, "", session).body;
  };
  const auto has = [](const std::string& body, std::int64_t id) {
    return body.find("\"id\":" + std::to_string(id) + ",") != std::string::npos;
  };
  for (const std::string query : {"", "?state=queued", "?type=echo", "?roots=true", "?limit=1000&order=asc"}) {
    EXPECT_TRUE(has(list(query), mine)) << query;
    EXPECT_FALSE(has(list(query), theirs)) << query;
  }
  EXPECT_EQ(list("?owner=" + owner_), R"({"jobs":[],"next_cursor":null})");
  EXPECT_EQ(list("?parent=" + std::to_string(theirs)), R"({"jobs":[],"next_cursor":null})");
  EXPECT_TRUE(has(host_.call("GET", "/api/v1/jobs").body, theirs)) << "an admin sees all";
}

TEST_F(Privileges, OfAStrangerReachNoJobThroughBulkCommands) {
  const auto theirs = host_.submitAs(owner_), mine = host_.submitAs(stranger_);
  const auto session = host_.logIn("stranger");
  const auto cancel = [&](const std::string& filter) {
    return host_.bare("POST", "/api/v1/jobs/bulk/cancel", R"({"filter":)" + filter + "}", session);
  };
  EXPECT_EQ(cancel(R"({"owner":")" + owner_ + R"("})").body, R"({"matched":0,"changed":0,"next_cursor":null})");
  EXPECT_EQ(cancel(R"({"type":["echo"]})").body, R"({"matched":1,"changed":1,"next_cursor":null})");
  const auto state = [&](std::int64_t id) {
    return memberOf(host_.call("GET", "/api/v1/jobs/" + std::to_string(id)).body, "state");
  };
  EXPECT_EQ(state(mine), "canceled");
  EXPECT_EQ(state(theirs), "queued");
  const auto batch = host_.addBatchAs(owner_);
  EXPECT_EQ(host_.bare("GET", "/api/v1/batches", "", session).body, R"({"batches":[],"next_cursor":null})");
  EXPECT_EQ(host_.bare("GET", "/api/v1/batches?owner=" + owner_, "", session).body,
            R"({"batches":[],"next_cursor":null})");
  const auto joined = host_.bare("POST", "/api/v1/jobs", R"({"type":"echo","batch":")" + batch + R"("})", session);
  EXPECT_EQ(joined.status, 422);
  EXPECT_NE(joined.body.find(R"([{"pointer":"/batch","message":"does not exist"}])"), std::string::npos) << joined.body;
  EXPECT_NE(host_.call("GET", "/api/v1/batches/" + batch).body.find("\"total\":1}"), std::string::npos);
}

TEST_F(Privileges, OfAStrangerReachNoJobThroughSubmits) {
  const auto theirs = std::to_string(host_.submitAs(owner_, "their key"));
  const auto session = host_.logIn("stranger");
  const auto submit = [&](const std::string& members) {
    return host_.bare("POST", "/api/v1/jobs", R"({"type":"echo",)" + members + "}", session);
  };
  const auto unknown = submit(R"("parent":999999)");
  const auto parent = submit(R"("parent":)" + theirs);
  EXPECT_EQ(parent.status, 422) << parent.body;
  EXPECT_EQ(unknown.status, 422);
  EXPECT_NE(parent.body.find(R"("pointer":"/parent","message":"does not exist")"), std::string::npos) << parent.body;
  EXPECT_EQ(submit(R"("depends_on":[)" + theirs + "]").status, 422);
  const auto taken = submit(R"("unique_key":"their key")");
  EXPECT_EQ(taken.status, 409) << taken.body;
  EXPECT_EQ(taken.body.find("\"id\":"), std::string::npos) << "whose it is, and which, is not told";
  const auto bulk =
      host_.bare("POST", "/api/v1/jobs/bulk", R"([{"type":"echo"},{"type":"echo","unique_key":"their key"}])", session);
  EXPECT_EQ(bulk.status, 409) << bulk.body;
  EXPECT_EQ(host_.bare("GET", "/api/v1/jobs", "", session).body, R"({"jobs":[],"next_cursor":null})");
}

TEST_F(Privileges, OfAUserCoverEventsOfOwnJobsAlone) {
  const auto before = host_.submitAs(owner_);
  Wire live(host_.port()), replay(host_.port());
  const auto session = host_.logIn("stranger");
  live.send("GET /api/v1/events HTTP/1.1\r\nHost: t\r\n" + session + "\r\n");
  EXPECT_NE(live.readUntil("\r\n\r\n").find("200 OK"), std::string::npos);
  const auto theirs = host_.submitAs(owner_), mine = host_.submitAs(stranger_);
  const auto heard = live.readUntil("\"job_id\":" + std::to_string(mine) + ",");
  EXPECT_EQ(heard.find("\"job_id\":" + std::to_string(theirs) + ","), std::string::npos) << heard;
  EXPECT_NE(heard.find("\"job_id\":" + std::to_string(mine) + ","), std::string::npos) << heard;
  replay.send("GET /api/v1/events?after=0 HTTP/1.1\r\nHost: t\r\n" + session + "\r\n");
  const auto again = replay.readUntil("\"job_id\":" + std::to_string(mine) + ",");
  EXPECT_EQ(again.find("\"job_id\":" + std::to_string(theirs) + ","), std::string::npos) << again;
  EXPECT_EQ(again.find("\"job_id\":" + std::to_string(before) + ","), std::string::npos) << again;
}

TEST_F(Privileges, OfAKeyOfAUserHoldInTheMinionDialectToo) {
  const auto theirs = std::to_string(host_.submitAs(owner_));
  const auto key = host_.addKey(R"({"name":"k","privileges":["read_jobs"],"rate_per_minute":60,"rate_burst":2,)"
                                R"("user_id":")" +
                                stranger_ + R"("})");
  const auto ask = [&](const std::string& id) { return host_.bare("GET", "/api/minion/" + id + "/detail?key=" + key); };
  const auto stranger = ask(theirs), nobody = ask("999999");
  EXPECT_EQ(stranger.status, 400);
  EXPECT_EQ(stranger.body, nobody.body);
  const auto third = ask(theirs);
  EXPECT_EQ(third.status, 429) << third.body;
  EXPECT_EQ(third.headers.at("retry-after"), "1");
}

}  // namespace
}  // namespace jobhost::test
