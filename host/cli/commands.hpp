#pragma once

#include <functional>

#include "settings/loader.hpp"

namespace jobhost::cli {

/// What the command line hands over to the host. `serve` gets the checked configuration and returns the exit status.
struct Hooks {
  std::function<int(const settings::Loaded&)> serve;
};

/// Parses the command line, runs the command and answers the exit status (exit_codes.hpp). Results go to stdout,
/// everything else to stderr. Never throws.
int run(int argc, char** argv, const Hooks& hooks);

}  // namespace jobhost::cli
