// LANraragi's Minion API on a whole host: behaviours of contracts/minion.md 5.2 that need real plugins, and what four
// kinds of clients rely on (4.1 to 4.3), imitated.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <mutex>
#include <regex>
#include <set>
#include <thread>

#include <Poco/JSON/Parser.h>
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/StreamCopier.h>

#include "e2e/minion_host.hpp"

namespace jobhost::e2e {
namespace {

using namespace std::chrono_literals;
using Poco::Dynamic::Var;
using Clock = std::chrono::steady_clock;

using Contract52 = MinionHost;

double seconds(const Object& object, const char* name) {
  return object->isNull(name) ? NAN : std::stod(text(object, name));
}

/// The types of 1.5, as the Redis back end has them.
void expectDetailTypes(const Object& job) {
  ASSERT_TRUE(job);
  std::vector<std::string> names;
  job->getNames(names);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()),
            (std::set<std::string>{"args", "attempts", "children", "created", "delayed", "finished", "id", "notes",
                                   "parents", "priority", "queue", "result", "retried", "retries", "started", "state",
                                   "task", "worker"}));
  for (const char* name : {"attempts", "created", "delayed", "id", "priority", "queue", "retries", "state", "task"}) {
    EXPECT_TRUE(isText(job, name)) << name;
  }
  for (const char* name : {"finished", "retried", "started", "worker"}) EXPECT_TRUE(isTextOrNull(job, name)) << name;
  static const std::regex kEpoch("[0-9]{10}(\\.[0-9]{0,4}[1-9])?");
  for (const char* name : {"created", "delayed", "finished", "retried", "started"}) {
    if (!job->isNull(name)) {
      EXPECT_TRUE(std::regex_match(text(job, name), kEpoch)) << name << " " << text(job, name);
    }
  }
  EXPECT_TRUE(job->getObject("notes"));
  for (const char* name : {"children", "parents"}) EXPECT_EQ(job->getArray(name)->size(), 0U) << name;
}

TEST_F(Contract52, 1_AJobGoesFromInactiveToFinishedUnderTheEyesOfAPoller) {
  start({"runner.max_total=1", "runner.max_per_plugin=1"});
  const auto blocker = host_->submit("sleep", R"({"ms":60000,"steps":600})");
  ASSERT_TRUE(blocker && host_->waitForEvent(*blocker, "started"));
  EXPECT_EQ(state(*blocker), "active");
  const auto first = queue("sleep", "[1000,50]");
  const auto second = queue("noop", "[]");
  EXPECT_GT(second, first);
  EXPECT_EQ(state(first), "inactive");
  expectDetailTypes(detail(first));
  EXPECT_EQ(text(detail(first), "created"), text(detail(first), "delayed"));
  EXPECT_TRUE(detail(first)->isNull("worker"));
  std::vector<std::string> seen;
  ASSERT_EQ(host_->post("/api/v1/jobs/" + std::to_string(*blocker) + "/cancel").status, 202);
  EXPECT_TRUE(HostProcess::eventually([&] {
    const auto job = basic(first);
    std::vector<std::string> names;
    job->getNames(names);
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()),
              (std::set<std::string>{"error", "notes", "state", "task"}));
    const auto now = text(job, "state");
    if (seen.empty() || seen.back() != now) seen.push_back(now);
    return now == "finished";
  }));
  // Each state was seen above already; a poller that stands still for a while misses one, and none comes again.
  std::vector<std::string> order{"inactive", "active", "finished"};
  std::erase_if(order, [&](const std::string& name) { return std::count(seen.begin(), seen.end(), name) == 0; });
  EXPECT_EQ(seen, order);
  EXPECT_EQ(seen.back(), "finished");
  const auto job = ended(first);
  expectDetailTypes(job);
  EXPECT_EQ(text(job, "id"), std::to_string(first));
  EXPECT_EQ(text(job, "queue"), "default");
  EXPECT_EQ(text(job, "worker"), "1");
  EXPECT_EQ(text(job, "attempts"), "1");
  EXPECT_LE(seconds(job, "created"), seconds(job, "started"));
  EXPECT_LT(seconds(job, "started"), seconds(job, "finished"));
  // The raw text: sorted keys, nothing between them, '/' escaped.
  const auto raw = keyed("GET", "/api/minion/" + std::to_string(first) + "/detail").body;
  EXPECT_TRUE(raw.starts_with(R"({"args":[1000,50],"attempts":"1","children":[],"created":")")) << raw;
}

TEST_F(Contract52, 4_PriorityThenNumberDecidesWhoIsNext) {
  start({"runner.max_total=1", "runner.max_per_plugin=1"});
  const auto blocker = host_->submit("sleep", R"({"ms":60000,"steps":600})");
  ASSERT_TRUE(blocker && host_->waitForEvent(*blocker, "started"));
  std::vector<std::int64_t> ids;
  for (const int priority : {0, 5, -5, 0, 5}) ids.push_back(queue("sleep", "[20,2]", priority));
  ASSERT_EQ(host_->post("/api/v1/jobs/" + std::to_string(*blocker) + "/cancel").status, 202);
  std::vector<double> begun;
  for (const std::size_t i : {1U, 4U, 0U, 3U, 2U}) begun.push_back(seconds(ended(ids[i]), "started"));
  EXPECT_TRUE(std::is_sorted(begun.begin(), begun.end())) << testing::PrintToString(begun);
  EXPECT_EQ(text(detail(ids[2]), "priority"), "-5");
}

TEST_F(Contract52, 5_AFailureIsATextAListOrACrashAndTheHostLives) {
  start();
  const auto plain = ended(queue("fail", "[]"));
  EXPECT_EQ(text(plain, "state"), "failed");
  ASSERT_TRUE(isText(plain, "result"));
  EXPECT_FALSE(text(plain, "result").empty());
  const auto shown = basic(std::stoll(text(plain, "id")));
  EXPECT_EQ(text(shown, "error"), text(plain, "result"));

  const auto thumbnail = ended(queue("thumbnail_task", "[%22%22,%22" + std::string(40, '0') + "%22,0]"));
  EXPECT_EQ(text(thumbnail, "state"), "failed");
  const auto list = thumbnail->getObject("result");
  ASSERT_TRUE(list);
  EXPECT_EQ(list->size(), 1U);
  ASSERT_EQ(list->getArray("errors")->size(), 1U);
  EXPECT_EQ(list->getArray("errors")->getElement<std::string>(0).rfind("Error building thumbnail: ", 0), 0U);

  const auto crash = host_->submit("crash", R"({"how":"kill_self"})", R"(,"max_attempts":1)");
  ASSERT_TRUE(crash);
  const auto gone = ended(*crash);
  EXPECT_EQ(text(gone, "state"), "failed");
  EXPECT_EQ(text(gone, "result"), "Job terminated unexpectedly (exit code: 0, signal: 9)");
  EXPECT_EQ(text(ended(queue("noop", "[]")), "state"), "finished");
}

TEST_F(Contract52, 6_AFailedAttemptIsTriedAgainAfterItsBackoff) {
  start();
  const auto slow = host_->submit("fail", R"({"class":2,"message":"boom"})", R"(,"max_attempts":3)");
  ASSERT_TRUE(slow);
  ASSERT_TRUE(HostProcess::eventually([&] { return text(detail(*slow), "retries") == "1"; }));
  const auto waits = detail(*slow);
  EXPECT_EQ(text(waits, "state"), "inactive");
  EXPECT_EQ(text(waits, "attempts"), "3");
  EXPECT_EQ(text(waits, "result"), "boom");
  EXPECT_NEAR(seconds(waits, "delayed") - seconds(waits, "retried"), 15.0, 0.5);
  EXPECT_NEAR(seconds(waits, "retried"), seconds(waits, "finished"), 0.001);
  EXPECT_FALSE(waits->isNull("started"));
  EXPECT_TRUE(basic(*slow)->isNull("error")) << "it has not failed yet";
  ASSERT_EQ(host_->post("/api/v1/jobs/" + std::to_string(*slow) + "/cancel").status, 200);
  EXPECT_EQ(state(*slow), "failed");

  const auto quick = host_->submit("fail", R"({"class":2,"message":"boom"})",
                                   R"(,"max_attempts":3,"backoff":{"kind":"fixed","base_ms":50})");
  ASSERT_TRUE(quick);
  const auto failed = ended(*quick);
  EXPECT_EQ(text(failed, "state"), "failed");
  EXPECT_EQ(text(failed, "retries"), "2");
  EXPECT_EQ(text(failed, "result"), "boom");
}

TEST_F(Contract52, 7_PageThumbnailsTellEachPageInNotes) {
  const auto id = addArchive("three.zip", photoZip());
  start();
  const auto args = [&id](int force) { return "[%22" + id + "%22," + std::to_string(force) + "]"; };
  const auto job = queue("page_thumbnails", args(0));
  std::set<std::string> all{"1", "2", "3", "id", "total_pages"};
  EXPECT_TRUE(HostProcess::eventually([&] {  // as a reader polls
    const auto now = basic(job);
    std::vector<std::string> names;
    now->getObject("notes")->getNames(names);
    for (const auto& name : names) EXPECT_TRUE(all.contains(name)) << name;
    for (const auto& name : names) EXPECT_TRUE(now->getObject("notes")->get(name).isString()) << name;
    return text(now, "state") == "finished";
  }));
  const auto notes = basic(job)->getObject("notes");
  EXPECT_EQ(notes->size(), 5U);
  for (const char* number : {"1", "2", "3"}) EXPECT_EQ(text(notes, number), "processed");
  EXPECT_EQ(text(notes, "total_pages"), "3");
  EXPECT_EQ(text(notes, "id"), id);
  EXPECT_EQ(detail(job)->getObject("result")->getArray("errors")->size(), 0U);
  std::map<int, fs::file_time_type> written;
  for (int number = 1; number <= 3; ++number) {
    EXPECT_EQ(samples::decode(samples::readAll(page(id, number))).width, 500) << number;
    written[number] = fs::last_write_time(page(id, number));
  }
  EXPECT_EQ(text(ended(queue("page_thumbnails", args(0))), "state"), "finished");
  for (const auto& [number, at] : written) EXPECT_EQ(fs::last_write_time(page(id, number)), at) << number;
  EXPECT_EQ(text(ended(queue("page_thumbnails", args(1))), "state"), "finished");
  for (const auto& [number, at] : written) EXPECT_GT(fs::last_write_time(page(id, number)), at) << number;
}

TEST_F(Contract52, 7_ACorruptPageIsAnErrorOfAFinishedJob) {
  const auto good = samples::picture(300, 400, ".jpg");
  const auto id =
      addArchive("broken.zip", samples::archive("zip", {{"1.jpg", good}, {"2.jpg", "no picture"}, {"3.jpg", good}}));
  start();
  const auto job = ended(queue("page_thumbnails", "[%22" + id + "%22,0]"));
  EXPECT_EQ(text(job, "state"), "finished");
  EXPECT_EQ(job->getObject("result")->getArray("errors")->size(), 1U);
  EXPECT_EQ(text(job->getObject("notes"), "2"), "processed");
  EXPECT_TRUE(fs::exists(page(id, 1)) && !fs::exists(page(id, 2)) && fs::exists(page(id, 3)));
}

TEST_F(Contract52, 8_ThumbnailTaskAnswersThePathOfThePicture) {
  const auto id = addArchive("three.zip", photoZip());
  start();
  const auto first = ended(queue("thumbnail_task", "[%22" + thumbs_.string() + "%22,%22" + id + "%22,0]"));
  EXPECT_EQ(text(first, "state"), "finished");
  EXPECT_TRUE(isText(first, "result"));
  EXPECT_EQ(text(first, "result"), cover(id).string());
  EXPECT_EQ(samples::decode(samples::readAll(cover(id))).width, 500);
  const auto second = ended(queue("thumbnail_task", "[null,%22" + id + "%22,2]"));
  EXPECT_EQ(text(second, "result"), page(id, 2).string());
  const auto unknown = ended(queue("thumbnail_task", "[null,%22" + std::string(40, 'f') + "%22,0]"));
  EXPECT_EQ(text(unknown, "state"), "failed");
  EXPECT_EQ(unknown->getObject("result")->getArray("errors")->size(), 1U);
  // A folder of the caller's choosing is none of ours.
  const auto elsewhere = ended(queue("thumbnail_task", "[%22/etc%22,%22" + id + "%22,0]"));
  EXPECT_EQ(elsewhere->getObject("result")->getArray("errors")->getElement<std::string>(0), "path not allowed");
}

// ------------------------------------------------------------------------------------------------ pictures by route

TEST_F(MinionHost, AReaderGetsItsPicturesByTheJobsItIsGiven) {
  const auto id = addArchive("three.zip", photoZip());
  start();
  const auto path = "/api/archives/" + id + "/thumbnail";
  EXPECT_EQ(open("GET", path).headers.at("Content-Type"), "image/png");
  const auto accepted = open("GET", path + "?no_fallback=true");
  ASSERT_EQ(accepted.status, 202) << accepted.body;
  ended(accepted.json()->getValue<std::int64_t>("job"));
  const auto picture = open("GET", path + "?no_fallback=true");
  EXPECT_EQ(picture.status, 200);
  EXPECT_EQ(picture.headers.at("Content-Type"), "image/jpeg");
  EXPECT_EQ(samples::decode(picture.body).width, 500);
  const auto known = host_->request("GET", path, {}, {{"If-None-Match", picture.headers.at("ETag")}});
  EXPECT_EQ(known.status, 304);
  const auto pages = open("POST", "/api/archives/" + id + "/files/thumbnails");
  ASSERT_EQ(pages.status, 202) << pages.body;
  EXPECT_EQ(text(ended(pages.json()->getValue<std::int64_t>("job")), "attempts"), "3");
  EXPECT_EQ(samples::decode(open("GET", path + "?page=2").body).width, 500);
}

// --------------------------------------------------------------------------------------------- 12: many who poll

/// One keep-alive connection, as an app holds it.
class Poller {
 public:
  explicit Poller(int port) : session_("127.0.0.1", static_cast<Poco::UInt16>(port)) {
    session_.setKeepAlive(true);
    session_.setTimeout(Poco::Timespan(90, 0));
  }
  Object poll(std::int64_t id) {
    Poco::Net::HTTPRequest request("GET", "/api/minion/" + std::to_string(id), "HTTP/1.1");
    session_.sendRequest(request);
    Poco::Net::HTTPResponse response;
    std::string body;
    Poco::StreamCopier::copyToString(session_.receiveResponse(response), body);
    if (response.getStatus() != 200) return nullptr;
    return Poco::JSON::Parser().parse(body).extract<Object>();
  }

 private:
  Poco::Net::HTTPClientSession session_;
};

TEST_F(Contract52, 12_FiftyPollersSeeNoStateLostOrStale) {
  start();
  constexpr int kClients = 50;
  constexpr int kJobs = 200;
  std::vector<std::int64_t> ids;
  for (int i = 0; i < kJobs; ++i) ids.push_back(queue("sleep", "[40,4]"));
  static const std::map<std::string, int> kOrder{{"inactive", 0}, {"active", 1}, {"finished", 2}};
  std::mutex mutex;
  std::map<std::int64_t, int> furthest;  // what any client has seen of a job when a request began
  std::vector<std::string> faults;
  std::atomic<int> polls{0};
  const auto client = [&](int number) {
    Poller poller(host_->port());
    const auto deadline = Clock::now() + 120s;
    auto next = Clock::now();
    std::vector<std::int64_t> open;
    for (std::size_t i = static_cast<std::size_t>(number); i < ids.size(); i += kClients) open.push_back(ids[i]);
    open.push_back(ids[static_cast<std::size_t>(number)]);
    open.push_back(ids.front());  // and all of them the same two
    open.push_back(ids.back());
    while (!open.empty() && Clock::now() < deadline) {
      std::vector<std::int64_t> still;
      for (const auto id : open) {
        int before = 0;
        {
          std::lock_guard lock(mutex);
          before = furthest[id];
        }
        const auto job = poller.poll(id);
        ++polls;
        const auto word = job ? text(job, "state") : "no answer";
        const auto found = kOrder.find(word);
        std::lock_guard lock(mutex);
        if (found == kOrder.end() || found->second < before) {
          faults.push_back("job " + std::to_string(id) + " is " + word + " after " + std::to_string(before));
          continue;
        }
        furthest[id] = std::max(furthest[id], found->second);
        if (word != "finished") still.push_back(id);
      }
      open = std::move(still);
      next += 100ms;
      std::this_thread::sleep_until(next);  // what this client does: it looks every 100 ms
    }
    std::lock_guard lock(mutex);
    for (const auto id : open) faults.push_back("job " + std::to_string(id) + " never finished");
  };
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) clients.emplace_back(client, i);
  for (auto& one : clients) one.join();
  EXPECT_TRUE(faults.empty()) << faults.size() << " " << faults.front();
  EXPECT_EQ(furthest.size(), static_cast<std::size_t>(kJobs));
  EXPECT_GE(polls.load(), kJobs);
}

// ---------------------------------------------------------------------------------------- clients and what they need

/// LANraragi's own pages (4.1): callAPI looks at the body alone; checkJobStatus polls until the state says it is over.
class FrontEnd {
 public:
  using Ask = std::function<Answer(const std::string& method, const std::string& path)>;
  explicit FrontEnd(Ask ask) : ask_(std::move(ask)) {}

  /// The error its toast shows; "" and the answer when there is none.
  std::string callApi(const std::string& method, const std::string& path, Object& answer) const {
    answer = ask_(method, path).json();
    if (!answer) return "no JSON";
    if (const auto errors = answer->getArray("errors")) return text(errors->getObject(0), "message");
    const Var success = answer->get("success");
    const bool falsy = success.isEmpty() || (success.isInteger() && success.convert<int>() == 0);
    return falsy ? text(answer, "error") : "";
  }

  struct End {
    std::string how;    ///< "done", "failed", or "stopped" without a word
    std::string error;  ///< as its toast would show it
    Object data;
    int progress = 0;  ///< how often it was told of notes
  };
  [[nodiscard]] End checkJobStatus(std::int64_t id, bool use_detail) const {
    End end;
    const auto path = "/api/minion/" + std::to_string(id) + (use_detail ? "/detail" : "");
    const bool over = HostProcess::eventually([&] {
      end.data = ask_("GET", path).json();
      const Var error = end.data->get("error");
      const auto state = text(end.data, "state");
      if (!error.isEmpty() && !error.convert<std::string>().empty()) {
        end.how = "failed";
        end.error = error.convert<std::string>();
      } else if (state == "failed") {
        end.how = "failed";
        end.error = isText(end.data, "result") ? text(end.data, "result") : "[object Object]";
      } else if (state == "finished") {
        end.how = "done";
      } else if (state == "active" || state == "inactive") {
        end.progress += state == "active" && end.data->getObject("notes") ? 1 : 0;
        return false;  // again in a second, or in five
      } else {
        end.how = "stopped";
      }
      return true;
    });
    EXPECT_TRUE(over);
    return end;
  }

 private:
  Ask ask_;
};

TEST_F(MinionHost, TheFrontEndReadsSuccessErrorsAndTheEndOfJobs) {
  start();
  const FrontEnd page([this](const std::string& method, const std::string& path) { return keyed(method, path); });
  Object answer;
  EXPECT_EQ(page.callApi("POST", "/api/minion/sleep/queue?args=[20,2]&priority=0", answer), "");
  EXPECT_EQ(page.checkJobStatus(answer->getValue<std::int64_t>("job"), true).how, "done");

  // A job that is active until the page has seen it so: it waits for its child, which is canceled then.
  const auto waits = host_->submit("spawn", R"({"children":1,"type":"sleep","params":{"ms":600000},"how":"wait"})");
  ASSERT_TRUE(waits);
  const FrontEnd watching([&](const std::string& method, const std::string& path) {
    auto told = keyed(method, path);
    if (text(told.json(), "state") != "active") return told;
    const auto children = host_->get("/api/v1/jobs/" + std::to_string(*waits) + "/children").json();
    const auto list = children ? children->getArray("jobs") : nullptr;
    if (list && list->size() == 1) host_->post("/api/v1/jobs/" + text(list->getObject(0), "id") + "/cancel");
    return told;
  });
  const auto end = watching.checkJobStatus(*waits, true);
  EXPECT_EQ(end.how, "done");
  EXPECT_GT(end.progress, 0);

  EXPECT_EQ(page.callApi("POST", "/api/minion/fail/queue?args=[]", answer), "");
  const auto failing = answer->getValue<std::int64_t>("job");
  const auto by_detail = page.checkJobStatus(failing, true);
  EXPECT_EQ(by_detail.how, "failed");
  EXPECT_FALSE(by_detail.error.empty());
  EXPECT_NE(by_detail.error, "[object Object]");
  EXPECT_EQ(page.checkJobStatus(failing, false).error, by_detail.error) << "the open route says it too";

  // Upstream's own answer to an unknown id makes this poller stop without a word; ours does not.
  const auto unknown = page.checkJobStatus(4711, false);
  EXPECT_EQ(unknown.how, "failed");
  EXPECT_EQ(unknown.error, "No job with this ID.");
  EXPECT_EQ(page.callApi("GET", "/api/minion/4711/detail", answer), "No job with this ID.");
  EXPECT_EQ(page.callApi("POST", "/api/minion/sleep/queue", answer), "Missing property.");
  const FrontEnd stranger([this](const std::string& method, const std::string& path) { return open(method, path); });
  EXPECT_EQ(stranger.callApi("POST", "/api/minion/noop/queue?args=[]", answer), "Unauthorized");

  // A scripts page compares result.success === 1.
  const auto scripted = host_->submit("echo", R"({"success":1,"data":{"a":"b"},"error":null,"type":"script"})");
  const auto result = page.checkJobStatus(*scripted, true).data->getObject("result");
  EXPECT_TRUE(result->get("success").isInteger() && !result->get("success").isBoolean());
  EXPECT_EQ(result->getValue<int>("success"), 1);
}

TEST_F(MinionHost, TheExtensionTakesNon2xxForFailureAndSuccessForANumber) {
  start();
  /// Tsukihi (4.2): detail with its header; "ok …" or "failed …".
  const auto watch = [this](std::int64_t id) {
    std::string end;
    EXPECT_TRUE(HostProcess::eventually([&] {
      const auto answer = keyed("GET", "/api/minion/" + std::to_string(id) + "/detail");
      if (answer.status < 200 || answer.status > 299) {
        end = "failed: status " + std::to_string(answer.status);
        return true;
      }
      const auto job = answer.json();
      if (!text(job, "error").empty() || text(job, "state") == "failed") {
        end = "failed";
        return true;
      }
      if (text(job, "state") != "finished") return false;
      const auto result = job->getObject("result");
      const Var success = result->get("success");
      const bool one = success.isInteger() && !success.isBoolean() && success.convert<int>() == 1;
      end = (one ? "ok " : "refused ") + text(result, "id") + " " + text(result, "message");
      return true;
    }));
    return end;
  };
  EXPECT_EQ(watch(*host_->submit("echo", R"({"success":1,"id":"28697b","message":"added"})")), "ok 28697b added");
  EXPECT_EQ(watch(*host_->submit("echo", R"({"success":0,"id":"28697b","message":"exists"})")),
            "refused 28697b exists");
  EXPECT_EQ(watch(queue("fail", "[]")), "failed");
  EXPECT_EQ(watch(4711), "failed: status 400");
}

TEST_F(MinionHost, AReaderThatLooksEvery100MsComesToAnEnd) {
  const auto id = addArchive("three.zip", photoZip());
  start();
  /// Ichaival (4.2): the number from a 202; then only the state counts, and any answer but 2xx is a failure.
  const auto wait = [this](std::int64_t job) -> std::string {
    for (int i = 0; i < 600; ++i) {
      const auto answer = open("GET", "/api/minion/" + std::to_string(job));
      if (answer.status / 100 != 2) return "failed";
      const auto now = text(answer.json(), "state");
      if (now == "finished" || now == "failed") return now;
      std::this_thread::sleep_for(100ms);
    }
    return "for ever";
  };
  const auto accepted = open("GET", "/api/archives/" + id + "/thumbnail?no_fallback=true");
  ASSERT_EQ(accepted.status, 202);
  ASSERT_TRUE(accepted.json()->get("job").isInteger());
  EXPECT_EQ(wait(accepted.json()->getValue<std::int64_t>("job")), "finished");
  const auto unknown = open("GET", "/api/archives/" + std::string(40, 'f') + "/thumbnail?no_fallback=true");
  ASSERT_EQ(unknown.status, 202);
  EXPECT_EQ(wait(unknown.json()->getValue<std::int64_t>("job")), "failed");
  EXPECT_EQ(wait(4711), "failed") << "not a 200 without a state, on which it would look for ever";
}

/// Whether a strict reader takes the value for a list of integers.
bool isListOfIntegers(const Object& object, const char* name) {
  const auto list = object->getArray(name);
  return list && std::all_of(list->begin(), list->end(), [](const Var& item) { return item.isInteger(); });
}

TEST_F(MinionHost, TypedPythonClientsParseEveryAnswer) {
  const auto id = addArchive("three.zip", photoZip());
  start();
  const auto digits = [](const Object& job, const char* name) {
    const auto word = text(job, name);
    return isText(job, name) && !word.empty() && word.find_first_not_of("0123456789") == std::string::npos;
  };
  /// aio-lanraragi (4.3): times are strings, numbers may be digits, the worker is never null once started.
  const auto aio = [&](const Object& job) {
    for (const char* name : {"created", "delayed"}) EXPECT_TRUE(isText(job, name)) << name;
    for (const char* name : {"started", "finished", "retried"}) EXPECT_TRUE(isTextOrNull(job, name)) << name;
    for (const char* name : {"id", "attempts", "priority", "retries", "worker"}) EXPECT_TRUE(digits(job, name)) << name;
    for (const char* name : {"children", "parents"}) EXPECT_TRUE(isListOfIntegers(job, name)) << name;
    EXPECT_TRUE(!job->has("time") && !job->has("expires") && !job->has("lax"));
  };
  /// lanraragi-api (4.3): the same, started and finished strings too, args strings, result an object or null.
  const auto api = [&](const Object& job) {
    for (const char* name : {"attempts", "id", "priority", "retries", "created", "delayed", "started", "finished"}) {
      EXPECT_TRUE(isText(job, name)) << name;
    }
    EXPECT_TRUE(digits(job, "worker"));
    const auto args = job->getArray("args");
    EXPECT_TRUE(std::all_of(args->begin(), args->end(), [](const Var& item) { return item.isString(); }));
    EXPECT_TRUE(job->isNull("result") || job->getObject("result"));
  };
  /// Both: notes of the open route are strings to strings, error a string or null.
  const auto basics = [&](std::int64_t number) {
    const auto job = basic(number);
    std::vector<std::string> names;
    job->getObject("notes")->getNames(names);
    for (const auto& name : names) EXPECT_TRUE(job->getObject("notes")->get(name).isString()) << name;
    EXPECT_TRUE(isTextOrNull(job, "error"));
    EXPECT_TRUE(isText(job, "state") && isText(job, "task"));
  };
  const auto pages = queue("page_thumbnails", "[%22" + id + "%22,%220%22]");
  const auto job = ended(pages);
  aio(job);
  api(job);
  basics(pages);
  const auto failing = queue("fail", "[]");
  aio(ended(failing));
  basics(failing);
}

}  // namespace
}  // namespace jobhost::e2e
