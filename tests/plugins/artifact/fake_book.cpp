#include "fake_book.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "support/archive/archive.hpp"
#include "support/files/unique_fd.hpp"

namespace jobhost::artifact::testing {
namespace {

std::string fromHex(std::string_view hex) {
  std::string out;
  const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) out += static_cast<char>(value(hex[i]) * 16 + value(hex[i + 1]));
  return out;
}

class Cursor final : public ChapterCursor {
 public:
  explicit Cursor(const std::vector<FakeBook::Entry>& entries) : entries_(entries) {}
  std::optional<Chapter> next() override {
    if (at_ == entries_.size()) return std::nullopt;
    return entries_[at_++].chapter;
  }

 private:
  const std::vector<FakeBook::Entry>& entries_;
  std::size_t at_ = 0;
};

support::UniqueFd opened(const std::string& path) {
  support::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw std::runtime_error("cannot open " + path);
  return fd;
}

}  // namespace

std::string jpeg() {
  return fromHex(
      "ffd8ffe000104a46494600010100000100010000ffdb0043001b12141714111b1716171e1c1b2028422b28252528513a3d30"
      "42605565645f555d5b6a7899816a7190735b5d85b586909ea3abadab6780bcc9baa6c799a8aba4ffdb0043011c1e1e282328"
      "4e2b2b4ea46e5d6ea4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4"
      "a4a4a4a4a4a4a4a4ffc00011080008000803012200021101031101ffc4001500010100000000000000000000000000000004"
      "ffc40014100100000000000000000000000000000000ffc4001501010100000000000000000000000000000405ffc4001411"
      "0100000000000000000000000000000000ffda000c03010002110311003f00980114dfffd9");
}

std::string png() {
  return fromHex(
      "89504e470d0a1a0a0000000d4948445200000002000000020802000000fdd49a73000000104944415478da6338e0a000440c"
      "100a00220e0481f999865a0000000049454e44ae426082");
}

std::string gif() {
  return fromHex("47494638396101000100800000c040200000002c00000000010001000002024401003b");
}

FakeBook::FakeBook() {
  facts.id = "0d6f2a52-8a5e-4f43-a9a5-0b7f0f7a2c10";
  facts.title = "A Book";
  facts.authors = {"Ann Author"};
  facts.language = "en";
  facts.url = "https://novels.example.test/book/1";
  facts.modified_ms = 1'775'300'000'123;
  facts.record = Json{{"id", facts.id}, {"title", facts.title}, {"tags", Json::array({"one", "two"})}};
}

FakeBook& FakeBook::volume(const std::string& title) {
  const int serial = static_cast<int>(parts.size()) + 1;
  parts.push_back({serial, title, Json{{"serial", serial}, {"title", title}}});
  return *this;
}

FakeBook& FakeBook::chapter(const std::string& title, std::optional<std::string> html) {
  Entry entry;
  entry.chapter.serial = static_cast<int>(entries.size()) + 1;
  entry.chapter.id = "chapter-" + std::to_string(entry.chapter.serial);
  if (!parts.empty()) entry.chapter.volume_serial = parts.back().serial;
  entry.chapter.title = title;
  entry.chapter.record = Json{{"serial", entry.chapter.serial}, {"title", title}};
  entry.html = std::move(html);
  entries.push_back(std::move(entry));
  return *this;
}

FakeBook& FakeBook::image(const std::string& id, std::string bytes) {
  images[id] = std::move(bytes);
  return *this;
}

std::unique_ptr<ChapterCursor> FakeBook::chapters() {
  return std::make_unique<Cursor>(entries);
}

std::optional<std::string> FakeBook::body(const Chapter& chapter) {
  for (const Entry& entry : entries) {
    if (entry.chapter.serial == chapter.serial) return entry.html;
  }
  return std::nullopt;
}

std::optional<std::string> FakeBook::image(std::string_view id) {
  const auto found = images.find(id);
  if (found == images.end()) return std::nullopt;
  return found->second;
}

Written::Written(Writer writer, BookSource& source, const BookLimits& limits, const BuildHooks& hooks) {
  std::string name = (std::filesystem::temp_directory_path() / "jobhost-book-XXXXXX.epub").string();
  const support::UniqueFd fd(::mkstemps(name.data(), 5));
  if (!fd) throw std::runtime_error("no temporary file");
  path_ = name;
  try {
    report = writer(source, fd.get(), limits, hooks);
  } catch (...) {
    std::filesystem::remove(path_);
    throw;
  }
}

Written::~Written() {
  std::filesystem::remove(path_);
}

std::string Written::bytes() const {
  std::ostringstream all;
  all << std::ifstream(path_, std::ios::binary).rdbuf();
  return all.str();
}

std::vector<std::string> namesIn(const std::string& path) {
  const support::UniqueFd fd = opened(path);
  support::Archive archive(fd.get(), {.max_entries = 100'000});
  std::vector<std::string> all;
  for (const auto& entry : archive.entries()) all.push_back(entry.name);
  return all;
}

std::string entryIn(const std::string& path, const std::string& name) {
  const support::UniqueFd fd = opened(path);
  support::Archive archive(fd.get(), {.max_entries = 100'000});
  const auto found = archive.find(name);
  if (!found) throw std::runtime_error("no entry " + name);
  return archive.read(*found);
}

}  // namespace jobhost::artifact::testing
