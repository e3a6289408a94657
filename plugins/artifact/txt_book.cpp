#include "artifact/body.hpp"
#include "artifact/books.hpp"
#include "artifact/images.hpp"
#include "artifact/text.hpp"
#include "artifact/zip_writer.hpp"

namespace jobhost::artifact {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) {
    if (const std::string line = oneLine(word); !line.empty()) (out += out.empty() ? "" : ", ") += line;
  }
  return out;
}

std::string metaText(const Novel& novel, const BookReport& report) {
  const std::string rule = std::string(60, '-') + "\n";
  const std::string authors = joined(novel.authors), tags = joined(novel.tags);
  std::string out;
  if (const std::string url = oneLine(novel.url, 2083); !url.empty()) out += url + "\n";
  out += rule + lineOr(novel.title, "Untitled") + "\n";
  if (!authors.empty()) out += "by, " + authors + "\n";
  out += rule;
  if (const std::string synopsis = toText(novel.synopsis_html, {}); !synopsis.empty()) out += synopsis + "\n";
  out += rule;
  if (!tags.empty()) out += "Tags: " + tags + "\n";
  out += "Volumes: " + std::to_string(report.volumes) + "\nChapters: " + std::to_string(report.chapters) + "\n";
  return out;
}

}  // namespace

BookReport writeTxt(BookSource& source, int fd, const BookLimits& limits, const BuildHooks& hooks) {
  Novel novel = source.novel();
  if (novel.synopsis_html.size() > limits.max_body_bytes) novel.synopsis_html.clear();
  ZipWriter zip(fd);
  ImageShelf shelf(source, zip, "", ImageShelf::Naming::AsIs, limits, hooks.stop);
  const bool cover = shelf.addCover().has_value();
  BookWalk walk(source, limits, hooks);
  const ImageResolver resolve = shelf.resolver();
  while (const BookChapter* chapter = walk.next()) {
    const std::string text = toText(chapter->html, resolve);
    zip.add(padded(chapter->volume != nullptr ? chapter->volume->serial : 0, 3) + "/" +
                padded(chapter->chapter.serial, 5) + ".txt",
            chapter->title + "\n\n" + (text.empty() ? "No content available." : text) + "\n");
    walk.written();
  }
  BookReport report = walk.report();
  zip.add("meta.txt", metaText(novel, report));
  report.cover = cover;
  report.images = shelf.images().size();
  report.missing_images = shelf.missing();
  report.size_bytes = zip.finish();
  return report;
}

}  // namespace jobhost::artifact
