#include "api/auth/key_ring.hpp"

#include <algorithm>
#include <mutex>

#include "api/auth/token_bucket.hpp"
#include "api/encoding.hpp"
#include "api/json_writer.hpp"
#include "core/text.hpp"

namespace jobhost::api {
namespace {

constexpr std::size_t kMaxKeyBytes = 512;
constexpr std::size_t kMaxNameBytes = 128;
constexpr int kMaxRate = 1'000'000;
constexpr std::size_t kMaskBytes = 3 + 6;  ///< "jh_" and six digits: enough to tell keys apart
constexpr std::int64_t kTouchMicros = 60'000'000;

constexpr auto kAdminBit = static_cast<std::uint32_t>(Privilege::Admin);

std::uint32_t bitsOf(const std::vector<std::string>& words) {
  std::uint32_t bits = 0;
  for (const auto& word : words) {
    // Words this version does not know give nothing.
    if (const auto privilege = privilegeFromString(word)) bits |= static_cast<std::uint32_t>(*privilege);
  }
  return bits;
}

/// What a key may do whose user may do `of_user`.
std::uint32_t within(std::uint32_t of_key, std::uint32_t of_user) {
  if ((of_user & kAdminBit) != 0) return of_key;
  return (of_key & kAdminBit) != 0 ? of_user : of_key & of_user;
}

std::string createdDetail(const store::ApiKey& key) {
  JsonWriter json;
  json.beginObject().key("name").string(key.name).key("privileges").beginArray();
  for (const auto& word : key.privileges) json.string(word);
  json.endArray().key("user_id");
  key.owner.empty() ? json.null() : json.string(key.owner);
  json.endObject();
  return json.take();
}

}  // namespace

PrincipalRef KeyRing::principalOf(const Entry& entry) const {
  auto principal = std::make_shared<Principal>();
  principal->key = entry.key.id;
  principal->credential = entry.digest;
  principal->privileges = bitsOf(entry.key.privileges);
  if (entry.key.owner.empty()) {
    principal->id = entry.key.id;
    principal->name = entry.key.name;
  } else {
    const auto user = users_.find(entry.key.owner);
    if (user == users_.end() || user->second.disabled) return nullptr;
    principal->id = entry.key.owner;
    principal->user = entry.key.owner;
    principal->name = user->second.name;
    principal->privileges = within(principal->privileges, user->second.privileges);
  }
  principal->all_jobs = entry.key.all_jobs || (principal->privileges & kAdminBit) != 0;
  if (entry.principal) {
    principal->rate = entry.principal->rate;  // a change of its user does not fill the bucket
  } else if (entry.key.rate_per_minute > 0) {
    const int burst = entry.key.rate_burst > 0 ? entry.key.rate_burst : entry.key.rate_per_minute;
    principal->rate = std::make_shared<TokenBucket>(entry.key.rate_per_minute, burst, clock_.steadyNow());
  }
  return principal;
}

void KeyRing::put(const store::ApiKey& key) {
  const auto digest = digestFromHex(key.sha256);
  if (!digest || key.revoked_at) return;
  Entry entry{key, nullptr, std::make_shared<Usage>(), {}};
  if (key.last_used_at) entry.usage->last = entry.usage->written = core::toMicros(*key.last_used_at);
  entry.digest = *digest;
  entry.principal = principalOf(entry);
  entries_[*digest] = std::move(entry);
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
  const auto digest = digestOf(raw_key);
  const auto now = clock_.now();
  PrincipalRef principal;
  std::shared_ptr<Usage> usage;
  {
    std::shared_lock lock(mutex_);
    const auto found = entries_.find(digest);
    if (found == entries_.end() || !sameDigest(found->first, digest)) return nullptr;
    const auto& entry = found->second;
    if (entry.key.expires_at && *entry.key.expires_at <= now) return nullptr;
    if (!entry.principal) return nullptr;
    principal = entry.principal;
    usage = entry.usage;
  }
  const auto micros = core::toMicros(now);
  usage->last.store(micros, std::memory_order_relaxed);
  auto written = usage->written.load(std::memory_order_relaxed);
  if (micros - written >= kTouchMicros && usage->written.compare_exchange_strong(written, micros)) {
    store_.touchKey(principal->key, now);
  }
  return principal;
}

PrincipalRef KeyRing::again(const Principal& principal) const {
  const auto now = clock_.now();
  std::shared_lock lock(mutex_);
  const auto found = entries_.find(principal.credential);
  if (found == entries_.end() || found->second.key.id != principal.key) return nullptr;
  const auto& expires = found->second.key.expires_at;
  return expires && *expires <= now ? nullptr : found->second.principal;
}

PrincipalRef KeyRing::findBase64(std::string_view base64_key) const {
  const auto raw = fromBase64(base64_key);  // strict: padded standard alphabet, one spelling for each key
  return raw ? find(*raw) : nullptr;
}

core::Result<KeyRing::Created> KeyRing::create(KeyRequest request, const Actor& actor) {
  const auto now = clock_.now();
  core::Error wrong{core::ErrorCode::InvalidArgument, "the key's description is not valid", "", {}};
  if (request.name.empty() || request.name.size() > kMaxNameBytes) {
    wrong.fields.push_back({"/name", "must have 1 to " + std::to_string(kMaxNameBytes) + " bytes"});
  }
  if (core::hasControl(request.name)) {
    wrong.fields.push_back({"/name", "must not contain control characters"});
  }
  if (request.privileges.empty()) wrong.fields.push_back({"/privileges", "must name at least one privilege"});
  for (std::size_t i = 0; i < request.privileges.size(); ++i) {
    if (!privilegeFromString(request.privileges[i])) {
      wrong.fields.push_back({"/privileges/" + std::to_string(i), "is not a privilege"});
    }
  }
  if (request.expires_at && *request.expires_at <= now) {
    wrong.fields.push_back({"/expires_at", "must lie in the future"});
  }
  if (request.rate_per_minute < 0 || request.rate_per_minute > kMaxRate) {
    wrong.fields.push_back({"/rate_per_minute", "must be from 0 to " + std::to_string(kMaxRate)});
  }
  if (request.rate_burst < 0 || request.rate_burst > kMaxRate) {
    wrong.fields.push_back({"/rate_burst", "must be from 0 to " + std::to_string(kMaxRate)});
  }
  if (!request.owner.empty()) {
    std::shared_lock lock(mutex_);
    if (users_.count(request.owner) == 0) wrong.fields.push_back({"/user_id", "no such user"});
  }
  if (!wrong.fields.empty()) return wrong;

  const auto secret = randomHex(32);
  const auto handle = randomHex(8);
  if (!secret) return secret.error();
  if (!handle) return handle.error();
  Created created;
  created.raw = "jh_" + *secret;
  auto& key = created.key;
  key.id = "key_" + *handle;
  key.name = std::move(request.name);
  key.sha256 = sha256Hex(created.raw);
  key.privileges = std::move(request.privileges);
  key.created_at = now;
  key.expires_at = request.expires_at;
  key.owner = std::move(request.owner);
  key.all_jobs = request.all_jobs;
  key.rate_per_minute = request.rate_per_minute;
  key.rate_burst = request.rate_burst;
  key.mask = created.raw.substr(0, kMaskBytes) + "…";
  const auto line = actor.did(now, "key.create", key.id, createdDetail(key));
  std::lock_guard changing(change_mutex_);
  if (auto may = mayChange(actor); !may) return may.error();
  if (auto added = store_.addKey(key, options_.keys_per_user, line); !added) return added.error();
  std::unique_lock lock(mutex_);
  std::erase_if(entries_, [&](const auto& entry) {
    const auto& expires = entry.second.key.expires_at;
    return expires && *expires <= now;  // no use any more, and the store forgets it in time
  });
  put(key);
  return created;
}

core::Result<void> KeyRing::revoke(const std::string& id, const Actor& actor) {
  const auto now = clock_.now();
  std::lock_guard changing(change_mutex_);
  if (auto may = mayChange(actor); !may) return may;
  if (auto revoked = store_.revokeKey(id, now, actor.did(now, "key.revoke", id)); !revoked) return revoked.error();
  {
    std::unique_lock lock(mutex_);
    std::erase_if(entries_, [&](const auto& entry) { return entry.second.key.id == id; });
  }
  observer_.tell();
  return {};
}

core::Result<void> KeyRing::revokeOf(const std::string& user, const Actor& actor) {
  const auto now = clock_.now();
  std::lock_guard changing(change_mutex_);
  if (auto may = actor.stillMay(); !may) return may;
  if (auto revoked = store_.revokeKeysOf(user, now, actor.did(now, "user.revoke_keys", user)); !revoked) {
    return revoked.error();
  }
  {
    std::unique_lock lock(mutex_);
    std::erase_if(entries_, [&](const auto& entry) { return entry.second.key.owner == user; });
  }
  observer_.tell();
  return {};
}

core::Result<void> KeyRing::mayChange(const Actor& actor) {
  if (auto may = actor.stillMay(); !may) return may;
  std::shared_ptr<TokenBucket> changes;
  {
    std::unique_lock lock(mutex_);
    const auto user = users_.find(actor.id);
    if (user == users_.end() || (user->second.privileges & kAdminBit) != 0) return {};
    auto& bucket = user->second.changes;
    if (!bucket) {
      bucket =
          std::make_shared<TokenBucket>(options_.changes_per_minute, options_.changes_per_minute, clock_.steadyNow());
    }
    changes = bucket;
  }
  if (changes->take(clock_.steadyNow()).allowed) return {};
  return core::Error{core::ErrorCode::Exhausted, "you make and revoke keys too fast: come back later", "", {}};
}

core::Result<std::vector<store::ApiKey>> KeyRing::list(const std::string& user, const std::string& after,
                                                       int limit) const {
  auto keys = store_.keys(user, after, limit);
  if (!keys) return keys;
  std::shared_lock lock(mutex_);
  for (auto& key : *keys) {
    const auto digest = digestFromHex(key.sha256);
    const auto found = digest ? entries_.find(*digest) : entries_.end();
    if (found == entries_.end()) continue;
    if (const auto last = found->second.usage->last.load(); last > 0) key.last_used_at = core::fromMicros(last);
  }
  return keys;
}

core::Result<store::ApiKey> KeyRing::key(const std::string& id) const {
  return store_.key(id);
}

void KeyRing::putUser(const store::User& user) {
  const auto* role = findRole(user.role);
  auto& state = users_[user.id];
  state.name = user.name;
  state.privileges = role != nullptr ? role->privileges : 0;
  state.disabled = user.disabled;
}

void KeyRing::setUsers(std::span<const store::User> users) {
  std::unique_lock lock(mutex_);
  users_.clear();
  for (const auto& user : users) putUser(user);
  for (auto& [digest, entry] : entries_) entry.principal = principalOf(entry);
}

void KeyRing::userChanged(const store::User& user) {
  std::unique_lock lock(mutex_);
  putUser(user);
  refresh(user.id);
}

void KeyRing::userRemoved(const std::string& id) {
  std::unique_lock lock(mutex_);
  users_.erase(id);
  std::erase_if(entries_, [&](const auto& entry) { return entry.second.key.owner == id; });
}

void KeyRing::refresh(const std::string& user) {
  for (auto& [digest, entry] : entries_) {
    if (entry.key.owner == user) entry.principal = principalOf(entry);
  }
}

}  // namespace jobhost::api
