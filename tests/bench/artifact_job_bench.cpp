// Makes a stored novel an artifact by the plugin, on a host in the test: what the job takes beside the host.
//   artifact_job_bench [epub|json|txt] [chapters] [pictures]
// Prints seconds, the file's MiB and the most memory of the process in MiB: of the job, as the fakes' records are in
// it.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "fake_book.hpp"
#include "shelf.hpp"

namespace {

using jobhost::Json;
namespace shelves = jobhost::artifact::testing;

// Words that do not pack to nothing, the same in each run.
std::string prose(unsigned seed, std::size_t bytes) {
  std::string out = "<p>";
  while (out.size() < bytes) {
    seed = seed * 1664525u + 1013904223u;
    for (unsigned letters = 2 + (seed >> 28) % 8, bits = seed; letters > 0; --letters, bits = bits * 69069u + 5) {
      out += static_cast<char>('a' + (bits >> 24) % 26);
    }
    out += (seed >> 16) % 40 == 0 ? "</p><p>" : " ";
  }
  return out + "</p>";
}

void fill(shelves::Shelf& shelf, int chapters, int pictures) {
  shelf.novel(1);
  std::string picture = shelves::jpeg();
  picture.resize(100 * 1024, 'x');
  for (int i = 0; i < pictures; ++i) shelf.image(i, picture);
  for (int i = 0; i < chapters; ++i) {
    if (i % 100 == 0) shelf.volume(1 + i / 100, "Volume");
    std::string html = prose(static_cast<unsigned>(i), 12 * 1024);
    for (int picture_at = i; picture_at < pictures; picture_at += chapters) {
      html += "<img src=\"images/" + shelves::imageId(picture_at) + ".jpg\">";
    }
    shelf.chapter(1 + i, "Chapter " + std::to_string(1 + i), html.c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string format = argc > 1 ? argv[1] : "epub";
  const int chapters = argc > 2 ? std::atoi(argv[2]) : 1000;
  const int pictures = argc > 3 ? std::atoi(argv[3]) : 0;
  shelves::Shelf shelf(std::string(JOBHOST_PLUGIN_DIR) + "/artifact.so");
  fill(shelf, chapters, pictures);
  const auto begin = std::chrono::steady_clock::now();
  const auto done = shelf.host.run("artifact", {{"novel_id", shelves::uuid(1)}, {"format", format}});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  rusage after{};
  getrusage(RUSAGE_SELF, &after);
  if (!done.succeeded() || done.result["chapters"].intOr(0) != chapters || done.result["images"].intOr(0) != pictures) {
    std::fprintf(stderr, "%s: %s %s\n", format.c_str(), done.error_message.c_str(), done.error_details.dump().c_str());
    return 1;
  }
  const Json told{{"seconds", took.count()},
                  {"chapters", chapters},
                  {"images", pictures},
                  {"file_bytes", done.result["file_size"]},
                  {"peak_bytes", std::int64_t{after.ru_maxrss} * 1024}};
  std::puts(told.dump().c_str());
  return 0;
}
