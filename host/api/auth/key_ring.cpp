#include "api/auth/key_ring.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <mutex>
#include <system_error>

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/encoding.hpp"
#include "core/text.hpp"
#include "telemetry/log.hpp"

namespace jobhost::api {
namespace {

constexpr std::size_t kMaxKeyBytes = 512;
constexpr std::size_t kMaxNameBytes = 128;

struct PrivilegeName {
  Privilege privilege;
  std::string_view name;
};
constexpr PrivilegeName kPrivileges[] = {
    {Privilege::ReadJobs, "read_jobs"},     {Privilege::RunJobs, "run_jobs"}, {Privilege::AbortJobs, "abort_jobs"},
    {Privilege::DeleteJobs, "delete_jobs"}, {Privilege::TagJobs, "tag_jobs"}, {Privilege::Admin, "admin"},
};

core::Error internal(std::string message, std::string detail) {
  return core::Error{core::ErrorCode::Internal, std::move(message), std::move(detail), {}};
}

}  // namespace

std::optional<Privilege> privilegeFromString(std::string_view word) {
  for (const auto& row : kPrivileges) {
    if (row.name == word) return row.privilege;
  }
  return std::nullopt;
}

std::string_view toString(Privilege privilege) {
  for (const auto& row : kPrivileges) {
    if (row.privilege == privilege) return row.name;
  }
  return "none";
}

std::size_t KeyRing::DigestHash::operator()(const Digest& digest) const noexcept {
  std::size_t head = 0;
  std::memcpy(&head, digest.data(), sizeof head);
  return head;
}

std::optional<KeyRing::Digest> KeyRing::digestFromHex(std::string_view hex) {
  Digest digest{};
  const auto bytes = fromHex(hex);
  if (!bytes || bytes->size() != digest.size()) return std::nullopt;
  std::memcpy(digest.data(), bytes->data(), digest.size());
  return digest;
}

void KeyRing::put(const store::ApiKey& key) {
  const auto digest = digestFromHex(key.sha256);
  if (!digest || key.revoked_at) return;
  auto principal = std::make_shared<Principal>();
  principal->id = key.id;
  principal->name = key.name;
  for (const auto& word : key.privileges) {
    // Words this version does not know give nothing.
    if (const auto privilege = privilegeFromString(word)) {
      principal->privileges |= static_cast<std::uint32_t>(*privilege);
    }
  }
  entries_[*digest] = Entry{std::move(principal), key.expires_at};
}

core::Result<void> KeyRing::load() {
  auto keys = store_.keys();
  if (!keys) return keys.error();
  std::unique_lock lock(mutex_);
  entries_.clear();
  for (const auto& key : *keys) put(key);
  return {};
}

PrincipalRef KeyRing::find(std::string_view raw_key) const {
  if (raw_key.empty() || raw_key.size() > kMaxKeyBytes) return nullptr;
  Digest digest{};
  SHA256(reinterpret_cast<const unsigned char*>(raw_key.data()), raw_key.size(), digest.data());
  std::shared_lock lock(mutex_);
  const auto found = entries_.find(digest);
  if (found == entries_.end() || CRYPTO_memcmp(found->first.data(), digest.data(), digest.size()) != 0) return nullptr;
  if (found->second.expires_at && *found->second.expires_at <= clock_.now()) return nullptr;
  return found->second.principal;
}

PrincipalRef KeyRing::findBase64(std::string_view base64_key) const {
  const auto raw = fromBase64(base64_key);  // strict: padded standard alphabet, one spelling for each key
  return raw ? find(*raw) : nullptr;
}

core::Result<KeyRing::Created> KeyRing::create(std::string name, std::vector<std::string> privileges,
                                               std::optional<core::Instant> expires_at) {
  core::Error wrong{core::ErrorCode::InvalidArgument, "the key's description is not valid", "", {}};
  if (name.empty() || name.size() > kMaxNameBytes) {
    wrong.fields.push_back({"/name", "must have 1 to " + std::to_string(kMaxNameBytes) + " bytes"});
  }
  if (core::hasControl(name)) {
    wrong.fields.push_back({"/name", "must not contain control characters"});
  }
  if (privileges.empty()) wrong.fields.push_back({"/privileges", "must name at least one privilege"});
  for (std::size_t i = 0; i < privileges.size(); ++i) {
    if (!privilegeFromString(privileges[i])) {
      wrong.fields.push_back({"/privileges/" + std::to_string(i), "is not a privilege"});
    }
  }
  if (expires_at && *expires_at <= clock_.now()) wrong.fields.push_back({"/expires_at", "must lie in the future"});
  if (!wrong.fields.empty()) return wrong;

  unsigned char random[32 + 8];
  if (RAND_bytes(random, sizeof random) != 1) return internal("no random numbers can be had", "RAND_bytes failed");
  Created created;
  created.raw = "jh_" + toHex({reinterpret_cast<const char*>(random), 32});
  created.key.id = "key_" + toHex({reinterpret_cast<const char*>(random) + 32, 8});
  created.key.name = std::move(name);
  created.key.sha256 = sha256Hex(created.raw);
  created.key.privileges = std::move(privileges);
  created.key.created_at = clock_.now();
  created.key.expires_at = expires_at;
  if (auto added = store_.addKey(created.key); !added) return added.error();
  std::unique_lock lock(mutex_);
  put(created.key);
  return created;
}

core::Result<void> KeyRing::revoke(const std::string& id) {
  if (auto revoked = store_.revokeKey(id, clock_.now()); !revoked) return revoked.error();
  std::unique_lock lock(mutex_);
  std::erase_if(entries_, [&](const auto& entry) { return entry.second.principal->id == id; });
  return {};
}

core::Result<std::vector<store::ApiKey>> KeyRing::list() const {
  return store_.keys();
}

namespace {

/// Writes beside the file and renames, so that a reader sees the old key, the new one, or nothing.
core::Result<void> writePrivately(const std::filesystem::path& file, const std::string& text) {
  const auto beside = file.string() + ".new";
  ::unlink(beside.c_str());
  const int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return internal("the admin key file cannot be written", beside + ": " + std::strerror(errno));
  const bool written = ::fchmod(fd, 0600) == 0 &&
                       ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  const int problem = errno;
  ::close(fd);
  if (!written || ::rename(beside.c_str(), file.c_str()) != 0) {
    const std::string reason = std::strerror(written ? errno : problem);
    ::unlink(beside.c_str());
    return internal("the admin key file cannot be written", file.string() + ": " + reason);
  }
  return {};
}

}  // namespace

core::Result<std::filesystem::path> ensureAdminKey(const std::filesystem::path& data_folder, KeyRing& keys) {
  const auto folder = data_folder / "keys";
  const auto file = folder / "admin.key";
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return internal("the key folder cannot be made", folder.string() + ": " + failed.message());
  if (::chmod(folder.c_str(), 0700) != 0) {
    return internal("the key folder cannot be made private", folder.string() + ": " + std::strerror(errno));
  }
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
  auto created = keys.create("admin", {"admin"}, std::nullopt);
  if (!created) return created.error();
  if (auto written = writePrivately(file, created->raw); !written) return written.error();
  telemetry::log("api").info("admin key made file={} key={}", file.string(), created->key.id);
  return file;
}

}  // namespace jobhost::api
