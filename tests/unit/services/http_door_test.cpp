// What a plugin's request is read as, and what it is told, without a network.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>

#include <unistd.h>

#include "integration/fetch/rude_server.hpp"
#include "services/http_door.hpp"
#include "services/http_request.hpp"

namespace jobhost::services {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

std::string problem(const std::string& json) {
  bool cookies = true;
  auto parsed = parseHttpRequest(json, cookies);
  const auto* failed = std::get_if<fetch::Failure>(&parsed);
  return failed != nullptr ? failed->message : "";
}

TEST(HttpRequest, ReadsEveryMember) {
  bool cookies = true;
  auto parsed = parseHttpRequest(
      R"({"url":"http://x/","method":"PUT","headers":[["A","b"],["A","c"]],"timeout_ms":5,"connect_timeout_ms":4,)"
      R"("max_body_bytes":3,"max_redirects":2,"retries":1,"decompress":false,"cookies":false})",
      cookies);
  ASSERT_TRUE(std::holds_alternative<fetch::Request>(parsed));
  const auto& request = std::get<fetch::Request>(parsed);
  EXPECT_EQ(request.url, "http://x/");
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.headers, (std::vector<fetch::Header>{{"A", "b"}, {"A", "c"}}));
  EXPECT_EQ(request.timeout, 5ms);
  EXPECT_EQ(request.connect_timeout, 4ms);
  EXPECT_EQ(request.max_body_bytes, 3);
  EXPECT_EQ(request.max_redirects, 2);
  EXPECT_EQ(request.retries, 1);
  EXPECT_FALSE(request.decompress);
  EXPECT_FALSE(cookies);
}

TEST(HttpRequest, NamesTheMemberThatIsWrong) {
  EXPECT_EQ(problem("[]"), "the request must be a JSON object, without a key twice");
  EXPECT_EQ(problem("{}"), "url: is missing");
  EXPECT_EQ(problem(R"({"url":1})"), "url: must be a string");
  EXPECT_EQ(problem(R"({"url":"x","colour":"red"})"), "colour: is no member of a request");
  EXPECT_EQ(problem(R"({"url":"x","timeout_ms":"1"})"), "timeout_ms: must be an integer");
  EXPECT_EQ(problem(R"({"url":"x","retries":-1})"), "retries: is out of range");
  EXPECT_EQ(problem(R"({"url":"x","decompress":1})"), "decompress: must be true or false");
  EXPECT_EQ(problem(R"({"url":"x","headers":{}})"), "headers: must be an array of [name, value]");
  EXPECT_EQ(problem(R"({"url":"x","headers":[["a","b"],["a"]]})"), "headers/1: must be [name, value], both strings");
}

TEST(HttpRequest, DescribesAResponse) {
  fetch::Response response;
  response.status = 200;
  response.url = "http://x/\"";
  response.headers = {{"a", "b"}, {"c", "caf\xe9"}, {"d", "caf\xc3\xa9"}};
  EXPECT_EQ(describeResponse(response, "http-1"),
            "{\"status\":200,\"url\":\"http://x/"
            "\\\"\",\"headers\":[[\"a\",\"b\"],[\"c\",\"caf\xc3\xa9\"],[\"d\",\"caf\xc3\xa9\"]],"
            "\"redirects\":0,\"tries\":1,\"body_bytes\":0,\"wire_bytes\":0,\"elapsed_ms\":0,\"retry_after_ms\":null,"
            "\"file\":\"http-1\"}");
}

class Door : public testing::Test {
 protected:
  Door() {
    fs::create_directories(work_ / "tmp/7");
    fetch::ClientOptions options;
    options.guard = *fetch::AddressGuard::make(true, {});
    client_ = std::make_unique<fetch::Client>(options);
    door_ = std::make_unique<HttpDoor>(*client_);
    session_ = door_->open();
  }
  ~Door() override { fs::remove_all(work_); }

  std::future<pool::HttpAnswer> begin(const std::string& path) {
    auto promise = std::make_shared<std::promise<pool::HttpAnswer>>();
    pool::HttpCall call;
    call.request_json = "{\"url\":\"" + server_.url(path) + "\"}";
    call.allowed_hosts = {"127.0.0.1"};
    call.work_folder = work_;
    call.slot = 7;
    session_->fetch(std::move(call), [promise](pool::HttpAnswer answer) { promise->set_value(std::move(answer)); });
    return promise->get_future();
  }

  test::RudeServer server_;
  const fs::path work_ = fs::temp_directory_path() / ("jobhost-door-" + std::to_string(getpid()));
  std::unique_ptr<fetch::Client> client_;
  std::unique_ptr<HttpDoor> door_;
  std::unique_ptr<pool::HttpSession> session_;
};

TEST_F(Door, PutsALargeBodyIntoANewFile) {
  server_.on("/large", [](const auto&, auto& to) { to.answer(200, std::string(100'000, 'x')); });
  const auto answer = begin("/large").get();
  EXPECT_EQ(answer.result, 0) << answer.error;
  EXPECT_EQ(answer.body, "");
  EXPECT_NE(answer.json.find("\"file\":\"http-1\""), std::string::npos) << answer.json;
  EXPECT_EQ(fs::file_size(work_ / "tmp/7/http-1"), 100'000U);
}

TEST_F(Door, FollowsNoLinkThatAPluginPutThere) {
  server_.on("/large", [](const auto&, auto& to) { to.answer(200, std::string(100'000, 'x')); });
  const auto elsewhere = work_ / "elsewhere";
  std::ofstream(elsewhere) << "kept";
  fs::create_symlink(elsewhere, work_ / "tmp/7/http-1");
  EXPECT_EQ(begin("/large").get().result, -7);
  fs::remove_all(work_ / "tmp/7");
  fs::create_directories(work_ / "away");
  fs::create_directory_symlink(work_ / "away", work_ / "tmp/7");
  EXPECT_EQ(begin("/large").get().result, -7);
  EXPECT_TRUE(fs::is_empty(work_ / "away"));
  EXPECT_EQ(fs::file_size(elsewhere), 4U);
}

TEST_F(Door, AFailureLeavesNoFile) {
  server_.on("/cut", [](const auto&, auto& to) {
    to.send("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + std::string(100'000, 'x'));
  });
  const auto answer = begin("/cut").get();
  EXPECT_EQ(answer.result, -7);
  EXPECT_NE(answer.json.find("\"code\":\"http.truncated\""), std::string::npos) << answer.json;
  EXPECT_TRUE(fs::is_empty(work_ / "tmp/7"));
}

TEST_F(Door, AStoppedSessionFetchesNoMore) {
  server_.on("/silent", [](const auto&, auto& to) { to.clientLeaves(20'000); });
  auto first = begin("/silent");
  session_->stop();
  EXPECT_EQ(first.get().result, -2);
  EXPECT_EQ(begin("/silent").get().result, -2);
}

TEST_F(Door, ASessionThatIsGoneIsNotAnswered) {
  server_.on("/silent", [](const auto&, auto& to) { to.clientLeaves(20'000); });
  auto answer = begin("/silent");
  session_.reset();
  client_.reset();  // whatever it had to tell, it has told
  EXPECT_THROW(answer.get(), std::future_error) << "the promise went with the callback";
}

}  // namespace
}  // namespace jobhost::services
