#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "api/lncrawl/collections.hpp"
#include "api/lncrawl/library_files.hpp"
#include "api/lncrawl/parts.hpp"
#include "api/lncrawl/read_marks.hpp"
#include "api/lncrawl/record_slice.hpp"

namespace jobhost::api::lncrawl {

/// What the routes of contracts/lncrawl.md section 2 answer: what the plugins fetched and made, read from their records
/// and files. Each handler gets a caller who is known already. Thread-safety: every method from any thread.
class Library {
 public:
  /// Borrows what the parts refer to, and the store, until destroyed.
  Library(const Parts& parts, store::RecordStore& store);

  Response novels(const Request& request) const;
  Response novel(const std::string& id) const;
  /// With its volumes, chapters, images, artifacts, read marks, places in libraries and files; its jobs that have not
  /// ended are canceled.
  Response removeNovel(const std::string& id);
  Response novelVolumes(const std::string& id) const;
  Response novelChapters(const Request& request, const std::string& id) const;
  /// The latest of each format.
  Response novelArtifacts(const std::string& id) const;

  Response volume(const std::string& id) const;
  Response volumeChapters(const Request& request, const std::string& id) const;
  Response chapter(const std::string& id) const;
  Response chapterImages(const Request& request, const std::string& id) const;
  /// Text and neighbours; the chapter counts as read by the caller from now on.
  Response readChapter(const Principal& caller, const std::string& id);
  Response readHistory(const Principal& caller, const Request& request);

  Response artifacts(const Request& request) const;
  Response artifact(const std::string& id) const;

  Response sources() const;
  /// The same with an ETag, to be kept for hours.
  Response supportedSources(const Request& request) const;

  /// As every route shows one.
  void showNovel(JsonWriter& json, const RecordDoc& record) const;

  /// `/static/{path}`, for whoever has a token in the query.
  Response file(const Request& request, const std::string& path) const;

 private:
  using Write = std::function<void(JsonWriter&, const RecordDoc&)>;

  [[nodiscard]] core::Result<std::optional<RecordDoc>> find(const Shelf& shelf, const std::string& id) const;
  /// `what` names it in the 404.
  [[nodiscard]] Response one(const Shelf& shelf, const std::string& id, std::string_view what,
                             const Write& write) const;
  [[nodiscard]] Response page(const core::Result<Slice>& slice, const QueryFields::Span& span,
                              const Write& write) const;
  /// A plain array of all the query is for, at most kMostScanned.
  [[nodiscard]] Response array(store::RecordQuery query, const Write& write) const;
  [[nodiscard]] core::Result<std::string> neighbour(const store::Record& chapter, const std::string& novel,
                                                    bool before) const;
  [[nodiscard]] core::Result<std::string> sourcesJson() const;
  core::Result<void> cancelJobsOf(const std::string& novel) const;
  core::Result<void> clearNovel(const std::string& id);
  [[nodiscard]] std::optional<std::string> jobOf(const RecordDoc& artifact) const;

  void showChapter(JsonWriter& json, const RecordDoc& record) const;
  void showArtifact(JsonWriter& json, const RecordDoc& record) const;

  const Parts parts_;
  store::RecordStore& store_;
  ConfinedFolder files_;
  ReadMarks marks_;
};

}  // namespace jobhost::api::lncrawl
