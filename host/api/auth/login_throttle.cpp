#include "api/auth/login_throttle.hpp"

#include <algorithm>

#include <arpa/inet.h>

namespace jobhost::api {
namespace {

std::string nameKey(std::string_view name, std::string_view address) {
  return 'n' + std::string(name) + '\n' + addressGroup(address);
}
std::string addressKey(std::string_view address) {
  return 'a' + addressGroup(address);
}

}  // namespace

std::string addressGroup(std::string_view address) {
  in6_addr six{};
  const std::string text(address);
  if (text.find(':') == std::string::npos || ::inet_pton(AF_INET6, text.c_str(), &six) != 1) return text;
  if (IN6_IS_ADDR_V4MAPPED(&six)) {
    char four[INET_ADDRSTRLEN];
    return ::inet_ntop(AF_INET, &six.s6_addr[12], four, sizeof four) != nullptr ? four : text;
  }
  std::fill(six.s6_addr + 8, six.s6_addr + 16, 0);
  char group[INET6_ADDRSTRLEN];
  return ::inet_ntop(AF_INET6, &six, group, sizeof group) != nullptr ? group : text;
}

LoginThrottle::Entry& LoginThrottle::entry(std::string key, core::Clock::Steady now) {
  if (const auto found = index_.find(key); found != index_.end()) {
    auto& known = *found->second;
    if (known.running == 0 && now - known.last > options_.forget) known.failures = 0;
    return known;
  }
  // The oldest goes; those with an attempt under way stay, and they are few.
  auto oldest = entries_.begin();
  while (entries_.size() >= options_.entries && oldest != entries_.end()) {
    if (oldest->running > 0) {
      ++oldest;
      continue;
    }
    index_.erase(oldest->key);
    oldest = entries_.erase(oldest);
  }
  entries_.push_back({std::move(key), 0, 0, now, {}});
  index_.emplace(entries_.back().key, std::prev(entries_.end()));
  return entries_.back();
}

std::optional<core::Millis> LoginThrottle::wait(Entry& entry, int allowed, core::Clock::Steady now) {
  if (entry.failures < allowed) return std::nullopt;
  if (now < entry.until) return std::chrono::ceil<core::Millis>(entry.until - now);
  // Its turn has come, for one attempt.
  return entry.running > 0 ? std::optional(options_.backoff) : std::nullopt;
}

std::optional<core::Millis> LoginThrottle::begin(std::string_view name_key, std::string_view address) {
  std::lock_guard lock(mutex_);
  const auto now = clock_.steadyNow();
  auto& of_address = entry(addressKey(address), now);
  if (const auto blocked = wait(of_address, options_.address_failures, now)) return blocked;
  ++of_address.running;  // before the next entry is made, which may push out idle ones
  auto& of_name = entry(nameKey(name_key, address), now);
  if (const auto blocked = wait(of_name, options_.failures, now)) {
    --of_address.running;
    return blocked;
  }
  ++of_name.running;
  return std::nullopt;
}

void LoginThrottle::failed(Entry& entry, int allowed, core::Clock::Steady now) {
  ++entry.failures;
  entry.last = now;
  if (entry.failures >= allowed) {
    auto delay = options_.backoff;
    for (int i = allowed; i < entry.failures && delay < options_.backoff_max; ++i) delay *= 2;
    entry.until = now + std::min(delay, options_.backoff_max);
  }
  const auto at = index_.find(entry.key)->second;
  entries_.splice(entries_.end(), entries_, at);
}

void LoginThrottle::ended(std::string_view name_key, std::string_view address, End end) {
  std::lock_guard lock(mutex_);
  const auto now = clock_.steadyNow();
  auto& of_address = *index_.find(addressKey(address))->second;
  auto& of_name = *index_.find(nameKey(name_key, address))->second;
  --of_address.running;
  --of_name.running;
  if (end == End::Wrong) {
    failed(of_address, options_.address_failures, now);
    failed(of_name, options_.failures, now);
  } else if (end == End::Right) {
    // The address keeps its count: one good account must not pay for guessing at others.
    of_name.failures = 0;
    of_name.until = {};
  }
}

std::size_t LoginThrottle::entriesForTest() {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace jobhost::api
