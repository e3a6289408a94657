#pragma once

#include <optional>
#include <string_view>

#include "metadata/found.hpp"

namespace jobhost::metadata {

/// Reads a ComicInfo.xml (Anansi project, schemas 1.0 to 2.1). nullopt when it is none. Elements may be prefixed; those
/// that are not known are left out.
[[nodiscard]] std::optional<Found> readComicInfo(std::string_view xml);

}  // namespace jobhost::metadata
