#pragma once

#include <span>
#include <string_view>

namespace jobhost::scaffold {

/// A file of sdk/scaffold with placeholders such as {{name}}.
struct Template {
  std::string_view name;  ///< "cpp/plugin.json"
  std::string_view text;
};

/// All of them, compiled in.
std::span<const Template> templates();

}  // namespace jobhost::scaffold
