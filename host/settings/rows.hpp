#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/result.hpp"
#include "settings/settings.hpp"

namespace jobhost::settings {

/// Where a row's value lies in a Settings. The alternative is the row's type.
using Field = std::variant<bool*, std::int64_t*, Millis*, std::string*, std::vector<std::string>*>;

/// One key an operator can set. Immutable, lives as long as the program.
struct Row {
  std::string_view key;   ///< "server.port"
  std::string_view unit;  ///< "ms", "bytes", "MiB", "KiB", "folder", …; empty where the help says all
  std::string_view help;  ///< one line
  Field (*field)(Settings&);
  std::int64_t min = 0;                       ///< for numbers and durations
  std::int64_t max = 0;                       ///< ditto
  std::span<const std::string_view> words{};  ///< the words a text may be; empty: any text
};

/// Every key, in the order of the documents: by section, as the structs.
std::span<const Row> rows();
/// Null: no such key.
const Row* findRow(std::string_view key);
/// The known key that looks most like `key`; empty when none is near.
std::string nearestKey(std::string_view key);

/// The section ("server") of a key, and what the section is for, in one line.
std::string_view sectionOf(std::string_view key);
std::string_view sectionHelp(std::string_view section);

/// "whole number from 0 to 65535", "true or false", "one of full, normal", "text", "list of text".
std::string typeText(const Row& row);
/// The value as one would write it in a config file: 8080, "text", ["a", "b"].
std::string valueText(const Row& row, const Settings& settings);

/// Puts a value given as text (environment, --set) in its place. A list is split at ','. The error's message is the
/// reason alone ("must be a whole number from 0 to 65535, is \"x\"").
core::Result<void> assignText(const Row& row, Settings& settings, std::string_view text);
/// Puts a typed value (config file) in its place.
using TypedValue = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;
core::Result<void> assign(const Row& row, Settings& settings, const TypedValue& value);

/// ["a", "b"]
std::string listValueText(const std::vector<std::string>& list);
/// A TOML (and JSON) string literal.
std::string quotedText(std::string_view text);

}  // namespace jobhost::settings
