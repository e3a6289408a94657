// The library through a real host, as a reader's app meets it: an archive is taken in, gets its pictures, is compared
// with others, counted and asked for its metadata; another comes from a URL. All archives hold real photos.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>

#include <Poco/JSON/Array.h>
#include <Poco/URI.h>

#include "e2e/host_process.hpp"
#include "integration/fetch/rude_server.hpp"
#include "samples.hpp"

namespace jobhost::e2e {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::RudeServer;
using testing::EndsWith;
using testing::HasSubstr;
using Object = Poco::JSON::Object::Ptr;

std::string textOf(const Poco::Dynamic::Var& value) {
  std::ostringstream out;
  Poco::JSON::Stringifier::stringify(value, out);
  return out.str();
}

class Library : public testing::Test {
 protected:
  Library() {
    fs::create_directories(content_);
    fs::create_directories(uploads_);
  }
  void start(const std::vector<std::string>& more = {}) {
    std::vector<std::string> set{"content.dir=" + content_.string(), "content.thumb_dir=" + thumbs_.string(),
                                 "content.upload_dir=" + uploads_.string(), "http.allow_private=true",
                                 "plugin.org.jobhost.library.date_added=false"};
    set.insert(set.end(), more.begin(), more.end());
    host_ = std::make_unique<HostProcess>(HostProcess::Options{
        .data = folder_ / "data", .plugins = {JOBHOST_PLUGIN_DIR}, .set = std::move(set), .wrapper = {}});
    ASSERT_TRUE(host_->start()) << host_->log();
    for (const std::string type : {"thumbnail_task", "handle_upload", "comicinfo"}) {
      ASSERT_TRUE(HostProcess::eventually([&] { return host_->get("/api/v1/job-types/" + type).status == 200; }))
          << type << host_->get("/api/v1/plugins").body;
    }
  }
  void TearDown() override {
    if (!host_ || host_->pid() <= 0) return;
    EXPECT_EQ(host_->stop(), 0);
    EXPECT_TRUE(HostProcess::eventually([&] { return host_->otherProcesses().empty(); }));
  }

  /// Queues a task as Minion clients do: an array of arguments in the query. Answers its id.
  std::int64_t queue(const std::string& task, const std::string& args) const {
    std::string encoded;
    Poco::URI::encode(args, "&+?#", encoded);
    std::string key;
    Poco::URI::encode(host_->adminKey(), "&+?#=", key);
    const auto answer = host_->post("/api/minion/" + task + "/queue?args=" + encoded + "&key=" + key, "");
    EXPECT_EQ(answer.status, 200) << answer.body;
    const auto json = answer.json();
    return json && json->has("job") ? json->getValue<std::int64_t>("job") : 0;
  }
  /// Queues it and waits for its end; the result as JSON text. The job must succeed.
  std::string run(const std::string& task, const std::string& args) {
    last_ = host_->waitForEnd(queue(task, args), 120s);
    EXPECT_TRUE(last_) << task << args << host_->log();
    if (!last_) return {};
    EXPECT_EQ(text(last_, "state"), "succeeded") << task << args << textOf(last_->get("error"));
    return textOf(last_->get("result"));
  }
  Object runObject(const std::string& task, const std::string& args) {
    run(task, args);
    const auto result = last_ ? last_->getObject("result") : Object();
    EXPECT_TRUE(result) << task;
    return result ? result : Object(new Poco::JSON::Object);
  }
  [[nodiscard]] std::string stage(const std::string& name, const std::string& bytes) const {
    const fs::path path = uploads_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path.string();
  }
  static std::string quoted(const std::string& text) { return "\"" + text + "\""; }

  /// The states of a job and its last notes, looked at every 100 ms as one of the apps does, without a key.
  struct Watched {
    std::set<std::string> states;
    Object notes;
  };
  Watched watch(std::int64_t id) const {
    Watched all;
    const auto deadline = std::chrono::steady_clock::now() + 120s;
    auto next = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() < deadline) {
      const auto answer = host_->request("GET", "/api/minion/" + std::to_string(id));
      EXPECT_EQ(answer.status, 200) << answer.body;
      const auto json = answer.json();
      if (!json) break;
      all.states.insert(text(json, "state"));
      all.notes = json->getObject("notes");
      if (text(json, "state") == "finished" || text(json, "state") == "failed") break;
      std::this_thread::sleep_until(next += 100ms);  // the client's rhythm is what is imitated
    }
    return all;
  }

  static std::string cbz(const std::vector<std::string>& pages, const std::string& comic_info = {}) {
    samples::Files files;
    for (std::size_t i = 0; i < pages.size(); ++i) files.emplace_back("p" + std::to_string(i + 1) + ".jpg", pages[i]);
    if (!comic_info.empty()) files.emplace_back("ComicInfo.xml", comic_info);
    return samples::archive("zip", files);
  }
  [[nodiscard]] fs::path cover(const std::string& id) const { return thumbs_ / id.substr(0, 2) / (id + ".jpg"); }

  TempFolder folder_;
  const fs::path content_ = folder_ / "content";
  const fs::path thumbs_ = folder_ / "thumb";
  const fs::path uploads_ = folder_ / "waiting";
  const std::string portrait_ = samples::readAll(fs::path(JOBHOST_SOURCE_DIR) / "build/samples/photo.jpg");
  const std::string landscape_ = samples::readAll(samples::photo());
  const std::string turned_ = samples::readAll(samples::orientedPhoto(6));
  std::unique_ptr<HostProcess> host_;
  Object last_;
};

TEST_F(Library, WalksFromAnUploadToAPluginRun) {
  start();
  // Uploads: two with the same first page, one with metadata in it.
  const auto first =
      runObject("handle_upload", "[" + quoted(stage("First.cbz", cbz({landscape_, portrait_, turned_}))) + ",null]");
  EXPECT_EQ(textOf(first->get("success")), "1") << text(first, "message");
  EXPECT_EQ(text(first, "message"), "0 Plugins used successfully, 1 Plugins failed, 0 tags added. ");
  EXPECT_EQ(text(first, "title"), "First");
  const std::string id = text(first, "id");
  const auto second = runObject("handle_upload", "[" + quoted(stage("Second.cbz", cbz({landscape_, turned_}))) + "]");
  EXPECT_EQ(textOf(second->get("success")), "1") << text(second, "message");
  const auto told = runObject(
      "handle_upload",
      "[" +
          quoted(stage(
              "Third.zip",
              cbz({portrait_}, "<ComicInfo><Title>Three</Title><Series>S</Series><Genre>a, b</Genre></ComicInfo>"))) +
          "]");
  EXPECT_EQ(text(told, "message"), "1 Plugins used successfully, 0 Plugins failed, 3 tags added. ");
  EXPECT_EQ(text(told, "title"), "Three");
  EXPECT_TRUE(fs::exists(content_ / "First.cbz"));
  EXPECT_TRUE(fs::is_empty(uploads_));
  EXPECT_EQ(samples::decode(samples::readAll(cover(id))).width, 500);
  EXPECT_TRUE(fs::exists(cover(text(told, "id"))));

  // Thumbnails: one page, then all of them with notes.
  EXPECT_THAT(run("thumbnail_task", "[" + quoted(thumbs_.string()) + "," + quoted(id) + ",2]"),
              EndsWith("/" + id + "/2.jpg\""));
  const auto watched = watch(queue("page_thumbnails", "[" + quoted(id) + ",1]"));
  EXPECT_TRUE(watched.states.contains("finished"));
  ASSERT_TRUE(watched.notes);
  EXPECT_EQ(textOf(watched.notes), "{\"1\":\"processed\",\"2\":\"processed\",\"3\":\"processed\",\"id\":\"" + id +
                                       "\",\"total_pages\":\"3\"}");
  for (const char* page : {"1.jpg", "2.jpg", "3.jpg"}) EXPECT_TRUE(fs::exists(thumbs_ / id.substr(0, 2) / id / page));

  // Duplicates by what covers are, and by what they look like.
  EXPECT_EQ(run("find_duplicates", R"([5,"perceptual"])"), "{}");
  EXPECT_EQ(textOf(last_->get("notes")), R"({"compared":"3","groups":"1","total":"3"})");
  EXPECT_EQ(run("find_duplicates", "[5]"), "{}");
  EXPECT_EQ(textOf(last_->get("notes")), R"({"compared":"3","groups":"1","total":"3"})");
  EXPECT_EQ(run("build_stat_hashes", "[]"), "null");

  // A plugin by its name: what it finds is there already; one that does not exist.
  EXPECT_EQ(run("run_plugin", "[\"comicinfo\"," + quoted(text(told, "id")) + ",null]"),
            R"({"data":{"new_tags":"","title":"Three"},"error":null,"success":1,"type":"metadata"})");
  EXPECT_EQ(
      run("run_plugin", R"(["nope",0,null])"),
      R"({"data":{"error":"Plugin not found on system."},"error":"Plugin not found on system.","success":0,"type":null})");

  // From URLs: as it should be, by way of a redirect, cut short, without a name.
  RudeServer server;
  const std::string named = cbz({turned_, landscape_});
  const std::string plain = cbz({turned_, portrait_});
  server.on("/get", [&](const auto&, auto& connection) {
    connection.answer(200, named, "Content-Disposition: attachment; filename=\"From: there.cbz\"\r\n");
  });
  server.on("/away", [&](const auto&, auto& connection) {
    connection.answer(302, "", "Location: " + server.url("/files/Plain%20name.zip") + "\r\n");
  });
  server.on("/files/Plain%20name.zip", [&](const auto&, auto& connection) { connection.answer(200, plain); });
  server.on("/short.zip", [&](const auto&, auto& connection) {
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nPK and no more");
  });
  server.on("/", [&](const auto&, auto& connection) { connection.answer(200, named); });
  const auto download = [&](const std::string& path) {
    return runObject("download_url", "[" + quoted(server.url(path)) + "]");
  };
  const std::string here = "127.0.0.1:" + std::to_string(server.port());
  const auto loaded = download("/get?session=1");
  EXPECT_EQ(textOf(loaded->get("success")), "1") << text(loaded, "message");
  EXPECT_EQ(text(loaded, "title"), "From there");
  EXPECT_EQ(text(loaded, "url"), here + "/get");
  EXPECT_TRUE(fs::exists(content_ / "From there.cbz"));
  const auto redirected = download("/away");
  EXPECT_EQ(text(redirected, "title"), "Plain name") << text(redirected, "message");
  EXPECT_EQ(text(redirected, "url"), here + "/away");
  EXPECT_EQ(text(download("/get"), "message"), "URL already downloaded!");
  const auto cut = download("/short.zip");
  EXPECT_EQ(textOf(cut->get("success")), "0");
  EXPECT_FALSE(text(cut, "message").empty());
  const auto nameless = download("/");
  EXPECT_EQ(textOf(nameless->get("success")), "0");
  EXPECT_THAT(text(nameless, "message"), HasSubstr("No valid Content-Disposition header"));
  EXPECT_TRUE(fs::is_empty(uploads_));
}

TEST_F(Library, RefusesFilesThatWereNotUploaded) {
  start();
  const auto outside = folder_ / "outside.zip";
  std::ofstream(outside, std::ios::binary) << cbz({portrait_});
  last_ = host_->waitForEnd(queue("handle_upload", "[" + quoted(outside.string()) + ",null]"));
  ASSERT_TRUE(last_);
  EXPECT_EQ(text(last_, "state"), "failed");
  EXPECT_EQ(textOf(last_->getObject("error")->get("details")), R"({"errors":["path not allowed"]})");
  EXPECT_TRUE(fs::exists(outside));
}

TEST_F(Library, ReachesNoPrivateAddressUnlessItIsOpened) {
  start({"http.allow_private=false"});
  const auto refused = runObject("download_url", R"(["http://169.254.169.254/latest/a.zip"])");
  EXPECT_EQ(textOf(refused->get("success")), "0");
  EXPECT_EQ(text(refused, "url"), "169.254.169.254/latest/a.zip");
  EXPECT_FALSE(text(refused, "message").empty());
}

// One slot: a job that held it while its children wait for it would wait for ever.
TEST_F(Library, TakesAFileInWhereOneJobRunsAtATime) {
  start({"dispatch.max_running=1"});
  const auto done = runObject("handle_upload", "[" + quoted(stage("One.cbz", cbz({portrait_}))) + "]");
  EXPECT_EQ(textOf(done->get("success")), "1") << text(done, "message");
  EXPECT_TRUE(fs::exists(cover(text(done, "id"))));
}

TEST_F(Library, RegistersAFolderThatIsThereAlready) {
  fs::create_directories(content_ / "old");
  std::ofstream(content_ / "old/a.cbz", std::ios::binary) << cbz({portrait_, landscape_});
  std::ofstream(content_ / "b.cbz", std::ios::binary) << cbz({landscape_});
  start();
  EXPECT_EQ(run("scan_library", "[]"), R"({"added":2,"changed":0,"files":2,"gone":0,"read":2,"unreadable":0})");
  EXPECT_EQ(run("scan_library", "[]"), R"({"added":0,"changed":0,"files":2,"gone":0,"read":0,"unreadable":0})");
}

}  // namespace
}  // namespace jobhost::e2e
