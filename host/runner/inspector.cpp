#include "runner/inspector.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <thread>

#include "runner/host_table.hpp"
#include "runner/plugin_library.hpp"
#include "runner/status.hpp"

namespace jobhost::runner {
namespace {

constexpr std::uint64_t kMaxLogBytes = std::uint64_t{256} << 20;
constexpr std::size_t kMaxRecordLines = 1'000'000;
constexpr unsigned kMaxParallel = 64;
constexpr int kDebuggerLookMs = 50;

Inspector* the_inspector = nullptr;

const char* phaseName() {
  switch (static_cast<wire::Phase>(theSession().status().page().phase.load())) {
    case wire::Phase::Loading:
      return "entry";
    case wire::Phase::Init:
      return "init";
    case wire::Phase::Running:
      return "run";
    default:
      return "idle";
  }
}

std::uint32_t threadId() {
  static thread_local const auto id = static_cast<std::uint32_t>(syscall(SYS_gettid));
  return id;
}

/// Whether the record answers this call; the others do what they do, on the files of this run.
bool isAnsweredByRecord(std::string_view name) {
  static constexpr std::string_view kFromHost[] = {"params",          "info",
                                                   "progress",        "note",
                                                   "output.reserve",  "config",
                                                   "children.wait",   "children.submit",
                                                   "children.result", "children.cancel",
                                                   "checkpoint.save", "checkpoint.load"};
  return std::find(std::begin(kFromHost), std::end(kFromHost), name) != std::end(kFromHost);
}

bool beingTraced() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("TracerPid:", 0) == 0) return line.find_first_of("123456789") != std::string::npos;
  }
  return false;
}

}  // namespace

Inspector* Inspector::get() {
  return the_inspector;
}

Inspector* Inspector::start(std::string_view plan_json) {
  if (!plan_json.empty()) the_inspector = new Inspector(Json::parse(plan_json));
  return the_inspector;
}

Inspector::Inspector(const Json& plan)
    : calls_(plan["calls"].boolOr(false)),
      states_(plan["state"].boolOr(false)),
      full_(plan["full"].boolOr(false)),
      longer_(plan["longer"].boolOr(false)),
      shorter_(plan["shorter"].boolOr(false)),
      debugger_(plan["debugger"].boolOr(false)),
      parallel_(static_cast<unsigned>(std::clamp<std::int64_t>(plan["parallel"].intOr(1), 1, kMaxParallel))),
      abi_minor_(static_cast<std::uint32_t>(plan["abi_minor"].intOr(JH_ABI_MINOR))),
      flags_(static_cast<std::uint32_t>(plan["flags"].intOr(0))) {
  const std::string path(plan["log"].stringOr(""));
  log_ = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (log_ < 0) throw Error::badInput("inspection: the log cannot be opened").code("inspection");
  // Out of the way: a plugin counts on low numbers being free as little as on their being taken, but people look.
  if (const int moved = fcntl(log_, F_DUPFD_CLOEXEC, 64); moved >= 0) {
    close(log_);
    log_ = moved;
  }
  for (const auto& one : plan["absent"].items()) absent_.emplace_back(one.stringOr(""));
  for (const auto& one : plan["jobs"].items()) {
    Ordeal ordeal;
    ordeal.cancel_at = one["cancel_at"].intOr(-1);
    ordeal.fail_call = one["fail"]["call"].stringOr("");
    ordeal.fail_nth = static_cast<std::uint64_t>(one["fail"]["nth"].intOr(1));
    ordeal.fail_code = static_cast<jh_result>(one["fail"]["code"].intOr(JH_E_IO));
    ordeals_.push_back(std::move(ordeal));
  }
  if (plan["replay"].isString()) readRecord(std::string(plan["replay"].stringOr("")));
}

void Inspector::readRecord(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw Error::badInput("inspection: the record cannot be opened").code("inspection");
  std::size_t lines = 0;
  for (std::string text; std::getline(in, text);) {
    if (++lines > kMaxRecordLines)
      throw Error::badInput("inspection: the record has too many lines").code("inspection");
    Json line = Json::parse(text);
    const std::string name(line["c"].stringOr(""));
    if (name == "cancelled") {
      recorded_cancels_.emplace_back(static_cast<std::uint64_t>(line["n"].intOr(0)),
                                     static_cast<std::int32_t>(line["r"].intOr(0)));
    } else if (!name.empty()) {
      record_[name].push_back(std::move(line));
    }
  }
  replays_ = true;
}

void Inspector::write(const Json& line) {
  std::string text = line.dump();
  text.push_back('\n');
  const std::lock_guard lock(mutex_);
  for (const auto& secret : hidden_) {
    for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 3)) {
      text.replace(at, secret.size(), "***");
    }
  }
  if (bytes_ + text.size() > kMaxLogBytes) {
    ++dropped_;
    return;
  }
  bytes_ += text.size();
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t n = ::write(log_, text.data() + sent, text.size() - sent);
    if (n <= 0) return;
    sent += static_cast<std::size_t>(n);
  }
}

void Inspector::awaitDebugger() {
  if (!debugger_) return;
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);        // Yama lets only forebears attach, and gdb is a sibling
  while (!beingTraced()) poll(nullptr, 0, kDebuggerLookMs);  // nothing tells a process that it is traced
}

void Inspector::state(const char* when, const Attempt* attempt) {
  if (!states_) return;
  std::fflush(nullptr);  // what a plugin prints is found out though the process ends without flushing
  Json line{{"s", "state"}, {"when", when}, {"job", attempt != nullptr ? attempt->run.job_id : 0}};
  line.set("is", processState(theSession().welcome().work_dir, attempt != nullptr ? attempt->slot : 0));
  write(line);
}

void Inspector::line(const char* what) {
  write(Json{{"s", what}, {"t", steadyMicros()}});
}

void Inspector::module(const PluginLibrary& plugin, const jh_host* host) {
  Json types = Json::array();
  for (const auto& type : plugin.types()) types.push({{"name", type.name}, {"flags", type.flags}});
  const auto& module = plugin.module();
  const jh_module* first = plugin.entry()(host);
  const jh_module* again = plugin.entry()(host);
  bool past_end = true;
  const auto count = static_cast<std::uint32_t>(plugin.types().size());
  for (const std::uint32_t index : {count, count + 1, count + 1000, 0x7fffffffU, 0xffffffffU}) {
    past_end = past_end && module.job_type(index) == nullptr;
  }
  bool unknown = true;
  if (module.get_extension != nullptr) {
    for (const char* id : {"jobhost.plugin.no-such-thing/1", "", "jobhost.plugin.validate/4294967295"}) {
      unknown = unknown && module.get_extension(id) == nullptr;
    }
  }
  write(Json{{"s", "module"},
             {"load_us", plugin.loadMicros()},
             {"init_us", plugin.initMicros()},
             {"same_entry", first != nullptr && first == again},
             {"past_end_null", past_end},
             {"unknown_null", unknown},
             {"min_minor", module.abi_min_minor},
             {"has_deinit", module.deinit != nullptr},
             {"types", types}});
}

bool Inspector::isAbsent(std::string_view extension) const {
  return std::find(absent_.begin(), absent_.end(), extension) != absent_.end();
}

jh_result Inspector::run(const std::shared_ptr<Attempt>& attempt, jh_result(JH_CALL* function)(jh_job*)) {
  const std::uint64_t id = attempt->run.job_id;
  {
    const std::lock_guard lock(mutex_);
    ordeal_ = id >= 1 && id <= ordeals_.size() ? ordeals_[id - 1] : Ordeal{};
    counts_.clear();
    attempt_ = attempt;
  }
  number_.store(0);
  asked_.store(0);
  last_cancelled_.store(0);
  write(Json{{"s", "begin"}, {"job", id}, {"type", attempt->type_name}, {"t", steadyMicros()}});
  if (ordeal_.cancel_at == 0) cancelBefore(0);

  auto* job = reinterpret_cast<jh_job*>(attempt->handle);
  std::vector<jh_result> results(parallel_, JH_OK);
  if (parallel_ == 1) {
    results[0] = function(job);
  } else {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < parallel_; ++i)
      threads.emplace_back([&results, function, job, i] { results[i] = function(job); });
    for (auto& thread : threads) thread.join();
  }
  Json codes = Json::array();
  for (const jh_result one : results) codes.push(one);
  std::uint64_t dropped = 0;
  {
    const std::lock_guard lock(mutex_);
    dropped = dropped_;
    attempt_.reset();
  }
  write(Json{{"s", "end"},
             {"job", id},
             {"t", steadyMicros()},
             {"r", results[0]},
             {"all", codes},
             {"calls", number_.load()},
             {"asked", asked_.load()},
             {"dropped", dropped}});
  const auto bad = std::find_if(results.begin(), results.end(), [](jh_result one) { return one != JH_OK; });
  return bad == results.end() ? JH_OK : *bad;
}

/// The flag is up when this returns; callbacks run on a thread of their own, as they do when the host asks.
void Inspector::cancelBefore(std::uint64_t number) {
  std::shared_ptr<Attempt> attempt;
  {
    const std::lock_guard lock(mutex_);
    attempt = attempt_;
  }
  if (!attempt) return;
  write(Json{{"s", "cancel"}, {"job", attempt->run.job_id}, {"before", number}, {"t", steadyMicros()}});
  std::thread([] { theSession().cancelRunning(JH_CANCEL_USER); }).detach();
  while (theSession().cancelled(*attempt) == 0) std::this_thread::yield();
}

Inspector::Step Inspector::begin(const char* name) {
  Step step;
  step.name = name;
  step.number = number_.fetch_add(1) + 1;
  if (ordeal_.cancel_at > 0 && step.number == static_cast<std::uint64_t>(ordeal_.cancel_at)) cancelBefore(step.number);
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t nth = ++counts_[name];
    if (!ordeal_.fail_call.empty() && ordeal_.fail_call == name && nth == ordeal_.fail_nth) {
      step.mode = Mode::Fail;
      step.code = ordeal_.fail_code;
    } else if (replays_ && attempt_) {
      auto& waiting = record_[name];
      if (!waiting.empty()) {
        answered_.push_back(std::move(waiting.front()));
        waiting.pop_front();
        step.recorded = &answered_.back();
        step.code = static_cast<jh_result>(step.recorded->operator[]("r").intOr(JH_OK));
        if (isAnsweredByRecord(name) || step.code != JH_OK) step.mode = Mode::Replay;
      }
    }
  }
  step.begin_us = steadyMicros();
  if (replays_ && step.mode == Mode::Real && attempt_ && step.recorded == nullptr && isAnsweredByRecord(name)) {
    write(Json{{"s", "diverged"}, {"c", name}, {"n", step.number}});
  }
  return step;
}

void Inspector::end(const Step& step, jh_result code, Json arguments, Json answers) {
  if (!calls_) return;
  const std::uint64_t now = steadyMicros();
  Json line{{"c", step.name},     {"n", step.number},         {"p", phaseName()}, {"th", threadId()},
            {"t", step.begin_us}, {"d", now - step.begin_us}, {"r", code}};
  line.set("a", std::move(arguments));
  line.set("o", std::move(answers));
  if (code != JH_OK) {
    const jh_str why = makeHostTable(theSession())->last_error(nullptr);
    line.set("e", view(why));
  }
  if (step.mode == Mode::Fail) line.set("injected", true);
  write(line);
}

std::int32_t Inspector::cancelledAsked(std::int32_t real) {
  const std::uint64_t number = number_.fetch_add(1) + 1;
  const std::uint64_t asked = asked_.fetch_add(1) + 1;
  if (ordeal_.cancel_at > 0 && number == static_cast<std::uint64_t>(ordeal_.cancel_at)) {
    cancelBefore(number);
    real = JH_CANCEL_USER;
  }
  for (const auto& [from, answer] : recorded_cancels_) {
    if (replays_ && asked >= from) real = answer;
  }
  if (last_cancelled_.exchange(real) != real && calls_) {
    write(Json{{"c", "cancelled"}, {"n", asked}, {"r", real}, {"t", steadyMicros()}, {"d", 0}, {"th", threadId()}});
  }
  return real;
}

void Inspector::hide(std::string_view secret) {
  if (secret.empty()) return;
  const std::lock_guard lock(mutex_);
  std::string spelt(secret);
  for (int depth = 0; depth < 2; ++depth) {  // as a string, and as one in a document that is a string
    const std::string quoted = Json(spelt).dump();
    spelt = quoted.substr(1, quoted.size() - 2);
    if (std::find(hidden_.begin(), hidden_.end(), spelt) == hidden_.end()) hidden_.push_back(spelt);
  }
}

jh_str Inspector::keep(std::string_view text) {
  const std::lock_guard lock(mutex_);
  kept_.emplace_back(text);
  return {kept_.back().data(), kept_.back().size()};
}

const jh_host* Inspector::wrap(const jh_host* real) {
  return inspectedHost(real, abi_minor_, flags_);
}

}  // namespace jobhost::runner
