// Records and keys of plugins through a real host: stored with the attempt or not at all, whatever ends it.
#include <csignal>
#include <filesystem>
#include <memory>
#include <sstream>
#include <stdexcept>

#include <gmock/gmock.h>

#include <Poco/JSON/Array.h>

#include "e2e/host_process.hpp"

namespace jobhost::e2e {
namespace {
namespace fs = std::filesystem;
using testing::HasSubstr;

class RecordsOfPlugins : public testing::Test {
 protected:
  RecordsOfPlugins() {
    fs::create_directories(plugins());
    place("first/recordkit.so");
  }
  static fs::path built(const std::string& file) { return fs::path(JOBHOST_TEST_PLUGIN_DIR "-records") / file; }
  fs::path plugins() const { return folder_ / "plugins"; }
  void place(const std::string& file, const std::string& as = {}) {
    const fs::path name = as.empty() ? fs::path(file).filename() : fs::path(as);
    const fs::path next = plugins() / ("." + name.string() + ".new");
    fs::copy_file(built(file), next, fs::copy_options::overwrite_existing);
    fs::rename(next, plugins() / name);
  }
  HostProcess& start(std::vector<std::string> set = {}) {
    set.insert(set.end(), {"plugins.settle_ms=0", "plugins.early_crashes=1000", "runner.max_per_plugin=2"});
    host_ = std::make_unique<HostProcess>(
        HostProcess::Options{.data = folder_ / "data", .plugins = {plugins()}, .set = std::move(set), .wrapper = {}});
    if (!host_->start()) throw std::runtime_error("the host did not start: " + host_->log());
    if (!has("records")) throw std::runtime_error("the plugin did not load: " + host_->get("/api/v1/plugins").body);
    return *host_;
  }
  bool has(const std::string& type) {
    return HostProcess::eventually([&] { return host_->get("/api/v1/job-types/" + type).status == 200; });
  }
  void TearDown() override {
    if (!host_ || host_->pid() <= 0) return;
    EXPECT_EQ(host_->stop(), 0);
    EXPECT_TRUE(HostProcess::eventually([&] { return host_->otherProcesses().empty(); }));
  }

  std::int64_t submit(const std::string& steps, const std::string& more = {}, const std::string& type = "records") {
    const auto id = host_->submit(type, R"({"steps":[)" + steps + "]}", more);
    EXPECT_TRUE(id) << steps;
    return id.value_or(0);
  }
  Poco::JSON::Object::Ptr run(const std::string& steps, const std::string& type = "records") {
    const auto job = host_->waitForEnd(submit(steps, {}, type));
    EXPECT_TRUE(job) << steps;
    return job ? job : Poco::JSON::Object::Ptr(new Poco::JSON::Object);
  }
  /// The answers of the steps as JSON text.
  std::string answers(const std::string& steps, const std::string& type = "records") {
    const auto job = run(steps, type);
    EXPECT_EQ(text(job, "state"), "succeeded") << text(job->getObject("error"), "message");
    const auto result = job->getObject("result");
    if (!result) return {};
    std::ostringstream out;
    result->getArray("answers")->stringify(out);
    return out.str();
  }
  std::string count(const std::string& collection = "books") {
    return answers(R"({"do":"count","in":")" + collection + R"("})");
  }
  std::int64_t holding(const std::string& steps) {
    const auto id = submit(steps + R"(,{"do":"hold"})");
    EXPECT_TRUE(HostProcess::eventually([&] {
      return host_->get("/api/v1/jobs/" + std::to_string(id) + "/logs").body.find("holding") != std::string::npos;
    }));
    return id;
  }
  std::string codeOf(const Poco::JSON::Object::Ptr& job) {
    const auto error = job->getObject("error");
    return error ? text(error, "code") : "";
  }

  TempFolder folder_;
  std::unique_ptr<HostProcess> host_;
};

TEST_F(RecordsOfPlugins, AreSeenByTheAttemptAtOnceAndByOthersAfterItsSuccess) {
  start();
  const auto first = answers(
      R"({"do":"put","key":"b1","value":{"tags":["x","y"],"series":{"number":2}},"options":{"parent":"s","sort":2}},)"
      R"({"do":"put","key":"b0","value":{"tags":["x"]},"options":{"parent":"s","sort":1.5,"expected":0}},)"
      R"({"do":"get","key":"b1"},{"do":"list","options":{"parent":"s","limit":1}},{"do":"count"})");
  EXPECT_THAT(first, HasSubstr(R"([{"version":-2},{"version":-2},{)"));
  EXPECT_THAT(first, HasSubstr(R"("key":"b1")"));
  EXPECT_THAT(first, HasSubstr(R"("next":")"));
  EXPECT_THAT(first, HasSubstr(R"({"n":2}])"));
  const auto second = answers(R"({"do":"list","options":{"index":"tags","value":"x","values":false}},)"
                              R"({"do":"list","options":{"index":"series.number","value":2,"values":false}},)"
                              R"({"do":"list","options":{"parent":"s","order":"desc","values":false,"limit":1}})");
  EXPECT_LT(second.find("b0"), second.find("b1"));
  EXPECT_THAT(second, HasSubstr(R"("version":1)"));
  EXPECT_EQ(answers(R"({"do":"del","key":"b1"},{"do":"del","key":"none"},{"do":"count"})"), R"(["ok","ok",{"n":1}])");
  EXPECT_EQ(count(), R"([{"n":1}])");
}

TEST_F(RecordsOfPlugins, OfAnAttemptThatDidNotSucceedAreGoneButForThoseWrittenAtOnce) {
  start();
  const std::string writes =
      R"({"do":"put","key":"kept","value":1,"options":{"now":true}},{"do":"put","key":"lost","value":1},)"
      R"({"do":"kput","key":"lost","value":"1"},)";
  EXPECT_EQ(text(run(writes + R"({"do":"fail"})"), "state"), "failed");
  EXPECT_EQ(count(), R"([{"n":1}])");
  EXPECT_EQ(codeOf(run(writes + R"({"do":"crash"})")), "plugin_crashed");
  EXPECT_EQ(count(), R"([{"n":1}])");
  const auto id = holding(R"({"do":"put","key":"lost","value":1})");
  EXPECT_EQ(host_->post("/api/v1/jobs/" + std::to_string(id) + "/cancel").status / 100, 2);
  EXPECT_EQ(text(host_->waitForEnd(id), "state"), "canceled");
  EXPECT_EQ(count(), R"([{"n":1}])");
  EXPECT_THAT(answers(R"({"do":"kget","key":"lost"})"), HasSubstr(R"("code":-5)"));
}

TEST_F(RecordsOfPlugins, OfASuspendedAttemptAreStored) {
  start();
  EXPECT_EQ(answers(R"({"do":"put","key":"b","value":1,"options":{"expected":-1}},{"do":"suspend"},{"do":"count"})"),
            R"([{"version":-2},{"n":1}])");
  EXPECT_EQ(count(), R"([{"n":1}])");
}

TEST_F(RecordsOfPlugins, OneThatReliedOnWhatAnotherChangedFailsAndMayBeTriedAgain) {
  start();
  answers(R"({"do":"put","key":"n","value":1})");
  const std::string steps =
      R"({"do":"put","key":"n","value":2,"options":{"expected":1}},{"do":"put","key":"other","value":1},)"
      R"({"do":"child","steps":[{"do":"put","key":"n","value":3}]})";
  const auto failed = run(steps);
  EXPECT_EQ(text(failed, "state"), "failed");
  EXPECT_EQ(codeOf(failed), "records_conflict");
  EXPECT_THAT(text(failed->getObject("error"), "message"), HasSubstr("\"n\""));
  EXPECT_EQ(count(), R"([{"n":1}])") << "nothing of it was stored";
  EXPECT_THAT(answers(R"({"do":"get","key":"n"})"), HasSubstr(R"("value":3)"));

  const auto again =
      host_->waitForEnd(submit(R"({"do":"put","key":"m","value":2,"options":{"expected":0}},)"
                               R"({"do":"child","steps":[{"do":"put","key":"m","value":3,"options":{"expected":0}}]})",
                               R"(,"max_attempts":2,"backoff":{"kind":"fixed","base_ms":10})"));
  EXPECT_EQ(text(again, "state"), "succeeded");
  EXPECT_EQ(text(again, "attempt"), "2");
  EXPECT_THAT(answers(R"({"do":"get","key":"m"})"), HasSubstr(R"("value":3)"));
}

TEST_F(RecordsOfPlugins, AreNeverHalfThereWhenTheHostOrARunnerIsKilled) {
  start();
  answers(R"({"do":"many","n":10,"prefix":"old","parent":"p"})");
  for (int round = 0; round < 3; ++round) {
    const auto id = holding(R"({"do":"many","n":200,"prefix":"new","parent":"p"},{"do":"del","key":"old1"},)"
                            R"({"do":"put","key":"at-once","value":)" +
                            std::to_string(round) + R"(,"options":{"now":true}})");
    if (round == 1) {
      for (const auto pid : host_->otherProcesses()) ::kill(pid, SIGKILL);
    } else {
      host_->killNow();
      start();
    }
    host_->post("/api/v1/jobs/" + std::to_string(id) + "/cancel");
    ASSERT_TRUE(host_->waitForEnd(id));
    EXPECT_EQ(count(), R"([{"n":11}])") << "round " << round;
    EXPECT_THAT(answers(R"({"do":"get","key":"at-once"})"), HasSubstr("\"value\":" + std::to_string(round)));
  }
  // Killed while many attempts are being stored: of each there is all or nothing.
  std::vector<std::int64_t> ids;
  for (int i = 0; i < 12; ++i) {
    ids.push_back(submit(R"({"do":"many","n":50,"in":"pages","parent":"j)" + std::to_string(i) + R"(","prefix":"j)" +
                         std::to_string(i) + R"(-"})"));
  }
  HostProcess::eventually([&] { return text(host_->job(ids[3]), "state") == "succeeded"; });
  host_->killNow();
  start();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(text(host_->waitForEnd(ids[i]), "state"), "succeeded");
    EXPECT_EQ(answers(R"({"do":"count","in":"pages","options":{"parent":"j)" + std::to_string(i) + R"("}})"),
              R"([{"n":50}])");
  }
}

TEST_F(RecordsOfPlugins, KeysHaveTheirSpacesAndTheirTime) {
  start();
  EXPECT_EQ(answers(R"({"do":"kput","key":"a","value":"1"},{"do":"kput","space":2,"key":"a","value":"job's"},)"
                    R"({"do":"kput","space":1,"key":"gone","value":"x","options":{"ttl_ms":1,"now":true}},)"
                    R"({"do":"kget","space":2,"key":"a"})"),
            R"([{"version":-2},{"version":-2},{"version":1},{"value":"job's","version":-2}])");
  const auto later = answers(R"({"do":"kget","key":"a"},{"do":"kget","space":2,"key":"a"},)"
                             R"({"do":"kget","space":1,"key":"gone"},{"do":"klist"})");
  EXPECT_THAT(later, HasSubstr(R"([{"value":"1","version":1},{"code":-5)"));
  EXPECT_THAT(later, HasSubstr(R"("size_bytes":1)"));
  EXPECT_THAT(answers(R"({"do":"kget","space":7,"key":"a"})"), HasSubstr(R"("code":-3)"));
}

TEST_F(RecordsOfPlugins, OfOthersNeedAPermissionForWhatIsDone) {
  place("first/record_stranger.so");
  start();
  ASSERT_TRUE(has("foreign_records"));
  answers(R"({"do":"put","key":"b","value":1})");
  EXPECT_THAT(answers(R"({"do":"get","in":"org.jobhost.recordkit/books","key":"b"})", "foreign_records"),
              HasSubstr(R"("value":1)"));
  const auto denied = answers(R"({"do":"put","in":"org.jobhost.recordkit/books","key":"b","value":2},)"
                              R"({"do":"get","in":"org.jobhost.other/x","key":"b"},)"
                              R"({"do":"put","in":"books","key":"b","value":2},{"do":"kget","key":"x"})",
                              "foreign_records");
  EXPECT_THAT(denied, HasSubstr("permissions.records.write"));
  EXPECT_THAT(denied, HasSubstr("permissions.records.read"));
  EXPECT_THAT(denied, HasSubstr("declares no collection"));
  EXPECT_THAT(denied, HasSubstr("permissions.kv"));
  answers(R"({"do":"put","in":"org.jobhost.recordkit/pages","key":"p","value":7})", "foreign_records");
  EXPECT_THAT(answers(R"({"do":"get","in":"pages","key":"p"})"), HasSubstr(R"("value":7)"));
}

TEST_F(RecordsOfPlugins, AreIndexedAnewWhenAVersionDeclaresOtherFields) {
  start();
  answers(R"({"do":"many","n":1200,"prefix":"k"},{"do":"put","key":"t","value":{"tags":"x","n":7}})");
  place("second/recordkit_2.so", "recordkit.so");
  ASSERT_TRUE(HostProcess::eventually(
      [&] { return host_->get("/api/v1/plugins").body.find("\"2.0.0\"") != std::string::npos; }));
  // Answered "try again" until the index is built.
  ASSERT_TRUE(HostProcess::eventually(
      [&] { return answers(R"({"do":"count","options":{"index":"n","value":7}})") == R"([{"n":2}])"; }));
  EXPECT_THAT(answers(R"({"do":"list","options":{"index":"tags","value":"x"}})"), HasSubstr("no index"));
  EXPECT_EQ(count(), R"([{"n":1201}])");
}

TEST_F(RecordsOfPlugins, StayWithinTheirLimits) {
  start({"records.per_plugin=20", "records.attempt_writes=10"});
  EXPECT_THAT(text(run(R"({"do":"many","n":11})")->getObject("error"), "message"), HasSubstr("more than 10 records"));
  EXPECT_EQ(text(run(R"({"do":"many","n":10})"), "state"), "succeeded");
  EXPECT_EQ(text(run(R"({"do":"many","n":10,"prefix":"m"})"), "state"), "succeeded");
  const auto over = run(R"({"do":"put","key":"one more","value":1})");
  EXPECT_EQ(text(over, "state"), "failed");
  EXPECT_EQ(codeOf(over), "records_refused");
  EXPECT_THAT(answers(R"({"do":"put","key":"one more","value":1,"options":{"now":true}})"), HasSubstr(R"("code":-6)"));
  EXPECT_EQ(count(), R"([{"n":20}])");
}

TEST_F(RecordsOfPlugins, RefuseWhatIsNoneWithTheReason) {
  start();
  const std::string big(513, 'k');
  const auto refused = answers(
      R"({"do":"put","key":"","value":1},{"do":"put","key":")" + big + R"(","value":1},)" +
      R"({"do":"put","key":"a","raw":"{\"x\":"},{"do":"put","key":"a","value":{"tags":{}}},)"
      R"({"do":"put","key":"a","value":1,"options":{"expcted":1}},{"do":"put","key":"a","value":1,"options":{"sort":[1]}},)"
      R"({"do":"list","options":{"limit":0}},{"do":"list","options":{"cursor":"zz.x"}},)"
      R"({"do":"list","options":{"parent":"a","prefix":"b"}},{"do":"list","options":{"index":"tags"}},)"
      R"({"do":"list","options":{"index":"title","value":1}},{"do":"get","in":"#","key":"a"})");
  for (const char* reason : {"1 to 512 bytes", "more than 512 bytes", "not valid JSON", "\\\"tags\\\"",
                             "/expcted: unknown", "/sort: ", "/limit: ", "/cursor: ", "only one of",
                             "/value: ", "no index on \\\"title\\\"", "declares no collection"}) {
    EXPECT_THAT(refused, HasSubstr(reason));
  }
  EXPECT_EQ(count(), R"([{"n":0}])");
}

}  // namespace
}  // namespace jobhost::e2e
