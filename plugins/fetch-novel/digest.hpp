#pragma once

#include <string>
#include <string_view>

namespace jobhost::novel {

/// SHA-256 in lower-case hexadecimal.
std::string hexDigest(std::string_view bytes);
/// MD5 in lower-case hexadecimal: the form of image ids, never for security.
std::string hexMd5(std::string_view bytes);
/// A UUID spelt as version 4 that is the same for the same text.
std::string uuidOf(std::string_view text);

}  // namespace jobhost::novel
