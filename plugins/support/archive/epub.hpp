#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "support/archive/archive.hpp"

namespace jobhost::support {

/// How much of a package document or page is read.
inline constexpr std::uint64_t kEpubDocumentBytes = 16 << 20;

/// True when the zip is an EPUB: its `mimetype` says so or it has META-INF/container.xml.
[[nodiscard]] bool isEpub(Archive& archive);

/// Where the package document (OPF) is that META-INF/container.xml names, as a position into archive.entries(); nullopt
/// when there is none. Throws Failure as Archive::read.
[[nodiscard]] std::optional<std::size_t> findEpubPackage(Archive& archive);

/// Where the cover picture of an EPUB is, as a position into archive.entries(); nullopt when it lists no
/// picture.
///
/// Asked in this order: a manifest item with the property cover-image (EPUB 3), `<meta name="cover">` (EPUB 2), the
/// first picture of the guide's cover page, the first picture of the manifest whose id or name says cover, the first
/// picture of the first page of the spine, the largest picture of the manifest. Documents are parsed without network,
/// DTDs and entities. A broken package document counts as one that lists none.
[[nodiscard]] std::optional<std::size_t> findEpubCover(Archive& archive);

/// `href` as found in a document at `base` → the name of the entry it means: percent-decoded, `.` and `..` resolved,
/// fragment dropped. Empty for anything that leaves the archive or has a scheme.
[[nodiscard]] std::string resolveHref(std::string_view base, std::string_view href);

}  // namespace jobhost::support
