// The lncrawl surface's routes that read what was fetched and made (contracts/lncrawl.md 2).
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "api/encoding.hpp"
#include "api/json_reader.hpp"
#include "api/lncrawl/collections.hpp"
#include "api/lncrawl/formats.hpp"
#include "api/lncrawl/library_files.hpp"
#include "api/lncrawl/record_slice.hpp"
#include "dialects/api_host.hpp"
#include "store/record_value.hpp"

namespace jobhost::test {
namespace {

namespace fs = std::filesystem;
namespace lncrawl = api::lncrawl;

using Texts = std::vector<std::string>;

const std::string kNovel = "0d6f2a52-8a5e-4f43-a9a5-0b7f0f7a2c10";
const std::string kOther = "1d6f2a52-8a5e-4f43-a9a5-0b7f0f7a2c11";
const std::string kVolume = "2d6f2a52-8a5e-4f43-a9a5-0b7f0f7a2c12";

std::string packed(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  const auto size = ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3);
  EXPECT_FALSE(ZSTD_isError(size));
  out.resize(size);
  return out;
}

fs::path makeFolder() {
  auto pattern = (fs::temp_directory_path() / "jobhost-lncrawl-XXXXXX").string();
  return ::mkdtemp(pattern.data());
}

void write(const fs::path& file, const std::string& bytes) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
}

std::string chapterId(int serial) {
  auto digits = std::to_string(serial);
  digits.insert(0, 12 - digits.size(), '0');
  return "c0000000-0000-4000-8000-" + digits;
}

/// Puts records as the plugins do.
class Shelves {
 public:
  explicit Shelves(store::RecordStore& store) : store_(store) {
    EXPECT_TRUE(store_.declareCollections("org.jobhost.fetch-novel", {{"novels", {"url", "domain"}},
                                                                      {"volumes", {}},
                                                                      {"chapters", {"volume_id", "url"}},
                                                                      {"images", {"novel_id"}},
                                                                      {"sources", {}}}));
    EXPECT_TRUE(store_.declareCollections("org.jobhost.artifact",
                                          {{"artifacts", {"novel_id", "job_id", "user_id", "format"}}}));
    for (;;) {
      const auto more = store_.reindex(1000);
      if (!more || !*more) break;
    }
  }
  void put(const lncrawl::Shelf& shelf, const std::string& key, const std::string& body, const std::string& parent = {},
           std::int64_t sort = 0) {
    store::RecordWrite write;
    write.at = shelf.at(key);
    write.body = body;
    write.parent = parent;
    write.sort = *store::orderKey(std::to_string(sort));
    waiting_.push_back(std::move(write));
    if (waiting_.size() == 1000) flush();
  }
  void flush() {
    if (waiting_.empty()) return;
    const auto written = lncrawl::writeNow(store_, std::move(waiting_));
    EXPECT_TRUE(written) << (written ? "" : written.error().message);
    waiting_.clear();
  }

  void novel(const std::string& id, const std::string& title, const std::string& domain, std::int64_t updated) {
    put(lncrawl::kNovels, id,
        R"({"url":"https://)" + domain + "/book/" + title + R"(","domain":")" + domain + R"(","title":")" + title +
            R"(","authors":"A, B","synopsis":null,"tags":["x"],"cover_url":null,"mtl":false,"rtl":true,"manga":false,)"
            R"("language":"en","volume_count":1,"chapter_count":3,"crawler_version":7})",
        "novels", updated);
  }
  void chapter(const std::string& novel, const std::string& volume, int serial, const std::string& id) {
    put(lncrawl::kChapters, id,
        R"({"novel_id":")" + novel + R"(","volume_id":")" + volume + R"(","serial":)" + std::to_string(serial) +
            R"(,"url":"https://n.example/)" + std::to_string(serial) + R"(","title":"Chapter )" +
            std::to_string(serial) + R"(","is_done":true,"crawler_version":7})",
        novel, serial);
  }
  void artifact(const std::string& id, const std::string& novel, std::int64_t job, const std::string& user,
                const std::string& format, const std::string& file, std::int64_t created) {
    put(lncrawl::kArtifacts, id,
        R"({"novel_id":")" + novel + R"(","job_id":)" + std::to_string(job) + R"(,"user_id":")" + user +
            R"(","format":")" + format + R"(","file_name":")" + file + R"(","file_size":12})",
        "artifacts", created);
  }

 private:
  store::RecordStore& store_;
  std::vector<store::RecordWrite> waiting_;
};

class LncrawlReads : public testing::Test {
 protected:
  LncrawlReads() {
    host_.addUser("root", "admin");
    user_ = host_.addUser("reader");
    token_ = logIn("reader");
    admin_ = logIn("root");
  }
  ~LncrawlReads() override { fs::remove_all(folder_); }

  static api::ServerOptions options(const fs::path& folder, bool web = false) {
    api::ServerOptions options;
    options.lncrawl.dir = folder / "files";
    if (web) options.lncrawl.web_dir = folder / "web";
    return options;
  }
  std::string logIn(const std::string& name) {
    const auto answer = host_.bare("POST", "/api/auth/login",
                                   R"({"email":")" + name + R"(","password":"correct horse )" + name + R"("})");
    EXPECT_EQ(answer.status, 200) << answer.body;
    return memberOf(answer.body, "token");
  }
  Answer get(const std::string& target, const std::string& headers = {}) {
    return host_.bare("GET", target, {}, "Authorization: Bearer " + token_ + "\r\n" + headers);
  }
  Answer asAdmin(const std::string& method, const std::string& target) {
    return host_.bare(method, target, {}, "Authorization: Bearer " + admin_ + "\r\n");
  }
  Answer file(const std::string& path, const std::string& headers = {}, const std::string& method = "GET") {
    return host_.bare(method, "/static/" + path + "?token=" + token_, {}, headers);
  }
  /// A novel of one volume and three chapters, of which the second has no file.
  void fillNovel() {
    shelves_.novel(kNovel, "First", "n.example", 10);
    shelves_.put(lncrawl::kVolumes, kVolume,
                 R"({"novel_id":")" + kNovel + R"(","serial":1,"title":"Volume 1","chapter_count":3})", kNovel, 1);
    for (int serial = 1; serial <= 3; ++serial) shelves_.chapter(kNovel, kVolume, serial, chapterId(serial));
    shelves_.flush();
    write(files() / lncrawl::chapterPath(kNovel, chapterId(1)), packed("<p>\"one\" \xC3\xA9</p>"));
    write(files() / lncrawl::chapterPath(kNovel, chapterId(3)), packed("<p>three</p>"));
    write(files() / lncrawl::coverPath(kNovel), "\xFF\xD8\xFF cover");
  }
  [[nodiscard]] fs::path files() const { return folder_ / "files"; }
  /// The values of a text member in the items of a list, in order.
  static std::vector<std::string> each(const std::string& body, const std::string& name) {
    std::vector<std::string> all;
    const std::string mark = "\"" + name + "\":\"";
    for (auto at = body.find(mark); at != std::string::npos; at = body.find(mark, at)) {
      at += mark.size();
      all.push_back(body.substr(at, body.find('"', at) - at));
    }
    return all;
  }
  static std::string headOf(const std::string& list) { return list.substr(0, list.find(",\"items\"")); }

  const fs::path folder_ = makeFolder();
  ApiHost host_{options(folder_)};
  Shelves shelves_{host_.store()};
  std::string user_;
  std::string token_;
  std::string admin_;
};

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

TEST_F(LncrawlReads, WhatIsNotKeptHereIsEmptyOrRefusedInTheDialectsShape) {
  for (const char* path : {"/api/library/my", "/api/library/public", "/api/feedbacks"}) {
    EXPECT_EQ(get(path + std::string("?query=a&offset=3&limit=7")).body,
              R"({"total":0,"offset":3,"limit":7,"items":[]})");
    EXPECT_EQ(host_.bare("GET", path).body, R"({"error":"Unauthorized","detail":null})");
  }
  EXPECT_EQ(get("/api/library/my/list").body, "[]");
  EXPECT_EQ(get("/api/library/all").body, R"({"error":"Forbidden","detail":null})");
  EXPECT_EQ(asAdmin("GET", "/api/library/all").body, R"({"total":0,"offset":0,"limit":20,"items":[]})");
  struct Write {
    std::string method, path, body;
    int status;
    std::string error;
  };
  const Write writes[] = {
      {"POST", "/api/library", R"({"name":"mine","is_public":false})", 403, "Libraries are not kept here"},
      {"PATCH", "/api/library/x", R"({"name":"mine"})", 404, "No such library"},
      {"DELETE", "/api/library/x", "", 404, "No such library"},
      {"PUT", "/api/library/x/novel/" + kNovel, "", 404, "No such library"},
      {"DELETE", "/api/library/x/novels/" + kNovel, "", 404, "No such library"},
      {"POST", "/api/feedback", R"({"type":0,"subject":"s","message":"m"})", 403, "Reports are not kept here"},
      {"PUT", "/api/settings/notifications", R"({"email_alerts":{"10":true}})", 403, "No mail is sent from here"},
  };
  for (const auto& [method, path, body, status, error] : writes) {
    const auto answer = host_.bare(method, path, body, "Authorization: Bearer " + token_ + "\r\n");
    EXPECT_EQ(answer.status, status) << method << " " << path;
    EXPECT_EQ(memberOf(answer.body, "error"), error) << answer.body;
    EXPECT_EQ(host_.bare(method, path, body).status, 401) << method << " " << path;
  }
  for (const char* path : {"/api/library/x/y", "/api/feedback/x/y", "/api/settings/none", "/api/settings"}) {
    EXPECT_EQ(get(path).body, R"({"detail":"Not Found"})") << path << " is not minion's";
  }
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

TEST_F(LncrawlReads, AFileThatCannotBeOpenedIsNoMissingFile) {
  fillNovel();
  const auto cover = lncrawl::coverPath(kNovel);
  ASSERT_EQ(file(cover).status, 200);
  const lncrawl::ConfinedFolder folder(files());
  fs::create_directory_symlink("/", files() / "novels" / "link");
  for (const std::string& name : Texts{"novels/none", "novels/link/etc/passwd", "novels/" + kNovel, cover + "/x",
                                       "novels/" + std::string(300, 'x')}) {
    const auto opened = folder.open(name);
    ASSERT_TRUE(opened) << name << opened.error().detail;
    EXPECT_FALSE(*opened) << name;
  }
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{3, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto opened = folder.open(cover);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, core::ErrorCode::Unavailable);
  // There is no library, only a file in its place.
  fs::remove_all(files());
  EXPECT_EQ(file(cover).status, 404) << "it may come yet";
  write(files(), "no folder");
  testing::internal::CaptureStderr();
  const auto broken = file(cover);
  const auto log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(broken.status, 500);
  EXPECT_EQ(broken.body, R"({"error":"Internal Server Error","detail":null})");
  const std::string line = "request failed status=500 code=internal";
  EXPECT_NE(log.find(line), std::string::npos) << log;
  EXPECT_EQ(log.find(line), log.rfind(line)) << "once: " << log;
}

TEST_F(LncrawlReads, FilesAreForWhoeverHasAToken) {
  fillNovel();
  const auto cover = "/static/" + lncrawl::coverPath(kNovel);
  EXPECT_EQ(host_.bare("GET", cover).body, R"({"error":"Forbidden","detail":null})");
  EXPECT_EQ(host_.bare("GET", cover).status, 403);
  EXPECT_EQ(get(cover).status, 403) << "no header counts here";
  EXPECT_EQ(host_.bare("GET", cover + "?token=nonsense").status, 401);
  const auto none = host_.bare("GET", "/static/novels/x/cover.jpg");
  EXPECT_EQ(none.status, 404) << "before the token is looked at";
  EXPECT_EQ(none.body, R"({"error":"No such file","detail":null})");
  const auto there = file(lncrawl::coverPath(kNovel));
  EXPECT_EQ(there.status, 200);
  EXPECT_EQ(there.body, "\xFF\xD8\xFF cover");
  EXPECT_EQ(there.headers.at("content-type"), "image/jpeg");
  EXPECT_FALSE(there.headers.contains("content-disposition"));
  const auto head = file(lncrawl::coverPath(kNovel), {}, "HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("content-length"), "9");
  api::UserChange change;
  change.disabled = true;
  ASSERT_TRUE(host_.accounts().change(user_, change, api::Actor{}));
  EXPECT_EQ(file(lncrawl::coverPath(kNovel)).status, 401) << "the token ends with its user";
}

TEST_F(LncrawlReads, Acceptance10AnArtifactIsDownloadedInParts) {
  const std::string name = "50% M\xC3\xB6gen \"X\".epub";
  write(files() / lncrawl::artifactPath(kNovel, name), "0123456789");
  const auto path = "novels/" + kNovel + "/artifacts/50%25%20M%C3%B6gen%20%22X%22.epub";
  const auto all = file(path);
  EXPECT_EQ(all.status, 200);
  EXPECT_EQ(all.body, "0123456789");
  EXPECT_EQ(all.headers.at("content-type"), "application/epub+zip");
  const auto disposition = all.headers.at("content-disposition");
  EXPECT_EQ(disposition.find("attachment; filename=\""), 0U) << disposition;
  EXPECT_NE(disposition.find("filename*=UTF-8''50%25%20M%C3%B6gen%20%22X%22.epub"), std::string::npos) << disposition;
  const auto tag = all.headers.at("etag");
  const auto part = file(path, "Range: bytes=2-4\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "234");
  EXPECT_EQ(part.headers.at("content-range"), "bytes 2-4/10");
  EXPECT_EQ(file(path, "Range: bytes=-3\r\n").body, "789");
  EXPECT_EQ(file(path, "Range: bytes=7-\r\nIf-Range: " + tag + "\r\n").body, "789");
  EXPECT_EQ(file(path, "Range: bytes=7-\r\nIf-Range: \"other\"\r\n").body, "0123456789");
  const auto beyond = file(path, "Range: bytes=10-\r\n");
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(beyond.headers.at("content-range"), "bytes */10");
  EXPECT_EQ(file(path, "If-None-Match: " + tag + "\r\n").status, 304);
  EXPECT_EQ(file(path, "If-Modified-Since: " + all.headers.at("last-modified") + "\r\n").status, 304);
}

TEST_F(LncrawlReads, NothingOutsideTheNovelsIsHandedOut) {
  write(folder_ / "secret", "secret");
  write(files() / "tmp" / "half.epub", "half");
  write(files() / "sources.d" / "one.yaml", "spec: 1");
  const auto novel = files() / "novels" / kNovel;
  write(novel / "artifacts" / ".half.epub", "half");
  write(novel / "images" / "x.jpg", "jpeg");
  fs::create_symlink(folder_ / "secret", novel / "artifacts" / "link.epub");
  fs::create_symlink("../images/x.jpg", novel / "artifacts" / "inner.epub");
  fs::create_directory_symlink(folder_, novel / "outside");
  fs::create_directory_symlink("images", novel / "pictures");
  ASSERT_EQ(::mkfifo((novel / "pipe").c_str(), 0600), 0);
  const auto base = "novels/" + kNovel;
  EXPECT_EQ(file(base + "/images/x.jpg").status, 200);
  const Texts paths{base + "/artifacts/link.epub",
                    base + "/artifacts/inner.epub",
                    base + "/outside/secret",
                    base + "/pictures/x.jpg",
                    base + "/artifacts/.half.epub",
                    base + "/images",
                    base + "/images/",
                    base + "/pipe",
                    base + "//images/x.jpg",
                    "tmp/half.epub",
                    "sources.d/one.yaml",
                    "secret",
                    "",
                    "novels",
                    base + "/images/x.jpg/",
                    base + "/images/x.jpg%00",
                    "%2e%2e/secret",
                    base + "/..%2f..%2f..%2fsecret",
                    base + "/%2e%2e/%2e%2e/%2e%2e/secret",
                    "novels/..%2fsources.d/one.yaml",
                    "/etc/passwd",
                    "novels%2f" + kNovel + "%2fartifacts%2flink.epub",
                    "novels/" + std::string(300, 'x') + "/cover.jpg"};
  for (const auto& path : paths) {
    const auto answer = file(path);
    EXPECT_TRUE(answer.status == 404 || answer.status == 400) << path << " " << answer.status;
    EXPECT_EQ(answer.body.find("secret\n"), std::string::npos);
  }
}

TEST_F(LncrawlReads, TheWebClientIsServedWithItsOwnPaths) {
  const auto web = folder_ / "web";
  write(web / "index.html", "<html>client</html>");
  write(web / "sw.js", "// worker");
  write(web / "assets" / "app-1.js", "// app");
  write(folder_ / "secret", "secret");
  fs::create_symlink(folder_ / "secret", web / "link.txt");
  write(web / ".env", "secret");
  ApiHost host(options(folder_, true));
  for (const char* path :
       {"/", "/job/x", "/novel/y?page=2", "/index.html", "/link.txt", "/.env", "/assets/", "/..%2fsecret", "/%00"}) {
    const auto page = host.bare("GET", path);
    EXPECT_EQ(page.status, 200) << path;
    EXPECT_EQ(page.body, "<html>client</html>") << path;
    EXPECT_EQ(page.headers.at("content-type"), "text/html; charset=utf-8");
    EXPECT_EQ(page.headers.at("cache-control"), "no-cache, no-store, must-revalidate") << path;
  }
  const auto script = host.bare("GET", "/assets/app-1.js");
  EXPECT_EQ(script.body, "// app");
  EXPECT_EQ(script.headers.at("content-type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(host.bare("GET", "/assets/app-1.js", {}, "If-None-Match: " + script.headers.at("etag") + "\r\n").status,
            304);
  EXPECT_EQ(host.bare("GET", "/sw.js").headers.at("cache-control"), "no-cache, no-store, must-revalidate");
  EXPECT_EQ(host.bare("HEAD", "/job/x").status, 200);
  EXPECT_EQ(host.bare("POST", "/job/x", "{}").status, 405);
  EXPECT_EQ(host.bare("GET", "/api/nothing").status, 404);
  EXPECT_EQ(host.bare("GET", "/static/nothing").status, 404);
  EXPECT_EQ(host.bare("GET", "/healthz").body.find("<html>"), std::string::npos);
  EXPECT_NE(host_.bare("GET", "/").body, "<html>client</html>") << "no folder, no client";
}

}  // namespace
}  // namespace jobhost::test
