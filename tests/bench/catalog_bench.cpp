// How fast plugin files are looked at whose pages are in memory: reading their manifests alone, and a host's start over
// them, cold and with a warm index. `catalog_bench <plugin.so> [files]`
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "catalog/manifest.hpp"
#include "catalog/manifest_note.hpp"
#include "catalog/plugin_loader.hpp"
#include "telemetry/log.hpp"

using namespace jobhost;
namespace fs = std::filesystem;

namespace {

/// Says yes to all: what a probe costs is the plugin's.
class NoProbe final : public catalog::PluginProbe {
 public:
  core::Result<catalog::ProbeReport> probe(const catalog::PluginGeneration& generation) override {
    return catalog::ProbeReport{generation.job_types, 1, 0, core::Millis(1)};
  }
};

/// Wall and processor time, so that a busy machine shows.
struct Times {
  std::vector<double> wall;
  std::vector<double> cpu;

  void take(const std::function<void()>& what) {
    const auto begun = std::chrono::steady_clock::now();
    const auto cpu_begun = std::clock();
    what();
    cpu.push_back(1e3 * static_cast<double>(std::clock() - cpu_begun) / CLOCKS_PER_SEC);
    wall.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count());
  }
  void print(const char* what) {
    std::sort(wall.begin(), wall.end());
    std::sort(cpu.begin(), cpu.end());
    std::printf("%-46s p50 %7.1f ms, best %7.1f, worst %7.1f; CPU p50 %7.1f, best %7.1f\n", what, wall[wall.size() / 2],
                wall.front(), wall.back(), cpu[cpu.size() / 2], cpu.front());
  }
};

int readAll(const fs::path& folder, bool check) {
  int good = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto fd = catalog::openPluginFile(entry.path());
    if (!fd) continue;
    const auto note = catalog::readManifestNote(*fd);
    ::close(*fd);
    if (note && (!check || catalog::parseManifest(note->manifest_json, {}))) ++good;
  }
  return good;
}

/// Copies of one plugin, so that one of them is tried and the time is that of the look at all. False: it did not run.
bool start(const fs::path& folder, const fs::path& store, std::size_t files, const core::Clock& clock) {
  catalog::Catalog catalog;
  NoProbe probe;
  catalog::LoaderOptions options;
  options.folders = {folder};
  options.store = store;
  options.max_files = files + 1;
  catalog::PluginLoader loader(options, catalog, probe, clock);
  loader.start();
  return !catalog.types().empty() && catalog.plugins().size() == files;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "catalog_bench <plugin.so> [files]\n"), 2;
  const int files = argc > 2 ? std::atoi(argv[2]) : 1'000;
  telemetry::setLogLevel("off");
  std::string pattern = (fs::temp_directory_path() / "jobhost-catalog-bench-XXXXXX").string();
  const fs::path root = ::mkdtemp(pattern.data());
  const fs::path folder = root / "plugins";
  fs::create_directories(folder);
  std::ifstream in(argv[1], std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  for (int i = 0; i < files; ++i) {
    std::ofstream(folder / ("plugin-" + std::to_string(i) + ".so"), std::ios::binary) << bytes;
  }
  const core::ManualClock clock(core::fromMicros(4'000'000'000'000'000));  // all files are old
  Times read, checked, cold, warm;
  bool good = true;
  for (int round = 0; round < 11; ++round) {
    read.take([&] { good = readAll(folder, false) == files && good; });
    checked.take([&] { good = readAll(folder, true) == files && good; });
  }
  for (int round = 0; round < 3; ++round) {
    fs::remove_all(root / "store");
    cold.take([&] { good = start(folder, root / "store", static_cast<std::size_t>(files), clock) && good; });
  }
  for (int round = 0; round < 11; ++round) {
    warm.take([&] { good = start(folder, root / "store", static_cast<std::size_t>(files), clock) && good; });
  }
  fs::remove_all(root);
  std::printf("%d files of %zu bytes\n", files, bytes.size());
  read.print("reading their manifests");
  checked.print("reading and checking them, schemas and all");
  cold.print("a host's start over them, without an index");
  warm.print("a host's start over them, with a warm index");
  return good ? 0 : 1;
}
