#pragma once

#include <chrono>
#include <optional>
#include <random>

namespace jobhost::fetch {

/// What a server says about trying again: 429, 502, 503, 504.
bool isPassingStatus(int status);

/// How long to wait before try number `tries` + 1: what the server asks for, else 250 ms doubled for each try and
/// spread by half, at most 10 s. nullopt: longer than `left`, so there is no point in waiting.
std::optional<std::chrono::milliseconds> pauseBefore(int tries, std::optional<std::chrono::milliseconds> retry_after,
                                                     std::chrono::milliseconds left, std::minstd_rand& random);

}  // namespace jobhost::fetch
