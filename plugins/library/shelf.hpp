#pragma once

#include <jobhost/plugin.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace jobhost::library {

/// What the library knows of one archive: the members of its record that this plugin reads. Others write some of them
/// too (`thumbhash`), so records are changed member by member, never written from this.
struct ArchiveEntry {
  std::string id;
  std::string file;  ///< relative to the content folder; empty: it is gone
  std::string title;
  std::string tags;
  std::string thumbhash;  ///< SHA-1 of the first page's bytes; empty: no cover was made yet
  std::string phash;      ///< 16 hex digits; empty: not computed yet
  std::string phash_of;   ///< the thumbhash it was computed for
  std::int64_t size = 0;
  std::int64_t mtime_ms = 0;
  bool isnew = false;
};

/// The library's records, as one attempt sees them. Everything is stored at once (PutOptions::now): each change makes
/// sense by itself, and jobs that run at the same time see it.
///
/// Threads: any. Throws Error and Cancelled, as Records does.
class Shelf {
 public:
  explicit Shelf(Job& job) : job_(job) {}

  [[nodiscard]] std::optional<Json> archive(const std::string& id) const;
  /// Every archive, a page of records at a time.
  [[nodiscard]] std::vector<ArchiveEntry> archives() const;

  /// Changes a record by `change`, which gets its value (an empty object where there is none), or makes it; done again
  /// when somebody else was faster. `change` answers false to leave it as it is. Answers the value that is there then,
  /// null where there is none.
  Json update(const std::string& collection, const std::string& key,
              const std::function<bool(Json& value)>& change) const;

  /// The archive a URL (normalised) was loaded as.
  [[nodiscard]] std::optional<std::string> archiveOfUrl(const std::string& normal_url) const;
  void rememberUrl(const std::string& normal_url, const std::string& id) const;

  /// The record's value at "archives/<id>" as an entry.
  [[nodiscard]] static ArchiveEntry entryOf(const std::string& id, const Json& value);

 private:
  Job& job_;
};

}  // namespace jobhost::library
