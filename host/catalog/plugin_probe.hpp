#pragma once

#include <string>
#include <vector>

#include "catalog/job_type.hpp"
#include "core/result.hpp"

namespace jobhost::catalog {

/// What a process that loaded the plugin says of it.
struct ProbeReport {
  std::vector<std::string> job_types;  ///< the names the loaded library answers to, in its order
  int abi_major = 0;
  int abi_minor = 0;
  core::Millis took{0};
};

/// Loads a plugin once in a process of its own before any job goes there. `pool/` implements it; tests fake it.
///
/// Called from the catalog's thread, with no lock held; may block for as long as its own time-out allows.
/// Errors decide what becomes of the file, the message becomes the reason an operator reads:
///  - Unavailable: the try itself failed (no process, shutting down); tried again after a wait.
///  - Internal: the plugin crashed; DeadlineExceeded: it hung. The file's hash is quarantined.
///  - anything else: it cannot be loaded (missing library, wrong ABI, manifest mismatch); refused until it changes.
class PluginProbe {
 public:
  virtual ~PluginProbe() = default;
  virtual core::Result<ProbeReport> probe(const PluginGeneration& generation) = 0;
};

}  // namespace jobhost::catalog
