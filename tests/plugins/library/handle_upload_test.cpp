#include "library_fixture.hpp"

namespace jobhost::testing {
namespace {

namespace fs = std::filesystem;
using HandleUpload = LibraryPlugin;

const char* const kHint = " Enable replace duplicated archive in config to replace old ones.";

TEST_F(HandleUpload, TakesAnArchiveIn) {
  host_.putRecord("categories", "SET_1234567890", {{"name", "Good ones"}, {"archives", Json::array()}});
  host_.onChild([](const Child& child) {
    if (child.type == "thumbnail_task") return ChildEnd::succeeded("/thumb/x.jpg");
    if (child.type == "one") return ChildEnd::succeeded({{"new_tags", " artist:x, language:y"}, {"title", "A Book"}});
    return ChildEnd::succeeded({{"new_tags", " ARTIST:X, z"}, {"summary", "It goes on."}});
  });
  const std::string path = stage("a1/My Book.cbz", pages(3));
  const std::string id = idOf(path);
  const Attempt done = upload(path, "SET_1234567890");
  ASSERT_TRUE(done.succeeded()) << done.error_message;
  expectKeys(done.result, {"category", "id", "message", "success", "title"});
  EXPECT_EQ(done.result["category"].stringOr(""), "SET_1234567890");
  EXPECT_EQ(done.result["id"].stringOr(""), id);
  EXPECT_EQ(done.result["success"], Json(1));
  EXPECT_EQ(done.result["title"].stringOr(""), "A Book");
  EXPECT_EQ(done.result["message"].stringOr(""),
            "2 Plugins used successfully, 0 Plugins failed, 3 tags added. Added to Category 'Good ones'!");
  EXPECT_TRUE(done.notes.empty());
  EXPECT_TRUE(done.complaints.empty());
  EXPECT_FALSE(fs::exists(uploads_ / "a1")) << "its folder goes with it";
  EXPECT_EQ(idOf(content_ / "My Book.cbz"), id);
  const Json record = archive(id);
  EXPECT_EQ(record["file"].stringOr(""), "My Book.cbz");
  EXPECT_EQ(record["name"].stringOr(""), "My Book.cbz");
  EXPECT_EQ(record["title"].stringOr(""), "A Book");
  EXPECT_EQ(record["tags"].stringOr(""), "artist:x, language:y, z");
  EXPECT_EQ(record["summary"].stringOr(""), "It goes on.");
  EXPECT_EQ(record["pagecount"].intOr(0), 3);
  EXPECT_EQ(record["size"].intOr(0), static_cast<std::int64_t>(fs::file_size(content_ / "My Book.cbz")));
  EXPECT_TRUE(record["isnew"].boolOr(false));
  EXPECT_EQ(host_.records("categories").at("SET_1234567890")["archives"], Json::array({id}));
  ASSERT_EQ(done.children.size(), 3U);
  EXPECT_EQ(done.children[0].params, (Json{{"id", id}, {"page", 0}}));
  EXPECT_EQ(done.children[1].params["file"].stringOr(""), "My Book.cbz");
}

TEST_F(HandleUpload, AnswersTheFourReasonsNotToTakeAFile) {
  const Attempt text = upload(stage("a.txt", "text"));
  ASSERT_TRUE(text.succeeded()) << text.error_message;
  EXPECT_EQ(text.result, (Json{{"category", nullptr},
                               {"id", "deadbeef"},
                               {"message", "Unsupported File Extension (a.txt)"},
                               {"success", 0},
                               {"title", "a.txt"}}));
  EXPECT_TRUE(fs::exists(uploads_ / "a.txt")) << "it stays where it is";

  const std::string bytes = pages(1);
  const Attempt first = upload(stage("b.zip", bytes));
  const std::string id(first.result["id"].stringOr(""));
  ASSERT_EQ(first.result["success"], Json(1));
  const Attempt again = upload(stage("other.zip", bytes));
  EXPECT_EQ(again.result, (Json{{"category", nullptr},
                                {"id", id},
                                {"message", std::string("This file already exists in the Library.") + kHint},
                                {"success", 0},
                                {"title", "other.zip"}}));
  EXPECT_FALSE(fs::exists(uploads_ / "other.zip"));

  const std::string different = stage("b.zip", pages(2));
  const std::string different_id = idOf(different);
  const Attempt same_name = upload(different);
  EXPECT_EQ(same_name.result["message"].stringOr(""),
            std::string("A file with the same name is present in the Library.") + kHint);
  EXPECT_EQ(same_name.result["id"].stringOr(""), different_id);
  EXPECT_FALSE(fs::exists(different));
  EXPECT_EQ(idOf(content_ / "b.zip"), id) << "the one that was there is left alone";

  fs::permissions(content_, fs::perms(0555));
  const std::string unmovable = stage("c.zip", pages(3));
  const Attempt refused = upload(unmovable);
  fs::permissions(content_, fs::perms(0755));
  if (::geteuid() != 0) {  // root may write everywhere
    EXPECT_EQ(refused.result["message"].stringOr(""),
              "The file couldn't be moved to your content folder: Permission denied");
    EXPECT_TRUE(fs::exists(unmovable));
  }
}

TEST_F(HandleUpload, SaysWhyAFileCouldNotBeMoved) {
  const std::string path = stage("a.zip", pages(1));
  configure({{"content_dir", (folder_.path() / "absent").string()}});
  const Attempt refused = upload(path);
  ASSERT_TRUE(refused.succeeded()) << refused.error_message;
  EXPECT_EQ(refused.result["success"], Json(0));
  EXPECT_EQ(refused.result["message"].stringOr(""),
            "The file couldn't be moved to your content folder: No such file or directory");
  EXPECT_TRUE(fs::exists(path)) << "nothing is lost";
}

TEST_F(HandleUpload, ReplacesWhereThatIsConfigured) {
  configure({{"replace_duplicates", true}});
  const std::string bytes = pages(2);
  const Attempt first = upload(stage("old name.zip", bytes));
  ASSERT_EQ(first.result["success"], Json(1));
  const std::string id(first.result["id"].stringOr(""));
  const Attempt renamed = upload(stage("new name.zip", bytes));
  EXPECT_EQ(renamed.result["success"], Json(1)) << renamed.result.dump();
  EXPECT_FALSE(fs::exists(content_ / "old name.zip"));
  EXPECT_EQ(archive(id)["file"].stringOr(""), "new name.zip");
  const Attempt other = upload(stage("new name.zip", pages(3)));
  EXPECT_EQ(other.result["success"], Json(1));
  EXPECT_EQ(idOf(content_ / "new name.zip"), other.result["id"].stringOr(""));
  EXPECT_EQ(archive(id)["file"].stringOr("-"), "") << "another archive has its place";
}

TEST_F(HandleUpload, OfTwoThatBringTheSameFileAtOnceOneIsTaken) {
  const std::string bytes = pages(2);
  const std::string path = stage("second.zip", bytes);
  const std::string id = idOf(path);
  bool first = false;
  host_.onCall([&](const Call& call) {
    if (first || call.name != "checkpoint.save") return;  // this job has looked
    first = true;
    addArchive("first.zip", bytes);
    host_.putRecord("archives", id, {{"file", "first.zip"}, {"added", 1}});
  });
  const Attempt done = upload(path);
  EXPECT_TRUE(first);
  EXPECT_EQ(done.result["success"], Json(0));
  EXPECT_EQ(done.result["id"].stringOr(""), id);
  EXPECT_EQ(done.result["message"].stringOr(""), std::string("This file already exists in the Library.") + kHint);
  EXPECT_EQ(archive(id)["file"].stringOr(""), "first.zip");
  EXPECT_FALSE(fs::exists(content_ / "second.zip"));
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(HandleUpload, LosesNothingWhereAReplacementCannotBeMoved) {
  configure({{"replace_duplicates", true}});
  const std::string bytes = pages(2);
  const Attempt first = upload(stage("old.zip", bytes));
  ASSERT_EQ(first.result["success"], Json(1));
  fs::create_directories(content_ / "new.zip");
  const Attempt refused = upload(stage("new.zip", bytes));
  EXPECT_EQ(refused.result["success"], Json(0));
  EXPECT_EQ(refused.result["message"].stringOr(""),
            "The file couldn't be moved to your content folder: Is a directory");
  EXPECT_TRUE(fs::exists(content_ / "old.zip"));
  EXPECT_EQ(archive(std::string(first.result["id"].stringOr("")))["file"].stringOr(""), "old.zip");
}

TEST_F(HandleUpload, TakesFilesOfTheUploadFolderOnly) {
  const std::string outside = folder_.write("elsewhere/x.zip", pages(1)).string();
  fs::create_symlink(outside, uploads_ / "link.zip");
  for (const std::string& path :
       {outside, (uploads_ / "../elsewhere/x.zip").string(), std::string("/etc/passwd.zip"), std::string("/etc/passwd"),
        (uploads_ / "link.zip").string(), std::string("../elsewhere/x.zip"), (content_ / "y.zip").string()}) {
    const Attempt refused = upload(path);
    EXPECT_EQ(refused.code, JH_E_FAILED) << path;
    EXPECT_EQ(refused.error_details, (Json{{"errors", Json::array({"path not allowed"})}})) << path;
    EXPECT_EQ(refused.error_class, JH_CLASS_DENIED);
  }
  EXPECT_TRUE(fs::exists(outside));
}

TEST_F(HandleUpload, KnowsAnArchiveThatALinkInTheFolderLeadsTo) {
  const std::string bytes = pages(2);
  const std::string id = addArchive("shelf/real.zip", bytes);
  fs::create_symlink("shelf/real.zip", content_ / "link.zip");
  host_.putRecord("archives", id, {{"file", "link.zip"}, {"added", 1}});  // as a scan may register it
  const Attempt again = upload(stage("other.zip", bytes));
  EXPECT_EQ(again.result["message"].stringOr(""), std::string("This file already exists in the Library.") + kHint);
  EXPECT_FALSE(fs::exists(content_ / "other.zip"));

  // A link that leads nowhere, until this very file is where it leads.
  fs::remove(content_ / "shelf/real.zip");
  fs::remove(content_ / "link.zip");
  fs::create_symlink("new.zip", content_ / "link.zip");
  const Attempt done = upload(stage("new.zip", bytes));
  EXPECT_EQ(done.result["success"], Json(1)) << done.result.dump();
  EXPECT_EQ(idOf(content_ / "new.zip"), id);
  EXPECT_EQ(archive(id)["file"].stringOr(""), "new.zip");
}

TEST_F(HandleUpload, TakesInAnArchiveWhoseFileIsAnotherOneNow) {
  const std::string bytes = pages(1);
  const Attempt first = upload(stage("a.zip", bytes));
  ASSERT_EQ(first.result["success"], Json(1));
  addArchive("a.zip", pages(2));
  const Attempt again = upload(stage("b.zip", bytes));
  EXPECT_EQ(again.result["success"], Json(1)) << again.result.dump();
}

// A crash after the refused file was removed, and before: the next run answers the same.
TEST_F(HandleUpload, RefusesTheSameWayWhenItIsRunAgain) {
  const std::string bytes = pages(1);
  ASSERT_EQ(upload(stage("a.zip", bytes)).result["success"], Json(1));
  for (const bool known : {true, false}) {
    const std::string path = stage("up/a.zip", known ? bytes : pages(2));
    const Attempt refused = upload(path);
    ASSERT_EQ(refused.result["success"], Json(0));
    EXPECT_FALSE(fs::exists(path));
    const Attempt after = host_.runAgain();
    ASSERT_TRUE(after.succeeded()) << after.error_message;
    EXPECT_EQ(after.result, refused.result);
    stage("up/a.zip", "as if it had not been removed yet");
    EXPECT_EQ(host_.runAgain().result, refused.result);
    EXPECT_FALSE(fs::exists(uploads_ / "up"));
  }
}

// The name was taken between the look and the move; then the archive was.
TEST_F(HandleUpload, RefusesTheSameWayWhereAnotherJobWasFasterWheneverItCrashes) {
  for (const bool same_name : {true, false}) {
    for (std::size_t n = 1; n < 40; ++n) {
      const std::string tag = std::to_string(n) + (same_name ? "n" : "i");
      const std::string bytes = pages(1, tag);
      const std::string path = stage("late" + tag + ".zip", bytes);
      const std::string id = idOf(path);
      bool first = false;
      host_.onCall([&](const Call& call) {
        if (first || call.name != "checkpoint.save") return;  // this job has looked
        first = true;
        if (same_name) {
          addArchive("late" + tag + ".zip", pages(2, tag));
        } else {
          addArchive("early" + tag + ".zip", bytes);
          host_.putRecord("archives", id, {{"file", "early" + tag + ".zip"}, {"added", 1}});
        }
      });
      host_.failCall(n, JH_E_IO);
      Attempt done = host_.run("handle_upload", {{"path", path}});
      const bool was_reached = done.calls.size() >= n;
      if (done.code == JH_E_FAILED) done = host_.runAgain();
      ASSERT_TRUE(done.succeeded()) << tag << ": " << done.error_message;
      EXPECT_EQ(done.result["success"], Json(0)) << tag << done.result.dump();
      EXPECT_EQ(done.result["id"].stringOr(""), id) << tag;
      EXPECT_EQ(host_.runAgain().result, done.result) << tag;
      EXPECT_FALSE(fs::exists(path)) << tag;
      EXPECT_EQ(fs::exists(content_ / ("late" + tag + ".zip")), same_name) << tag;
      EXPECT_EQ(fs::exists(content_ / ("early" + tag + ".zip")), !same_name) << tag;
      if (!was_reached) break;
    }
  }
}

TEST_F(HandleUpload, FailsWithTextWhereTheFileIsOfNoUse) {
  EXPECT_EQ(upload((uploads_ / "absent.zip").string()).error_code, "path.not_found");
  EXPECT_EQ(upload(stage("empty.zip", "")).error_message, "the archive is empty");
  EXPECT_EQ(upload(stage("broken.zip", "PK\x03\x04 and nothing")).code, JH_E_FAILED);
  const Attempt no_pages = upload(stage("text.zip", samples::archive("zip", {{"a.txt", "x"}})));
  EXPECT_EQ(no_pages.error_message, "the archive has no page images");
  EXPECT_TRUE(no_pages.error_details.isNull());
  EXPECT_TRUE(host_.records("archives").empty());
  fs::create_directories(uploads_ / "folder.zip");
  EXPECT_EQ(upload((uploads_ / "folder.zip").string()).error_code, "path.not_a_file");
}

TEST_F(HandleUpload, GoesOnWhereACoverOrAPluginFails) {
  host_.onChild([](const Child& child) {
    if (child.type == "one") return ChildEnd::succeeded({{"error", "no such site"}});
    if (child.type == "two") return ChildEnd::failed("crash", "it crashed");
    return ChildEnd::failed("image.damaged", "the page is broken");
  });
  const Attempt done = upload(stage("a.zip", pages(1)), "SET_0000000000");
  ASSERT_TRUE(done.succeeded()) << done.error_message;
  EXPECT_EQ(done.result["success"], Json(1));
  EXPECT_EQ(done.result["message"].stringOr(""),
            "0 Plugins used successfully, 2 Plugins failed, 0 tags added. Couldn't add to Category: The category "
            "SET_0000000000 doesn't exist.");
  EXPECT_EQ(done.result["title"].stringOr(""), "a");
}

TEST_F(HandleUpload, TakesTagsOfABoundedSize) {
  configure({{"metadata_plugins", Json::array({"one"})}});
  host_.onChild([](const Child&) {
    std::string tags = std::string(300'000, 'x') + ", short";
    for (int i = 0; i < 600; ++i) tags += "," + std::to_string(i) + std::string(900, 'y');
    return ChildEnd::succeeded({{"new_tags", tags}});
  });
  const Attempt done = upload(stage("a.zip", pages(1)));
  ASSERT_EQ(done.result["success"], Json(1)) << done.error_message;
  const std::string tags(archive(std::string(done.result["id"].stringOr("")))["tags"].stringOr(""));
  EXPECT_TRUE(tags.starts_with("short, 0y")) << tags.substr(0, 20);
  EXPECT_LE(tags.size(), 262'144U);
}

TEST_F(HandleUpload, GoesOnWithoutThePluginsThatMakeChildren) {
  host_.failCall("children.submit", 1, JH_E_NOT_FOUND, "no such job type");
  const Attempt done = upload(stage("a.zip", pages(1)));
  EXPECT_EQ(done.result["success"], Json(1)) << done.error_message;
  EXPECT_EQ(done.children.size(), 2U);
}

TEST_F(HandleUpload, AsksThePluginsTheOperatorChose) {
  configure({{"metadata_plugins", Json::array({"two", "none"})}});
  const Attempt done = upload(stage("a.zip", pages(1)));
  ASSERT_EQ(done.children.size(), 2U);
  EXPECT_EQ(done.children[1].type, "two");
}

TEST_F(HandleUpload, NamesAndDatesTheArchive) {
  configure({{"date_added", true}, {"metadata_plugins", Json::array()}});
  const Attempt done = upload(stage(std::string(246, 'n') + ".tar.gz",
                                    samples::archive("tar.gz", {{"1.png", samples::quadrants(9, 9, ".png")}})));
  ASSERT_EQ(done.result["success"], Json(1)) << done.error_message;
  const Json record = archive(std::string(done.result["id"].stringOr("")));
  EXPECT_LE(record["file"].stringOr("").size() + 7, 255U);
  EXPECT_TRUE(std::string(record["file"].stringOr("")).ends_with("n.tar.gz"));
  EXPECT_EQ(record["tags"].stringOr("").substr(0, 11), "date_added:");
}

// Each call of the host is made to fail in turn: whatever was done by then, the file is in one place, and a second run
// brings the job to its end.
TEST_F(HandleUpload, IsFinishedByASecondRunWhereverTheFirstOneEnded) {
  configure({{"metadata_plugins", Json::array({"one"})}});
  const std::string bytes = pages(1);
  for (std::size_t n = 1;; ++n) {
    const std::string name = "n" + std::to_string(n) + ".zip";
    const std::string path = stage(name, pages(1, name));
    const std::string id = idOf(path);
    host_.failCall(n, JH_E_IO);
    Attempt first = host_.run("handle_upload", {{"path", path}});
    const bool was_reached = first.calls.size() >= n;
    if (first.code == JH_E_FAILED) {
      EXPECT_NE(fs::exists(path), fs::exists(content_ / name)) << "call " << n << " " << first.error_message;
      first = host_.runAgain();
    }
    while (first.code == JH_E_SUSPENDED) first = host_.runAgain();
    EXPECT_TRUE(first.succeeded()) << "call " << n << ": " << first.error_message;
    EXPECT_EQ(first.result["success"], Json(1)) << "call " << n << " " << first.result.dump();
    EXPECT_EQ(archive(id)["file"].stringOr(""), name) << "call " << n;
    if (!was_reached) break;
    ASSERT_LT(n, 200U);
  }
  for (const auto& left : fs::directory_iterator(content_))
    EXPECT_FALSE(left.path().filename().string().starts_with(".")) << left.path();
}

TEST_F(HandleUpload, FinishesAMoveThatACrashCutShort) {
  const std::string path = stage("a.zip", pages(1));
  const std::string id = idOf(path);
  host_.failCall("checkpoint.save", 2, JH_E_IO);
  const Attempt first = host_.run("handle_upload", {{"path", path}});
  ASSERT_EQ(first.code, JH_E_FAILED) << "it ended after the move";
  // As if it had ended between the two renames.
  fs::rename(content_ / "a.zip", content_ / ("." + std::to_string(1001) + ".upload"));
  Attempt second = host_.runAgain();
  while (second.code == JH_E_SUSPENDED) second = host_.runAgain();
  EXPECT_EQ(second.result["success"], Json(1)) << second.error_message << second.result.dump();
  EXPECT_EQ(idOf(content_ / "a.zip"), id);
}

TEST_F(HandleUpload, ACancelLeavesTheFileInOnePlace) {
  int cancelled = 0;
  for (std::size_t n = 1; n < 30; ++n) {
    const std::string name = "c" + std::to_string(n) + ".zip";
    const std::string path = stage(name, pages(1, name));
    host_.cancelAtCall(n);
    const Attempt done = host_.run("handle_upload", {{"path", path}});
    cancelled += done.code == JH_E_CANCELLED ? 1 : 0;
    EXPECT_NE(fs::exists(path), fs::exists(content_ / name)) << n << ": whether it was heard or not";
  }
  EXPECT_GT(cancelled, 0);
}

}  // namespace
}  // namespace jobhost::testing
