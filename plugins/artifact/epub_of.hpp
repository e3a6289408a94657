#pragma once

#include <jobhost/plugin.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "artifact/settings.hpp"

namespace jobhost::artifact {

inline constexpr const char* kArtifacts = "artifacts";  ///< the collection; key: artifactIdOf

/// The id of the artifact a job makes: a UUID, the same whenever the job runs.
[[nodiscard]] std::string artifactIdOf(std::int64_t job_id);

/// Notes that `epub_job` makes the epub of the conversions below `batch_job`, at once.
void rememberEpub(Job& job, std::int64_t batch_job, std::int64_t epub_job);

/// The epub that a conversion is made from: that of the job its batch made for it; without a batch, the newest of the
/// novel. nullopt: there is none, or its file is gone.
[[nodiscard]] std::optional<std::filesystem::path> epubOf(Job& job, const Settings& settings,
                                                          const std::string& novel_id);

}  // namespace jobhost::artifact
