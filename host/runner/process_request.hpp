#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jobhost/abi.h"
#include "jobhost/json.hpp"

namespace jobhost::runner {

/// Why there is no process; what jh_process_v1.failure() tells.
struct ProcessFailure {
  jh_result result = JH_E_INVALID;
  std::string code;  ///< "process.not_found"
  std::string message;
  std::int32_t error_class = JH_CLASS_PERMANENT;

  [[nodiscard]] std::string json() const;
  /// From what json() made; for a peer's answer that cannot be read, process.internal.
  static ProcessFailure parse(std::string_view text, jh_result result);
};

/// What to start and how, read from the JSON of jobhost.process/1. Read twice: by the runner, which makes the pipes,
/// and by the keeper, which starts the program and trusts nobody.
struct ProcessRequest {
  enum class Stream { None, Pipe, File, ToOutput };
  struct Redirection {
    Stream kind = Stream::None;
    std::string file;  ///< a plain name in the temp folder
  };

  std::vector<std::string> argv;  ///< the first is the program's name, not a path
  Redirection in{Stream::None, {}};
  Redirection out{Stream::Pipe, {}};
  Redirection err{Stream::Pipe, {}};
  std::vector<std::pair<std::string, std::string>> environment;
  std::int64_t timeout_ms = 0;  ///< 0: none
  std::int64_t grace_ms = 1000;
  std::int64_t memory_bytes = 0;  ///< 0: the runner's own limit
  std::int64_t cpu_s = 0;         ///< 0: the runner's own limit
  std::int64_t max_output_bytes = std::int64_t{1} << 30;
};

inline constexpr std::size_t kMostArguments = 4096;
inline constexpr std::size_t kMostArgumentBytes = std::size_t{1} << 20;  ///< all of them
inline constexpr std::size_t kLongestArgument = 128 * 1024 - 1;          ///< Linux takes no more (MAX_ARG_STRLEN)

/// Throws ProcessFailure that names the member and the reason.
ProcessRequest parseProcessRequest(const Json& argv, const Json& options);

}  // namespace jobhost::runner
