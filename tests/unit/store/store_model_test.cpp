// Random commands against the store and against a small model of it. The seed is printed; a failure is shrunk to the
// fewest commands that still fail, and those are printed. JOBHOST_SEED repeats a run, JOBHOST_LONG makes it long.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <sstream>

#include "unit/store/store_contract.hpp"

namespace jobhost::store {

namespace {

using core::JobState;
using namespace std::chrono_literals;

enum class Op {
  Submit,
  SubmitKeyed,
  SubmitDelayed,
  SubmitChild,
  SubmitDependent,
  Claim,
  Succeed,
  Fail,
  Retry,
  Await,
  Later,
  Requeue,
  Cancel,
  Suspend,
  Resume,
  RetryCommand,
  Renew,
  Advance,
  Jump,
  Reopen,
  Rescue,
  kCount
};
constexpr const char* kOpNames[] = {
    "submit",        "submit_keyed", "submit_delayed", "submit_child", "submit_dependent",
    "claim",         "succeed",      "fail",           "retry",        "await",
    "later",         "requeue",      "cancel",         "suspend",      "resume",
    "retry_command", "renew",        "advance",        "jump",         "reopen",
    "rescue"};
struct Step {
  Op op;
  unsigned arg;
};

/// The store in a hundred lines: what each job is, by the rules of docs/states.md, with no index and no cache.
struct Model {
  struct Job {
    JobState state = JobState::Queued;
    bool keyed = false;
    std::int64_t run_at = 0;
    std::int64_t created = 0;
    int parent = -1;
    int dep = -1;
    int attempt = 0;
    int rescues = 0;
    bool cancel_asked = false;
    bool suspend_asked = false;
    bool own_done = false;
    bool resume_next = false;
    bool resumed = false;
    bool at_once = false;
    bool later = false;      // waits, and not before run_at
    std::int64_t until = 0;  // steady
    LeaseToken lease = 0;
  };
  std::vector<Job> jobs;
  std::vector<int> deserted;  // failed before their children, which are canceled when the command is over
  std::int64_t now = 0, steady = 0;

  int outstanding(int i) const {
    int n = 0;
    for (const Job& job : jobs) n += job.parent == i && !core::isTerminal(job.state) ? 1 : 0;
    return n;
  }
  bool unclean(int i) const {
    return std::any_of(jobs.begin(), jobs.end(),
                       [i](const Job& job) { return job.parent == i && job.state != JobState::Succeeded; });
  }
  void end(int i, JobState to) {
    jobs[static_cast<std::size_t>(i)].state = to;
    if (to == JobState::Failed && outstanding(i) > 0) deserted.push_back(i);
    for (int k = 0; k < static_cast<int>(jobs.size()); ++k) {
      Job& other = at(k);
      const bool held = other.state == JobState::Queued || other.state == JobState::Suspended;
      if (other.dep == i && to != JobState::Succeeded && held) end(k, JobState::Failed);
      if (other.dep == i && to == JobState::Succeeded && other.state == JobState::Queued) enter(other);
    }
    if (at(i).parent >= 0) wake(at(i).parent);
  }
  /// (Back) in the queue: what is due now stays so, also when the clock is set back.
  void enter(Job& job) {
    job.state = JobState::Queued;
    job.at_once = job.run_at <= std::max(job.created, now);
  }
  void wake(int i) {
    Job& job = at(i);
    if (job.state != JobState::Waiting || outstanding(i) > 0) return;
    if (job.own_done) return end(i, JobState::Succeeded);
    job.state = JobState::Queued;
    job.resume_next = true;
    std::exchange(job.later, false) ? enter(job) : static_cast<void>(job.at_once = true);
  }
  Job& at(int i) { return jobs[static_cast<std::size_t>(i)]; }
  bool dependsOn(const Job& job) { return job.dep >= 0 && at(job.dep).state != JobState::Succeeded; }
  bool held(int i) {
    const Job& job = at(i);
    if (dependsOn(job)) return true;
    return job.run_at > now && !job.at_once;
  }
  bool keyRuns() const {
    return std::any_of(jobs.begin(), jobs.end(),
                       [](const Job& job) { return job.keyed && job.state == JobState::Running; });
  }
  /// What a claim of `total` takes, in order.
  std::vector<int> claim(int total) {
    std::vector<int> ready;
    for (int i = 0; i < static_cast<int>(jobs.size()); ++i) {
      if (at(i).state == JobState::Queued && !held(i)) ready.push_back(i);
    }
    std::stable_sort(ready.begin(), ready.end(), [this](int a, int b) { return at(a).run_at < at(b).run_at; });
    std::vector<int> taken;
    for (const int i : ready) {
      if (static_cast<int>(taken.size()) == total) break;
      if (at(i).keyed && keyRuns()) continue;
      Job& job = at(i);
      job.state = JobState::Running;
      job.resumed = job.resume_next;
      if (!job.resume_next) ++job.attempt;
      job.resume_next = job.at_once = job.own_done = false;
      job.until = steady + 30'000'000;
      taken.push_back(i);
    }
    return taken;
  }
  void uncount(Job& job) { job.resumed ? static_cast<void>(job.resume_next = true) : static_cast<void>(--job.attempt); }
  void settle(int i, OutcomeKind kind, std::int64_t not_before = 0) {
    Job& job = at(i);
    const bool cancel = std::exchange(job.cancel_asked, false);
    const bool suspend = std::exchange(job.suspend_asked, false);
    if (kind == OutcomeKind::Succeeded) {
      if (cancel && unclean(i)) return end(i, JobState::Canceled);
      job.own_done = true;
      return outstanding(i) > 0 ? static_cast<void>(job.state = JobState::Waiting) : end(i, JobState::Succeeded);
    }
    if (cancel) return end(i, JobState::Canceled);
    if (kind == OutcomeKind::Failed) return end(i, JobState::Failed);
    if (kind == OutcomeKind::Requeue) uncount(job);
    if (kind == OutcomeKind::Retry) job.run_at = now;
    if (kind == OutcomeKind::AwaitChildren) job.resume_next = true;
    if (not_before != 0) job.run_at = not_before;
    suspend ? static_cast<void>(job.state = JobState::Suspended) : enter(job);
    if (kind == OutcomeKind::AwaitChildren && !suspend && outstanding(i) > 0) {
      job.state = JobState::Waiting;
      job.own_done = false;
      job.later = not_before != 0;
    }
  }
  void expire(bool every) {
    for (int i = 0; i < static_cast<int>(jobs.size()); ++i) {
      Job& job = at(i);
      if (job.state != JobState::Running || (!every && job.until > steady)) continue;
      const bool suspend = std::exchange(job.suspend_asked, false);
      if (std::exchange(job.cancel_asked, false)) {
        end(i, JobState::Canceled);
      } else if (!suspend && job.rescues >= kMaxRescues) {
        end(i, JobState::Failed);
      } else {
        ++job.rescues;
        uncount(job);
        suspend ? static_cast<void>(job.state = JobState::Suspended) : enter(job);
      }
    }
  }
  void cancel(int i) {
    std::vector<int> tree{i};
    for (std::size_t k = 0; k < tree.size(); ++k) {
      for (int c = 0; c < static_cast<int>(jobs.size()); ++c) {
        if (at(c).parent == tree[k]) tree.push_back(c);
      }
    }
    std::vector<int> ended;
    for (const int each : tree) {  // first all of them, then what follows from it
      Job& job = at(each);
      if (job.state == JobState::Running) {
        job.cancel_asked = true;
        job.suspend_asked = false;
      } else if (!core::isTerminal(job.state)) {
        job.state = JobState::Canceled;
        ended.push_back(each);
      }
    }
    for (const int each : ended) end(each, JobState::Canceled);
  }
  void cancelDeserted() {
    while (!deserted.empty()) {
      for (const int i : std::exchange(deserted, {})) cancel(i);
    }
  }
};

class Run {
 public:
  Run() : harness_(storeFactories().front()) { sync(); }

  /// Does the step in both; what went wrong, or nothing.
  std::string apply(const Step& step) {
    sync();
    const int count = static_cast<int>(model_.jobs.size());
    const int pick = count > 0 ? static_cast<int>(step.arg % static_cast<unsigned>(count)) : -1;
    switch (step.op) {
      case Op::Submit:
      case Op::SubmitKeyed:
      case Op::SubmitDelayed:
        add(step, -1, -1);
        break;
      case Op::SubmitChild:
        if (pick < 0 || core::isTerminal(model_.at(pick).state)) break;
        if (model_.at(pick).cancel_asked) {
          core::JobDraft child;
          child.type = "t";
          child.parent = id(pick);
          if (harness_.store->submit({std::move(child)}, {}).ok()) return "a job that is being canceled got a child";
          break;
        }
        add(step, pick, -1);
        break;
      case Op::SubmitDependent:
        if (pick >= 0) add(step, -1, pick);
        break;
      case Op::Claim:
        return claim(static_cast<int>(1 + step.arg % 4));
      case Op::Succeed:
        return settle(step, OutcomeKind::Succeeded);
      case Op::Fail:
        return settle(step, OutcomeKind::Failed);
      case Op::Retry:
        return settle(step, OutcomeKind::Retry);
      case Op::Await:
        return settle(step, OutcomeKind::AwaitChildren);
      case Op::Later:
        return settle(step, OutcomeKind::AwaitChildren, std::chrono::seconds(step.arg % 50));
      case Op::Requeue:
        return settle(step, OutcomeKind::Requeue);
      case Op::Cancel:
        if (pick >= 0) {
          static_cast<void>(harness_.store->cancel(id(pick), "x"));
          model_.cancel(pick);
        }
        break;
      case Op::Suspend:
        suspend(pick);
        break;
      case Op::Resume:
        if (pick >= 0 && harness_.store->resume(id(pick)).ok() != (model_.at(pick).state == JobState::Suspended))
          return "resume";
        if (pick >= 0 && model_.at(pick).state == JobState::Suspended) model_.enter(model_.at(pick));
        break;
      case Op::RetryCommand:
        return retry(pick);
      case Op::Renew:
        renew(pick);
        break;
      case Op::Advance:
        harness_.clock.advance(std::chrono::seconds(step.arg % 40));
        tick();
        break;
      case Op::Jump: {
        // Daylight changes do nothing to UTC instants; to a wrongly set host they are jumps of an hour.
        constexpr std::chrono::hours kJumps[] = {1h, -1h, 24h, -24h};
        harness_.clock.jump(kJumps[step.arg % 4]);
        tick();
        break;
      }
      case Op::Reopen:
        harness_.reopen();
        sync();
        [[fallthrough]];  // leases were renewed or jumped over: a host that starts rescues
      case Op::Rescue:
        static_cast<void>(harness_.store->rescueAll());
        promote();
        model_.expire(true);
        break;
      case Op::kCount:
        break;
    }
    return compare();
  }

 private:
  core::JobId id(int index) const { return {index + 1}; }
  void sync() {
    model_.now = core::toMicros(harness_.clock.now());
    model_.steady =
        std::chrono::duration_cast<std::chrono::microseconds>(harness_.clock.steadyNow().time_since_epoch()).count();
  }
  /// Once found due a job stays ready, also when the clock is set back.
  void promote() {
    for (auto& job : model_.jobs) {
      if (job.state == JobState::Queued && job.run_at <= model_.now && !model_.dependsOn(job)) job.at_once = true;
    }
  }
  void tick() {
    sync();
    harness_.tick();
    model_.expire(false);
    promote();
  }
  void add(const Step& step, int parent, int dep) {
    core::JobDraft draft;
    draft.type = "t";
    draft.max_attempts = 2;
    Model::Job job;
    job.run_at = job.created = model_.now;
    if (step.op == Op::SubmitKeyed) draft.queue_key = "k";
    if (step.op == Op::SubmitDelayed) draft.run_at = harness_.clock.now() + std::chrono::seconds(1 + step.arg % 50);
    if (draft.run_at) job.run_at = core::toMicros(*draft.run_at);
    job.keyed = step.op == Op::SubmitKeyed;
    job.at_once = !draft.run_at;
    if (parent >= 0) draft.parent = id(job.parent = parent);
    if (dep >= 0) draft.depends_on = {id(job.dep = dep)};
    harness_.submit(draft);
    model_.jobs.push_back(job);
    const int index = static_cast<int>(model_.jobs.size()) - 1;
    if (dep >= 0 && core::isTerminal(model_.at(dep).state) && model_.at(dep).state != JobState::Succeeded) {
      model_.end(index, JobState::Failed);
    }
  }
  std::string claim(int total) {
    promote();
    const auto expected = model_.claim(total);
    const auto got = harness_.claim(total);
    std::ostringstream out;
    if (got.size() != expected.size()) {
      out << "claimed " << got.size() << " jobs, the model " << expected.size();
      return out.str();
    }
    for (std::size_t i = 0; i < got.size(); ++i) {
      auto& job = model_.at(expected[i]);
      job.lease = got[i].lease;
      if (got[i].id != id(expected[i]) || got[i].attempt != job.attempt || got[i].resumed != job.resumed) {
        out << "claimed job " << got[i].id.value << " attempt " << got[i].attempt << ", the model " << expected[i] + 1
            << " attempt " << job.attempt;
        return out.str();
      }
    }
    return compare();
  }
  std::string settle(const Step& step, OutcomeKind kind, std::optional<std::chrono::seconds> later = {}) {
    std::vector<int> running;
    for (int i = 0; i < static_cast<int>(model_.jobs.size()); ++i) {
      if (model_.at(i).state == JobState::Running) running.push_back(i);
    }
    if (running.empty()) return {};
    const int index = running[step.arg % running.size()];
    ClaimedJob job;
    job.id = id(index);
    job.lease = model_.at(index).lease;
    const bool stale = step.arg % 7 == 0;
    if (stale) job.lease += 1'000'000;
    std::optional<core::Instant> not_before;
    if (later) not_before = harness_.clock.now() + *later;
    const auto more = [&](AttemptOutcome& outcome) { outcome.not_before = not_before; };
    if (harness_.settle(job, kind, more).applied == stale) return "a stale lease was honoured, or a good one was not";
    if (!stale) model_.settle(index, kind, not_before ? core::toMicros(*not_before) : 0);
    return compare();
  }
  void suspend(int index) {
    if (index < 0) return;
    static_cast<void>(harness_.store->suspend(id(index)));
    auto& job = model_.at(index);
    if (job.state == JobState::Queued) job.state = JobState::Suspended;
    if (job.state == JobState::Running && !job.cancel_asked) job.suspend_asked = true;
  }
  std::string retry(int index) {
    if (index < 0) return {};
    auto& job = model_.at(index);
    bool allowed = job.state == JobState::Failed || job.state == JobState::Canceled;
    if (job.dep >= 0 && core::isTerminal(model_.at(job.dep).state) && model_.at(job.dep).state != JobState::Succeeded)
      allowed = false;
    if (harness_.store->retry(id(index)).ok() != allowed) return "retry";
    if (!allowed) return compare();
    job.state = JobState::Queued;
    job.rescues = 0;
    job.own_done = job.resume_next = false;
    job.run_at = model_.now;
    job.at_once = true;
    return compare();
  }
  void renew(int index) {
    if (index < 0 || model_.at(index).state != JobState::Running) return;
    const LeaseRef lease{id(index), model_.at(index).lease};
    static_cast<void>(
        harness_.wait<std::vector<LeaseRef>>([&](auto done) { harness_.store->renew({lease}, 30s, std::move(done)); }));
    model_.at(index).until = model_.steady + 30'000'000;
  }
  std::string compare() {
    model_.cancelDeserted();
    std::ostringstream out;
    std::map<JobState, std::int64_t> by_state;
    for (int i = 0; i < static_cast<int>(model_.jobs.size()); ++i) {
      const core::Job got = harness_.job(id(i));
      const auto& expected = model_.at(i);
      ++by_state[expected.state];
      if (got.state != expected.state || got.attempt != expected.attempt) {
        out << "job " << i + 1 << " is " << core::toString(got.state) << " attempt " << got.attempt
            << ", the model says " << core::toString(expected.state) << " attempt " << expected.attempt << "; ";
      }
      core::ChildCounters children;
      for (const auto& other : model_.jobs) {
        if (other.parent != i) continue;
        ++children.total;
        if (core::isTerminal(other.state)) ++children.done;
        if (other.state == JobState::Failed || other.state == JobState::Canceled) ++children.failed;
      }
      if (got.children != children || got.descendants.done > got.descendants.total)
        out << "job " << i + 1 << ": counters; ";
    }
    for (int s = 0; s < core::kJobStateCount; ++s) {
      const auto state = static_cast<JobState>(s);
      if (harness_.count("t", state) != by_state[state]) out << "count of " << core::toString(state) << "; ";
    }
    return out.str();
  }

  StoreHarness harness_;
  Model model_;
};

/// The first failure of the steps, with the step's index; empty: none.
std::string failureOf(const std::vector<Step>& steps) {
  Run run;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (std::string wrong = run.apply(steps[i]); !wrong.empty()) return "step " + std::to_string(i) + ": " + wrong;
  }
  return {};
}

/// Leaves out ever smaller parts while what is left still fails.
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

TEST(StoreModel, AgreesWithTheStoreOverRandomCommands) {
  const char* seed_text = std::getenv("JOBHOST_SEED");
  const unsigned first_seed =
      seed_text != nullptr ? static_cast<unsigned>(std::strtoul(seed_text, nullptr, 10)) : std::random_device{}();
  const int runs = seed_text != nullptr ? 1 : std::getenv("JOBHOST_LONG") != nullptr ? 300 : 12;
  for (int run = 0; run < runs; ++run) {
    const unsigned seed = first_seed + static_cast<unsigned>(run);
    std::mt19937 random(seed);
    std::vector<Step> steps;
    for (int i = 0; i < 60; ++i) {
      const auto op = random() % 3 == 0 ? Op::Claim : static_cast<Op>(random() % static_cast<unsigned>(Op::kCount));
      steps.push_back({op, static_cast<unsigned>(random())});
    }
    if (failureOf(steps).empty()) continue;
    const auto least = shrink(steps);
    std::ostringstream story;
    for (const Step& step : least) story << "  " << kOpNames[static_cast<int>(step.op)] << " " << step.arg << "\n";
    FAIL() << "JOBHOST_SEED=" << seed << "\n" << story.str() << failureOf(least);
  }
}

}  // namespace jobhost::store
