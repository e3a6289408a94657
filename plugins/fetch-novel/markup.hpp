#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "support/html/dom.hpp"

namespace jobhost::novel {

inline bool isOneOf(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Whether the node is a picture or has one below it.
inline bool hasImage(const support::html::Node& node) {
  for (const support::html::Node* at = &node; at != nullptr; at = support::html::following(at, node)) {
    if (at->is("img")) return true;
  }
  return false;
}

}  // namespace jobhost::novel
