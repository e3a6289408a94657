// Users, sessions and their keys over a real store, with the clock in the test's hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include <unistd.h>

#include "api/auth/accounts.hpp"
#include "api/auth/first_start.hpp"
#include "dialects/api_host.hpp"
#include "jobs/retention.hpp"
#include "store/sqlite_store.hpp"

namespace jobhost::api {
namespace {

using namespace std::chrono_literals;
using core::ErrorCode;

constexpr const char* kPassword = "correct horse";

class AccountsTest : public testing::Test {
 protected:
  AccountsTest() {
    static std::atomic<int> count{0};
    folder_ = std::filesystem::temp_directory_path() /
              ("jobhost-accounts-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(folder_);
    options.hashing.cost = {64, 1, 1};
    reopen();
  }
  ~AccountsTest() override {
    accounts.reset();
    keys.reset();
    store.reset();
    std::filesystem::remove_all(folder_);
  }
  void reopen() {
    accounts.reset();
    keys.reset();
    store.reset();
    store::SqliteStore::Options where;
    where.path = (folder_ / "jobhost.db").string();
    where.synchronous_full = false;
    store = *store::SqliteStore::open(where, clock);
    keys = std::make_unique<KeyRing>(*store, clock);
    accounts = std::make_unique<Accounts>(Accounts::Parts{*store, *store, *keys, clock}, options);
    ASSERT_TRUE(accounts->load());
    ASSERT_TRUE(keys->load());
  }
  std::string add(const std::string& name, const std::string& role = "user") {
    const auto user = accounts->create({name, kPassword, role, 0, false}, admin);
    EXPECT_TRUE(user) << (user ? "" : user.error().fields.front().message);
    return user ? user->id : "";
  }
  Accounts::Login tryIn(const std::string& name, const std::string& password = kPassword,
                        const std::string& address = "192.0.2.1") {
    return accounts->login(name, password, address, "test");
  }
  std::string logIn(const std::string& name, const std::string& password = kPassword) {
    auto login = tryIn(name, password);
    EXPECT_TRUE(login.opened) << login.opened.error().message;
    return login.opened ? login.opened->token : "";
  }
  ErrorCode refused(const Accounts::Login& login) {
    EXPECT_FALSE(login.opened);
    return login.opened ? ErrorCode::Internal : login.opened.error().code;
  }
  std::string keyOf(const std::string& user, std::vector<std::string> privileges) {
    KeyRequest request;
    request.name = "k";
    request.privileges = std::move(privileges);
    request.owner = user;
    request.all_jobs = false;
    auto made = keys->create(request, admin);
    EXPECT_TRUE(made);
    return made ? made->raw : "";
  }

  std::filesystem::path folder_;
  core::ManualClock clock;
  Accounts::Options options;
  Actor admin{"admin-id", "admin", "127.0.0.1"};
  std::unique_ptr<store::SqliteStore> store;
  std::unique_ptr<KeyRing> keys;
  std::unique_ptr<Accounts> accounts;
};

TEST_F(AccountsTest, WhoLogsInIsKnownByTheToken) {
  const auto id = add("Ada");
  const auto token = logIn("aDA");
  const auto principal = accounts->findSession(token);
  ASSERT_TRUE(principal);
  EXPECT_EQ(principal->id, id);
  EXPECT_EQ(principal->user, id);
  EXPECT_EQ(principal->name, "Ada");
  EXPECT_TRUE(principal->may(Privilege::RunJobs));
  EXPECT_FALSE(principal->may(Privilege::Admin));
  EXPECT_FALSE(principal->all_jobs);
  EXPECT_EQ(accounts->findSession(token + "0"), nullptr);
  EXPECT_EQ(accounts->findSession(""), nullptr);
  EXPECT_EQ(accounts->find(id)->last_login_at, clock.now());
}

TEST_F(AccountsTest, NeitherNameNorPasswordCanBeToldFromTheRefusal) {
  add("ada");
  const auto wrong = tryIn("ada", "wrong");
  const auto unknown = tryIn("nobody", "wrong");
  EXPECT_EQ(refused(wrong), ErrorCode::Unauthenticated);
  EXPECT_EQ(wrong.opened.error().message, unknown.opened.error().message);
  EXPECT_EQ(refused(unknown), ErrorCode::Unauthenticated);
}

TEST_F(AccountsTest, AnUnknownNameCostsAsMuchAsAWrongPassword) {
  options.hashing.cost = {16'384, 2, 1};
  options.throttle.failures = options.throttle.address_failures = 1000;
  reopen();
  add("ada");
  const auto cost = [&](const std::string& name) {
    auto best = std::chrono::nanoseconds::max();
    for (int i = 0; i < 5; ++i) {
      timespec from{}, to{};  // of this thread: other work of the machine does not count
      ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
      static_cast<void>(tryIn(name, "wrong"));
      ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
      best = std::min(best,
                      std::chrono::nanoseconds((to.tv_sec - from.tv_sec) * 1'000'000'000 + to.tv_nsec - from.tv_nsec));
    }
    return static_cast<double>(best.count());
  };
  const double ratio = cost("nobody") / cost("ada");
  EXPECT_GT(ratio, 0.5);
  EXPECT_LT(ratio, 2.0);
}

TEST_F(AccountsTest, SessionsOutliveTheHostAndEndByTimeAndDisuse) {
  options.session = 10h;
  options.session_idle = 1h;
  reopen();
  add("ada");
  const auto token = logIn("ada");
  reopen();
  EXPECT_TRUE(accounts->findSession(token));
  clock.advance(59min);
  EXPECT_TRUE(accounts->findSession(token));
  reopen();
  clock.advance(59min);
  EXPECT_TRUE(accounts->findSession(token)) << "that it was used survives a restart";
  for (int i = 0; i < 20; ++i) {
    clock.advance(30min);
    static_cast<void>(accounts->findSession(token));
  }
  EXPECT_EQ(accounts->findSession(token), nullptr) << "ten hours are over";
  const auto other = logIn("ada");
  clock.advance(1h);
  EXPECT_EQ(accounts->findSession(other), nullptr) << "not used for an hour";
  EXPECT_TRUE(accounts->sessions({}).empty());
}

TEST_F(AccountsTest, LoggingOutEndsThisSessionAlone) {
  add("ada");
  const auto one = logIn("ada"), other = logIn("ada");
  ASSERT_TRUE(accounts->logout(accounts->findSession(one)->session));
  EXPECT_EQ(accounts->findSession(one), nullptr);
  EXPECT_TRUE(accounts->findSession(other));
  reopen();
  EXPECT_EQ(accounts->findSession(one), nullptr);
}

TEST_F(AccountsTest, TheOldestSessionGivesWay) {
  options.sessions_per_user = 2;
  reopen();
  add("ada");
  const auto first = logIn("ada");
  clock.advance(1s);
  const auto second = logIn("ada");
  clock.advance(1s);
  const auto third = logIn("ada");
  EXPECT_EQ(accounts->findSession(first), nullptr);
  EXPECT_TRUE(accounts->findSession(second));
  EXPECT_TRUE(accounts->findSession(third));
  EXPECT_EQ(accounts->sessions({}).size(), 2U);
}

TEST_F(AccountsTest, ADisabledUserIsOutAtOnceAndBackWhenEnabled) {
  const auto id = add("ada");
  const auto token = logIn("ada");
  const auto key = keyOf(id, {"read_jobs"});
  EXPECT_TRUE(keys->find(key));
  UserChange off;
  off.disabled = true;
  ASSERT_TRUE(accounts->change(id, off, admin));
  EXPECT_EQ(accounts->findSession(token), nullptr);
  EXPECT_EQ(keys->find(key), nullptr);
  EXPECT_EQ(refused(tryIn("ada")), ErrorCode::PermissionDenied);
  EXPECT_EQ(refused(tryIn("ada", "wrong")), ErrorCode::Unauthenticated) << "only who knows the password is told";
  reopen();
  EXPECT_EQ(keys->find(key), nullptr);
  UserChange on;
  on.disabled = false;
  ASSERT_TRUE(accounts->change(id, on, admin));
  EXPECT_TRUE(keys->find(key));
  EXPECT_EQ(accounts->findSession(token), nullptr) << "an ended session stays so";
  logIn("ada");
}

TEST_F(AccountsTest, AKeyDoesNoMoreThanItsUserMay) {
  const auto id = add("ada");
  const auto key = keyOf(id, {"admin"});
  EXPECT_FALSE(keys->find(key)->may(Privilege::Admin));
  EXPECT_TRUE(keys->find(key)->may(Privilege::RunJobs));
  EXPECT_EQ(keys->find(key)->id, id) << "jobs made by key and by session have one owner";
  UserChange change;
  change.role = "viewer";
  ASSERT_TRUE(accounts->change(id, change, admin));
  EXPECT_FALSE(keys->find(key)->may(Privilege::RunJobs));
  EXPECT_TRUE(keys->find(key)->may(Privilege::ReadJobs));
  change.role = "admin";
  ASSERT_TRUE(accounts->change(id, change, admin));
  EXPECT_TRUE(keys->find(key)->may(Privilege::Admin));
  EXPECT_TRUE(keys->find(key)->all_jobs);
  const auto reader = keyOf(id, {"read_jobs"});
  EXPECT_FALSE(keys->find(reader)->may(Privilege::Admin));
  EXPECT_FALSE(keys->find(reader)->all_jobs);
  ASSERT_TRUE(accounts->remove(id, admin));
  EXPECT_EQ(keys->find(key), nullptr);
  reopen();
  EXPECT_EQ(keys->find(key), nullptr);
}

TEST_F(AccountsTest, ANewPasswordEndsTheOtherSessions) {
  const auto id = add("ada");
  const auto here = logIn("ada"), there = logIn("ada");
  const auto session = accounts->findSession(here)->session;
  core::Millis wait{0};
  const auto wrong = accounts->changePassword(id, "wrong", "new password", session, admin, wait);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().fields.front().pointer, "/old_password");
  ASSERT_TRUE(accounts->changePassword(id, kPassword, "new password", session, admin, wait));
  EXPECT_TRUE(accounts->findSession(here));
  EXPECT_EQ(accounts->findSession(there), nullptr);
  EXPECT_EQ(refused(tryIn("ada", kPassword)), ErrorCode::Unauthenticated);
  logIn("ada", "new password");
  reopen();
  EXPECT_TRUE(accounts->findSession(here));
  EXPECT_EQ(accounts->findSession(there), nullptr);
}

TEST_F(AccountsTest, GuessingTheOldPasswordIsSlowedDownToo) {
  const auto id = add("ada");
  const auto session = accounts->findSession(logIn("ada"))->session;
  core::Millis wait{0};
  for (int i = 0; i < 5; ++i) {
    static_cast<void>(accounts->changePassword(id, "wrong", "new password", session, admin, wait));
    EXPECT_EQ(wait, 0ms);
  }
  EXPECT_EQ(accounts->changePassword(id, kPassword, "new password", session, admin, wait).error().code,
            ErrorCode::Exhausted);
  EXPECT_EQ(wait, 1s);
}

TEST_F(AccountsTest, AnOutdatedHashIsMadeAnewAtTheNextLogin) {
  const auto id = add("ada");
  options.hashing.cost = {128, 1, 1};
  reopen();
  EXPECT_THAT(accounts->find(id)->password, testing::HasSubstr("m=64,"));
  logIn("ada");
  EXPECT_THAT(accounts->find(id)->password, testing::HasSubstr("m=128,"));
  reopen();
  EXPECT_THAT(accounts->find(id)->password, testing::HasSubstr("m=128,"));
  logIn("ada");
}

TEST_F(AccountsTest, GuessingIsSlowedDownWithTheClockAlone) {
  add("ada");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(refused(tryIn("ada", "wrong")), ErrorCode::Unauthenticated);
  auto blocked = tryIn("ada");
  EXPECT_EQ(refused(blocked), ErrorCode::Exhausted) << "also with the right password";
  EXPECT_EQ(blocked.retry_after, 1s);
  EXPECT_TRUE(tryIn("ada", kPassword, "192.0.2.2").opened) << "from elsewhere";
  clock.advance(1s);
  EXPECT_EQ(refused(tryIn("ada", "wrong")), ErrorCode::Unauthenticated);
  EXPECT_EQ(tryIn("ada").retry_after, 2s);
  clock.advance(2s);
  EXPECT_TRUE(tryIn("ada").opened);
  EXPECT_EQ(refused(tryIn("ada", "wrong")), ErrorCode::Unauthenticated) << "counted anew";
}

TEST_F(AccountsTest, ManyLogInAtOnce) {
  options.hashing.parallel = 2;
  options.hashing.queue = 64;
  options.sessions_per_user = 100;
  reopen();
  for (int i = 0; i < 4; ++i) add("user" + std::to_string(i));
  constexpr int kCallers = 24;
  std::barrier together(kCallers);
  std::vector<std::string> tokens(kCallers);
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < kCallers; ++i) {
      callers.emplace_back([&, i] {
        together.arrive_and_wait();
        auto login = tryIn("user" + std::to_string(i % 4), kPassword, "192.0.2." + std::to_string(i));
        ASSERT_TRUE(login.opened) << login.opened.error().message;
        tokens[static_cast<std::size_t>(i)] = login.opened->token;
      });
    }
  }
  for (int i = 0; i < kCallers; ++i) {
    const auto principal = accounts->findSession(tokens[static_cast<std::size_t>(i)]);
    ASSERT_TRUE(principal) << i;
    EXPECT_EQ(principal->name, "user" + std::to_string(i % 4));
  }
  EXPECT_EQ(accounts->sessions({}).size(), static_cast<std::size_t>(kCallers));
}

TEST_F(AccountsTest, OnesOwnLoginsLeaveRoomForOthers) {
  options.hashing.parallel = 1;
  options.hashing.queue = 2;
  options.throttle.per_minute = 100'000;
  reopen();
  add("ada"), add("bob");
  std::atomic<bool> over{false};
  std::vector<std::jthread> greedy;
  std::barrier together(17);
  for (int i = 0; i < 16; ++i) {
    greedy.emplace_back([&] {
      together.arrive_and_wait();
      while (!over) static_cast<void>(tryIn("ada", kPassword, "192.0.2.1"));
    });
  }
  together.arrive_and_wait();
  for (int i = 0; i < 50; ++i) {
    const auto login = tryIn("bob", kPassword, "192.0.2.2");
    EXPECT_TRUE(login.opened) << i << ": " << login.opened.error().message;
  }
  over = true;
}

/// As the API makes it for a request: with the right to act asked anew.
Actor asking(const Accounts& accounts, PrincipalRef principal) {
  return {principal->id, principal->name, "127.0.0.1", principal->session,
          [&accounts, principal] { return accounts.stillMay(*principal); }};
}

TEST_F(AccountsTest, WhoHasEndedChangesNothingAnyMore) {
  const auto ada = add("ada", "admin"), bob = add("bob");
  const auto actor = asking(*accounts, accounts->findSession(logIn("ada")));
  KeyRequest wanted;
  wanted.name = "k";
  wanted.privileges = {"read_jobs"};
  wanted.owner = ada;
  const auto first = keys->create(wanted, actor);
  ASSERT_TRUE(first);
  ASSERT_TRUE(accounts->revokeSessions(ada, admin));
  ASSERT_TRUE(keys->revokeOf(ada, admin));
  UserChange change;
  change.role = "admin";
  EXPECT_EQ(keys->create(wanted, actor).error().code, ErrorCode::Unauthenticated);
  EXPECT_EQ(keys->revoke(first->key.id, actor).error().code, ErrorCode::Unauthenticated);
  EXPECT_EQ(keys->revokeOf(bob, actor).error().code, ErrorCode::Unauthenticated);
  EXPECT_EQ(accounts->create({"eve", kPassword, "admin", 0, false}, actor).error().code, ErrorCode::Unauthenticated);
  EXPECT_EQ(accounts->change(bob, change, actor).error().code, ErrorCode::Unauthenticated);
  EXPECT_EQ(accounts->remove(bob, actor).error().code, ErrorCode::Unauthenticated);
  EXPECT_EQ(accounts->revokeSessions(bob, actor).error().code, ErrorCode::Unauthenticated);
  EXPECT_FALSE(accounts->findByName("eve"));
  EXPECT_EQ(accounts->find(bob)->role, "user");
}

TEST_F(AccountsTest, AKeyMadeWhileItsUserIsRevokedDoesNotSurvive) {
  const auto ada = add("ada");
  KeyRequest wanted;
  wanted.name = "k";
  wanted.privileges = {"read_jobs"};
  wanted.owner = ada;
  for (int round = 0; round < 10; ++round) {
    const auto actor = asking(*accounts, accounts->findSession(logIn("ada")));
    std::barrier together(2);
    std::string raw;
    std::jthread maker([&] {
      together.arrive_and_wait();
      if (const auto made = keys->create(wanted, actor)) raw = made->raw;
    });
    together.arrive_and_wait();
    ASSERT_TRUE(accounts->revokeSessions(ada, admin));
    ASSERT_TRUE(keys->revokeOf(ada, admin));
    maker.join();
    EXPECT_TRUE(raw.empty() || keys->find(raw) == nullptr) << round;
  }
}

TEST_F(AccountsTest, RevokedAndExpiredKeysAreForgottenInTime) {
  const auto id = add("ada");
  KeyRequest wanted;
  wanted.name = "k";
  wanted.privileges = {"read_jobs"};
  wanted.owner = id;
  const auto revoked = keys->create(wanted, admin);
  const auto kept = keys->create(wanted, admin);
  wanted.expires_at = clock.now() + 1h;
  const auto expiring = keys->create(wanted, admin);
  ASSERT_TRUE(revoked && kept && expiring);
  ASSERT_TRUE(keys->revoke(revoked->key.id, admin));
  jobs::Retention::Options keep;
  keep.data_folder = folder_;
  keep.keys = 24h;
  keep.batch = 1;
  jobs::Retention retention(*store, store.get(), clock, keep);
  clock.advance(23h);
  EXPECT_EQ(retention.sweep().keys, 0);
  EXPECT_TRUE(keys->key(revoked->key.id)) << "still shown";
  clock.advance(1h + 1s);
  EXPECT_EQ(retention.sweep().keys, 1);
  clock.advance(1h);
  EXPECT_EQ(retention.sweep().keys, 1);
  EXPECT_EQ(keys->key(revoked->key.id).error().code, ErrorCode::NotFound);
  const auto left = keys->list(id, "", 10);
  ASSERT_TRUE(left);
  ASSERT_EQ(left->size(), 1U);
  EXPECT_EQ(left->front().id, kept->key.id);
  EXPECT_TRUE(keys->find(kept->raw));
}

TEST_F(AccountsTest, ALoginRacingWithADisableLeavesNoSession) {
  const auto id = add("ada");
  UserChange off, on;
  off.disabled = true;
  on.disabled = false;
  for (int round = 0; round < 20; ++round) {
    std::barrier together(2);
    std::string token;
    std::jthread caller([&] {
      together.arrive_and_wait();
      auto login = tryIn("ada");
      if (login.opened) token = login.opened->token;
    });
    together.arrive_and_wait();
    ASSERT_TRUE(accounts->change(id, off, admin));
    caller.join();
    EXPECT_TRUE(token.empty() || accounts->findSession(token) == nullptr);
    ASSERT_TRUE(accounts->change(id, on, admin));
    EXPECT_TRUE(token.empty() || accounts->findSession(token) == nullptr) << "nor when enabled again";
  }
}

struct BadUser {
  std::string what, name, password, role, pointer;
  int tier = 0;
};
void PrintTo(const BadUser& bad, std::ostream* out) {
  *out << bad.what;
}
class BadUsers : public AccountsTest, public testing::WithParamInterface<BadUser> {};

TEST_P(BadUsers, AreRefusedByNameOfTheField) {
  const auto& bad = GetParam();
  const auto made = accounts->create({bad.name, bad.password, bad.role, bad.tier, false}, admin);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::InvalidArgument);
  ASSERT_EQ(made.error().fields.size(), 1U);
  EXPECT_EQ(made.error().fields.front().pointer, bad.pointer);
  EXPECT_FALSE(accounts->anyUser());
}

INSTANTIATE_TEST_SUITE_P(Each, BadUsers,
                         testing::Values(BadUser{"NoName", "", kPassword, "user", "/name"},
                                         BadUser{"LongName", std::string(129, 'a'), kPassword, "user", "/name"},
                                         BadUser{"Control", "a\nb", kPassword, "user", "/name"},
                                         BadUser{"Colon", "a:b", kPassword, "user", "/name"},
                                         BadUser{"Blank", " a", kPassword, "user", "/name"},
                                         BadUser{"Short", "a", "1234567", "user", "/password"},
                                         BadUser{"ShortInCharacters", "a", "ääääääb", "user", "/password"},
                                         BadUser{"Long", "a", std::string(1025, 'x'), "user", "/password"},
                                         BadUser{"TheName", "correcthorse", "CorrectHorse", "user", "/password"},
                                         BadUser{"Role", "a", kPassword, "root", "/role"},
                                         BadUser{"Tier", "a", kPassword, "user", "/tier", -1}),
                         [](const auto& each) { return each.param.what; });

TEST_F(AccountsTest, NamesAreOneWithoutRegardToCaseAlsoBeyondAscii) {
  add("Änne");
  EXPECT_EQ(accounts->create({"äNNE", kPassword, "user", 0, false}, admin).error().code, ErrorCode::Conflict);
  logIn("ÄNNE");
}

TEST_F(AccountsTest, UsersAreListedByNameInPages) {
  for (const auto* name : {"carol", "Ada", "bob"}) add(name);
  const auto page = accounts->list("", 2);
  ASSERT_EQ(page.size(), 2U);
  EXPECT_EQ(page[0].name, "Ada");
  EXPECT_EQ(page[1].name, "bob");
  EXPECT_EQ(accounts->list(page[1].name_key, 2).front().name, "carol");
}

TEST_F(AccountsTest, TheFirstStartMakesAnAdminWhosePasswordNobodyElseCanRead) {
  ASSERT_TRUE(ensureAdminUser(folder_, *accounts));
  const auto file = folder_ / "keys" / "admin.password";
  std::string password;
  std::ifstream(file) >> password;
  EXPECT_GE(password.size(), 32U);
  EXPECT_EQ(std::filesystem::status(file).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_TRUE(accounts->findSession(logIn("admin", password))->may(Privilege::Admin));
  reopen();
  std::filesystem::remove(file);
  ASSERT_TRUE(ensureAdminUser(folder_, *accounts));
  EXPECT_FALSE(std::filesystem::exists(file)) << "once is enough: the password may have been changed";
  logIn("admin", password);
}

TEST_F(AccountsTest, EveryActIsWrittenDown) {
  const auto id = add("ada");
  logIn("ada");
  UserChange change;
  change.tier = 2;
  change.password = "another password";
  ASSERT_TRUE(accounts->change(id, change, admin));
  ASSERT_TRUE(accounts->revokeSessions(id, admin));
  keyOf(id, {"read_jobs"});
  ASSERT_TRUE(keys->revokeOf(id, admin));
  ASSERT_TRUE(accounts->remove(id, admin));
  std::vector<std::string> actions;
  const auto lines = *store->audit({});
  for (const auto& line : lines) {
    actions.push_back(line.entry.action);
    EXPECT_EQ(line.entry.actor, "admin-id");
    EXPECT_EQ(line.entry.address, "127.0.0.1");
    EXPECT_THAT(line.entry.detail_json, testing::Not(testing::HasSubstr("another password")));
  }
  EXPECT_THAT(actions, testing::ElementsAre("user.delete", "user.revoke_keys", "key.create", "user.revoke_sessions",
                                            "user.change", "user.create"));
}

TEST_F(AccountsTest, RetentionCutsTheAuditLogAndForgetsEndedSessions) {
  options.session = 1h;
  reopen();
  const auto id = add("ada");
  logIn("ada");
  clock.advance(2h);
  logIn("ada");
  ASSERT_TRUE(accounts->revokeSessions(id, admin));
  jobs::Retention::Options keep;
  keep.data_folder = folder_;
  keep.audit = 90min;
  keep.batch = 1;
  jobs::Retention retention(*store, store.get(), clock, keep);
  const auto swept = retention.sweep();
  EXPECT_EQ(swept.audit_lines, 1) << "the user was made two hours ago";
  EXPECT_EQ(swept.sessions, 1);
  keep.audit = 0ms;
  keep.audit_lines = 0;
  EXPECT_EQ(jobs::Retention(*store, store.get(), clock, keep).sweep().audit_lines, 1);
  EXPECT_TRUE(store->audit({})->empty());
}

}  // namespace
}  // namespace jobhost::api
