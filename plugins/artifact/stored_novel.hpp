#pragma once

#include <jobhost/plugin.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/book_source.hpp"
#include "artifact/build.hpp"
#include "artifact/settings.hpp"
#include "artifact/stored_files.hpp"

namespace jobhost::artifact {

/// A novel as fetch-novel keeps it: records of its collections, and the files below lncrawl_dir.
///
/// What the records say is taken when it is made, so that a refresh meanwhile does not mix two states of the book:
/// about 500 bytes a chapter are held. Bodies and pictures are read as they are asked for.
///
/// Chapters come volume by volume as the volumes are numbered, those without a volume first. A serial that occurs
/// twice, as between two refreshes, is a new one after the last for whom it met second. A body that does not unpack
/// counts as missing, with a warning in the job's log.
class StoredNovel final : public BookSource {
 public:
  /// Throws Failure artifact.no_novel, Error and Cancelled of the host's. `job` is borrowed; `novel_id` is a file id.
  StoredNovel(Job& job, const Settings& settings, const std::string& novel_id, const BookLimits& limits = {});

  Novel novel() override { return novel_; }
  std::vector<Volume> volumes() override { return volumes_; }
  std::unique_ptr<ChapterCursor> chapters() override;
  std::optional<std::string> body(const Chapter& chapter) override;
  std::optional<std::string> image(std::string_view id) override { return files_.image(id, limits_.max_image_bytes); }
  std::optional<std::string> cover() override { return files_.cover(limits_.max_image_bytes); }

  /// Throws Failure artifact.no_novel when the novel has been deleted since.
  void checkThere() const;
  [[nodiscard]] std::size_t chapterCount() const { return chapters_.size(); }
  /// The cover's file; empty when there is none.
  [[nodiscard]] std::filesystem::path coverPath() const;

 private:
  struct Row {
    std::string id, title, record;  ///< record: the Chapter object as JSON
    int serial = 0;
    std::optional<int> volume_serial;
  };
  class Cursor;

  void readNovel(const Record& record);
  void readVolumes();
  void readChapters();

  Job& job_;
  std::filesystem::path folder_;
  std::string id_;
  BookLimits limits_;
  StoredFiles files_;
  Novel novel_;
  std::vector<Volume> volumes_;                          // by serial
  std::vector<std::pair<std::string, int>> volume_ids_;  // sorted: the serial of each
  std::vector<Row> chapters_;                            // in reading order
};

}  // namespace jobhost::artifact
