// Taking more than one's share. Amounts are bounded so that a run without limits does no harm to the machine either.
#include "testkit.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

namespace {

using jobhost::Json;

/// Takes address space up to 10 GB in 64 MB blocks but touches only the first of them: the limit of the address space
/// must stop it.
Json memory(std::int64_t amount, std::size_t touched) {
  constexpr std::size_t kBlock = 64U << 20;
  const auto wanted = static_cast<std::size_t>(amount > 0 ? amount : std::int64_t{10} << 30);
  std::size_t taken = 0;
  while (taken < wanted) {
    char* block = new char[kBlock];  // throws when the limit is reached; kept until the process ends
    if (taken < touched) std::memset(block, 1, kBlock);
    [[maybe_unused]] volatile char* seen = block;
    taken += kBlock;
  }
  return {{"bytes", taken}};
}

Json cpu(jobhost::Job& job, bool heed) {
  volatile std::uint64_t n = 0;
  if (!heed) job.log("deaf from here on");
  for (;;) {
    for (int i = 0; i < 10000; ++i) n = n + 1;
    if (heed) job.check();
  }
}

/// At most 64 processes, each ending by itself after a minute: safe where RLIMIT_NPROC does not count (root).
Json forks(std::int64_t amount) {
  const auto wanted = std::min<std::int64_t>(amount > 0 ? amount : 64, 64);
  std::int64_t made = 0;
  for (; made < wanted; ++made) {
    const pid_t pid = fork();
    if (pid < 0) throw jobhost::Error::resource("fork: " + std::string(std::strerror(errno))).code("fork_failed");
    if (pid == 0) {
      alarm(60);
      for (;;) pause();
    }
  }
  return {{"processes", made}};
}

/// Children in a session of their own that hold no descriptor of ours: only a kill that knows them ends them before the
/// minute.
Json orphans(std::int64_t amount) {
  Json pids = Json::array();
  for (std::int64_t i = 0; i < std::min<std::int64_t>(amount > 0 ? amount : 1, 8); ++i) {
    const pid_t pid = fork();
    if (pid == 0) {
      for (int fd = 0; fd < 64; ++fd) close(fd);
      alarm(60);
      for (;;) pause();
    }
    pids.push(pid);
  }
  return {{"pids", pids}};
}

Json threads(std::int64_t amount) {
  const auto wanted = std::min<std::int64_t>(amount > 0 ? amount : 4, 64);
  for (std::int64_t i = 0; i < wanted; ++i) {
    std::thread([] {
      for (;;) pause();
    }).detach();
  }
  return {{"threads", wanted}};
}

Json joinedThreads(std::int64_t amount) {
  std::vector<std::thread> all(static_cast<std::size_t>(std::min<std::int64_t>(amount > 0 ? amount : 4, 64)));
  for (auto& one : all) one = std::thread([] {});
  for (auto& one : all) one.join();
  return {{"threads", all.size()}};
}

Json outputBytes(jobhost::Job& job, std::int64_t amount) {
  const std::string block(64 * 1024, 'o');
  auto out = job.output("big.bin");
  for (std::int64_t left = amount; left > 0; left -= static_cast<std::int64_t>(block.size())) {
    out.append(block.data(), block.size());
  }
  out.commit();
  return {{"bytes", amount}};
}

Json openFiles(std::int64_t amount) {
  std::int64_t made = 0;
  std::vector<int> all;
  while (made < std::min<std::int64_t>(amount > 0 ? amount : 100000, 100000)) {
    const int fd = open("/dev/null", O_RDONLY);
    if (fd < 0) break;
    all.push_back(fd);
    ++made;
  }
  for (const int fd : all) close(fd);
  return {{"fds", made}};
}

}  // namespace

jobhost::Json hog(jobhost::Job& job) {
  const auto params = job.params();
  const std::string what = params["what"].str();
  const auto amount = params["amount"].integer(0, INT64_MAX, 0);
  const auto hold = [&](Json taken) {
    rest(job, params["hold_ms"].integer(0, INT64_MAX, 0));
    return taken;
  };
  if (what == "memory") return hold(memory(amount, 64U << 20));
  if (what == "touched_memory") {
    const auto bytes = std::min<std::int64_t>(amount > 0 ? amount : 256 << 20, 1 << 30);
    return hold(memory(bytes, static_cast<std::size_t>(bytes)));
  }
  if (what == "cpu") return cpu(job, true);
  if (what == "cpu_deaf") return cpu(job, false);
  if (what == "forks") return hold(forks(amount));
  if (what == "orphans") return orphans(amount);
  if (what == "threads") return threads(amount);
  if (what == "joined_threads") return joinedThreads(amount);
  if (what == "fds") return openFiles(amount);
  if (what == "output_bytes") return outputBytes(job, amount > 0 ? amount : 1 << 20);
  if (what == "result_bytes") {
    return {{"text", std::string(static_cast<std::size_t>(amount > 0 ? amount : 100'000'000), 'r')}};
  }
  const std::int64_t lines = amount > 0 ? amount : 1'000'000;
  for (std::int64_t i = 0; i < lines; ++i) {
    if (what == "log_lines") job.log("line " + std::to_string(i));
    if (what == "stdout_lines") std::printf("line %lld\n", static_cast<long long>(i));
    if (what == "notes") job.note("n" + std::to_string(i % 100), i);
    if (what == "progress") job.progress(static_cast<double>(i), static_cast<double>(lines));
    if (i % 1024 == 0) job.check();
  }
  std::fflush(stdout);
  return {{"lines", lines}};
}
