// Plugins of kind "process" under a real host: Python handlers that work, are asked to stop, are killed, crash, talk
// nonsense, and are replaced under load.

#include <fstream>
#include <iterator>
#include <thread>

#include <gmock/gmock.h>

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include "e2e/host_process.hpp"

namespace jobhost::e2e {
namespace {
namespace fs = std::filesystem;
using testing::HasSubstr;

const fs::path kSource = JOBHOST_SOURCE_DIR;

std::string readFile(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Process : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(plugins_);
    ASSERT_TRUE(host_.start()) << host_.log();
  }
  void TearDown() override {
    EXPECT_EQ(host_.stop(), 0);
    EXPECT_TRUE(HostProcess::eventually([&] { return host_.otherProcesses().empty(); }));
  }

  void put(const std::string& name, const std::string& text, bool executable = true) {
    const auto temporary = plugins_ / ".incoming";
    std::ofstream(temporary, std::ios::binary) << text;
    if (executable) fs::permissions(temporary, fs::perms(0755));
    fs::rename(temporary, plugins_ / name);
  }
  /// The handler of the tests, with another build number.
  static std::string build(int number) {
    auto text = readFile(kSource / "tests/e2e/process_plugin/handler.py");
    const std::string line = "BUILD = \"0\"";
    return text.replace(text.find(line), line.size(), "BUILD = \"" + std::to_string(number) + "\"");
  }
  void putTestHandler() {
    put("jobhost_handler.py", readFile(kSource / "examples/python-handler/jobhost_handler.py"), false);
    put("handler.py", build(0));
    put("handler.plugin.json", readFile(kSource / "tests/e2e/process_plugin/handler.plugin.json"), false);
    ASSERT_TRUE(HostProcess::eventually([&] { return offers("py-echo"); }, kPatience)) << why() << host_.log();
  }

  [[nodiscard]] bool offers(const std::string& type) const {
    const auto answer = host_.get("/api/v1/job-types/" + type);
    const auto object = answer.json();
    return answer.status == 200 && object && object->optValue("available", false);
  }
  [[nodiscard]] std::string why() const { return host_.get("/api/v1/plugins").body; }
  [[nodiscard]] bool says(const std::string& text) const {
    return HostProcess::eventually([&] { return why().find(text) != std::string::npos; }, kPatience);
  }

  std::int64_t submit(const std::string& type, const std::string& params = "{}", const std::string& more = {}) {
    const auto id = host_.submit(type, params, more);
    EXPECT_TRUE(id) << type << params << more;
    return id.value_or(0);
  }
  Poco::JSON::Object::Ptr ended(std::int64_t id) {
    auto job = host_.waitForEnd(id, kPatience);
    EXPECT_TRUE(job) << id << " did not end: " << host_.get(path(id)).body << host_.log();
    return job ? job : Poco::JSON::Object::Ptr(new Poco::JSON::Object);
  }
  Poco::JSON::Object::Ptr run(const std::string& type, const std::string& params = "{}", const std::string& more = {}) {
    return ended(submit(type, params, more));
  }
  std::string logOf(std::int64_t id) { return host_.get(path(id) + "/logs").body; }
  static std::string path(std::int64_t id) { return "/api/v1/jobs/" + std::to_string(id); }
  static std::string error(const Poco::JSON::Object::Ptr& job, const std::string& member) {
    const auto error = job->getObject("error");
    return error ? text(error, member) : "";
  }
  std::string upload(const std::string& name, const std::string& bytes) {
    return text(host_.request("POST", "/api/v1/inputs?name=" + name, bytes, {{"Content-Type", "text/plain"}}).json(),
                "input_id");
  }

  static constexpr std::chrono::seconds kPatience{120};  // an interpreter starts slowly on a busy machine
  TempFolder folder_;
  fs::path plugins_ = folder_ / "plugins";
  HostProcess host_{
      {.data = folder_ / "data",
       .plugins = {folder_ / "plugins"},
       .set = {"plugins.settle_ms=20", "plugins.early_crashes=1000", "runner.max_per_plugin=2"}}};
};

TEST_F(Process, TheExampleCountsTheWordsOfAnUploadedText) {
  for (const char* name : {"jobhost_handler.py", "word_stats.py", "word_stats.plugin.json"})
    put(name, readFile(kSource / "examples/python-handler" / name));
  ASSERT_TRUE(HostProcess::eventually([&] { return offers("word-stats"); }, kPatience)) << why() << host_.log();
  const auto input = upload("rose.txt", "A rose is a rose\nis a rose.\n");
  const auto id = submit("word-stats", R"({"top":2})", R"(,"input_id":")" + input + "\"");
  const auto job = ended(id);
  ASSERT_EQ(text(job, "state"), "succeeded") << host_.get(path(id)).body << logOf(id);
  const auto result = job->getObject("result");
  EXPECT_EQ(result->getValue<int>("words"), 8);
  EXPECT_EQ(result->getValue<int>("lines"), 2);
  EXPECT_EQ(result->getArray("top")->size(), 2U);
  EXPECT_EQ(host_.get(path(id) + "/outputs/words.csv").body, "word,count\r\na,3\r\nrose,3\r\nis,2\r\n");
  EXPECT_THAT(logOf(id), HasSubstr("rose.txt: 2 lines, 3 different words"));
  const auto none = run("word-stats");
  EXPECT_EQ(text(none, "state"), "failed");
  EXPECT_EQ(error(none, "code"), "bad_input");
}

TEST_F(Process, AHandlerHasParamsInputsOutputsNotesAndALog) {
  putTestHandler();
  const auto input = upload("in.txt", "some bytes");
  const auto id = submit("py-echo", R"({"a":[1,"ü"]})", R"(,"tags":["t"],"input_id":")" + input + "\"");
  const auto job = ended(id);
  ASSERT_EQ(text(job, "state"), "succeeded") << host_.get(path(id)).body << logOf(id);
  const auto whole = host_.get(path(id)).body;
  EXPECT_THAT(whole, HasSubstr(R"("a":[1,"ü"])"));
  EXPECT_THAT(whole, HasSubstr(R"("argv":["an argument"])"));
  EXPECT_THAT(whole, HasSubstr(R"("tags":["t"])"));
  EXPECT_EQ(job->getArray("outputs")->size(), 1U);
  EXPECT_EQ(host_.get(path(id) + "/outputs/copies/in.txt").body, "some bytes");
  EXPECT_THAT(logOf(id), HasSubstr("said by info"));
  EXPECT_THAT(logOf(id), HasSubstr("said by print"));
  const auto runners = host_.get("/api/v1/plugins").body;
  EXPECT_THAT(runners, HasSubstr("org.jobhost.test-process"));
}

TEST_F(Process, AHandlerKeepsRecordsAndKeys) {
  putTestHandler();
  EXPECT_EQ(error(run("py-records", R"({"fail":true})"), "code"), "as_asked");
  const auto id = submit("py-records");
  ASSERT_EQ(text(ended(id), "state"), "succeeded") << host_.get(path(id)).body << logOf(id);
  const auto whole = host_.get(path(id)).body;
  EXPECT_THAT(whole, HasSubstr(R"("hostile":[-9,-3])")) << "calls that cannot be read are refused, the process lives";
  EXPECT_THAT(whole, HasSubstr(R"("own":true,"conflict":true)"));
  EXPECT_THAT(whole, HasSubstr("declares no collection"));
  EXPECT_THAT(whole, HasSubstr(R"("children":["b0","b1"])"));
  EXPECT_THAT(whole, HasSubstr(R"("tagged":["\u00fc","a"])"));
  EXPECT_THAT(whole, HasSubstr(R"("count":2,"none":null,"bytes":[0,255],"no key":null,"keys":["k"])"));
}

TEST_F(Process, AHandlerCanUseChildrenCheckpointsAndManyBytes) {
  putTestHandler();
  const auto id = submit("py-services");
  const auto job = ended(id);
  ASSERT_EQ(text(job, "state"), "succeeded") << host_.get(path(id)).body << logOf(id);
  const auto body = host_.get(path(id)).body;
  EXPECT_THAT(body, HasSubstr(R"("states":["succeeded","succeeded","succeeded"])"));
  EXPECT_THAT(body, HasSubstr(R"("n":[0,1,2])"));
  EXPECT_THAT(body, HasSubstr(R"("resumed":true)"));
  EXPECT_THAT(body, HasSubstr("permission to make children of type"));
  const auto large = submit("py-large");
  EXPECT_EQ(text(ended(large), "state"), "succeeded") << host_.get(path(large)).body << logOf(large);
  EXPECT_THAT(host_.get(path(large)).body, HasSubstr(R"("same":true)"));
}

TEST_F(Process, ACooperativeHandlerStopsWhenAskedAndItsProcessIsUsedAgain) {
  putTestHandler();
  const auto id = submit("py-sleep", R"({"ms":600000})");
  ASSERT_TRUE(host_.waitForEvent(id, "progress", kPatience));
  EXPECT_EQ(host_.post(path(id) + "/cancel").status, 202);
  EXPECT_EQ(text(ended(id), "state"), "canceled");
  EXPECT_THAT(logOf(id), testing::Not(HasSubstr("did not stop")));
  EXPECT_EQ(text(run("py-echo"), "state"), "succeeded");
}

TEST_F(Process, AStubbornHandlerIsKilledWithWhatItStarted) {
  putTestHandler();
  const auto id = submit("py-stubborn");
  ASSERT_TRUE(host_.waitForEvent(id, "progress", kPatience));
  EXPECT_EQ(host_.post(path(id) + "/cancel").status, 202);
  EXPECT_EQ(text(ended(id), "state"), "canceled");
  EXPECT_THAT(logOf(id), HasSubstr("did not stop when asked to; its process was ended"));
  EXPECT_EQ(text(run("py-echo"), "state"), "succeeded");
}

TEST_F(Process, AProgramIsReplacedForAThreadThatIsLeftAndForNoneThatWasJoined) {
  putTestHandler();
  const auto process = [&](const std::string& params) {
    const auto job = run("py-threads", params);
    EXPECT_EQ(text(job, "state"), "succeeded");
    return job->optValue<std::int64_t>("result", 0);
  };
  const auto first = process("{}");
  for (int i = 0; i < 60; ++i) ASSERT_EQ(process("{}"), first) << "after " << i;
  EXPECT_EQ(process(R"({"leave":true})"), first);
  EXPECT_NE(process("{}"), first);
}

struct Bad {
  const char* how;
  const char* code;
  const char* message;
  const char* log;
};

TEST_F(Process, ABadHandlerFailsItsJobWithAReasonAndNothingElse) {
  putTestHandler();
  const Bad all[] = {
      {"raise", "exception", "KeyError: 'missing key'", "return {}[\\\"missing key\\\"]"},
      {"input", "bad_input", "/how: is bad", ""},
      {"exit", "exception", "SystemExit: 3", "sys.exit(3)"},
      {"hard exit", "plugin_exited", "ended its process with exit code 7", "last words"},
      {"segfault", "plugin_crashed", "signal 11 (SIGSEGV)", "Fatal Python error: Segmentation fault"},
      {"garbage", "plugin_protocol_error", "broke the protocol between runner and host: frame of 4294967295 bytes", ""},
      {"close", "plugin_closed_connection", "closed the connection", ""},
      {"no json", "exception", "Object of type object is not JSON serializable", "Traceback"},
      {"large", "result_too_large", "at most 16777216 are kept", ""},
  };
  for (const Bad& bad : all) {
    const auto id = submit("py-bad", std::string(R"({"how":")") + bad.how + "\"}", R"(,"max_attempts":1)");
    const auto job = ended(id);
    EXPECT_EQ(text(job, "state"), "failed") << bad.how;
    EXPECT_EQ(error(job, "code"), bad.code) << bad.how;
    EXPECT_THAT(error(job, "message"), HasSubstr(bad.message)) << bad.how;
    EXPECT_THAT(logOf(id), HasSubstr(bad.log)) << bad.how;
  }
  const auto again = run("py-bad", R"({"how":"transient"})", R"(,"max_attempts":2)");
  EXPECT_EQ(text(again, "state"), "succeeded");
  EXPECT_EQ(text(again, "result"), "2");
  EXPECT_EQ(text(run("py-echo"), "state"), "succeeded");
}

TEST_F(Process, LosesNoJobWhileTheProgramIsReplacedUnderLoadTwentyTimes) {
  putTestHandler();
  std::vector<std::int64_t> ids;
  std::jthread client([&](const std::stop_token& stop) {
    for (int i = 0; !stop.stop_requested(); ++i) {
      const auto id = i % 4 == 0 ? host_.submit("py-sleep", R"({"ms":30})") : host_.submit("py-echo");
      if (id) ids.push_back(*id);
      // As fast as it is served: what waits at the end has to be run too.
      if (id && i % 8 == 7) host_.waitForEnd(*id, kPatience);
    }
  });
  for (int number = 1; number <= 20; ++number) {
    put("handler.py", build(number));
    const auto replaced = [&] {
      const auto id = host_.submit("py-echo");
      const auto job = id ? host_.waitForEnd(*id, kPatience) : nullptr;
      const auto result = job ? job->getObject("result") : nullptr;
      return result && text(result, "build") == std::to_string(number);
    };
    ASSERT_TRUE(HostProcess::eventually(replaced, kPatience)) << "replacement " << number << "\n" << why();
  }
  client.request_stop();
  client.join();
  ASSERT_FALSE(ids.empty());
  for (const auto id : ids) EXPECT_EQ(text(ended(id), "state"), "succeeded") << id << host_.get(path(id)).body;
  const auto programs = [&] {
    int count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / "data/plugins/.store"))
      count += entry.path().filename() == "handler.py" ? 1 : 0;
    return count;
  };
  EXPECT_TRUE(HostProcess::eventually([&] { return programs() <= 2; })) << programs() << " copies left";
  std::printf("20 replacements, %zu jobs\n", ids.size());
}

TEST_F(Process, SaysWhyAProgramIsNotUsed) {
  const auto manifest = [](const std::string& name, const std::string& program) {
    return R"({"manifest":1,"kind":"process","command":[")" + program + R"("],"id":"test.)" + name +
           R"(","version":"1.0.0","job_types":[{"name":")" + name + R"("}]})";
  };
  put("a.plugin.json", manifest("a", "./a.py"));
  EXPECT_TRUE(says(R"(its program \"a.py\" is not in )")) << why();
  EXPECT_TRUE(says(R"("kind":"process")")) << why();
  put("b.py", "#!/usr/bin/env python3\n", false);
  put("b.plugin.json", manifest("b", "./b.py"));
  EXPECT_TRUE(says(R"(its program \"b.py\" is not executable; chmod +x it)")) << why();
  put("c.plugin.json", manifest("c", "../../../bin/sh"));
  EXPECT_TRUE(says("/command/0: must be the name of a file in the manifest's own folder")) << why();
  put("d.py", "#!/no/such/python3\n");
  put("d.plugin.json", manifest("d", "./d.py"));
  EXPECT_TRUE(says(R"(its interpreter \"/no/such/python3\" is not on this machine)")) << why();
  put("e.py", "#!/usr/bin/env python3\nimport no_such_module\n");
  put("e.plugin.json", manifest("e", "./e.py"));
  EXPECT_TRUE(says("No module named 'no_such_module'")) << why();
  put("f.sh", "#!/bin/sh\necho this is no frame of the protocol >&3; sleep 600\n");
  put("f.plugin.json", manifest("f", "./f.sh"));
  EXPECT_TRUE(says("broke the protocol between runner and host")) << why();
  put("g", "neither a script nor a program");
  put("g.plugin.json", manifest("g", "./g"));
  EXPECT_TRUE(says("it is neither a program for this machine nor a script that begins with #!")) << why();
  put("jobhost_handler.py", readFile(kSource / "examples/python-handler/jobhost_handler.py"), false);
  put("h.py", "#!/usr/bin/env python3\nfrom jobhost_handler import *\nhandler('other')(print)\nserve()\n");
  auto h = manifest("h", "./h.py");
  put("h.plugin.json", h.insert(h.size() - 1, R"(,"files":["jobhost_handler.py"])"));
  EXPECT_TRUE(says(R"(its program handles other job types than its manifest names: manifest \"h\"; program \"other\")"))
      << why();
}

}  // namespace
}  // namespace jobhost::e2e
