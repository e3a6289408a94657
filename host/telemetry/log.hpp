#pragma once

#include <string_view>

#include <spdlog/spdlog.h>

namespace jobhost::telemetry {

/// The logger of a folder: `log("pool").warn("runner ended plugin={} code={}", …)`. Fixed short text, then key=value.
/// All write to stderr (stdout belongs to `jobhost ready …`). Thread-safe; the reference lives until the process ends.
spdlog::logger& log(std::string_view folder);

/// Sets the level of every logger, present and future: "trace" … "error", "off". False for an unknown word.
bool setLogLevel(std::string_view level);

}  // namespace jobhost::telemetry
