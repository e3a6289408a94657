#pragma once

#include <string>
#include <string_view>

namespace jobhost::core {

/// The header Content-Disposition (RFC 6266) for a download that is to be saved as `file_name`: the name in ASCII for
/// old clients, and as UTF-8 in the spelling of RFC 8187, which all others take. `disposition`: "attachment" or
/// "inline".
///
/// Whatever the name holds, the value is one line of ASCII without folders: slashes, backslashes, controls and bytes
/// that are no UTF-8 become '_'. In the ASCII name so do '"' and '%' (which some clients decode there); an empty name
/// is "download". Pure.
[[nodiscard]] std::string contentDisposition(std::string_view disposition, std::string_view file_name);

}  // namespace jobhost::core
