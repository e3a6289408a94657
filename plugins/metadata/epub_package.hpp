#pragma once

#include <optional>
#include <string_view>

#include "metadata/found.hpp"

namespace jobhost::metadata {

/// Reads the metadata of an EPUB's package document (OPF 2 and 3; calibre's series too). nullopt when it is none.
[[nodiscard]] std::optional<Found> readEpubPackage(std::string_view opf);

}  // namespace jobhost::metadata
