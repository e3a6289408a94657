#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "artifact/books.hpp"

namespace jobhost::artifact::testing {

/// A JPEG, PNG or GIF of one colour, whole enough for every reader.
[[nodiscard]] std::string jpeg();
[[nodiscard]] std::string png();
[[nodiscard]] std::string gif();

/// A book in memory. add() verbs build it; the members may be set as a test likes.
class FakeBook : public BookSource {
 public:
  FakeBook();

  /// Volumes have the serials 1, 2, …; chapters go into the last one.
  FakeBook& volume(const std::string& title);
  FakeBook& chapter(const std::string& title, std::optional<std::string> html);
  FakeBook& image(const std::string& id, std::string bytes);

  Novel novel() override { return facts; }
  std::vector<Volume> volumes() override { return parts; }
  std::unique_ptr<ChapterCursor> chapters() override;
  std::optional<std::string> body(const Chapter& chapter) override;
  std::optional<std::string> image(std::string_view id) override;
  std::optional<std::string> cover() override { return cover_bytes; }

  struct Entry {
    Chapter chapter;
    std::optional<std::string> html;
  };
  Novel facts;
  std::vector<Volume> parts;
  std::vector<Entry> entries;
  std::map<std::string, std::string, std::less<>> images;
  std::optional<std::string> cover_bytes;
};

/// The names of all entries of a ZIP in order, and the bytes of one; throws when there is none.
[[nodiscard]] std::vector<std::string> namesIn(const std::string& path);
[[nodiscard]] std::string entryIn(const std::string& path, const std::string& name);

/// What one of the writers made: a file that goes with its owner.
class Written {
 public:
  using Writer = BookReport (*)(BookSource&, int, const BookLimits&, const BuildHooks&);
  Written(Writer writer, BookSource& source, const BookLimits& limits = {}, const BuildHooks& hooks = {});
  ~Written();
  Written(const Written&) = delete;
  Written& operator=(const Written&) = delete;

  [[nodiscard]] std::string path() const { return path_; }
  [[nodiscard]] std::string bytes() const;
  [[nodiscard]] std::vector<std::string> names() const { return namesIn(path_); }
  [[nodiscard]] std::string entry(const std::string& name) const { return entryIn(path_, name); }
  BookReport report;

 private:
  std::string path_;
};

/// The book as EPUB; for the many tests that want one.
struct Epub : Written {
  explicit Epub(BookSource& source, const BookLimits& limits = {}, const BuildHooks& hooks = {})
      : Written(&writeEpub, source, limits, hooks) {}
};

}  // namespace jobhost::artifact::testing
