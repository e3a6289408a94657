// The routes beside the Minion API: pictures, uploads, and what queues a job for the library.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "api/auth/secrets.hpp"
#include "api/encoding.hpp"
#include "api/json_reader.hpp"
#include "api/minion/archive_upload.hpp"
#include "api/minion/minion_routes.hpp"
#include "api/minion/openapi.hpp"
#include "dialects/api_host.hpp"
#include "jobs/retention.hpp"
#include "support/archive/archive_names.hpp"

namespace jobhost::test {
namespace {

namespace fs = std::filesystem;
using store::OutcomeKind;

const std::string kArchive = "28697b96f0ac5858be2614ed10ca47742c9522fd";
const std::string kTank = "TANK_1700000001";

class Library : public testing::Test {
 protected:
  Library() {
    host_.addType("thumbnail_task", {"thumbdir", "id", "page"});
    host_.addType("tank_thumbnail_task", {"thumbdir", "id"});
    host_.addType("regen_all_thumbnails", {"thumbdir", "force"});
    host_.addType("handle_upload", {"path", "category"});
    host_.addType("download_url", {"url", "category"});
    host_.addType("run_plugin", {"namespace", "id", "arg"});
  }
  ~Library() override { fs::remove_all(folder_); }

  static api::ServerOptions options(const fs::path& folder) {
    api::ServerOptions options;
    options.minion.thumb_dir = folder / "thumb";
    options.minion.upload_dir = folder / "uploads";
    options.minion.max_open_jobs = 3;
    options.http.upload_bytes = 100'000;
    return options;
  }
  std::string put(const fs::path& path, const std::string& bytes) {
    fs::create_directories((folder_ / "thumb" / path).parent_path());
    std::ofstream(folder_ / "thumb" / path, std::ios::binary) << bytes;
    return bytes;
  }
  [[nodiscard]] std::string key() const { return "Authorization: Bearer " + api::toBase64(host_.adminKey()) + "\r\n"; }
  Answer open(const std::string& method, const std::string& target, const std::string& headers = {}) {
    return host_.bare(method, target, {}, headers);
  }
  Answer keyed(const std::string& method, const std::string& target, const std::string& body = {},
               const std::string& headers = {}) {
    return host_.bare(method, target, body, key() + headers);
  }
  std::string detail(std::int64_t id) { return keyed("GET", "/api/minion/" + std::to_string(id) + "/detail").body; }
  static std::string part(const std::string& head, const std::string& bytes) {
    return "--edge\r\nContent-Disposition: form-data; " + head + "\r\n\r\n" + bytes + "\r\n";
  }
  static std::string filePart(const std::string& name, const std::string& bytes) {
    return part("name=\"file\"; filename=\"" + name + "\"\r\nContent-Type: application/zip", bytes);
  }
  Answer upload(const std::string& parts, const std::string& headers) {
    return host_.bare("POST", "/upload", parts + "--edge--\r\n",
                      headers + "Content-Type: multipart/form-data; boundary=edge\r\n");
  }
  [[nodiscard]] std::vector<fs::path> staged() const {
    std::vector<fs::path> files;
    if (!fs::exists(folder_ / "uploads")) return files;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / "uploads")) files.push_back(entry.path());
    return files;
  }
  static fs::path makeFolder() {
    auto pattern = (fs::temp_directory_path() / "jobhost-library-XXXXXX").string();
    return ::mkdtemp(pattern.data());
  }

  const fs::path folder_ = makeFolder();
  ApiHost host_{options(folder_)};
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::int64_t jobOf(const Answer& answer) {
  const auto at = answer.body.find("\"job\":");
  EXPECT_NE(at, std::string::npos) << answer.body;
  return at == std::string::npos ? 0 : std::atoll(answer.body.c_str() + at + 6);
}

TEST_F(Library, ServesAPictureWithItsTagsAndNotTwice) {
  const auto cover = put("28/" + kArchive + ".jpg", "\xFF\xD8\xFF cover");
  put("28/" + kArchive + "/2.jpg", "\xFF\xD8\xFF page 2");
  const auto path = "/api/archives/" + kArchive + "/thumbnail";
  const auto first = open("GET", path);
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, cover);
  EXPECT_EQ(first.headers.at("content-type"), "image/jpeg");
  EXPECT_EQ(first.headers.at("set-cookie"), "lrr_baseurl=; path=/; SameSite=Lax");
  const auto again = open("GET", path + "?no_fallback=true", "If-None-Match: " + first.headers.at("etag") + "\r\n");
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(again.body, "");
  EXPECT_EQ(open("GET", path, "If-Modified-Since: " + first.headers.at("last-modified") + "\r\n").status, 304);
  EXPECT_EQ(open("GET", path, "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n").status, 200);
  EXPECT_EQ(open("GET", path, "If-Modified-Since: yesterday\r\n").status, 200);
  // A tag counts more than a date.
  EXPECT_EQ(
      open("GET", path, "If-None-Match: \"x\"\r\nIf-Modified-Since: " + first.headers.at("last-modified") + "\r\n")
          .status,
      200);
  EXPECT_EQ(open("GET", path + "?page=2").body, "\xFF\xD8\xFF page 2");
  EXPECT_EQ(open("GET", path + "?page=0").body, cover);
  const auto head = open("HEAD", path);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("content-length"), std::to_string(cover.size()));
  EXPECT_EQ(host_.store().counts()->size(), 0U) << "no job for a picture that is there";
}

TEST_F(Library, APictureThatIsNotThereIsMadeByAJobOrStoodInFor) {
  const auto path = "/api/archives/" + kArchive + "/thumbnail";
  const auto placeholder = open("GET", path);
  EXPECT_EQ(placeholder.status, 200);
  EXPECT_EQ(placeholder.headers.at("content-type"), "image/png");
  EXPECT_EQ(placeholder.headers.at("cache-control"), "no-store");
  EXPECT_TRUE(placeholder.body.starts_with("\x89PNG\r\n"));
  EXPECT_TRUE(placeholder.body.ends_with("IEND\xAE\x42\x60\x82"));
  EXPECT_EQ(open("GET", path + "?no_fallback=false").headers.at("content-type"), "image/png");

  const auto cover = open("GET", path + "?no_fallback=true");
  EXPECT_EQ(cover.status, 202);
  EXPECT_EQ(cover.body, R"({"job":1,"operation":"serve_thumbnail","success":1})");
  EXPECT_EQ(cover.headers.at("content-type"), "application/json;charset=UTF-8");
  auto shown = detail(1);
  EXPECT_TRUE(has(shown, R"("attempts":"3")") && has(shown, R"("priority":"0")") &&
              has(shown, R"("task":"thumbnail_task")"))
      << shown;
  std::string thumb = (folder_ / "thumb").string();
  for (std::size_t at = 0; (at = thumb.find('/', at)) != std::string::npos; at += 2) thumb.replace(at, 1, "\\/");
  EXPECT_TRUE(has(shown, R"("args":[")" + thumb + R"(",")" + kArchive + R"(",0])")) << shown;
  // While it waits there is one job for one picture.
  EXPECT_EQ(jobOf(open("GET", path + "?no_fallback=true&page=0")), 1);
  EXPECT_EQ(jobOf(open("GET", path + "?no_fallback=true&page=3")), 2);
  EXPECT_TRUE(has(detail(2), kArchive + R"(",3])")) << detail(2);

  const auto tank = open("GET", "/api/tankoubons/" + kTank + "/thumbnail?no_fallback=true");
  EXPECT_EQ(tank.status, 202);
  EXPECT_EQ(tank.body, R"({"job":3,"operation":"serve_tankoubon_thumbnail","success":1})");
  EXPECT_TRUE(has(detail(3), kTank + R"("],"attempts":"3")")) << detail(3);
  EXPECT_EQ(open("GET", "/api/tankoubons/" + kTank + "/thumbnail").headers.at("content-type"), "image/png");
  put("TA/" + kTank + ".jpg", "tank");
  EXPECT_EQ(open("GET", "/api/tankoubons/" + kTank + "/thumbnail?no_fallback=true").body, "tank");
}

TEST_F(Library, WhatIsNoIdOrPageIsRefusedByItsName) {
  struct Row {
    const char* target;
    const char* message;
    const char* path;
  };
  const Row rows[] = {
      {"/api/archives/28697b/thumbnail", "String is too short: 6\\/40.", "\\/id"},
      {"/api/archives/28697B96f0ac5858be2614ed10ca47742c9522fd/thumbnail", "String does not match", "\\/id"},
      {"/api/archives/28697b96f0ac5858be2614ed10ca47742c9522fd0/thumbnail", "String is too long: 41\\/40.", "\\/id"},
      {"/api/archives/28697b96f0ac5858be2614ed10ca47742c9522fd/thumbnail?page=x", "Expected integer - got string.",
       "\\/page"},
      {"/api/archives/28697b96f0ac5858be2614ed10ca47742c9522fd/thumbnail?page=", "Expected integer - got string.",
       "\\/page"},
      {"/api/archives/28697b96f0ac5858be2614ed10ca47742c9522fd/thumbnail?page=-1", "-1 < minimum(0)", "\\/page"},
      {"/api/archives/28697b96f0ac5858be2614ed10ca47742c9522fd/thumbnail?page=99999999999999999999",
       "> maximum(1000000)", "\\/page"},
      {"/api/archives/28697b96f0ac5858be2614ed10ca47742c9522fd/thumbnail?no_fallback=maybe",
       "Expected boolean - got string.", "\\/no_fallback"},
      {"/api/tankoubons/TANK_1/thumbnail", "String does not match", "\\/id"},
      {"/api/tankoubons/SET_1700000001x/thumbnail", "String does not match", "\\/id"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.target);
    const auto answer = open("GET", row.target);
    EXPECT_EQ(answer.status, 400);
    EXPECT_TRUE(has(answer.body, row.message)) << answer.body;
    EXPECT_TRUE(has(answer.body, std::string("\"path\":\"") + row.path + "\"")) << answer.body;
  }
  for (const char* path :
       {"/api/archives/..%2f..%2fetc/thumbnail", "/api/archives/../thumbnail", "/api/archives//thumbnail"}) {
    EXPECT_EQ(open("GET", path).status, 404) << path;
  }
  EXPECT_EQ(open("POST", "/api/archives/" + kArchive + "/thumbnail").status, 404);
}

TEST_F(Library, ALinkInTheThumbnailFolderIsNotFollowed) {
  put("secret", "secret");
  fs::create_directories(folder_ / "thumb" / "28");
  fs::create_symlink(folder_ / "thumb" / "secret", folder_ / "thumb" / "28" / (kArchive + ".jpg"));
  EXPECT_EQ(open("GET", "/api/archives/" + kArchive + "/thumbnail").headers.at("content-type"), "image/png");
}

TEST_F(Library, PageThumbnailsHaveOneJobAtATime) {
  const auto path = "/api/archives/" + kArchive + "/files/thumbnails";
  const auto first = open("POST", path);  // nothing is known of the archive: the job finds out
  EXPECT_EQ(first.status, 202);
  EXPECT_EQ(first.body, R"({"job":1,"operation":"generate_page_thumbnails","success":1})");
  EXPECT_TRUE(has(detail(1), R"("args":[")" + kArchive + R"(",0],"attempts":"3")")) << detail(1);
  EXPECT_EQ(jobOf(open("POST", path + "?force=true")), 1) << "inactive";
  const auto running = host_.start(1);
  EXPECT_EQ(jobOf(open("POST", path)), 1) << "active";
  host_.settle(running, OutcomeKind::Succeeded, R"({"errors":[]})");
  const auto next = open("POST", path + "?force=true");
  EXPECT_EQ(jobOf(next), 2) << "finished";
  EXPECT_TRUE(has(detail(2), R"(",1],)")) << detail(2);
}

TEST_F(Library, NoJobIsMadeWhenAllPageThumbnailsAreThere) {
  const auto path = "/api/archives/" + kArchive + "/files/thumbnails";
  host_.addArchive(kArchive, R"({"name":"a","pagecount":2})");
  put("28/" + kArchive + "/1.jpg", "1");
  EXPECT_EQ(open("POST", path).status, 202) << "one is missing";
  put("28/" + kArchive + "/2.jpg", "2");
  const auto all = open("POST", path);
  EXPECT_EQ(all.status, 200);
  EXPECT_EQ(
      all.body,
      R"({"message":"No job queued, all thumbnails already exist.","operation":"generate_page_thumbnails","success":1})");
  EXPECT_EQ(open("POST", path + "?force=true").status, 202);
  // A record that says nothing of pages, or nonsense, is none.
  for (const char* record : {"{}", R"({"pagecount":"many"})", R"({"pagecount":-1})", "[]", "nonsense"}) {
    host_.addArchive(kArchive, record);
    EXPECT_EQ(open("POST", path).status, 202) << record;
  }
}

TEST_F(Library, CallersWithoutAKeyMayNotFillTheQueue) {
  const auto path = "/api/archives/" + kArchive + "/thumbnail?no_fallback=true&page=";
  for (int page = 1; page <= 3; ++page) EXPECT_EQ(open("GET", path + std::to_string(page)).status, 202);
  const auto full = open("GET", path + "4");
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(full.headers.at("retry-after"), "1");
  EXPECT_TRUE(has(full.body, R"("status":429)")) << full.body;
  EXPECT_EQ(keyed("GET", path + "4").status, 202) << "with a key it is another matter";
  EXPECT_EQ(open("POST", "/api/archives/" + kArchive + "/files/thumbnails").status, 202) << "another task";
}

TEST_F(Library, AJobMadeWithAKeyIsItsOwners) {
  const auto raw = host_.addKey(R"({"name":"l","privileges":["read_jobs","run_jobs"],"all_jobs":false})");
  const auto own = "Authorization: Bearer " + api::toBase64(raw) + "\r\n";
  const auto made = jobOf(open("GET", "/api/archives/" + kArchive + "/thumbnail?no_fallback=true", own));
  EXPECT_EQ(open("GET", "/api/minion/" + std::to_string(made) + "/detail", own).status, 200);
  const auto others = jobOf(open("GET", "/api/archives/" + kArchive + "/thumbnail?no_fallback=true&page=1"));
  EXPECT_EQ(open("GET", "/api/minion/" + std::to_string(others) + "/detail", own).status, 400);
  // The picture of both is one job, whoever asks for it.
  EXPECT_EQ(jobOf(open("GET", "/api/archives/" + kArchive + "/thumbnail?no_fallback=true&page=1", own)), others);
  // Who may only read counts as nobody.
  const auto reader = host_.addKey(R"({"name":"r","privileges":["read_jobs"]})");
  const auto header = "Authorization: Bearer " + api::toBase64(reader) + "\r\n";
  EXPECT_EQ(open("GET", "/api/archives/" + kArchive + "/thumbnail?no_fallback=true&page=2", header).status, 202);
  EXPECT_EQ(open("POST", "/api/regen_thumbs", header).status, 401);
}

TEST_F(Library, RegenDownloadAndPluginsQueueTheirTasks) {
  const auto regen = keyed("POST", "/api/regen_thumbs?force=1");
  EXPECT_EQ(regen.status, 200);
  EXPECT_EQ(regen.body, R"({"job":1,"operation":"regen_thumbnails","success":1})");
  EXPECT_TRUE(has(detail(1), R"(thumb",1],"attempts":"1")")) << detail(1);
  EXPECT_TRUE(has(detail(jobOf(keyed("POST", "/api/regen_thumbs"))), R"(thumb",0],)"));

  const auto download = keyed("POST", "/api/download_url?url=http://h/a.zip&catid=SET_1700000000");
  EXPECT_EQ(download.status, 200);
  EXPECT_EQ(
      download.body,
      R"({"category":"SET_1700000000","job":3,"operation":"download_url","success":1,"url":"http:\/\/h\/a.zip"})");
  const auto shown = detail(3);
  EXPECT_TRUE(has(shown, R"("args":["http:\/\/h\/a.zip","SET_1700000000"],"attempts":"5")")) << shown;
  EXPECT_TRUE(has(shown, R"("priority":"1")")) << shown;

  const auto plugin = keyed("POST", "/api/plugins/queue?plugin=comicinfo&id=" + kArchive + "&arg=x&priority=7");
  EXPECT_EQ(plugin.body, R"({"job":4,"operation":"queue_plugin_exec","success":1})");
  EXPECT_TRUE(has(detail(4), R"("args":["comicinfo",")" + kArchive + R"(","x"])")) << detail(4);
  EXPECT_TRUE(has(detail(4), R"("priority":"7")")) << detail(4);
  keyed("POST", "/api/plugins/queue?plugin=comicinfo");
  EXPECT_TRUE(has(detail(5), R"("args":["comicinfo",0,null])")) << detail(5);
}

TEST_F(Library, FormsAreReadInEitherCodingAndTheQueryCountsMore) {
  const std::string urlencoded = "Content-Type: application/x-www-form-urlencoded\r\n";
  const std::string multipart = "Content-Type: multipart/form-data; boundary=edge\r\n";
  auto answer = keyed("POST", "/api/download_url", "url=http%3A%2F%2Fh%2Fa&catid=", urlencoded);
  EXPECT_EQ(answer.body, R"({"category":null,"job":1,"operation":"download_url","success":1,"url":"http:\/\/h\/a"})");
  answer = keyed("POST", "/api/download_url", part("name=\"url\"", "http://h/\xC3\xA9") + "--edge--\r\n", multipart);
  EXPECT_TRUE(has(answer.body, "h\\/\xC3\xA9")) << answer.body;
  answer = keyed("POST", "/api/download_url?url=q", "url=f", urlencoded);
  EXPECT_TRUE(has(answer.body, R"("url":"q")")) << answer.body;
  // The key may stand in the form too.
  answer = host_.bare("POST", "/api/download_url",
                      part("name=\"key\"", host_.adminKey()) + part("name=\"url\"", "u") + "--edge--\r\n", multipart);
  EXPECT_EQ(answer.status, 200) << answer.body;
  // What cannot be read is told, after the key was seen.
  EXPECT_EQ(host_.bare("POST", "/api/download_url", "url=%zz", urlencoded).status, 401);
  EXPECT_EQ(keyed("POST", "/api/download_url", "url=%zz", urlencoded).status, 400);
  EXPECT_EQ(keyed("POST", "/api/download_url", "--edge\r\nno head", multipart).status, 400);
  EXPECT_EQ(keyed("POST", "/api/download_url", "url=" + std::string(70'000, 'a'), urlencoded).status, 413);
}

TEST_F(Library, WhatIsMissingIsNamed) {
  auto answer = keyed("POST", "/api/download_url");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body, R"({"error":"No URL specified.","errors":[{"message":"No URL specified.","path":"\/url"}],)"
                         R"("operation":"download_url","status":400,"success":0,"successMessage":""})");
  answer = keyed("POST", "/api/plugins/queue?priority=x");
  EXPECT_EQ(answer.body, R"({"errors":[{"message":"Missing property.","path":"\/plugin"},)"
                         R"({"message":"Expected integer - got string.","path":"\/priority"}],"status":400})");
}

TEST_F(Library, ChangesNeedTheKey) {
  for (const char* path : {"/api/regen_thumbs", "/api/download_url?url=x", "/api/plugins/queue?plugin=x", "/upload"}) {
    const auto answer = open("POST", path);
    EXPECT_EQ(answer.status, 401) << path;
    EXPECT_EQ(answer.body, R"({"errors":[{"message":"Unauthorized","path":"\/security\/0\/api_key"}],"status":401})")
        << path;
  }
  EXPECT_EQ(upload(filePart("a.zip", "x"), "").status, 401);
  EXPECT_TRUE(staged().empty());
}

TEST_F(Library, AnUploadIsStagedAndHandedToItsJob) {
  const std::string bytes = std::string(50'000, 'z') + "\r\n--edg\r\n";  // almost the boundary
  const auto answer = upload(filePart("My: \"Book\" <1>?.CBZ", "x") + part("name=\"catid\"", "SET_1700000000"), key());
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.headers.at("content-type"), "application/json;charset=UTF-8");
  const auto second = upload(part("name=\"catid\"", "") + filePart("plain.zip", bytes), key());
  EXPECT_EQ(
      second.body,
      R"({"debug_name":"plain.zip","job":2,"name":"plain.zip","operation":"upload","success":1,"type":"application\/zip"})");
  const auto shown = detail(2);
  EXPECT_TRUE(has(shown, R"("priority":"2")") && has(shown, R"("attempts":"1")") && has(shown, ",null],")) << shown;
  const auto begin = shown.find("[\"") + 2;
  auto path = shown.substr(begin, shown.find('"', begin) - begin);
  for (std::size_t at = 0; (at = path.find("\\/", at)) != std::string::npos; ++at) path.erase(at, 1);
  std::ifstream in(path, std::ios::binary);
  std::stringstream read;
  read << in.rdbuf();
  EXPECT_EQ(read.str(), bytes) << path;
  EXPECT_EQ(fs::path(path).parent_path().parent_path(), folder_ / "uploads");
}

TEST_F(Library, AnUploadThatIsNoArchiveIsNotKept) {
  const auto answer = upload(filePart("virus.exe", "MZ"), key());
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, R"x({"error":"Unsupported File Extension. (application\/zip)","name":"virus.exe",)x"
                         R"x("operation":"upload","success":0,"type":"application\/zip"})x");
  struct Row {
    const char* why;
    int status;
    std::string parts;
  };
  const Row rows[] = {
      {"no file", 400, part("name=\"catid\"", "x")},
      {"two files", 400, filePart("a.zip", "a") + filePart("b.zip", "b")},
      {"a long category", 400, part("name=\"catid\"", std::string(2000, 'c')) + filePart("a.zip", "a")},
      {"too large", 413, filePart("a.zip", std::string(100'001, 'a'))},
  };
  for (const auto& row : rows) EXPECT_EQ(upload(row.parts, key()).status, row.status) << row.why;
  const auto cut = host_.bare("POST", "/upload", filePart("a.zip", "a"),
                              key() + "Content-Type: multipart/form-data; boundary=edge\r\n");
  EXPECT_EQ(cut.status, 400);
  EXPECT_EQ(keyed("POST", "/upload", "file=a.zip", "Content-Type: application/x-www-form-urlencoded\r\n").status, 400);
  EXPECT_EQ(open("GET", "/upload", key()).status, 404);
  EXPECT_TRUE(staged().empty()) << staged().front();
  EXPECT_EQ(host_.store().counts()->size(), 0U);
}

TEST_F(Library, AnUploadInChunksStopsAtTheLimit) {
  Wire wire(host_.port());
  wire.send("POST /upload HTTP/1.1\r\nHost: t\r\n" + key() +
            "Content-Type: multipart/form-data; boundary=edge\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string piece = filePart("a.zip", std::string(120'000, 'a'));
  std::ostringstream size;
  size << std::hex << piece.size();
  wire.send(size.str() + "\r\n" + piece + "\r\n0\r\n\r\n");
  EXPECT_EQ(wire.receive().status, 413);
  EXPECT_TRUE(staged().empty());
}

TEST_F(Library, AnUploadMayComeByAKeyOrSessionOfTheNativeApi) {
  host_.addUser("ann");
  const auto session = host_.logIn("ann");
  EXPECT_EQ(upload(filePart("a.zip", "a"), session).status, 200);
  EXPECT_EQ(upload(filePart("b.zip", "b"), session.substr(0, session.find("X-CSRF"))).status, 403) << "no token";
  EXPECT_EQ(upload(filePart("b.zip", "b"), session + "Origin: http://evil.example\r\n").status, 403);
  EXPECT_EQ(upload(filePart("c.zip", "c"), "X-API-Key: " + host_.adminKey() + "\r\n").status, 200);
  EXPECT_EQ(upload(filePart("d.zip", "d"), "Authorization: Bearer " + host_.adminKey() + "\r\n").status, 200);
  EXPECT_EQ(upload(filePart("e.zip", "e"), "X-API-Key: x\r\n").status, 401);
  EXPECT_EQ(host_
                .bare("POST", "/upload?key=" + host_.adminKey(), filePart("f.zip", "f") + "--edge--\r\n",
                      "Content-Type: multipart/form-data; boundary=edge\r\n")
                .status,
            200);
  host_.addUser("vic", "viewer");
  EXPECT_EQ(upload(filePart("g.zip", "g"), host_.logIn("vic")).status, 401) << "may not run jobs";
}

TEST_F(Library, RetentionTakesUploadsThatNoJobCanWantAnyMore) {
  using namespace std::chrono_literals;
  ASSERT_EQ(upload(filePart("a.zip", "a"), key()).status, 200);
  ASSERT_EQ(staged().size(), 2U);  // a folder and its file
  const auto folder = staged().front().parent_path() == folder_ / "uploads" ? staged().front() : staged().back();
  const auto at = std::chrono::file_clock::from_sys(host_.clock().now());
  fs::last_write_time(folder, std::chrono::time_point_cast<fs::file_time_type::duration>(at));
  jobs::Retention::Options options;
  options.data_folder = host_.data();
  options.finished = core::Millis(0);
  options.inputs = 24h;
  options.uploads_folder = folder_ / "uploads";
  options.upload_prefixes = {"up_"};
  options.upload_types = {"handle_upload"};
  fs::create_directories(folder_ / "uploads" / "somebody-elses");
  fs::last_write_time(folder_ / "uploads" / "somebody-elses",
                      fs::file_time_type(std::chrono::time_point_cast<fs::file_time_type::duration>(at) - 1h));
  jobs::Retention retention(host_.store(), nullptr, host_.clock(), options);
  host_.clock().advance(23h);
  EXPECT_EQ(retention.sweep().uploads, 0) << "young";
  host_.clock().advance(48h);
  EXPECT_EQ(retention.sweep().uploads, 0) << "its job still waits";
  host_.settle(host_.start(1), OutcomeKind::Succeeded, "{}");
  EXPECT_EQ(retention.sweep().uploads, 1);
  EXPECT_EQ(staged(), (std::vector<fs::path>{folder_ / "uploads" / "somebody-elses"}));
}

TEST(LibraryWithoutPlugins, SaysSoAndKeepsNoUpload) {
  ApiHost host;
  const auto key = "Authorization: Bearer " + api::toBase64(host.adminKey()) + "\r\n";
  const auto thumbnail = host.bare("GET", "/api/archives/" + kArchive + "/thumbnail?no_fallback=true");
  EXPECT_EQ(thumbnail.status, 400);
  EXPECT_EQ(thumbnail.body,
            R"({"errors":[{"message":"No plugin for this task is installed.","path":"\/"}],"status":400})");
  EXPECT_EQ(host.bare("POST", "/upload", "x", key).status, 400);
  EXPECT_EQ(host.bare("POST", "/api/regen_thumbs", "", key).status, 400);
}

TEST(LibraryInNoFunMode, EveryRouteAsksForTheKey) {
  api::ServerOptions options;
  options.minion.no_fun = true;
  options.minion.cors = true;
  ApiHost host(options);
  const auto key = "Authorization: Bearer " + api::toBase64(host.adminKey()) + "\r\n";
  const auto path = "/api/archives/" + kArchive + "/thumbnail";
  const auto refused = host.bare("GET", path);
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.body, R"({"error":"This API is protected and requires login or an API Key."})");
  EXPECT_EQ(refused.headers.at("access-control-allow-origin"), "*");
  EXPECT_EQ(host.bare("POST", "/api/archives/" + kArchive + "/files/thumbnails").status, 401);
  EXPECT_EQ(host.bare("GET", path, "", key).status, 200);
  EXPECT_EQ(host.bare("OPTIONS", path).status, 200);
  EXPECT_EQ(host.bare("POST", "/upload").headers.count("access-control-allow-origin"), 0U);
}

TEST(MinionRoutes, AreThoseOfTheDocumentAndDescribeThemselves) {
  std::set<std::string> served;
  ApiHost host;
  for (const auto& route : api::minion::minionRoutes()) {
    served.insert(std::string(api::toString(route.method)) + " " + std::string(route.pattern));
    std::string path(route.pattern);
    for (const char* name : {"{jobid}", "{jobname}", "{id}"}) {
      if (const auto at = path.find(name); at != std::string::npos) path.replace(at, std::strlen(name), "1");
    }
    const auto described = host.bare("OPTIONS", path);
    EXPECT_EQ(described.status, 200) << path;
    EXPECT_TRUE(has(described.body, "\"operationId\"")) << path << described.body;
  }
  std::set<std::string> documented;
  const auto document = api::parseJson(api::minion::openApiDocument());
  ASSERT_TRUE(document);
  std::vector<core::FieldError> errors;
  const auto paths = api::parseJson(*api::JsonObject(*document, "", errors).raw("paths", api::JsonKind::Object));
  for (const auto& path : paths->members) {
    const auto operations = api::parseJson(path.value.raw);
    for (const auto& operation : operations->members) {
      auto method = api::unescape(operation.raw_key);
      for (auto& c : method) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      documented.insert(method + " " + api::unescape(path.raw_key));
    }
  }
  EXPECT_EQ(documented, served);
}

TEST(MinionRoutes, AskEachCallerForThePrivilegeOfTheRoute) {
  using api::Privilege;
  for (const bool no_fun : {false, true}) {
    api::ServerOptions options;
    options.minion.no_fun = no_fun;
    ApiHost host(options);
    std::vector<std::pair<std::string, std::uint32_t>> callers{{"", 0}, {api::toBase64("jh_wrong"), 0}};
    for (const auto privilege : {Privilege::ReadJobs, Privilege::RunJobs, Privilege::AbortJobs, Privilege::DeleteJobs,
                                 Privilege::TagJobs, Privilege::Admin}) {
      const std::string word(api::toString(privilege));
      const auto raw = host.addKey(R"({"name":")" + word + R"(","privileges":[")" + word + R"("]})");
      callers.emplace_back(api::toBase64(raw), static_cast<std::uint32_t>(privilege));
    }
    for (const auto& route : api::minion::minionRoutes()) {
      std::string path(route.pattern);
      for (const char* name : {"{jobid}", "{jobname}", "{id}"}) {
        if (const auto at = path.find(name); at != std::string::npos) path.replace(at, std::strlen(name), "1");
      }
      for (const auto& [key, privileges] : callers) {
        const auto header = key.empty() ? "" : "Authorization: Bearer " + key + "\r\n";
        const auto wanted = static_cast<std::uint32_t>(route.privilege) | static_cast<std::uint32_t>(Privilege::Admin);
        const bool allowed = (route.open && !no_fun) || (privileges & wanted) != 0;
        const auto status = host.bare(std::string(api::toString(route.method)), path, {}, header).status;
        EXPECT_EQ(status == 401, !allowed)
            << path << " privileges=" << privileges << " no_fun=" << no_fun << " " << status;
      }
    }
  }
}

TEST(ArchiveNames, AreKnownByTheirEnding) {
  for (const char* good : {"a.zip", "A.ZIP", "a.tar.gz", "a.tar.zst", "a.zst", "a.7z", "a.epub", "a.xz", ".cbz"}) {
    EXPECT_TRUE(api::minion::isArchiveName(good)) << good;
  }
  for (const char* bad : {"a", "zip", "a.gz", "a.zip ", "a.zip.exe", "a.jpg", "a.cbw", ""}) {
    EXPECT_FALSE(api::minion::isArchiveName(bad)) << bad;
  }
}

// An upload is kept for the library plugin to take in, whose list this is.
TEST(ArchiveNames, AreThoseTheLibraryTakesIn) {
  const std::string stem(300, 'n');
  for (const auto ending : support::kArchiveEndings) {
    const std::string dotted = "." + std::string(ending);
    EXPECT_TRUE(api::minion::isArchiveName("a" + dotted)) << ending;
    const auto safe = api::minion::safeArchiveName(stem + dotted);
    EXPECT_EQ(safe, stem.substr(0, 255 - 7 - dotted.size()) + dotted) << "the ending is kept whole";
  }
  // Whatever else may be thought of: an ending of up to three characters, and those archives have elsewhere.
  std::vector<std::string> others{"cbw",  "tar.bz2", "tbz2", "bzip2", "gzip",    "lzip",
                                  "jpeg", "html",    "docx", "azw3",  "tar.gz.x"};
  const std::string letters = "abcdefghijklmnopqrstuvwxyz0123456789";
  for (const char a : letters) {
    for (const char b : letters) {
      others.push_back({a, b});
      for (const char c : letters) others.push_back({a, b, c});
    }
  }
  const auto& known = support::kArchiveEndings;
  for (const auto& ending : others) {
    const bool ours = std::find(known.begin(), known.end(), ending) != known.end();
    EXPECT_EQ(api::minion::isArchiveName("a." + ending), ours) << ending;
  }
}

TEST(ArchiveNames, AreMadeSafe) {
  using api::minion::safeArchiveName;
  EXPECT_EQ(safeArchiveName("My: \"Book\" <1>?*|.CBZ"), "My Book 1.CBZ");
  EXPECT_EQ(safeArchiveName("../../etc/passwd.zip"), "etcpasswd.zip");
  EXPECT_EQ(safeArchiveName("C:\\books\\a.zip"), "Cbooksa.zip");
  EXPECT_EQ(safeArchiveName(".cbz"), "archive.cbz");
  EXPECT_EQ(safeArchiveName("...zip"), "archive.zip");
  EXPECT_EQ(safeArchiveName(std::string("a\n\x01\x7F") + "b.zip"), "ab.zip");
  EXPECT_EQ(safeArchiveName("a\xFF\xC3.zip"), "a__.zip");
  EXPECT_EQ(safeArchiveName("\xE6\xBC\xAB\xE7\x94\xBB.tar.gz"), "\xE6\xBC\xAB\xE7\x94\xBB.tar.gz");
  std::string longest;
  for (int i = 0; i < 200; ++i) longest += "\xC3\xA9";
  const auto cut = safeArchiveName(longest + ".tar.gz");
  EXPECT_LE(cut.size() + std::string(".upload").size(), 255U);
  EXPECT_GE(cut.size() + std::string(".upload").size(), 254U);
  EXPECT_TRUE(cut.ends_with("\xC3\xA9.tar.gz")) << cut;
}

}  // namespace
}  // namespace jobhost::test
