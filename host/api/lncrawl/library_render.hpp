#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "api/json_writer.hpp"
#include "api/lncrawl/records.hpp"

namespace jobhost::api::lncrawl {

// The objects of contracts/lncrawl.md 2, of records and of what those do not say. What a record lacks, or has of
// another type, is told as a plain value of the right one, so that an answer always has its shape.
void writeNovel(JsonWriter& json, const RecordDoc& novel, bool cover_available);
void writeVolume(JsonWriter& json, const RecordDoc& volume);
void writeChapter(JsonWriter& json, const RecordDoc& chapter, bool available);
void writeImage(JsonWriter& json, const RecordDoc& image, bool available);
/// `job`: its id as this surface spells it; nullopt: the job is gone.
void writeArtifact(JsonWriter& json, const RecordDoc& artifact, const std::optional<std::string>& job, bool available);
void writeSource(JsonWriter& json, const RecordDoc& source, std::int64_t total_novels);

}  // namespace jobhost::api::lncrawl
