#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jobhost::api::lncrawl {

/// A kind of job, by its number on this surface and its name in the host.
struct JobKind {
  int number;
  std::string_view type;
};

/// All twelve, by number.
std::span<const JobKind> jobKinds();
/// nullptr: none of them.
const JobKind* kindOf(int number);
const JobKind* kindOf(std::string_view type);
std::vector<std::string> allTypes();
std::vector<std::int64_t> allNumbers();

}  // namespace jobhost::api::lncrawl
