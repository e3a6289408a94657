// Makes the same thumbnails `repeat` times through the plugin, as a warm runner would; tests/bench/thumbnail_bench.sh
// measures it beside other programs. Usage: thumbnail_bench_tool plugin.so repeat width height files…
// or, all pages of the only archive in a folder to another folder: thumbnail_bench_tool plugin.so pages folder thumbs
#include <jobhost/testing.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <span>
#include <stdexcept>

#include <fcntl.h>

#include "samples.hpp"
#include "support/files/archive_id.hpp"
#include "support/files/unique_fd.hpp"

namespace {

int makePages(const char* plugin, const char* folder, const char* thumbs) {
  const jobhost::samples::TempFolder own;
  jobhost::testing::FakeHost host(plugin, own.path());
  host.setConfig({{"content_dir", folder}, {"thumb_dir", thumbs}});
  const auto archive = std::filesystem::directory_iterator(folder)->path();
  const jobhost::support::UniqueFd file(::open(archive.c_str(), O_RDONLY | O_CLOEXEC));
  const auto done = host.run("page_thumbnails", {{"id", jobhost::support::archiveIdOf(file.get())}, {"force", 1}});
  if (done.code == JH_OK && done.result["errors"].size() == 0 && done.notes.size() > 1) return 0;
  std::fprintf(stderr, "%s: %s %s\n", archive.c_str(), done.error_message.c_str(), done.result.dump().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc == 5 && std::strcmp(argv[2], "pages") == 0) return makePages(argv[1], argv[3], argv[4]);
  if (argc < 6) {
    std::fputs("usage: thumbnail_bench_tool plugin.so repeat width height files...\n", stderr);
    return 2;
  }
  const std::span args(argv, static_cast<std::size_t>(argc));
  const jobhost::samples::TempFolder own;
  jobhost::testing::FakeHost host(args[1], own.path());
  host.setConfig({{"roots", jobhost::Json::array({"/"})}});
  for (const char* file : args.subspan(5)) {
    const jobhost::Json params{
        {"source", file}, {"width", std::atoi(args[3])}, {"height", std::atoi(args[4])}, {"quality", 75}};
    for (int i = 0; i < std::atoi(args[2]); ++i) {
      const auto done = host.run("thumbnail", params);
      if (done.code == JH_OK) continue;
      std::fprintf(stderr, "%s: %s\n", file, done.error_message.c_str());
      return 1;
    }
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
