#pragma once

#include <jobhost/plugin.hpp>

#include <string>
#include <string_view>

namespace jobhost::artifact {

/// Job types of lncrawl (contract 3.1); params as in plugin.json. What they throw has lncrawl's summary as its message
/// and the reason as details {"cause": text}.

/// 40: makes the novel in one format, puts the file in its place and stores the record of it.
Json runArtifact(Job& job);
/// 41: makes a job of type 40 for each format; those that need the epub run after it.
Json runArtifactBatch(Job& job);

/// An error as lncrawl's clients know it.
[[nodiscard]] Error jobError(std::int32_t error_class, std::string code, std::string summary, std::string_view cause);

}  // namespace jobhost::artifact
