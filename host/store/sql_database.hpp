#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <Poco/Data/Session.h>
#include <sqlite3.h>

#include "core/error.hpp"

namespace jobhost::store {

/// What SQLite refused, with its extended result code. Stays inside store/: the doors translate it (toError).
class SqlError : public std::runtime_error {
 public:
  SqlError(int code, const std::string& what) : std::runtime_error(what), code_(code) {}
  [[nodiscard]] int code() const { return code_; }
  /// A failed fsync: what was written before may be gone, so nothing may be retried.
  [[nodiscard]] bool fatal() const;
  /// The disk, not the command: the same command may pass later, and others fail alike now.
  [[nodiscard]] bool ofDisk() const;
  /// Unavailable for what time or an operator can mend, Internal for what is a bug.
  [[nodiscard]] core::Error toError() const;

 private:
  int code_;
};

/// One connection, opened and owned through Poco::Data; statements run on its handle (why: docs/decisions/0011).
/// Not thread-safe: one thread at a time.
class Database {
 public:
  struct Options {
    std::string path;
    std::string vfs;  ///< empty: SQLite's default
    bool read_only = false;
    bool full_sync = true;
    int cache_kib = 8192;
  };
  /// Throws SqlError.
  explicit Database(const Options& options);

  [[nodiscard]] sqlite3* handle() const { return handle_; }
  /// Runs statements that answer nothing. Throws SqlError.
  void execute(const std::string& sql);
  /// The first column of the first row, as a number; nullopt: no row. Throws SqlError.
  std::optional<std::int64_t> number(const std::string& sql);
  [[noreturn]] void fail(int code) const;

 private:
  Poco::Data::Session session_;
  sqlite3* handle_;
};

/// A prepared statement, kept for the life of its Database (which must outlive it). Placeholders are $1…$n, in order.
class Statement {
 public:
  Statement(Database& database, std::string_view sql);
  ~Statement() { sqlite3_finalize(handle_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

 private:
  friend class Query;
  Database& database_;
  sqlite3_stmt* handle_ = nullptr;
};

/// A BLOB argument or column; borrowed.
struct Blob {
  std::string_view bytes;
};
/// Text that is stored as NULL when empty.
struct TextOrNull {
  std::string_view text;
};

/// One use of a Statement: binds, steps, and resets it at the end, also when something throws. Texts bound must live
/// as long as the Query; texts read live until the next step.
class Query {
 public:
  template <class... Args>
  explicit Query(Statement& statement, const Args&... args) : statement_(statement) {
    int index = 0;
    (bind(++index, args), ...);
  }
  ~Query() { sqlite3_reset(statement_.handle_); }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  /// Moves to the next row; false: no more. Throws SqlError.
  bool step() {
    const int code = sqlite3_step(statement_.handle_);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) statement_.database_.fail(code);
    return false;
  }
  /// For statements that answer no rows.
  void run() {
    while (step()) {
    }
  }

  [[nodiscard]] std::int64_t number(int column) const { return sqlite3_column_int64(statement_.handle_, column); }
  [[nodiscard]] int integer(int column) const { return static_cast<int>(number(column)); }
  [[nodiscard]] bool isNull(int column) const { return sqlite3_column_type(statement_.handle_, column) == SQLITE_NULL; }
  /// Empty for NULL.
  [[nodiscard]] std::string text(int column) const { return std::string(view(column)); }
  [[nodiscard]] std::string_view view(int column) const;
  [[nodiscard]] std::optional<std::int64_t> numberOrNull(int column) const {
    return isNull(column) ? std::nullopt : std::optional(number(column));
  }

 private:
  void bind(int index, std::string_view text);
  void bind(int index, const std::string& text) { bind(index, std::string_view(text)); }
  void bind(int index, const char* text) { bind(index, std::string_view(text)); }
  void bind(int index, Blob blob);
  void bind(int index, TextOrNull text) { text.text.empty() ? bindNull(index) : bind(index, text.text); }
  void bind(int index, const std::optional<std::int64_t>& number) {
    number ? bindNumber(index, *number) : bindNull(index);
  }
  template <class Int>
  requires std::is_integral_v<Int> || std::is_enum_v<Int>
  void bind(int index, Int number) { bindNumber(index, static_cast<std::int64_t>(number)); }
  void bindNumber(int index, std::int64_t number) { check(sqlite3_bind_int64(statement_.handle_, index, number)); }
  void bindNull(int index) { check(sqlite3_bind_null(statement_.handle_, index)); }
  void check(int code) const {
    if (code != SQLITE_OK) statement_.database_.fail(code);
  }

  Statement& statement_;
};

/// BEGIN IMMEDIATE … COMMIT; rolls back when it ends without commit().
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

/// The plan of each statement prepared on the connection, one "sql => plan line; plan line" each. For tests.
std::vector<std::string> queryPlansForTest(Database& database);

}  // namespace jobhost::store
