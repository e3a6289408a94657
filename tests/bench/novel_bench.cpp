// How many pages a second fetch-novel stores, beside wget on the same loopback site; politeness is off. The novel has
// so many chapters of 12 KiB; each becomes a job, a file and a record, all durable. Also what the book of them takes,
// and the most memory that a runner of each plugin had. Prints one line each.
//   novel_bench [chapters] [requests at once]
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <Poco/JSON/Array.h>

#include "e2e/host_process.hpp"
#include "e2e/novel_site.hpp"

namespace {

using namespace std::chrono_literals;
using jobhost::e2e::HostProcess;
using jobhost::e2e::NovelSite;
using jobhost::e2e::text;
using Clock = std::chrono::steady_clock;

double seconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::string chapterText(int number) {
  std::string html;
  for (int paragraph = 0; html.size() < 12 * 1024; ++paragraph) {
    html +=
        "<p>Chapter " + std::to_string(number) + ", paragraph " + std::to_string(paragraph) +
        ": <i>the harbour</i> lay still, and nobody on the quay could have said whether the boats would go out again "
        "before the week was over.</p>\n";
  }
  return html;
}

/// The id of the plugin that a runner has loaded; empty: it is none, or has not yet. The host's own copy of a plugin,
/// which is what runners open, is ID/VERSION-DIGEST/ID.so.
std::string pluginOf(const std::string& process) {
  std::ifstream maps(process + "/maps");
  std::string line;
  while (std::getline(maps, line)) {
    const auto at = line.find('/');
    if (at == std::string::npos) continue;
    const std::filesystem::path path = line.substr(at);
    if (path.extension() == ".so" && path.parent_path().parent_path().filename() == path.stem()) return path.stem();
  }
  return {};
}

/// Peak resident memory in MiB of the host's processes: by plugin, and of others by what they are called. Of several
/// runners of one plugin, the largest.
void addPeaks(const HostProcess& host, std::map<std::string, long>& peaks) {
  for (const auto pid : host.otherProcesses()) {
    const auto folder = "/proc/" + std::to_string(pid);
    std::ifstream status(folder + "/status");
    std::string line;
    std::string name = pluginOf(folder);
    while (std::getline(status, line)) {
      if (line.starts_with("Name:") && name.empty()) name = line.substr(line.find_last_of(" \t") + 1);
      if (line.starts_with("VmHWM:")) {
        const long mib = std::strtol(line.c_str() + 6, nullptr, 10) / 1024;
        peaks[name] = std::max(peaks[name], mib);
      }
    }
  }
}

/// The id of the child of this type; 0: there is none yet.
std::int64_t childOf(const HostProcess& host, std::int64_t parent, const std::string& type) {
  const auto answer = host.get("/api/v1/jobs?documents=false&parent=" + std::to_string(parent));
  const auto page = answer.json();
  const auto jobs = page ? page->getArray("jobs") : nullptr;
  for (unsigned i = 0; jobs && i < jobs->size(); ++i) {
    const auto job = jobs->getObject(i);
    if (text(job, "type") == type) return job->getValue<std::int64_t>("id");
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int chapters = argc > 1 ? std::atoi(argv[1]) : 1000;
  const int at_once = argc > 2 ? std::atoi(argv[2]) : 2;
  if (chapters < 1 || at_once < 1) {
    std::fprintf(stderr, "usage: novel_bench [chapters] [requests at once]\n");
    return 2;
  }
  jobhost::e2e::TempFolder folder;
  NovelSite site;
  NovelSite::Book book;
  for (int i = 1; i <= chapters; ++i) {
    book.chapters.push_back({std::to_string(i), "Chapter " + std::to_string(i), chapterText(i)});
  }
  site.putBook("/book/", book);

  std::ofstream list(folder / "urls");
  for (const auto& chapter : book.chapters) list << site.url("/book/" + chapter.name) << "\n";
  list.close();
  auto begin = Clock::now();
  const auto command = "wget -q -O /dev/null -i '" + (folder / "urls").string() + "'";
  if (const int status = std::system(command.c_str()); status != 0) {
    std::fprintf(stderr, "wget ended with %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : status);
    return 1;
  }
  const double wget = seconds(begin, Clock::now());

  std::filesystem::create_directories(folder / "sources");
  std::ofstream(folder / "sources" / "127.0.0.1.yaml") << site.bookSpec();
  const std::string plugin = "plugin.org.jobhost.fetch-novel.";
  HostProcess host({.data = folder / "data",
                    .plugins = {JOBHOST_PLUGIN_DIR},
                    .set = {"http.allow_private=true", "lncrawl.sources=" + (folder / "sources").string(),
                            plugin + "gap_ms=0", plugin + "robots=false", plugin + "at_once=" + std::to_string(at_once),
                            "runner.max_per_plugin=" + std::to_string(at_once)},
                    .wrapper = {}});
  if (!host.start()) {
    std::fprintf(stderr, "the host did not start\n%s\n", host.log().c_str());
    return 1;
  }
  for (const char* type : {"full_novel", "artifact"}) {
    if (!HostProcess::eventually([&] { return host.get(std::string("/api/v1/job-types/") + type).status == 200; })) {
      std::fprintf(stderr, "there is no job type %s\n", type);
      return 1;
    }
  }
  begin = Clock::now();
  const auto root = host.submit("full_novel", "{\"url\":\"" + site.url("/book/") + "\"}");
  std::int64_t volumes = 0;
  if (!root || !HostProcess::eventually([&] { return (volumes = childOf(host, *root, "volume_batch")) != 0; }, 300s)) {
    std::fprintf(stderr, "the novel was not read\n%s\n", host.log().c_str());
    return 1;
  }
  const auto listed = Clock::now();
  const auto fetched = host.waitForEnd(volumes, 3600s);
  const auto stored = Clock::now();
  std::map<std::string, long> peaks;
  addPeaks(host, peaks);
  const auto ended = host.waitForEnd(*root, 3600s);
  const auto bound = Clock::now();
  addPeaks(host, peaks);
  if (!fetched || !ended || text(ended, "state") != "succeeded") {
    std::fprintf(stderr, "the novel was not fetched\n%s\n", host.log().c_str());
    return 1;
  }
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "data" / "lncrawl")) {
    files += entry.path().extension() == ".zst" ? 1 : 0;
  }
  const double ours = seconds(listed, stored);
  std::printf("list of %d chapters: %.2f s\n", chapters, seconds(begin, listed));
  std::printf("pages: %.0f/s stored by fetch-novel (%d at once, %d of %d there), %.0f/s by wget; ratio %.2f\n",
              chapters / ours, at_once, files, chapters, chapters / wget, wget / ours);
  std::printf("epub of them: %.2f s\n", seconds(stored, bound));
  for (const auto& [name, mib] : peaks) std::printf("peak memory of %s: %ld MiB\n", name.c_str(), mib);
  return host.stop() == 0 && files == chapters ? 0 : 1;
}
