#pragma once

#include <span>
#include <string_view>

namespace jobhost::novel {

/// A file of plugins/fetch-novel/sources, compiled in.
struct ShippedSpec {
  std::string_view path;  ///< "specs/example.org.yaml"
  std::string_view text;
};
std::span<const ShippedSpec> shippedSpecs();

}  // namespace jobhost::novel
