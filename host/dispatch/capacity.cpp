#include "dispatch/capacity.hpp"

#include <algorithm>
#include <cmath>

namespace jobhost::dispatch {
namespace {

constexpr int kSamplesToTrust = 4;  // attempts seen before a type counts as short
constexpr double kWeightOfNewest = 0.2;
constexpr double kAheadMicros = 10'000;  // work handed over ahead per slot: a few commits' worth
constexpr core::Millis kCareful{200};
constexpr core::Millis kForgetStalls{5'000};
constexpr core::Millis kBlocked{250};
constexpr core::Millis kLongestBlock{30'000};
constexpr int kDoublings = 7;

}  // namespace

void Capacity::setTypes(const catalog::Snapshot& snapshot) {
  for (auto& [name, type] : types_) type.available = false;
  for (const auto& [name, entry] : snapshot.types) {
    auto& type = types_[name];
    Plugin& owner = plugin(entry.info.plugin_id);
    if (type.plugin != &owner) type.samples = 0;  // another plugin's speed says nothing
    type.name = name;
    type.plugin = &owner;
    type.concurrency = entry.info.concurrency;
    type.wall = entry.info.limits.wall;
    type.available = entry.info.available;
  }
}

Capacity::Plugin& Capacity::setSlots(const std::string& id, int slots) {
  Plugin& changed = plugin(id);
  changed.slots = std::max(slots, 0);
  return changed;
}

Capacity::Plugin& Capacity::plugin(const std::string& id) {
  auto& known = plugins_[id];
  if (known.id.empty()) {
    known.id = id;
    const auto limit = options_.max_running_by_plugin.find(id);
    if (limit != options_.max_running_by_plugin.end()) known.limit = limit->second;
  }
  return known;
}

Capacity::Type* Capacity::find(const std::string& type) {
  const auto found = types_.find(type);
  return found == types_.end() ? nullptr : &found->second;
}

Capacity::Place Capacity::take(Type& type, core::Clock::Steady now) {
  Plugin& plugin = *type.plugin;
  const int cost = kSlot / depth(type, now);
  const Place place{&type, &plugin, cost, cost < kSlot || plugin.outstanding >= usableSlots(plugin)};
  plugin.used += cost;
  ++plugin.outstanding;
  ++type.outstanding;
  ++outstanding_;
  return place;
}

void Capacity::giveBack(const Place& place, bool begun) {
  place.plugin->used -= place.cost;
  --place.plugin->outstanding;
  if (begun) --place.plugin->begun;
  --place.type->outstanding;
  --outstanding_;
}

void Capacity::takeWholeSlot(Place& place) {
  place.plugin->used += kSlot - place.cost;
  place.cost = kSlot;
}

void Capacity::learn(Type& type, double micros) const {
  type.average_us = type.samples == 0 ? micros : type.average_us + kWeightOfNewest * (micros - type.average_us);
  type.samples = std::min(type.samples + 1, kSamplesToTrust);
}

void Capacity::stalled(Plugin& plugin, core::Clock::Steady now) const {
  if (now - plugin.careful_until > kForgetStalls) plugin.stalls = 0;
  plugin.careful_until = now + kCareful * (1 << std::min(plugin.stalls, 4));
  ++plugin.stalls;
}

void Capacity::failedToStart(Plugin& plugin, core::Clock::Steady now) const {
  if (now < plugin.blocked_until) return;  // the same failure told by each attempt that waited for it
  plugin.blocked_until = now + std::min(kBlocked * (1 << std::min(plugin.failures, kDoublings)), kLongestBlock);
  ++plugin.failures;
}

int Capacity::usableSlots(const Plugin& plugin) {
  return plugin.limit > 0 ? std::min(plugin.limit, plugin.slots) : plugin.slots;
}

bool Capacity::globalLimitBinds() const {
  if (options_.max_running <= 0) return false;
  int slots = 0;
  for (const auto& [id, plugin] : plugins_) slots += usableSlots(plugin);
  return options_.max_running < slots;
}

int Capacity::depth(const Type& type, core::Clock::Steady now) const {
  const Plugin& plugin = *type.plugin;
  const double short_us = std::chrono::duration<double, std::micro>(options_.short_attempt).count();
  if (type.samples < kSamplesToTrust || type.average_us >= short_us || now < plugin.careful_until) return 1;
  if (plugin.limit > 0 || type.concurrency > 0) return 1;
  if (globalLimitBinds()) return 1;
  const double wanted = kAheadMicros / std::max(type.average_us, 1.0);
  return std::clamp(static_cast<int>(std::min(wanted, 1e6)), 1, std::clamp(options_.read_ahead, 1, kSlot));
}

void Capacity::fill(store::ClaimRequest& request, core::Clock::Steady now) const {
  request.quotas.clear();
  request.groups.clear();
  request.total = 0;
  const bool binding = globalLimitBinds();
  const int free = binding ? options_.max_running - outstanding_ : options_.max_claim;
  if (free <= 0) return;
  std::map<const Plugin*, int> groups;
  for (const auto& [name, type] : types_) {
    const Plugin& plugin = *type.plugin;
    const int budget = usableSlots(plugin) * kSlot - plugin.used;
    if (!type.available || budget <= 0 || now < plugin.blocked_until) continue;
    const int cost = kSlot / depth(type, now);
    int max = (budget + cost - 1) / cost;
    if (type.concurrency > 0) max = std::min(max, type.concurrency - type.outstanding);
    if (max <= 0) continue;
    const auto [group, added] = groups.try_emplace(&plugin, static_cast<int>(request.groups.size()));
    if (added) request.groups.push_back(budget);
    request.quotas.push_back({name, max, group->second, cost});
    request.total = std::min(request.total + max, options_.max_claim);
  }
  request.total = std::min(request.total, free);
}

std::optional<core::Clock::Steady> Capacity::nextChange(core::Clock::Steady now) const {
  std::optional<core::Clock::Steady> next;
  for (const auto& [id, plugin] : plugins_) {
    if (plugin.blocked_until > now && (!next || plugin.blocked_until < *next)) next = plugin.blocked_until;
  }
  return next;
}

}  // namespace jobhost::dispatch
