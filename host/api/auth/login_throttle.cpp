#include "api/auth/login_throttle.hpp"

#include <algorithm>
#include <utility>

#include <arpa/inet.h>

namespace jobhost::api {
namespace {

std::string nameKey(std::string_view name, std::string_view address) {
  return 'n' + std::string(name) + '\n' + addressGroup(address);
}
std::string addressKey(std::string_view address) {
  return 'a' + addressGroup(address);
}
std::string everywhereKey(std::string_view name) {
  return 'e' + std::string(name);
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
  entries_.push_back({std::move(key), 0, 0, now, {}, nullptr});
  index_.emplace(entries_.back().key, std::prev(entries_.end()));
  return entries_.back();
}

std::optional<core::Millis> LoginThrottle::wait(const Entry& entry, int allowed, core::Clock::Steady now) const {
  if (entry.failures + entry.running < allowed) return std::nullopt;
  if (entry.failures >= allowed && now < entry.until) return std::chrono::ceil<core::Millis>(entry.until - now);
  // Its turn has come, for one attempt; or those under way may yet turn out right.
  return entry.running > 0 ? std::optional(options_.backoff) : std::nullopt;
}

std::optional<core::Millis> LoginThrottle::begin(std::string_view name_key, std::string_view address) {
  std::lock_guard lock(mutex_);
  const auto now = clock_.steadyNow();
  auto& of_address = entry(addressKey(address), now);
  if (of_address.running >= options_.at_once) return options_.backoff;
  if (const auto blocked = wait(of_address, options_.address_failures, now)) return blocked;
  ++of_address.running;  // before the next entries are made, which may push out idle ones
  const auto key = nameKey(name_key, address);
  auto& of_name = entry(key, now);
  ++of_name.running;
  auto& everywhere = entry(everywhereKey(name_key), now);
  --of_name.running;
  // Or attempts that are refused, each from a fresh network, would push it out and begin anew.
  entries_.splice(entries_.end(), entries_, index_.find(everywhere.key)->second);
  auto blocked = wait(of_name, options_.failures, now);
  if (!blocked && of_name.right) {
    if (const auto left = of_name.right->look(now); !left.allowed) blocked = std::chrono::seconds(left.retry_after_s);
  }
  if (!blocked && !familiar(key, now)) blocked = wait(everywhere, options_.name_failures, now);
  if (blocked) {
    --of_address.running;
    return blocked;
  }
  ++of_name.running;
  ++everywhere.running;
  return std::nullopt;
}

void LoginThrottle::failed(Entry& entry, int allowed, core::Millis most, core::Clock::Steady now) {
  ++entry.failures;
  entry.last = now;
  if (entry.failures >= allowed) {
    auto delay = options_.backoff;
    for (int i = allowed; i < entry.failures && delay < most; ++i) delay *= 2;
    entry.until = now + std::min(delay, most);
  }
  const auto at = index_.find(entry.key)->second;
  entries_.splice(entries_.end(), entries_, at);
}

void LoginThrottle::ended(std::string_view name_key, std::string_view address, End end) {
  std::lock_guard lock(mutex_);
  const auto now = clock_.steadyNow();
  const auto key = nameKey(name_key, address);
  auto& of_address = *index_.find(addressKey(address))->second;
  auto& of_name = *index_.find(key)->second;
  auto& everywhere = *index_.find(everywhereKey(name_key))->second;
  --of_address.running;
  --of_name.running;
  --everywhere.running;
  if (end == End::Wrong) {
    failed(of_address, options_.address_failures, options_.backoff_max, now);
    failed(of_name, options_.failures, options_.backoff_max, now);
    failed(everywhere, options_.name_failures, std::min(options_.name_backoff_max, options_.backoff_max), now);
  } else if (end == End::Right) {
    // Address and name over all addresses keep their counts: one good account must not pay for guessing at others, nor
    // its owner's logins for guessing at it.
    of_name.failures = 0;
    of_name.until = {};
    if (!of_name.right) of_name.right = std::make_unique<TokenBucket>(options_.per_minute, options_.per_minute, now);
    of_name.right->take(now);
    becomesFamiliar(key, now);
  }
}

bool LoginThrottle::familiar(const std::string& key, core::Clock::Steady now) const {
  const auto found = familiar_index_.find(key);
  return found != familiar_index_.end() && now < found->second->until;
}

void LoginThrottle::becomesFamiliar(std::string key, core::Clock::Steady now) {
  if (const auto known = familiar_index_.find(key); known != familiar_index_.end()) {
    familiars_.splice(familiars_.end(), familiars_, known->second);
  } else {
    if (familiars_.size() >= options_.entries) {
      familiar_index_.erase(familiars_.front().key);
      familiars_.pop_front();
    }
    familiars_.push_back({std::move(key), {}});
    familiar_index_.emplace(familiars_.back().key, std::prev(familiars_.end()));
  }
  familiars_.back().until = now + options_.familiar;
}

std::size_t LoginThrottle::entriesForTest() {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace jobhost::api
