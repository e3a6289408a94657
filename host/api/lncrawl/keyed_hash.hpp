#pragma once

#include <string>
#include <string_view>

namespace jobhost::api::lncrawl {

/// HMAC-SHA-256: 32 bytes. Any thread.
std::string keyedHash(std::string_view key, std::string_view message);

}  // namespace jobhost::api::lncrawl
