#include "fetch-novel/digest.hpp"

#include <openssl/evp.h>

#include <array>
#include <stdexcept>

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
  std::string hex = hexDigest(text).substr(0, 32);
  static constexpr std::string_view kVariant = "89ab";
  hex[12] = '4';
  hex[16] = kVariant[static_cast<unsigned char>(hex[16]) % 4];
  std::string out;
  for (std::size_t i = 0; i < hex.size(); ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) out += '-';
    out += hex[i];
  }
  return out;
}

}  // namespace jobhost::novel
