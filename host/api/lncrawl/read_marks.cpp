#include "api/lncrawl/read_marks.hpp"

#include <utility>
#include <vector>

#include "api/json_writer.hpp"
#include "api/lncrawl/collections.hpp"
#include "api/lncrawl/record_slice.hpp"

namespace jobhost::api::lncrawl {
namespace {

constexpr int kRemovedAtOnce = 500;
constexpr int kMostRounds = 4'000;  ///< 2 000 000 records

std::string shelfOf(const std::string& user, const std::string& novel) {
  return user + "/" + novel;
}

std::string keyOf(const std::string& user, const std::string& chapter) {
  return user + "/" + chapter;
}

}  // namespace

core::Result<void> ReadMarks::declare() {
  if (declared_) return {};
  const auto declared =
      records_.declareCollections(std::string(kReadMarks.plugin), {{std::string(kReadMarks.collection), {"novel_id"}}});
  if (!declared) return declared.error();
  declared_ = true;
  return {};
}

core::Result<void> ReadMarks::mark(const std::string& user, const std::string& novel, const std::string& chapter) {
  if (auto declared = declare(); !declared) return declared;
  store::RecordWrite write;
  write.at = kReadMarks.at(keyOf(user, chapter));
  const auto there = records_.record(write.at, false);
  if (!there) return there.error();
  if (*there) return {};
  JsonWriter json;
  json.beginObject().key("novel_id").string(novel).key("chapter_id").string(chapter).endObject();
  write.body = json.take();
  write.parent = shelfOf(user, novel);
  std::vector<store::RecordWrite> writes;
  writes.push_back(std::move(write));
  return writeNow(records_, std::move(writes));
}

core::Result<std::string> ReadMarks::ofNovel(const std::string& user, const std::string& novel) {
  auto query = kReadMarks.childrenOf(shelfOf(user, novel));
  query.with_bodies = false;
  JsonWriter json;
  json.beginObject();
  const auto read = eachRecord(records_, std::move(query), kMostScanned, [&](const store::Record& mark) {
    json.key(std::string_view(mark.key).substr(user.size() + 1)).boolean(true);
    return true;
  });
  if (!read) return read.error();
  return json.endObject().take();
}

core::Result<void> ReadMarks::forgetNovel(const std::string& novel) {
  const auto query = kReadMarks.having("novel_id", novel);
  return query ? removeAll(records_, *query) : core::Result<void>();
}

core::Result<void> removeAll(store::RecordStore& records, store::RecordQuery query) {
  query.with_bodies = false;
  for (int round = 0; round < kMostRounds; ++round) {
    std::vector<store::RecordWrite> writes;
    const auto read = eachRecord(records, query, kRemovedAtOnce, [&](const store::Record& record) {
      store::RecordWrite write;
      write.at = {query.plugin, query.collection, record.key};
      writes.push_back(std::move(write));
      return true;
    });
    if (!read) return read.error();
    if (writes.empty()) return {};
    if (auto removed = writeNow(records, std::move(writes)); !removed) return removed;
  }
  return core::Error{core::ErrorCode::Conflict, "it is still being written to; cancel its jobs first", "", {}};
}

}  // namespace jobhost::api::lncrawl
