#include "store/sql_record_reads.hpp"

#include <algorithm>
#include <utility>

#include "core/json_text.hpp"
#include "store/record_errors.hpp"

namespace jobhost::store {

namespace {

// Column 8 has the body where it is asked for; its length is there in any case.
constexpr char kColumns[] =
    "r.key, r.version, r.created_at, r.updated_at, r.expires_at, r.parent, r.sort, length(r.body)";

Record readRecord(const Query& query, bool with_body) {
  Record record;
  record.key = query.text(0);
  record.version = query.number(1);
  record.created_at = core::fromMicros(query.number(2));
  record.updated_at = core::fromMicros(query.number(3));
  if (const auto at = query.numberOrNull(4)) record.expires_at = core::fromMicros(*at);
  record.parent = query.text(5);
  record.sort = query.text(6);
  record.body_bytes = static_cast<std::size_t>(query.number(7));
  if (with_body) record.body = query.text(8);
  return record;
}

std::string select(bool with_body) {
  return std::string("SELECT ") + kColumns + (with_body ? ", r.body" : "");
}

RecordPage readPage(Query& query, const RecordQuery& asked) {
  RecordPage page;
  std::size_t bytes = 0;
  while (query.step()) {
    if (page.records.size() >= static_cast<std::size_t>(asked.limit) || bytes > kMaxRecordPageBytes) {
      page.more = true;
      break;
    }
    page.records.push_back(readRecord(query, asked.with_bodies));
    bytes += page.records.back().key.size() + page.records.back().body.size();
  }
  return page;
}

}  // namespace

std::vector<std::string> RecordReads::indexes(std::int64_t collection) {
  std::vector<std::string> names;
  Statement& statement = reader_.prepared("SELECT name FROM record_fields WHERE collection = $1 AND state < 2");
  for (Query query(statement, collection); query.step();) names.push_back(query.text(0));
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<CollectionInfo> RecordReads::collections(const std::string& plugin) {
  std::vector<std::pair<std::int64_t, CollectionInfo>> found;
  Statement& statement =
      reader_.prepared("SELECT id, name, records FROM record_collections WHERE plugin = $1 ORDER BY name");
  for (Query query(statement, plugin); query.step();) {
    if (!isKeySpace(query.view(1))) found.push_back({query.number(0), {query.text(1), {}, query.number(2)}});
  }
  std::vector<CollectionInfo> all;
  for (auto& [id, info] : found) {
    info.indexes = indexes(id);
    all.push_back(std::move(info));
  }
  return all;
}

core::Result<RecordReads::Place> RecordReads::find(const std::string& plugin, const std::string& name) {
  Query query(reader_.prepared("SELECT id, records FROM record_collections WHERE plugin = $1 AND name = $2"), plugin,
              name);
  if (query.step()) return Place{query.number(0), query.number(1)};
  if (isKeySpace(name)) return Place{};
  return noCollection(plugin, name);
}

core::Result<CollectionInfo> RecordReads::collection(const std::string& plugin, const std::string& name) {
  const auto place = find(plugin, name);
  if (!place) return place.error();
  return CollectionInfo{name, indexes(place->id), place->records};
}

core::Result<std::optional<Record>> RecordReads::record(const RecordRef& at, bool with_body) {
  const auto place = find(at.plugin, at.collection);
  if (!place) return place.error();
  Query query(reader_.prepared(select(with_body) + " FROM records r WHERE r.collection = $1 AND r.key = $2 AND "
                                                   "(r.expires_at IS NULL OR r.expires_at > $3)"),
              place->id, at.key, now_);
  if (!query.step()) return std::optional<Record>();
  return std::optional(readRecord(query, with_body));
}

core::Result<std::int64_t> RecordReads::fieldFor(const Place& place, const RecordQuery& query) {
  Query found(reader_.prepared(
                  "SELECT id, state FROM record_fields WHERE collection = $1 AND name = $2 AND state < 2 ORDER BY id"),
              place.id, query.field);
  if (!found.step()) return noIndex(query.collection, query.field);
  if (found.number(1) == 0) {
    return core::Error{
        core::ErrorCode::Unavailable,
        "the index of collection \"" + query.collection + "\" on \"" + query.field + "\" is still being built",
        {},
        {}};
  }
  return found.number(0);
}

core::Result<RecordPage> RecordReads::records(const RecordQuery& asked) {
  const auto place = find(asked.plugin, asked.collection);
  if (!place) return place.error();
  const std::string order = asked.descending ? " DESC" : "";
  const std::string than = asked.descending ? " < " : " > ";
  const std::string fresh = " AND (r.expires_at IS NULL OR r.expires_at > ";
  const RecordQuery::Cursor none;
  const RecordQuery::Cursor& after = asked.after ? *asked.after : none;
  const int rows = std::clamp(asked.limit, 1, kMaxRecordPage) + 1;
  const bool from = asked.after.has_value();

  if (asked.by == RecordQuery::By::Key) {
    // No UTF-8 text has a byte 0xFF, so this is behind all that begin with the prefix.
    const std::string low = from && !asked.descending ? after.key : asked.prefix;
    const std::string high = from && asked.descending ? after.key : asked.prefix + "\xFF";
    const std::string bounds =
        std::string(" AND r.key ") + (from && !asked.descending ? ">" : ">=") + " $2 AND r.key < $3";
    Query query(reader_.prepared(select(asked.with_bodies) + " FROM records r WHERE r.collection = $1" + bounds +
                                 fresh + "$4) ORDER BY r.key" + order + " LIMIT $5"),
                place->id, low, high, now_, rows);
    return readPage(query, asked);
  }
  if (asked.by == RecordQuery::By::Parent) {
    const std::string bounds = from ? " AND (r.sort, r.key)" + than + "($3, $4)" : " AND $3 = $3 AND $4 = $4";
    Query query(
        reader_.prepared(select(asked.with_bodies) + " FROM records r WHERE r.collection = $1 AND r.parent = $2" +
                         bounds + fresh + "$5) ORDER BY r.sort" + order + ", r.key" + order + " LIMIT $6"),
        place->id, asked.parent, Blob{after.sort}, after.key, now_, rows);
    return readPage(query, asked);
  }
  const auto field = fieldFor(*place, asked);
  if (!field) return field.error();
  const std::string bounds = from ? " AND (v.sort, v.key)" + than + "($3, $4)" : " AND $3 = $3 AND $4 = $4";
  Query query(reader_.prepared(select(asked.with_bodies) +
                               " FROM record_values v CROSS JOIN records r WHERE v.field = $1 AND v.value = $2" +
                               bounds + " AND r.collection = $5 AND r.key = v.key ORDER BY v.sort" + order + ", v.key" +
                               order + " LIMIT $6"),
              *field, Blob{asked.value}, Blob{after.sort}, after.key, place->id, rows);
  return readPage(query, asked);
}

core::Result<std::int64_t> RecordReads::count(const RecordQuery& asked) {
  const auto place = find(asked.plugin, asked.collection);
  if (!place) return place.error();
  std::string keys;
  for (const auto& key : asked.among) core::appendJsonString(keys.append(keys.empty() ? "[" : ","), key);
  if (!keys.empty()) keys += ']';
  const auto among = [&](const std::string& select, const char* column, const char* parameter) {
    return keys.empty() ? select + " AND " + parameter + " = ''"
                        : select + " AND " + column + " IN (SELECT value FROM json_each(" + parameter + "))";
  };
  switch (asked.by) {
    case RecordQuery::By::Key: {
      if (asked.prefix.empty() && keys.empty()) return place->records;
      const std::string high = asked.prefix + "\xFF";
      Query query(
          reader_.prepared(among(
              "SELECT count(*) FROM records r WHERE r.collection = $1 AND r.key >= $2 AND r.key < $3", "r.key", "$4")),
          place->id, asked.prefix, high, keys);
      query.step();
      return query.number(0);
    }
    case RecordQuery::By::Parent: {
      Query query(reader_.prepared(
                      among("SELECT count(*) FROM records r WHERE r.collection = $1 AND r.parent = $2", "r.key", "$3")),
                  place->id, asked.parent, keys);
      query.step();
      return query.number(0);
    }
    case RecordQuery::By::Value: {
      const auto field = fieldFor(*place, asked);
      if (!field) return field.error();
      Query query(reader_.prepared(
                      among("SELECT count(*) FROM record_values v WHERE v.field = $1 AND v.value = $2", "v.key", "$3")),
                  *field, Blob{asked.value}, keys);
      query.step();
      return query.number(0);
    }
  }
  return std::int64_t{0};
}

}  // namespace jobhost::store
