// Behaviours 9, 10 and 11 of contracts/minion.md 5.2 over HTTP: what the library does for the routes that feed it.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include <Poco/Data/RecordSet.h>
#include <Poco/Data/SQLite/Connector.h>
#include <Poco/Data/Session.h>
#include <Poco/JSON/Stringifier.h>

#include "e2e/minion_host.hpp"
#include "integration/fetch/rude_server.hpp"

namespace jobhost::e2e {
namespace {

using test::RudeServer;

std::string jsonOf(const Poco::Dynamic::Var& value) {
  std::ostringstream out;
  Poco::JSON::Stringifier::stringify(value, out);
  return out.str();
}

std::string pages(std::initializer_list<std::string> pictures) {
  samples::Files files;
  for (const auto& picture : pictures) files.emplace_back(std::to_string(files.size() + 1) + ".jpg", picture);
  return samples::archive("zip", files);
}

class Contract52 : public MinionHost {
 protected:
  void startLibrary() {
    start({"http.allow_private=true", "plugin.org.jobhost.library.date_added=false"});
    for (const char* type : {"handle_upload", "download_url", "comicinfo", "thumbnail_task"}) {
      ASSERT_TRUE(HostProcess::eventually([&] {
        return host_->get(std::string("/api/v1/job-types/") + type).status == 200;
      })) << type;
    }
  }
  /// As the upload page sends it.
  Answer upload(const std::string& name, const std::string& bytes, const std::string& category = {}) {
    const std::string body = "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name +
                             "\"\r\nContent-Type: application/zip\r\n\r\n" + bytes +
                             "\r\n--edge\r\nContent-Disposition: form-data; name=\"catid\"\r\n\r\n" + category +
                             "\r\n--edge--\r\n";
    return host_->request("POST", "/upload", body,
                          {{"Authorization", bearer()}, {"Content-Type", "multipart/form-data; boundary=edge"}});
  }
  /// The result of the job an answer names. The job has finished, not failed.
  Object resultOf(const Answer& answer) {
    EXPECT_EQ(answer.status, 200) << answer.body;
    const auto named = answer.json();
    if (!named || !named->has("job")) {
      ADD_FAILURE() << answer.body;
      return new Poco::JSON::Object;
    }
    const auto job = ended(named->getValue<std::int64_t>("job"));
    EXPECT_EQ(text(job, "state"), "finished") << jsonOf(job);
    const auto result = job->getObject("result");
    EXPECT_TRUE(result) << jsonOf(job);
    return result ? result : Object(new Poco::JSON::Object);
  }
  Object added(const std::string& name, const std::string& bytes) {
    const auto result = resultOf(upload(name, bytes));
    EXPECT_EQ(text(result, "success"), "1") << jsonOf(result);
    return result;
  }

  const std::string photo_ = samples::readAll(samples::photo());
  const std::string other_ = samples::picture(300, 400, ".jpg");
  const std::string third_ = samples::picture(310, 400, ".jpg");
};

TEST_F(Contract52, 9_ArchivesWithTheSameFirstPageAreOneGroup) {
  startLibrary();
  std::vector<std::string> same{text(added("One.cbz", pages({photo_, other_})), "id"),
                                text(added("Two.cbz", pages({photo_, third_})), "id")};
  added("Three.cbz", pages({other_, photo_}));
  const auto job = ended(queue("find_duplicates", "[5]"));
  EXPECT_EQ(text(job, "state"), "finished");
  EXPECT_EQ(jsonOf(job->get("result")), "{}");
  EXPECT_EQ(text(job->getObject("notes"), "groups"), "1") << jsonOf(job->get("notes"));
  ASSERT_EQ(host_->stop(), 0);
  // What the duplicates page reads.
  Poco::Data::SQLite::Connector::registerConnector();
  Poco::Data::Session session("SQLite", (folder_ / "data" / "jobhost.db").string());
  Poco::Data::Statement select(session);
  select << "SELECT r.key, CAST(r.body AS TEXT) FROM records r JOIN record_collections c ON c.id = r.collection "
            "WHERE c.plugin = 'org.jobhost.library' AND c.name = 'duplicates'";
  select.execute();
  const Poco::Data::RecordSet rows(select);
  ASSERT_EQ(rows.rowCount(), 1U);
  std::sort(same.begin(), same.end());
  EXPECT_EQ(rows.value(0, 0).convert<std::string>(), "dupgp_" + same[0].substr(0, 10) + same[1].substr(0, 10));
  EXPECT_EQ(rows.value(1, 0).convert<std::string>(), R"({"ids":[")" + same[0] + R"(",")" + same[1] + R"("]})");
  host_.reset();
}

TEST_F(Contract52, 10_AnUploadEndsInOneOfFiveWays) {
  startLibrary();
  // Taken in.
  const auto bytes = pages({photo_, other_});
  const auto first = added("Book.cbz", bytes);
  std::vector<std::string> names;
  first->getNames(names);
  EXPECT_EQ(names, (std::vector<std::string>{"category", "id", "message", "success", "title"}));
  EXPECT_TRUE(first->isNull("category"));
  EXPECT_EQ(text(first, "id"), archiveId(bytes));
  EXPECT_EQ(text(first, "title"), "Book");
  EXPECT_EQ(text(first, "message"), "0 Plugins used successfully, 1 Plugins failed, 0 tags added. ")
      << "comicinfo is asked and finds nothing";
  EXPECT_TRUE(fs::exists(content_ / "Book.cbz"));
  EXPECT_EQ(samples::decode(samples::readAll(cover(archiveId(bytes)))).width, 500);
  // Known already, by its content; then another by that name.
  const std::string hint = " Enable replace duplicated archive in config to replace old ones.";
  const auto twin = resultOf(upload("Twin.cbz", bytes));
  EXPECT_EQ(text(twin, "success"), "0");
  EXPECT_EQ(text(twin, "id"), archiveId(bytes));
  EXPECT_EQ(text(twin, "message"), "This file already exists in the Library." + hint);
  const auto namesake = resultOf(upload("Book.cbz", pages({third_})));
  EXPECT_EQ(text(namesake, "success"), "0");
  EXPECT_EQ(text(namesake, "message"), "A file with the same name is present in the Library." + hint);
  // No archive by its name: by the route there is no job at all, by the task a word.
  const auto refused = upload("notes.txt", "text");
  EXPECT_EQ(text(refused.json(), "success"), "0");
  EXPECT_FALSE(refused.json()->has("job"));
  const auto uploads = folder_ / "data" / "uploads";
  fs::create_directories(uploads / "by-hand");
  std::ofstream(uploads / "by-hand" / "notes.txt") << "text";
  const auto plain = ended(queue("handle_upload", "[%22" + (uploads / "by-hand" / "notes.txt").string() + "%22,null]"));
  EXPECT_EQ(jsonOf(plain->get("result")),
            R"x({"category":null,"id":"deadbeef","message":"Unsupported File Extension (notes.txt)","success":0,)x"
            R"("title":"notes.txt"})");
  // An exception is a failure, not a result.
  const auto empty = upload("Empty.cbz", "");
  ASSERT_EQ(empty.status, 200) << empty.body;
  EXPECT_EQ(text(ended(empty.json()->getValue<std::int64_t>("job")), "state"), "failed");
  // It cannot be moved.
  fs::remove_all(content_);
  const auto stuck = resultOf(upload("Stuck.cbz", pages({third_, photo_})));
  EXPECT_EQ(text(stuck, "success"), "0");
  EXPECT_EQ(text(stuck, "message").rfind("The file couldn't be moved to your content folder: ", 0), 0U)
      << jsonOf(stuck);
}

TEST_F(Contract52, 10_ADownloadEndsInAResultWhateverTheServerDoes) {
  startLibrary();
  RudeServer server;
  const auto book = pages({photo_, other_});
  const auto moved = pages({other_, photo_});
  server.on("/get", [&](const auto&, auto& connection) {
    connection.answer(200, book, "Content-Disposition: attachment; filename=\"From: there.cbz\"\r\n");
  });
  server.on("/away", [&](const auto&, auto& connection) {
    connection.answer(302, "", "Location: " + server.url("/files/Moved.zip") + "\r\n");
  });
  server.on("/files/Moved.zip", [&](const auto&, auto& connection) { connection.answer(200, moved); });
  server.on("/short.zip", [&](const auto&, auto& connection) {
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nPK and no more");
  });
  server.on("/", [&](const auto&, auto& connection) { connection.answer(200, book); });
  const auto here = "127.0.0.1:" + std::to_string(server.port());
  const auto download = [&](const std::string& path) {
    const auto answer = keyed("POST", "/api/download_url?url=" + server.url(path));
    EXPECT_EQ(text(answer.json(), "url"), server.url(path)) << answer.body;
    EXPECT_EQ(text(answer.json(), "operation"), "download_url");
    return resultOf(answer);
  };
  const auto loaded = download("/get");
  EXPECT_EQ(text(loaded, "success"), "1") << jsonOf(loaded);
  EXPECT_EQ(text(loaded, "title"), "From there");
  EXPECT_EQ(text(loaded, "url"), here + "/get");
  EXPECT_EQ(text(loaded, "id"), archiveId(book));
  const auto again = download("/get");
  EXPECT_EQ(jsonOf(again), R"({"id":")" + archiveId(book) +
                               R"(","message":"URL already downloaded!","success":0,"url":")" + here + R"(/get"})")
      << "slashes are spelt by the test's own writer";
  EXPECT_EQ(text(download("/away"), "title"), "Moved");
  const auto cut = download("/short.zip");
  EXPECT_EQ(text(cut, "success"), "0");
  EXPECT_FALSE(text(cut, "message").empty());
  const auto nameless = download("/");
  EXPECT_EQ(text(nameless, "success"), "0");
  EXPECT_EQ(text(nameless, "message").rfind("No valid Content-Disposition header received", 0), 0U) << jsonOf(nameless);
}

TEST_F(Contract52, 11_APluginThatIsUnknownOrFailsIsAFinishedJob) {
  startLibrary();
  const auto unknown = keyed("POST", "/api/plugins/queue?plugin=nonesuch");
  EXPECT_EQ(text(unknown.json(), "operation"), "queue_plugin_exec");
  EXPECT_EQ(jsonOf(resultOf(unknown)),
            R"({"data":{"error":"Plugin not found on system."},"error":"Plugin not found on system.","success":0,)"
            R"("type":null})");
  const auto without = resultOf(keyed("POST", "/api/plugins/queue?plugin=comicinfo"));
  EXPECT_EQ(text(without, "error"), "Tried to call a metadata plugin without providing an id.");
  // The plugin throws: its archive is gone.
  const auto id = text(added("Book.cbz", pages({photo_})), "id");
  fs::remove(content_ / "Book.cbz");
  const auto thrown = resultOf(keyed("POST", "/api/plugins/queue?plugin=comicinfo&id=" + id));
  EXPECT_EQ(text(thrown, "success"), "0");
  EXPECT_EQ(text(thrown, "type"), "metadata");
  EXPECT_FALSE(text(thrown, "error").empty());
  EXPECT_EQ(text(thrown->getObject("data"), "error"), text(thrown, "error"));
}

}  // namespace
}  // namespace jobhost::e2e
