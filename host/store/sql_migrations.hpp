#pragma once

#include <span>
#include <string_view>

#include "store/sql_database.hpp"

namespace jobhost::store {

/// One step of the schema: migrations/sqlite/NNNN_*.sql, embedded at build. Never edited after a release.
struct Migration {
  int number;
  std::string_view name;
  std::string_view sql;
};
std::span<const Migration> sqliteMigrations();

/// Brings the schema up to date, each step in its own transaction. Throws SqlError: also when the file was written by
/// a newer jobhost, or holds another program's tables.
void migrate(Database& database, std::span<const Migration> migrations);

}  // namespace jobhost::store
