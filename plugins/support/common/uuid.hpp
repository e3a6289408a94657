#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace jobhost::support {

/// A UUID that looks random (version 4) and is always the same for the same digest. `hex`: at least 32 lower case
/// hexadecimal digits, of which the first 32 count.
inline std::string uuidFromDigest(std::string_view hex) {
  std::string out(hex.substr(0, 32));
  out[12] = '4';
  out[16] = "89ab"[static_cast<unsigned char>(out[16]) % 4];
  for (const std::size_t at : {8, 13, 18, 23}) out.insert(at, 1, '-');
  return out;
}

}  // namespace jobhost::support
