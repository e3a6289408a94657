#include <set>

#include "library_fixture.hpp"

namespace jobhost::testing {
namespace {

namespace fs = std::filesystem;

class DownloadUrl : public LibraryPlugin {
 protected:
  Attempt download(const std::string& url, const FetchEnd& end, const Json& category = nullptr) {
    host_.onFetch([end](const Fetch&) { return end; });
    Json params{{"url", url}};
    if (!category.isNull()) params.set("category", category);
    return host_.runToEnd("download_url", params);
  }
  static FetchEnd file(std::string bytes, const std::string& disposition = {}, const std::string& url = {}) {
    FetchEnd end = FetchEnd::ok(std::move(bytes), "application/zip");
    if (!disposition.empty()) end.headers.emplace_back("content-disposition", disposition);
    end.url = url;
    return end;
  }
  void expectNothingStaged() const { EXPECT_TRUE(fs::is_empty(uploads_)); }
};

TEST_F(DownloadUrl, TakesTheFileInAndRemembersWhereItCameFrom) {
  const Attempt done =
      download("https://www.example.com/g/1/?p=2", file(pages(2), "attachment; filename=\"A: B.cbz\""));
  ASSERT_TRUE(done.succeeded()) << done.error_message;
  expectKeys(done.result, {"category", "id", "message", "success", "title", "url"});
  EXPECT_EQ(done.result["success"], Json(1)) << done.result.dump();
  EXPECT_EQ(done.result["url"].stringOr(""), "example.com/g/1");
  EXPECT_EQ(done.result["title"].stringOr(""), "A B");
  const std::string id(done.result["id"].stringOr(""));
  EXPECT_EQ(archive(id)["tags"].stringOr(""), "source:example.com/g/1");
  EXPECT_EQ(host_.records("urls").at("example.com/g/1")["id"].stringOr(""), id);
  EXPECT_TRUE(done.complaints.empty());
  expectNothingStaged();
  const Attempt again = download("http://example.com/g/1#x", file(pages(3)));
  EXPECT_EQ(again.result,
            (Json{{"id", id}, {"message", "URL already downloaded!"}, {"success", 0}, {"url", "example.com/g/1"}}));
  EXPECT_TRUE(again.fetches.empty());
}

TEST_F(DownloadUrl, LoadsAnArchiveAgainWhoseFileIsGone) {
  addArchive("other.zip", pages(1));  // an empty folder is not believed
  const auto load = [&] {
    return download("http://example.com/1", file(pages(2), "attachment; filename=a.zip")).result;
  };
  ASSERT_EQ(load()["success"], Json(1));
  fs::remove(content_ / "a.zip");
  ASSERT_TRUE(host_.run("build_stat_hashes").succeeded());
  EXPECT_TRUE(host_.records("urls").empty()) << "the record of the archive stays, its URL does not";
  EXPECT_EQ(load()["success"], Json(1));
  fs::remove(content_ / "a.zip");
  ASSERT_TRUE(host_.run("scan_library").succeeded());
  EXPECT_EQ(load()["success"], Json(1)) << "before the tables are made anew too";
}

TEST_F(DownloadUrl, KnowsAUrlWithCommasAfterTheTablesWereMadeAnew) {
  const std::string url = "http://example.com/1,2,3";
  const Attempt done = download(url, file(pages(2), "attachment; filename=a.zip"));
  EXPECT_EQ(done.result["url"].stringOr(""), "example.com/1,2,3");
  const std::string id(done.result["id"].stringOr(""));
  EXPECT_EQ(archive(id)["tags"].stringOr(""), "source:example.com/1%2C2%2C3") << "one tag";
  ASSERT_TRUE(host_.run("build_stat_hashes").succeeded());
  EXPECT_EQ(download(url, file(pages(3))).result["message"].stringOr(""), "URL already downloaded!");
}

TEST_F(DownloadUrl, AsksForWhatTheContractSays) {
  host_.onFetch([](const Fetch&) { return file(pages(1)); });
  const Attempt done = host_.run("download_url", {{"url", "http://example.com/a.zip"}});
  ASSERT_EQ(done.fetches.size(), 1U);
  const Json& request = done.fetches[0].request;
  EXPECT_EQ(request["max_redirects"].intOr(0), 5);
  EXPECT_EQ(request["retries"].intOr(0), 4);
  EXPECT_EQ(request["max_body_bytes"].intOr(0), std::int64_t{1} << 30);
}

TEST_F(DownloadUrl, TakesTheNameFromTheUrlWhereTheServerGivesNone) {
  EXPECT_EQ(download("http://h/x/My%20Book.zip?k=1", file(pages(1))).result["title"].stringOr(""), "My Book");
  EXPECT_EQ(download("http://h/2.zip", file(pages(2), "", "http://cdn/9f3a")).result["title"].stringOr(""), "2")
      << "a redirect to a number";
  EXPECT_EQ(download("http://h/get", file(pages(3), "", "http://cdn/Third.cbz")).result["title"].stringOr(""), "Third");
  EXPECT_EQ(download("http://h/4.zip", file(pages(4), "attachment; filename=\"../..\"")).result["title"].stringOr(""),
            "4");
}

TEST_F(DownloadUrl, FinishesWithTheReasonWhereItFails) {
  const auto why = [&](const std::string& url, const FetchEnd& end) {
    const Attempt done = download(url, end);
    EXPECT_TRUE(done.succeeded()) << done.error_message;
    expectKeys(done.result, {"message", "success", "url"});
    EXPECT_EQ(done.result["success"], Json(0));
    expectNothingStaged();
    return std::string(done.result["message"].stringOr(""));
  };
  EXPECT_EQ(why("http://h/a.zip", FetchEnd::truncated()), "GET http://h/a.zip: the body ended before it was whole");
  EXPECT_EQ(why("http://h/a.zip", FetchEnd::timeout()), "GET http://h/a.zip: not done in time");
  EXPECT_EQ(why("http://h/a.zip?secret=1", FetchEnd::answered(404)), "http://h/a.zip answered 404");
  EXPECT_EQ(why("ftp://h/a.zip", file(pages(1))), "/url: must begin with http:// or https://");
  EXPECT_EQ(why("file:///etc/passwd", file(pages(1))), "/url: must begin with http:// or https://");
  EXPECT_EQ(why("http://h/", file(pages(1))),
            "No valid Content-Disposition header received, and the URL names no file.");
  EXPECT_EQ(why("http://h/a.zip", file("no archive at all")).empty(), false);
  EXPECT_EQ(why("http://h/a.zip", file("")), "the archive is empty");
}

TEST_F(DownloadUrl, AnswersAsAnUploadWouldForWhatIsNoArchive) {
  const Attempt page = download("http://h/page.html", FetchEnd::ok("<html>", "text/html"));
  EXPECT_EQ(page.result["id"].stringOr(""), "deadbeef");
  EXPECT_EQ(page.result["message"].stringOr(""), "Unsupported File Extension (page.html)");
  EXPECT_EQ(page.result["url"].stringOr(""), "h/page.html");
  expectNothingStaged();
}

using RunPlugin = LibraryPlugin;

TEST_F(RunPlugin, OfAnUnknownNamespaceIsTheContractsObject) {
  const Attempt done = host_.runToEnd("run_plugin", {{"namespace", "nope"}, {"id", 0}});
  EXPECT_EQ(done.result, (Json{{"data", Json{{"error", "Plugin not found on system."}}},
                               {"error", "Plugin not found on system."},
                               {"success", 0},
                               {"type", nullptr}}));
  EXPECT_EQ(host_.runToEnd("run_plugin", {{"namespace", "thumbnail_task"}}).result, done.result)
      << "a job type that provides nothing is none";
}

TEST_F(RunPlugin, AnswersWhatTheArchiveHasNotGotYet) {
  const std::string id(40, 'a');
  host_.putRecord("archives", id, {{"file", "a.zip"}, {"title", "A"}, {"tags", "artist:x"}, {"added", 1}});
  host_.onChild([](const Child&) {
    return ChildEnd::succeeded({{"new_tags", "artist:x, language:y,z"}, {"title", "T"}, {"more", 1}});
  });
  const Attempt done = host_.runToEnd("run_plugin", {{"namespace", "one"}, {"id", id}, {"arg", "once"}});
  EXPECT_EQ(done.result, (Json{{"data", Json{{"new_tags", " language:y, z"}, {"title", "T"}}},
                               {"error", nullptr},
                               {"success", 1},
                               {"type", "metadata"}}));
  ASSERT_EQ(done.children.size(), 1U);
  EXPECT_EQ(done.children[0].params,
            (Json{{"id", id}, {"file", "a.zip"}, {"title", "A"}, {"tags", "artist:x"}, {"arg", "once"}}));
  EXPECT_EQ(archive(id)["tags"].stringOr(""), "artist:x") << "nothing is saved";
}

TEST_F(RunPlugin, FinishesWithTheErrorOfThePlugin) {
  const std::string id(40, 'a');
  host_.putRecord("archives", id, {{"file", "a.zip"}, {"added", 1}});
  const auto errorOf = [&](const ChildEnd& end, const Json& archive_id) {
    host_.onChild([&end](const Child&) { return end; });
    const Attempt done = host_.runToEnd("run_plugin", {{"namespace", "one"}, {"id", archive_id}});
    EXPECT_TRUE(done.succeeded()) << done.error_message;
    EXPECT_EQ(done.result["success"], Json(0));
    EXPECT_EQ(done.result["type"].stringOr(""), "metadata");
    EXPECT_EQ(done.result["data"]["error"], done.result["error"]);
    return std::string(done.result["error"].stringOr(""));
  };
  EXPECT_EQ(errorOf(ChildEnd::failed("x", "the plugin threw"), id), "the plugin threw");
  EXPECT_EQ(errorOf(ChildEnd::succeeded({{"error", "no match"}}), id), "no match");
  EXPECT_EQ(errorOf(ChildEnd::canceled(), id), "The plugin was stopped.");
  for (const Json& none : {Json(0), Json("0"), Json(""), Json(nullptr)})
    EXPECT_EQ(errorOf({}, none), "Tried to call a metadata plugin without providing an id.");
  EXPECT_EQ(errorOf({}, std::string(40, 'b')), "This ID doesn't exist in the Library.");
  host_.failCall("children.submit", 1, JH_E_NOT_FOUND, "no such job type");
  EXPECT_NE(errorOf({}, id).find("no such job type"), std::string::npos);
}

TEST_F(RunPlugin, HandsOnWhatAScriptReturns) {
  host_.onChild([](const Child&) { return ChildEnd::succeeded({{"cleaned", 7}}); });
  EXPECT_EQ(host_.runToEnd("run_plugin", {{"namespace", "tidy"}, {"id", 0}, {"arg", nullptr}}).result,
            (Json{{"data", Json{{"cleaned", 7}}}, {"error", nullptr}, {"success", 1}, {"type", "script"}}));
}

class ScanLibrary : public LibraryPlugin {
 protected:
  Json scan() {
    const Attempt done = host_.run("scan_library");
    EXPECT_TRUE(done.succeeded()) << done.error_message;
    EXPECT_TRUE(done.complaints.empty());
    return done.result;
  }
};

TEST_F(ScanLibrary, RegistersWhatIsNewAndReadsItOnce) {
  const std::string a = addArchive("a.zip", pages(2));
  const std::string b =
      addArchive("sub/b.tar.gz", samples::archive("tar.gz", {{"1.png", samples::quadrants(9, 9, ".png")}}));
  const std::string broken = addArchive("broken.zip", "PK nothing");
  addArchive("notes.txt", "no archive");
  addArchive(".hidden/c.zip", pages(4));
  folder_.write("content/empty.zip", "");
  EXPECT_EQ(scan(), (Json{{"files", 4}, {"read", 4}, {"added", 3}, {"changed", 0}, {"gone", 0}, {"unreadable", 1}}));
  EXPECT_EQ(archive(a)["file"].stringOr(""), "a.zip");
  EXPECT_EQ(archive(a)["pagecount"].intOr(0), 2);
  EXPECT_EQ(archive(b)["file"].stringOr(""), "sub/b.tar.gz");
  EXPECT_EQ(archive(b)["title"].stringOr(""), "b");
  EXPECT_EQ(archive(broken)["pagecount"].intOr(-1), 0);
  EXPECT_EQ(scan()["read"].intOr(-1), 1) << "only what could not be read before";
}

TEST_F(ScanLibrary, FollowsMovesAndDropsWhatIsGone) {
  const std::string a = addArchive("a.zip", pages(2));
  const std::string b = addArchive("b.zip", pages(3));
  scan();
  fs::create_directories(content_ / "x");
  fs::rename(content_ / "a.zip", content_ / "x/c.zip");
  fs::remove(content_ / "b.zip");
  EXPECT_EQ(scan(), (Json{{"files", 1}, {"read", 1}, {"added", 0}, {"changed", 1}, {"gone", 1}, {"unreadable", 0}}));
  EXPECT_EQ(archive(a)["file"].stringOr(""), "x/c.zip");
  EXPECT_EQ(archive(b)["file"].stringOr("-"), "");
  EXPECT_EQ(archive(b)["title"].stringOr(""), "b") << "what is known of it stays";
  addArchive("again.zip", pages(3));
  scan();
  EXPECT_EQ(archive(b)["file"].stringOr(""), "again.zip");
  EXPECT_EQ(archive(b)["title"].stringOr(""), "b");
}

TEST_F(ScanLibrary, LeavesAloneWhereAnUploadPutAnArchiveMeanwhile) {
  const std::string a = addArchive("a.zip", pages(1));
  addArchive("other.zip", pages(2));
  scan();
  fs::remove(content_ / "a.zip");
  bool uploaded = false;
  host_.onCall([&](const Call& call) {
    if (uploaded || call.name != "records.get") return;  // the folder has been looked through
    uploaded = true;
    addArchive("b.zip", pages(1));
    Json record = archive(a);
    record.set("file", "b.zip");
    host_.putRecord("archives", a, record);
  });
  EXPECT_EQ(scan()["gone"], Json(0));
  EXPECT_TRUE(uploaded);
  EXPECT_EQ(archive(a)["file"].stringOr(""), "b.zip");
}

TEST_F(ScanLibrary, KeepsWhatItRegisteredWhenItIsStopped) {
  for (int i = 0; i < 20; ++i) addArchive(std::to_string(i) + ".zip", pages(1, std::to_string(i)));
  host_.cancelAtCall(30);
  EXPECT_EQ(host_.run("scan_library").code, JH_E_CANCELLED);
  const auto before = host_.records("archives").size();
  EXPECT_GT(before, 0U);
  EXPECT_LT(before, 20U);
  scan();
  EXPECT_EQ(host_.records("archives").size(), 20U);
}

TEST_F(ScanLibrary, RefusesMoreFilesThanConfigured) {
  configure({{"max_files", 1}});
  addArchive("a.zip", pages(1));
  addArchive("b.zip", pages(2));
  EXPECT_EQ(host_.run("scan_library").error_code, "content.too_many");
}

TEST_F(ScanLibrary, LosesNothingWhereTheFolderIsAway) {
  const std::string a = addArchive("a.zip", pages(1));
  scan();
  fs::rename(content_, folder_.path() / "elsewhere");
  EXPECT_EQ(host_.run("scan_library").error_code, "content.unreadable");
  EXPECT_EQ(archive(a)["file"].stringOr(""), "a.zip");
}

TEST_F(ScanLibrary, LosesNothingWhereTheFolderIsNotMounted) {
  const std::string a = addArchive("a.zip", pages(1));
  const std::string b = addArchive("b/b.zip", pages(2));
  scan();
  fs::rename(content_, folder_.path() / "elsewhere");
  folder_.write("content/README.txt", "mount it here");
  for (const char* type : {"scan_library", "find_duplicates", "build_stat_hashes"}) {
    const Attempt refused = host_.run(type);
    EXPECT_EQ(refused.error_code, "library.folder_empty") << type;
    EXPECT_EQ(refused.error_message, "content_dir: " + content_.string() +
                                         " has no archives, where 2 are known: is it mounted? If they are gone for "
                                         "good, run scan_library with force.");
  }
  EXPECT_EQ(archive(a)["file"].stringOr(""), "a.zip");
  EXPECT_EQ(archive(b)["file"].stringOr(""), "b/b.zip");
  fs::remove_all(content_);
  fs::rename(folder_.path() / "elsewhere", content_);
  EXPECT_EQ(scan()["gone"], Json(0));

  fs::remove_all(content_);
  fs::create_directories(content_);
  const Attempt forced = host_.run("scan_library", {{"force", true}});
  ASSERT_TRUE(forced.succeeded()) << forced.error_message;
  EXPECT_EQ(forced.result["gone"], Json(2));
  EXPECT_EQ(archive(a)["file"].stringOr("-"), "");
  EXPECT_EQ(scan()["gone"], Json(0)) << "nothing is known any more that could be missing";
}

TEST_F(ScanLibrary, TakesAnotherDiskOnlyWhereNothingIsMissing) {
  const std::string a = addArchive("a.zip", pages(1));
  addArchive("b.zip", pages(2));
  scan();
  const auto moveDisk = [&] {
    Json last = host_.records("scans").at("last");
    EXPECT_FALSE(last["device"].stringOr("").empty());
    last.set("device", "1").set("file_system", "1");
    host_.putRecord("scans", "last", last);
  };
  moveDisk();
  EXPECT_EQ(scan()["gone"], Json(0)) << "the same archives, by another name of the disk";
  EXPECT_NE(host_.records("scans").at("last")["device"].stringOr(""), "1") << "it is the one that counts now";
  moveDisk();
  fs::remove(content_ / "a.zip");
  const Attempt refused = host_.run("scan_library");
  EXPECT_EQ(refused.error_code, "library.folder_moved");
  EXPECT_NE(refused.error_message.find("lacks 1 of 2 known archives"), std::string::npos) << refused.error_message;
  EXPECT_EQ(archive(a)["file"].stringOr(""), "a.zip");
  Json last = host_.records("scans").at("last");
  last.set("file_system", "");
  host_.putRecord("scans", "last", last);
  EXPECT_EQ(host_.run("scan_library").error_code, "library.folder_moved");
  EXPECT_EQ(host_.run("scan_library", {{"force", 1}}).result["gone"], Json(1));
  EXPECT_EQ(archive(a)["file"].stringOr("-"), "");
  addArchive("c.zip", pages(3));
  fs::remove(content_ / "b.zip");
  EXPECT_EQ(scan()["gone"], Json(1)) << "on the disk of before archives may go";
}

class FindDuplicates : public LibraryPlugin {
 protected:
  void add(const std::string& id, const std::string& thumbhash) {
    addRecord(id, addArchive(id.substr(0, 3) + ".zip", pages(1, id)), thumbhash);
  }
  void addRecord(const std::string&, const std::string& id, const std::string& thumbhash) {
    host_.putRecord("archives", id, {{"file", ""}, {"added", 1}, {"thumbhash", thumbhash}});
    ids_.push_back(id);
  }
  static std::string hash(char digit, std::size_t differing = 0) {
    return std::string(differing, digit == 'f' ? '0' : 'f') + std::string(40 - differing, digit);
  }
  std::vector<std::string> ids_;
};

TEST_F(FindDuplicates, GroupsEqualCoversAndCountsInNotes) {
  add("aaa", hash('1'));
  add("bbb", hash('2'));
  add("ccc", hash('1'));
  addArchive("ddd.zip", pages(1, "no cover yet"));
  const Attempt done = host_.run("find_duplicates", {{"threshold", 5}});
  ASSERT_TRUE(done.succeeded()) << done.error_message;
  EXPECT_EQ(done.result, Json::object());
  std::vector<std::string> pair{ids_[0], ids_[2]};
  std::sort(pair.begin(), pair.end());
  const auto groups = host_.records("duplicates");
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_EQ(groups.begin()->first, "dupgp_" + pair[0].substr(0, 10) + pair[1].substr(0, 10));
  EXPECT_EQ(groups.begin()->second, (Json{{"ids", Json::array({pair[0], pair[1]})}}));
  EXPECT_EQ(done.notesObject(), (Json{{"total", "4"}, {"compared", "3"}, {"groups", "1"}}));
}

TEST_F(FindDuplicates, KeepsToTheThresholdAndTheGroupsOfBefore) {
  host_.putRecord("duplicates", "dupgp_old", {{"ids", Json::array({"x", "y"})}});
  add("aaa", hash('1'));
  add("bbb", hash('1', 5));
  add("ccc", hash('1', 6));
  EXPECT_EQ(host_.run("find_duplicates").notesObject()["groups"].stringOr(""), "0") << "no threshold is 0";
  EXPECT_EQ(host_.records("duplicates").size(), 1U);
  EXPECT_EQ(host_.run("find_duplicates", {{"threshold", "5"}}).notesObject()["groups"].stringOr(""), "1");
  const auto groups = host_.records("duplicates");
  ASSERT_EQ(groups.size(), 2U);
  for (const auto& [key, value] : groups) {
    EXPECT_EQ(value["ids"].size(), key == "dupgp_old" ? 2U : 3U) << "c is near b, which is near a";
  }
  EXPECT_EQ(host_.run("find_duplicates", {{"threshold", -1}}).error_class, JH_CLASS_BAD_INPUT);
  EXPECT_EQ(host_.run("find_duplicates", {{"threshold", "x"}}).error_class, JH_CLASS_BAD_INPUT);
}

TEST_F(FindDuplicates, FindsCoversThatLookAlike) {
  const auto archiveOf = [&](const std::string& name, const std::string& page, const std::string& ending) {
    return addArchive(name, samples::archive("zip", {{"1" + ending, page}}));
  };
  const std::string photo = samples::readAll(samples::photo());
  const std::string large = archiveOf("large.zip", photo, ".jpg");
  const std::string copy = addArchive("copy.zip", samples::archive("zip", {{"1.jpg", photo}, {"2.jpg", photo}}));
  const std::string other = archiveOf("other.zip", samples::quadrants(300, 200, ".png"), ".png");
  const Attempt done = host_.run("find_duplicates", {{"threshold", 5}, {"method", "perceptual"}});
  ASSERT_TRUE(done.succeeded()) << done.error_message;
  EXPECT_EQ(done.notesObject(), (Json{{"total", "3"}, {"compared", "3"}, {"groups", "1"}}));
  std::vector<std::string> pair{large, copy};
  std::sort(pair.begin(), pair.end());
  EXPECT_EQ(host_.records("duplicates").begin()->second["ids"], Json::array({pair[0], pair[1]}));
  EXPECT_EQ(archive(large)["phash"].stringOr("").size(), 16U);
  const Attempt again = host_.run("find_duplicates", {{"threshold", 5}, {"method", "perceptual"}});
  EXPECT_EQ(again.count("records.put"), 1U) << "the hashes are kept; only the group is written";
}

using BuildStatHashes = LibraryPlugin;

TEST_F(BuildStatHashes, WritesTablesThatOneRecordMakesCurrent) {
  const std::string a = addArchive("a.zip", pages(1));
  const std::string b = addArchive("b.zip", pages(2));
  ASSERT_TRUE(host_.run("scan_library").succeeded());
  Json changed = archive(a);
  changed.set("tags", "artist:X, colour, source:https://www.example.com/g/1/");
  host_.putRecord("archives", a, changed);
  host_.putRecord("tankoubons", "TANK_1234567890", {{"name", "T"}, {"archives", Json::array({b})}});
  host_.putRecord("urls", "gone.example/1", {{"id", std::string(40, 'f')}});
  const Attempt done = host_.run("build_stat_hashes");
  ASSERT_TRUE(done.succeeded()) << done.error_message;
  EXPECT_TRUE(done.result.isNull());
  const auto stats = host_.records("stats");
  const Json& current = stats.at("current");
  EXPECT_EQ(current["generation"].intOr(0), 1);
  EXPECT_EQ(current["archives"].intOr(0), 2);
  const auto rows = [&](const char* table) {
    Json all = Json::array();
    for (const Json& chunk : current["chunks"][table].items()) {
      for (const Json& row : stats.at(std::string(chunk["key"].stringOr("")))["rows"].items()) all.push(row);
    }
    return all;
  };
  EXPECT_EQ(rows("tags").at(0), Json::array({"artist:x", Json::array({a})}));
  EXPECT_EQ(rows("cloud").size(), 3U);
  EXPECT_EQ(rows("untagged"), Json::array({b}));
  EXPECT_EQ(rows("new").size(), 2U);
  EXPECT_EQ(rows("titles"), Json::array({Json::array({"a", a}), Json::array({"b", b})}));
  EXPECT_EQ(rows("urls"), Json::array({Json::array({"example.com/g/1", a})}));
  std::vector<std::string> visible{"TANK_1234567890", a};
  std::sort(visible.begin(), visible.end());
  EXPECT_EQ(rows("visible"), Json::array({visible[0], visible[1]})) << "what is in a tankoubon is not";
  const auto urls = host_.records("urls");
  EXPECT_EQ(urls.size(), 1U) << "what no archive says is gone";
  EXPECT_EQ(urls.at("example.com/g/1")["id"].stringOr(""), a);
}

TEST_F(BuildStatHashes, RemovesWhatRunsBeforeLeft) {
  addArchive("a.zip", pages(1));
  for (int run = 0; run < 4; ++run) ASSERT_TRUE(host_.run("build_stat_hashes").succeeded());
  host_.cancelAtCall(20);
  (void)host_.run("build_stat_hashes");
  ASSERT_TRUE(host_.run("build_stat_hashes").succeeded());
  std::set<std::string> generations;
  for (const auto& [key, value] : host_.records("stats")) generations.insert(key.substr(0, 11));
  EXPECT_LE(generations.size(), 3U) << "the record, the current one and the one before";
}

TEST_F(BuildStatHashes, FitsManyArchivesIntoBoundedRecords) {
  constexpr int kArchives = 12'000;
  configure({{"content_dir", ""}});
  host_.setRecordLimit(100);
  for (int i = 0; i < kArchives; ++i) {
    std::string id = std::to_string(i);
    id.insert(0, 40 - id.size(), '0');
    host_.putRecord("archives", id,
                    {{"file", "x"}, {"added", 1}, {"tags", "all, t" + std::to_string(i % 700)}, {"title", id}});
  }
  const Attempt done = host_.run("build_stat_hashes");
  ASSERT_TRUE(done.succeeded()) << done.error_message;
  std::size_t with_tag = 0;
  const auto stats = host_.records("stats");
  for (const Json& chunk : stats.at("current")["chunks"]["tags"].items()) {
    for (const Json& row : stats.at(std::string(chunk["key"].stringOr("")))["rows"].items())
      with_tag += row.at(0).stringOr("") == "all" ? row.at(1).size() : 0;
  }
  EXPECT_EQ(with_tag, static_cast<std::size_t>(kArchives));
}

}  // namespace
}  // namespace jobhost::testing
