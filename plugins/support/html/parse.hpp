#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

#include "support/html/dom.hpp"

namespace jobhost::support::html {

/// What one document may cost. The defaults take any page made for people.
struct ParseLimits {
  std::size_t bytes = 16 << 20;                 ///< of the text
  std::size_t memory = std::size_t{512} << 20;  ///< of the parser's own tree, while it is built
  std::size_t nodes = 1'000'000;
  std::size_t depth = 256;                 ///< deeper elements become siblings at this depth; nothing is lost
  std::chrono::milliseconds time{10'000};  ///< of parsing: HTML's own algorithm is quadratic in open elements
};

/// Parses any text as HTML5 (the WHATWG algorithm), as a browser without scripts would. There are no syntax errors.
/// Throws support::Failure Limit with "html.bytes", "html.memory", "html.nodes" or "html.time". Any thread.
Document parse(std::string_view utf8, const ParseLimits& limits = {});

/// The same for a piece of a page, as if it stood in `body`: its nodes are the root's children.
Document parseFragment(std::string_view utf8, const ParseLimits& limits = {});

}  // namespace jobhost::support::html
