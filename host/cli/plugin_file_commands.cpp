#include "cli/plugin_file_commands.hpp"

#include <unistd.h>

#include <iostream>
#include <vector>

#include "catalog/manifest.hpp"
#include "catalog/manifest_pe.hpp"
#include "cli/context.hpp"
#include "cli/exit_codes.hpp"
#include "scaffold/scaffold.hpp"

namespace jobhost::cli {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const auto& word : words) all += (all.empty() ? "" : ", ") + word;
  return all;
}

void printManifest(const catalog::Manifest& manifest, const catalog::FileManifest& file) {
  std::vector<std::vector<std::string>> rows{
      {"ID", manifest.id},
      {"VERSION", manifest.version},
      {"NAME", manifest.name},
      {"FORMAT", file.format + ", " + std::to_string(file.note.file_size) + " bytes"},
      {"ABI", std::to_string(manifest.abi_major) + "." + std::to_string(manifest.abi_min_minor) + " or newer"}};
  const auto list = [&](const char* name, const std::vector<std::string>& words) {
    if (!words.empty()) rows.push_back({name, joined(words)});
  };
  list("REQUIRES", manifest.required_extensions);
  list("NET", manifest.permissions.net);
  list("EXEC", manifest.permissions.exec);
  list("SECRETS", manifest.permissions.secrets);
  list("CHILDREN", manifest.permissions.children);
  for (const auto& type : manifest.types) {
    rows.push_back({"JOB TYPE", type.info.name + (type.info.title == type.info.name ? "" : ": " + type.info.title)});
  }
  list("WARNING", manifest.warnings);
  printTable(std::cout, rows);
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
  const auto fd = catalog::openPluginFile(args.file);
  if (!fd) {
    auto error = fd.error();
    if (error.code == core::ErrorCode::NotFound) error.message = "is not there";
    return refused(std::move(error), kUsage);
  }
  const auto file = catalog::readManifestFile(*fd);
  ::close(*fd);
  if (!file) return refused(file.error(), kJobFailed);
  if (args.json) {
    std::cout << file->note.manifest_json << '\n';
    return kOk;
  }
  const auto manifest = catalog::parseManifest(file->note.manifest_json, {});
  if (!manifest) return refused(manifest.error(), kJobFailed);
  printManifest(*manifest, *file);
  return kOk;
}

}  // namespace jobhost::cli
