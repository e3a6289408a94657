// Usage: test long-job.so
#include <jobhost/testing.hpp>

#include <cstdio>

int main(int, char** argv) {
  jobhost::testing::FakeHost host{std::string(argv[1])};
  host.cancelAtCheck(4);  // it looks twice a step (progress), so: in the second
  const auto stopped = host.run("count-primes", {{"below", 50'000}});
  const auto resumed = host.runAgain();
  const auto whole = host.run("count-primes", {{"below", 50'000}});
  const bool good = stopped.code == JH_E_CANCELLED && resumed.result["primes"].intOr(0) == 5133 &&
                    resumed.log.size() == 1 && whole.result == resumed.result && whole.log.empty() &&
                    resumed.progress.size() < whole.progress.size();
  std::puts(good ? "good" : "failed");
  return good ? 0 : 1;
}
