#include "cli/client.hpp"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "cli/commands.hpp"
#include "cli/exit_codes.hpp"
#include "cli/job_commands.hpp"
#include "cli/sse.hpp"
#include "small_host.hpp"

namespace jobhost::cli {
namespace {

using core::ErrorCode;
using testing::HasSubstr;

Client clientOf(const SmallHost& host, const std::string& key = "secret") {
  return *Client::open({.url = host.url(), .key = key, .timeout = std::chrono::seconds(10)});
}

int command(const SmallHost& host, std::vector<std::string> words) {
  words.insert(words.begin(), "jobhost");
  words.insert(words.end(), {"--url", host.url(), "--key", "secret"});
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  return run(static_cast<int>(pointers.size()), pointers.data(), {});
}

TEST(Client, SendsTheKeyAndKeepsTheConnection) {
  SmallHost host([](const auto&) { return SmallHost::Answer{200, "{}"}; });
  auto client = clientOf(host);
  ASSERT_TRUE(client.get("/a").ok());
  ASSERT_TRUE(client.send("POST", "/b", "{\"x\":1}").ok());
  const auto asked = host.asked();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[0].authorization, "Bearer secret");
  EXPECT_EQ(asked[1].body, "{\"x\":1}");
}

TEST(Client, ConnectsAnewWhenTheHostClosedTheConnectionAtRest) {
  SmallHost host([](const auto&) { return SmallHost::Answer{200, "{}"}; }, std::chrono::milliseconds(50));
  auto client = clientOf(host);
  ASSERT_TRUE(client.get("/a").ok());
  host.awaitNoConnections();
  EXPECT_TRUE(client.send("POST", "/b", "{}").ok());
}

TEST(Client, TellsWhatAProblemDocumentSays) {
  SmallHost host([](const auto&) {
    return SmallHost::Answer{
        400, R"({"title":"bad","detail":"params are wrong","errors":[{"pointer":"/w","message":"too big"}]})"};
  });
  const auto answer = clientOf(host).get("/a");
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(answer.error().message, "bad: params are wrong (400)");
  ASSERT_EQ(answer.error().fields.size(), 1u);
  EXPECT_EQ(answer.error().fields[0].pointer, "/w");
}

TEST(Client, SurvivesAnAnswerThatIsNoJson) {
  SmallHost host([](const auto&) { return SmallHost::Answer{502, "<html>"}; });
  const auto answer = clientOf(host).get("/a");
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::Internal);
}

TEST(Client, SaysWhenNobodyAnswers) {
  unsigned short port = 0;
  {
    port = SmallHost([](const auto&) { return SmallHost::Answer{}; }).port();
  }
  auto client =
      *Client::open({.url = "http://127.0.0.1:" + std::to_string(port), .key = "", .timeout = std::chrono::seconds(5)});
  const auto answer = client.get("/");
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::Unavailable);
  EXPECT_THAT(answer.error().message, HasSubstr("cannot reach http://127.0.0.1"));
}

TEST(Client, RefusesUrlsAndKeysThatCannotBe) {
  EXPECT_FALSE(Client::open({.url = "ftp://x", .key = {}}).ok());
  EXPECT_FALSE(Client::open({.url = "127.0.0.1:80", .key = {}}).ok());
  EXPECT_FALSE(Client::open({.url = "http://127.0.0.1", .key = "a\r\nX: y"}).ok());
}

TEST(Client, UploadsOneFileAsItsBytesAndSeveralAsAForm) {
  SmallHost host([](const auto&) { return SmallHost::Answer{201, R"({"input_id":"in_1"})"}; });
  std::string pattern = (std::filesystem::temp_directory_path() / "jobhost-cli-XXXXXX").string();
  const std::filesystem::path folder = ::mkdtemp(pattern.data());
  std::ofstream(folder / "a b.txt") << "one";
  std::ofstream(folder / "c.txt") << "two";
  auto client = clientOf(host);
  EXPECT_EQ(*client.upload({folder / "a b.txt"}), "in_1");
  EXPECT_EQ(*client.upload({folder / "a b.txt", folder / "c.txt"}), "in_1");
  EXPECT_FALSE(client.upload({folder / "none"}).ok());
  std::filesystem::remove_all(folder);
  const auto asked = host.asked();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[0].path, "/api/v1/inputs?name=a%20b.txt");
  EXPECT_EQ(asked[0].body, "one");
  EXPECT_THAT(asked[1].type, HasSubstr("multipart/form-data"));
  EXPECT_THAT(asked[1].body, HasSubstr("filename=\"c.txt\""));
}

TEST(Follow, ComesBackWithTheLastEventIdItSaw) {
  std::atomic<int> streams{0};
  SmallHost host([&](const auto&) {
    const int n = ++streams;
    return SmallHost::Answer{200, "id: " + std::to_string(n) + "\nevent: progress\ndata: {}\n\n", "text/event-stream"};
  });
  auto client = clientOf(host);
  int seen = 0;
  const auto done = follow(
      client,
      {.path = "/events", .on_event = [&](const SseEvent&) { return ++seen < 3; }, .on_end = [] { return true; }});
  ASSERT_TRUE(done.ok());
  const auto asked = host.asked();
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_EQ(asked[0].last_event_id, "");
  EXPECT_EQ(asked[1].last_event_id, "1");
  EXPECT_EQ(asked[2].last_event_id, "2");
}

TEST(Follow, GivesUpAtOnceWhenTheHostRefuses) {
  SmallHost host([](const auto&) { return SmallHost::Answer{404, R"({"title":"no such job"})"}; });
  auto client = clientOf(host);
  const auto done = follow(
      client, {.path = "/events", .on_event = [](const SseEvent&) { return true; }, .on_end = [] { return true; }});
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, ErrorCode::NotFound);
}

/// A host whose job runs, tells its progress and ends as asked.
SmallHost::Answer jobHost(const SmallHost::Request& request, const std::string& end, std::atomic<bool>& over) {
  if (request.path.ends_with("/events")) {
    over = true;
    return {200,
            "event: progress\ndata: {\"progress\":0.5}\n\nevent: " + end + "\ndata: {\"state\":\"" + end + "\"}\n\n",
            "text/event-stream"};
  }
  const std::string state = over ? end : "running";
  if (request.method == "POST") return {201, R"({"id":7,"state":"queued"})"};
  return {200, "{\"id\":7,\"state\":\"" + state + "\",\"progress\":{\"fraction\":null},\"result\":{\"a\":1}}"};
}

TEST(Commands, WatchAnswersHowTheJobEnded) {
  for (const auto& [end, code] : {std::pair{"succeeded", kOk}, {"failed", kJobFailed}, {"canceled", kJobFailed}}) {
    std::atomic<bool> over{false};
    SmallHost host([&, end = std::string(end)](const auto& request) { return jobHost(request, end, over); });
    EXPECT_EQ(command(host, {"watch", "7"}), code) << end;
  }
}

TEST(Commands, SubmitWithWaitGoesOnToWatch) {
  std::atomic<bool> over{false};
  SmallHost host([&](const auto& request) { return jobHost(request, "succeeded", over); });
  testing::internal::CaptureStdout();
  EXPECT_EQ(command(host, {"submit", "echo", "-p", "text=hi", "--wait"}), kOk);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "{\"a\":1}\n");
  EXPECT_EQ(host.asked().front().body, R"({"type":"echo","params":{"text":"hi"}})");
}

TEST(Commands, CancelSaysWhatBecameOfEachJob) {
  SmallHost host([](const auto& request) -> SmallHost::Answer {
    if (request.path.find("/3/") != std::string::npos) return {202, R"({"id":3,"state":"running"})"};
    if (request.path.find("/4/") != std::string::npos) return {200, R"({"id":4,"state":"succeeded"})"};
    return {200, R"({"id":5,"state":"canceled"})"};
  });
  testing::internal::CaptureStdout();
  EXPECT_EQ(command(host, {"cancel", "3", "4", "5"}), kOk);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "3 cancel asked\n4 has ended already: succeeded\n5 canceled\n");
}

TEST(Commands, AnInputThatIsNotThereIsAMistakeInTheCall) {
  SmallHost host([](const auto&) { return SmallHost::Answer{201, R"({"id":7,"state":"queued"})"}; });
  testing::internal::CaptureStderr();
  EXPECT_EQ(command(host, {"submit", "echo", "-i", "/nowhere/nofile"}), kUsage);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "jobhost: --input /nowhere/nofile: the file cannot be read\n");
  EXPECT_TRUE(host.asked().empty());
}

TEST(Commands, TellThatAJobWaitsForItsPlugin) {
  SmallHost host([](const auto& request) -> SmallHost::Answer {
    if (request.method == "POST") return {201, R"({"id":7,"state":"queued","existing":false,"waiting_for":"plugin"})"};
    return {
        200,
        R"({"jobs":[{"id":7,"state":"queued","waiting_for":"plugin"},{"id":6,"state":"queued","waiting_for":null}]})"};
  });
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ(command(host, {"submit", "echo"}), kOk);
  EXPECT_EQ(command(host, {"list"}), kOk);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "jobhost: no plugin runs echo now; the job waits until one does\n");
  const auto shown = testing::internal::GetCapturedStdout();
  EXPECT_EQ(shown.substr(0, 2), "7\n") << "the id alone, for scripts";
  EXPECT_NE(shown.find("7   queued (no plugin)"), std::string::npos) << shown;
  EXPECT_EQ(shown.find("6   queued (no plugin)"), std::string::npos) << shown;
}

TEST(Commands, ExitCodesTellWhoseFaultItWas) {
  SmallHost refusing([](const auto&) { return SmallHost::Answer{404, "{}"}; });
  SmallHost failing([](const auto&) { return SmallHost::Answer{500, "{}"}; });
  EXPECT_EQ(command(refusing, {"get", "1"}), kRefused);
  EXPECT_EQ(command(failing, {"get", "1"}), kHostError);
  EXPECT_EQ(command(refusing, {"get", "x"}), kUsage);
  EXPECT_EQ(command(refusing, {"submit", "echo", "--params", "["}), kUsage);
  EXPECT_EQ(command(refusing, {"nothing"}), kUsage);
  EXPECT_TRUE(failing.asked().size() == 1);
}

TEST(Commands, ServeGetsTheConfigurationOrStopsWithTheReason) {
  settings::Loaded got;
  const Hooks hooks{.serve = [&](const settings::Loaded& loaded) { return got = loaded, 42; }};
  const auto serve = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"jobhost", "serve"});
    std::vector<char*> pointers;
    for (auto& word : words) pointers.push_back(word.data());
    return run(static_cast<int>(pointers.size()), pointers.data(), hooks);
  };
  EXPECT_EQ(serve({"--data", "/d", "--plugins", "/a,b", "--plugins", "/c", "--port", "0", "--set",
                   "store.synchronous=normal"}),
            42);
  EXPECT_EQ(got.settings.data.dir, "/d");
  EXPECT_EQ(got.settings.plugins.folders, (std::vector<std::string>{"/a,b", "/c"}));
  EXPECT_EQ(got.settings.server.port, 0);
  EXPECT_EQ(got.settings.store.synchronous, "normal");
  EXPECT_EQ(serve({"--set", "store.sync=normal"}), kUsage);
  EXPECT_EQ(serve({"--port", "70000"}), kUsage);
}

TEST(Commands, EachHasHelp) {
  SmallHost host([](const auto&) { return SmallHost::Answer{}; });
  testing::internal::CaptureStdout();
  for (const char* name :
       {"serve", "submit", "get", "list", "watch", "logs", "cancel", "retry", "plugin", "key", "config", "bench"}) {
    std::string program = "jobhost", word = name, help = "--help";
    char* words[] = {program.data(), word.data(), help.data()};
    EXPECT_EQ(run(3, words, {}), kOk) << name;
  }
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("--idempotency-key"));
}

}  // namespace
}  // namespace jobhost::cli
