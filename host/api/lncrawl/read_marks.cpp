#include "api/lncrawl/read_marks.hpp"

#include <utility>
#include <vector>

#include "api/json_writer.hpp"
#include "api/lncrawl/collections.hpp"
#include "api/lncrawl/record_slice.hpp"

namespace jobhost::api::lncrawl {
namespace {

std::string shelfOf(const std::string& user, const std::string& novel) {
  return user + "/" + novel;
}

std::string keyOf(const std::string& user, const std::string& chapter) {
  return user + "/" + chapter;
}

}  // namespace

core::Result<void> ReadMarks::mark(const std::string& user, const std::string& novel, const std::string& chapter) {
  const auto key = keyOf(user, chapter);
  const auto there = peekRecord(records_.store(), kReadMarks.at(key));
  if (!there) return there.error();
  if (*there) return {};
  JsonWriter json;
  json.beginObject().key("novel_id").string(novel).key("chapter_id").string(chapter).endObject();
  return records_.write({writeOf(kReadMarks, key, json.take(), shelfOf(user, novel))});
}

core::Result<std::string> ReadMarks::ofNovel(const std::string& user, const std::string& novel) {
  auto query = kReadMarks.childrenOf(shelfOf(user, novel));
  query.with_bodies = false;
  JsonWriter json;
  json.beginObject();
  core::Result<void> looked;
  const auto read = eachRecord(records_.store(), std::move(query), kMostScanned, [&](const store::Record& mark) {
    const auto chapter = mark.key.substr(user.size() + 1);
    const auto there = peekRecord(records_.store(), kChapters.at(chapter));  // a list may have lost it since
    if (there && *there) json.key(chapter).boolean(true);
    if (!there) looked = there.error();
    return looked.ok();
  });
  if (!read) return read.error();
  if (!looked) return looked.error();
  return json.endObject().take();
}

core::Result<void> ReadMarks::forgetNovel(const std::string& novel) {
  const auto query = kReadMarks.having("novel_id", novel);
  return query ? removeAll(records_.store(), *query) : core::Result<void>();
}

}  // namespace jobhost::api::lncrawl
