// Makes the same thumbnails `repeat` times through the plugin, as a warm runner would; tests/bench/thumbnail_bench.sh
// measures it beside other programs. Usage: thumbnail_bench_tool plugin.so repeat width height files…
#include <jobhost/testing.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <span>

#include "samples.hpp"

int main(int argc, char** argv) try {
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
