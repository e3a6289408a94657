// What a job can ask of the host and what a client can ask of a job, through REST against a real host.

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
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

constexpr char kLong[] = R"({"ms":600000,"steps":60000})";

class Services : public testing::Test {
 protected:
  /// `runners`: how many attempts run at once.
  HostProcess& start(int runners = 2, std::vector<std::string> set = {}) {
    set.insert(set.end(), {"runner.max_per_plugin=" + std::to_string(runners), "plugins.early_crashes=1000"});
    host_ = std::make_unique<HostProcess>(
        HostProcess::Options{.data = folder_ / "data", .plugins = {}, .set = std::move(set), .wrapper = {}});
    if (!host_->start()) throw std::runtime_error("the host did not start: " + host_->log());
    return *host_;
  }
  void TearDown() override {
    if (!host_ || host_->pid() <= 0) return;
    EXPECT_EQ(host_->stop(), 0);
    EXPECT_TRUE(HostProcess::eventually([&] { return host_->otherProcesses().empty(); }));
  }

  std::int64_t submit(const std::string& type, const std::string& params = "{}", const std::string& more = {}) {
    const auto id = host_->submit(type, params, more);
    EXPECT_TRUE(id) << type << ' ' << params << more;
    return id.value_or(0);
  }
  Poco::JSON::Object::Ptr ended(std::int64_t id) {
    auto job = host_->waitForEnd(id);
    EXPECT_TRUE(job) << "job " << id << " did not end: " << host_->get(path(id)).body;
    return job ? job : Poco::JSON::Object::Ptr(new Poco::JSON::Object);
  }
  Poco::JSON::Object::Ptr run(const std::string& type, const std::string& params = "{}", const std::string& more = {}) {
    return ended(submit(type, params, more));
  }
  std::int64_t running(const std::string& type, const std::string& params = kLong, const std::string& more = {}) {
    const auto id = submit(type, params, more);
    EXPECT_TRUE(host_->waitForEvent(id, "started"));
    return id;
  }
  int ask(std::int64_t id, const std::string& what) { return host_->post(path(id) + "/" + what).status; }
  std::string stateOf(std::int64_t id) { return text(host_->job(id), "state"); }
  bool becomes(std::int64_t id, const std::string& state) {
    return HostProcess::eventually([&] { return stateOf(id) == state; });
  }
  std::string logOf(std::int64_t id) { return host_->get(path(id) + "/logs").body; }
  static std::string path(std::int64_t id) { return "/api/v1/jobs/" + std::to_string(id); }
  static std::string codeOf(const Poco::JSON::Object::Ptr& job) {
    const auto error = job->getObject("error");
    return error ? text(error, "code") : "";
  }
  static std::string messageOf(const Poco::JSON::Object::Ptr& job) {
    const auto error = job->getObject("error");
    return error ? text(error, "message") : "";
  }
  static std::int64_t counter(const Poco::JSON::Object::Ptr& job, const std::string& name) {
    return job->getObject("children")->getValue<std::int64_t>(name);
  }
  std::vector<std::string> childStates(std::int64_t parent) {
    std::vector<std::string> states;
    const auto answer = host_->get(path(parent) + "/children").json();
    if (!answer || !answer->getArray("jobs")) return states;
    for (std::size_t i = 0; i < answer->getArray("jobs")->size(); ++i) {
      states.push_back(text(answer->getArray("jobs")->getObject(static_cast<unsigned>(i)), "state"));
    }
    return states;
  }

  TempFolder folder_;
  std::unique_ptr<HostProcess> host_;
};

// ------------------------------------------------------------------------------------------------------- children

TEST_F(Services, AParentWaitsForItsChildrenWithoutHoldingASlot) {
  start(1);  // the only slot has to be free for the children
  const auto job = run("spawn", R"({"children":3,"type":"sleep","params":{"ms":20}})");
  EXPECT_EQ(text(job, "state"), "succeeded");
  EXPECT_EQ(text(job, "attempt"), "1") << "waking up is no new attempt";
  EXPECT_EQ(counter(job, "total"), 3);
  EXPECT_EQ(counter(job, "done"), 3);
  EXPECT_EQ(counter(job, "failed"), 0);
  std::ostringstream states;
  job->getObject("result")->getArray("states")->stringify(states);
  EXPECT_EQ(states.str(), R"(["succeeded","succeeded","succeeded"])");
}

TEST_F(Services, AParentMayWaitInRun) {
  start(2);
  const auto job = run("spawn", R"({"children":2,"how":"wait"})");
  EXPECT_EQ(text(job, "state"), "succeeded");
  EXPECT_EQ(counter(job, "done"), 2);
}

TEST_F(Services, AParentWithoutChildrenWaitsForNone) {
  start(1);
  for (const char* how : {"wait", "wait_any"}) {
    const auto job = run("spawn", std::string(R"({"children":0,"how":")") + how + R"("})");
    EXPECT_EQ(text(job, "state"), "succeeded") << how;
  }
}

TEST_F(Services, ATreeOfJobsCountsItsDescendants) {
  start(2);
  const auto job = run("spawn", R"({"children":2,"type":"spawn","params":{"children":3}})");
  EXPECT_EQ(text(job, "state"), "succeeded");
  EXPECT_EQ(counter(job, "total"), 2);
  EXPECT_EQ(job->getObject("descendants")->getValue<std::int64_t>("total"), 8);
  EXPECT_EQ(job->getObject("descendants")->getValue<std::int64_t>("done"), 8);
}

TEST_F(Services, FailedChildrenFailTheParentOnlyWhenAskedTo) {
  start(2);
  const std::string params = R"({"children":2,"type":"fail","params":{"class":3}})";
  const auto lenient = run("spawn", params);
  EXPECT_EQ(text(lenient, "state"), "succeeded");
  EXPECT_EQ(counter(lenient, "failed"), 2);
  const auto strict = run("spawn", params, R"(,"child_failure":"fail")");
  EXPECT_EQ(text(strict, "state"), "failed");
  EXPECT_EQ(codeOf(strict), "children_failed");
  EXPECT_EQ(counter(strict, "failed"), 2);
}

TEST_F(Services, CancelOfAParentCancelsItsChildren) {
  start(2);
  const auto parent = submit("spawn", R"({"children":4,"type":"sleep","params":{"ms":600000,"steps":60000}})");
  ASSERT_TRUE(becomes(parent, "waiting"));
  EXPECT_EQ(ask(parent, "cancel") / 100, 2);
  EXPECT_EQ(text(ended(parent), "state"), "canceled");
  EXPECT_TRUE(HostProcess::eventually([&] {
    const auto states = childStates(parent);
    return states.size() == 4 && std::count(states.begin(), states.end(), "canceled") == 4;
  }));
  EXPECT_EQ(text(run("noop"), "state"), "succeeded");
}

// ---------------------------------------------------------------------------------------------------- checkpoints

TEST_F(Services, ACheckpointOutlivesItsRunner) {
  start(1);
  const auto id = submit("checkpoint", R"({"until":2,"hold_ms":600000})",
                         R"(,"max_attempts":2,"backoff":{"kind":"fixed","base_ms":1})");
  ASSERT_TRUE(HostProcess::eventually([&] { return logOf(id).find("saved") != std::string::npos; }));
  for (const auto runner : host_->otherProcesses()) kill(runner, SIGKILL);
  const auto job = ended(id);
  EXPECT_EQ(text(job, "state"), "succeeded") << messageOf(job);
  EXPECT_EQ(text(job->getObject("result"), "runs"), "2");
}

TEST_F(Services, ACheckpointOutlivesTheHost) {
  start(1);
  const auto id = submit("checkpoint", R"({"until":2,"hold_ms":600000,"bytes":1048576})", R"(,"max_attempts":3)");
  ASSERT_TRUE(HostProcess::eventually([&] { return logOf(id).find("saved") != std::string::npos; }));
  host_->killNow();
  ASSERT_TRUE(host_->start()) << host_->log();
  const auto job = ended(id);
  EXPECT_EQ(text(job, "state"), "succeeded") << messageOf(job);
  EXPECT_EQ(text(job->getObject("result"), "runs"), "2");
  EXPECT_EQ(text(job->getObject("result"), "rescues"), "1") << "the plugin sees that its host died";
  EXPECT_EQ(text(job, "rescues"), "1");
  EXPECT_EQ(text(job, "attempt"), "1");
  EXPECT_THAT(host_->request("GET", path(id) + "/events", {}, {{"Last-Event-ID", "1"}}).body, HasSubstr("host_died"));
}

// --------------------------------------------------------------------------------------------- config and secrets

std::vector<std::string> filesHolding(const fs::path& folder, const std::string& text) {
  std::vector<std::string> found;
  if (!fs::exists(folder)) return found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::stringstream all;
    all << in.rdbuf();
    if (all.str().find(text) != std::string::npos) found.push_back(entry.path().string());
  }
  return found;
}

TEST_F(Services, ConfigAndSecretReachThePluginAndTheSecretStaysSecret) {
  const std::string secret = "s3cr3t-\"quoted\"-value-0815";
  start(1, {"plugin.org.jobhost.testkit.colour=\"blue\"", "secret.org.jobhost.testkit.TOKEN=" + secret});
  const auto job = run("settings");
  ASSERT_EQ(text(job, "state"), "succeeded") << messageOf(job);
  EXPECT_EQ(text(job->getObject("result")->getObject("config"), "colour"), "blue");
  EXPECT_EQ(text(job->getObject("result"), "token"), "[secret]") << "it had the value, and the host took it out";

  const auto leaking = submit("settings", R"({"leak":true})");
  const auto failed = ended(leaking);
  EXPECT_EQ(messageOf(failed), "the far side refused [secret]");
  EXPECT_EQ(text(failed->getObject("notes"), "token"), "[secret]");
  EXPECT_EQ(text(failed->getObject("progress"), "message"), "with [secret]");
  const auto log = logOf(leaking);
  EXPECT_THAT(log, HasSubstr("the token is [secret]"));
  EXPECT_THAT(log, HasSubstr("printed [secret]"));
  EXPECT_THAT(log, HasSubstr("complained [secret]"));
  const auto config = host_->get("/api/v1/config").body;
  EXPECT_EQ(host_->stop(), 0);
  for (const std::string form : {"value-0815", "s3cr3t-"}) {
    EXPECT_THAT(filesHolding(folder_ / "data", form), testing::IsEmpty());
    EXPECT_EQ(host_->log().find(form), std::string::npos);
    EXPECT_EQ(config.find(form), std::string::npos);
  }
}

// ---------------------------------------------------------------------------------------------- inputs and outputs

TEST_F(Services, InputsAreThePluginsCopyAndOutputsComeWhole) {
  start(1);
  const auto upload = host_->post("/api/v1/inputs?name=a.txt", "as it was given");
  ASSERT_EQ(upload.status, 201) << upload.body;
  const auto input = text(upload.json(), "input_id");
  const auto id = submit("files", R"({"spoil":true,"outputs":[{"name":"sub/b.txt","text":"made"}]})",
                         R"(,"input_id":")" + input + "\"");
  EXPECT_EQ(text(ended(id), "state"), "succeeded") << messageOf(host_->job(id));
  EXPECT_EQ(host_->get(path(id) + "/outputs/copy/a.txt").body, "as it was given");
  EXPECT_EQ(host_->get(path(id) + "/outputs/sub/b.txt").body, "made");
  EXPECT_EQ(host_->get(path(id) + "/outputs/by-path.txt").body, "written by path\n");
  EXPECT_EQ(host_->get(path(id) + "/outputs/scratch").status, 404);
  EXPECT_EQ(filesHolding(folder_ / "data/inputs", "as it was given").size(), 1U) << "the upload is as it was";
}

TEST_F(Services, AFailedAttemptLeavesNoOutputAndARetryReadsTheSameInput) {
  start(1);
  const auto upload = host_->post("/api/v1/inputs?name=a.txt", "as it was given");
  ASSERT_EQ(upload.status, 201) << upload.body;
  const auto id = submit("files", R"({"spoil":true,"fail":true,"outputs":[{"name":"b.txt","text":"made"}]})",
                         R"(,"input_id":")" + text(upload.json(), "input_id") + "\"");
  EXPECT_EQ(messageOf(ended(id)), "failed after writing");
  EXPECT_EQ(host_->get(path(id) + "/outputs/b.txt").status, 404);
  EXPECT_TRUE(filesHolding(folder_ / "data/jobs", "made").empty());
  EXPECT_EQ(ask(id, "retry") / 100, 2);
  ASSERT_TRUE(
      HostProcess::eventually([&] { return stateOf(id) == "failed" && text(host_->job(id), "attempt") == "2"; }));
  EXPECT_EQ(messageOf(host_->job(id)), "failed after writing") << "the second attempt read its input too";
}

// ------------------------------------------------------------------------------------------- stopping and waiting

TEST_F(Services, CancelEndsWhatWaitsAtOnceAndWhatRunsWhenItHeeds) {
  start(1);
  const auto first = running("sleep");
  const auto second = submit("sleep", kLong);
  EXPECT_EQ(ask(second, "cancel"), 200);
  EXPECT_EQ(stateOf(second), "canceled");
  EXPECT_EQ(ask(first, "cancel"), 202);
  const auto job = ended(first);
  EXPECT_EQ(text(job, "state"), "canceled");
  EXPECT_EQ(codeOf(job), "canceled");
  EXPECT_EQ(messageOf(job), "canceled");
  EXPECT_TRUE(job->isNull("exit"));
  EXPECT_EQ(ask(first, "cancel"), 200) << "it has ended";
}

TEST_F(Services, CancelOfAStubbornJobIsForced) {
  start(1);
  const auto id = submit("sleep", R"({"ms":600000,"steps":1,"ignore_cancel":true})");
  ASSERT_TRUE(HostProcess::eventually([&] { return logOf(id).find("deaf") != std::string::npos; }));
  EXPECT_EQ(ask(id, "cancel"), 202);
  EXPECT_TRUE(host_->job(id)->getValue<bool>("cancel_requested"));
  const auto job = ended(id);
  EXPECT_EQ(text(job, "state"), "canceled");
  EXPECT_THAT(messageOf(job), HasSubstr("was killed"));
  EXPECT_FALSE(job->isNull("exit"));
  EXPECT_EQ(text(run("noop"), "state"), "succeeded");
}

TEST_F(Services, AnAttemptMayNotRunLongerThanItsTimeout) {
  start(1);
  const auto job = run("sleep", kLong, R"(,"timeout_ms":200)");
  EXPECT_EQ(text(job, "state"), "failed");
  EXPECT_EQ(codeOf(job), "timeout");
  EXPECT_THAT(messageOf(job), HasSubstr("its timeout of 200 ms"));
  EXPECT_EQ(text(run("noop"), "state"), "succeeded");
}

TEST_F(Services, AJobThatWantsToRunLaterGivesItsRunnerToOthersMeanwhile) {
  start(1);
  // One waits for as long as it is looked at.
  const auto id = submit("checkpoint", R"({"until":3,"later_ms":600000})", R"(,"max_attempts":1)");
  ASSERT_TRUE(
      HostProcess::eventually([&] { return stateOf(id) == "queued" && logOf(id).find("first") != std::string::npos; }));
  const auto waiting = host_->job(id);
  EXPECT_EQ(text(waiting, "hold"), "delayed");
  EXPECT_EQ(text(waiting->getObject("progress"), "message"), "busy, says run 1");
  EXPECT_EQ(text(run("noop"), "state"), "succeeded") << "the only runner was free";
  EXPECT_EQ(text(host_->job(id), "hold"), "delayed");
  EXPECT_EQ(ask(id, "cancel"), 200);
  const auto job = run("checkpoint", R"({"until":3,"later_ms":200})", R"(,"max_attempts":1)");
  EXPECT_EQ(text(job, "state"), "succeeded");
  EXPECT_EQ(text(job, "attempt"), "1");
  EXPECT_EQ(text(job, "retries"), "0");
  EXPECT_EQ(text(job->getObject("result"), "runs"), "3");
  EXPECT_EQ(text(job->getObject("result"), "attempt"), "1");
  EXPECT_EQ(text(job->getObject("result"), "resumed"), "true");
}

TEST_F(Services, AJobThatWantsToRunLaterIsCanceledAndSuspendedAsAQueuedOne) {
  start(1);
  const auto later = [&] {
    const auto id = submit("checkpoint", R"({"until":9,"later_ms":600000})");
    EXPECT_TRUE(HostProcess::eventually([&] { return text(host_->job(id), "hold") == "delayed"; }));
    return id;
  };
  const auto canceled = later();
  EXPECT_EQ(ask(canceled, "cancel"), 200);
  EXPECT_EQ(stateOf(canceled), "canceled");
  const auto suspended = later();
  EXPECT_EQ(ask(suspended, "suspend"), 200);
  EXPECT_EQ(stateOf(suspended), "suspended");
  EXPECT_EQ(ask(suspended, "resume"), 200);
  EXPECT_EQ(text(host_->job(suspended), "hold"), "delayed");
  EXPECT_EQ(ask(suspended, "cancel"), 200);
  EXPECT_EQ(text(run("noop"), "state"), "succeeded");
}

TEST_F(Services, SuspendTakesARunningJobOffAndResumePutsItBack) {
  start(1);
  const auto id = running("sleep");
  const auto waiting = submit("noop");
  EXPECT_EQ(ask(id, "suspend") / 100, 2);
  ASSERT_TRUE(becomes(id, "suspended"));
  EXPECT_EQ(text(ended(waiting), "state"), "succeeded") << "its slot is free";
  EXPECT_EQ(ask(id, "resume") / 100, 2);
  ASSERT_TRUE(becomes(id, "running"));
  EXPECT_EQ(text(host_->job(id), "attempt"), "1") << "the attempt that was set aside does not count";
  EXPECT_EQ(ask(id, "cancel"), 202);
  EXPECT_EQ(text(ended(id), "state"), "canceled");
}

TEST_F(Services, AQueuedJobCanBeSuspendedToo) {
  start(1);
  const auto blocker = running("sleep");
  const auto id = submit("noop");
  EXPECT_EQ(ask(id, "suspend") / 100, 2);
  EXPECT_TRUE(becomes(id, "suspended"));
  ask(blocker, "cancel");
  ended(blocker);
  EXPECT_EQ(text(run("echo"), "state"), "succeeded");
  EXPECT_EQ(stateOf(id), "suspended");
  EXPECT_EQ(ask(id, "resume") / 100, 2);
  EXPECT_EQ(text(ended(id), "state"), "succeeded");
}

// ------------------------------------------------------------------------------------------------ retries and order

TEST_F(Services, AFailureIsTriedAgainAfterItsBackoff) {
  start(1);
  const auto job =
      run("fail", R"({"class":2,"times":2})", R"(,"max_attempts":3,"backoff":{"kind":"fixed","base_ms":50})");
  EXPECT_EQ(text(job, "state"), "succeeded");
  EXPECT_EQ(text(job, "attempt"), "3");
  EXPECT_EQ(text(job, "retries"), "2");
  const auto used_up =
      run("fail", R"({"class":2,"code":"kit.busy"})", R"(,"max_attempts":2,"backoff":{"kind":"fixed","base_ms":1})");
  EXPECT_EQ(text(used_up, "state"), "failed");
  EXPECT_EQ(text(used_up, "attempt"), "2");
  EXPECT_EQ(codeOf(used_up), "kit.busy");
  const auto permanent = run("fail", R"({"class":3})", R"(,"max_attempts":5)");
  EXPECT_EQ(text(permanent, "attempt"), "1") << "no attempt mends it";
}

TEST_F(Services, AFailedJobWaitsForItsRetryAndTheClientMayAskForAnother) {
  start(1);
  const auto waits = submit("fail", "{}", R"(,"max_attempts":2,"backoff":{"kind":"fixed","base_ms":600000})");
  ASSERT_TRUE(HostProcess::eventually([&] { return text(host_->job(waits), "hold") == "delayed"; }));
  EXPECT_EQ(stateOf(waits), "queued");
  EXPECT_EQ(codeOf(host_->job(waits)), "testkit.fail") << "why it waits is shown";
  EXPECT_EQ(ask(waits, "cancel"), 200);
  const auto failed = run("fail", R"({"class":3,"times":1})");
  ASSERT_EQ(text(failed, "state"), "failed");
  const auto id = failed->getValue<std::int64_t>("id");
  EXPECT_EQ(ask(id, "retry") / 100, 2);
  EXPECT_TRUE(becomes(id, "succeeded"));
}

TEST_F(Services, TheMoreUrgentJobGoesFirst) {
  start(1);
  const auto blocker = running("sleep");
  std::vector<std::int64_t> ids;
  for (const int priority : {0, -5, 10, 5}) {
    ids.push_back(submit("echo", "{}", R"(,"priority":)" + std::to_string(priority)));
  }
  ask(blocker, "cancel");
  std::vector<std::string> begun;
  for (const std::size_t i : {2U, 3U, 0U, 1U}) begun.push_back(text(ended(ids[i]), "started_at"));
  EXPECT_TRUE(std::is_sorted(begun.begin(), begun.end())) << testing::PrintToString(begun);
}

TEST_F(Services, JobsOfOneQueueKeyRunOneAfterTheOther) {
  start(2);
  const auto first = running("sleep", kLong, R"(,"queue_key":"album-1")");
  const auto second = submit("noop", "{}", R"(,"queue_key":"album-1")");
  EXPECT_EQ(text(run("noop", "{}", R"(,"queue_key":"album-2")"), "state"), "succeeded") << "another key is free";
  EXPECT_EQ(stateOf(second), "queued");
  EXPECT_EQ(text(host_->job(second), "hold"), "key_busy");
  ask(first, "cancel");
  const auto job = ended(second);
  EXPECT_EQ(text(job, "state"), "succeeded");
  EXPECT_GE(text(job, "started_at"), text(ended(first), "finished_at"));
}

TEST_F(Services, AJobWaitsForThoseItDependsOn) {
  start(2);
  const auto first = running("sleep", R"({"ms":600000,"steps":60000})");
  const auto needs_first = submit("noop", "{}", R"(,"depends_on":[)" + std::to_string(first) + "]");
  EXPECT_EQ(text(host_->job(needs_first), "hold"), "dependency");
  const auto good = submit("sleep", R"({"ms":50})");
  const auto needs_good = submit("noop", "{}", R"(,"depends_on":[)" + std::to_string(good) + "]");
  EXPECT_EQ(text(ended(needs_good), "state"), "succeeded");
  EXPECT_GE(text(host_->job(needs_good), "started_at"), text(host_->job(good), "finished_at"));
  ask(first, "cancel");
  const auto job = ended(needs_first);
  EXPECT_EQ(text(job, "state"), "failed");
  EXPECT_EQ(codeOf(job), "dependency_failed");
}

TEST_F(Services, ADelayedJobWaitsForItsTime) {
  start(2);
  const auto held = submit("noop", "{}", R"(,"delay_ms":600000)");
  EXPECT_EQ(text(run("noop"), "state"), "succeeded") << "what is due passes it";
  EXPECT_EQ(stateOf(held), "queued");
  EXPECT_EQ(text(host_->job(held), "hold"), "delayed");
  EXPECT_EQ(ask(held, "cancel"), 200);
  const auto job = run("noop", "{}", R"(,"delay_ms":700)");
  EXPECT_EQ(text(job, "state"), "succeeded");
  EXPECT_GE(text(job, "started_at"), text(job, "run_at"));
}

}  // namespace
}  // namespace jobhost::e2e
