#include "shelf.hpp"

#include <stdlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace jobhost::artifact::testing {
namespace {

constexpr const char* kOf = "org.jobhost.fetch-novel/";

}  // namespace

std::string uuid(int number) {
  char text[37];
  std::snprintf(text, sizeof(text), "0d6f2a52-8a5e-4f43-a9a5-%012d", number);
  return text;
}

std::string imageId(int number) {
  char text[33];
  std::snprintf(text, sizeof(text), "%032x", static_cast<unsigned>(number));
  return text;
}

std::string packed(std::string_view html) {
  std::string out(ZSTD_compressBound(html.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), html.data(), html.size(), 3));
  return out;
}

std::string readFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void writeFile(const std::filesystem::path& path, std::string_view bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  if (!out.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush()) {
    throw std::runtime_error("cannot write " + path.string());
  }
}

Shelf::Shelf(const std::string& plugin_file) : host(plugin_file) {
  std::string pattern = (std::filesystem::temp_directory_path() / "jobhost-shelf-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
  dir_ = pattern;
  configure(Json::object());
  host.setIndexes(std::string(kOf) + "chapters", {"volume_id", "url"});
}

Shelf::~Shelf() {
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

void Shelf::configure(const Json& more) {
  Json config{{"lncrawl_dir", dir_.string()}};
  for (std::size_t i = 0; i < more.size(); ++i) config.set(more.names()[i], more.items()[i]);
  host.setConfig(config);
}

std::string Shelf::novel(int number, const Json& facts) {
  novel_ = uuid(number);
  volume_.clear();
  Json value{{"url", "https://novels.example.test/book/1"},
             {"domain", "novels.example.test"},
             {"title", "The Example"},
             {"authors", "Ann Author, Bo Writer"},
             {"synopsis", "<p>It begins.</p>"},
             {"tags", Json::array({"Drama", "Sea"})},
             {"cover_url", nullptr},
             {"mtl", false},
             {"rtl", false},
             {"manga", false},
             {"language", "en"},
             {"volume_count", 1},
             {"chapter_count", 2},
             {"crawler_version", 7}};
  for (std::size_t i = 0; i < facts.size(); ++i) value.set(facts.names()[i], facts.items()[i]);
  host.putRecord(std::string(kOf) + "novels", novel_, value, "novels", 1);
  return novel_;
}

std::string Shelf::volume(int serial, const std::string& title) {
  volume_ = uuid(1000 + ++volumes_);
  host.putRecord(std::string(kOf) + "volumes", volume_,
                 Json{{"novel_id", novel_}, {"serial", serial}, {"title", title}, {"chapter_count", 1}}, novel_,
                 serial);
  return volume_;
}

std::string Shelf::chapter(int serial, const std::string& title, const char* html) {
  static int made = 0;
  const std::string id = uuid(1'000'000 + ++made);
  host.putRecord(std::string(kOf) + "chapters", id,
                 Json{{"novel_id", novel_},
                      {"volume_id", volume_.empty() ? Json() : Json(volume_)},
                      {"serial", serial},
                      {"url", "https://novels.example.test/book/1/" + std::to_string(serial)},
                      {"title", title},
                      {"is_done", html != nullptr},
                      {"crawler_version", 7}},
                 novel_, serial);
  if (html != nullptr) writeFile(folder() / "chapters" / (id + ".zst"), packed(html));
  return id;
}

void Shelf::image(int number, std::string_view bytes) const {
  writeFile(folder() / "images" / (imageId(number) + ".jpg"), bytes);
}

void Shelf::cover(std::string_view bytes) const {
  writeFile(folder() / "cover.jpg", bytes);
}

std::vector<std::string> Shelf::files(const std::string& below) const {
  std::vector<std::string> all;
  const std::filesystem::path root = dir_ / below;
  if (!std::filesystem::exists(root)) return all;
  for (const auto& one : std::filesystem::recursive_directory_iterator(root)) {
    if (one.is_regular_file()) all.push_back(std::filesystem::relative(one.path(), root));
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace jobhost::artifact::testing
