// The job routes of lightnovel-crawler's API. Items are those of the contract's section 7.
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "api/auth/first_start.hpp"
#include "api/encoding.hpp"
#include "api/lncrawl/formats.hpp"
#include "api/lncrawl/job_render.hpp"
#include "api/lncrawl/job_types.hpp"
#include "api/lncrawl/job_uuid.hpp"
#include "core/units.hpp"
#include "dialects/api_host.hpp"

namespace jobhost::test {
namespace {

using api::lncrawl::kindOf;
using store::OutcomeKind;
using namespace std::chrono_literals;

const std::string kNovelPlugin = "org.jobhost.fetch-novel";
const std::string kNovel = "0d6f2a52-8a5e-4f43-a9a5-0b7f0f7a2c10";
const std::string kVolume = "10000000-0000-4000-8000-000000000001";
const std::string kChapter = "20000000-0000-4000-8000-000000000001";
const std::string kImage = "0123456789abcdef0123456789abcdef";

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The text of a member of any kind, as it is spelt.
std::string rawOf(const std::string& body, const std::string& name) {
  const auto at = body.find("\"" + name + "\":");
  if (at == std::string::npos) return {};
  const auto from = at + name.size() + 3;
  return body.substr(from, body.find_first_of(",}", from) - from);
}

class LncrawlJobs : public testing::Test {
 protected:
  LncrawlJobs() {
    for (const auto& kind : api::lncrawl::jobKinds()) host_.addType(std::string(kind.type), {});
    host_.addUser("root", "admin");
    ann_ = user("ann", 2);
    bob_ = user("bob", 0);
  }

  /// A user of this tier; answers the headers of a fresh token.
  std::string user(const std::string& name, int tier) {
    const auto id = host_.addUser(name);
    EXPECT_EQ(host_.call("PATCH", "/api/v1/users/" + id, R"({"tier":)" + std::to_string(tier) + "}").status, 200);
    ids_[name] = id;
    return token(name);
  }
  std::string token(const std::string& name) {
    const auto answer = host_.bare("POST", "/api/auth/login",
                                   R"({"email":")" + name + R"(","password":"correct horse )" + name + R"("})");
    EXPECT_EQ(answer.status, 200) << answer.body;
    return "Authorization: Bearer " + memberOf(answer.body, "token") + "\r\n";
  }
  Answer get(const std::string& target, const std::string& who) { return host_.bare("GET", target, "", who); }
  Answer post(const std::string& target, const std::string& body, const std::string& who) {
    return host_.bare("POST", target, body, who + "Content-Type: application/json\r\n");
  }
  Answer create(const std::string& what, const std::string& body, const std::string& who) {
    return post("/api/job/create/" + what, body, who);
  }
  std::string fetchNovel(const std::string& who, const std::string& path = "book/1") {
    const auto answer = create("fetch-novel", R"({"url":"https://novels.example.test/)" + path + R"("})", who);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return memberOf(answer.body, "id");
  }
  std::int64_t number(const std::string& id) {
    const auto key = api::ensureSecret(host_.data(), "lncrawl.key");
    const auto read = api::lncrawl::JobUuids(*key).read(id);
    EXPECT_TRUE(read) << id;
    return read ? read->value : 0;
  }
  core::Job job(const std::string& id) {
    const auto found = host_.store().get({number(id)});
    EXPECT_TRUE(found);
    return found ? *found : core::Job{};
  }
  /// A child of a job, past the API.
  std::string child(const std::string& parent, const std::string& type, const std::string& params = "{}") {
    core::JobDraft draft;
    draft.type = type;
    draft.params_json = params;
    draft.parent = core::JobId{number(parent)};
    draft.owner = job(parent).owner;
    const auto made = host_.store().submit({draft}, {});
    EXPECT_TRUE(made);
    const auto key = api::ensureSecret(host_.data(), "lncrawl.key");
    return api::lncrawl::JobUuids(*key).spell(made->front().id);
  }
  void put(const std::string& collection, const std::string& key, const std::string& body, const std::string& parent) {
    std::promise<void> done;
    store::RecordWrite write;
    write.at = {kNovelPlugin, collection, key};
    write.body = body;
    write.parent = parent;
    records().writeRecords({write}, [&](core::Result<std::vector<std::int64_t>> written) {
      EXPECT_TRUE(written) << (written ? "" : written.error().message);
      done.set_value();
    });
    done.get_future().get();
  }
  store::RecordStore& records() { return host_.store(); }
  /// A novel with a volume, a chapter and an image, as the plugin keeps them, and a source that is switched off.
  void addNovel() {
    EXPECT_TRUE(records().declareCollections(
        kNovelPlugin, {{"novels", {"url"}}, {"volumes", {}}, {"chapters", {}}, {"images", {}}, {"sources", {}}}));
    while (*records().reindex(1000)) {
    }
    put("novels", kNovel, R"({"url":"https://novels.example.test/book/1","title":"My Novel"})", "novels");
    put("volumes", kVolume, R"({"novel_id":")" + kNovel + R"(","serial":3,"title":"V"})", kNovel);
    put("chapters", kChapter, R"({"novel_id":")" + kNovel + R"(","serial":17,"title":"C"})", kNovel);
    put("images", kImage, R"({"novel_id":")" + kNovel + R"(","url":"https://i.example.test/1.png"})", kChapter);
    put("sources", "off.example.test", R"({"is_disabled":true,"disable_reason":"Gone"})", "");
    put("sources", "novels.example.test", R"({"is_disabled":false,"disable_reason":null})", "");
  }

  ApiHost host_;
  std::map<std::string, std::string> ids_;
  std::string ann_, bob_;
};

TEST_F(LncrawlJobs, Item3FetchNovelAnswersTheJobWithEveryKey) {
  const auto answer = create("fetch-novel", R"({"url":"HTTPS://Novels.Example.Test:443/a/../book/1"})", ann_);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const auto id = memberOf(answer.body, "id");
  const auto now = std::to_string(core::toMicros(host_.clock().now()) / 1000);
  EXPECT_EQ(answer.body, R"({"id":")" + id + R"(","created_at":)" + now + R"(,"updated_at":)" + now +
                             R"(,"extra":{"url":"https://novels.example.test/book/1"},"user_id":")" + ids_["ann"] +
                             R"(","parent_job_id":null,"depends_on":null,"type":0,"priority":2,"status":0,)"
                             R"("is_done":false,"error":null,"started_at":null,"finished_at":null,"done":0,)"
                             R"("failed":0,"total":1,"is_running":0,"is_pending":1,"progress":0,)"
                             R"("job_title":"https://novels.example.test/book/1"})");
  EXPECT_EQ(get("/api/job/" + id, bob_).body, answer.body) << "anybody may look";
  const auto claimed = host_.start(number(id));
  host_.note(claimed, "novel_id", R"(")" + kNovel + R"(")");
  const auto running = get("/api/job/" + id, ann_).body;
  EXPECT_TRUE(has(running, R"("status":1,"is_done":false)")) << running;
  EXPECT_TRUE(has(running, R"("is_running":1,"is_pending":0)")) << running;
  host_.settle(claimed, OutcomeKind::Succeeded, "{}");
  const auto ended = get("/api/job/" + id, ann_).body;
  EXPECT_TRUE(has(ended, R"("novel_id":")" + kNovel + R"("})")) << ended;
  EXPECT_TRUE(has(ended, R"("status":2,"is_done":true,"error":null)")) << ended;
  EXPECT_TRUE(has(ended, R"("done":1,"failed":0,"total":1,"is_running":0,"is_pending":0,"progress":100)")) << ended;
  EXPECT_NE(rawOf(ended, "finished_at"), "null");
}

TEST_F(LncrawlJobs, Item2FaultsNameTheFieldAndTheReason) {
  struct Row {
    std::string target, body, type, where;
  };
  const std::string novel = "/api/job/create/fetch-novel";
  const Row rows[] = {
      {"/api/jobs?limit=101", "", "less_than_equal", R"(["query","limit"])"},
      {"/api/jobs?limit=-1", "", "greater_than_equal", R"(["query","limit"])"},
      {"/api/jobs?offset=x", "", "int_parsing", R"(["query","offset"])"},
      {"/api/jobs?type=2", "", "enum", R"(["query","type"])"},
      {"/api/jobs?status=9", "", "enum", R"(["query","status"])"},
      {"/api/jobs?priority=3", "", "enum", R"(["query","priority"])"},
      {"/api/jobs?is_done=maybe", "", "bool_parsing", R"(["query","is_done"])"},
      {novel, R"({"url":"https://a.test","full":"zzz"})", "bool_parsing", R"(["body","full"])"},
      {novel, R"({"url":"https://a.test","full":[]})", "bool_type", R"(["body","full"])"},
      {novel, "{}", "missing", R"(["body","url"])"},
      {novel, "", "missing", R"(["body"])"},
      {novel, "{", "json_invalid", R"(["body",0])"},
      {novel, "[]", "model_attributes_type", R"(["body"])"},
      {novel, R"({"url":7})", "url_type", R"(["body","url"])"},
      {novel, R"({"url":"ftp://a.test"})", "url_scheme", R"(["body","url"])"},
      {novel, R"({"url":"a.test"})", "url_parsing", R"(["body","url"])"},
      {novel, R"({"url":"https://a.test/)" + std::string(2083, 'x') + R"("})", "url_too_long", R"(["body","url"])"},
      {"/api/job/create/fetch-novels", R"({"urls":"https://a.test"})", "list_type", R"(["body","urls"])"},
      {"/api/job/create/fetch-novels", R"({"urls":["https://a.test","x"]})", "url_parsing", R"(["body","urls",1])"},
      {"/api/job/create/fetch-volumes", R"({"volumes":[7]})", "string_type", R"(["body","volumes",0])"},
      {"/api/job/create/make-artifacts", R"({"novel_id":"x","formats":["epub","exe"]})", "enum",
       R"(["body","formats",1])"},
  };
  for (const auto& row : rows) {
    const bool list = row.target.starts_with("/api/jobs");
    const auto answer = list ? get(row.target, ann_) : post(row.target, row.body, ann_);
    EXPECT_EQ(answer.status, 422) << row.target << " " << row.body << " " << answer.body;
    EXPECT_EQ(answer.body.find(R"({"detail":[{"type":")" + row.type + R"(","loc":)" + row.where + ","), 0U)
        << row.body << " " << answer.body;
  }
  for (const std::string word : {"true", "1", "\"yes\"", "\"ON\"", "\"t\""}) {
    const auto answer = post(novel, R"({"url":"https://a.test","full":)" + word + "}", ann_);
    EXPECT_EQ(rawOf(answer.body, "type"), "5") << word << answer.body;
  }
  for (const std::string word : {"false", "0", "\"no\"", "\"off\"", "\"F\""}) {
    EXPECT_EQ(rawOf(post(novel, R"({"url":"https://a.test","full":)" + word + "}", ann_).body, "type"), "0") << word;
  }
}

TEST_F(LncrawlJobs, AListThatMakesAJobTooLargeIsAFaultOfItsField) {
  const auto listOf = [](const std::string& member, const std::string& item, int count) {
    std::string body = "{\"" + member + "\":[";
    for (int i = 0; i < count; ++i) body += (i == 0 ? "\"" : ",\"") + item + std::to_string(i) + "\"";
    return body + "]}";
  };
  for (const int count : {100'000, 100'001}) {  // too many bytes, and too many items
    for (const std::string member : {"urls", "volumes", "chapters", "images"}) {
      const auto route = member == "urls" ? std::string("fetch-novels") : "fetch-" + member;
      const auto answer = create(route, listOf(member, "https://a.test/book/", count), ann_);
      EXPECT_EQ(answer.status, 422) << member << count << answer.body.substr(0, 500);
      EXPECT_EQ(answer.body.find(R"({"detail":[{"type":"too_long","loc":["body",")" + member + R"("],"msg":"List )"),
                0U)
          << answer.body.substr(0, 500);
    }
  }
  EXPECT_EQ(create("fetch-novels", listOf("urls", "https://a.test/book/", 100), ann_).status, 200);
}

TEST_F(LncrawlJobs, Item6ListsShowRootsNewestFirstAndChildrenOldestFirst) {
  const auto first = fetchNovel(ann_, "1"), second = fetchNovel(ann_, "2"), third = fetchNovel(bob_, "3");
  host_.submit("echo");
  host_.submit("novel", R"({"url":"https://native.example.test/"})");  // made elsewhere: no root of this surface
  const auto volume = child(first, "volume_batch"), artifact = child(first, "artifact");
  const auto order = [](const std::string& body) {
    std::vector<std::string> ids;
    for (auto at = body.find("{\"id\":\""); at != std::string::npos; at = body.find("{\"id\":\"", at + 1)) {
      ids.push_back(body.substr(at + 7, 36));
    }
    return ids;
  };
  using Ids = std::vector<std::string>;
  const auto all = get("/api/jobs", bob_);
  EXPECT_EQ(all.body.find(R"({"total":3,"offset":0,"limit":20,"items":[{)"), 0U) << all.body;
  EXPECT_EQ(order(all.body), (Ids{third, second, first}));
  EXPECT_EQ(order(get("/api/jobs?parent_job_id=" + first, bob_).body), (Ids{volume, artifact}));
  const auto page = get("/api/jobs?offset=1&limit=1", ann_);
  EXPECT_EQ(page.body.find(R"({"total":3,"offset":1,"limit":1,)"), 0U) << page.body;
  EXPECT_EQ(order(page.body), Ids{second});
  EXPECT_EQ(get("/api/jobs?limit=0", ann_).body, R"({"total":3,"offset":0,"limit":0,"items":[]})");
  EXPECT_EQ(get("/api/jobs?offset=9", ann_).body, R"({"total":3,"offset":9,"limit":20,"items":[]})");
  EXPECT_EQ(order(get("/api/jobs?user_id=" + ids_["ann"], bob_).body), (Ids{second, first}));
  EXPECT_EQ(order(get("/api/jobs?priority=0", ann_).body), Ids{third});
  EXPECT_EQ(order(get("/api/jobs?type=5", ann_).body), Ids{});
  EXPECT_EQ(order(get("/api/jobs?type=0&status=0", ann_).body), (Ids{third, second, first}));
  EXPECT_EQ(post("/api/job/" + second + "/cancel", "", ann_).body, "true");
  EXPECT_EQ(order(get("/api/jobs?status=4", ann_).body), Ids{second});
  EXPECT_EQ(order(get("/api/jobs?is_done=true", ann_).body), Ids{second});
  EXPECT_EQ(order(get("/api/jobs?is_done=false", ann_).body), (Ids{third, first}));
  EXPECT_EQ(order(get("/api/jobs?is_done=false&status=4", ann_).body), Ids{});
  EXPECT_EQ(order(get("/api/jobs?parent_job_id=nonsense", ann_).body), Ids{});
}

TEST_F(LncrawlJobs, ThatAreNoneAnswerNoSuchJob) {
  const std::string none = R"({"error":"No such job","detail":null})";
  const auto key = api::ensureSecret(host_.data(), "lncrawl.key");
  const api::lncrawl::JobUuids ids(*key);
  const auto echo = ids.spell({host_.submit("echo")});
  for (const auto& id :
       {std::string("1"), std::string("5b0c7f0e-6a0f-4a35-9a34-3e0a3f1c9d11"), ids.spell({99999}), echo}) {
    for (const std::string method : {"GET", "DELETE"}) {
      const auto answer = host_.bare(method, "/api/job/" + id, "", ann_);
      EXPECT_EQ(answer.status, 404) << id;
      EXPECT_EQ(answer.body, none);
    }
    EXPECT_EQ(post("/api/job/" + id + "/cancel", "", ann_).body, none);
    EXPECT_EQ(post("/api/job/" + id + "/replay", "", ann_).body, none);
  }
}

TEST_F(LncrawlJobs, Item7CancelIsForTheOwnerAndAdminsAndTakesTheTreeAlong) {
  const auto root = fetchNovel(ann_);
  host_.settle(host_.start(number(root)), OutcomeKind::Succeeded, "{}");  // and then waits for nothing
  const auto other = fetchNovel(ann_, "2");
  const auto batch = child(other, "volume_batch");
  const auto refused = post("/api/job/" + other + "/cancel", "", bob_);
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.body, R"({"error":"Forbidden","detail":null})");
  EXPECT_EQ(host_.bare("DELETE", "/api/job/" + other, "", bob_).status, 403);
  EXPECT_EQ(post("/api/job/" + other + "/cancel", "", ann_).body, "true");
  const auto canceled = get("/api/job/" + other, ann_).body;
  EXPECT_TRUE(has(canceled, R"("status":4,"is_done":true,"error":"Canceled by user")")) << canceled;
  EXPECT_NE(rawOf(canceled, "started_at"), "null");
  EXPECT_NE(rawOf(canceled, "finished_at"), "null");
  EXPECT_NE(rawOf(canceled, "progress"), "100");
  const auto below = get("/api/job/" + batch, ann_).body;
  EXPECT_TRUE(has(below, R"("status":4,"is_done":true,"error":"Canceled by one of the parent")")) << below;
  const auto third = fetchNovel(ann_, "3");
  EXPECT_EQ(post("/api/job/" + third + "/cancel", "", token("root")).body, "true");
  EXPECT_TRUE(has(get("/api/job/" + third, ann_).body, R"("error":"Canceled by admin")"));
}

TEST_F(LncrawlJobs, WhatIsBelowAJobThatFailedIsCanceledAsWithACancel) {
  const auto root = fetchNovel(ann_);
  const auto running = host_.start(number(root));
  const auto batch = child(root, "volume_batch"), volume = child(batch, "volume");
  core::JobError error{core::ErrorClass::Upstream, "novel.no_requests", "Failed to create requests", ""};
  host_.settle(running, OutcomeKind::Failed, "", error);
  const auto failed = get("/api/job/" + root, ann_).body;
  EXPECT_TRUE(has(failed, R"("status":3,"is_done":true,"error":"Failed to create requests")")) << failed;
  EXPECT_TRUE(has(failed, R"("done":3,"failed":3,"total":3)")) << failed;
  for (const auto& id : {batch, volume}) {
    const auto below = get("/api/job/" + id, ann_).body;
    EXPECT_TRUE(has(below, R"("status":4,"is_done":true,"error":"Canceled by one of the parent")")) << below;
    EXPECT_NE(rawOf(below, "started_at"), "null");
    EXPECT_NE(rawOf(below, "finished_at"), "null");
  }
}

TEST_F(LncrawlJobs, Item8CancelOfAFinishedJobLeavesItUnchanged) {
  const auto id = fetchNovel(ann_);
  host_.settle(host_.start(number(id)), OutcomeKind::Succeeded, "{}");
  const auto before = get("/api/job/" + id, ann_).body;
  host_.clock().advance(5s);
  EXPECT_EQ(post("/api/job/" + id + "/cancel", "", ann_).body, "true");
  EXPECT_EQ(get("/api/job/" + id, ann_).body, before);
}

TEST_F(LncrawlJobs, Item8CancelOfARunningJobAnswersWhenItHasEnded) {
  const auto id = fetchNovel(ann_);
  const auto claimed = host_.start(number(id));
  auto answer = std::async(std::launch::async, [&] { return post("/api/job/" + id + "/cancel", "", ann_); });
  // The attempt hears of it, and ends.
  while (!job(id).cancel_requested) std::this_thread::yield();
  core::JobError error{core::ErrorClass::Transient, "canceled", "Canceled by user", ""};
  host_.settle(claimed, OutcomeKind::Canceled, "", error);
  EXPECT_EQ(answer.get().body, "true");
  EXPECT_TRUE(has(get("/api/job/" + id, ann_).body, R"("status":4,"is_done":true)"));
}

TEST_F(LncrawlJobs, FailedOnesShowTheCauseBeforeTheSummary) {
  const auto id = fetchNovel(ann_);
  core::JobError error{core::ErrorClass::Upstream, "novel.fetch_failed", "Failed to fetch novel",
                       R"({"cause":"HTTPError: 403 Client Error: Forbidden for url: https://a.test/"})"};
  host_.settle(host_.start(number(id)), OutcomeKind::Failed, "", error);
  const auto body = get("/api/job/" + id, ann_).body;
  EXPECT_TRUE(has(body, R"("status":3,"is_done":true,"error":"HTTPError: 403 Client Error: Forbidden for url: )"
                        R"(https://a.test/\nFailed to fetch novel")"))
      << body;
  EXPECT_TRUE(has(body, R"("done":1,"failed":1,"total":1)")) << body;
  const auto second = fetchNovel(ann_, "2");
  error.details_json.clear();
  host_.settle(host_.start(number(second)), OutcomeKind::Failed, "", error);
  EXPECT_TRUE(has(get("/api/job/" + second, ann_).body, R"("error":"Failed to fetch novel")"));
}

TEST_F(LncrawlJobs, Item9ReplayMakesARootOfTheSameParametersForTheCaller) {
  const auto root = fetchNovel(ann_);
  const auto chapter = child(root, "chapter", R"({"chapter_id":"c","novel_id":"n"})");
  const auto before = get("/api/job/" + chapter, ann_).body;
  const auto answer = post("/api/job/" + chapter + "/replay",
                           R"({"headers":{"Content-Type":"application/x-www-form-urlencoded"}})", bob_);
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_NE(memberOf(answer.body, "id"), chapter);
  EXPECT_TRUE(has(answer.body, R"("extra":{"chapter_id":"c","novel_id":"n"},"user_id":")" + ids_["bob"] +
                                   R"(","parent_job_id":null,"depends_on":null,"type":10,"priority":0,"status":0,)"))
      << answer.body;
  EXPECT_EQ(get("/api/job/" + chapter, ann_).body, before);
  EXPECT_EQ(post("/api/job/" + chapter + "/replay", "", ann_).status, 200) << "a body is not asked for";
}

TEST_F(LncrawlJobs, Item9ReplayLeavesResultsBehind) {
  const auto id = fetchNovel(ann_);
  const auto claimed = host_.start(number(id));
  host_.note(claimed, "artifact_id", R"("a")");
  host_.settle(claimed, OutcomeKind::Succeeded, "{}");
  EXPECT_TRUE(has(get("/api/job/" + id, ann_).body, R"("artifact_id":"a")"));
  EXPECT_FALSE(has(post("/api/job/" + id + "/replay", "", ann_).body, "artifact_id"));
}

TEST_F(LncrawlJobs, Item9ReplayKeepsTheNovelThatAJobLearnedOf) {
  const auto id = fetchNovel(ann_);
  const auto claimed = host_.start(number(id));
  host_.note(claimed, "novel_id", R"("n")");
  host_.settle(claimed, OutcomeKind::Succeeded, "{}");
  const auto again = post("/api/job/" + id + "/replay", "", ann_).body;
  EXPECT_TRUE(has(again, R"("novel_id":"n"})")) << again;
  EXPECT_TRUE(has(again, R"("extra":{"url":"https://)")) << again;
}

TEST_F(LncrawlJobs, Item10DeleteRemovesTheTree) {
  const auto root = fetchNovel(ann_);
  const auto batch = child(root, "volume_batch");
  const auto answer = host_.bare("DELETE", "/api/job/" + root, "", ann_);
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.body, "true");
  EXPECT_EQ(get("/api/job/" + root, ann_).status, 404);
  EXPECT_EQ(get("/api/job/" + batch, ann_).status, 404);
  EXPECT_EQ(get("/api/jobs", ann_).body, R"({"total":0,"offset":0,"limit":20,"items":[]})");
}

TEST_F(LncrawlJobs, Item10DeleteOfARunningChapterTakesItOutOfItsAncestorsAtOnce) {
  const auto root = fetchNovel(ann_), batch = child(root, "volume_batch"), volume = child(batch, "volume"),
             one = child(volume, "chapter"), two = child(volume, "chapter"), artifact = child(root, "artifact");
  for (const auto& id : {root, batch, volume, one}) host_.settle(host_.start(number(id)), OutcomeKind::Succeeded, "{}");
  const auto running = host_.start(number(two));
  host_.settle(host_.start(number(artifact)), OutcomeKind::Succeeded, "{}");
  const auto before = get("/api/job/" + root, ann_).body;
  EXPECT_TRUE(has(before, R"("done":5,"failed":0,"total":6,"is_running":1)")) << before;
  EXPECT_EQ(host_.bare("DELETE", "/api/job/" + two, "", ann_).body, "true");
  EXPECT_EQ(job(two).state, core::JobState::Running) << "its attempt goes on";
  const auto after = get("/api/job/" + root, ann_).body;
  EXPECT_TRUE(has(after, R"("status":2,"is_done":true,"error":null)")) << after;
  EXPECT_TRUE(has(after, R"("done":5,"failed":0,"total":5,)")) << after;
  EXPECT_TRUE(has(get("/api/job/" + volume, ann_).body, R"("done":2,"failed":0,"total":2,)"));
  core::JobError error{core::ErrorClass::Transient, "canceled", "Canceled by user", ""};
  host_.settle(running, OutcomeKind::Canceled, "", error);
  std::promise<void> swept;
  host_.store().tick([&](const core::Result<store::TickResult>&) { swept.set_value(); });
  swept.get_future().get();
  EXPECT_EQ(get("/api/job/" + two, ann_).status, 404);
  EXPECT_EQ(get("/api/job/" + root, ann_).body, after) << "its end brought nothing";
}

TEST_F(LncrawlJobs, Item12TheTierIsThePriorityAndTheLowestQueuesOneByOne) {
  const auto premium = user("premium", 1);
  const auto low = fetchNovel(bob_), middle = fetchNovel(premium), high = fetchNovel(ann_);
  EXPECT_EQ(job(low).priority, 0);
  EXPECT_EQ(job(middle).priority, 1);
  EXPECT_EQ(job(high).priority, 2);
  EXPECT_TRUE(job(high).queue_key.empty());
  EXPECT_TRUE(job(middle).queue_key.empty());
  EXPECT_FALSE(job(low).queue_key.empty());
  const auto second = fetchNovel(bob_, "2");
  EXPECT_EQ(job(second).queue_key, job(low).queue_key);
  const auto vip = user("beyond", 7);
  EXPECT_EQ(job(fetchNovel(vip)).priority, 2);
}

TEST_F(LncrawlJobs, Item13OneIdOrSeveralGiveASingleOrABatch) {
  addNovel();
  const auto one = create("fetch-volumes", R"({"volumes":[")" + kVolume + R"(",")" + kVolume + R"("]})", ann_);
  ASSERT_EQ(one.status, 200) << one.body;
  EXPECT_TRUE(has(one.body, R"("extra":{"volume_id":")" + kVolume + R"(","volume_serial":3,"novel_id":")" + kNovel +
                                R"(","novel_title":"My Novel"})"))
      << one.body;
  EXPECT_EQ(rawOf(one.body, "type"), "20");
  EXPECT_TRUE(has(one.body, R"("job_title":"My Novel · Volume 3")")) << one.body;
  const auto two = create("fetch-volumes", R"({"volumes":["b","a","b"]})", ann_);
  EXPECT_TRUE(has(two.body, R"("extra":{"volume_ids":["b","a"]})")) << "several are not looked up: " << two.body;
  EXPECT_EQ(rawOf(two.body, "type"), "21");
  EXPECT_TRUE(has(two.body, R"("job_title":"Fetch 2 Volumes")")) << two.body;

  const auto chapter = create("fetch-chapters", R"({"chapters":[")" + kChapter + R"("]})", ann_);
  EXPECT_TRUE(has(chapter.body, R"("extra":{"chapter_id":")" + kChapter + R"(","chapter_serial":17,"novel_id":")" +
                                    kNovel + R"(","novel_title":"My Novel"})"))
      << chapter.body;
  EXPECT_EQ(rawOf(chapter.body, "type"), "10");
  EXPECT_EQ(rawOf(create("fetch-chapters", R"({"chapters":["a","b"]})", ann_).body, "type"), "11");

  const auto image = create("fetch-images", R"({"images":[")" + kImage + R"("]})", ann_);
  EXPECT_TRUE(has(image.body, R"("extra":{"image_id":")" + kImage + R"(","url":"https://i.example.test/1.png"})"))
      << image.body;
  EXPECT_EQ(rawOf(image.body, "type"), "30");
  EXPECT_TRUE(has(image.body, R"("job_title":"https://i.example.test/1.png")"));
  EXPECT_EQ(rawOf(create("fetch-images", R"({"images":["a","b"]})", ann_).body, "type"), "31");

  const std::pair<std::string, std::string> words[] = {
      {"volumes", "volume"}, {"chapters", "chapter"}, {"images", "file"}};
  for (const auto& [member, word] : words) {
    const auto none = create("fetch-" + member, R"({")" + member + R"(":[]})", ann_);
    EXPECT_EQ(none.status, 422);
    EXPECT_EQ(none.body, R"({"error":"No )" + member + R"( to download","detail":null})");
    const auto unknown = create("fetch-" + member, R"({")" + member + R"(":["x"]})", ann_);
    EXPECT_EQ(unknown.status, 404);
    EXPECT_EQ(unknown.body, R"({"error":"No such )" + word + R"(","detail":null})");
  }
}

TEST_F(LncrawlJobs, Item14ArtifactsAreThoseTheTierAllows) {
  addNovel();
  const auto make = [&](const std::string& formats, const std::string& who, const std::string& novel = kNovel) {
    return create("make-artifacts", R"({"novel_id":")" + novel + R"(","formats":)" + formats + "}", who);
  };
  const auto low = make(R"(["pdf","epub"])", bob_);
  ASSERT_EQ(low.status, 200) << low.body;
  EXPECT_TRUE(has(low.body, R"("extra":{"novel_id":")" + kNovel + R"(","formats":["epub"],"novel_title":"My Novel"})"))
      << low.body;
  EXPECT_EQ(rawOf(low.body, "type"), "41") << "also for one format";
  EXPECT_TRUE(has(low.body, R"("job_title":"My Novel · epub")"));
  for (const std::string formats : {R"(["pdf"])", "[]"}) {
    const auto none = make(formats, bob_);
    EXPECT_EQ(none.status, 422);
    EXPECT_EQ(none.body, R"({"error":"No artifacts to create","detail":null})");
  }
  const auto high = make(R"(["epub","pdf","mobi","epub"])", ann_);
  EXPECT_TRUE(has(high.body, R"("formats":["epub","pdf","mobi"])")) << high.body;
  EXPECT_TRUE(has(high.body, R"("job_title":"My Novel · epub, pdf & 1 more")")) << high.body;
  const auto unknown = make(R"(["epub"])", ann_, "none");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.body, R"({"error":"No such novel","detail":null})");
}

TEST(LncrawlFormats, OfATier) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(api::lncrawl::formatsOf(0), (Names{"epub", "json"}));
  EXPECT_EQ(api::lncrawl::formatsOf(1),
            (Names{"azw3", "docx", "epub", "fb2", "json", "lit", "mobi", "pdb", "tcr", "txt"}));
  EXPECT_EQ(api::lncrawl::formatsOf(2).size(), 14U);
}

TEST_F(LncrawlJobs, FetchNovelKnowsTheNovelAndRefusesSourcesThatAreOff) {
  addNovel();
  const auto known = create("fetch-novel", R"({"url":"https://novels.example.test/book/1","full":true})", bob_);
  ASSERT_EQ(known.status, 200) << known.body;
  EXPECT_TRUE(has(known.body, R"("extra":{"url":"https://novels.example.test/book/1","novel_id":")" + kNovel + R"("})"))
      << known.body;
  EXPECT_EQ(rawOf(known.body, "type"), "5") << "a single full novel is allowed to every tier";
  const auto off = create("fetch-novel", R"({"url":"https://www.off.example.test/book/1"})", ann_);
  EXPECT_EQ(off.status, 422);
  EXPECT_EQ(off.body, R"({"error":"The requested domain is rejected","detail":"Gone"})");
}

TEST(LncrawlSources, WithoutASpecAreRefusedWhereTheGenericOneIsOff) {
  api::ServerOptions options;
  options.lncrawl.any_site = false;
  ApiHost host(options);
  host.addType("novel", {});
  host.addUser("ann");
  const auto headers = "Authorization: Basic " + api::toBase64("ann:correct horse ann") + "\r\n";
  const auto answer =
      host.bare("POST", "/api/job/create/fetch-novel", R"({"url":"https://www.none.example.test/1"})", headers);
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.body, R"({"error":"No crawler found for the domain","detail":"none.example.test"})");
}

TEST_F(LncrawlJobs, FetchNovelsIsABatchWhoseFullFormNeedsATier) {
  const auto two = create("fetch-novels",
                          R"({"urls":["https://a.test/1","https://A.test/1","https://a.test/2"],"full":true})", ann_);
  ASSERT_EQ(two.status, 200) << two.body;
  EXPECT_TRUE(has(two.body, R"("extra":{"urls":["https://a.test/1","https://a.test/2"]})")) << two.body;
  EXPECT_EQ(rawOf(two.body, "type"), "6");
  EXPECT_TRUE(has(two.body, R"("job_title":"https://a.test/1 & 1 more")")) << two.body;
  const auto refused = create("fetch-novels", R"({"urls":["https://a.test/1"],"full":true})", bob_);
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.body, R"({"error":"Full novel is not allowed for this user","detail":null})");
  const auto one = create("fetch-novels", R"({"urls":["https://a.test/1"]})", bob_);
  EXPECT_EQ(rawOf(one.body, "type"), "1") << one.body;
  EXPECT_TRUE(has(one.body, R"("job_title":"https://a.test/1")")) << one.body;
  const auto none = create("fetch-novels", R"({"urls":[]})", ann_);
  EXPECT_EQ(none.status, 422);
  EXPECT_EQ(none.body, R"({"error":"No novels to download","detail":null})");
}

TEST_F(LncrawlJobs, TheReadersFetchAnswersAJobThatHasNotComeToNothing) {
  addNovel();
  const auto target = "/api/chapter/" + kChapter + "/fetch";
  const auto first = memberOf(get(target, ann_).body, "id");
  EXPECT_EQ(memberOf(get(target, ann_).body, "id"), first);
  EXPECT_NE(memberOf(get(target, bob_).body, "id"), first) << "another's is not answered";
  post("/api/job/" + first + "/cancel", "", ann_);
  const auto second = memberOf(get(target, ann_).body, "id");
  EXPECT_NE(second, first);
  EXPECT_EQ(get("/api/chapter/none/fetch", ann_).body, R"({"error":"No such chapter","detail":null})");
  post("/api/job/" + second + "/cancel", "", ann_);
  std::vector<std::future<std::string>> at_once;
  for (int i = 0; i < 8; ++i) {
    at_once.push_back(std::async(std::launch::async, [&] { return memberOf(get(target, ann_).body, "id"); }));
  }
  std::set<std::string> answered;
  for (auto& one : at_once) answered.insert(one.get());
  EXPECT_EQ(answered.size(), 1U) << "who asks at once gets one job too";
  EXPECT_EQ(host_.bare("HEAD", target, "", ann_).status, 405);
  const auto volume = get("/api/volume/" + kVolume + "/fetch", ann_);
  EXPECT_EQ(rawOf(volume.body, "type"), "20");
  EXPECT_NE(memberOf(get("/api/volume/" + kVolume + "/fetch", ann_).body, "id"), memberOf(volume.body, "id"));
}

TEST_F(LncrawlJobs, EmptyIdsAreNamed) {
  for (const char* what : {"chapters", "volumes", "images"}) {
    const auto answer = create(std::string("fetch-") + what, R"({")" + std::string(what) + R"(":["a",""]})", ann_);
    EXPECT_EQ(answer.status, 422) << what;
    EXPECT_TRUE(has(answer.body, R"("type":"string_too_short","loc":["body",")" + std::string(what) + R"(",1])"))
        << answer.body;
  }
}

TEST_F(LncrawlJobs, WithoutThePluginSaySo) {
  ApiHost bare;
  bare.addUser("ann");
  const auto headers = "Authorization: Basic " + api::toBase64("ann:correct horse ann") + "\r\n";
  const auto answer = bare.bare("POST", "/api/job/create/fetch-novel", R"({"url":"https://a.test/1"})", headers);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, R"({"error":"No plugin for this kind of job is installed","detail":"novel"})");
}

/// Every route for every kind of caller.
TEST_F(LncrawlJobs, AskForTheirPrivilegeOnEveryRoute) {
  host_.addUser("viewer", "viewer");
  struct Caller {
    std::string name, headers;
    std::optional<std::uint32_t> privileges;
  };
  const auto of_role = [](const char* role) { return api::findRole(role)->privileges; };
  const Caller callers[] = {{"nobody", "", std::nullopt},
                            {"a forged token", "Authorization: Bearer a.b.c\r\n", std::nullopt},
                            {"a host's key", "Authorization: Bearer " + host_.adminKey() + "\r\n", std::nullopt},
                            {"a viewer", token("viewer"), of_role("viewer")},
                            {"a user", ann_, of_role("user")},
                            {"an admin", token("root"), of_role("admin")}};
  int seen = 0;
  for (const auto& route : host_.lncrawlRoutes()) {
    for (const auto& caller : callers) {
      auto path = route.pattern;
      for (auto at = path.find('{'); at != std::string::npos; at = path.find('{')) {
        path.replace(at, path.find('}') - at + 1, "none");
      }
      const auto answer = host_.bare(std::string(api::toString(route.method)), path, "", caller.headers);
      SCOPED_TRACE(std::string(api::toString(route.method)) + " " + path + " for " + caller.name + ": " + answer.body);
      ++seen;
      if (route.privilege == api::Privilege::None) {
        EXPECT_NE(answer.status, 403);
      } else if (!caller.privileges) {
        EXPECT_EQ(answer.status, 401);
      } else {
        api::Principal principal;
        principal.privileges = *caller.privileges;
        if (!principal.may(route.privilege)) {
          EXPECT_EQ(answer.status, 403);
          EXPECT_EQ(answer.body, R"({"error":"Forbidden","detail":null})");
        } else {
          EXPECT_NE(answer.status, 401);
          EXPECT_NE(answer.body, R"({"error":"Forbidden","detail":null})");
        }
      }
    }
  }
  EXPECT_GT(seen, 100);
}

TEST_F(LncrawlJobs, AreBegunUntilTheRunnerIsStopped) {
  const auto root = token("root");
  EXPECT_EQ(get("/api/admin/runner/status", root).body, "true");
  EXPECT_EQ(post("/api/admin/runner/stop", "", root).body, "true");
  EXPECT_EQ(get("/api/admin/runner/status", root).body, "false");
  EXPECT_EQ(host_.heldTypes(), api::lncrawl::allTypes());
  EXPECT_EQ(post("/api/admin/runner/start", "", root).body, "true");
  EXPECT_EQ(get("/api/admin/runner/status", root).body, "true");
  EXPECT_TRUE(host_.heldTypes().empty());
}

TEST_F(LncrawlJobs, ThatRunArePutBackByASoftRestart) {
  EXPECT_EQ(post("/api/admin/soft-restart", "", ann_).body, R"({"error":"Forbidden","detail":null})");
  EXPECT_TRUE(host_.putBackTypes().empty());
  const auto root = token("root");
  EXPECT_EQ(post("/api/admin/soft-restart", "", root).body, "true");
  EXPECT_EQ(host_.putBackTypes(), api::lncrawl::allTypes());
  EXPECT_EQ(get("/api/admin/runner/status", root).body, "true");
  EXPECT_EQ(post("/api/admin/runner/stop", "", root).body, "true");
  EXPECT_EQ(post("/api/admin/soft-restart", "", root).body, "true");
  EXPECT_EQ(get("/api/admin/runner/status", root).body, "false") << "what is stopped stays so";
  EXPECT_EQ(host_.heldTypes(), api::lncrawl::allTypes());
}

struct Title {
  int kind;
  std::string params, expected;
};
TEST(LncrawlJobTitle, OfEachKind) {
  const Title rows[] = {
      {0, R"({"url":"u"})", "u"},
      {5, R"({"url":"u"})", "u"},
      {1, R"({"urls":["a"]})", "a"},
      {6, R"({"urls":["a","b","c"]})", "a & 2 more"},
      {10, R"({"chapter_serial":7,"novel_title":"N"})", "N · Chapter 7"},
      {10, R"({"chapter_serial":7})", "Fetch Chapter 7"},
      {10, R"({})", "Fetch Chapter"},
      {11, R"({"chapter_ids":["a","b"],"novel_title":"N"})", "N · 2 Chapters"},
      {20, R"({"volume_serial":1,"novel_title":"\u00e9\""})", "é\" · Volume 1"},
      {21, R"({"volume_ids":["a"]})", "Fetch 1 Volumes"},
      {30, R"({"url":"i","novel_title":"N"})", "i"},
      {31, R"({"image_ids":[],"novel_title":null})", "Fetch 0 Images"},
      {40, R"({"format":"epub","novel_title":"N"})", "N · epub"},
      {41, R"({"formats":["epub","pdf"],"novel_title":"N"})", "N · epub, pdf"},
      {41, R"({"formats":["epub","pdf","rb","fb2"]})", "Fetch epub, pdf & 2 more"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(api::lncrawl::jobTitle(*kindOf(row.kind), row.params), row.expected) << row.params;
  }
}

}  // namespace
}  // namespace jobhost::test
