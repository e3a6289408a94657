#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/job_type.hpp"
#include "catalog/params_schema.hpp"
#include "core/result.hpp"

namespace jobhost::catalog {

/// What this host offers to plugins.
struct HostAbi {
  std::string host_version = "0.1.0";
  int major = 1;
  int minor = 0;
  std::vector<std::string> extensions;  ///< "jobhost.output/1" …; empty: any is taken as offered
};

/// One job type of a manifest with its compiled params schema.
struct ManifestType {
  JobTypeInfo info;  ///< generation not set
  std::shared_ptr<const ParamsSchema> schema;
};

/// What handles a plugin's job types.
enum class PluginKind {
  Library,  ///< a shared library that jobhost-runner loads; its manifest is a note in it
  Process,  ///< a program that speaks the runner protocol itself (docs/protocol.md); its manifest is a file beside it
};

/// What a plugin says of itself, checked.
struct Manifest {
  PluginKind kind = PluginKind::Library;
  std::vector<std::string> command;  ///< Process: the program's file name, without a folder, and its arguments
  std::vector<std::string> files;    ///< Process: names of further files of the folder that the program reads
  std::string id;
  std::string version;
  std::string name;  ///< for people; the id where the manifest has none
  int abi_major = 1;
  int abi_min_minor = 0;
  std::vector<std::string> required_extensions;
  Permissions permissions;
  std::vector<RecordCollection> records;  ///< by name
  std::vector<ManifestType> types;
  std::string config_schema_json;  ///< empty: none
  std::string schedules_json;      ///< an array; empty: none
  std::vector<std::string> warnings;
};

/// What decides about a plugin before it is loaded: which id and version it is, and what it wants.
struct ManifestSummary {
  std::string id;
  std::string version;
  Permissions permissions;
  std::vector<std::string> job_types;  ///< names in manifest order
  bool operator==(const ManifestSummary&) const = default;
};
ManifestSummary summaryOf(const Manifest& manifest);

/// Of a plugin by its file's name: `<name>.plugin.json` is the manifest of a process.
PluginKind kindOf(const std::filesystem::path& file);
/// "library", "process".
std::string_view toString(PluginKind kind);

/// Reads and checks a manifest. Errors: InvalidArgument with every fault by JSON Pointer ("/job_types/0/name");
/// Unsupported where the manifest is right but asks for an ABI, a format or an extension this host does not have, with
/// what to do about it in the message. That the plugin has the kind it says is the caller's to check.
core::Result<Manifest> parseManifest(std::string_view json, const HostAbi& host);

/// Negative, zero, positive as semantic version `a` precedes, equals or follows `b` (semver.org, rule 11). Texts that
/// are no versions precede all that are.
int compareVersions(std::string_view a, std::string_view b);
bool isVersion(std::string_view text);

}  // namespace jobhost::catalog
