#include "store/sql_migrations.hpp"

#include "telemetry/log.hpp"

namespace jobhost::store {

namespace {
constexpr std::int64_t kApplicationId = 0x4A4F4248;  // "JOBH": tells our file from another program's
}

void migrate(Database& database, std::span<const Migration> migrations) {
  const std::int64_t application = database.number("PRAGMA application_id").value_or(0);
  const std::int64_t tables = database.number("SELECT count(*) FROM sqlite_master").value_or(0);
  if (application != kApplicationId && tables != 0) {
    throw SqlError(SQLITE_NOTADB, "the file is a database of another program");
  }
  const std::int64_t version = database.number("PRAGMA user_version").value_or(0);
  const int newest = migrations.empty() ? 0 : migrations.back().number;
  if (version > newest) {
    throw SqlError(SQLITE_SCHEMA, "the database has schema " + std::to_string(version) +
                                      ", written by a newer jobhost; this one knows up to " + std::to_string(newest));
  }
  for (const Migration& step : migrations) {
    if (step.number <= version) continue;
    Transaction transaction(database);
    database.execute(std::string(step.sql));
    database.execute("PRAGMA user_version = " + std::to_string(step.number));
    database.execute("PRAGMA application_id = " + std::to_string(kApplicationId));
    transaction.commit();
    telemetry::log("store").info("schema migrated step={}", step.name);
  }
}

}  // namespace jobhost::store
