#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "settings/rows.hpp"

namespace jobhost::settings {

/// One `key = value` of a config file.
struct FileEntry {
  std::vector<std::string> path;    ///< {"server", "port"}; {"plugin", "com.acme.ocr", "lang"}
  std::optional<TypedValue> value;  ///< nullopt: of a type no row has (float, date, table, mixed list)
  std::string json;                 ///< the value as JSON text, whatever its type
  int line = 0;                     ///< from 1
};

/// Reads a TOML file into its leaves, in order of keys. A table is walked into; an inline table is a value.
/// Errors: NotFound (no such file), TooLarge (over 1 MiB), InvalidArgument with line and reason.
core::Result<std::vector<FileEntry>> readConfigFile(const std::filesystem::path& file);
core::Result<std::vector<FileEntry>> parseConfig(std::string_view text);

}  // namespace jobhost::settings
