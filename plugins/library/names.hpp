#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace jobhost::library {

/// Most file systems' longest file name, in bytes.
inline constexpr std::size_t kMaxNameBytes = 255;

/// The ending of an archive's name with its dot ("…/Book.TAR.GZ": ".TAR.GZ"); of other names what follows the last
/// dot; empty when there is none.
[[nodiscard]] std::string_view endingOf(std::string_view name);

/// The name without its ending: what an archive is called until somebody gives it a title.
[[nodiscard]] std::string stemOf(std::string_view name);

/// A name for a file of the content folder out of one that somebody sent: UTF-8, without \ / : " * ? < > | and control
/// characters, without blanks and dots before it or blanks behind it, and so short that the name with ".upload" behind
/// it has at most kMaxNameBytes, cut before its ending and never within a letter. Empty when nothing is left.
[[nodiscard]] std::string fileNameOf(std::string_view sent);

/// A URL as archives remember where they come from: without scheme, `www.`, query, fragment and one slash at its end.
[[nodiscard]] std::string normalUrl(std::string_view url);

/// The key of a normalised URL among records: itself with commas as %2C, since tags of archives have it so too; where
/// that is too long for a key its beginning and its SHA-1.
[[nodiscard]] std::string urlKey(std::string_view normal_url);

/// The file name in a Content-Disposition header (UTF-8), not yet made safe: that of `filename`, else that of
/// `filename*` (RFC 8187: UTF-8 or ISO-8859-1). nullopt when there is none that can be read.
[[nodiscard]] std::optional<std::string> dispositionFileName(std::string_view header);

/// The last part of a URL's path, percent-decoded; empty when the path ends with a slash or there is none.
[[nodiscard]] std::string urlFileName(std::string_view url);

}  // namespace jobhost::library
