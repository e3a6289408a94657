#include "api/auth/first_start.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/auth/accounts.hpp"
#include "api/auth/secrets.hpp"
#include "api/encoding.hpp"
#include "telemetry/log.hpp"

namespace jobhost::api {
namespace {

constexpr std::size_t kMaxKeyBytes = 512;
constexpr std::size_t kSecretBytes = 32;

core::Error internal(std::string message, std::string detail) {
  return core::Error{core::ErrorCode::Internal, std::move(message), std::move(detail), {}};
}

/// Writes beside the file and renames, so that a reader sees the old text, the new one, or nothing.
core::Result<void> writePrivately(const std::filesystem::path& file, const std::string& text) {
  const auto beside = file.string() + ".new";
  ::unlink(beside.c_str());
  const int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return internal("a key file cannot be written", beside + ": " + std::strerror(errno));
  const bool written = ::fchmod(fd, 0600) == 0 &&
                       ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  const int problem = errno;
  ::close(fd);
  if (!written || ::rename(beside.c_str(), file.c_str()) != 0) {
    const std::string reason = std::strerror(written ? errno : problem);
    ::unlink(beside.c_str());
    return internal("a key file cannot be written", file.string() + ": " + reason);
  }
  return {};
}

core::Result<std::filesystem::path> keyFolder(const std::filesystem::path& data_folder) {
  const auto folder = data_folder / "keys";
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return internal("the key folder cannot be made", folder.string() + ": " + failed.message());
  if (::chmod(folder.c_str(), 0700) != 0) {
    return internal("the key folder cannot be made private", folder.string() + ": " + std::strerror(errno));
  }
  return folder;
}

}  // namespace

core::Result<std::string> ensureSecret(const std::filesystem::path& data_folder, const std::string& name) {
  const auto folder = keyFolder(data_folder);
  if (!folder) return folder.error();
  const auto file = *folder / name;
  if (std::ifstream in(file, std::ios::binary); in) {
    std::string text(kMaxKeyBytes, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    const auto bytes = fromHex(text);
    if (!bytes || bytes->size() != kSecretBytes) {
      return internal("a key file is damaged: restore it, or remove it to have a new one made", file.string());
    }
    ::chmod(file.c_str(), 0600);
    return *bytes;
  }
  std::error_code failed;
  if (std::filesystem::exists(std::filesystem::symlink_status(file, failed))) {
    return internal("a key file cannot be read", file.string());
  }
  const auto secret = randomHex(kSecretBytes);
  if (!secret) return secret.error();
  if (auto written = writePrivately(file, *secret); !written) return written.error();
  return *fromHex(*secret);
}

core::Result<std::filesystem::path> ensureAdminKey(const std::filesystem::path& data_folder, KeyRing& keys) {
  const auto folder = keyFolder(data_folder);
  if (!folder) return folder.error();
  const auto file = *folder / "admin.key";
  if (std::ifstream in(file, std::ios::binary); in) {
    std::string raw(kMaxKeyBytes, '\0');
    in.read(raw.data(), static_cast<std::streamsize>(raw.size()));
    raw.resize(static_cast<std::size_t>(in.gcount()));
    while (!raw.empty() && (raw.back() == '\n' || raw.back() == '\r')) raw.pop_back();
    const auto owner = keys.find(raw);
    if (owner && owner->may(Privilege::Admin)) {
      ::chmod(file.c_str(), 0600);
      return file;
    }
  }
  KeyRequest request;
  request.name = "admin";
  request.privileges = {"admin"};
  auto created = keys.create(std::move(request), Actor{});
  if (!created) return created.error();
  if (auto written = writePrivately(file, created->raw); !written) return written.error();
  telemetry::log("api").info("admin key made file={} key={}", file.string(), created->key.id);
  return file;
}

core::Result<void> ensureAdminUser(const std::filesystem::path& data_folder, Accounts& accounts) {
  if (accounts.anyUser()) return {};
  const auto folder = keyFolder(data_folder);
  if (!folder) return folder.error();
  const auto password = randomHex(16);
  if (!password) return password.error();
  // The file first: a user whose password nobody has would be worse than a password of nobody.
  const auto file = *folder / "admin.password";
  if (auto written = writePrivately(file, *password); !written) return written.error();
  UserRequest request;
  request.name = "admin";
  request.role = "admin";
  request.tier = 2;  // what lncrawl calls VIP: nothing is kept from who runs the host
  request.password = *password;
  const auto made = accounts.create(std::move(request), Actor{});
  if (!made) return made.error();
  telemetry::log("api").info("admin user made password_file={} user={}", file.string(), made->id);
  return {};
}

}  // namespace jobhost::api
