// What every store of principals keeps to, whatever engine is behind it.
#include "store/principal_store.hpp"
#include "unit/store/store_contract.hpp"

namespace jobhost::store {
namespace {

using namespace std::chrono_literals;
using core::ErrorCode;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class PrincipalContract : public testing::TestWithParam<StoreFactory>, public StoreHarness {
 protected:
  PrincipalContract() : StoreHarness(GetParam()) {}
  PrincipalStore& principals() { return dynamic_cast<PrincipalStore&>(*store); }

  AuditEntry by(const std::string& action = "act", const std::string& target = "t") {
    return {clock.now(), "admin-id", "admin", action, target, "127.0.0.1", R"({"a":1})"};
  }
  User user(const std::string& id, const std::string& name) {
    User one;
    one.id = id;
    one.name = name;
    one.name_key = name;
    for (auto& c : one.name_key) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    one.role = "user";
    one.tier = 2;
    one.password = "$argon2id$hash-of-" + id;
    one.created_at = one.updated_at = clock.now();
    return one;
  }
  Session session(const std::string& id, const std::string& of) {
    Session one;
    one.id = id;
    one.sha256 = "sha-" + id;
    one.user = of;
    one.created_at = one.seen_at = clock.now();
    one.expires_at = clock.now() + 1h;
    one.address = "192.0.2.1";
    one.agent = "browser";
    return one;
  }
  ApiKey key(const std::string& id, const std::string& owner) {
    ApiKey one;
    one.id = id;
    one.name = id;
    one.sha256 = "sha-" + id;
    one.privileges = {"read_jobs"};
    one.created_at = clock.now();
    one.owner = owner;
    return one;
  }
  std::vector<std::string> liveSessions() {
    std::vector<std::string> ids;
    const auto live = *principals().sessions(clock.now());
    for (const auto& one : live) ids.push_back(one.id);
    std::sort(ids.begin(), ids.end());
    return ids;
  }
  std::vector<std::string> actions() {
    std::vector<std::string> all;
    const auto lines = *principals().audit({});
    for (const auto& line : lines) all.push_back(line.entry.action);
    return all;
  }
};

TEST_P(PrincipalContract, KeepsUsersAcrossARestart) {
  ASSERT_TRUE(principals().addUser(user("u1", "Ada"), 10, by()).ok());
  clock.advance(5s);
  ASSERT_TRUE(principals().loggedIn("u1", clock.now(), "").ok());
  const auto seen = clock.now();
  reopen();
  const auto users = *principals().users();
  ASSERT_THAT(users, SizeIs(1));
  EXPECT_EQ(users[0].name, "Ada");
  EXPECT_EQ(users[0].name_key, "ada");
  EXPECT_EQ(users[0].role, "user");
  EXPECT_EQ(users[0].tier, 2);
  EXPECT_EQ(users[0].password, "$argon2id$hash-of-u1");
  EXPECT_FALSE(users[0].disabled);
  EXPECT_EQ(users[0].created_at, seen - 5s);
  EXPECT_EQ(users[0].last_login_at, seen);
}

TEST_P(PrincipalContract, NamesThatDifferInCaseAreOne) {
  ASSERT_TRUE(principals().addUser(user("u1", "Ada"), 10, by()).ok());
  EXPECT_EQ(principals().addUser(user("u2", "ADA"), 10, by()).error().code, ErrorCode::Conflict);
  ASSERT_TRUE(principals().addUser(user("u2", "Bob"), 10, by()).ok());
  EXPECT_EQ(principals().changeUser(user("u2", "adA"), {}, by()).error().code, ErrorCode::Conflict);
  EXPECT_TRUE(principals().changeUser(user("u1", "ADA"), {}, by()).ok()) << "one's own name in other letters";
}

TEST_P(PrincipalContract, TakesNoMoreUsersThanItMay) {
  ASSERT_TRUE(principals().addUser(user("u1", "a"), 1, by()).ok());
  EXPECT_EQ(principals().addUser(user("u2", "b"), 1, by()).error().code, ErrorCode::Exhausted);
  EXPECT_THAT(*principals().users(), SizeIs(1));
}

TEST_P(PrincipalContract, AChangeOfAUserEndsTheSessionsItIsToldTo) {
  ASSERT_TRUE(principals().addUser(user("u1", "a"), 10, by()).ok());
  ASSERT_TRUE(principals().addUser(user("u2", "b"), 10, by()).ok());
  for (const auto* id : {"s1", "s2"}) ASSERT_TRUE(principals().addSession(session(id, "u1"), 9).ok());
  ASSERT_TRUE(principals().addSession(session("s3", "u2"), 9).ok());
  auto changed = user("u1", "a2");
  changed.disabled = true;
  ASSERT_TRUE(principals().changeUser(changed, std::nullopt, by()).ok());
  EXPECT_THAT(liveSessions(), ElementsAre("s1", "s2", "s3"));
  ASSERT_TRUE(principals().changeUser(changed, "s2", by()).ok());
  EXPECT_THAT(liveSessions(), ElementsAre("s2", "s3"));
  ASSERT_TRUE(principals().changeUser(changed, "", by()).ok());
  EXPECT_THAT(liveSessions(), ElementsAre("s3"));
  EXPECT_EQ(principals().changeUser(user("u9", "z"), {}, by()).error().code, ErrorCode::NotFound);
}

TEST_P(PrincipalContract, AUserTakesSessionsAndKeysAlong) {
  ASSERT_TRUE(principals().addUser(user("u1", "a"), 10, by()).ok());
  ASSERT_TRUE(principals().addSession(session("s1", "u1"), 9).ok());
  ASSERT_TRUE(principals().addKey(key("k1", "u1"), 9, by()).ok());
  ASSERT_TRUE(principals().addKey(key("k2", ""), 9, by()).ok());
  ASSERT_TRUE(principals().removeUser("u1", clock.now(), by("user.delete")).ok());
  EXPECT_THAT(*principals().users(), IsEmpty());
  EXPECT_THAT(liveSessions(), IsEmpty());
  const auto keys = *principals().keys();
  EXPECT_TRUE(keys[0].revoked_at);
  EXPECT_FALSE(keys[1].revoked_at);
  EXPECT_EQ(principals().removeUser("u1", clock.now(), by()).error().code, ErrorCode::NotFound);
}

TEST_P(PrincipalContract, TheOldestSessionMakesRoom) {
  for (const auto* id : {"s1", "s2", "s3"}) {
    ASSERT_TRUE(principals().addSession(session(id, "u1"), 3).ok());
    clock.advance(1s);
  }
  ASSERT_TRUE(principals().addSession(session("other", "u2"), 3).ok());
  const auto ended = principals().addSession(session("s4", "u1"), 2);
  ASSERT_TRUE(ended.ok());
  EXPECT_THAT(*ended, ElementsAre("s1", "s2"));
  EXPECT_THAT(liveSessions(), ElementsAre("other", "s3", "s4"));
}

TEST_P(PrincipalContract, SessionsEndByTimeByCommandAndAreForgotten) {
  ASSERT_TRUE(principals().addSession(session("s1", "u1"), 9).ok());
  ASSERT_TRUE(principals().addSession(session("s2", "u1"), 9).ok());
  const auto line = by("session.revoke", "s1");
  ASSERT_TRUE(principals().revokeSession("s1", clock.now(), &line).ok());
  EXPECT_EQ(principals().revokeSession("none", clock.now(), nullptr).error().code, ErrorCode::NotFound);
  EXPECT_THAT(liveSessions(), ElementsAre("s2"));
  clock.advance(30min);
  principals().touchSession("s2", clock.now());
  reopen();
  EXPECT_EQ(principals().sessions(clock.now())->front().seen_at, clock.now());
  EXPECT_EQ(*principals().purgeSessions(clock.now(), 100), 0) << "their hour is not over";
  clock.advance(31min);
  EXPECT_THAT(liveSessions(), IsEmpty());
  EXPECT_EQ(*principals().purgeSessions(clock.now(), 1), 1);
  EXPECT_EQ(*principals().purgeSessions(clock.now(), 100), 1);
}

TEST_P(PrincipalContract, KeepsWhatAKeyIsAcrossARestart) {
  auto made = key("k1", "u1");
  made.all_jobs = false;
  made.rate_per_minute = 60;
  made.rate_burst = 5;
  made.mask = "jh_12…";
  ASSERT_TRUE(principals().addKey(made, 2, by()).ok());
  clock.advance(1min);
  principals().touchKey("k1", clock.now());
  reopen();
  const auto found = principals().keys()->front();
  EXPECT_EQ(found.owner, "u1");
  EXPECT_FALSE(found.all_jobs);
  EXPECT_EQ(found.rate_per_minute, 60);
  EXPECT_EQ(found.rate_burst, 5);
  EXPECT_EQ(found.mask, "jh_12…");
  EXPECT_EQ(found.last_used_at, clock.now());
}

TEST_P(PrincipalContract, AUserHasOnlySoManyLiveKeys) {
  ASSERT_TRUE(principals().addKey(key("k1", "u1"), 2, by()).ok());
  ASSERT_TRUE(principals().addKey(key("k2", "u1"), 2, by()).ok());
  EXPECT_EQ(principals().addKey(key("k3", "u1"), 2, by()).error().code, ErrorCode::Exhausted);
  ASSERT_TRUE(principals().addKey(key("k4", ""), 2, by()).ok()) << "keys of the host do not count";
  ASSERT_TRUE(principals().revokeKey("k1", clock.now(), by()).ok());
  ASSERT_TRUE(principals().addKey(key("k3", "u1"), 2, by()).ok());
  ASSERT_TRUE(principals().revokeKeysOf("u1", clock.now(), by()).ok());
  const auto keys = *principals().keys();
  for (const auto& one : keys) EXPECT_EQ(one.revoked_at.has_value(), one.id != "k4") << one.id;
}

TEST_P(PrincipalContract, KeysAreReadOneByOneAndInPages) {
  for (const auto* id : {"k1", "k2", "k3"}) ASSERT_TRUE(principals().addKey(key(id, "u1"), 9, by()).ok());
  ASSERT_TRUE(principals().addKey(key("k4", ""), 9, by()).ok());
  EXPECT_EQ(principals().key("k2")->owner, "u1");
  EXPECT_EQ(principals().key("none").error().code, ErrorCode::NotFound);
  const auto ids = [&](const std::string& owner, const std::string& after, int limit) {
    std::vector<std::string> found;
    const auto page = principals().keys(owner, after, limit);  // outlives the loop over it
    for (const auto& one : *page) found.push_back(one.id);
    return found;
  };
  EXPECT_THAT(ids("", "", 2), ElementsAre("k1", "k2"));
  EXPECT_THAT(ids("", "k2", 9), ElementsAre("k3", "k4"));
  EXPECT_THAT(ids("u1", "k1", 9), ElementsAre("k2", "k3"));
  EXPECT_THAT(ids("u2", "", 9), IsEmpty());
}

TEST_P(PrincipalContract, AKeyThatIsRevokedAlreadyIsNoActAnyMore) {
  ASSERT_TRUE(principals().addKey(key("k1", "u1"), 9, by("key.create")).ok());
  const auto at = clock.now();
  ASSERT_TRUE(principals().revokeKey("k1", at, by("key.revoke")).ok());
  clock.advance(1h);
  ASSERT_TRUE(principals().revokeKey("k1", clock.now(), by("key.revoke")).ok());
  EXPECT_EQ(principals().key("k1")->revoked_at, at);
  EXPECT_THAT(actions(), ElementsAre("key.revoke", "key.create"));
}

TEST_P(PrincipalContract, EndedKeysAreForgotten) {
  for (const auto* id : {"k1", "k2", "k3"}) ASSERT_TRUE(principals().addKey(key(id, "u1"), 9, by()).ok());
  auto expiring = key("k4", "");
  expiring.expires_at = clock.now() + 1h;
  ASSERT_TRUE(principals().addKey(expiring, 9, by()).ok());
  for (const auto* id : {"k1", "k2"}) ASSERT_TRUE(principals().revokeKey(id, clock.now(), by()).ok());
  EXPECT_EQ(*principals().purgeKeys(clock.now(), 9), 0) << "not before it";
  EXPECT_EQ(*principals().purgeKeys(clock.now() + 1min, 1), 1);
  EXPECT_EQ(*principals().purgeKeys(clock.now() + 1min, 9), 1);
  EXPECT_EQ(*principals().purgeKeys(clock.now() + 2h, 9), 1);
  EXPECT_EQ(principals().keys()->front().id, "k3");
  EXPECT_THAT(*principals().keys(), SizeIs(1));
}

TEST_P(PrincipalContract, EventsOfAnOwnerAreFoundAmongThoseOfOthers) {
  const auto of = [&](const std::string& owner, int count) {
    std::vector<core::JobDraft> drafts(static_cast<std::size_t>(count));
    for (auto& draft : drafts) {
      draft.type = "t";
      draft.owner = owner;
    }
    EXPECT_TRUE(store->submit(std::move(drafts), {}).ok());
  };
  of("u0", 9'000), of("u1", 3), of("u0", 25'000), of("u1", 2);
  std::vector<std::int64_t> jobs;
  std::int64_t after = 0;
  int pages = 0;
  for (bool end = false; !end && pages < 20; ++pages) {
    const auto page = store->eventsOfOwner("u1", after, 2);
    ASSERT_TRUE(page.ok());
    for (const auto& event : page->events) jobs.push_back(event.job.value);
    EXPECT_TRUE(page->end || page->next > after);
    after = page->next;
    end = page->end;
  }
  EXPECT_THAT(jobs, ElementsAre(9001, 9002, 9003, 34'004, 34'005));
  EXPECT_EQ(after, *store->lastSeq());
  EXPECT_LE(pages, 8);
  const auto none = store->eventsOfOwner("nobody", 0, 100);
  EXPECT_TRUE(none->end) << "who has no job waits for no walk";
  EXPECT_EQ(none->next, *store->lastSeq());
  EXPECT_TRUE(store->eventsOfOwner("u1", after, 2)->end);
}

TEST_P(PrincipalContract, WritesEachActDownWithTheChangeOrNotAtAll) {
  ASSERT_TRUE(principals().addUser(user("u1", "a"), 10, by("one", "u1")).ok());
  EXPECT_FALSE(principals().addUser(user("u2", "A"), 10, by("refused", "u2")).ok());
  EXPECT_FALSE(principals().removeUser("none", clock.now(), by("refused")).ok());
  EXPECT_FALSE(principals().revokeKey("none", clock.now(), by("refused")).ok());
  ASSERT_TRUE(principals().addAudit(by("two", "u2")).ok());
  reopen();
  EXPECT_THAT(actions(), ElementsAre("two", "one"));
  const auto line = principals().audit({})->back().entry;
  EXPECT_EQ(line.at, clock.now());
  EXPECT_EQ(line.actor, "admin-id");
  EXPECT_EQ(line.actor_name, "admin");
  EXPECT_EQ(line.target, "u1");
  EXPECT_EQ(line.address, "127.0.0.1");
  EXPECT_EQ(line.detail_json, R"({"a":1})");
}

TEST_P(PrincipalContract, TheAuditLogIsReadInPagesAndByFilter) {
  for (int i = 0; i < 7; ++i) {
    ASSERT_TRUE(principals().addAudit(by(i % 2 == 0 ? "even" : "odd", std::to_string(i))).ok());
  }
  AuditFilter filter;
  filter.limit = 3;
  std::vector<std::string> targets;
  for (;;) {
    const auto page = *principals().audit(filter);
    if (page.empty()) break;
    for (const auto& line : page) targets.push_back(line.entry.target);
    filter.before = page.back().id;
  }
  EXPECT_THAT(targets, ElementsAre("6", "5", "4", "3", "2", "1", "0"));
  AuditFilter odd;
  odd.action = "odd";
  EXPECT_THAT(*principals().audit(odd), SizeIs(3));
  odd.target = "3";
  EXPECT_THAT(*principals().audit(odd), SizeIs(1));
  odd.actor = "nobody";
  EXPECT_THAT(*principals().audit(odd), IsEmpty());
}

TEST_P(PrincipalContract, TheAuditLogGrowsOldAtOneEndOnly) {
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(principals().addAudit(by("act" + std::to_string(i))).ok());
    clock.advance(1h);
  }
  EXPECT_EQ(*principals().purgeAudit(clock.now() - 210min, 100, 100), 1);
  EXPECT_THAT(actions(), ElementsAre("act3", "act2", "act1"));
  EXPECT_EQ(*principals().purgeAudit({}, 2, 100), 1);
  EXPECT_THAT(actions(), ElementsAre("act3", "act2"));
  EXPECT_EQ(*principals().purgeAudit(clock.now(), 100, 1), 1);
  EXPECT_THAT(actions(), ElementsAre("act3"));
}

TEST_P(PrincipalContract, AJobTellsItsOwner) {
  core::JobDraft draft;
  draft.type = "t";
  draft.owner = "u1";
  const auto id = submit(draft);
  EXPECT_EQ(*store->owner(id), "u1");
  EXPECT_EQ(*store->owner(submit("t")), "");
  const auto none = store->owner({99});
  EXPECT_EQ(none.error().code, ErrorCode::NotFound);
  EXPECT_EQ(none.error().message, store->get({99}).error().message) << "one could tell the two apart";
}

TEST_P(PrincipalContract, ADraftOfItsOwnReachesNoJobOfOthers) {
  core::JobDraft theirs;
  theirs.type = "t";
  theirs.owner = "them";
  theirs.unique_key = "the one";
  const auto id = submit(theirs);
  SubmitOptions own;
  own.own_only = true;
  core::JobDraft mine;
  mine.type = "t";
  mine.owner = "me";
  const auto refused = [&](const core::JobDraft& draft, const SubmitOptions& options) {
    const auto made = store->submit({mine, draft}, options);
    return made ? std::string() : std::string(core::toString(made.error().code)) + made.error().fields.front().pointer;
  };
  auto draft = mine;
  draft.parent = id;
  EXPECT_EQ(refused(draft, own), "not_found/1/parent");
  EXPECT_EQ(refused(draft, {}), "");
  draft = mine;
  draft.depends_on = {submit(mine), id};
  EXPECT_EQ(refused(draft, own), "not_found/1/depends_on/1");
  draft = mine;
  draft.unique_key = "the one";
  EXPECT_EQ(refused(draft, own), "conflict/1/unique_key");
  auto child = theirs;
  child.unique_key.clear();
  child.parent = submit(mine);
  child.dedupe_key = "page 1";
  submit(child);
  child.owner = "me";
  EXPECT_EQ(refused(child, own), "conflict/1/dedupe_key");
  draft.owner = "them";
  EXPECT_TRUE(store->submit({draft}, own)->front().existing) << "one's own is found";
}

INSTANTIATE_TEST_SUITE_P(Stores, PrincipalContract, testing::ValuesIn(storeFactories()),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace jobhost::store
