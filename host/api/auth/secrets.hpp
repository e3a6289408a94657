#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace jobhost::api {

/// SHA-256 of a key or token: what is kept of it.
using Digest = std::array<unsigned char, 32>;
struct DigestHash {
  std::size_t operator()(const Digest& digest) const noexcept;
};
Digest digestOf(std::string_view secret);
/// nullopt: not 64 hex digits.
std::optional<Digest> digestFromHex(std::string_view hex);
/// In constant time.
bool sameDigest(const Digest& a, const Digest& b);
/// In constant time for texts of one length; the length itself is no secret.
bool sameSecret(std::string_view a, std::string_view b);

/// `bytes` random bytes as hex. Internal: the system has none.
core::Result<std::string> randomHex(std::size_t bytes);
/// A random UUID (version 4), lower case.
core::Result<std::string> randomUuid();

/// The token that changes by cookie must carry: bound to the session's own token, so it is kept nowhere.
std::string csrfTokenOf(std::string_view session_token);

}  // namespace jobhost::api
