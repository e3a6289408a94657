#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "artifact/books.hpp"
#include "core/sanitized.hpp"
#include "fake_book.hpp"
#include "shelf.hpp"
#include "support/files/unique_fd.hpp"

namespace jobhost::artifact {
namespace {

using jobhost::testing::Attempt;
using jobhost::testing::Call;
using jobhost::testing::ChildEnd;
using jobhost::testing::Fetch;
using jobhost::testing::FetchEnd;
using jobhost::testing::Spawn;
using jobhost::testing::SpawnEnd;
using testing::imageId;
using testing::readFile;
using testing::uuid;
using testing::writeFile;
using Words = std::vector<std::string>;

class ArtifactPlugin : public ::testing::Test {
 protected:
  ArtifactPlugin() {
    novel_ = shelf_.novel(1);
    shelf_.volume(1, "One");
    const std::string image = "<p>It was <b>so</b>.</p><img src=\"images/" + imageId(5) + ".jpg\">";
    shelf_.chapter(1, "First", image.c_str());
    shelf_.chapter(2, "Second", "<p>And then.</p>");
    shelf_.chapter(3, "Lost", nullptr);
    shelf_.image(5, testing::jpeg());
    shelf_.cover(testing::jpeg());
  }

  Attempt make(const std::string& format, const std::string& novel = {}) {
    const Attempt done = host_.run(
        "artifact", {{"novel_id", novel.empty() ? novel_ : novel}, {"format", format}, {"novel_title", "The Example"}});
    EXPECT_EQ(done.complaints, Words{}) << format;
    return done;
  }
  void makeEpub() { ASSERT_TRUE(make("epub").succeeded()); }
  Attempt batch(const Json& formats) {
    return host_.run("artifact_batch", {{"novel_id", novel_}, {"formats", formats}, {"novel_title", "The Example"}});
  }
  static std::string cause(const Attempt& done) { return std::string(done.error_details["cause"].stringOr("")); }
  static Words formatsOf(const Attempt& done) {
    Words all;
    for (const auto& child : done.children) all.emplace_back(child.params["format"].stringOr(""));
    return all;
  }

  testing::Shelf shelf_{std::string(JOBHOST_PLUGIN_DIR) + "/artifact.so"};
  jobhost::testing::FakeHost& host_ = shelf_.host;
  std::string novel_;
};

TEST_F(ArtifactPlugin, WritesAnEpubAndItsRecord) {
  host_.setInfo("owner", "90e08659-277b-49a8-8648-000000000001");
  const Attempt done = make("epub");
  ASSERT_TRUE(done.succeeded()) << done.error_message << cause(done);
  const std::string path = shelf_.artifactPath("The Example.epub");
  const Words names = testing::namesIn(path);
  EXPECT_EQ(names.front(), "mimetype");
  for (const char* name :
       {"EPUB/cover.jpg", "EPUB/volume_001.xhtml", "EPUB/chapter_00001.xhtml", "EPUB/chapter_00002.xhtml"}) {
    EXPECT_EQ(std::count(names.begin(), names.end(), name), 1) << name;
  }
  EXPECT_EQ(std::count(names.begin(), names.end(), "EPUB/images/" + imageId(5) + ".jpg"), 1);
  EXPECT_EQ(std::count(names.begin(), names.end(), "EPUB/chapter_00003.xhtml"), 0);
  const std::string opf = testing::entryIn(path, "EPUB/content.opf");
  EXPECT_NE(opf.find("Ann Author</dc:creator>"), std::string::npos);
  EXPECT_NE(opf.find("Bo Writer</dc:creator>"), std::string::npos);
  EXPECT_NE(testing::entryIn(path, "EPUB/chapter_00001.xhtml").find("It was"), std::string::npos);

  const auto records = host_.records("artifacts");
  ASSERT_EQ(records.size(), 1u);
  const auto& [id, artifact] = *records.begin();
  EXPECT_EQ(artifact["novel_id"].stringOr(""), novel_);
  EXPECT_EQ(artifact["job_id"].intOr(0), 1001);
  EXPECT_EQ(artifact["user_id"].stringOr(""), "90e08659-277b-49a8-8648-000000000001");
  EXPECT_EQ(artifact["format"].stringOr(""), "epub");
  EXPECT_EQ(artifact["file_name"].stringOr(""), "The Example.epub");
  EXPECT_EQ(artifact["file_size"].intOr(0), static_cast<std::int64_t>(readFile(path).size()));
  EXPECT_EQ(id.size(), 36u);
  EXPECT_EQ(id[14], '4');
  EXPECT_EQ(done.notesObject()["artifact_id"].stringOr(""), id);
  EXPECT_EQ(done.result["chapters"].intOr(0), 2);
  EXPECT_EQ(done.result["missing_chapters"].intOr(0), 1);
  EXPECT_EQ(done.result["images"].intOr(0), 1);
  EXPECT_EQ(shelf_.files("tmp"), Words{});
}

TEST_F(ArtifactPlugin, WritesJsonAndText) {
  ASSERT_TRUE(make("json").succeeded());
  const std::string json = shelf_.artifactPath("The Example.json.zip");
  const Json meta = Json::parse(testing::entryIn(json, "meta.json"));
  EXPECT_EQ(meta["id"].stringOr(""), novel_);
  EXPECT_EQ(meta["authors"].stringOr(""), "Ann Author, Bo Writer");
  EXPECT_EQ(meta["extra"]["crawler_version"].intOr(0), 7);
  EXPECT_TRUE(meta["cover_available"].boolOr(false));
  EXPECT_EQ(meta["volumes"].at(0)["chapters"].size(), 2u);
  const Json chapter = Json::parse(testing::entryIn(json, "001/00002.json"));
  EXPECT_EQ(chapter["title"].stringOr(""), "Second");
  EXPECT_EQ(chapter["content"].stringOr(""), "<p>And then.</p>");
  EXPECT_EQ(chapter["content_file"].stringOr(""),
            "novels/" + novel_ + "/chapters/" + std::string(chapter["id"].stringOr("")) + ".zst");
  ASSERT_TRUE(make("txt").succeeded());
  EXPECT_EQ(testing::entryIn(shelf_.artifactPath("The Example.txt.zip"), "001/00002.txt").substr(0, 6), "Second");
}

TEST_F(ArtifactPlugin, WritesTheSameBytesAgainOverTheOldFile) {
  for (const auto& [format, name] :
       {std::pair("epub", "The Example.epub"), {"json", "The Example.json.zip"}, {"txt", "The Example.txt.zip"}}) {
    ASSERT_TRUE(make(format).succeeded());
    const std::string first = readFile(shelf_.artifactPath(name));
    writeFile(shelf_.artifactPath(name), "another");
    ASSERT_TRUE(make(format).succeeded());
    EXPECT_EQ(readFile(shelf_.artifactPath(name)), first) << format;
  }
  EXPECT_EQ(host_.records("artifacts").size(), 6u) << "each job has its own";
  EXPECT_EQ(shelf_.files("novels/" + novel_ + "/artifacts").size(), 3u);
}

TEST_F(ArtifactPlugin, OfTwoNovelsWithOneTitleDoNotMeet) {
  makeEpub();
  const std::string first = readFile(shelf_.artifactPath("The Example.epub"));
  const std::string other = shelf_.novel(2);
  shelf_.chapter(1, "Other", "<p>x</p>");
  ASSERT_TRUE(make("epub", other).succeeded());
  EXPECT_NE(readFile(shelf_.artifactPath("The Example.epub")), first);
  EXPECT_EQ(readFile(shelf_.dir() / "novels" / novel_ / "artifacts/The Example.epub"), first);
}

TEST_F(ArtifactPlugin, RunAgainAfterADeathHasOneRecord) {
  host_.failCall("note", 1, JH_E_IO);  // the host dies between the record and its note
  const Attempt cut = make("epub");
  EXPECT_FALSE(cut.succeeded());
  const auto before = host_.records("artifacts");
  ASSERT_EQ(before.size(), 1u);
  const Attempt again = host_.runAgain();
  ASSERT_TRUE(again.succeeded()) << again.error_message;
  EXPECT_EQ(again.notesObject()["artifact_id"].stringOr(""), before.begin()->first);
  EXPECT_EQ(host_.records("artifacts").size(), 1u);
}

TEST_F(ArtifactPlugin, CanceledLeavesTheOldFileAndNoRecord) {
  makeEpub();
  const std::string old = readFile(shelf_.artifactPath("The Example.epub"));
  shelf_.chapter(4, "New", "<p>new</p>");
  // After each look at the wish to stop: wherever that is, the file is whole and the old one.
  bool finished = false;
  for (std::size_t check = 1; !finished && check < 200; ++check) {
    host_.cancelAtCheck(check);
    const Attempt done = make("epub");
    finished = done.succeeded();
    if (finished) break;
    EXPECT_EQ(done.code, JH_E_CANCELLED) << check;
    if (host_.records("artifacts").size() > 1) break;  // asked after the deed
    EXPECT_EQ(readFile(shelf_.artifactPath("The Example.epub")), old) << check;
  }
  EXPECT_TRUE(finished || host_.records("artifacts").size() > 1);
}

TEST_F(ArtifactPlugin, ChaptersThatCannotBeReadCostThemselvesAlone) {
  const std::string damaged = shelf_.chapter(4, "Damaged", "<p>x</p>");
  const auto file = shelf_.folder() / "chapters" / (damaged + ".zst");
  writeFile(file, readFile(file).substr(0, 9));
  const std::string link = shelf_.chapter(5, "Link", nullptr);
  writeFile(shelf_.dir() / "secret", testing::packed("<p>secret</p>"));
  std::filesystem::create_symlink("../../../secret", shelf_.folder() / "chapters" / (link + ".zst"));
  const Attempt done = make("epub");
  ASSERT_TRUE(done.succeeded()) << cause(done);
  EXPECT_EQ(done.result["chapters"].intOr(0), 2);
  EXPECT_EQ(done.result["missing_chapters"].intOr(0), 3);
  const bool warned = std::any_of(done.log.begin(), done.log.end(), [](const auto& line) {
    return line.level == JH_LOG_WARN && line.text.find("chapter 4 is left out") != std::string::npos;
  });
  EXPECT_TRUE(warned);
}

TEST_F(ArtifactPlugin, KeepsAllOfAListThatWasShiftedMeanwhile) {
  shelf_.volume(1, "One again");  // the serial of another
  shelf_.chapter(2, "Twin", "<p>twin</p>");
  const Attempt done = make("epub");
  ASSERT_TRUE(done.succeeded()) << cause(done);
  EXPECT_EQ(done.result["chapters"].intOr(0), 3);
  EXPECT_EQ(done.result["volumes"].intOr(0), 2);
  EXPECT_NE(testing::entryIn(shelf_.artifactPath("The Example.epub"), "EPUB/chapter_00004.xhtml").find("twin"),
            std::string::npos);
}

TEST_F(ArtifactPlugin, OfChaptersOutsideVolumesAndANovelWithoutFiles) {
  const std::string bare = shelf_.novel(3, {{"title", ""}, {"authors", nullptr}, {"language", nullptr}});
  Attempt done = make("epub", bare);
  ASSERT_TRUE(done.succeeded()) << cause(done);
  EXPECT_EQ(done.result["file_name"].stringOr(""), "untitled.epub");
  shelf_.chapter(1, "Loose", "<p>loose</p>");
  shelf_.volume(1, "V");
  shelf_.chapter(2, "Bound", "<p>bound</p>");
  done = make("json", bare);
  ASSERT_TRUE(done.succeeded()) << cause(done);
  const Words names = testing::namesIn(shelf_.artifactPath("untitled.json.zip"));
  EXPECT_EQ(std::count(names.begin(), names.end(), "000/00001.json"), 1);
  EXPECT_EQ(std::count(names.begin(), names.end(), "001/00002.json"), 1);
}

TEST_F(ArtifactPlugin, SaysWhatIsWrongWithWhatWasAskedFor) {
  struct Case {
    Json params;
    const char *message, *code;
  };
  const Case cases[] = {
      {Json{{"format", "epub"}}, "No novel id", "artifact.no_novel_id"},
      {Json{{"novel_id", novel_}}, "No output format", "artifact.no_format"},
      {Json{{"novel_id", novel_}, {"format", "exe"}}, "Invalid format: exe", "artifact.format"},
      {Json{{"novel_id", uuid(99)}, {"format", "epub"}}, "Failed to make artifact", "artifact.no_novel"},
      {Json{{"novel_id", "../" + novel_}, {"format", "epub"}}, "Failed to make artifact", "artifact.no_novel"},
      {Json{{"novel_id", novel_}, {"format", 7}}, "Failed to make artifact", "bad_input"},
  };
  for (const Case& one : cases) {
    const Attempt done = host_.run("artifact", one.params);
    EXPECT_EQ(done.code, JH_E_FAILED);
    EXPECT_EQ(done.error_message, one.message);
    EXPECT_EQ(done.error_code, one.code);
    EXPECT_EQ(done.error_class, JH_CLASS_BAD_INPUT);
    EXPECT_NE(cause(done), "") << one.message;
  }
  host_.setConfig(Json::object());
  const Attempt done = make("epub");
  EXPECT_EQ(done.error_code, "artifact.no_folder");
  EXPECT_NE(cause(done).find("lncrawl_dir"), std::string::npos);
}

// Conversions.

class Conversions : public ArtifactPlugin {
 protected:
  Conversions() { makeEpub(); }
  /// A program that prints and leaves a file, as ebook-convert does.
  void onConvert(const std::string& bytes, const std::string& says = "1% Reading\n34% Working\nnoise 99%\n") {
    host_.onSpawn([this, bytes, says](const Spawn& asked) {
      asked_ = asked;
      writeFile(asked.argv.at(2), bytes);
      return SpawnEnd::ok(says);
    });
  }
  [[nodiscard]] std::string after(const std::string& flag) const {
    const auto at = std::find(asked_.argv.begin(), asked_.argv.end(), flag);
    return at == asked_.argv.end() ? "absent" : *(at + 1);
  }
  Spawn asked_;
};

TEST_F(Conversions, GiveTheEpubToCalibre) {
  onConvert("mobi bytes");
  const Attempt done = make("mobi");
  ASSERT_TRUE(done.succeeded()) << cause(done);
  EXPECT_EQ(readFile(shelf_.artifactPath("The Example.mobi")), "mobi bytes");
  EXPECT_EQ(asked_.argv.at(0), "ebook-convert");
  EXPECT_EQ(asked_.argv.at(1), shelf_.artifactPath("The Example.epub"));
  EXPECT_TRUE(asked_.argv.at(2).ends_with(".mobi")) << "calibre goes by the ending";
  EXPECT_EQ(after("--title"), "The Example");
  EXPECT_EQ(after("--authors"), "Ann Author & Bo Writer");
  EXPECT_EQ(after("--cover"), (shelf_.folder() / "cover.jpg").string());
  const Json& env = asked_.options["env"];
  EXPECT_EQ(env["QT_QPA_PLATFORM"].stringOr(""), "offscreen");
  EXPECT_TRUE(asked_.argv.at(2).starts_with(std::string(env["HOME"].stringOr("none"))));
  EXPECT_EQ(asked_.options["timeout_ms"].intOr(0), 3'600'000);
  std::vector<double> percents;
  for (const auto& one : done.progress) percents.push_back(one.done);
  EXPECT_EQ(percents, (std::vector<double>{1, 34}));
  EXPECT_EQ(done.progress.back().note, "34% Working");
  const auto records = host_.records("artifacts");
  EXPECT_EQ(records.at(std::string(done.result["artifact_id"].stringOr("")))["format"].stringOr(""), "mobi");
}

TEST_F(Conversions, WithoutCalibreFailThatFormatAlone) {
  for (const bool forbidden : {false, true}) {
    if (forbidden) host_.withhold(JH_EXT_PROCESS);
    host_.onSpawn([](const Spawn&) { return SpawnEnd::missing(); });
    const Attempt done = make("pdf");
    EXPECT_EQ(done.error_message, "No calibre executables");
    EXPECT_EQ(done.error_code, "artifact.no_converter");
    EXPECT_NE(cause(done).find("install calibre"), std::string::npos) << cause(done);
    EXPECT_EQ(done.error_class, JH_CLASS_BAD_INPUT) << "another try finds none either";
    EXPECT_TRUE(make("txt").succeeded());
  }
}

TEST_F(Conversions, ThatFailSayWhatCalibreSaid) {
  host_.onSpawn([](const Spawn&) {
    SpawnEnd end = SpawnEnd::exited(1, "Traceback\nValueError: no such glyph\n");
    return end;
  });
  Attempt done = make("docx");
  EXPECT_EQ(done.error_message, "Failed running ebook-convert");
  EXPECT_EQ(done.error_code, "artifact.conversion");
  EXPECT_EQ(cause(done), "it ended with 1 making docx: ValueError: no such glyph");
  host_.onSpawn([](const Spawn&) { return SpawnEnd::ok("done"); });
  done = make("docx");
  EXPECT_EQ(cause(done), "it wrote no file making docx: done");
  host_.onSpawn([](const Spawn&) { return SpawnEnd::killed(9); });
  done = make("docx");
  EXPECT_EQ(cause(done), "it ended with 137 making docx");
  EXPECT_EQ(shelf_.files("novels/" + novel_ + "/artifacts"), Words{"The Example.epub"});
}

TEST_F(ArtifactPlugin, LeavesNothingOfANovelThatWasDeletedMeanwhile) {
  // The calls of records.get: the novel at first, before its file is placed, the artifact, and the novel at last.
  for (const std::size_t gone : {2, 4}) {
    host_.failCall("records.get", gone, JH_E_NOT_FOUND);
    const Attempt done = make("epub");
    EXPECT_EQ(done.error_code, "artifact.no_novel") << gone;
    EXPECT_EQ(done.error_message, "Failed to make artifact");
    EXPECT_FALSE(std::filesystem::exists(shelf_.folder() / "artifacts")) << gone;
    EXPECT_TRUE(host_.records("artifacts").empty()) << gone;
  }
  EXPECT_TRUE(make("epub").succeeded());
}

TEST_F(Conversions, EndAfterTheirTime) {
  shelf_.configure({{"conversion_timeout_s", 7}});
  host_.onSpawn([this](const Spawn& asked) {
    asked_ = asked;
    return SpawnEnd::timeout();
  });
  const Attempt done = make("pdf");
  EXPECT_EQ(asked_.options["timeout_ms"].intOr(0), 7000);
  EXPECT_EQ(done.error_message, "Failed running ebook-convert");
  EXPECT_EQ(done.error_code, "artifact.conversion_timeout");
  EXPECT_NE(cause(done).find("within 7 s"), std::string::npos);
}

TEST_F(Conversions, EndWithTheirJob) {
  host_.onSpawn([](const Spawn&) { return SpawnEnd::never(); });
  host_.onCall([this](const Call& call) {
    if (call.name == "process.read") host_.cancel();
  });
  const Attempt done = make("pdf");
  EXPECT_EQ(done.code, JH_E_CANCELLED);
  EXPECT_EQ(done.count("process.close"), 1u) << "which ends it";
}

TEST_F(Conversions, NeedAnEpub) {
  onConvert("x");
  std::filesystem::remove(shelf_.artifactPath("The Example.epub"));
  const Attempt done = make("mobi");
  EXPECT_EQ(done.error_message, "No EPub file found");
  EXPECT_EQ(done.error_code, "artifact.no_epub");
  EXPECT_TRUE(done.spawns.empty());
}

TEST_F(Conversions, OfABatchTakeItsEpubAndNoOther) {
  onConvert("x");
  host_.setInfo("parent", 77);
  host_.putKey("epub-of/77", "55");  // which failed: there is no such artifact
  EXPECT_EQ(make("mobi").error_message, "No EPub file found");
  host_.putKey("epub-of/77", "1001");
  EXPECT_TRUE(make("mobi").succeeded());
  host_.setInfo("parent", 78);  // no batch of ours
  EXPECT_TRUE(make("mobi").succeeded());
}

TEST_F(Conversions, TakeTheNewestEpub) {
  onConvert("x");
  host_.setIndexes("artifacts", {});
  const auto put = [&](int number, const char* file, int sort) {
    host_.putRecord("artifacts", uuid(number), {{"novel_id", novel_}, {"format", "epub"}, {"file_name", file}},
                    "artifacts", sort);
  };
  put(1, "Old.epub", 1);
  put(2, "../../../secret.epub", 2'000'000'000);
  writeFile(shelf_.artifactPath("Old.epub"), "old");
  ASSERT_TRUE(make("mobi").succeeded());
  EXPECT_EQ(asked_.argv.at(1), shelf_.artifactPath("The Example.epub"));
}

TEST_F(Conversions, WaitForTheirTurn) {
  onConvert("x");
  std::filesystem::create_directories(shelf_.dir() / "tmp");
  const auto hold = [&](int number) {
    const auto path = shelf_.dir() / "tmp" / ("converter." + std::to_string(number));
    support::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0644));
    EXPECT_EQ(::flock(file.get(), LOCK_EX | LOCK_NB), 0);
    return file;
  };
  support::UniqueFd first = hold(0);
  bool waited = false;
  host_.onCall([&](const Call& call) {
    if (call.name != "progress" || waited) return;
    waited = true;
    first = {};  // the other conversion is over
  });
  const Attempt done = make("mobi");
  ASSERT_TRUE(done.succeeded()) << cause(done);
  EXPECT_TRUE(waited);
  EXPECT_EQ(done.progress.front().note, "waiting for other conversions");

  first = hold(0);
  host_.onCall({});
  const Attempt busy = make("mobi");
  EXPECT_TRUE(busy.handedBack()) << "it does not keep its runner";
  EXPECT_GE(busy.retry_after_ms, 5000);
  EXPECT_EQ(busy.error_message, "waiting for other conversions");
  EXPECT_TRUE(busy.spawns.empty());
  first = {};
  EXPECT_TRUE(host_.runAgain().succeeded());

  first = hold(0);
  host_.onCall([&](const Call& call) {
    if (call.name == "progress") host_.cancel();
  });
  EXPECT_EQ(make("mobi").code, JH_E_CANCELLED);
  host_.onCall({});
  EXPECT_TRUE(make("txt").succeeded()) << "what we write ourselves does not wait";

  shelf_.configure({{"max_conversions", 2}});
  EXPECT_TRUE(make("mobi").succeeded()) << "a second turn is free";
}

TEST_F(Conversions, ByAService) {
  shelf_.configure({{"converter_url", "http://converter.test:8000/"}});
  Fetch seen;
  host_.onFetch([&](const Fetch& asked) {
    seen = asked;
    return FetchEnd::ok("azw3 bytes", "application/octet-stream");
  });
  const Attempt done = make("azw3");
  ASSERT_TRUE(done.succeeded()) << cause(done);
  EXPECT_EQ(readFile(shelf_.artifactPath("The Example.azw3")), "azw3 bytes");
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.url, "http://converter.test:8000/convert");
  EXPECT_NE(seen.body.find(readFile(shelf_.artifactPath("The Example.epub"))), std::string::npos);
  EXPECT_NE(seen.body.find("name=\"output_format\"\r\n\r\nazw3\r\n"), std::string::npos);
  EXPECT_TRUE(done.spawns.empty());
}

TEST_F(Conversions, ByAServiceThatRefuses) {
  shelf_.configure({{"converter_url", "http://converter.test:8000"}});
  struct Case {
    FetchEnd end;
    const char *code, *cause;
    std::int32_t error_class;
  };
  const Case cases[] = {
      {FetchEnd::answered(503), "artifact.converter_busy", "the converter answered 503 for pdf", JH_CLASS_TRANSIENT},
      {FetchEnd::answered(400, R"({"detail":"bad epub"})"), "artifact.conversion",
       "the converter answered 400 for pdf: bad epub", JH_CLASS_BAD_INPUT},
      {FetchEnd::ok(""), "artifact.conversion", "the converter answered with an empty file", JH_CLASS_BAD_INPUT},
  };
  for (const Case& one : cases) {
    host_.onFetch([&](const Fetch&) { return one.end; });
    const Attempt done = make("pdf");
    EXPECT_EQ(done.error_message, "Failed running ebook-convert");
    EXPECT_EQ(done.error_code, one.code);
    EXPECT_EQ(cause(done), one.cause);
    EXPECT_EQ(done.error_class, one.error_class);
  }
  host_.onFetch([](const Fetch&) { return FetchEnd::timeout(); });
  const Attempt done = make("pdf");
  EXPECT_EQ(done.error_message, "Failed to make artifact");
  EXPECT_EQ(done.error_code, "http.timeout");
}

TEST_F(Conversions, ByAServiceAreRefusedBeyondWhatCanBeSent) {
  shelf_.configure({{"converter_url", "http://converter.test:8000"}});
  writeFile(shelf_.artifactPath("The Example.epub"), std::string(17 << 20, 'x'));
  const Attempt done = make("pdf");
  EXPECT_EQ(done.error_code, "artifact.upload_too_large");
  EXPECT_NE(cause(done).find("larger than"), std::string::npos);
  EXPECT_TRUE(done.fetches.empty());
}

// Batches.

TEST_F(ArtifactPlugin, BatchMakesAJobForEachFormat) {
  host_.setInfo("priority", 2);
  const Attempt done = batch(Json::array({"pdf", "json", "epub", "mobi", "json"}));
  ASSERT_TRUE(done.succeeded()) << cause(done);
  EXPECT_EQ(formatsOf(done), (Words{"epub", "pdf", "json", "mobi"}));
  const std::int64_t epub = done.children.front().id;
  for (const auto& child : done.children) {
    const std::string format(child.params["format"].stringOr(""));
    const bool converted = format == "pdf" || format == "mobi";
    EXPECT_EQ(child.type, "artifact");
    EXPECT_EQ(child.params.dump(),
              R"({"novel_id":")" + novel_ + R"(","format":")" + format + R"(","novel_title":"The Example"})");
    EXPECT_EQ(child.options["dedupe_key"].stringOr(""), format);
    EXPECT_EQ(child.options["max_attempts"].intOr(0), 1);
    EXPECT_EQ(child.options["after"].at(0).intOr(0), converted ? epub : 0) << format;
    EXPECT_EQ(child.options["queue_key"].stringOr(""), converted ? "artifact-conversions-0" : "") << format;
  }
  EXPECT_EQ(host_.keys().at("epub-of/1001"), std::to_string(epub));
  EXPECT_EQ(host_.runAgain().children.size(), 4u) << "children that are there are not made twice";
}

TEST_F(ArtifactPlugin, BatchAddsTheEpubThatOthersNeed) {
  const Attempt done = batch(Json::array({"mobi"}));
  EXPECT_EQ(formatsOf(done), (Words{"epub", "mobi"}));
  EXPECT_EQ(done.children.back().options["queue_key"].stringOr("none"), "none") << "its owner's queue is its queue";
  EXPECT_EQ(formatsOf(batch(Json::array({"txt"}))), Words{"txt"});
  EXPECT_TRUE(batch(Json::array()).succeeded());
}

TEST_F(ArtifactPlugin, BatchSpreadsConversionsOverTheTurns) {
  host_.setInfo("priority", 1);
  shelf_.configure({{"max_conversions", 2}});
  const Attempt done = batch(Json::array({"pdf", "mobi", "fb2"}));
  Words queues;
  for (const auto& child : done.children) queues.emplace_back(child.options["queue_key"].stringOr(""));
  EXPECT_EQ(queues, (Words{"", "artifact-conversions-1", "artifact-conversions-0", "artifact-conversions-1"}));
}

TEST_F(ArtifactPlugin, BatchThatFailsLeavesItsChildrenToTheHost) {
  host_.failCall("children.submit", 3, JH_E_LIMIT, "too many jobs");
  Attempt done = batch(Json::array({"pdf", "mobi"}));
  EXPECT_EQ(done.code, JH_E_FAILED);
  EXPECT_EQ(done.error_message, "Failed to create requests");
  EXPECT_NE(cause(done).find("too many jobs"), std::string::npos);
  ASSERT_EQ(done.children.size(), 2u);
  for (const auto& child : done.children) EXPECT_FALSE(child.canceled) << child.params.dump();

  host_.failCall("children.submit", 1, JH_E_LIMIT, "too many jobs");
  EXPECT_EQ(batch(Json::array({"pdf"})).error_message, "Failed to create epub request");
  EXPECT_EQ(host_.run("artifact_batch", {{"formats", Json::array({"pdf"})}}).error_message, "No novel id");
  done = batch(Json::array({"epub", "exe"}));
  EXPECT_EQ(done.error_message, "Failed to create requests");
  EXPECT_EQ(cause(done), "Invalid format: exe");
  EXPECT_TRUE(done.children.empty());
}

// 5000 chapters and 2000 pictures of 100 KiB from records and files, in a process of its own with its test host.
TEST(ArtifactMemory, StaysBelow200MiBForALargeNovel) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(
      ::popen(JOBHOST_BIN_DIR "/artifact_job_bench epub 5000 2000", "r"), &::pclose);
  ASSERT_TRUE(pipe);
  std::string text(4096, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), pipe.get()));
  const Json told = Json::parse(text);
  EXPECT_EQ(told["chapters"].intOr(0), 5000);
  EXPECT_EQ(told["images"].intOr(0), 2000);
  if (!core::kSanitized) {
    EXPECT_LT(told["peak_bytes"].intOr(INT64_MAX), 200 << 20);
  }
}

}  // namespace
}  // namespace jobhost::artifact
