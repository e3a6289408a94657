// The units of random trees (core/units.hpp) against a small model of their rules: jobs that succeed, fail, are
// canceled, deleted (while they run too), retried, rescued, and finish late, several of them in one commit. After every
// step each job's state, units and counters must be the model's. Seed, shrinking and JOBHOST_LONG as in
// store_model_test.cpp.
//
// A run is a small forest. What a run costs is mostly its store (schema, statements, files), so many runs share one, in
// memory where the machine has a file system there, and each leaves it empty, which is checked too.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <utility>

#include "core/sanitized.hpp"
#include "core/units.hpp"
#include "store/sqlite_store.hpp"
#include "unit/store/store_contract.hpp"

namespace jobhost::store {

namespace {

using core::JobState;
using core::Units;

enum class Op {
  Root,
  Child,
  After,
  Dependent,
  Claim,
  Settle,
  SettleMany,
  Late,
  Cancel,
  Retry,
  Delete,
  CancelAndDelete,
  DeleteRunning,
  SettleAndDelete,
  Rescue,
  kCount
};
constexpr const char* kOpNames[] = {"root",           "child",
                                    "after",          "dependent",
                                    "claim",          "settle",
                                    "settle_many",    "late",
                                    "cancel",         "retry",
                                    "delete",         "cancel_and_delete",
                                    "delete_running", "settle_and_delete",
                                    "rescue"};
static_assert(std::size(kOpNames) == static_cast<std::size_t>(Op::kCount));
struct Step {
  Op op;
  unsigned arg;
};

/// Every rule said once, with no index, no formula and no batch.
struct Model {
  struct Dependency {
    int on;
    bool any_outcome;
    bool done;
  };
  struct Job {
    JobState state = JobState::Queued;
    Units units;
    core::ChildCounters children, descendants;
    int parent = -1;
    bool strict = false;  ///< fails with its children
    bool asked = false;
    bool own_done = false;
    bool removing = false;  ///< deleted, and no longer of its ancestors
    bool gone = false;
    int rescues = 0;
    std::vector<Dependency> deps;
    LeaseToken lease = 0;
  };
  std::vector<Job> jobs;
  std::vector<int> ended;     // whose dependents are still to hear of it
  std::vector<int> deserted;  // failed before their children; what is below them is still to be canceled

  Job& at(int i) { return jobs[static_cast<std::size_t>(i)]; }
  int size() const { return static_cast<int>(jobs.size()); }
  bool live(int i) { return !at(i).gone && !core::isTerminal(at(i).state); }
  bool open(int i) { return live(i) && !at(i).asked; }
  std::vector<int> childrenOf(int i) {
    std::vector<int> all;
    for (int k = 0; k < size(); ++k) {
      if (at(k).parent == i && !at(k).gone) all.push_back(k);
    }
    return all;
  }
  std::vector<int> treeOf(int i) {  // parents first
    std::vector<int> tree{i};
    for (std::size_t k = 0; k < tree.size(); ++k) {
      for (const int child : childrenOf(tree[k])) tree.push_back(child);
    }
    return tree;
  }
  bool allEnded(int i) {
    const auto tree = treeOf(i);
    return std::none_of(tree.begin(), tree.end(), [this](int k) { return live(k); });
  }
  bool outstanding(int i) {
    const auto children = childrenOf(i);
    return std::any_of(children.begin(), children.end(), [this](int k) { return live(k) && !at(k).removing; });
  }

  /// To a job and its ancestors, up to the first that has ended or is to end.
  void credit(int i, std::int64_t done, std::int64_t failed, std::int64_t total) {
    for (; i >= 0 && open(i); i = at(i).parent) {
      at(i).units.done += done;
      at(i).units.failed += failed;
      at(i).units.total += total;
    }
  }
  /// `gone`, with `left` of it not done when it was taken out, goes from a job and all its ancestors, also from those
  /// that have ended: see Moves::takeAway.
  void takeAway(int i, Units gone, std::int64_t left) {
    for (; i >= 0; i = at(i).parent) {
      Job& job = at(i);
      Units& units = job.units;
      if (open(i)) {
        units = {units.done - gone.done, units.failed - gone.failed, units.total - gone.total};
        continue;
      }
      const Units was = held(i);
      const std::int64_t own = job.own_done ? 1 : 0;
      const bool canceled = job.asked || job.state == JobState::Canceled;
      const std::int64_t undone = canceled ? units.total - 1 - (units.done - own) : 0;
      const std::int64_t total = std::min(gone.total, units.total - 1);
      std::int64_t failed = std::max<std::int64_t>(0, gone.failed - gone.done + total);
      const auto late = std::max<std::int64_t>(0, total - failed - (units.done - own - units.failed));
      failed += late;
      const auto least = std::max({std::int64_t{0}, total - (units.done - own), failed - units.failed});
      left = std::min({std::max(left + late, least), undone, total});
      const std::int64_t own_failed = job.state == JobState::Failed ? 1 - own : 0;
      units = {units.done - total + left, std::max(own_failed, units.failed - failed + left), units.total - total};
      const Units is = held(i);
      gone = {was.done - is.done, was.failed - is.failed, was.total - is.total};
      if (job.removing) return;
    }
  }
  /// What a job counts in its ancestors, before and after its end.
  Units held(int i) { return live(i) ? at(i).units : given(i); }
  int make(int parent, bool strict) {
    jobs.emplace_back();
    at(size() - 1).parent = parent;
    at(size() - 1).strict = strict;
    credit(parent, 0, 0, 1);
    if (parent >= 0) ++at(parent).children.total;
    for (int k = parent; k >= 0; k = at(k).parent) ++at(k).descendants.total;
    return size() - 1;
  }
  /// Tells its parent and ancestors that it has ended, or with -1 that it has not.
  void countEnd(int i, int by) {
    const int failed = at(i).state == JobState::Succeeded ? 0 : by;
    bool deleted = at(i).removing;
    if (at(i).parent >= 0 && !deleted) {
      at(at(i).parent).children.done += by;
      at(at(i).parent).children.failed += failed;
    }
    for (int k = at(i).parent; k >= 0; k = at(k).parent) {
      at(k).descendants.done += by;
      at(k).descendants.failed += deleted ? 0 : failed;
      deleted = deleted || at(k).removing;
    }
  }
  void end(int i, JobState to) {
    Job& job = at(i);
    const std::int64_t left = job.units.total - job.units.done;
    const std::int64_t failed = to == JobState::Succeeded ? 0 : left;
    if (to != JobState::Canceled) {
      job.units.done += left;
      job.units.failed += failed;
    }
    job.state = to;
    job.asked = false;
    if (to == JobState::Failed && outstanding(i)) deserted.push_back(i);
    countEnd(i, 1);
    if (!job.removing) credit(job.parent, left, failed, 0);
    ended.push_back(i);
    if (job.parent >= 0) wake(job.parent);
  }
  void wake(int i) {
    Job& job = at(i);
    if (job.state != JobState::Waiting || outstanding(i)) return;
    job.own_done ? succeed(i) : static_cast<void>(job.state = JobState::Queued);
  }
  void succeed(int i) { end(i, at(i).strict && at(i).children.failed > 0 ? JobState::Failed : JobState::Succeeded); }
  /// What follows from what ended, at the end of each command: for those that depend on it, then for those below it.
  void settleEnds() {
    tellDependents();
    while (!deserted.empty()) {
      for (const int i : std::exchange(deserted, {})) cancel(i);
      tellDependents();
    }
  }
  void tellDependents() {
    while (!ended.empty()) {
      const int i = ended.back();
      ended.pop_back();
      for (int k = 0; k < size(); ++k) {
        for (Dependency& dep : at(k).deps) {
          if (dep.on != i || dep.done || at(k).gone) continue;
          dep.done = dep.any_outcome || at(i).state == JobState::Succeeded;
          if (!dep.done && at(k).state == JobState::Queued) end(k, JobState::Failed);
        }
      }
    }
  }
  bool ready(int i) {
    const auto& deps = at(i).deps;
    return !at(i).gone && at(i).state == JobState::Queued &&
           std::all_of(deps.begin(), deps.end(), [](const Dependency& dep) { return dep.done; });
  }
  void settle(int i, OutcomeKind kind) {
    Job& job = at(i);
    if (job.asked) {
      const bool clean = !outstanding(i) && job.children.failed == 0;
      return end(i, kind == OutcomeKind::Succeeded && clean ? JobState::Succeeded : JobState::Canceled);
    }
    if (kind == OutcomeKind::Failed) return end(i, JobState::Failed);
    const bool wait = outstanding(i);
    if (kind == OutcomeKind::Succeeded) {
      credit(i, 1, 0, 0);
      job.own_done = true;
      return wait ? static_cast<void>(job.state = JobState::Waiting) : succeed(i);
    }
    job.state = kind == OutcomeKind::AwaitChildren && wait ? JobState::Waiting : JobState::Queued;
  }
  void cancel(int i) {
    for (const int k : treeOf(i)) {
      if (at(k).state == JobState::Running) {
        at(k).asked = true;
      } else if (live(k)) {
        end(k, JobState::Canceled);
      }
    }
  }
  /// Whatever of it still runs, its ancestors are without it.
  void cancelAndDelete(int i) {
    Job& job = at(i);
    if (!job.removing) {
      const int parent = job.parent;
      takeAway(parent, held(i), job.units.total - job.units.done);
      if (parent >= 0 && live(i)) ++at(parent).children.done;
      job.removing = true;
      if (parent >= 0) wake(parent);
    }
    cancel(i);
  }
  void rescue() {
    std::vector<int> running;
    for (int i = 0; i < size(); ++i) {
      if (!at(i).gone && at(i).state == JobState::Running) running.push_back(i);
    }
    for (const int i : running) {
      if (at(i).asked) {
        end(i, JobState::Canceled);
      } else if (at(i).rescues == kMaxRescues) {
        end(i, JobState::Failed);
      } else {
        ++at(i).rescues;
        at(i).state = JobState::Queued;
      }
    }
  }
  /// What a job that has ended counts in its ancestors.
  Units given(int i) {
    const Units& own = at(i).units;
    const std::int64_t left = own.total - own.done;
    return {own.total, own.failed + left, own.total};
  }
  bool mayRetry(int i) {
    Job& job = at(i);
    if (job.state != JobState::Failed && job.state != JobState::Canceled) return false;
    for (int k = i; k >= 0; k = at(k).parent) {
      if (at(k).removing) return false;
    }
    return std::all_of(job.deps.begin(), job.deps.end(), [this](const Dependency& dep) {
      return dep.done || (!at(dep.on).gone && !core::isTerminal(at(dep.on).state));
    });
  }
  void retry(int i) {
    const Units before = given(i);
    Units now;
    for (const int k : childrenOf(i)) {
      if (at(k).removing) continue;
      const Units child = held(k);
      now = {now.done + child.done, now.failed + child.failed, now.total + child.total};
    }
    at(i).units = now;
    at(i).own_done = false;
    at(i).rescues = 0;
    countEnd(i, -1);
    at(i).state = JobState::Queued;
    credit(at(i).parent, now.done - before.done, now.failed - before.failed, now.total - before.total);
  }
  void erase(int i) {
    const Units was = given(i);
    for (const int k : treeOf(i)) at(k).gone = true;
    if (!at(i).removing) takeAway(at(i).parent, was, at(i).units.total - at(i).units.done);
  }
  bool removesAny() {
    return std::any_of(jobs.begin(), jobs.end(), [](const Job& job) { return job.removing && !job.gone; });
  }
  void sweep() {
    for (int i = 0; i < size(); ++i) {
      if (at(i).removing && !at(i).gone && allEnded(i)) erase(i);
    }
  }
};

StoreFactory quickStore() {
  return {"quick", [](const std::filesystem::path& folder, const core::Clock& clock) {
            SqliteStore::Options options;
            options.path = (folder / "jobs.db").string();
            options.synchronous_full = false;
            auto store = SqliteStore::open(std::move(options), clock);
            return std::unique_ptr<JobStore>(*std::move(store));
          }};
}

std::filesystem::path quickFolder() {
  return ::access("/dev/shm", W_OK) == 0 ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path();
}

/// How much was checked.
struct Tally {
  std::int64_t forests = 0;
  std::int64_t trees = 0;  ///< of two jobs or more
  std::int64_t jobs = 0;
  std::int64_t steps = 0;
};

class Run {
 public:
  /// In a store that has no jobs.
  explicit Run(StoreHarness& harness) : harness_(harness) {}

  /// Does the step in both; what went wrong, or nothing.
  std::string apply(const Step& step) {
    if (std::string wrong = act(step); !wrong.empty()) return wrong;
    model_.settleEnds();
    if (step.arg % 8 == 0 || model_.removesAny()) harness_.tick();
    model_.sweep();
    return compare();
  }
  /// Deletes all there is; what is left all the same, or nothing.
  std::string leave() {
    for (int i = 0; i < model_.size(); ++i) {
      if (model_.at(i).parent < 0 && !model_.at(i).gone && !harness_.store->remove(id(i), Removal::CancelFirst).ok())
        return "cannot delete job " + std::to_string(i + 1);
    }
    auto swept = harness_.store->rescueAll();
    while (swept && swept->next_due) swept = harness_.tick();
    const auto page = harness_.store->list({}, {});
    if (!page) return "list";
    return page->jobs.empty() ? "" : std::to_string(page->jobs.size()) + " jobs are left when all are deleted";
  }
  void addTo(Tally& tally) {
    ++tally.forests;
    tally.jobs += model_.size();
    for (int i = 0; i < model_.size(); ++i) {
      if (model_.at(i).parent < 0 && model_.at(i).children.total > 0) ++tally.trees;
    }
  }

 private:
  [[nodiscard]] core::JobId id(int index) const { return {first_ + index}; }
  int pick(unsigned arg, const std::function<bool(int)>& fits) {
    std::vector<int> all;
    for (int i = 0; i < model_.size(); ++i) {
      if (!model_.at(i).gone && fits(i)) all.push_back(i);
    }
    return all.empty() ? -1 : all[arg % all.size()];
  }
  std::string act(const Step& step) {
    const int any = pick(step.arg, [](int) { return true; });
    switch (step.op) {
      case Op::Root:
        submit(-1, -1, false, step.arg % 3 == 0);
        return {};
      case Op::Child:
      case Op::After:
      case Op::Dependent: {
        const int parent = pick(step.arg, [this](int i) { return model_.open(i); });
        const int on = pick(step.arg / 7, [](int) { return true; });
        if (parent >= 0 && on >= 0)
          submit(parent, step.op == Op::Child ? -1 : on, step.op == Op::After, step.arg % 5 == 0);
        return {};
      }
      case Op::Claim:
        return claim(1 + static_cast<int>(step.arg % 4));
      case Op::Settle:
      case Op::SettleMany:
        return settle(step.arg, step.op == Op::Settle ? 1 : 5);
      case Op::Late:
        return late(step.arg);
      case Op::Cancel:
        if (any < 0) return {};
        model_.cancel(any);
        return harness_.store->cancel(id(any), "x").ok() ? "" : "cancel";
      case Op::Retry: {
        const int ended = pick(step.arg, [this](int i) { return !model_.live(i); });
        if (ended < 0) return {};
        const bool may = model_.mayRetry(ended);
        if (may) retry(ended);
        return harness_.store->retry(id(ended)).ok() == may ? "" : "retry";
      }
      case Op::Delete: {
        if (any < 0) return {};
        const bool may = model_.allEnded(any);
        if (may) model_.erase(any);
        return harness_.store->remove(id(any)).ok() == may ? "" : "delete";
      }
      case Op::CancelAndDelete:
        return cancelAndDelete(any);
      case Op::DeleteRunning:
        return cancelAndDelete(running(step.arg));
      case Op::SettleAndDelete:
        return settleAndDelete(running(step.arg), pick(step.arg / 7, [](int) { return true; }), step.arg);
      case Op::Rescue:
        if (step.arg % 4 == 0) harness_.reopen();
        model_.rescue();
        return harness_.store->rescueAll().ok() ? "" : "rescue";
      case Op::kCount:
        break;
    }
    return {};
  }
  void retry(int index) {
    for (auto& dep : model_.at(index).deps) dep.done = dep.done || (dep.any_outcome && model_.at(dep.on).gone);
    model_.retry(index);
  }
  int running(unsigned arg) {
    return pick(arg, [this](int i) { return model_.at(i).state == JobState::Running; });
  }
  std::string cancelAndDelete(int index) {
    if (index < 0) return {};
    model_.cancelAndDelete(index);
    return harness_.store->remove(id(index), Removal::CancelFirst).ok() ? "" : "cancel and delete";
  }
  /// An attempt ends and a job is deleted, mostly in one commit: the writer has something else to do at first.
  std::string settleAndDelete(int ending, int index, unsigned arg) {
    if (ending < 0 || index < 0) return {};
    for (int i = 0; i < model_.size(); ++i) {
      // Whether its dependents hear of the end before the deletion would be a matter of chance.
      if (model_.live(i) && !model_.ready(i) && model_.at(i).state == JobState::Queued) return {};
    }
    const auto kind = arg % 2 == 0 ? OutcomeKind::Succeeded : OutcomeKind::Failed;
    const auto report = outcome(ending, model_.at(ending).lease, kind);
    bool removed = false;
    const auto settled = harness_.wait<std::vector<Settled>>([&](auto done) {
      for (int i = 0; i < 3; ++i) harness_.store->update({}, [](const core::Result<void>&) {});
      harness_.store->settle({report}, std::move(done));
      removed = harness_.store->remove(id(index), Removal::CancelFirst).ok();
    });
    model_.settle(ending, kind);
    model_.settleEnds();
    model_.cancelAndDelete(index);
    return settled && settled->front().applied && removed ? "" : "settle and delete";
  }
  void submit(int parent, int on, bool any_outcome, bool strict) {
    core::JobDraft draft;
    draft.type = "t";
    if (strict) draft.child_failure = core::ChildFailure::Fail;
    if (parent >= 0) draft.parent = id(parent);
    if (on >= 0) (any_outcome ? draft.after : draft.depends_on).push_back(id(on));
    const auto stored = harness_.submit(std::move(draft));
    if (model_.size() == 0) first_ = stored.value;
    const int made = model_.make(parent, strict);
    if (on < 0) return;
    const bool ended = !model_.live(on);
    const bool good = model_.at(on).state == JobState::Succeeded;
    model_.at(made).deps.push_back({on, any_outcome, any_outcome ? ended : good});
    if (!any_outcome && ended && !good) model_.end(made, JobState::Failed);
  }
  std::string claim(int total) {
    const auto got = harness_.claim(total);
    std::vector<int> expected;
    for (int i = 0; i < model_.size() && static_cast<int>(expected.size()) < total; ++i) {
      if (model_.ready(i)) expected.push_back(i);
    }
    if (got.size() != expected.size())
      return "claimed " + std::to_string(got.size()) + ", the model " + std::to_string(expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      if (got[i].id != id(expected[i])) return "claimed another job than the model";
      auto& job = model_.at(expected[i]);
      job.state = JobState::Running;
      job.lease = got[i].lease;
      claims_.emplace_back(expected[i], got[i].lease);
    }
    return {};
  }
  AttemptOutcome outcome(int index, LeaseToken lease, OutcomeKind kind) {
    AttemptOutcome outcome;
    outcome.id = id(index);
    outcome.lease = lease;
    outcome.kind = kind;
    outcome.finished_at = outcome.retry_at = harness_.clock.now();
    if (kind == OutcomeKind::Failed) outcome.error = core::JobError{core::ErrorClass::Upstream, "boom", "it broke", {}};
    return outcome;
  }
  /// Ends up to `most` of the running attempts, in one command.
  std::string settle(unsigned arg, std::size_t most) {
    constexpr OutcomeKind kKinds[] = {OutcomeKind::Succeeded, OutcomeKind::Failed,        OutcomeKind::Succeeded,
                                      OutcomeKind::Retry,     OutcomeKind::AwaitChildren, OutcomeKind::Succeeded,
                                      OutcomeKind::Requeue,   OutcomeKind::Failed};
    std::mt19937 random(arg);
    std::vector<AttemptOutcome> outcomes;
    std::vector<int> running;
    for (int i = 0; i < model_.size(); ++i) {
      if (!model_.at(i).gone && model_.at(i).state == JobState::Running) running.push_back(i);
    }
    std::shuffle(running.begin(), running.end(), random);
    running.resize(std::min(running.size(), most));
    for (const int i : running) {
      const auto kind = kKinds[random() % std::size(kKinds)];
      outcomes.push_back(outcome(i, model_.at(i).lease, kind));
      model_.settle(i, kind);
    }
    const auto settled =
        harness_.wait<std::vector<Settled>>([&](auto done) { harness_.store->settle(outcomes, std::move(done)); });
    if (!settled) return "settle";
    return std::all_of(settled->begin(), settled->end(), [](const auto& one) { return one.applied; }) ? "" : "applied";
  }
  /// A report of any attempt there ever was, of one that is over mostly.
  std::string late(unsigned arg) {
    if (claims_.empty()) return {};
    const int index = claims_[arg % claims_.size()].first;
    const LeaseToken lease = claims_[arg % claims_.size()].second;
    auto& job = model_.at(index);
    const bool holds = !job.gone && job.state == JobState::Running && job.lease == lease;
    const auto settled = harness_.wait<std::vector<Settled>>(
        [&](auto done) { harness_.store->settle({outcome(index, lease, OutcomeKind::Succeeded)}, std::move(done)); });
    if (!settled || settled->front().applied != holds) return "a report under an old lease";
    if (holds) model_.settle(index, OutcomeKind::Succeeded);
    return {};
  }
  template <class Counters>
  static std::string text(const Counters& units) {
    return std::to_string(units.done) + "/" + std::to_string(units.failed) + "/" + std::to_string(units.total);
  }
  std::string compare() {
    ListOptions options;
    options.limit = 1000;
    options.with_documents = false;
    const auto page = harness_.store->list({}, options);
    if (!page) return "list";
    std::ostringstream out;
    std::map<int, const core::Job*> found;
    for (const auto& job : page->jobs) found[static_cast<int>(job.id.value - first_)] = &job;
    for (int i = 0; i < model_.size(); ++i) {
      const auto& expected = model_.at(i);
      if (found.contains(i) == expected.gone)
        out << "job " << i + 1 << (expected.gone ? " is still there; " : " is gone; ");
      if (expected.gone || !found.contains(i)) continue;
      const core::Job& got = *found[i];
      const Units units = core::unitsOf(got);
      if (got.state != expected.state || !(units == expected.units)) {
        out << "job " << i + 1 << " is " << core::toString(got.state) << " " << text(units) << ", the model says "
            << core::toString(expected.state) << " " << text(expected.units) << "; ";
      }
      const bool over = units.done == units.total;
      const bool must = got.state == JobState::Succeeded || got.state == JobState::Failed;
      if (units.failed > units.done || units.done > units.total || units.failed < 0 || (must && !over) ||
          (got.state == JobState::Queued && over)) {
        out << "job " << i + 1 << " " << core::toString(got.state) << " has units " << text(units) << "; ";
      }
      if (model_.open(i)) {
        Units sum{expected.own_done ? 1 : 0, 0, 1};
        for (const int k : model_.childrenOf(i)) {
          if (model_.at(k).removing) continue;
          const Units below = model_.held(k);
          sum = {sum.done + below.done, sum.failed + below.failed, sum.total + below.total};
        }
        if (!(sum == units))
          out << "job " << i + 1 << " has units " << text(units) << ", its tree " << text(sum) << "; ";
      }
      if (got.children != expected.children || got.descendants != expected.descendants) {
        out << "job " << i + 1 << " counts children " << text(got.children) << " and descendants "
            << text(got.descendants) << ", the model " << text(expected.children) << " and "
            << text(expected.descendants) << "; ";
      }
    }
    return out.str();
  }

  StoreHarness& harness_;
  std::int64_t first_ = 0;  ///< the number of its first job
  Model model_;
  std::vector<std::pair<int, LeaseToken>> claims_;
};

std::string failureOf(const std::vector<Step>& steps, StoreHarness& harness, Tally& tally) {
  Run run(harness);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (std::string wrong = run.apply(steps[i]); !wrong.empty()) return "step " + std::to_string(i) + ": " + wrong;
  }
  run.addTo(tally);
  tally.steps += static_cast<std::int64_t>(steps.size());
  return run.leave();
}
/// In a store of its own.
std::string failureOf(const std::vector<Step>& steps) {
  StoreHarness harness(quickStore(), quickFolder());
  Tally tally;
  return failureOf(steps, harness, tally);
}

std::vector<Step> shrink(std::vector<Step> steps) {
  for (std::size_t size = steps.size() / 2; size > 0; size /= 2) {
    for (std::size_t from = 0; from + size <= steps.size();) {
      std::vector<Step> fewer = steps;
      const auto begin = fewer.begin() + static_cast<std::ptrdiff_t>(from);
      fewer.erase(begin, begin + static_cast<std::ptrdiff_t>(size));
      if (failureOf(fewer).empty()) {
        from += size;
      } else {
        steps = std::move(fewer);
      }
    }
  }
  return steps;
}

}  // namespace

TEST(UnitModel, AgreesWithTheStoreOverRandomTrees) {
  // How often each step is taken, in the order of Op.
  constexpr int kOften[] = {4, 16, 3, 3, 14, 12, 8, 4, 4, 6, 3, 2, 3, 3, 2};
  static_assert(std::size(kOften) == static_cast<std::size_t>(Op::kCount));
  std::vector<Op> bag;
  for (std::size_t op = 0; op < std::size(kOften); ++op)
    bag.insert(bag.end(), static_cast<std::size_t>(kOften[op]), static_cast<Op>(op));
  const char* seed_text = std::getenv("JOBHOST_SEED");
  const unsigned first_seed =
      seed_text != nullptr ? static_cast<unsigned>(std::strtoul(seed_text, nullptr, 10)) : std::random_device{}();
  const int some = core::kSanitized ? 200 : 1200;
  const int runs = seed_text != nullptr ? 1 : std::getenv("JOBHOST_LONG") != nullptr ? 10'000 : some;
  constexpr int kRunsOfAStore = 50;
  std::unique_ptr<StoreHarness> harness;
  Tally tally;
  for (int run = 0; run < runs; ++run) {
    if (run % kRunsOfAStore == 0) harness = std::make_unique<StoreHarness>(quickStore(), quickFolder());
    const unsigned seed = first_seed + static_cast<unsigned>(run);
    std::mt19937 random(seed);
    std::vector<Step> steps;
    for (int i = 0; i < 90; ++i) {
      const Op op = bag[random() % bag.size()];
      steps.push_back({op, static_cast<unsigned>(random())});
    }
    const auto wrong = failureOf(steps, *harness, tally);
    if (wrong.empty()) continue;
    ASSERT_FALSE(failureOf(steps).empty()) << "JOBHOST_SEED=" << seed << " fails after the " << run % kRunsOfAStore
                                           << " runs before it, and not alone: " << wrong;
    const auto least = shrink(steps);
    std::ostringstream story;
    for (const Step& step : least) story << "  " << kOpNames[static_cast<int>(step.op)] << " " << step.arg << "\n";
    FAIL() << "JOBHOST_SEED=" << seed << "\n" << story.str() << failureOf(least);
  }
  std::printf("checked %lld trees with %lld jobs in %lld runs, each after %lld steps\n",
              static_cast<long long>(tally.trees), static_cast<long long>(tally.jobs),
              static_cast<long long>(tally.forests), static_cast<long long>(tally.steps / tally.forests));
  RecordProperty("trees", std::to_string(tally.trees));
  RecordProperty("jobs", std::to_string(tally.jobs));
  RecordProperty("steps", std::to_string(tally.steps));
}

}  // namespace jobhost::store
