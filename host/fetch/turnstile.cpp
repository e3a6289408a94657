#include "fetch/turnstile.hpp"

#include <algorithm>
#include <cmath>

namespace jobhost::fetch {
namespace {

constexpr std::size_t kManyHosts = 256;  // looked through for idle ones beyond this

}  // namespace

bool Turnstile::enter(Id id, const std::string& host) {
  if (waiting_.size() >= limits_.waiting) return false;
  waiting_.push_back({id, host});
  return true;
}

std::vector<Turnstile::Id> Turnstile::admit(Steady::time_point now) {
  std::vector<Id> admitted;
  for (auto one = waiting_.begin(); one != waiting_.end() && running_ < limits_.at_once;) {
    auto [found, fresh] = hosts_.try_emplace(one->host);
    Host& host = found->second;
    host.tokens = fresh ? burst() : tokensOf(host, now);
    host.filled = now;
    const bool limited = limits_.per_second_per_host > 0;
    if (host.running >= limits_.at_once_per_host || (limited && host.tokens < 1)) {
      ++one;
      continue;
    }
    if (limited) host.tokens -= 1;
    ++host.running;
    ++running_;
    admitted.push_back(one->id);
    one = waiting_.erase(one);
  }
  if (hosts_.size() > kManyHosts) dropIdle(now);
  return admitted;
}

void Turnstile::leave(const std::string& host) {
  const auto found = hosts_.find(host);
  if (found == hosts_.end() || found->second.running == 0) return;
  --found->second.running;
  --running_;
  if (found->second.running == 0 && limits_.per_second_per_host <= 0) hosts_.erase(found);
}

void Turnstile::forget(Id id) {
  waiting_.remove_if([id](const Waiting& one) { return one.id == id; });
}

std::optional<Turnstile::Steady::time_point> Turnstile::nextTurn(Steady::time_point now) const {
  if (limits_.per_second_per_host <= 0 || running_ >= limits_.at_once) return std::nullopt;
  std::optional<Steady::time_point> next;
  for (const auto& one : waiting_) {
    const auto found = hosts_.find(one.host);
    if (found == hosts_.end()) return now;
    if (found->second.running >= limits_.at_once_per_host) continue;
    const double missing = std::max(0.0, 1 - tokensOf(found->second, now));
    const auto wait =
        std::chrono::microseconds(static_cast<std::int64_t>(std::ceil(missing / limits_.per_second_per_host * 1e6)));
    if (!next || now + wait < *next) next = now + wait;
  }
  return next;
}

double Turnstile::burst() const {
  return std::max(1.0, limits_.per_second_per_host);
}

double Turnstile::tokensOf(const Host& host, Steady::time_point now) const {
  const double seconds = std::chrono::duration<double>(now - host.filled).count();
  return std::min(burst(), host.tokens + std::max(0.0, seconds) * limits_.per_second_per_host);
}

void Turnstile::dropIdle(Steady::time_point now) {
  std::erase_if(hosts_,
                [&](const auto& entry) { return entry.second.running == 0 && tokensOf(entry.second, now) >= burst(); });
}

}  // namespace jobhost::fetch
