// Nothing the host writes holds a secret it was given or made.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "api/encoding.hpp"
#include "dialects/api_host.hpp"

namespace jobhost::test {
namespace {

std::string contents(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Secrets, AreNowhereInWhatTheHostWrites) {
  testing::internal::CaptureStderr();
  std::vector<std::string> secrets;
  std::vector<std::pair<std::string, std::string>> written;  // where, what
  {
    ApiHost host;
    secrets.push_back(host.adminKey());
    const auto id = host.addUser("ada");
    secrets.push_back("correct horse ada");
    const auto say = [&](const std::string& method, const std::string& path, const std::string& body,
                         const std::string& headers) {
      const auto answer = host.bare(method, path, body, headers);
      std::string text = answer.body;
      for (const auto& [name, value] : answer.headers) {
        if (name != "set-cookie") text += "\n" + name + ": " + value;
      }
      written.emplace_back(method + " " + path, text);
      return answer;
    };
    const auto session = host.logIn("ada");
    const auto token = session.substr(session.find("jhs_"), session.find("\r\n") - session.find("jhs_"));
    const auto csrf = session.substr(session.find("Token: ") + 7, 64);
    ASSERT_EQ(token.size(), 68U);
    secrets.push_back(token);
    secrets.push_back(csrf);
    const auto raw = host.addKey(R"({"name":"k","privileges":["read_jobs","run_jobs"],"user_id":")" + id + R"("})");
    secrets.push_back(raw);
    secrets.push_back(api::toBase64(raw));
    const auto admin = "X-API-Key: " + host.adminKey() + "\r\n";
    const auto key = "Authorization: Bearer " + raw + "\r\n";

    // Right and wrong, in the right place and in every wrong one.
    secrets.push_back("guessed secret one");
    secrets.push_back("battery staple 77");
    secrets.push_back("reset by admin 78");
    say("POST", "/api/v1/auth/login", R"({"name":"ada","password":"guessed secret one"})", "");
    say("POST", "/api/v1/auth/login", R"({"name":"guessed secret one","password":"correct horse ada"})", "");
    say("POST", "/api/v1/auth/login", R"({"password":"correct horse ada"})", "");
    say("POST", "/api/v1/auth/login", R"({"name":"ada","password":["correct horse ada"]})", "");
    say("POST", "/api/v1/auth/login", R"({"name":"ada","password":"correct horse ada")", "");
    say("GET", "/api/v1/auth/me", "", key);
    say("POST", "/api/v1/users", R"({"name":"bob","password":"battery staple 77","role":"none"})", admin);
    say("POST", "/api/v1/auth/password", R"({"old_password":"guessed secret one","new_password":"battery staple 77"})",
        session);
    say("POST", "/api/v1/auth/password", R"({"old_password":"correct horse ada","new_password":"battery staple 77"})",
        session);
    say("PATCH", "/api/v1/users/" + id, R"({"password":"reset by admin 78","tier":-1})", admin);
    say("PATCH", "/api/v1/users/" + id, R"({"password":"reset by admin 78"})", admin);
    const auto job = say("POST", "/api/v1/jobs", R"({"type":"echo","params":{"a":1}})", key);
    EXPECT_EQ(job.status, 201);
    for (const auto* path : {"/api/v1/jobs", "/api/v1/jobs/1", "/api/v1/jobs/1/logs", "/api/v1/counts"}) {
      say("GET", path, "", key);
    }
    for (const auto* path : {"/api/v1/keys", "/api/v1/users", "/api/v1/auth/sessions", "/api/v1/audit?limit=1000",
                             "/api/v1/config", "/metrics", "/healthz", "/api/v1/nonesuch"}) {
      say("GET", path, "", admin);
    }
    say("GET", "/api/minion/1/detail?key=" + raw, "", "");
    say("GET", "/api/minion/1/detail", "", "Authorization: Bearer " + api::toBase64(raw) + "\r\n");
    say("GET", "/api/v1/jobs/" + raw, "", "");
    say("GET", "/api/v1/jobs", "", "X-API-Key: " + raw + "x\r\n");
    say("GET", "/api/v1/jobs", "", "Cookie: jobhost_session=" + token + "; jobhost_session=x\r\n");

    ASSERT_TRUE(host.store().check());
    for (const auto& entry : std::filesystem::recursive_directory_iterator(host.data())) {
      if (!entry.is_regular_file() || entry.path().parent_path().filename() == "keys") continue;
      written.emplace_back(entry.path().filename().string(), contents(entry.path()));
    }
  }
  written.emplace_back("the log", testing::internal::GetCapturedStderr());
  EXPECT_NE(written.back().second.find("login refused address="), std::string::npos) << "the log was not caught";
  bool database = false;
  for (const auto& [where, text] : written) {
    database = database || text.find("$argon2id$v=19$") != std::string::npos;
    for (const auto& secret : secrets) {
      EXPECT_EQ(text.find(secret), std::string::npos) << where << " holds " << secret;
    }
  }
  EXPECT_TRUE(database) << "the files of the database were not among them";
}

}  // namespace
}  // namespace jobhost::test
