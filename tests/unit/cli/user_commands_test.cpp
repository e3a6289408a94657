// `jobhost user …` and `jobhost key …`: what is sent to the host, and what is said of its answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

#include "cli/commands.hpp"
#include "cli/exit_codes.hpp"
#include "small_host.hpp"

namespace jobhost::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kAda =
    R"({"id":"u-1","name":"Ada","role":"user","tier":1,"disabled":false,"created_at":"2026-01-01T00:00:00.000Z","last_login_at":null})";

struct Ran {
  int status = 0;
  std::string out, error;
  std::vector<std::string> asked;  ///< "GET /path body"
};

class UserCommands : public testing::Test {
 protected:
  UserCommands() { std::ofstream(file_) << "correct horse\nsecond line\n"; }
  ~UserCommands() override { std::filesystem::remove(file_); }

  Ran ran(std::vector<std::string> words) {
    SmallHost host([](const SmallHost::Request& request) -> SmallHost::Answer {
      if (request.path == "/api/v1/users?name=ada" || request.path == "/api/v1/users?name=Ada") {
        return {200, std::string(R"({"users":[)") + kAda + R"(],"next_cursor":null})"};
      }
      if (request.path.rfind("/api/v1/users?name=", 0) == 0) return {200, R"({"users":[],"next_cursor":null})"};
      if (request.path == "/api/v1/users?limit=1000") {
        return {200, std::string(R"({"users":[)") + kAda + R"(],"next_cursor":"ada"})"};
      }
      if (request.path == "/api/v1/users?limit=1000&cursor=ada") {
        return {200,
                R"({"users":[{"id":"u-2","name":"Bob","role":"admin","tier":0,"disabled":true}],"next_cursor":null})"};
      }
      if (request.method == "POST" && request.path == "/api/v1/users") return {201, kAda};
      if (request.method == "POST" && request.path == "/api/v1/keys") return {201, R"({"id":"key_1","key":"jh_raw"})"};
      if (request.path == "/api/v1/users/u-1" || request.path == "/api/v1/users/u-9") return {200, kAda};
      if (request.path == "/api/v1/users/u-1/revoke") return {204, ""};
      return {404, R"({"title":"Not Found","detail":"there is no user with this id","code":"not_found"})"};
    });
    words.insert(words.begin(), "jobhost");
    words.insert(words.end(), {"--url", host.url(), "--key", "secret"});
    std::vector<char*> pointers;
    for (auto& word : words) pointers.push_back(word.data());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Ran ran;
    ran.status = run(static_cast<int>(pointers.size()), pointers.data(), {});
    ran.out = testing::internal::GetCapturedStdout();
    ran.error = testing::internal::GetCapturedStderr();
    for (const auto& one : host.asked()) {
      ran.asked.push_back(one.method + " " + one.path + (one.body.empty() ? "" : " " + one.body));
    }
    return ran;
  }

  const std::string file_ =
      (std::filesystem::temp_directory_path() / ("jobhost-password-" + std::to_string(::getpid()))).string();
};

TEST_F(UserCommands, CreateSendsThePasswordOfTheFileAndPrintsTheId) {
  const auto done = ran({"user", "create", "Ada", "--role", "viewer", "--tier", "2", "--password-file", file_});
  EXPECT_EQ(done.status, kOk) << done.error;
  EXPECT_EQ(done.out, "u-1\n");
  EXPECT_THAT(done.asked,
              ElementsAre(R"(POST /api/v1/users {"name":"Ada","password":"correct horse","role":"viewer","tier":2})"));
}

TEST_F(UserCommands, APasswordFileThatIsNotThereIsNamed) {
  const auto done = ran({"user", "passwd", "Ada", "--password-file", file_ + ".none"});
  EXPECT_EQ(done.status, kUsage);
  EXPECT_THAT(done.error, HasSubstr(file_ + ".none"));
  EXPECT_TRUE(done.asked.empty());
}

TEST_F(UserCommands, ListGoesThroughAllPages) {
  const auto done = ran({"user", "list"});
  EXPECT_EQ(done.status, kOk) << done.error;
  EXPECT_THAT(done.out, HasSubstr("u-1  Ada   user   1     false"));
  EXPECT_THAT(done.out, HasSubstr("u-2  Bob   admin  0     true"));
}

TEST_F(UserCommands, AUserIsNamedByNameOrId) {
  EXPECT_THAT(ran({"user", "disable", "ada"}).asked,
              ElementsAre("GET /api/v1/users?name=ada", R"(PATCH /api/v1/users/u-1 {"disabled":true})"));
  EXPECT_THAT(ran({"user", "enable", "u-9"}).asked, ElementsAre("GET /api/v1/users?name=u-9", "GET /api/v1/users/u-9",
                                                                R"(PATCH /api/v1/users/u-9 {"disabled":false})"));
  const auto nobody = ran({"user", "delete", "nobody"});
  EXPECT_EQ(nobody.status, kRefused);
  EXPECT_THAT(nobody.error, HasSubstr("no user has the name or id nobody"));
}

TEST_F(UserCommands, EachCommandAsksForWhatItSays) {
  EXPECT_EQ(ran({"user", "passwd", "ada", "--password-file", file_}).asked.back(),
            R"(PATCH /api/v1/users/u-1 {"password":"correct horse"})");
  EXPECT_EQ(ran({"user", "change", "ada", "--role", "admin", "--tier", "0"}).asked.back(),
            R"(PATCH /api/v1/users/u-1 {"role":"admin","tier":0})");
  EXPECT_EQ(ran({"user", "revoke", "ada"}).asked.back(), "POST /api/v1/users/u-1/revoke {}");
  EXPECT_EQ(ran({"user", "revoke", "ada", "--keys"}).asked.back(), R"(POST /api/v1/users/u-1/revoke {"keys":true})");
  EXPECT_EQ(ran({"user", "delete", "ada"}).asked.back(), "DELETE /api/v1/users/u-1");
  EXPECT_EQ(ran({"user", "change", "ada"}).status, kUsage);
  EXPECT_EQ(ran({"user", "create", "x", "--role", "root", "--password-file", file_}).status, kUsage);
}

TEST_F(UserCommands, AKeyMayBelongToAUserAndHaveBounds) {
  const auto done = ran({"key", "create", "script", "--privilege", "read_jobs", "--user", "Ada", "--rate", "60",
                         "--burst", "5", "--days", "30"});
  EXPECT_EQ(done.status, kOk) << done.error;
  EXPECT_EQ(done.out, "jh_raw\n");
  EXPECT_THAT(done.asked.back(),
              HasSubstr(R"({"name":"script","privileges":["read_jobs"],"user_id":"u-1","expires_at":"20)"));
  EXPECT_THAT(done.asked.back(), HasSubstr(R"(Z","rate_per_minute":60,"rate_burst":5})"));
  EXPECT_THAT(ran({"key", "create", "k", "--privilege", "read_jobs", "--own-jobs"}).asked.back(),
              HasSubstr(R"("all_jobs":false})"));
  EXPECT_THAT(ran({"key", "create", "k", "--privilege", "read_jobs"}).asked.back(), Not(HasSubstr("all_jobs")));
}

}  // namespace
}  // namespace jobhost::cli
