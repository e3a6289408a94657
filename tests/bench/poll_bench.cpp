// How long a poll of the open status route takes with 50 clients that look every 100 ms (as a reader app does) while
// 200 jobs run: contracts/minion.md 5.2, number 12; at most 10 ms in 99 of 100. Prints one line.
//   poll_bench [clients] [jobs] [seconds]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <Poco/Exception.h>
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/StreamCopier.h>

#include "e2e/host_process.hpp"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

double at(const std::vector<double>& sorted, double share) {
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
}

}  // namespace

int main(int argc, char** argv) {
  const int clients = argc > 1 ? std::atoi(argv[1]) : 50;
  const int jobs = argc > 2 ? std::atoi(argv[2]) : 200;
  const auto length = std::chrono::seconds(argc > 3 ? std::atoi(argv[3]) : 15);
  jobhost::e2e::TempFolder folder;
  jobhost::e2e::HostProcess host({.data = folder / "data", .plugins = {}, .set = {}, .wrapper = {}});
  if (!host.start()) {
    std::fprintf(stderr, "the host did not start\n%s\n", host.log().c_str());
    return 1;
  }
  std::vector<std::int64_t> ids;
  for (int i = 0; i < jobs; ++i) {
    const auto id = host.submit("sleep", R"({"ms":500,"steps":10})");  // each tells of its progress
    if (!id) return 1;
    ids.push_back(*id);
  }
  std::mutex mutex;
  std::vector<double> all;
  std::atomic<int> failed{0};
  const auto end = Clock::now() + length;
  const auto client = [&](int number) {
    std::vector<double> mine;
    try {
      Poco::Net::HTTPClientSession session("127.0.0.1", static_cast<Poco::UInt16>(host.port()));
      session.setKeepAlive(true);
      auto next = Clock::now() + std::chrono::milliseconds(100 * number / clients);  // not all in the same moment
      for (std::size_t k = static_cast<std::size_t>(number); Clock::now() < end; k += 7) {
        std::this_thread::sleep_until(next);
        next += 100ms;
        Poco::Net::HTTPRequest request("GET", "/api/minion/" + std::to_string(ids[k % ids.size()]), "HTTP/1.1");
        const auto begun = Clock::now();
        session.sendRequest(request);
        Poco::Net::HTTPResponse response;
        std::string body;
        Poco::StreamCopier::copyToString(session.receiveResponse(response), body);
        mine.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begun).count());
        if (response.getStatus() != 200) ++failed;
      }
    } catch (const Poco::Exception&) {
      ++failed;
    }
    std::lock_guard lock(mutex);
    all.insert(all.end(), mine.begin(), mine.end());
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < clients; ++i) threads.emplace_back(client, i);
  for (auto& thread : threads) thread.join();
  const int status = host.stop();
  if (all.empty() || failed != 0 || status != 0) {
    std::fprintf(stderr, "failed polls=%d exit=%d\n", failed.load(), status);
    return 1;
  }
  std::sort(all.begin(), all.end());
  std::printf("status polls: %zu by %d clients while %d jobs run; p50 %.2f ms, p99 %.2f ms (target 10), max %.2f ms\n",
              all.size(), clients, jobs, at(all, 0.50), at(all, 0.99), all.back());
  return 0;
}
