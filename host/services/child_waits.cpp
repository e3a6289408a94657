#include "services/child_waits.hpp"

#include <algorithm>
#include <utility>

namespace jobhost::services {
namespace {

constexpr core::Millis kLongestWait{24LL * 3600 * 1000};
constexpr std::size_t kMostChildren = 10'000;  // of one wait

// After any of these the attempt that waited is over.
bool endsAttempt(core::EventKind kind) {
  using enum core::EventKind;
  return kind == Queued || kind == Waiting || kind == Suspended || kind == Succeeded || kind == Failed ||
         kind == Canceled || kind == Deleted;
}

}  // namespace

ChildWaits::ChildWaits(store::JobStore& store, events::EventBus& bus, const core::Clock& clock, Post post)
    : store_(store), bus_(bus), clock_(clock), post_(std::move(post)) {}

core::Result<ChildWaits::States> ChildWaits::states(core::JobId parent, const std::vector<core::JobId>& ids) {
  States states;
  states.reserve(ids.size());
  for (const auto id : ids) {
    auto job = store_.get(id);
    if (!job && job.error().code != core::ErrorCode::NotFound) return job.error();
    if (!job || job->parent != parent) {
      return core::Error{
          core::ErrorCode::NotFound, "job " + core::toString(id) + " is not a child of this job", "", {}};
    }
    states.push_back({id, job->state, std::move(job->result_json), std::move(job->error), std::move(job->type)});
  }
  return states;
}

core::Result<std::vector<core::JobId>> ChildWaits::childrenOf(core::JobId parent, bool ended_too) {
  store::JobFilter filter;
  filter.parent = parent;
  if (!ended_too) {
    using enum core::JobState;
    filter.states = {Queued, Running, Waiting, Suspended};
  }
  store::ListOptions options;
  options.limit = 1000;
  options.with_documents = false;
  std::vector<core::JobId> ids;
  do {
    const auto page = store_.list(filter, options);
    if (!page) return page.error();
    for (const auto& job : page->jobs) ids.push_back(job.id);
    options.cursor = page->next;
    if (ids.size() > kMostChildren) {
      return core::Error{core::ErrorCode::TooLarge, "more than 10000 children: name those to wait for", "", {}};
    }
  } while (options.cursor);
  return ids;
}

void ChildWaits::start(const pool::AttemptServices::Caller& caller, std::vector<core::JobId> ids, bool any,
                       core::Millis timeout, Done done) {
  if (ids.empty()) {
    auto all = childrenOf(caller.job, any);  // one that has ended matters to "any" alone
    if (!all) return done(all.error());
    ids = *std::move(all);
  }
  const std::uint64_t number = next_++;
  Wait wait;
  wait.parent = caller.job;
  wait.any = any;
  // Listen first, look then: an end between the two is not missed.
  for (const auto id : ids) {
    wait.subscriptions.push_back(bus_.subscribe(id, [post = post_, number, id](std::span<const core::JobEvent> events) {
      const bool over = std::any_of(events.begin(), events.end(), [](const auto& event) {
        return event.seq > 0 && (core::isTerminal(event.state) || event.kind == core::EventKind::Deleted);
      });
      if (over) post(number, id);
    }));
  }
  wait.subscriptions.push_back(
      bus_.subscribe(caller.job, [post = post_, number](std::span<const core::JobEvent> events) {
        const bool over = std::any_of(events.begin(), events.end(),
                                      [](const auto& event) { return event.seq > 0 && endsAttempt(event.kind); });
        if (over) post(number, std::nullopt);
      }));
  auto now = states(caller.job, ids);
  if (!now) return done(now.error());
  for (const auto& child : *now) {
    if (!core::isTerminal(child.state)) wait.open.insert(child.id);
  }
  const bool one_ended =
      std::any_of(now->begin(), now->end(), [](const auto& child) { return core::isTerminal(child.state); });
  if (wait.open.empty() || (any && one_ended) || timeout.count() <= 0) return done(*std::move(now));
  wait.ids = std::move(ids);
  wait.deadline = clock_.steadyNow() + std::min(timeout, kLongestWait);
  wait.done = std::move(done);
  waits_.emplace(number, std::move(wait));
}

void ChildWaits::ended(std::uint64_t number, std::optional<core::JobId> id) {
  const auto found = waits_.find(number);
  if (found == waits_.end()) return;
  Wait& wait = found->second;
  if (!id) {
    auto done = std::move(wait.done);
    waits_.erase(found);
    return done(core::Error{core::ErrorCode::Canceled, "the attempt that waited is over", "", {}});
  }
  wait.open.erase(*id);
  if (wait.any || wait.open.empty()) answer(number);
}

void ChildWaits::answer(std::uint64_t number) {
  auto node = waits_.extract(number);
  Wait& wait = node.mapped();
  wait.subscriptions.clear();
  wait.done(states(wait.parent, wait.ids));
}

void ChildWaits::expire() {
  const auto now = clock_.steadyNow();
  std::vector<std::uint64_t> due;
  for (const auto& [number, wait] : waits_) {
    if (wait.deadline <= now) due.push_back(number);
  }
  for (const auto number : due) answer(number);
}

std::optional<ChildWaits::Steady> ChildWaits::nextDeadline() const {
  std::optional<Steady> next;
  for (const auto& [number, wait] : waits_) {
    if (!next || wait.deadline < *next) next = wait.deadline;
  }
  return next;
}

void ChildWaits::abandon() {
  for (auto& [number, wait] : std::exchange(waits_, {})) {
    wait.subscriptions.clear();
    wait.done(core::Error{core::ErrorCode::Unavailable, "the host is shutting down", "", {}});
  }
}

}  // namespace jobhost::services
