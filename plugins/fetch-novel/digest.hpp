#pragma once

#include <string>
#include <string_view>

namespace jobhost::novel {

/// SHA-256 in lower-case hexadecimal.
std::string hexDigest(std::string_view bytes);
/// MD5 in lower-case hexadecimal: the form of image ids, never for security.
std::string hexMd5(std::string_view bytes);

}  // namespace jobhost::novel
