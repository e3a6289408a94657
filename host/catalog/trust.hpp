#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "catalog/job_type.hpp"
#include "catalog/minisign.hpp"
#include "core/result.hpp"

namespace jobhost::catalog {

/// Which plugin files may run, beyond being loadable.
struct TrustOptions {
  /// Files and folders must belong to root or to the host's user, and nobody else may write to them.
  bool check_owner = true;
  bool allow_unsigned = true;
  bool ask_permissions = false;  ///< a plugin that asks for permissions waits until an operator grants them
  /// Holds minisign public keys (*.pub) and, if contents are pinned, plugins.lock. Empty or missing: neither.
  std::filesystem::path folder;
};

/// Decides by owner, mode, pinned hash and signature whether a plugin file is trusted.
///
/// A check judges the bytes behind a descriptor whose hash is known; what runs is the private copy, which is made with
/// the same hash, so nobody can swap a file between check and load. Not thread-safe: the catalog's thread owns it.
class Trust {
 public:
  explicit Trust(TrustOptions options);

  /// Reads keys and pins again if their files changed. True: they did, so what was decided may be wrong now.
  bool refresh();

  /// Whether this content may run: the name of the key that signed it, "" when it is unsigned and that is allowed.
  /// `signed_file` is where its signature lies beside (<file>.minisig or <file>.sig). Error: PermissionDenied with the
  /// reason and the way out; Unavailable when it could not be found out.
  [[nodiscard]] core::Result<std::string> check(const std::filesystem::path& signed_file, int fd,
                                                const std::string& sha256, const std::string& plugin_id) const;
  /// As check(), of pin and signature alone: for the private copy of a file, whose owner is the host.
  [[nodiscard]] core::Result<std::string> checkContent(const std::filesystem::path& signed_file, int fd,
                                                       const std::string& sha256, const std::string& plugin_id) const;
  /// As check(), for files that were trusted before under `signer` and whose signatures may be gone.
  [[nodiscard]] core::Result<void> recheck(const std::vector<std::string>& hashes, const std::string& signer) const;

  [[nodiscard]] bool asksPermissions() const { return options_.ask_permissions; }

 private:
  void readKeys();
  void readPins();
  [[nodiscard]] core::Result<void> checkOwner(const std::filesystem::path& file, int fd) const;
  [[nodiscard]] core::Result<void> checkPin(const std::string& sha256, const std::string& file,
                                            const std::string& plugin_id) const;
  [[nodiscard]] core::Result<std::string> checkSignature(const std::filesystem::path& file, int fd) const;

  const TrustOptions options_;
  const std::filesystem::path lock_;  ///< a SHA-256 and a plugin id or file name a line, as sha256sum writes them
  std::map<std::uint64_t, PublicKey> keys_;
  bool pinned_ = false;      ///< there is a plugins.lock
  std::string pins_broken_;  ///< why it cannot be believed; empty: it can
  std::map<std::string, std::string> pins_;  ///< plugin id or file name by sha256
  std::string seen_;                         ///< stamps of what was read
};

/// What a plugin asks for, in words: "net: api.example.com; kv". Empty: nothing.
std::string toString(const Permissions& permissions);
/// Whether all that `wanted` names is in `granted`.
bool covers(const Permissions& granted, const Permissions& wanted);

/// `<file>` for `<file>.minisig` and `<file>.sig`; empty for other names.
std::filesystem::path signedBy(const std::filesystem::path& signature);

}  // namespace jobhost::catalog
