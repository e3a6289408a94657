#include "catalog/minisign.hpp"

#include <openssl/evp.h>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

namespace jobhost::catalog {
namespace {

constexpr std::size_t kAlgorithmBytes = 2;
constexpr std::size_t kIdBytes = 8;
constexpr std::size_t kChunk = 256u << 10;
constexpr std::string_view kTrustedComment = "trusted comment: ";

core::Error invalid(const std::string& message) {
  return {core::ErrorCode::InvalidArgument, message, {}, {}};
}

core::Error wrong(const std::string& message) {
  return {core::ErrorCode::PermissionDenied, message, {}, {}};
}

std::vector<std::string_view> linesOf(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    lines.push_back(line);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

/// Exactly `size` bytes in standard base64; empty: it is not that.
std::vector<unsigned char> decoded(std::string_view text, std::size_t size) {
  if (text.size() != (size + 2) / 3 * 4) return {};
  std::vector<unsigned char> bytes(text.size() / 4 * 3);
  const int made = EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  if (made < 0 || static_cast<std::size_t>(made) < size) return {};
  const std::size_t padding = static_cast<std::size_t>(made) - size;
  if (padding > 2 || !text.ends_with(std::string_view("==").substr(0, padding))) return {};
  bytes.resize(size);
  return bytes;
}

std::uint64_t idOf(const unsigned char* bytes) {
  std::uint64_t id = 0;
  for (std::size_t i = kIdBytes; i > 0; --i) id = id << 8 | bytes[i - 1];
  return id;
}

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Digest = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

bool verified(const PublicKey& key, const unsigned char* signature, const unsigned char* bytes, std::size_t size) {
  const Key ed25519(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.bytes.data(), key.bytes.size()),
                    &EVP_PKEY_free);
  const Digest context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  return ed25519 && context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, ed25519.get()) == 1 &&
         EVP_DigestVerify(context.get(), signature, 64, bytes, size) == 1;
}

core::Result<std::array<unsigned char, 64>> blake2b(int fd) {
  const Digest context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (!context || EVP_DigestInit_ex(context.get(), EVP_blake2b512(), nullptr) != 1) return wrong("no BLAKE2b here");
  std::vector<unsigned char> buffer(kChunk);
  for (off_t offset = 0;;) {
    const ssize_t got = ::pread(fd, buffer.data(), buffer.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return core::Error{
          core::ErrorCode::Unavailable, std::string("the file cannot be read: ") + std::strerror(errno), {}, {}};
    }
    if (got == 0) break;
    EVP_DigestUpdate(context.get(), buffer.data(), static_cast<std::size_t>(got));
    offset += got;
  }
  std::array<unsigned char, 64> hash{};
  EVP_DigestFinal_ex(context.get(), hash.data(), nullptr);
  return hash;
}

/// Ed25519 without prehash wants the content in one piece; mapped, so that it costs no memory of ours.
core::Result<bool> verifiedWhole(const PublicKey& key, const unsigned char* signature, int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || status.st_size <= 0) return wrong("the file is empty");
  const auto size = static_cast<std::size_t>(status.st_size);
  void* bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  if (bytes == MAP_FAILED) {
    return core::Error{
        core::ErrorCode::Unavailable, std::string("the file cannot be read: ") + std::strerror(errno), {}, {}};
  }
  const bool fits = verified(key, signature, static_cast<const unsigned char*>(bytes), size);
  ::munmap(bytes, size);
  return fits;
}

}  // namespace

std::string PublicKey::name() const {
  char text[17];
  std::snprintf(text, sizeof text, "%016llX", static_cast<unsigned long long>(id));
  return text;
}

core::Result<PublicKey> parsePublicKey(std::string_view text) {
  const auto lines = linesOf(text);
  if (lines.empty() || lines.size() > 2) return invalid("is no minisign public key: it has one comment and one line");
  const auto bytes = decoded(lines.back(), kAlgorithmBytes + kIdBytes + 32);
  if (bytes.empty() || bytes[0] != 'E' || bytes[1] != 'd')
    return invalid("is no minisign public key: its last line is not 42 bytes in base64 that begin with \"Ed\"");
  PublicKey key;
  key.id = idOf(bytes.data() + kAlgorithmBytes);
  std::copy_n(bytes.data() + kAlgorithmBytes + kIdBytes, key.bytes.size(), key.bytes.data());
  return key;
}

core::Result<Signature> parseSignature(std::string_view text) {
  const auto lines = linesOf(text);
  if (lines.size() != 4) return invalid("is no minisign signature: it has four lines");
  const auto bytes = decoded(lines[1], kAlgorithmBytes + kIdBytes + 64);
  if (bytes.empty() || bytes[0] != 'E' || (bytes[1] != 'd' && bytes[1] != 'D'))
    return invalid("is no minisign signature: its second line is not 74 bytes in base64 that begin with \"ED\"");
  if (!lines[2].starts_with(kTrustedComment))
    return invalid("is no minisign signature: its third line is no trusted comment");
  const auto global = decoded(lines[3], 64);
  if (global.empty()) return invalid("is no minisign signature: its last line is not 64 bytes in base64");
  Signature signature;
  signature.prehashed = bytes[1] == 'D';
  signature.key_id = idOf(bytes.data() + kAlgorithmBytes);
  std::copy_n(bytes.data() + kAlgorithmBytes + kIdBytes, signature.bytes.size(), signature.bytes.data());
  std::copy_n(global.data(), global.size(), signature.comment_signature.data());
  signature.trusted_comment = lines[2].substr(kTrustedComment.size());
  return signature;
}

core::Result<void> verifySignature(const Signature& signature, const PublicKey& key, int fd) {
  if (signature.prehashed) {
    const auto hash = blake2b(fd);
    if (!hash) return hash.error();
    if (!verified(key, signature.bytes.data(), hash->data(), hash->size()))
      return wrong("the signature does not fit the file");
  } else {
    const auto fits = verifiedWhole(key, signature.bytes.data(), fd);
    if (!fits) return fits.error();
    if (!*fits) return wrong("the signature does not fit the file");
  }
  std::string sealed(reinterpret_cast<const char*>(signature.bytes.data()), signature.bytes.size());
  sealed += signature.trusted_comment;
  if (!verified(key, signature.comment_signature.data(), reinterpret_cast<const unsigned char*>(sealed.data()),
                sealed.size())) {
    return wrong("the signature's trusted comment was changed");
  }
  return {};
}

}  // namespace jobhost::catalog
