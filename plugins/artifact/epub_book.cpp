#include "artifact/body.hpp"
#include "artifact/books.hpp"
#include "artifact/epub_pages.hpp"
#include "artifact/images.hpp"
#include "artifact/zip_writer.hpp"

namespace jobhost::artifact {

BookReport writeEpub(BookSource& source, int fd, const BookLimits& limits, const BuildHooks& hooks) {
  EpubBook book = EpubBook::of(source.novel());
  if (book.id.empty()) {
    throw support::Failure(support::FailureKind::BadInput, "artifact.no_id", "the novel has no id");
  }
  if (book.synopsis_html.size() > limits.max_body_bytes) book.synopsis_html.clear();
  ZipWriter zip(fd);
  zip.add("mimetype", "application/epub+zip", ZipWriter::Method::Stored);
  zip.add("META-INF/container.xml", containerFile());
  zip.add("EPUB/style.css", styleSheet());
  ImageShelf shelf(source, zip, "EPUB/", ImageShelf::Naming::ByType, limits, hooks.stop);
  book.cover = shelf.addCover();
  if (book.cover) {
    zip.add("EPUB/cover.xhtml", coverPage(book));
    zip.add("EPUB/front.xhtml", frontPage(book));
  }
  zip.add("EPUB/intro.xhtml", introPage(book));

  std::vector<EpubEntry> entries;
  BookWalk walk(source, limits, hooks);
  const ImageResolver resolve = shelf.resolver();
  while (const BookChapter* chapter = walk.next()) {
    if (chapter->begins_volume) {
      entries.push_back({EpubEntry::Kind::Volume, chapter->volume->serial, volumeTitle(*chapter->volume)});
      zip.add("EPUB/" + volumeFile(chapter->volume->serial), volumePage(book, entries.back().title));
    }
    const int serial = chapter->chapter.serial;
    entries.push_back({chapter->volume != nullptr ? EpubEntry::Kind::Chapter : EpubEntry::Kind::LooseChapter, serial,
                       chapter->title});
    const std::string body = toXhtml(chapter->html, resolve);  // its pictures go in before it
    zip.add("EPUB/" + chapterFile(serial), chapterPage(book, serial, chapter->title, body));
    walk.written();
  }
  zip.add("EPUB/nav.xhtml", navPage(book, entries));
  zip.add("EPUB/toc.ncx", ncxFile(book, entries));
  zip.add("EPUB/content.opf", packageFile(book, entries, shelf.images()));

  BookReport report = walk.report();
  report.cover = book.cover.has_value();
  report.images = shelf.images().size();
  report.missing_images = shelf.missing();
  report.size_bytes = zip.finish();
  return report;
}

}  // namespace jobhost::artifact
