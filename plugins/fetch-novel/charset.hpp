#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace jobhost::novel {

/// The name under which ICU knows what a page calls its encoding, read as browsers do: "gb2312" is GBK, "iso-8859-1" is
/// windows-1252. nullopt: nobody knows it.
std::optional<std::string> charsetName(std::string_view label);

/// What was found out about the encoding of a body, and why.
struct Charset {
  std::string name;    ///< as of charsetName
  std::string source;  ///< "spec", "bom", "header", "meta", "guess" or "default"
};

/// Decides as browsers do, with one thing more: `override` (from the spec) wins, then a byte order mark, the charset of
/// `content_type`, a meta element in the first 4 KiB; then UTF-8 if the bytes are, then a guess, then windows-1252. A
/// header or meta element that says UTF-8 of bytes that are not is taken for a mistake and the search goes on.
/// `override` must be a name that charsetName knows.
Charset detectCharset(std::string_view body, std::string_view content_type, std::string_view override = {});

/// The body as UTF-8 without its byte order mark; what cannot be read becomes U+FFFD. Throws std::runtime_error for a
/// name that is none.
std::string toUtf8(std::string_view body, std::string_view charset);

/// Text for a form or a query in the site's encoding. Characters it does not have become "&#…;" as in browsers.
std::string fromUtf8(std::string_view text, std::string_view charset);

}  // namespace jobhost::novel
