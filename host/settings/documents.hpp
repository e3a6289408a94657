#pragma once

#include <string>

namespace jobhost::settings {

/// docs/configuration.md, from the rows (`jobhost config docs`).
std::string configurationMarkdown();
/// config/jobhost.example.toml, from the rows (`jobhost config example`): every key with its default, commented out.
std::string exampleToml();

}  // namespace jobhost::settings
