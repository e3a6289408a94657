// How long duplicates among 100 000 archives take to find: the comparison alone, for covers by hash and by looks and
// thresholds from the usual one to the worst, and the whole job on a host in memory. `duplicates_bench [count]`.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <jobhost/testing.hpp>
#include <random>
#include <string>
#include <vector>

#include "library/duplicates.hpp"

using namespace jobhost;
using library::BitHash;
using library::HexHash;

namespace {

using SteadyClock = std::chrono::steady_clock;

double secondsOf(const std::function<void()>& work) {
  const auto begun = SteadyClock::now();
  work();
  return std::chrono::duration<double>(SteadyClock::now() - begun).count();
}

std::string hexText(std::mt19937_64& random, std::size_t digits) {
  std::string text;
  while (text.size() < digits) text += "0123456789abcdef"[random() % 16];
  return text;
}

// One in ten is another one with up to three places changed.
std::vector<std::string> makeHashes(std::size_t count, std::size_t digits) {
  std::mt19937_64 random(7);
  std::vector<std::string> all;
  while (all.size() < count) {
    if (all.empty() || random() % 10 != 0) {
      all.push_back(hexText(random, digits));
      continue;
    }
    all.push_back(all[random() % all.size()]);
    for (auto changes = random() % 4; changes > 0; --changes) all.back()[random() % digits] = hexText(random, 1)[0];
  }
  return all;
}

template <class Hash>
void compare(const char* label, const std::vector<std::string>& texts, int threshold) {
  std::vector<Hash> hashes;
  for (const auto& text : texts) hashes.push_back(Hash::parse(text).value());
  std::size_t groups = 0;
  library::GroupingWork work;
  const double seconds = secondsOf([&] {
    groups = library::groupAlike(
                 hashes, threshold, [] {}, &work)
                 .size();
  });
  std::printf("%-12s threshold %2d: %7.2f s, %12llu pairs compared, %zu groups\n", label, threshold, seconds,
              static_cast<unsigned long long>(work.compared), groups);
  std::fflush(stdout);
}

void wholeJob(const std::vector<std::string>& hex, const std::vector<std::string>& bits) {
  testing::FakeHost host(std::string(JOBHOST_PLUGIN_DIR) + "/library.so");
  std::mt19937_64 random(9);
  for (std::size_t i = 0; i < hex.size(); ++i) {
    host.putRecord(
        "archives", hexText(random, 40),
        {{"file", "shelf/Book " + std::to_string(i) + ".cbz"},
         {"title", "Book " + std::to_string(i)},
         {"tags", "artist:a" + std::to_string(i % 900) + ", language:en, series:s" + std::to_string(i % 4000) +
                      ", full colour, t" + std::to_string(i % 300) + ", t" + std::to_string(i % 77)},
         {"pagecount", 200},
         {"size", 50'000'000},
         {"mtime", 1'700'000'000'000},
         {"isnew", true},
         {"added", 1'700'000'000},
         {"thumbhash", hex[i]},
         {"phash", bits[i]},
         {"phash_of", hex[i]}});
  }
  const auto job = [&](const char* label, const char* type, const Json& params) {
    testing::Attempt done;
    const double seconds = secondsOf([&] { done = host.run(type, params); });
    if (!done.succeeded()) std::printf("%s failed: %s\n", type, done.error_message.c_str());
    std::printf("%-40s %7.2f s\n", label, seconds);
    std::fflush(stdout);
  };
  job("job find_duplicates [5]", "find_duplicates", {{"threshold", 5}});
  job("job find_duplicates [5, perceptual]", "find_duplicates", {{"threshold", 5}, {"method", "perceptual"}});
  job("job build_stat_hashes", "build_stat_hashes", Json::object());
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  std::printf("%zu archives, one thread\n", count);
  const auto hex = makeHashes(count, 40);
  const auto bits = makeHashes(count, 16);
  for (const int threshold : {0, 5, 10, 15, 20, 30, 39}) compare<HexHash>("hash", hex, threshold);
  for (const int threshold : {0, 5, 10, 20, 32}) compare<BitHash>("perceptual", bits, threshold);
  wholeJob(hex, bits);
  return 0;
}
