#pragma once

#include "cli/plugin_check_command.hpp"
#include "core/result.hpp"
#include "devtools/lab.hpp"

namespace jobhost::cli {

/// The options as the lab wants them. Errors: InvalidArgument naming the option and what is wrong with it.
core::Result<devtools::LabOptions> labOptions(const PluginLabArgs& args);

/// The text of a JSON argument: as it is, or the file's where it begins with '@'. InvalidArgument: no such file, no
/// JSON.
core::Result<std::string> jsonArgument(const std::string& option, const std::string& value);

}  // namespace jobhost::cli
