#pragma once

#include <jobhost/plugin.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "fetch-novel/body.hpp"
#include "fetch-novel/files.hpp"
#include "fetch-novel/novel.hpp"
#include "fetch-novel/refresh.hpp"

namespace jobhost::novel {

/// The records of novels and the files that belong to them. Everything is stored at once, in an order that a process
/// killed between two steps leaves nothing wrong behind: the next run goes on from what is there.
///
/// One thread; borrows the job. Throws Error and Cancelled as Records do, support::Failure as Files does.
class Shelf {
 public:
  Shelf(Job& job, const Files& files);

  /// What a record becomes; nullopt: it stays as it is.
  struct Row {
    Json value;
    std::string parent;
    Json sort;
  };
  using Change = std::function<std::optional<Row>(const std::optional<Record>& before)>;
  /// Reads, changes and writes one record, again when somebody else wrote it meanwhile.
  void change(const Records& in, const std::string& key, const Change& change) const;

  /// What comes of storing a novel.
  struct Stored {
    std::string id;
    std::string title;                 ///< as it is stored, which may be shorter
    std::vector<std::string> volumes;  ///< ids in order
    std::size_t chapter_count = 0;     ///< those that stay though the list lacks them too
    int added = 0, changed = 0, removed = 0, kept = 0;
  };
  /// Brings volumes and chapters in line with the fresh list, then the novel. Chapters keep id, text and images where
  /// address or title say that they are the same; those that are no longer listed go with their files, unless
  /// whyKept() has a reason, which is logged. The novel's record comes last: before it nobody counts the rest. `more`:
  /// further members of it.
  Stored storeNovel(Novel novel, int version, const Json& more);

  /// Brings a chapter's rows of images in line, in this order; rows no longer there go with their files.
  void keepImages(const std::string& novel, const std::string& chapter, const std::vector<BodyImage>& images,
                  int version);
  void dropImages(const std::string& novel, const std::string& chapter, const std::vector<BodyImage>& images);

  [[nodiscard]] std::vector<std::string> volumesOf(const std::string& novel) const;

  const Records novels, volumes, chapters, images;

 private:
  struct Known;
  [[nodiscard]] std::vector<Known> chaptersOf(const std::string& novel) const;
  [[nodiscard]] std::vector<StoredChapter> comparable(const std::string& novel, const std::vector<Known>& known) const;
  std::vector<std::string> storeVolumes(const std::string& novel, const std::vector<Volume>& fresh,
                                        std::vector<std::string>& stale);
  void storeChapter(const std::string& novel, const std::string& id, const std::string& volume, const Chapter& chapter,
                    int version);
  void removeChapter(const std::string& novel, const std::string& id);

  Job& job_;
  const Files& files_;
};

/// The id of the novel at a normalised address.
std::string novelId(const std::string& url);

}  // namespace jobhost::novel
