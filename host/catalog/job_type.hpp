#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/job.hpp"

namespace jobhost::catalog {

/// Names one accepted plugin file while this host runs: positive, increasing, never reused. Not stored.
struct GenerationId {
  std::int64_t value = 0;
  auto operator<=>(const GenerationId&) const = default;
};
inline std::string toString(GenerationId id) {
  return std::to_string(id.value);
}

/// Where a plugin file or generation stands; the word is shown by `plugin list` with the reason beside it.
enum class GenerationState {
  Current,      ///< new jobs of its types go to it
  Draining,     ///< replaced or removed; attempts that run on it may end
  Disabled,     ///< its file was removed: its types take no new attempts, queued jobs wait
  Refused,      ///< not loaded: damaged, wrong ABI, duplicate, type taken; tried again when the file changes
  Quarantined,  ///< crashed or hung: its hash is remembered on disk and not tried again until retry()
};

constexpr std::string_view toString(GenerationState state) {
  switch (state) {
    case GenerationState::Current:
      return "current";
    case GenerationState::Draining:
      return "draining";
    case GenerationState::Disabled:
      return "disabled";
    case GenerationState::Refused:
      return "refused";
    case GenerationState::Quarantined:
      return "quarantined";
  }
  return "unknown";
}

/// How much a job type shares its process with others.
enum class Isolation {
  Shared,       ///< a warm runner of this plugin runs one attempt after the other
  Fresh,        ///< a new process for each attempt
  InProcessOk,  ///< may run inside the host where policy allows it; otherwise as Shared
};

/// What one attempt may use. Zero means: the host's default.
struct TypeLimits {
  core::Millis wall{0};
  core::Millis cpu{0};
  std::int64_t memory_bytes = 0;
  std::int64_t output_bytes = 0;
  int processes = 0;
  bool operator==(const TypeLimits&) const = default;
};

/// What a submit without its own retry settings gets.
struct TypeRetry {
  int max_attempts = 1;
  core::Backoff backoff;
  bool operator==(const TypeRetry&) const = default;
};

/// What a plugin asks for; what it gets is the operator's policy.
struct Permissions {
  std::vector<std::string> net;      ///< host names, "*." allowed in front
  std::vector<std::string> exec;     ///< program names
  std::vector<std::string> secrets;  ///< names of secrets it may read
  /// Job types it may submit: by name, "provides:metadata" for all that offer metadata, "*" for any.
  std::vector<std::string> children;
  std::vector<std::string> config;        ///< config keys it may read
  bool kv = false;                        ///< key-value spaces of its own
  std::vector<std::string> records_read;  ///< collections of other plugins: "com.example.lib/books"; "…/*": all of it
  std::vector<std::string> records_write;  ///< the same, to change; reading goes with it
  bool operator==(const Permissions&) const = default;
};

/// Stands before the word in a name of Permissions::children. No job type's name begins so.
inline constexpr std::string_view kProvidesPrefix = "provides:";

/// A collection of records that a plugin declares (store/record.hpp).
struct RecordCollection {
  std::string name;
  std::vector<std::string> indexes;  ///< fields its records are found by
  bool operator==(const RecordCollection&) const = default;
};

/// One name that jobs can have as their type. Immutable once published.
struct JobTypeInfo {
  std::string name;
  std::string title;
  std::string description;
  std::string plugin_id;
  GenerationId generation;
  int index = 0;                          ///< position in the plugin's manifest
  std::string params_schema_json = "{}";  ///< JSON Schema, the bytes of the manifest
  std::string result_schema_json = "{}";
  int params_version = 1;
  std::vector<std::string> positional;  ///< parameter names in the order args arrays use; empty: none declared
  std::string defaults_json = "{}";     ///< object of the schema's top-level defaults
  TypeLimits limits;
  core::Millis cancel_grace{5'000};  ///< from the ask to the kill; at most 60 s
  int concurrency = 0;               ///< attempts of this type at once; 0: no limit of its own
  TypeRetry retry;
  Isolation isolation = Isolation::Shared;
  bool idempotent = false;
  std::vector<std::string> provides;  ///< what it can do for others ("metadata"), by which they find it
  Permissions permissions;            ///< the plugin's, repeated here
  std::vector<std::string> required_extensions;
  bool available = true;           ///< false: jobs are accepted and wait
  std::string unavailable_reason;  ///< for people; empty while available
};

/// The private copy of a plugin file, shared by everything that may still run it. Once retired, the copy is deleted
/// when the last holder lets go. Thread-safety: any thread may hold, copy and drop the shared_ptr.
class PrivateCopy;

/// One accepted plugin file. Immutable; holding the shared_ptr keeps the private copy on disk, so a runner's slot holds
/// one from before the spawn until the process is gone.
struct PluginGeneration {
  GenerationId id;
  std::string plugin_id;
  std::string version;  ///< semver
  std::string title;
  std::string sha256;  ///< lower-case hex, of the file
  std::filesystem::path original_path;
  std::filesystem::path private_path;  ///< what a runner loads; absolute, mode 0555
  std::string manifest_json;
  std::vector<std::string> job_types;  ///< names in manifest order
  std::vector<std::string> required_extensions;
  Permissions permissions;
  std::vector<RecordCollection> records;  ///< what it declares to keep, by name
  int abi_major = 1;
  int abi_min_minor = 0;
  core::Instant accepted_at;
  std::shared_ptr<const PrivateCopy> copy;  ///< null where a test made the generation without a file
};
using GenerationRef = std::shared_ptr<const PluginGeneration>;

/// One plugin file (or loaded plugin without a file any more) as an operator sees it.
struct PluginStatus {
  GenerationRef generation;  ///< null: never accepted (refused before it was copied)
  std::string plugin_id;     ///< empty where the manifest could not be read
  std::string version;
  std::string sha256;  ///< empty where the file could not be read
  std::filesystem::path path;
  GenerationState state = GenerationState::Refused;
  std::string reason;  ///< for people; empty: nothing to say
  core::Instant since;
  std::int64_t early_crashes = 0;
  std::vector<std::string> job_types;
};

/// One step of the story of a plugin file, oldest first in `plugin why`.
struct Decision {
  core::Instant at;
  std::string decision;  ///< closed set: seen, waiting, refused, ignored, accepted, replaced, rolled_back, quarantined…
  std::string reason;
};

}  // namespace jobhost::catalog

template <>
struct std::hash<jobhost::catalog::GenerationId> {
  std::size_t operator()(jobhost::catalog::GenerationId id) const noexcept {
    return std::hash<std::int64_t>{}(id.value);
  }
};
