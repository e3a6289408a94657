#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>
#include <zstd.h>

#include "api/lncrawl/collections.hpp"
#include "api/lncrawl/library_files.hpp"
#include "api/lncrawl/own_records.hpp"
#include "api/lncrawl/record_slice.hpp"
#include "dialects/api_host.hpp"
#include "store/record_value.hpp"

namespace jobhost::test {

namespace fs = std::filesystem;
namespace lncrawl = api::lncrawl;

using Texts = std::vector<std::string>;

inline const std::string kNovel = "0d6f2a52-8a5e-4f43-a9a5-0b7f0f7a2c10";
inline const std::string kOther = "1d6f2a52-8a5e-4f43-a9a5-0b7f0f7a2c11";
inline const std::string kVolume = "2d6f2a52-8a5e-4f43-a9a5-0b7f0f7a2c12";

inline std::string packed(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  const auto size = ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3);
  EXPECT_FALSE(ZSTD_isError(size));
  out.resize(size);
  return out;
}

inline fs::path makeFolder() {
  auto pattern = (fs::temp_directory_path() / "jobhost-lncrawl-XXXXXX").string();
  return ::mkdtemp(pattern.data());
}

inline void write(const fs::path& file, const std::string& bytes) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
}

inline std::string chapterId(int serial) {
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

/// A host with a user, an admin, and what plugins would have put on its shelves.
class LncrawlShelves : public testing::Test {
 protected:
  LncrawlShelves() {
    host_.addUser("root", "admin");
    user_ = host_.addUser("reader");
    token_ = logIn("reader");
    admin_ = logIn("root");
  }
  ~LncrawlShelves() override { fs::remove_all(folder_); }

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

}  // namespace jobhost::test
