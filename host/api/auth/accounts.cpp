#include "api/auth/accounts.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include <Poco/UTF8String.h>

#include "api/encoding.hpp"
#include "api/json_writer.hpp"
#include "core/text.hpp"
#include "telemetry/log.hpp"

namespace jobhost::api {
namespace {

constexpr std::size_t kMaxNameBytes = 128;
constexpr std::size_t kMaxPasswordBytes = 1024;
constexpr std::size_t kMaxAgentBytes = 200;
constexpr std::size_t kMaxTokenBytes = 128;
constexpr int kMaxTier = 1'000'000;
constexpr std::int64_t kTouchMicros = 60'000'000;

core::Error wrongLogin() {
  return {core::ErrorCode::Unauthenticated, "the name or the password is wrong", "", {}};
}
core::Error tooMany() {
  return {core::ErrorCode::Exhausted, "too many attempts to log in: come back later", "", {}};
}
core::Error noUser(const std::string& id) {
  return {core::ErrorCode::NotFound, "user " + id + " does not exist", "", {}};
}

std::string roleWords() {
  std::string all;
  for (const auto& row : roles()) all += (all.empty() ? "" : ", ") + std::string(row.name);
  return all;
}

/// Printable ASCII of what a client says of itself.
std::string cleaned(std::string_view agent) {
  std::string out(agent.substr(0, kMaxAgentBytes));
  for (auto& c : out) {
    if (c < 0x20 || c >= 0x7f) c = '?';
  }
  return out;
}

std::string detailOf(const UserChange& change) {
  JsonWriter json;
  json.beginObject();
  if (change.name) json.key("name").string(*change.name);
  if (change.role) json.key("role").string(*change.role);
  if (change.tier) json.key("tier").number(std::int64_t{*change.tier});
  if (change.disabled) json.key("disabled").boolean(*change.disabled);
  if (change.password) json.key("password").string("changed");
  json.endObject();
  return json.take();
}

PrincipalRef principalOf(const store::User& user, const store::Session& session) {
  const auto* role = findRole(user.role);
  if (user.disabled || role == nullptr) return nullptr;
  auto principal = std::make_shared<Principal>();
  principal->id = user.id;
  principal->name = user.name;
  principal->privileges = role->privileges;
  principal->all_jobs = principal->may(Privilege::Admin);
  principal->user = user.id;
  principal->session = session.id;
  if (const auto digest = digestFromHex(session.sha256)) principal->credential = *digest;
  return principal;
}

}  // namespace

Accounts::Accounts(Parts parts, Options options)
    : parts_(parts), options_(options), hasher_(options.hashing), throttle_(options.throttle, parts.clock) {}

std::string Accounts::fold(std::string_view name) {
  return Poco::UTF8::toLower(std::string(name));
}

core::Result<void> Accounts::load() {
  auto users = parts_.users.users();
  if (!users) return users.error();
  auto sessions = parts_.sessions.sessions(parts_.clock.now());
  if (!sessions) return sessions.error();
  parts_.keys.setUsers(*users);
  std::unique_lock lock(mutex_);
  users_.clear();
  ids_.clear();
  sessions_.clear();
  for (const auto& user : *users) putUser(user);
  for (auto& session : *sessions) {
    const auto user = users_.find(session.user);
    if (user != users_.end()) putSession(std::move(session), user->second);
  }
  return {};
}

void Accounts::putUser(const store::User& user) {
  if (const auto known = users_.find(user.id); known != users_.end()) ids_.erase(known->second.name_key);
  users_[user.id] = user;
  ids_[user.name_key] = user.id;
  for (auto& [digest, entry] : sessions_) {
    if (entry->session.user == user.id) entry->principal = principalOf(user, entry->session);
  }
}

void Accounts::putSession(store::Session session, const store::User& user) {
  const auto digest = digestFromHex(session.sha256);
  if (!digest) return;
  auto entry = std::make_shared<SessionEntry>();
  entry->principal = principalOf(user, session);
  entry->seen = entry->written = core::toMicros(session.seen_at);
  entry->session = std::move(session);
  sessions_[*digest] = std::move(entry);
}

void Accounts::dropSessions(const std::string& user, const std::string& but) {
  std::erase_if(sessions_,
                [&](const auto& one) { return one.second->session.user == user && one.second->session.id != but; });
}

// ---- sessions

bool Accounts::live(const SessionEntry& entry, core::Instant now) const {
  const auto seen = core::fromMicros(entry.seen.load(std::memory_order_relaxed));
  return now < entry.session.expires_at && now - seen < options_.session_idle;
}

PrincipalRef Accounts::findSession(std::string_view token) const {
  if (token.empty() || token.size() > kMaxTokenBytes) return nullptr;
  const auto digest = digestOf(token);
  const auto now = parts_.clock.now();
  SessionRef entry;
  PrincipalRef principal;
  {
    std::shared_lock lock(mutex_);
    const auto found = sessions_.find(digest);
    if (found == sessions_.end() || !sameDigest(found->first, digest)) return nullptr;
    entry = found->second;
    principal = entry->principal;
  }
  if (!principal || !live(*entry, now)) return nullptr;
  const auto micros = core::toMicros(now);
  entry->seen.store(micros, std::memory_order_relaxed);
  auto written = entry->written.load(std::memory_order_relaxed);
  if (micros - written >= kTouchMicros && entry->written.compare_exchange_strong(written, micros)) {
    parts_.sessions.touchSession(principal->session, now);
  }
  return principal;
}

PrincipalRef Accounts::again(const Principal& principal) const {
  if (principal.session.empty()) return parts_.keys.again(principal);
  const auto now = parts_.clock.now();
  std::shared_lock lock(mutex_);
  const auto found = sessions_.find(principal.credential);
  if (found == sessions_.end() || !live(*found->second, now)) return nullptr;
  return found->second->principal;
}

bool Accounts::stillMay(const Principal& principal) const {
  const auto now = again(principal);
  return now && (now->privileges & principal.privileges) == principal.privileges &&
         (now->all_jobs || !principal.all_jobs);
}

void Accounts::observe(CredentialObserver* observer) {
  observer_.observe(observer);
  parts_.keys.observe(observer);
}

/// Costs the same whoever asks: a name nobody has is checked against a hash of nothing.
core::Result<Accounts::Verdict> Accounts::check(const std::optional<store::User>& user, std::string_view password) {
  if (password.size() > kMaxPasswordBytes) password = password.substr(0, 1);  // no user has such a one
  if (!user) {
    if (auto pretended = hasher_.pretend(password); !pretended) return pretended.error();
    return Verdict::Wrong;
  }
  const auto right = hasher_.verify(password, user->password);
  if (!right) return right.error();
  if (!*right) return Verdict::Wrong;
  return user->disabled ? Verdict::Disabled : Verdict::Right;
}

/// check() after a throttle_.begin(), whose end it tells, whatever happens.
core::Result<Accounts::Verdict> Accounts::checkInTurn(const std::optional<store::User>& user, std::string_view name_key,
                                                      std::string_view password, std::string_view address) {
  struct Turn {
    LoginThrottle& throttle;
    std::string_view name_key, address;
    LoginThrottle::End end = LoginThrottle::End::NotTried;
    ~Turn() { throttle.ended(name_key, address, end); }
  } turn{throttle_, name_key, address};
  auto verdict = check(user, password);
  if (verdict) turn.end = *verdict == Verdict::Wrong ? LoginThrottle::End::Wrong : LoginThrottle::End::Right;
  return verdict;
}

Accounts::Verified Accounts::verify(std::string_view name, std::string_view password, const std::string& address) {
  const auto key = fold(name);
  if (const auto wait = throttle_.begin(key, address)) return {tooMany(), *wait};
  const auto user = findByName(name);
  const auto verdict = checkInTurn(user, key, password, address);
  if (!verdict) {
    const bool busy = verdict.error().code == core::ErrorCode::Exhausted;
    return {verdict.error(), busy ? core::Millis(1000) : core::Millis(0)};
  }
  if (*verdict == Verdict::Wrong) {
    // Not the name: people type their password there.
    telemetry::log("api").warn("login refused address={}", address);
    return {wrongLogin()};
  }
  if (*verdict == Verdict::Disabled) {
    return {core::Error{core::ErrorCode::PermissionDenied, "the user is disabled", "", {}}};
  }
  return {*user};
}

Accounts::Login Accounts::login(std::string_view name, std::string_view password, const std::string& address,
                                std::string_view agent) {
  const auto verified = verify(name, password, address);
  const auto& user = verified.user;
  if (!user) return {user.error(), verified.retry_after};
  std::string fresh;
  if (hasher_.outdated(user->password)) {
    // With the house full the old hash does for another day.
    if (auto hash = hasher_.hash(password)) fresh = *std::move(hash);
  }
  return {open(*user, std::move(fresh), address, agent)};
}

core::Result<Accounts::Opened> Accounts::open(const store::User& checked, std::string fresh_hash,
                                              const std::string& address, std::string_view agent) {
  const auto token = randomHex(32);
  const auto handle = randomHex(8);
  if (!token) return token.error();
  if (!handle) return handle.error();
  std::lock_guard changing(change_mutex_);
  auto user = find(checked.id);
  // What was checked may have changed while it was checked.
  if (!user || user->disabled || user->password != checked.password) return wrongLogin();
  const auto now = parts_.clock.now();
  Opened opened;
  opened.token = "jhs_" + *token;
  auto& session = opened.session;
  session.id = "ses_" + *handle;
  session.sha256 = sha256Hex(opened.token);
  session.user = user->id;
  session.created_at = session.seen_at = now;
  session.expires_at = now + options_.session;
  session.address = address;
  session.agent = cleaned(agent);
  if (auto noted = parts_.users.loggedIn(user->id, now, fresh_hash); !noted) return noted.error();
  auto ended = parts_.sessions.addSession(session, options_.sessions_per_user);
  if (!ended) return ended.error();
  user->last_login_at = now;
  if (!fresh_hash.empty()) user->password = std::move(fresh_hash);
  {
    std::unique_lock lock(mutex_);
    users_[user->id] = *user;
    std::erase_if(sessions_, [&](const auto& one) {
      const auto& known = one.second->session;
      return std::find(ended->begin(), ended->end(), known.id) != ended->end() ||
             (known.user == user->id && !live(*one.second, now));
    });
    putSession(session, *user);
  }
  if (!ended->empty()) observer_.tell();
  opened.user = *std::move(user);
  return opened;
}

core::Result<void> Accounts::logout(const std::string& session) {
  std::lock_guard changing(change_mutex_);
  if (auto revoked = parts_.sessions.revokeSession(session, parts_.clock.now(), nullptr); !revoked) return revoked;
  {
    std::unique_lock lock(mutex_);
    std::erase_if(sessions_, [&](const auto& one) { return one.second->session.id == session; });
  }
  observer_.tell();
  return {};
}

std::vector<store::Session> Accounts::sessions(const std::string& user) const {
  const auto now = parts_.clock.now();
  std::vector<store::Session> found;
  {
    std::shared_lock lock(mutex_);
    for (const auto& [digest, entry] : sessions_) {
      if (!live(*entry, now) || !entry->principal) continue;
      if (!user.empty() && entry->session.user != user) continue;
      found.push_back(entry->session);
      found.back().seen_at = core::fromMicros(entry->seen.load(std::memory_order_relaxed));
    }
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return std::tie(a.created_at, a.id) < std::tie(b.created_at, b.id); });
  return found;
}

std::optional<store::Session> Accounts::session(const std::string& id) const {
  for (auto& one : sessions({})) {
    if (one.id == id) return one;
  }
  return std::nullopt;
}

core::Result<void> Accounts::revokeSession(const std::string& id, const Actor& actor) {
  const auto now = parts_.clock.now();
  const auto line = actor.did(now, "session.revoke", id);
  std::lock_guard changing(change_mutex_);
  if (auto still = actor.stillMay(); !still) return still.error();
  if (auto revoked = parts_.sessions.revokeSession(id, now, &line); !revoked) return revoked;
  {
    std::unique_lock lock(mutex_);
    std::erase_if(sessions_, [&](const auto& one) { return one.second->session.id == id; });
  }
  observer_.tell();
  return {};
}

core::Result<void> Accounts::revokeSessions(const std::string& user, const Actor& actor) {
  const auto now = parts_.clock.now();
  const auto line = actor.did(now, "user.revoke_sessions", user);
  std::lock_guard changing(change_mutex_);
  if (auto still = actor.stillMay(); !still) return still.error();
  if (!find(user)) return noUser(user);
  if (auto revoked = parts_.sessions.revokeSessions(user, {}, now, line); !revoked) return revoked;
  {
    std::unique_lock lock(mutex_);
    dropSessions(user, {});
  }
  observer_.tell();
  return {};
}

// ---- users

core::Result<void> Accounts::checkUser(const UserRequest& request, bool with_password,
                                       const char* password_pointer) const {
  core::Error wrong{core::ErrorCode::InvalidArgument, "the user's description is not valid", "", {}};
  const auto& name = request.name;
  if (name.empty() || name.size() > kMaxNameBytes) {
    wrong.fields.push_back({"/name", "must have 1 to " + std::to_string(kMaxNameBytes) + " bytes"});
  } else if (core::hasControl(name) || name.find(':') != std::string::npos) {
    wrong.fields.push_back({"/name", "must contain neither control characters nor a colon"});
  } else if (name.front() == ' ' || name.back() == ' ') {
    wrong.fields.push_back({"/name", "must not begin or end with a blank"});
  }
  if (findRole(request.role) == nullptr) wrong.fields.push_back({"/role", "must be one of " + roleWords()});
  if (request.tier < 0 || request.tier > kMaxTier) {
    wrong.fields.push_back({"/tier", "must be from 0 to " + std::to_string(kMaxTier)});
  }
  if (with_password) {
    const auto& password = request.password;
    if (core::utf8Characters(password) < options_.password_min) {
      wrong.fields.push_back(
          {password_pointer, "must have at least " + std::to_string(options_.password_min) + " characters"});
    } else if (password.size() > kMaxPasswordBytes) {
      wrong.fields.push_back({password_pointer, "must have at most " + std::to_string(kMaxPasswordBytes) + " bytes"});
    } else if (fold(password) == fold(name)) {
      wrong.fields.push_back({password_pointer, "must not be the name"});
    }
  }
  if (!wrong.fields.empty()) return wrong;
  return {};
}

core::Result<store::User> Accounts::create(UserRequest request, const Actor& actor) {
  if (auto valid = checkUser(request, true); !valid) return valid.error();
  auto hash = hasher_.hash(request.password);
  if (!hash) return hash.error();
  auto id = randomUuid();
  if (!id) return id.error();
  store::User user;
  user.id = *std::move(id);
  user.name = std::move(request.name);
  user.name_key = fold(user.name);
  user.role = std::move(request.role);
  user.tier = request.tier;
  user.password = *std::move(hash);
  user.disabled = request.disabled;
  user.created_at = user.updated_at = parts_.clock.now();
  JsonWriter detail;
  detail.beginObject().key("name").string(user.name).key("role").string(user.role).key("tier");
  detail.number(std::int64_t{user.tier}).endObject();
  const auto line = actor.did(user.created_at, "user.create", user.id, detail.take());
  std::lock_guard changing(change_mutex_);
  if (auto still = actor.stillMay(); !still) return still.error();
  if (auto added = parts_.users.addUser(user, options_.max_users, line); !added) return added.error();
  parts_.keys.userChanged(user);
  std::unique_lock lock(mutex_);
  putUser(user);
  return user;
}

core::Result<store::User> Accounts::change(const std::string& id, UserChange change, const Actor& actor) {
  std::string hash;
  const auto before = find(id);
  if (!before) return noUser(id);
  UserRequest as_asked{change.name.value_or(before->name), change.password.value_or(""),
                       change.role.value_or(before->role), change.tier.value_or(before->tier), false};
  if (auto valid = checkUser(as_asked, change.password.has_value()); !valid) return valid.error();
  if (change.password) {
    auto hashed = hasher_.hash(*change.password);
    if (!hashed) return hashed.error();
    hash = *std::move(hashed);
  }
  std::lock_guard changing(change_mutex_);
  if (auto still = actor.stillMay(); !still) return still.error();
  auto user = find(id);
  if (!user) return noUser(id);
  const auto detail = detailOf(change);
  if (change.name) user->name = *std::move(change.name);
  user->name_key = fold(user->name);
  if (change.role) user->role = *std::move(change.role);
  if (change.tier) user->tier = *change.tier;
  if (change.disabled) user->disabled = *change.disabled;
  if (!hash.empty()) user->password = std::move(hash);
  user->updated_at = parts_.clock.now();
  const bool ends = user->disabled || change.password;
  const auto but = ends ? std::optional(std::string()) : std::nullopt;
  const auto line = actor.did(user->updated_at, "user.change", id, detail);
  if (auto changed = parts_.users.changeUser(*user, but, line); !changed) return changed.error();
  parts_.keys.userChanged(*user);
  {
    std::unique_lock lock(mutex_);
    if (ends) dropSessions(id, {});
    putUser(*user);
  }
  observer_.tell();
  return *std::move(user);
}

core::Result<void> Accounts::changePassword(const std::string& id, std::string_view old_password,
                                            std::string new_password, const std::string& session, const Actor& actor,
                                            core::Millis& retry_after) {
  const auto before = find(id);
  if (!before) return noUser(id);
  UserRequest wanted{before->name, std::move(new_password), before->role, before->tier, false};
  if (auto valid = checkUser(wanted, true, "/new_password"); !valid) return valid;
  if (const auto wait = throttle_.begin(before->name_key, actor.address)) {
    retry_after = *wait;
    return tooMany();
  }
  const auto verdict = checkInTurn(before, before->name_key, old_password, actor.address);
  if (!verdict) return verdict.error();
  if (*verdict != Verdict::Right) {
    return core::Error{
        core::ErrorCode::InvalidArgument, "the old password is wrong", "", {{"/old_password", "is wrong"}}};
  }
  auto hash = hasher_.hash(wanted.password);
  if (!hash) return hash.error();
  std::lock_guard changing(change_mutex_);
  if (auto still = actor.stillMay(); !still) return still.error();
  auto user = find(id);
  if (!user || user->password != before->password) {
    return core::Error{core::ErrorCode::Conflict, "the password was changed meanwhile", "", {}};
  }
  user->password = *std::move(hash);
  user->updated_at = parts_.clock.now();
  const auto line = actor.did(user->updated_at, "user.password", id);
  if (auto changed = parts_.users.changeUser(*user, session, line); !changed) return changed;
  {
    std::unique_lock lock(mutex_);
    dropSessions(id, session);
    putUser(*user);
  }
  observer_.tell();
  return {};
}

core::Result<void> Accounts::remove(const std::string& id, const Actor& actor) {
  const auto now = parts_.clock.now();
  std::lock_guard changing(change_mutex_);
  if (auto still = actor.stillMay(); !still) return still.error();
  const auto user = find(id);
  if (!user) return noUser(id);
  JsonWriter detail;
  detail.beginObject().key("name").string(user->name).endObject();
  const auto line = actor.did(now, "user.delete", id, detail.take());
  if (auto removed = parts_.users.removeUser(id, now, line); !removed) return removed;
  parts_.keys.userRemoved(id);
  {
    std::unique_lock lock(mutex_);
    dropSessions(id, {});
    ids_.erase(user->name_key);
    users_.erase(id);
  }
  observer_.tell();
  return {};
}

std::optional<store::User> Accounts::find(const std::string& id) const {
  std::shared_lock lock(mutex_);
  const auto found = users_.find(id);
  return found == users_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<store::User> Accounts::findByName(std::string_view name) const {
  const auto key = fold(name);
  std::shared_lock lock(mutex_);
  const auto id = ids_.find(key);
  if (id == ids_.end()) return std::nullopt;
  const auto found = users_.find(id->second);
  return found == users_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<store::User> Accounts::list(const std::string& after, std::size_t limit) const {
  std::vector<store::User> found;
  std::shared_lock lock(mutex_);
  for (auto at = ids_.upper_bound(after); at != ids_.end() && found.size() < limit; ++at) {
    const auto user = users_.find(at->second);
    if (user != users_.end()) found.push_back(user->second);
  }
  return found;
}

bool Accounts::anyUser() const {
  std::shared_lock lock(mutex_);
  return !users_.empty();
}

}  // namespace jobhost::api
