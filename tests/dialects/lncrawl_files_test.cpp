// The files the lncrawl surface hands out, and the web client's own (contracts/lncrawl.md 2).
#include <string>

#include <sys/resource.h>
#include <sys/stat.h>

#include "core/sanitized.hpp"
#include "dialects/lncrawl_shelves.hpp"

namespace jobhost::test {
namespace {

class LncrawlFiles : public LncrawlShelves {};

TEST_F(LncrawlFiles, AFileThatCannotBeOpenedIsNoMissingFile) {
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
  if (!core::kSanitized) {  // they look at memory through files
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit none{3, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    const auto opened = folder.open(cover);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, core::ErrorCode::Unavailable);
  }
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

TEST_F(LncrawlFiles, FilesAreForWhoeverHasAToken) {
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

TEST_F(LncrawlFiles, Acceptance10AnArtifactIsDownloadedInParts) {
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

TEST_F(LncrawlFiles, NothingOutsideTheNovelsIsHandedOut) {
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

TEST_F(LncrawlFiles, TheWebClientIsServedWithItsOwnPaths) {
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
