// What a book costs: chapters of about 12 KiB in volumes of 100, pictures of 100 KiB spread over them, made as they are
// asked for. `artifact_bench [--json] [epub|json|txt] [chapters] [pictures]`, else epub 1000 0. The file is gone after.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "fake_book.hpp"
#include "support/files/unique_fd.hpp"

namespace {

using namespace jobhost::artifact;
namespace fake = jobhost::artifact::testing;

std::string makeBody(int serial, int images) {
  std::string html;
  for (int i = 0; i < 60; ++i) {
    html += "<p>Paragraph " + std::to_string(i) + " of chapter " + std::to_string(serial) +
            ": the <em>road</em> went on &amp; on, past the mill and the old bridge, and nobody said a word until the "
            "lamps "
            "of the inn came into sight; &ldquo;at last,&rdquo; she said, number " +
            std::to_string(serial * 7919 + i * 31) + ".</p>";
  }
  for (int i = 0; i < images; ++i) {
    html += "<p><img src=\"images/c" + std::to_string(serial) + "-" + std::to_string(i) + ".jpg\"></p>";
  }
  return html;
}

/// A book that exists only as it is read.
class MadeUpBook final : public BookSource {
 public:
  MadeUpBook(int chapters, int images) : chapters_(chapters), images_(images), picture_(fake::jpeg()) {
    picture_.append(100 * 1024 - picture_.size(), '\0');  // what stands behind a picture is not looked at
  }
  Novel novel() override { return fake::FakeBook().facts; }
  std::vector<Volume> volumes() override {
    std::vector<Volume> all;
    for (int i = 1; i <= (chapters_ + 99) / 100; ++i) all.push_back({i, "Volume " + std::to_string(i), {}});
    return all;
  }
  std::unique_ptr<ChapterCursor> chapters() override {
    class Cursor final : public ChapterCursor {
     public:
      explicit Cursor(int count) : count_(count) {}
      std::optional<Chapter> next() override {
        if (at_ == count_) return std::nullopt;
        ++at_;
        Chapter chapter;
        chapter.id = std::to_string(at_);
        chapter.serial = at_;
        chapter.volume_serial = (at_ + 99) / 100;
        chapter.title = "The chapter that is number " + std::to_string(at_);
        chapter.record = jobhost::Json{{"id", chapter.id}, {"serial", at_}, {"title", chapter.title}};
        return chapter;
      }

     private:
      int count_;
      int at_ = 0;
    };
    return std::make_unique<Cursor>(chapters_);
  }
  std::optional<std::string> body(const Chapter& chapter) override {
    const int before = static_cast<int>(std::int64_t{images_} * (chapter.serial - 1) / chapters_);
    const int after = static_cast<int>(std::int64_t{images_} * chapter.serial / chapters_);
    return makeBody(chapter.serial, after - before);
  }
  std::optional<std::string> image(std::string_view) override { return picture_; }
  std::optional<std::string> cover() override { return picture_; }

 private:
  int chapters_, images_;
  std::string picture_;
};

}  // namespace

int main(int argc, char** argv) try {
  std::vector<std::string> words(argv + 1, argv + argc);
  const bool as_json = !words.empty() && words.front() == "--json";
  if (as_json) words.erase(words.begin());
  const std::string format = words.empty() ? "epub" : words[0];
  const int chapters = words.size() > 1 ? std::atoi(words[1].c_str()) : 1000;
  const int images = words.size() > 2 ? std::atoi(words[2].c_str()) : 0;
  if ((format != "epub" && format != "json" && format != "txt") || chapters < 1 || images < 0) {
    std::fputs("usage: artifact_bench [--json] [epub|json|txt] [chapters] [pictures]\n", stderr);
    return 2;
  }
  MadeUpBook book(chapters, images);
  const auto begun = std::chrono::steady_clock::now();
  const fake::Written made(format == "epub" ? &writeEpub : format == "json" ? &writeJson : &writeTxt, book);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const double cpu = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                     static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  if (as_json) {
    std::printf(
        "{\"chapters\":%zu,\"images\":%zu,\"size_bytes\":%llu,\"seconds\":%.3f,\"cpu_seconds\":%.3f,\"peak_bytes\":%ld}"
        "\n",
        made.report.chapters, made.report.images, static_cast<unsigned long long>(made.report.size_bytes), seconds, cpu,
        used.ru_maxrss * 1024);
  } else {
    std::printf(
        "%s: %zu chapters, %zu pictures, %.1f MiB in %.2f s (%.2f s CPU; %.2f s CPU per 1000 chapters), peak %.1f "
        "MiB\n",
        format.c_str(), made.report.chapters, made.report.images, static_cast<double>(made.report.size_bytes) / 1048576,
        seconds, cpu, cpu * 1000 / chapters, static_cast<double>(used.ru_maxrss) / 1024);
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "artifact_bench: %s\n", error.what());
  return 1;
}
