// How fast plugin files are looked at: opening, reading and checking the manifests of 1 000 files whose pages are in
// memory. `catalog_bench <plugin.so> [files]`
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "catalog/manifest.hpp"
#include "catalog/manifest_note.hpp"

using namespace jobhost;
namespace fs = std::filesystem;

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "catalog_bench <plugin.so> [files]\n"), 2;
  const int files = argc > 2 ? std::atoi(argv[2]) : 1'000;
  std::string pattern = (fs::temp_directory_path() / "jobhost-catalog-bench-XXXXXX").string();
  const fs::path folder = ::mkdtemp(pattern.data());
  std::ifstream in(argv[1], std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  for (int i = 0; i < files; ++i) {
    std::ofstream(folder / ("plugin-" + std::to_string(i) + ".so"), std::ios::binary) << bytes;
  }
  std::vector<double> times;
  std::vector<double> checked;
  int read = 0;
  for (int round = 0; round < 22; ++round) {
    const bool check = round % 2 == 1;
    const auto begun = std::chrono::steady_clock::now();
    for (const auto& entry : fs::directory_iterator(folder)) {
      const auto fd = catalog::openPluginFile(entry.path());
      if (!fd) continue;
      const auto note = catalog::readManifestNote(*fd);
      ::close(*fd);
      if (note && (!check || catalog::parseManifest(note->manifest_json, {}))) ++read;
    }
    (check ? checked : times).push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count());
  }
  fs::remove_all(folder);
  const auto print = [&](const char* what, std::vector<double>& of) {
    std::sort(of.begin(), of.end());
    std::printf("%s %d files of %zu bytes: p50 %.1f ms, worst %.1f ms\n", what, files, bytes.size(), of[of.size() / 2],
                of.back());
  };
  print("reading the manifests of", times);
  print("reading and checking them, schemas and all, of", checked);
  return read == files * 22 ? 0 : 1;
}
