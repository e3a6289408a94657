#include <unordered_set>

#include "artifact/body.hpp"
#include "artifact/books.hpp"
#include "artifact/images.hpp"
#include "artifact/text.hpp"
#include "artifact/zip_writer.hpp"

namespace jobhost::artifact {
namespace {

// Indented by two; `indent` is where the value stands.
void appendPretty(std::string& out, const Json& value, std::size_t indent) {
  if ((!value.isObject() && !value.isArray()) || value.size() == 0) {
    out += value.dump();
    return;
  }
  const bool is_object = value.isObject();
  out += is_object ? '{' : '[';
  for (std::size_t i = 0; i < value.size(); ++i) {
    (out += i == 0 ? "\n" : ",\n").append(indent + 2, ' ');
    if (is_object) (out += Json(value.names()[i]).dump()) += ": ";
    appendPretty(out, value.items()[i], indent + 2);
  }
  (out += '\n').append(indent, ' ') += is_object ? '}' : ']';
}

// An object that is written in pieces: its members so far, without the end.
std::string opened(const Json& record, std::size_t indent) {
  std::string out;
  appendPretty(out, record, indent);
  if (!record.isObject() || record.size() == 0) return "{";
  out.erase(out.rfind('\n'));
  return out + ",";
}

/// Writes meta.json chapter by chapter, from the chapters that went into the book.
class MetaWriter {
 public:
  MetaWriter(ZipWriter& zip, const Novel& novel) : zip_(zip) {
    zip_.begin("meta.json");
    zip_.write(opened(novel.record, 0) + "\n  \"volumes\": [");
  }
  void volume(const Json& record) {
    endVolume();
    zip_.write((any_volume_ ? ",\n    " : "\n    ") + opened(record, 4) + "\n      \"chapters\": [");
    any_volume_ = in_volume_ = true;
    any_chapter_ = false;
  }
  void chapter(const Json& record) {
    std::string out = any_chapter_ ? ",\n        " : "\n        ";
    appendPretty(out, record, 8);
    zip_.write(out);
    any_chapter_ = true;
  }
  void finish() {
    endVolume();
    zip_.write(any_volume_ ? "\n  ]\n}\n" : "]\n}\n");
  }

 private:
  void endVolume() {
    if (in_volume_) zip_.write("\n      ]\n    }");
    in_volume_ = false;
  }

  ZipWriter& zip_;
  bool any_volume_ = false, in_volume_ = false, any_chapter_ = false;
};

}  // namespace

BookReport writeJson(BookSource& source, int fd, const BookLimits& limits, const BuildHooks& hooks) {
  const Novel novel = source.novel();
  ZipWriter zip(fd);
  ImageShelf shelf(source, zip, "", ImageShelf::Naming::AsIs, limits, hooks.stop);
  const bool cover = shelf.addCover().has_value();
  BookWalk walk(source, limits, hooks);
  const ImageResolver resolve = shelf.resolver();
  std::unordered_set<int> written;
  while (const BookChapter* chapter = walk.next()) {
    (void)toText(chapter->html, resolve);  // for its pictures
    Json record = chapter->chapter.record;
    record.set("content", cleanText(chapter->html));
    std::string out;
    appendPretty(out, record, 0);
    zip.add(padded(chapter->volume != nullptr ? chapter->volume->serial : 0, 3) + "/" +
                padded(chapter->chapter.serial, 5) + ".json",
            out + "\n");
    written.insert(chapter->chapter.serial);
    walk.written();
  }

  MetaWriter meta(zip, novel);
  const auto cursor = source.chapters();
  const Volume* volume = nullptr;
  bool first = true;
  while (const auto chapter = cursor->next()) {
    support::checkStop(hooks.stop);
    if (!written.contains(chapter->serial)) continue;
    const Volume* own = chapter->volume_serial ? walk.volume(*chapter->volume_serial) : nullptr;
    if (first || own != volume) meta.volume(own != nullptr ? own->record : Json{{"serial", 0}, {"title", ""}});
    first = false;
    volume = own;
    meta.chapter(chapter->record);
  }
  meta.finish();

  BookReport report = walk.report();
  report.cover = cover;
  report.images = shelf.images().size();
  report.missing_images = shelf.missing();
  report.size_bytes = zip.finish();
  return report;
}

}  // namespace jobhost::artifact
