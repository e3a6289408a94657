#include "fetch-novel/digest.hpp"

#include <openssl/evp.h>

#include <array>
#include <stdexcept>

#include "support/common/uuid.hpp"

namespace jobhost::novel {
namespace {

std::string digest(std::string_view bytes, const EVP_MD* kind) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> value{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), value.data(), &size, kind, nullptr) != 1)
    throw std::runtime_error("no such digest");
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    out += kHex[value[i] >> 4];
    out += kHex[value[i] & 15];
  }
  return out;
}

}  // namespace

std::string hexDigest(std::string_view bytes) {
  return digest(bytes, EVP_sha256());
}
std::string hexMd5(std::string_view bytes) {
  return digest(bytes, EVP_md5());
}

std::string uuidOf(std::string_view text) {
  return support::uuidFromDigest(hexDigest(text));
}

}  // namespace jobhost::novel
