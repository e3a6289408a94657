// What users keep on the lncrawl surface: libraries, which are collections of novels, and reports.
#include <future>
#include <string>
#include <vector>

#include "dialects/lncrawl_shelves.hpp"

namespace jobhost::test {
namespace {

const std::string kForbidden = R"({"error":"Forbidden","detail":null})";
const std::string kNoPage = R"({"total":0,"offset":0,"limit":20,"items":[]})";

class LncrawlUser : public LncrawlShelves {
 protected:
  LncrawlUser() {
    host_.addUser("other");
    other_ = LncrawlShelves::logIn("other");
    for (const auto& [id, title] : {std::pair{"n1", "One"}, {"n2", "Two"}, {"n3", "Three"}}) {
      shelves_.novel(id, title, "n.example", 1);
      shelves_.flush();
      tick();
    }
  }
  Answer ask(const std::string& token, const std::string& method, const std::string& path,
             const std::string& body = {}) {
    return host_.bare(method, path, body, "Authorization: Bearer " + token + "\r\n");
  }
  Answer mine(const std::string& method, const std::string& path, const std::string& body = {}) {
    return ask(token_, method, path, body);
  }
  std::string library(const std::string& name, bool everybodys = false) {
    const auto made =
        mine("POST", "/api/library", R"({"name":")" + name + R"(","is_public":)" + (everybodys ? "true}" : "false}"));
    EXPECT_EQ(made.status, 200) << made.body;
    tick();
    return memberOf(made.body, "id");
  }
  void put(const std::string& library, const std::string& novel) {
    EXPECT_EQ(mine("PUT", "/api/library/" + library + "/novel/" + novel).body, "true");
    tick();
  }
  Texts names(const std::string& path) { return each(get(path).body, "name"); }
  Texts novelsOf(const std::string& library) { return each(get("/api/library/" + library + "/novels").body, "id"); }
  void tick() { host_.clock().advance(core::Millis(1000)); }
  std::string now() { return std::to_string(core::toMicros(host_.clock().now()) / 1000); }

  std::string other_;
};

TEST_F(LncrawlUser, ThereIsNothingAtFirst) {
  for (const char* path : {"/api/library/my", "/api/library/public", "/api/feedbacks"}) {
    EXPECT_EQ(get(path).body, kNoPage) << path;
    EXPECT_EQ(host_.bare("GET", path).status, 401) << path;
  }
  EXPECT_EQ(get("/api/library/my/list").body, "[]");
  EXPECT_EQ(get("/api/library/all").body, kForbidden);
  EXPECT_EQ(asAdmin("GET", "/api/library/all").body, kNoPage);
  EXPECT_EQ(mine("DELETE", "/api/library/x").body, R"({"error":"No such library","detail":null})");
  for (const char* path : {"/api/library/x/y", "/api/feedback/x/y", "/api/settings/none", "/api/settings"}) {
    EXPECT_EQ(get(path).body, R"({"detail":"Not Found"})") << path << " is not minion's";
  }
}

TEST_F(LncrawlUser, ALibraryIsMadeChangedAndDeleted) {
  const auto made_at = now();
  const auto made = mine("POST", "/api/library", R"({"name":"  To read \"x\" ","description":" later "})");
  const auto id = memberOf(made.body, "id");
  const auto of = [&](const std::string& updated, const std::string& rest) {
    return R"({"id":")" + id + R"(","created_at":)" + made_at + R"(,"updated_at":)" + updated +
           R"(,"extra":{"novel_count":0,"owner_name":"reader"},"user_id":")" + user_ + R"(",)" + rest + "}";
  };
  EXPECT_EQ(made.body, of(made_at, R"("name":"To read \"x\"","description":"later","is_public":false)"));
  EXPECT_EQ(get("/api/library/" + id).body, made.body);
  tick();
  EXPECT_EQ(mine("PATCH", "/api/library/" + id, R"({"name":null,"is_public":true})").body,
            of(now(), R"("name":"To read \"x\"","description":"later","is_public":true)"));
  EXPECT_EQ(mine("PATCH", "/api/library/" + id, R"({"name":"N","description":"","is_public":null})").body,
            of(now(), R"("name":"N","description":null,"is_public":true)"));
  EXPECT_EQ(get("/api/library/my/list").body,
            R"([{"id":")" + id + R"(","name":"N","description":null,"is_public":true}])");
  put(id, "n1");
  EXPECT_EQ(mine("DELETE", "/api/library/" + id).body, "true");
  EXPECT_EQ(get("/api/library/" + id).status, 404);
  EXPECT_EQ(*host_.store().countRecords(lncrawl::kLibraries.all()), 0);
  EXPECT_EQ(*host_.store().countRecords(lncrawl::kLibraryNovels.all()), 0);
}

TEST_F(LncrawlUser, LibrariesAreListedTheLastChangedFirst) {
  const auto first = library("Alpha", true);
  library("Beta \xC3\x84rger");
  library("Gamma", true);
  EXPECT_EQ(names("/api/library/my"), (Texts{"Gamma", "Beta \xC3\x84rger", "Alpha"}));
  put(first, "n1");
  EXPECT_EQ(names("/api/library/my"), (Texts{"Alpha", "Gamma", "Beta \xC3\x84rger"}));
  EXPECT_EQ(names("/api/library/my/list"), (Texts{"Alpha", "Gamma", "Beta \xC3\x84rger"}));
  EXPECT_EQ(names("/api/library/public"), (Texts{"Alpha", "Gamma"}));
  EXPECT_EQ(names("/api/library/my?query=%C3%A4RG"), (Texts{"Beta \xC3\x84rger"}));
  EXPECT_EQ(each(ask(other_, "GET", "/api/library/public").body, "name"), (Texts{"Alpha", "Gamma"}));
  EXPECT_EQ(ask(other_, "GET", "/api/library/my").body, kNoPage);
  EXPECT_EQ(each(asAdmin("GET", "/api/library/all").body, "name").size(), 3U);
  const auto page = get("/api/library/my?offset=1&limit=1").body;
  EXPECT_EQ(headOf(page), R"({"total":3,"offset":1,"limit":1)");
  EXPECT_EQ(each(page, "name"), (Texts{"Gamma"}));
}

TEST_F(LncrawlUser, NovelsAreAddedOnceAndTakenOut) {
  const auto id = library("Mine");
  for (const char* novel : {"n3", "n1", "n2", "n1"}) put(id, novel);
  EXPECT_EQ(novelsOf(id), (Texts{"n3", "n2", "n1"})) << "the last changed first";
  EXPECT_EQ(get("/api/library/" + id + "/novels?offset=1&limit=1").body,
            R"({"total":3,"offset":1,"limit":1,"items":[)" + get("/api/novel/n2").body + "]}");
  EXPECT_NE(get("/api/library/" + id).body.find(R"("novel_count":3)"), std::string::npos);
  EXPECT_EQ(mine("DELETE", "/api/library/" + id + "/novels/n2").body, "true");
  EXPECT_EQ(mine("DELETE", "/api/library/" + id + "/novels/n2").body, "false");
  EXPECT_EQ(mine("PUT", "/api/library/" + id + "/novel/none").body, R"({"error":"No such novel","detail":null})");
  const std::string long_id(600, 'x');
  EXPECT_EQ(mine("PUT", "/api/library/" + id + "/novel/" + long_id).status, 404);
  EXPECT_EQ(mine("DELETE", "/api/library/" + id + "/novels/" + long_id).body, "false");
  EXPECT_EQ(mine("PUT", "/api/library/none/novel/n1").body, R"({"error":"No such library","detail":null})");
  EXPECT_EQ(novelsOf(id), (Texts{"n3", "n1"}));
  EXPECT_EQ(asAdmin("DELETE", "/api/novel/n3").body, "true");
  EXPECT_EQ(novelsOf(id), (Texts{"n1"}));
  EXPECT_NE(get("/api/library/" + id).body.find(R"("novel_count":1)"), std::string::npos);
}

TEST_F(LncrawlUser, APrivateLibraryIsItsOwnersAndTheAdmins) {
  const auto id = library("Mine");
  put(id, "n1");
  const auto path = "/api/library/" + id;
  struct Try {
    const char* method;
    std::string path;
    std::string body;
  };
  const std::vector<Try> reads{{"GET", path, ""}, {"GET", path + "/novels", ""}};
  const std::vector<Try> changes{{"PATCH", path, R"({"name":"x"})"},
                                 {"PUT", path + "/novel/n2", ""},
                                 {"DELETE", path + "/novels/n1", ""},
                                 {"DELETE", path, ""}};
  for (const auto& list : {reads, changes}) {
    for (const auto& [method, target, body] : list) {
      EXPECT_EQ(ask(other_, method, target, body).body, kForbidden) << method << target;
    }
  }
  ASSERT_EQ(mine("PATCH", path, R"({"is_public":true})").status, 200);
  for (const auto& [method, target, body] : reads) EXPECT_EQ(ask(other_, method, target, body).status, 200) << target;
  for (const auto& [method, target, body] : changes) {
    EXPECT_EQ(ask(other_, method, target, body).status, 403) << method << target;
    EXPECT_EQ(host_.bare(method, target, body).status, 401) << method << target;
  }
  for (const auto& [method, target, body] : changes) {
    EXPECT_EQ(ask(admin_, method, target, body).status, 200) << method << target;
  }
}

TEST_F(LncrawlUser, WrongFieldsAreNamedAndNothingIsKept) {
  const auto id = library("Mine");
  const auto text = [](std::size_t bytes) { return "\"" + std::string(bytes, 'x') + "\""; };
  struct Wrong {
    std::string method, path, body, where, type;
  };
  const std::string one = "/api/library/" + id;
  const Wrong cases[] = {
      {"POST", "/api/library", "{}", R"(["body","name"])", "missing"},
      {"POST", "/api/library", R"({"name":" \t "})", R"(["body","name"])", "string_too_short"},
      {"POST", "/api/library", R"({"name":7})", R"(["body","name"])", "string_type"},
      {"POST", "/api/library", R"({"name":)" + text(201) + "}", R"(["body","name"])", "string_too_long"},
      {"POST", "/api/library", R"({"name":"n","description":[]})", R"(["body","description"])", "string_type"},
      {"POST", "/api/library", R"({"name":"n","is_public":"maybe"})", R"(["body","is_public"])", "bool_parsing"},
      {"POST", "/api/library", R"({"name":"n","is_public":null})", R"(["body","is_public"])", "bool_type"},
      {"POST", "/api/library", "[]", R"(["body"])", "model_attributes_type"},
      {"POST", "/api/library", "", R"(["body"])", "missing"},
      {"PATCH", one, R"({"name":""})", R"(["body","name"])", "string_too_short"},
      {"PATCH", one, R"({"description":)" + text(5001) + "}", R"(["body","description"])", "string_too_long"},
      {"PATCH", one, R"({"is_public":{}})", R"(["body","is_public"])", "bool_type"},
      {"POST", "/api/feedback", R"({"type":1,"subject":"s","extra":{"n":[1e999]}})", R"(["body","extra"])",
       "finite_number"},
      {"POST", "/api/feedback", R"({"subject":"s"})", R"(["body","type"])", "missing"},
      {"POST", "/api/feedback", R"({"type":3,"subject":"s"})", R"(["body","type"])", "enum"},
      {"POST", "/api/feedback", R"({"type":null,"subject":"s"})", R"(["body","type"])", "enum"},
      {"POST", "/api/feedback", R"({"type":1,"subject":""})", R"(["body","subject"])", "string_too_short"},
      {"POST", "/api/feedback", R"({"type":1,"subject":"s","message":4})", R"(["body","message"])", "string_type"},
      {"POST", "/api/feedback", R"({"type":1,"subject":"s","extra":[]})", R"(["body","extra"])", "dict_type"},
      {"POST", "/api/feedback", R"({"type":1,"subject":"s","extra":{"a":)" + text(9000) + "}}", R"(["body","extra"])",
       "too_long"},
  };
  for (const auto& [method, path, body, where, type] : cases) {
    const auto answer = mine(method, path, body);
    EXPECT_EQ(answer.status, 422) << method << path << body;
    EXPECT_NE(answer.body.find(R"("type":")" + type + R"(","loc":)" + where), std::string::npos) << answer.body;
  }
  EXPECT_EQ(names("/api/library/my"), (Texts{"Mine"}));
  EXPECT_EQ(get("/api/feedbacks").body, kNoPage);
  for (const char* query : {"limit=101", "offset=-1"}) {
    EXPECT_EQ(get(one + "/novels?" + query).status, 422) << query;
  }
  for (const char* query : {"limit=x", "status=3", "type=x"}) {
    EXPECT_EQ(get(std::string("/api/feedbacks?") + query).status, 422) << query;
  }
}

TEST_F(LncrawlUser, LimitsAreSaid) {
  std::vector<store::RecordWrite> many;
  for (int i = 0; i < 1000; ++i) {
    const auto id = std::to_string(i);
    if (i < 100)
      many.push_back(lncrawl::writeOf(lncrawl::kLibraries, "l" + id, R"({"user_id":")" + user_ + R"(","name":"n"})",
                                      "libraries", 1));
    many.push_back(lncrawl::writeOf(lncrawl::kReports, "r" + id, R"({"user_id":")" + user_ + R"("})", "reports", 1));
    for (int j = 0; j < 2; ++j) {
      many.push_back(lncrawl::writeOf(lncrawl::kLibraryNovels, "l0/" + id + "." + std::to_string(j), "{}", "l0"));
    }
  }
  lncrawl::OwnRecords records(host_.store());
  ASSERT_TRUE(records.write(std::move(many)));
  EXPECT_EQ(mine("POST", "/api/library", R"({"name":"n"})").body,
            R"({"error":"Too many libraries","detail":"One user can have 100"})");
  EXPECT_EQ(mine("POST", "/api/feedback", R"({"type":0,"subject":"s"})").body,
            R"({"error":"Too many reports","detail":"One user can have 1000"})");
  EXPECT_EQ(mine("PUT", "/api/library/l0/novel/n1").body,
            R"({"error":"Too many novels","detail":"A library can have 2000"})");
  EXPECT_EQ(get("/api/library/l0/novels").body, kNoPage) << "none of them is a novel";
  EXPECT_EQ(ask(other_, "POST", "/api/library", R"({"name":"n"})").status, 200) << "of each user";
}

TEST_F(LncrawlUser, ChangesAtOnceAreAllKept) {
  const auto id = library("Mine");
  std::vector<std::future<int>> all;
  for (const char* novel : {"n1", "n2", "n3"}) {
    all.push_back(std::async(std::launch::async,
                             [&, novel] { return mine("PUT", "/api/library/" + id + "/novel/" + novel).status; }));
  }
  all.push_back(std::async(std::launch::async,
                           [&] { return mine("PATCH", "/api/library/" + id, R"({"name":"Renamed"})").status; }));
  for (auto& one : all) EXPECT_EQ(one.get(), 200);
  EXPECT_EQ(novelsOf(id).size(), 3U);
  EXPECT_EQ(names("/api/library/my"), (Texts{"Renamed"}));
}

TEST_F(LncrawlUser, AReportIsKeptAnsweredAndDeleted) {
  const auto made_at = now();
  const auto made =
      mine("POST", "/api/feedback",
           R"({"type":1,"subject":"It fails","message":"at \"3\"","extra":{"job_id":"j","user_name":"x"}})");
  const auto id = memberOf(made.body, "id");
  const auto of = [&](const std::string& updated, const std::string& rest) {
    return R"({"id":")" + id + R"(","created_at":)" + made_at + R"(,"updated_at":)" + updated +
           R"(,"extra":{"job_id":"j","user_name":"reader"},"user_id":")" + user_ + R"(",)" + rest + "}";
  };
  EXPECT_EQ(made.body,
            of(made_at, R"("type":1,"status":0,"subject":"It fails","message":"at \"3\"","admin_notes":null)"));
  const auto path = "/api/feedback/" + id;
  tick();
  EXPECT_EQ(ask(other_, "PUT", path, R"({"subject":"x"})").body, kForbidden);
  EXPECT_EQ(ask(admin_, "PUT", path, R"({"subject":"x"})").body, kForbidden) << "it is its author's";
  EXPECT_EQ(mine("PUT", path, R"({"subject":"It failed","type":null})").body,
            of(now(), R"("type":1,"status":0,"subject":"It failed","message":"at \"3\"","admin_notes":null)"));
  EXPECT_EQ(mine("POST", path + "/respond", R"({"status":2})").body, kForbidden);
  EXPECT_EQ(ask(admin_, "POST", path + "/respond", R"({"admin_notes":"done"})").status, 422);
  EXPECT_EQ(ask(admin_, "POST", path + "/respond", R"({"status":2,"admin_notes":"done"})").body,
            of(now(), R"("type":1,"status":2,"subject":"It failed","message":"at \"3\"","admin_notes":"done")"));
  EXPECT_EQ(ask(admin_, "POST", "/api/feedback/none/respond", R"({"status":2})").status, 404);
  tick();
  ask(other_, "POST", "/api/feedback", R"({"type":2,"subject":"More colours","message":null})");
  EXPECT_EQ(each(get("/api/feedbacks").body, "subject"), (Texts{"More colours", "It failed"})) << "the newest first";
  EXPECT_EQ(each(get("/api/feedbacks?status=2").body, "subject"), (Texts{"It failed"}));
  EXPECT_EQ(each(get("/api/feedbacks?type=2").body, "subject"), (Texts{"More colours"}));
  EXPECT_EQ(each(get("/api/feedbacks?search=AT%20%22").body, "subject"), (Texts{"It failed"}));
  EXPECT_EQ(get("/api/feedbacks?search=colours&status=1").body, kNoPage);
  EXPECT_EQ(ask(other_, "GET", path).status, 200) << "everybody reads them";
  EXPECT_EQ(ask(other_, "DELETE", path).body, kForbidden);
  EXPECT_EQ(mine("DELETE", path).body, "true");
  EXPECT_EQ(mine("DELETE", path).body, "true");
  EXPECT_EQ(get(path).body, R"({"error":"No such feedback","detail":null})");
}

TEST_F(LncrawlUser, LengthsAreOfCharacters) {
  std::string name;
  for (int i = 0; i < 200; ++i) name += "\xE4\xB8\xAD";
  EXPECT_EQ(mine("POST", "/api/library", R"({"name":")" + name + R"("})").status, 200);
  EXPECT_EQ(mine("POST", "/api/library", R"({"name":")" + name + R"(x"})").status, 422);
  std::string escaped;  // more of a body than of a text
  for (int i = 0; i < 5000; ++i) escaped += "\\u4e2d";
  EXPECT_EQ(mine("POST", "/api/feedback", R"({"type":0,"subject":"s","message":")" + escaped + R"("})").status, 200);
}

TEST_F(LncrawlUser, WhoMayOnlyLookMakesNothing) {
  host_.addUser("guest", "viewer");
  const auto guest = LncrawlShelves::logIn("guest");
  const auto id = library("Everybody's", true);
  EXPECT_EQ(ask(guest, "GET", "/api/library/" + id).status, 200);
  EXPECT_EQ(ask(guest, "POST", "/api/library", R"({"name":"n"})").body, kForbidden);
  EXPECT_EQ(ask(guest, "POST", "/api/feedback", R"({"type":0,"subject":"s"})").body, kForbidden);
}

TEST_F(LncrawlUser, WhatADeletedUserHadGoes) {
  const auto id = library("Mine", true);
  put(id, "n1");
  library("Private");
  const auto report = memberOf(mine("POST", "/api/feedback", R"({"type":0,"subject":"mine"})").body, "id");
  ask(other_, "POST", "/api/feedback", R"({"type":0,"subject":"other"})");
  ASSERT_TRUE(host_.accounts().remove(user_, api::Actor{}));
  EXPECT_EQ(ask(other_, "GET", "/api/library/" + id).status, 404);
  EXPECT_EQ(ask(other_, "GET", "/api/feedback/" + report).status, 404);
  EXPECT_EQ(ask(other_, "GET", "/api/library/public").body, kNoPage);
  EXPECT_EQ(asAdmin("GET", "/api/library/all").body, kNoPage);
  EXPECT_EQ(each(ask(other_, "GET", "/api/feedbacks").body, "subject"), (Texts{"other"}));
  for (const auto& [shelf, left] :
       {std::pair{lncrawl::kLibraries, 0}, {lncrawl::kLibraryNovels, 0}, {lncrawl::kReports, 1}}) {
    EXPECT_EQ(*host_.store().countRecords(shelf.all()), left) << shelf.collection;
  }
}

TEST_F(LncrawlUser, ARemovalThatWasCutShortIsFinished) {
  lncrawl::OwnRecords records(host_.store());
  ASSERT_TRUE(records.write({lncrawl::writeOf(lncrawl::kLibraries, "half", "{}"),
                             lncrawl::writeOf(lncrawl::kLibraryNovels, "half/n1", R"({"novel_id":"n1"})", "half")}));
  EXPECT_EQ(get("/api/library/half").status, 404);
  EXPECT_EQ(*host_.store().countRecords(lncrawl::kLibraries.all()), 0);
  EXPECT_EQ(*host_.store().countRecords(lncrawl::kLibraryNovels.all()), 0);
}

TEST_F(LncrawlUser, MailsAreRefusedAsNoneIsSent) {
  const auto answer = mine("PUT", "/api/settings/notifications", R"({"email_alerts":{"10":true}})");
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(memberOf(answer.body, "error"), "No mail is sent from here");
  EXPECT_EQ(host_.bare("PUT", "/api/settings/notifications", "{}").status, 401);
}

}  // namespace
}  // namespace jobhost::test
