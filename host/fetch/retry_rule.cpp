#include "fetch/retry_rule.hpp"

#include <algorithm>
#include <cstdint>

namespace jobhost::fetch {

using std::chrono::milliseconds;

bool isPassingStatus(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

std::optional<milliseconds> pauseBefore(int tries, std::optional<milliseconds> retry_after, milliseconds left,
                                        std::minstd_rand& random) {
  milliseconds pause{0};
  if (retry_after) {
    pause = *retry_after;
  } else {
    constexpr milliseconds kFirst{250};
    constexpr milliseconds kMost{10'000};
    const auto doubled = std::min(kMost, kFirst * (1 << std::clamp(tries - 1, 0, 10)));
    std::uniform_int_distribution<std::int64_t> spread(doubled.count() / 2, doubled.count());
    pause = milliseconds(spread(random));
  }
  if (pause >= left) return std::nullopt;
  return pause;
}

}  // namespace jobhost::fetch
