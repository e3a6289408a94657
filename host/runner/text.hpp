#pragma once

#include <string>
#include <string_view>

#include "core/utf8.hpp"

namespace jobhost::runner {

/// The text cut to `limit` bytes at a character, with every byte that is not UTF-8 replaced by U+FFFD and control
/// characters other than tab and newline by a space.
std::string cleanText(std::string_view text, std::size_t limit);
using core::isUtf8;

/// Why `name` cannot name an output; empty: it can. The rules are in abi.h at jobhost.output/1.
std::string outputNameProblem(std::string_view name);

}  // namespace jobhost::runner
