#include "api/lncrawl/keyed_hash.hpp"

#include <stdexcept>

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace jobhost::api::lncrawl {

std::string keyedHash(std::string_view key, std::string_view message) {
  std::string hash(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(message.data());
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes, message.size(),
           reinterpret_cast<unsigned char*>(hash.data()), &size) == nullptr) {
    throw std::runtime_error("HMAC-SHA-256 failed");
  }
  hash.resize(size);
  return hash;
}

}  // namespace jobhost::api::lncrawl
