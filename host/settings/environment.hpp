#pragma once

#include <map>
#include <optional>
#include <string>

namespace jobhost::settings {

/// The one door to the environment. Read it before threads start.
/// All variables of this process, by name.
std::map<std::string, std::string> environment();
/// One of them; nullopt when it is not set or empty.
std::optional<std::string> environmentValue(const std::string& name);

}  // namespace jobhost::settings
