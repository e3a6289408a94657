#include "cli/plugin_file_commands.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <set>
#include <utility>
#include <vector>

#include "catalog/manifest.hpp"
#include "catalog/manifest_pe.hpp"
#include "catalog/plugin_index.hpp"
#include "catalog/plugin_package.hpp"
#include "cli/context.hpp"
#include "cli/exit_codes.hpp"
#include "cli/json.hpp"
#include "core/clock.hpp"
#include "core/text.hpp"
#include "devtools/subject.hpp"
#include "scaffold/scaffold.hpp"
#include "telemetry/log.hpp"

namespace jobhost::cli {

namespace fs = std::filesystem;

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const auto& word : words) all += (all.empty() ? "" : ", ") + word;
  return all;
}

constexpr std::int64_t kMaxFile = std::int64_t{1} << 30;

/// What is said of the file itself, by kind.
using FileRows = std::vector<std::vector<std::string>>;

FileRows libraryRows(const catalog::Manifest& manifest, const catalog::FileManifest& file) {
  return {{"FORMAT", file.format + ", " + std::to_string(file.note.file_size) + " bytes"},
          {"ABI", std::to_string(manifest.abi_major) + "." + std::to_string(manifest.abi_min_minor) + " or newer"}};
}

FileRows programRows(const catalog::Manifest& manifest, const catalog::PluginPackage& package) {
  std::int64_t bytes = 0;
  for (const auto& stamp : package.stamps()) bytes += stamp.size;
  std::string command;
  for (const auto& word : manifest.command) command += (command.empty() ? "" : " ") + word;
  FileRows rows{{"FORMAT", "program, " + std::to_string(bytes) + " bytes"}, {"COMMAND", command}};
  if (!manifest.files.empty()) rows.push_back({"FILES", joined(manifest.files)});
  return rows;
}

void printManifest(const catalog::Manifest& manifest, const FileRows& file) {
  std::vector<std::vector<std::string>> rows{
      {"ID", manifest.id}, {"VERSION", manifest.version}, {"NAME", manifest.name}};
  rows.insert(rows.end(), file.begin(), file.end());
  const auto list = [&](const char* name, const std::vector<std::string>& words) {
    if (!words.empty()) rows.push_back({name, joined(words)});
  };
  list("REQUIRES", manifest.required_extensions);
  list("NET", manifest.permissions.net);
  list("EXEC", manifest.permissions.exec);
  list("SECRETS", manifest.permissions.secrets);
  list("CHILDREN", manifest.permissions.children);
  if (manifest.permissions.kv) rows.push_back({"KEYS", "its own"});
  list("READS RECORDS", manifest.permissions.records_read);
  list("WRITES RECORDS", manifest.permissions.records_write);
  for (const auto& one : manifest.records) {
    rows.push_back({"RECORDS", one.name + (one.indexes.empty() ? "" : ", found by " + joined(one.indexes))});
  }
  for (const auto& type : manifest.types) {
    rows.push_back({"JOB TYPE", type.info.name + (type.info.title == type.info.name ? "" : ": " + type.info.title)});
  }
  list("WARNING", manifest.warnings);
  printTable(std::cout, rows);
}

/// One plugin of a folder: its row of the table and its object for scripts.
struct FolderRow {
  fs::path file;
  std::string sha256;
  core::Result<catalog::ManifestSummary> manifest;
};

FolderRow readPlugin(const fs::path& file, catalog::PluginIndex& index, core::Instant now) {
  auto package = catalog::PluginPackage::open(file, kMaxFile);
  if (!package) return {file, {}, package.error()};
  const auto stamps = package->stamps();
  if (const auto* known = index.find(*package, stamps)) {
    package->adopt(known->hashes);
    return {file, package->sha256(), known->manifest};
  }
  if (const auto hash = package->hash(); !hash) return {file, {}, hash.error()};
  const auto manifest = catalog::manifestOf(*package, devtools::offeredAbi());
  if (!manifest) return {file, package->sha256(), manifest.error()};
  auto summary = catalog::summaryOf(*manifest);
  if (catalog::olderThan(stamps, now, catalog::kStampsTell) && package->stamps() == stamps) {
    index.keep(*package, stamps, summary);
  }
  return {file, package->sha256(), std::move(summary)};
}

std::string jsonOf(const FolderRow& row) {
  std::string text = "{\"file\":" + jsonString(core::printable(row.file.filename().string())) +
                     ",\"kind\":" + jsonString(std::string(toString(catalog::kindOf(row.file)))) +
                     ",\"sha256\":" + jsonString(row.sha256);
  if (!row.manifest) return text + ",\"reason\":" + jsonString(row.manifest.error().message) + "}";
  text += ",\"id\":" + jsonString(row.manifest->id) + ",\"version\":" + jsonString(row.manifest->version) +
          ",\"job_types\":[";
  for (const auto& type : row.manifest->job_types) text += (text.back() == '[' ? "" : ",") + jsonString(type);
  return text + "]}";
}

void printRows(const std::vector<FolderRow>& rows, bool json) {
  if (json) {
    std::cout << "{\"plugins\":[";
    for (const auto& row : rows) std::cout << (&row == &rows.front() ? "\n" : ",\n") << jsonOf(row);
    std::cout << "]}\n";
    return;
  }
  std::vector<std::vector<std::string>> table{{"FILE", "KIND", "ID", "VERSION", "SHA-256", "JOB TYPES", "REASON"}};
  for (const auto& row : rows) {
    const bool good = row.manifest.ok();
    table.push_back({core::printable(row.file.filename().string()), std::string(toString(catalog::kindOf(row.file))),
                     good ? row.manifest->id : "", good ? row.manifest->version : "", row.sha256.substr(0, 12),
                     good ? joined(row.manifest->job_types) : "", good ? "" : row.manifest.error().message});
  }
  printTable(std::cout, table);
}

int folderInfo(const PluginInfoArgs& args) {
  std::set<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator it(args.file, error), end; !error && it != end; it.increment(error)) {
    if (catalog::isPluginName(it->path())) files.insert(it->path());
  }
  if (error) {
    return fail(core::Error{core::ErrorCode::InvalidArgument, args.file + " cannot be read: " + error.message(), {}, {}}),
           kUsage;
  }
  telemetry::setLogLevel("error");  // an index that cannot be used is none
  catalog::PluginIndex index(args.index.empty() ? fs::path() : fs::absolute(args.index), devtools::offeredAbi());
  index.load();
  index.forgetIf([&files](const fs::path& known) { return !files.contains(known); });
  const auto now = core::SystemClock().now();
  std::vector<FolderRow> rows;
  for (const fs::path& file : files) rows.push_back(readPlugin(file, index, now));
  if (const auto kept = index.save(); !kept) return fail(kept.error()), kUsage;
  printRows(rows, args.json);
  const bool all = std::all_of(rows.begin(), rows.end(), [](const FolderRow& row) { return row.manifest.ok(); });
  return all ? kOk : kJobFailed;
}

}  // namespace

int pluginNew(const PluginNewArgs& args) {
  scaffold::Request request;
  request.name = args.name;
  request.type = args.type;
  request.id = args.id;
  request.language = args.language == "c" ? scaffold::Language::C : scaffold::Language::Cpp;
  request.single_file = args.single_file;
  request.parent = args.dir;
  const auto made = scaffold::create(request);
  if (!made) return fail(made.error()), kUsage;
  for (const auto& file : *made) std::cout << file.string() << '\n';
  if (args.single_file) {
    std::cerr << "its first lines say how to build it\n";
  } else {
    const auto folder = (request.parent / args.name).string();
    std::cerr << "now: cmake -S " << folder << " -B " << folder << "/build && cmake --build " << folder
              << "/build && ctest --test-dir " << folder << "/build\n";
  }
  return kOk;
}

int pluginInfo(const PluginInfoArgs& args) {
  const auto refused = [&](core::Error error, int status) {
    error.message = args.file + " " + error.message;
    return fail(error), status;
  };
  std::error_code ignored;
  if (fs::is_directory(args.file, ignored)) return folderInfo(args);
  const auto unopened = [&](core::Error error) {
    if (error.code == core::ErrorCode::NotFound) error.message = "is not there";
    return refused(std::move(error), kUsage);
  };
  const auto shown = [&](const std::string& manifest_json, const auto& rows) -> int {
    if (args.json) {
      std::cout << manifest_json << '\n';
      return kOk;
    }
    const auto manifest = catalog::parseManifest(manifest_json, devtools::offeredAbi());
    if (!manifest) return refused(manifest.error(), kJobFailed);
    printManifest(*manifest, rows(*manifest));
    return kOk;
  };
  if (args.file.ends_with(".json")) {
    const auto package = catalog::PluginPackage::open(args.file, kMaxFile);
    if (!package) return unopened(package.error());
    const auto text = package->manifestText();
    if (!text) return refused(text.error(), kJobFailed);
    return shown(*text, [&](const catalog::Manifest& manifest) { return programRows(manifest, *package); });
  }
  const auto fd = catalog::openPluginFile(args.file);
  if (!fd) return unopened(fd.error());
  const auto file = catalog::readManifestFile(*fd);
  ::close(*fd);
  if (!file) return refused(file.error(), kJobFailed);
  return shown(file->note.manifest_json,
               [&](const catalog::Manifest& manifest) { return libraryRows(manifest, *file); });
}

}  // namespace jobhost::cli
