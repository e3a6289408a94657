#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace jobhost::catalog {

/// Ed25519 signatures of files as the tool `minisign` makes and checks them: text files of two or four lines.
/// Format: https://jedisct1.github.io/minisign/ ("Signature format", "Public key format").

/// A public key somebody trusts.
struct PublicKey {
  std::uint64_t id = 0;
  std::array<unsigned char, 32> bytes{};

  /// As the tool prints it: 16 upper-case hexadecimal digits.
  [[nodiscard]] std::string name() const;
};

/// A detached signature, read and not yet checked.
struct Signature {
  std::uint64_t key_id = 0;
  bool prehashed = true;  ///< over the BLAKE2b-512 of the content instead of the content itself
  std::array<unsigned char, 64> bytes{};
  std::array<unsigned char, 64> comment_signature{};
  std::string trusted_comment;
};

/// The one key in the text of a *.pub file. Error: InvalidArgument with what is wrong.
core::Result<PublicKey> parsePublicKey(std::string_view text);
/// The text of a *.minisig or *.sig file. Error: InvalidArgument with what is wrong.
core::Result<Signature> parseSignature(std::string_view text);
/// Whether `key` signed what `fd` holds and the trusted comment. Reads the whole file; changes no offset.
/// Errors: PermissionDenied when the signature does not fit, Unavailable when the file cannot be read.
core::Result<void> verifySignature(const Signature& signature, const PublicKey& key, int fd);

}  // namespace jobhost::catalog
