#include "novel_fixture.hpp"

#include <zstd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace jobhost::testing {

namespace fs = std::filesystem;

NovelPlugin::NovelPlugin() {
  spec("site.test.yaml", R"(spec: 1
base_url: https://site.test/
language: en
rate_limit: 0
novel:
  title: { css: h1 }
  authors: { css: .by, all: true }
  tags: { css: .tag, all: true }
  cover: { css: "img.cover", attr: src }
  synopsis: { css: .about }
toc:
  request: { page: novel }
  items:
    css: "ol.toc a"
    fields: { title: {}, url: { attr: href } }
chapter:
  body: { css: "#text" }
)");
  configure({});
  host_.onFetch([this](const Fetch& asked) {
    asked_.push_back(asked);
    const auto found = site_.find(asked.url);
    return found != site_.end() ? found->second : FetchEnd::answered(404, "nothing here");
  });
}

void NovelPlugin::configure(const Json& more) {
  Json config{{"lncrawl_dir", file("").string()},
              {"lncrawl_sources", (folder_.path() / "sources").string()},
              {"gap_ms", 0},
              {"back_off_ms", 0}};
  for (std::size_t i = 0; i < more.size(); ++i) config.set(more.names()[i], more.items()[i]);
  host_.setConfig(config);
}

void NovelPlugin::serve(const std::string& path, const std::string& body, const std::string& type) {
  site_[absolute(path)] = FetchEnd::ok(body, type);
}

void NovelPlugin::serveBook(const std::vector<Chapter>& chapters, const std::string& more) {
  std::string page =
      "<html><head><title>x</title></head><body><h1>The  Book</h1><span class=by>Ann Author</span>"
      "<span class=tag>Sea</span><div class=about><p>A story.</p><img src=/x.png></div>" +
      more + "<ol class=toc>";
  for (const Chapter& chapter : chapters) {
    page += "<li><a href='" + chapter.path + "'>" + chapter.title + "</a></li>";
    serve(chapter.path, "<div id=text><p>Text of " + chapter.title + ".</p></div>");
  }
  serve("/book", page + "</ol></body></html>");
}

Attempt NovelPlugin::fetchChapter(const std::string& id, bool root) {
  host_.setInfo("parent", root ? Json() : Json(4711));
  Attempt out = host_.run("chapter", {{"chapter_id", id}});
  host_.setInfo("parent", nullptr);
  return out;
}

std::vector<std::string> NovelPlugin::chapters() const {
  std::vector<std::pair<std::int64_t, std::string>> all;
  for (const auto& [id, value] : host_.records("chapters")) all.emplace_back(value["serial"].intOr(0), id);
  std::sort(all.begin(), all.end());
  std::vector<std::string> out;
  for (const auto& [serial, id] : all) out.push_back(id);
  return out;
}

Json NovelPlugin::record(const std::string& collection, const std::string& id) const {
  const auto all = host_.records(collection);
  const auto found = all.find(id);
  return found == all.end() ? Json() : found->second;
}

std::string NovelPlugin::novel() const {
  const auto all = host_.records("novels");
  return all.empty() ? std::string() : all.begin()->first;
}

std::string NovelPlugin::text(const std::string& chapter) const {
  std::ifstream in(file("novels/" + novel() + "/chapters/" + chapter + ".zst"), std::ios::binary);
  const std::string packed(std::istreambuf_iterator<char>(in), {});
  std::string out(ZSTD_getFrameContentSize(packed.data(), packed.size()), '\0');
  const std::size_t size = ZSTD_decompress(out.data(), out.size(), packed.data(), packed.size());
  EXPECT_EQ(size, out.size());
  return out;
}

std::vector<std::string> NovelPlugin::pagesOf(const Attempt& attempt) {
  std::vector<std::string> out;
  for (const Fetch& one : attempt.fetches) {
    if (!one.url.ends_with("/robots.txt")) out.push_back(one.url);
  }
  return out;
}

void NovelPlugin::expectClean(const Attempt& attempt) const {
  EXPECT_THAT(attempt.complaints, ::testing::IsEmpty());
  expectNoLeftovers();
}

void NovelPlugin::expectNoLeftovers() const {
  if (!fs::exists(file("tmp"))) return;
  for (const auto& entry : fs::directory_iterator(file("tmp")))
    EXPECT_TRUE(entry.is_directory()) << entry.path() << " was left behind";
}

}  // namespace jobhost::testing
