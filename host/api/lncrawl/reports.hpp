#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "api/lncrawl/own_records.hpp"
#include "api/lncrawl/parts.hpp"

namespace jobhost::api::lncrawl {

/// What users report to those who run the host (the client's Report button, and its page of feedback), with the
/// answers: what the routes below /api/feedback answer. Everybody reads all of them, as upstream has it; a report is
/// its author's to change, and an admin's to answer; what a user reported who was deleted goes when it is met. Each
/// handler gets a caller who is known already. Thread-safety: every method from any thread.
class Reports {
 public:
  /// Borrows what the parts refer to, and the store, until destroyed.
  Reports(const Parts& parts, store::RecordStore& store) : parts_(parts), records_(store) {}

  /// A page, the newest first.
  Response list(const Call& call) const;
  Response create(const Call& call);
  Response show(const Call& call) const;
  Response change(const Call& call);
  /// Status and notes of an admin.
  Response respond(const Call& call);
  /// `true` of one that is not there too.
  Response remove(const Call& call);

 private:
  struct Report;

  /// None of a user who was deleted.
  [[nodiscard]] core::Result<std::optional<RecordDoc>> find(const Call& call) const;
  [[nodiscard]] bool isOrphan(const RecordDoc& report) const;
  void write(JsonWriter& json, const RecordDoc& record) const;
  /// `sort`: where it stands among the others, an order key.
  Response put(std::string id, const Report& report, std::string sort);

  const Parts parts_;
  mutable OwnRecords records_;
  std::mutex changing_;  ///< one change at a time: each reads a record and writes it
};

}  // namespace jobhost::api::lncrawl
