#include "cli/bench/bench.hpp"

#include <Poco/DateTimeParser.h>
#include <Poco/URI.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <thread>

#include "cli/bench/load_generator.hpp"
#include "cli/json.hpp"
#include "core/clock.hpp"

namespace jobhost::cli::bench {
namespace {

struct Scenario {
  const char* name;
  Figures (*run)(Target&);
};
constexpr Scenario kScenarios[] = {
    {"idle", idle},        {"start", startLatency}, {"endings", endings},     {"submit", durableSubmits},
    {"bulk", bulkSubmits}, {"drain", drain},        {"sustained", sustained}, {"watchers", watchers},
};

std::filesystem::path ownTestPlugins() {
  std::error_code code;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", code);
  return program.parent_path().parent_path() / "test-plugins";
}

void raiseFileLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// The sum of counters with these names on the metrics page.
double counters(const std::string& page, const std::vector<std::string>& names) {
  double sum = 0;
  for (const auto& name : names) {
    const auto at = page.find("\n" + name + " ");
    if (at != std::string::npos) sum += std::strtod(page.c_str() + at + name.size() + 2, nullptr);
  }
  return sum;
}

/// A host answers before it has read its plugins: waits until the bench's job type is there.
core::Result<void> awaitTestkit(Client& client) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  for (;;) {
    const auto type = client.get("/api/v1/job-types/noop");
    if (type) return {};
    if (type.error().code != core::ErrorCode::NotFound || std::chrono::steady_clock::now() > deadline) {
      return type.error();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace

Figures missing(Figures figures, const std::string& why) {
  for (auto& figure : figures) {
    figure.missing = true;
    figure.note = why;
  }
  return figures;
}

std::string submitRequest(const Target& target, const std::string& type, const std::string& params) {
  return httpRequest("POST", "/api/v1/jobs", target.host, target.key,
                     "{\"type\":\"" + type + "\",\"params\":" + params + "}");
}

core::Result<std::int64_t> submitOne(Target& target, const std::string& type, const std::string& params) {
  const auto answer = target.client.send("POST", "/api/v1/jobs",
                                         "{\"type\":\"" + type + "\",\"params\":" + params + ",\"max_attempts\":1}");
  if (!answer) return answer.error();
  return static_cast<std::int64_t>(numberAt(parseObject(answer->body), "id").value_or(0));
}

core::Result<std::string> awaitState(Target& target, std::int64_t id, const std::vector<std::string>& states) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (;;) {
    const auto answer = target.client.get("/api/v1/jobs/" + std::to_string(id));
    if (!answer) return answer.error();
    const auto state = textAt(parseObject(answer->body), "state");
    if (std::find(states.begin(), states.end(), state) != states.end()) return answer->body;
    if (std::chrono::steady_clock::now() > deadline) {
      return core::Error{.code = core::ErrorCode::Unavailable,
                         .message = "job " + std::to_string(id) + " is still " + state + " after 60 s",
                         .detail = {},
                         .fields = {}};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // paces the poll, so that it costs the host little
  }
}

core::Result<double> endedJobs(Target& target) {
  const auto page = target.client.get("/metrics");
  if (!page) return page.error();
  return counters(page->body,
                  {"jobhost_jobs_succeeded_total", "jobhost_jobs_failed_total", "jobhost_jobs_canceled_total"});
}

core::Result<double> awaitEnded(Target& target, double jobs) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::seconds kStuck{10};
  const auto start = Clock::now();
  auto last_change = start;
  double seen = -1;
  for (;;) {
    const auto now = endedJobs(target);
    if (!now) return now.error();
    if (*now != seen) {
      seen = *now;
      last_change = Clock::now();
    }
    if (seen >= jobs) return std::chrono::duration<double>(last_change - start).count();
    if (Clock::now() - last_change > kStuck) {
      return core::Error{.code = core::ErrorCode::Unavailable,
                         .message = std::to_string(static_cast<long long>(jobs - seen)) + " jobs did not end",
                         .detail = {},
                         .fields = {}};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

std::int64_t micros(const std::string& rfc3339) {
  Poco::DateTime time;
  int zone = 0;
  if (rfc3339.size() < 20 || !Poco::DateTimeParser::tryParse("%Y-%m-%dT%H:%M:%s%z", rfc3339, time, zone)) return 0;
  return time.timestamp().epochMicroseconds();
}

std::int64_t wallMicros() {
  return core::toMicros(core::SystemClock().now());
}

int bench(const BenchArgs& args) {
  raiseFileLimit();
  std::unique_ptr<OwnHost> own;
  ClientArgs client_args = args.client;
  if (client_args.url.empty()) {
    OwnHost::Options options;
    options.plugins = args.plugins.empty() ? ownTestPlugins() : std::filesystem::path(args.plugins);
    options.scratch = args.scratch;
    options.set = {"runner.kill_grace_ms=0"};  // of the forced kill, see endings()
    options.set.insert(options.set.end(), args.set.begin(), args.set.end());
    if (!std::filesystem::is_directory(options.plugins)) {
      std::cerr << "jobhost: " << options.plugins.string() << " is no folder; name the one with testkit by --plugins\n";
      return kUsage;
    }
    auto started = OwnHost::start(options);
    if (!started) return fail(started.error());
    own = *std::move(started);
    client_args.url = own->url();
    client_args.key = own->key();
  }
  auto client = connect(client_args);
  if (!client) return fail(client.error()), kUsage;
  if (const auto there = awaitTestkit(*client); !there) return fail(there.error());
  const auto key = client->endpoint().key;
  const Poco::URI uri(client_args.url);
  Target target{*std::move(client), uri.getHost(), uri.getPort(), key, own ? own->pid() : -1, args};

  std::vector<Figure> all;
  for (const auto& scenario : kScenarios) {
    const auto& only = args.only;
    if (!only.empty() && std::find(only.begin(), only.end(), scenario.name) == only.end()) continue;
    std::cerr << "measuring " << scenario.name << "…" << std::endl;
    for (auto& figure : scenario.run(target)) all.push_back(std::move(figure));
  }
  if (args.client.json) {
    std::cout << figuresJson(all) << '\n';
  } else {
    printFigures(std::cout, all);
  }
  const bool reached = std::all_of(all.begin(), all.end(), [](const Figure& figure) { return figure.reached(); });
  return args.strict && !reached ? kJobFailed : kOk;
}

}  // namespace jobhost::cli::bench
