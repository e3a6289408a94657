#include "store/word_search.hpp"

#include <cstddef>
#include <exception>
#include <string>
#include <vector>

namespace jobhost::store {

namespace {

char folded(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view bytesOf(sqlite3_value* value) {
  // The bytes first: asking for the length may change how the value is kept.
  const auto* bytes = static_cast<const char*>(sqlite3_value_blob(value));
  const auto size = static_cast<std::size_t>(sqlite3_value_bytes(value));
  return bytes == nullptr ? std::string_view() : std::string_view(bytes, size);
}

void hasWordSql(sqlite3_context* context, int, sqlite3_value** values) {
  if (sqlite3_value_type(values[0]) == SQLITE_NULL) return sqlite3_result_null(context);
  try {
    sqlite3_result_int(context, hasWord(bytesOf(values[0]), bytesOf(values[1])) ? 1 : 0);
  } catch (const std::exception&) {  // no exception may pass through SQLite
    sqlite3_result_error_nomem(context);
  }
}

}  // namespace

/// Knuth, Morris and Pratt: after a mismatch the word's own repetitions say how much of it has matched already, so no
/// byte of the text is looked at from the start of the word again.
bool hasWord(std::string_view text, std::string_view word) {
  if (word.empty()) return true;
  if (word.size() > text.size()) return false;
  std::string wanted(word);
  for (char& c : wanted) c = folded(c);
  // border[i]: the longest beginning of the word that also ends its first i + 1 bytes, and is shorter than they are.
  std::vector<std::size_t> border(wanted.size(), 0);
  for (std::size_t i = 1, matched = 0; i < wanted.size(); ++i) {
    while (matched > 0 && wanted[i] != wanted[matched]) matched = border[matched - 1];
    if (wanted[i] == wanted[matched]) ++matched;
    border[i] = matched;
  }
  std::size_t matched = 0;
  for (const char c : text) {
    const char byte = folded(c);
    while (matched > 0 && byte != wanted[matched]) matched = border[matched - 1];
    if (byte == wanted[matched]) ++matched;
    if (matched == wanted.size()) return true;
  }
  return false;
}

int addWordSearch(sqlite3* connection) {
  return sqlite3_create_function_v2(connection, "has_word", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr, &hasWordSql,
                                    nullptr, nullptr, nullptr);
}

}  // namespace jobhost::store
