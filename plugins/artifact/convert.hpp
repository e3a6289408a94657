#pragma once

#include <jobhost/plugin.hpp>

#include <cstdint>
#include <filesystem>

#include "artifact/conversion.hpp"
#include "artifact/settings.hpp"

namespace jobhost::artifact {

/// Makes `files.output` from the epub by what the settings name, when it is this conversion's turn, and tells how far
/// it is. Ended with the job, and after Settings::timeout_s.
///
/// Throws Failure: artifact.no_converter, artifact.conversion, artifact.conversion_timeout, artifact.converter_busy,
/// artifact.upload_too_large; Error of the host's, and Cancelled.
void convert(Job& job, Format format, const Novel& novel, const ConversionFiles& files, const Settings& settings);

/// How far the program is, from a line it prints ("34% Converting …"), as a part of 100; -1: the line says nothing.
[[nodiscard]] int percentOf(std::string_view line);

}  // namespace jobhost::artifact
