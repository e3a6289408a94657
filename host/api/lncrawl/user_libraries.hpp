#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/lncrawl/library.hpp"
#include "api/lncrawl/own_records.hpp"
#include "api/lncrawl/parts.hpp"

namespace jobhost::api::lncrawl {

/// The collections of novels that users make and may share with everybody: what the routes below /api/library answer.
/// A library is its owner's and the admins' to change; a private one is theirs alone to see. Records of this surface's
/// own. What a user had who was deleted goes when it is met. Each handler gets a caller who is known already.
/// Thread-safety: every method from any thread.
class UserLibraries {
 public:
  /// Borrows what the parts refer to, and the store, until destroyed.
  UserLibraries(const Parts& parts, store::RecordStore& store)
      : parts_(parts), records_(store), novels_(parts, store) {}

  enum class Whose { Callers, Everybodys, All };
  /// A page of libraries, the last changed first.
  Response list(const Call& call, Whose whose) const;
  /// All of the caller's, in short.
  Response names(const Call& call) const;
  Response create(const Call& call);
  Response show(const Call& call) const;
  Response change(const Call& call);
  Response remove(const Call& call);
  /// A page of a library's novels, the last changed first.
  Response novels(const Call& call) const;
  Response addNovel(const Call& call);
  /// `false` where the novel is not in it.
  Response takeNovel(const Call& call);

 private:
  /// The library that the call's path names, where the caller may see it, or change it; else what to answer.
  struct Found {
    std::optional<RecordDoc> library;
    Response refusal;
  };
  enum class For { Reading, Changing };
  [[nodiscard]] Found find(const Call& call, For purpose) const;
  /// Whether nobody owns it: its user was deleted, or its own removal was cut short.
  [[nodiscard]] bool isOrphan(const RecordDoc& library) const;
  /// The record stays, with nothing in it, until the last link is gone: who is cut short is found again.
  core::Result<void> erase(const std::string& id) const;
  /// Removes the orphans among all libraries, before the first look at them.
  void sweepOnce() const;
  /// Removes the link and dates the library anew.
  core::Result<void> unlink(const RecordDoc& library, const std::string& novel);
  [[nodiscard]] core::Result<std::vector<std::string>> novelsOf(const std::string& library) const;
  /// The library's own record as it is, dated now.
  [[nodiscard]] store::RecordWrite touched(const RecordDoc& library) const;
  [[nodiscard]] store::RecordWrite dated(std::string key, std::string body) const;
  [[nodiscard]] core::Result<void> write(JsonWriter& json, const RecordDoc& library) const;
  [[nodiscard]] Response answerLibrary(const std::string& id) const;

  const Parts parts_;
  mutable OwnRecords records_;
  mutable std::once_flag swept_;
  const Library novels_;
  std::mutex changing_;  ///< one change at a time: each reads a record and writes it
};

}  // namespace jobhost::api::lncrawl
