#include "support/files/archive_id.hpp"

#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <vector>

#include "support/common/failure.hpp"

namespace jobhost::support {

std::string sha1Of(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha1(), nullptr) != 1) {
    throw Failure(FailureKind::Unsupported, "archive.sha1", "this machine's OpenSSL offers no SHA-1");
  }
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string id;
  for (unsigned int i = 0; i < length; ++i) (id += kHex[digest[i] >> 4]) += kHex[digest[i] & 15];
  return id;
}

std::string archiveIdOf(int fd) {
  std::vector<unsigned char> head(kArchiveIdBytes);
  std::size_t have = 0;
  while (have < head.size()) {
    const ssize_t got = pread(fd, head.data() + have, head.size() - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Failure(FailureKind::Io, "file.read", "the file cannot be read");
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  if (have == 0) throw Failure(FailureKind::Damaged, "archive.empty", "the archive is empty");

  return sha1Of({reinterpret_cast<const char*>(head.data()), have});
}

bool isArchiveId(std::string_view text) {
  return text.size() == 40 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace jobhost::support
