#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "catalog/job_type.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"

namespace jobhost::catalog {

/// What must be remembered of plugin files when the host restarts: which contents are bad, and which copy a path ran.
/// One small JSON file, replaced atomically. Not thread-safe: the catalog's thread owns it.
class Ledger {
 public:
  struct Bad {
    std::string plugin_id;
    std::string version;
    std::string reason;
    core::Instant at;
  };
  /// What runs for a path; differs from the file's content after a roll-back or when the file was damaged later.
  struct Loaded {
    std::string sha256;
    std::string plugin_id;
    std::string version;
    std::filesystem::path private_path;
    core::Instant accepted_at;
    std::string signer;  ///< name of the key that signed it; empty: unsigned
  };

  /// What an operator granted: to this plugin when signed by this key ("" unsigned).
  struct Grant {
    Permissions permissions;
    core::Instant at;
  };

  explicit Ledger(std::filesystem::path file) : file_(std::move(file)) {}

  /// A missing file is an empty ledger; a damaged one is logged, set aside as *.damaged and empty.
  void load();
  /// Error: Unavailable; what is in memory stays right.
  core::Result<void> save() const;

  std::map<std::string, Bad> bad;  ///< by sha256
  std::map<std::filesystem::path, Loaded> loaded;
  std::map<std::pair<std::string, std::string>, Grant> grants;  ///< by plugin id and key

 private:
  std::filesystem::path file_;
};

}  // namespace jobhost::catalog
