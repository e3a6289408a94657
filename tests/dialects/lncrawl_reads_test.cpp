// The lncrawl surface's routes that read what was fetched and made (contracts/lncrawl.md 2).
#include <algorithm>
#include <future>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "api/encoding.hpp"
#include "api/json_reader.hpp"
#include "api/lncrawl/formats.hpp"
#include "dialects/lncrawl_shelves.hpp"

namespace jobhost::test {
namespace {

class LncrawlReads : public LncrawlShelves {};

TEST_F(LncrawlReads, Acceptance03ANovelReadsAsTheContractSpellsIt) {
  fillNovel();
  const auto now = std::to_string(core::toMicros(host_.clock().now()) / 1000);
  const auto head = [&](const std::string& id, const std::string& extra) {
    return R"({"id":")" + id + R"(","created_at":)" + now + R"(,"updated_at":)" + now + R"(,"extra":)" + extra + ",";
  };
  const auto novel = head(kNovel, R"({"crawler_version":7})") +
                     R"("domain":"n.example","url":"https://n.example/book/First","title":"First","authors":"A, B",)"
                     R"("synopsis":null,"tags":["x"],"cover_url":null,"mtl":false,"rtl":true,"manga":false,)"
                     R"("language":"en","volume_count":1,"chapter_count":3,"cover_file":"novels/)" +
                     kNovel + R"(/cover.jpg","cover_available":true})";
  EXPECT_EQ(get("/api/novel/" + kNovel).body, novel);
  EXPECT_EQ(get("/api/novels").body, R"({"total":1,"offset":0,"limit":20,"items":[)" + novel + "]}");
  const auto volume =
      head(kVolume, "{}") + R"("novel_id":")" + kNovel + R"(","serial":1,"title":"Volume 1","chapter_count":3})";
  EXPECT_EQ(get("/api/volume/" + kVolume).body, volume);
  EXPECT_EQ(get("/api/novel/" + kNovel + "/volumes").body, "[" + volume + "]");
  const auto chapter = [&](int serial, const std::string& available) {
    const auto number = std::to_string(serial);
    return head(chapterId(serial), R"({"crawler_version":7})") + R"("novel_id":")" + kNovel + R"(","serial":)" +
           number + R"(,"volume_id":")" + kVolume + R"(","url":"https://n.example/)" + number +
           R"(","title":"Chapter )" + number + R"(","is_done":true,"content_file":"novels/)" + kNovel + "/chapters/" +
           chapterId(serial) + R"(.zst","is_available":)" + available + "}";
  };
  EXPECT_EQ(get("/api/chapter/" + chapterId(1)).body, chapter(1, "true"));
  EXPECT_EQ(get("/api/chapter/" + chapterId(2)).body, chapter(2, "false"));
  const auto all = chapter(1, "true") + "," + chapter(2, "false") + "," + chapter(3, "true");
  const auto list = R"({"total":3,"offset":0,"limit":20,"items":[)" + all + "]}";
  EXPECT_EQ(get("/api/novel/" + kNovel + "/chapters").body, list);
  EXPECT_EQ(get("/api/volume/" + kVolume + "/chapters").body, list);
  EXPECT_EQ(get("/api/volume/" + kVolume + "/chapters?offset=1&limit=1").body,
            R"({"total":3,"offset":1,"limit":1,"items":[)" + chapter(2, "false") + "]}");
  const auto read = get("/api/chapter/" + chapterId(1) + "/read");
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.body, R"({"novel":)" + novel + R"(,"chapter":)" + chapter(1, "true") +
                           R"(,"content":"<p>\"one\" é</p>","next_id":")" + chapterId(2) + R"(","previous_id":null})");
}

TEST_F(LncrawlReads, UnknownIdsAreSaidByName) {
  shelves_.flush();
  const std::map<std::string, std::string> cases{{"/api/novel/x", "No such novel"},
                                                 {"/api/novel/x/volumes", "No such novel"},
                                                 {"/api/novel/x/chapters", "No such novel"},
                                                 {"/api/novel/x/artifacts", "No such novel"},
                                                 {"/api/volume/x", "No such volume"},
                                                 {"/api/volume/x/chapters", "No such volume"},
                                                 {"/api/chapter/x", "No such chapter"},
                                                 {"/api/chapter/x/read", "No such chapter"},
                                                 {"/api/chapter/x/images", "No such chapter"},
                                                 {"/api/artifact/x", "No such artifact"},
                                                 {"/api/library/x", "No such library"},
                                                 {"/api/library/x/novels", "No such library"},
                                                 {"/api/feedback/x", "No such feedback"}};
  for (const auto& [path, message] : cases) {
    const auto answer = get(path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.body, R"({"error":")" + message + R"(","detail":null})") << path;
    EXPECT_EQ(host_.bare("GET", path).status, 401) << path;
  }
  EXPECT_EQ(get("/api/chapter/" + std::string(600, 'x')).status, 404);
}

TEST_F(LncrawlReads, WithoutThePluginsListsAreEmpty) {
  ApiHost host(options(folder_ / "none"));
  host.addUser("reader");
  const auto login = host.bare("POST", "/api/auth/login", R"({"email":"reader","password":"correct horse reader"})");
  const auto header = "Authorization: Bearer " + memberOf(login.body, "token") + "\r\n";
  for (const char* path : {"/api/novels", "/api/novels?search=a", "/api/artifacts", "/api/artifacts?format=epub",
                           "/api/artifacts?format=epub&user_id=u"}) {
    const auto answer = host.bare("GET", path, {}, header);
    EXPECT_EQ(answer.body, R"({"total":0,"offset":0,"limit":20,"items":[]})") << path;
  }
  for (const char* path : {"/api/novel/sources", "/api/meta/supported-sources", "/api/announcement/active"}) {
    EXPECT_EQ(host.bare("GET", path, {}, header).body, "[]") << path;
  }
  EXPECT_EQ(host.bare("GET", "/api/novel/" + kNovel, {}, header).status, 404);
  EXPECT_EQ(host.bare("GET", "/api/read-history/by-novel?novel_id=x", {}, header).body, "{}");
}

TEST_F(LncrawlReads, NovelsAreFoundByTitleAndAddressNewestFirst) {
  shelves_.novel("n1", "Alpha", "one.example", 10);
  shelves_.novel("n2", "Beta \xC3\x84rger", "two.example", 30);
  shelves_.novel("n3", "Alphabet", "two.example", 20);
  shelves_.flush();
  EXPECT_EQ(each(get("/api/novels").body, "id"), (Texts{"n2", "n3", "n1"}));
  EXPECT_EQ(each(get("/api/novels?search=ALPHA").body, "id"), (Texts{"n3", "n1"}));
  EXPECT_EQ(each(get("/api/novels?search=%C3%A4rg").body, "id"), (Texts{"n2"}));
  EXPECT_EQ(each(get("/api/novels?domain=Two.").body, "id"), (Texts{"n2", "n3"}));
  EXPECT_EQ(each(get("/api/novels?search=alpha&domain=two").body, "id"), (Texts{"n3"}));
  EXPECT_EQ(each(get("/api/novels?search=&domain=").body, "id").size(), 3U);
  const auto page = get("/api/novels?search=alpha&offset=1&limit=1").body;
  EXPECT_EQ(headOf(page), R"({"total":2,"offset":1,"limit":1)");
  EXPECT_EQ(each(page, "id"), (Texts{"n1"}));
  EXPECT_EQ(headOf(get("/api/novels?search=%25").body), R"({"total":0,"offset":0,"limit":20)") << "no pattern";
}

TEST_F(LncrawlReads, Acceptance02BadParametersAreNamed) {
  fillNovel();
  const auto long_text = std::string(600, 'x');
  const Texts targets{"/api/novels?limit=101",
                      "/api/novels?limit=x",
                      "/api/novels?offset=-1",
                      "/api/novels?search=" + long_text,
                      "/api/novel/" + kNovel + "/chapters?limit=101",
                      "/api/volume/" + kVolume + "/chapters?limit=-1",
                      "/api/chapter/" + chapterId(1) + "/images?available_only=2",
                      "/api/artifacts?limit=1000",
                      "/api/artifacts?format=" + long_text,
                      "/api/library/my?limit=101",
                      "/api/library/public?offset=-1",
                      "/api/library/my?query=" + long_text,
                      "/api/feedbacks?limit=x",
                      "/api/read-history/by-novel"};
  for (const auto& target : targets) {
    const auto answer = get(target);
    EXPECT_EQ(answer.status, 422) << target;
    EXPECT_NE(answer.body.find(R"("loc":["query",")"), std::string::npos) << answer.body;
  }
}

TEST_F(LncrawlReads, ALongNovelPagesFromEitherEnd) {
  constexpr int kChapters = 30'000;
  shelves_.novel(kNovel, "Long", "n.example", 10);
  for (int serial = 1; serial <= kChapters; ++serial) shelves_.chapter(kNovel, kVolume, serial, chapterId(serial));
  shelves_.flush();
  for (const int offset : {0, 1, 999, 14'999, 15'000, 15'001, 29'990, 29'999}) {
    const auto body = get("/api/novel/" + kNovel + "/chapters?limit=3&offset=" + std::to_string(offset)).body;
    Texts wanted;
    for (int at = offset; at < std::min(offset + 3, kChapters); ++at) wanted.push_back(chapterId(at + 1));
    EXPECT_EQ(each(body, "id"), wanted) << offset;
    EXPECT_EQ(headOf(body), R"({"total":30000,"offset":)" + std::to_string(offset) + R"(,"limit":3)");
  }
  for (const char* offset : {"30000", "9223372036854775807"}) {
    const auto body = get("/api/novel/" + kNovel + "/chapters?offset=" + offset).body;
    EXPECT_TRUE(each(body, "id").empty()) << offset;
  }
}

TEST_F(LncrawlReads, ReadingAChapterMarksItForTheReaderAlone) {
  fillNovel();
  const auto history = "/api/read-history/by-novel?novel_id=" + kNovel;
  EXPECT_EQ(get(history).body, "{}");
  const auto missing = get("/api/chapter/" + chapterId(2) + "/read").body;
  EXPECT_NE(missing.find(R"("content":null,"next_id":")" + chapterId(3) + R"(","previous_id":")" + chapterId(1)),
            std::string::npos)
      << missing;
  const auto last = get("/api/chapter/" + chapterId(3) + "/read").body;
  EXPECT_NE(last.find(R"("next_id":null,"previous_id":")" + chapterId(2)), std::string::npos) << last;
  get("/api/chapter/" + chapterId(3) + "/read");
  EXPECT_EQ(get(history).body, R"({")" + chapterId(2) + R"(":true,")" + chapterId(3) + R"(":true})");
  EXPECT_EQ(asAdmin("GET", history).body, "{}");
  EXPECT_EQ(get("/api/read-history/by-novel?novel_id=" + kOther).body, "{}");
}

TEST_F(LncrawlReads, AChapterThatIsNoLongerListedIsNoLongerRead) {
  fillNovel();
  for (int serial : {1, 3}) get("/api/chapter/" + chapterId(serial) + "/read");
  ASSERT_TRUE(lncrawl::writeNow(host_.store(), {lncrawl::writeOf(lncrawl::kChapters, chapterId(3))}));
  EXPECT_EQ(get("/api/read-history/by-novel?novel_id=" + kNovel).body, R"({")" + chapterId(1) + R"(":true})");
}

TEST_F(LncrawlReads, AChapterWhoseFileIsDamagedReadsAsNotThere) {
  fillNovel();
  const auto path = files() / lncrawl::chapterPath(kNovel, chapterId(1));
  for (const auto& bytes : {std::string("no zstd"), packed("<p>one</p>").substr(0, 10), std::string()}) {
    write(path, bytes);
    const auto answer = get("/api/chapter/" + chapterId(1) + "/read");
    EXPECT_EQ(answer.status, 200);
    EXPECT_NE(answer.body.find(R"("content":null)"), std::string::npos) << answer.body;
  }
}

TEST(LncrawlChapters, AreUnpackedWithinBounds) {
  const std::string text(3'000'000, 'a');
  EXPECT_EQ(*lncrawl::unpackZstd(packed(text), 3'000'000), text);
  EXPECT_EQ(*lncrawl::unpackZstd(packed("one ") + packed("two"), 100), "one two") << "frames follow each other";
  EXPECT_EQ(*lncrawl::unpackZstd(packed(""), 100), "");
  const auto bomb = lncrawl::unpackZstd(packed(text), 2'999'999);
  ASSERT_FALSE(bomb);
  EXPECT_EQ(bomb.error().code, core::ErrorCode::TooLarge);
  const auto whole = packed("a text of some length, a text of some length");
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    EXPECT_FALSE(lncrawl::unpackZstd(whole.substr(0, cut), 1000)) << cut;
  }
  EXPECT_FALSE(lncrawl::unpackZstd(whole + "x", 1000));
}

TEST_F(LncrawlReads, ImagesOfAChapterAreListedInOrder) {
  fillNovel();
  for (int i = 3; i >= 1; --i) {
    shelves_.put(lncrawl::kImages, std::string(31, 'a') + std::to_string(i),
                 R"({"novel_id":")" + kNovel + R"(","chapter_id":")" + chapterId(1) +
                     R"(","url":"https://n.example/i.png","is_done":false,"crawler_version":7})",
                 chapterId(1), i);
  }
  shelves_.flush();
  const auto second = std::string(31, 'a') + "2";
  write(files() / lncrawl::imagePath(kNovel, second), "jpeg");
  const auto all = get("/api/chapter/" + chapterId(1) + "/images").body;
  EXPECT_EQ(each(all, "id"), (Texts{std::string(31, 'a') + "1", second, std::string(31, 'a') + "3"}));
  const auto now = std::to_string(core::toMicros(host_.clock().now()) / 1000);
  EXPECT_EQ(get("/api/chapter/" + chapterId(1) + "/images?available_only=true").body,
            R"([{"id":")" + second + R"(","created_at":)" + now + R"(,"updated_at":)" + now +
                R"(,"extra":{"crawler_version":7},"novel_id":")" + kNovel + R"(","chapter_id":")" + chapterId(1) +
                R"(","url":"https://n.example/i.png","is_done":false,"image_file":"novels/)" + kNovel + "/images/" +
                second + R"(.jpg","is_available":true}])");
}

TEST_F(LncrawlReads, ArtifactsAreFilteredAndCounted) {
  fillNovel();
  const auto job = host_.submit();
  shelves_.artifact("a1", kNovel, job, user_, "epub", "First.epub", 1);
  shelves_.artifact("a2", kNovel, job, user_, "json", "First.json.zip", 2);
  shelves_.artifact("a3", kNovel, 999'999, "somebody", "epub", "First.epub", 3);
  shelves_.artifact("a4", kOther, 999'999, "somebody", "epub", "Other.epub", 4);
  shelves_.flush();
  write(files() / lncrawl::artifactPath(kNovel, "First.epub"), "epub");
  const auto ids = [&](const std::string& query) { return each(get("/api/artifacts" + query).body, "id"); };
  EXPECT_EQ(ids(""), (Texts{"a4", "a3", "a2", "a1"}));
  EXPECT_EQ(ids("?novel_id=" + kNovel), (Texts{"a3", "a2", "a1"}));
  EXPECT_EQ(ids("?format=epub"), (Texts{"a4", "a3", "a1"}));
  EXPECT_EQ(ids("?user_id=" + user_), (Texts{"a2", "a1"}));
  EXPECT_EQ(ids("?novel_id=" + kNovel + "&format=epub"), (Texts{"a3", "a1"}));
  EXPECT_EQ(ids("?novel_id=" + kNovel + "&format=epub&user_id=" + user_), (Texts{"a1"}));
  EXPECT_EQ(headOf(get("/api/artifacts?novel_id=" + kNovel + "&format=epub&limit=1").body),
            R"({"total":2,"offset":0,"limit":1)")
      << "matches are counted, not all";
  EXPECT_EQ(ids("?job_id=no-such-id"), Texts{});
  const auto first = get("/api/artifact/a1").body;
  const auto job_id = memberOf(first, "job_id");
  EXPECT_EQ(job_id.size(), 36U) << "as this surface spells a job's number";
  EXPECT_EQ(ids("?job_id=" + job_id), (Texts{"a2", "a1"}));
  EXPECT_EQ(ids("?format=json&job_id=" + job_id), (Texts{"a2"}));
  const auto now = std::to_string(core::toMicros(host_.clock().now()) / 1000);
  EXPECT_EQ(get("/api/artifact/a3").body,
            R"({"id":"a3","created_at":)" + now + R"(,"updated_at":)" + now + R"(,"extra":{},"novel_id":")" + kNovel +
                R"(","job_id":null,"user_id":"somebody","format":"epub","file_name":"First.epub","file_size":12,)"
                R"("output_file":"novels/)" +
                kNovel + R"(/artifacts/First.epub","is_available":true})")
      << "its job is gone";
  EXPECT_EQ(each(get("/api/novel/" + kNovel + "/artifacts").body, "id"), (Texts{"a3", "a2"}))
      << "the latest of each format, by format";
}

TEST_F(LncrawlReads, FormatsGoByTheTier) {
  EXPECT_EQ(get("/api/artifact/enabled-formats").body, R"(["epub","json"])");
  host_.addUser("vip");
  const auto found = host_.accounts().findByName("vip");
  ASSERT_TRUE(found);
  const auto set = [&](int tier) {
    api::UserChange change;
    change.tier = tier;
    ASSERT_TRUE(host_.accounts().change(found->id, change, api::Actor{}));
    token_ = logIn("vip");
  };
  set(1);
  EXPECT_EQ(get("/api/artifact/enabled-formats").body,
            R"(["azw3","docx","epub","fb2","json","lit","mobi","pdb","tcr","txt"])");
  set(2);
  EXPECT_EQ(get("/api/artifact/enabled-formats").body,
            R"(["azw3","docx","epub","fb2","json","lit","lrf","mobi","pdb","pdf","rb","rtf","tcr","txt"])");
}

TEST_F(LncrawlReads, SourcesCountTheirNovelsAndAreKeptByTheirTag) {
  shelves_.novel("n1", "Alpha", "one.example", 10);
  shelves_.novel("n2", "Beta", "one.example", 10);
  shelves_.put(lncrawl::kSources, "one.example",
               R"({"url":"https://one.example/","domain":"one.example","version":3,"has_manga":false,"has_mtl":true,)"
               R"("language":"en","is_disabled":true,"disable_reason":"gone","can_search":true,"can_login":false,)"
               R"("total_commits":4,"contributors":["x"]})");
  shelves_.put(lncrawl::kSources, "two.example", R"({"domain":"two.example","contributors":7})");
  shelves_.flush();
  const std::string wanted =
      R"([{"url":"https://one.example/","domain":"one.example","version":3,"has_manga":false,"has_mtl":true,)"
      R"("language":"en","is_disabled":true,"disable_reason":"gone","can_search":true,"can_login":false,)"
      R"("total_commits":4,"contributors":["x"],"total_novels":2},)"
      R"({"url":"","domain":"two.example","version":0,"has_manga":false,"has_mtl":false,"language":"",)"
      R"("is_disabled":false,"disable_reason":null,"can_search":false,"can_login":false,"total_commits":0,)"
      R"("contributors":[],"total_novels":0}])";
  EXPECT_EQ(get("/api/novel/sources").body, wanted);
  const auto all = get("/api/meta/supported-sources");
  EXPECT_EQ(all.body, wanted);
  EXPECT_EQ(all.headers.at("cache-control"), "private, max-age=14400");
  const auto tag = all.headers.at("etag");
  EXPECT_EQ(get("/api/meta/supported-sources", "If-None-Match: " + tag + "\r\n").status, 304);
  shelves_.novel("n3", "Gamma", "two.example", 10);
  shelves_.flush();
  EXPECT_EQ(get("/api/meta/supported-sources", "If-None-Match: " + tag + "\r\n").status, 200);
}

TEST_F(LncrawlReads, PagesOfTheClientHaveWhatTheyAskFor) {
  EXPECT_EQ(host_.bare("GET", "/api/announcement/active").body, "[]");
  EXPECT_EQ(host_.bare("GET", "/api/meta/favicon?url=https://n.example/").status, 404);
  EXPECT_EQ(get("/api/user/" + user_).status, 403);
  EXPECT_EQ(get("/api/admin/configs").status, 403);
  EXPECT_EQ(memberOf(asAdmin("GET", "/api/user/" + user_).body, "email"), "reader");
  EXPECT_EQ(asAdmin("GET", "/api/user/nobody").body, R"({"error":"No such user","detail":null})");
  EXPECT_EQ(asAdmin("GET", "/api/admin/configs").body.find(R"([{"key":)"), 0U);
}

TEST_F(LncrawlReads, ANovelIsRemovedByAnAdminWithAllThatIsBelow) {
  fillNovel();
  shelves_.novel(kOther, "Other", "n.example", 11);
  shelves_.chapter(kOther, "v", 1, "other-chapter");
  shelves_.put(lncrawl::kImages, std::string(32, 'a'), R"({"novel_id":")" + kNovel + R"(","chapter_id":"x"})", "x", 1);
  shelves_.artifact("a1", kNovel, 1, user_, "epub", "First.epub", 1);
  for (int serial = 4; serial < 1300; ++serial) shelves_.chapter(kNovel, kVolume, serial, chapterId(serial));
  shelves_.flush();
  write(files() / lncrawl::artifactPath(kNovel, "First.epub"), "epub");
  write(files() / lncrawl::coverPath(kOther), "cover");
  get("/api/chapter/" + chapterId(1) + "/read");
  EXPECT_EQ(host_.bare("DELETE", "/api/novel/" + kNovel, {}, "Authorization: Bearer " + token_ + "\r\n").status, 403);
  EXPECT_EQ(get("/api/novel/" + kNovel).status, 200);
  const auto removed = asAdmin("DELETE", "/api/novel/" + kNovel);
  EXPECT_EQ(removed.status, 200);
  EXPECT_EQ(removed.body, "true");
  EXPECT_EQ(asAdmin("DELETE", "/api/novel/" + kNovel).status, 404);
  EXPECT_FALSE(fs::exists(files() / "novels" / kNovel));
  EXPECT_TRUE(fs::exists(files() / lncrawl::coverPath(kOther)));
  for (const auto& [shelf, left] : {std::pair{lncrawl::kNovels, 1},
                                    {lncrawl::kVolumes, 0},
                                    {lncrawl::kChapters, 1},
                                    {lncrawl::kImages, 0},
                                    {lncrawl::kArtifacts, 0},
                                    {lncrawl::kReadMarks, 0}}) {
    EXPECT_EQ(*host_.store().countRecords(shelf.all()), left) << shelf.collection;
  }
}

TEST_F(LncrawlReads, ANovelThatIsRemovedTakesItsJobsAlong) {
  fillNovel();
  shelves_.novel(kOther, "Other", "n.example", 11);
  shelves_.flush();
  for (const char* type : {"chapter", "full_novel", "artifact"}) host_.addType(type, {});
  const auto of = [](const std::string& id) { return R"({"novel_id":")" + id + R"(","format":"epub"})"; };
  const auto root = host_.submit("full_novel", R"({"url":"https://n.example/book/1"})");  // says it in a note
  const auto learns = host_.start(root);
  host_.note(learns, "novel_id", "\"" + kNovel + "\"");
  const auto waits = host_.submit("artifact", of(kNovel));
  const auto others = host_.submit("artifact", of(kOther));
  auto removed = std::async(std::launch::async, [&] { return asAdmin("DELETE", "/api/novel/" + kNovel); });
  // The attempt hears of it, and puts a file there before it ends.
  while (!host_.store().get({root})->cancel_requested) std::this_thread::yield();
  write(files() / lncrawl::artifactPath(kNovel, "Late.epub"), "late");
  host_.settle(learns, store::OutcomeKind::Canceled, "");
  EXPECT_EQ(removed.get().body, "true");
  EXPECT_EQ(host_.store().get({waits})->state, core::JobState::Canceled);
  EXPECT_EQ(host_.store().get({waits})->error->message, "Canceled, as its novel was deleted");
  EXPECT_EQ(host_.store().get({root})->state, core::JobState::Canceled);
  EXPECT_EQ(host_.store().get({others})->state, core::JobState::Queued);
  EXPECT_FALSE(fs::exists(files() / "novels" / kNovel));
}

}  // namespace
}  // namespace jobhost::test
