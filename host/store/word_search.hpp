#pragma once

#include <string_view>

#include <sqlite3.h>

namespace jobhost::store {

/// Whether `word` occurs in `text`; ASCII letters match without case. Takes time in proportion to the sum of their
/// lengths, whatever they hold: texts and words are anybody's. An empty word occurs in every text.
bool hasWord(std::string_view text, std::string_view word);

/// Makes has_word(text, word) known to the connection: 1 or 0; NULL where the text is NULL. Texts may be BLOBs.
/// Answers SQLite's result code.
int addWordSearch(sqlite3* connection);

}  // namespace jobhost::store
