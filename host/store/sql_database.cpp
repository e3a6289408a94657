#include "store/sql_database.hpp"

#include <Poco/Data/DataException.h>
#include <Poco/Data/SQLite/Connector.h>
#include <Poco/Data/SQLite/Utility.h>
#include <Poco/Data/Statement.h>
#include <Poco/Exception.h>

#include <mutex>

#include <fcntl.h>
#include <unistd.h>

namespace jobhost::store {

namespace {

/// Poco gives no VFS argument, but SQLite reads one from a URI.
std::string uriOf(const Database::Options& options) {
  std::string uri = "file:";
  for (const char c : options.path) {
    if (c == '%' || c == '?' || c == '#') {
      constexpr char kHex[] = "0123456789ABCDEF";
      uri += '%';
      uri += kHex[(static_cast<unsigned char>(c) >> 4) & 15];
      uri += kHex[static_cast<unsigned char>(c) & 15];
    } else {
      uri += c;
    }
  }
  if (!options.vfs.empty()) uri += "?vfs=" + options.vfs;
  return uri;
}

/// A new database is its owner's alone: it holds what jobs were given and made. SQLite would let everybody read it, and
/// gives the mode of this file to those it puts beside it. One that is there keeps its mode.
void makePrivately(const std::string& path) {
  if (const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); fd >= 0) ::close(fd);
}

Poco::Data::Session openSession(const Database::Options& options) {
  static std::once_flag registered;
  std::call_once(registered, [] {
    // No connection here is used by two threads at once, so none needs a mutex around each call. Refused, and of no
    // matter, when something in the process has used SQLite before.
    static_cast<void>(sqlite3_config(SQLITE_CONFIG_MULTITHREAD));
    Poco::Data::SQLite::Connector::registerConnector();
  });
  if (!options.read_only) makePrivately(options.path);
  try {
    return {"SQLite", uriOf(options)};
  } catch (const Poco::Exception& error) {
    throw SqlError(SQLITE_CANTOPEN, "cannot open the database: " + error.displayText());
  }
}

}  // namespace

bool SqlError::fatal() const {
  return code_ == SQLITE_IOERR_FSYNC || code_ == SQLITE_IOERR_DIR_FSYNC;
}

bool SqlError::ofDisk() const {
  const int primary = code_ & 0xff;
  return primary == SQLITE_FULL || primary == SQLITE_IOERR || primary == SQLITE_READONLY ||
         primary == SQLITE_CANTOPEN || primary == SQLITE_BUSY || primary == SQLITE_LOCKED || primary == SQLITE_NOMEM ||
         primary == SQLITE_PROTOCOL || primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB;
}

core::Error SqlError::toError() const {
  const std::string detail = std::string(what()) + " (sqlite " + std::to_string(code_) + ")";
  switch (code_ & 0xff) {
    case SQLITE_FULL:
      return {core::ErrorCode::Unavailable, "the disk that holds the database is full", detail, {}};
    case SQLITE_READONLY:
      return {core::ErrorCode::Unavailable, "the database cannot be written: it is read-only", detail, {}};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {core::ErrorCode::Unavailable, "the database file is damaged", detail, {}};
    case SQLITE_TOOBIG:
      return {core::ErrorCode::TooLarge, "a value is larger than the database takes", detail, {}};
    default:
      break;
  }
  if (ofDisk()) return {core::ErrorCode::Unavailable, "the database cannot take the change now", detail, {}};
  return {core::ErrorCode::Internal, "the database refused the change", detail, {}};
}

Database::Database(const Options& options)
    : session_(openSession(options)), handle_(Poco::Data::SQLite::Utility::dbHandle(session_)) {
  sqlite3_extended_result_codes(handle_, 1);
  sqlite3_busy_timeout(handle_, 5000);
  if (!options.read_only) {
    // The page size counts only while the file is empty; journal_mode=wal reads the file and tells a damaged one.
    execute("PRAGMA page_size = 4096");
    execute("PRAGMA journal_mode = WAL");
    execute(options.full_sync ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    execute("PRAGMA wal_autocheckpoint = 0");
    execute("PRAGMA journal_size_limit = 67108864");
  } else {
    execute("PRAGMA query_only = 1");
  }
  execute("PRAGMA cache_size = -" + std::to_string(options.cache_kib));
  execute("PRAGMA temp_store = MEMORY");
  execute("PRAGMA trusted_schema = 0");
}

void Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

std::optional<std::int64_t> Database::number(const std::string& sql) {
  Statement statement(*this, sql);
  Query query(statement);
  return query.step() ? std::optional(query.number(0)) : std::nullopt;
}

void Database::fail(int code) const {
  const int extended = sqlite3_extended_errcode(handle_);
  throw SqlError((extended & 0xff) == (code & 0xff) ? extended : code, sqlite3_errmsg(handle_));
}

Statement::Statement(Database& database, std::string_view sql) : database_(database) {
  const int code = sqlite3_prepare_v3(database.handle(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &handle_, nullptr);
  if (code != SQLITE_OK) database.fail(code);
  for (int i = 1; i <= sqlite3_bind_parameter_count(handle_); ++i) {
    const char* name = sqlite3_bind_parameter_name(handle_, i);
    if (name == nullptr || name != "$" + std::to_string(i)) {
      sqlite3_finalize(handle_);
      throw SqlError(SQLITE_MISUSE, "placeholders must first appear in the order $1, $2, …: " + std::string(sql));
    }
  }
}

std::string_view Query::view(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.handle_, column);
  const int size = sqlite3_column_bytes(statement_.handle_, column);
  return bytes == nullptr ? std::string_view()
                          : std::string_view(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

void Query::bind(int index, std::string_view text) {
  check(sqlite3_bind_text64(statement_.handle_, index, text.data() == nullptr ? "" : text.data(), text.size(),
                            SQLITE_STATIC, SQLITE_UTF8));
}

void Query::bind(int index, Blob blob) {
  check(sqlite3_bind_blob64(statement_.handle_, index, blob.bytes.data() == nullptr ? "" : blob.bytes.data(),
                            blob.bytes.size(), SQLITE_STATIC));
}

Transaction::Transaction(Database& database) : database_(database) {
  database_.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  // After some errors SQLite has rolled back by itself; then there is nothing left to do.
  if (open_ && sqlite3_get_autocommit(database_.handle()) == 0) {
    sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

std::vector<std::string> queryPlansForTest(Database& database) {
  std::vector<std::string> plans;
  std::vector<std::string> texts;
  for (sqlite3_stmt* each = nullptr; (each = sqlite3_next_stmt(database.handle(), each)) != nullptr;) {
    if (const char* sql = sqlite3_sql(each)) texts.emplace_back(sql);
  }
  for (const std::string& text : texts) {
    Statement explain(database, "EXPLAIN QUERY PLAN " + text);
    std::string plan = text + " => ";
    for (Query query(explain); query.step();) plan += query.text(3) + "; ";
    plans.push_back(std::move(plan));
  }
  return plans;
}

}  // namespace jobhost::store
