#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace jobhost::artifact {

/// The fourteen formats of an artifact.
enum class Format { Epub, Json, Txt, Mobi, Docx, Fb2, Azw3, Lit, Pdb, Tcr, Pdf, Rtf, Lrf, Rb };

inline constexpr std::array kFormats = {Format::Epub, Format::Json, Format::Txt, Format::Mobi, Format::Docx,
                                        Format::Fb2,  Format::Azw3, Format::Lit, Format::Pdb,  Format::Tcr,
                                        Format::Pdf,  Format::Rtf,  Format::Lrf, Format::Rb};

/// The word the API uses ("epub"), and back; nullopt for any other word.
[[nodiscard]] std::string_view nameOf(Format format);
[[nodiscard]] std::optional<Format> formatOf(std::string_view name);

/// How the file name ends (".epub", ".json.zip").
[[nodiscard]] std::string suffixOf(Format format);
[[nodiscard]] std::string_view mediaTypeOf(Format format);

/// Whether it is made from the epub by calibre's ebook-convert; the others are written by us.
[[nodiscard]] bool needsConverter(Format format);

/// The name of an artifact's file: the title in ASCII as lncrawl makes it (transliterated, `# < > : " / \ | ? *`,
/// control characters, quotes and hyphens are spaces, every word begins with a capital), at most 100 bytes, then the
/// suffix. Never empty, hidden, with a path, or the name of a Windows device; the formats of one novel never share a
/// name, and another artifact of the same novel and format has the same one. May hold a '%': whoever puts it in a URL
/// encodes it.
[[nodiscard]] std::string artifactFileName(std::string_view title, Format format);

}  // namespace jobhost::artifact
