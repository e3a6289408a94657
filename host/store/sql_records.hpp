#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "store/record.hpp"
#include "store/sql_database.hpp"
#include "store/sql_ledger.hpp"

namespace jobhost::store {

/// What changes records, inside the writer's transaction. Writer thread only; methods throw SqlError.
class RecordOps {
 public:
  RecordOps(Database& database, Ledger& ledger, RecordQuota quota);

  /// See RecordStore::writeRecords.
  core::Result<std::vector<std::int64_t>> write(std::span<const RecordWrite* const> writes);
  /// See RecordStore::declareCollections; what is checked without a database has been.
  bool declare(const std::string& plugin, const std::vector<CollectionSpec>& collections);
  /// See RecordStore::reindex.
  bool reindex(int records);
  /// Removes at most `limit` records whose time is over; answers how many.
  int forgetExpired(int limit);
  /// Removes what was kept for one job alone.
  void eraseOfJob(core::JobId job);
  /// Forgets what it knows of the database (the transaction was rolled back).
  void reset();

 private:
  enum class FieldState : int { Building = 0, Ready = 1, Leaving = 2 };
  struct Field {
    std::int64_t id = 0;
    std::string name;
  };
  struct Collection {
    std::int64_t id = 0;
    std::string plugin;
    std::int64_t records = 0;
    std::int64_t bytes = 0;
    std::int64_t last_version = 0;
    std::vector<Field> fields;  ///< that are kept up: being built, or ready
    bool changed = false;
  };
  struct Totals {
    std::int64_t records = 0;
    std::int64_t bytes = 0;
  };
  /// What a write meets.
  struct Found {
    Collection* collection = nullptr;
    bool exists = false;  ///< there is a row, perhaps an expired one
    std::int64_t bytes = 0;
  };
  using Name = std::pair<std::string, std::string>;

  core::Result<std::vector<Found>> admit(std::span<const RecordWrite* const> writes);
  core::Result<Collection*> collection(const std::string& plugin, const std::string& name);
  Collection& loaded(const Name& name, std::int64_t id, const std::string& plugin);
  Collection& make(const Name& name);
  Totals& totals(const std::string& plugin);
  void add(Collection& to, std::int64_t records, std::int64_t bytes);
  void put(Found& found, const RecordWrite& write);
  void erase(Found& found, const std::string& key);
  void dropValues(const Collection& collection, const std::string& key);
  void addValues(std::int64_t field, const std::string& name, std::string_view body, std::string_view sort,
                 std::string_view key);
  bool build(std::int64_t field, int records);
  bool removeField(std::int64_t field, int values);
  void flush();

  Database& database_;
  Ledger& ledger_;
  const RecordQuota quota_;
  std::map<Name, Collection> collections_;  ///< as far as they were needed
  std::map<std::string, Totals> totals_;    ///< by plugin
  Statement find_collection_, insert_collection_, save_collection_, plugin_totals_, fields_, insert_field_,
      leave_field_, drop_field_, open_field_, save_field_;
  Statement find_, body_, put_, erase_, add_value_, drop_value_, field_values_, unindexed_, expired_;
  Statement of_job_, job_exists_, first_keys_, drop_collection_;
};

}  // namespace jobhost::store
