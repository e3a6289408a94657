#include "api/auth/secrets.hpp"

#include <cstring>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "api/encoding.hpp"

namespace jobhost::api {

std::size_t DigestHash::operator()(const Digest& digest) const noexcept {
  std::size_t head = 0;
  std::memcpy(&head, digest.data(), sizeof head);
  return head;
}

Digest digestOf(std::string_view secret) {
  Digest digest{};
  SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), digest.data());
  return digest;
}

std::optional<Digest> digestFromHex(std::string_view hex) {
  Digest digest{};
  const auto bytes = fromHex(hex);
  if (!bytes || bytes->size() != digest.size()) return std::nullopt;
  std::memcpy(digest.data(), bytes->data(), digest.size());
  return digest;
}

bool sameDigest(const Digest& a, const Digest& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool sameSecret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

core::Result<std::string> randomHex(std::size_t bytes) {
  std::string random(bytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(random.data()), static_cast<int>(bytes)) != 1) {
    return core::Error{core::ErrorCode::Internal, "no random numbers can be had", "RAND_bytes failed", {}};
  }
  return toHex(random);
}

core::Result<std::string> randomUuid() {
  auto hex = randomHex(16);
  if (!hex) return hex;
  (*hex)[12] = '4';
  (*hex)[16] = "89ab"[((*hex)[16] >= 'a' ? (*hex)[16] - 'a' + 10 : (*hex)[16] - '0') & 3];
  for (const std::size_t at : {8, 13, 18, 23}) hex->insert(at, 1, '-');
  return hex;
}

std::string csrfTokenOf(std::string_view session_token) {
  constexpr std::string_view kPurpose = "jobhost csrf token";
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), session_token.data(), static_cast<int>(session_token.size()),
       reinterpret_cast<const unsigned char*>(kPurpose.data()), kPurpose.size(), mac, &size);
  return toHex({reinterpret_cast<const char*>(mac), size});
}

}  // namespace jobhost::api
