#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jobhost::api::lncrawl {

/// A kind of e-book, and from which tier on a user may have it.
struct Format {
  std::string_view name;
  int tier;
};
/// All of them, by name.
std::span<const Format> formats();
/// nullptr: no such format.
const Format* findFormat(std::string_view name);
/// Those a tier may have, by name.
std::vector<std::string> formatsOf(int tier);

}  // namespace jobhost::api::lncrawl
