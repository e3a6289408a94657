#include "devtools/valgrind.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <system_error>
#include <utility>

#include "devtools/check.hpp"

namespace jobhost::devtools {
namespace {

namespace fs = std::filesystem;

constexpr int kRuns = 2;  // what is lost with each job is told from what is made once
constexpr int kSlower = 20;
constexpr core::Millis kLoadTime{120'000};
constexpr core::Millis kEndTime{120'000};  // the search for leaks is at the end
constexpr std::uintmax_t kMaxReport = std::uintmax_t{64} << 20;
constexpr std::size_t kMaxErrors = 10'000;

/// What the C library and the runner do once, and keep on purpose.
constexpr const char* kSuppressions = R"(
{
  loader-keeps-what-it-maps
  Memcheck:Leak
  match-leak-kinds: definite
  ...
  fun:_dl_open
}
{
  thread-local-storage
  Memcheck:Leak
  match-leak-kinds: definite
  ...
  fun:__tls_get_addr
}
{
  loader-reads-words
  Memcheck:Addr8
  ...
  obj:*/ld-linux-x86-64.so.*
}
{
  locale-and-charset-modules
  Memcheck:Leak
  match-leak-kinds: definite
  ...
  fun:setlocale
}
{
  charset-conversion
  Memcheck:Leak
  match-leak-kinds: definite
  ...
  fun:iconv_open
}
{
  the-runner-keeps-its-plugin
  Memcheck:Leak
  match-leak-kinds: definite
  fun:_Znwm
  fun:*jobhost*runner*PluginLibrary*load*
}
)";

std::string plain(std::string_view text) {
  static constexpr std::pair<std::string_view, char> kEntities[] = {
      {"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}};
  std::string out;
  while (!text.empty()) {
    const auto* found = std::find_if(std::begin(kEntities), std::end(kEntities),
                                     [&](const auto& one) { return text.rfind(one.first, 0) == 0; });
    out.push_back(found != std::end(kEntities) ? found->second : text.front());
    text.remove_prefix(found != std::end(kEntities) ? found->first.size() : 1);
  }
  return out;
}

/// What is between the first <tag> and its end at or behind `at`, which is moved behind it. False: there is none.
bool between(std::string_view xml, const std::string& tag, std::size_t& at, std::string_view& inside) {
  const std::string open = "<" + tag + ">";
  const auto begin = xml.find(open, at);
  if (begin == std::string_view::npos) return false;
  const auto end = xml.find("</" + tag + ">", begin);
  if (end == std::string_view::npos) return false;
  inside = xml.substr(begin + open.size(), end - begin - open.size());
  at = end + tag.size() + 3;
  return true;
}

std::string textOf(std::string_view xml, const std::string& tag) {
  std::size_t at = 0;
  std::string_view inside;
  return between(xml, tag, at, inside) ? plain(inside) : std::string();
}

std::vector<MemcheckError::Frame> stackOf(std::string_view error) {
  std::vector<MemcheckError::Frame> frames;
  std::size_t at = 0;
  std::string_view stack;
  if (!between(error, "stack", at, stack)) return frames;
  std::string_view frame;
  for (at = 0; between(stack, "frame", at, frame);) {
    MemcheckError::Frame one{textOf(frame, "obj"), textOf(frame, "fn"), textOf(frame, "file")};
    if (!one.place.empty()) one.place += ":" + textOf(frame, "line");
    frames.push_back(std::move(one));
  }
  return frames;
}

bool same(const MemcheckError& a, const MemcheckError& b) {
  const auto equal = [](const auto& x, const auto& y) {
    return x.object == y.object && x.function == y.function && x.place == y.place;
  };
  return a.kind == b.kind && std::equal(a.stack.begin(), a.stack.end(), b.stack.begin(), b.stack.end(), equal);
}

std::string readReport(const fs::path& file) {
  std::error_code error;
  if (fs::file_size(file, error) > kMaxReport || error) return {};
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// What the plugin is made for: its examples; of a type without, the job that showed it best.
std::vector<JobSpec> jobsOf(Bench& bench) {
  std::vector<JobSpec> jobs;
  std::set<std::size_t> with_examples;
  for (const auto& one : trials(bench)) {
    if (one.example && with_examples.insert(one.type).second) jobs.insert(jobs.end(), kRuns, one.job);
  }
  for (const auto* one : samples(bench)) {
    if (!with_examples.contains(one->type)) jobs.insert(jobs.end(), kRuns, one->job);
  }
  return jobs;
}

}  // namespace

std::vector<MemcheckError> parseMemcheck(std::string_view xml) {
  std::vector<MemcheckError> all;
  std::string_view error;
  for (std::size_t at = 0; all.size() < kMaxErrors && between(xml, "error", at, error);) {
    MemcheckError one;
    one.kind = textOf(error, "kind");
    one.what = textOf(error, "what");
    if (one.what.empty()) one.what = textOf(error, "text");  // of a leak, inside <xwhat>
    one.stack = stackOf(error);
    if (!one.kind.empty()) all.push_back(std::move(one));
  }
  return all;
}

core::Result<std::vector<MemcheckError>> underMemcheck(Bench& bench) {
  const auto program = findTool("valgrind", bench.options.tool_folders);
  if (!program) return program.error();
  const ScratchFolder folder;
  const auto suppressions = folder.path() / "suppressions";
  std::ofstream(suppressions) << kSuppressions;
  LabOptions options = bench.options.lab;
  options.runner_prefix = {program->string(),
                           "--quiet",
                           "--leak-check=full",
                           "--show-leak-kinds=definite",
                           "--errors-for-leak-kinds=definite",
                           "--num-callers=50",
                           "--child-silent-after-fork=yes",
                           "--suppressions=" + suppressions.string(),
                           "--xml=yes",
                           "--xml-file=" + (folder.path() / "found.%p.xml").string()};
  options.limit_memory = false;
  options.job_timeout *= kSlower;
  options.load_timeout = std::max(options.load_timeout, kLoadTime);
  options.drain_timeout = kEndTime;
  std::string ran = "no job";
  {
    auto jobs = jobsOf(bench);
    Lab lab(bench.subject, options, {}, std::move(jobs));
    const auto reports = lab.runAll();
    if (!reports.empty()) ran = reports.front().describe();
    if (!lab.finish()) {
      return core::Error{core::ErrorCode::Unavailable, "under valgrind its process did not end when told to", {}, {}};
    }
  }
  std::vector<MemcheckError> found;
  bool told = false;
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    if (entry.path().extension() != ".xml") continue;
    told = true;
    const std::string report = readReport(entry.path());
    if (report.find("</valgrindoutput>") == std::string::npos) {
      return core::Error{
          core::ErrorCode::Unavailable, "under valgrind its process was ended before it had told all", {}, {}};
    }
    for (auto& one : parseMemcheck(report)) {
      const auto known = [&](const MemcheckError& other) { return same(one, other); };
      if (std::none_of(found.begin(), found.end(), known)) found.push_back(std::move(one));
    }
  }
  if (!told) return core::Error{core::ErrorCode::Unavailable, "valgrind left no report; under it: " + ran, {}, {}};
  return found;
}

std::vector<fs::path> toolFolders() {
  return {"/usr/local/bin", "/usr/bin", "/bin"};
}

core::Result<fs::path> findTool(const std::string& name, const std::vector<fs::path>& folders) {
  for (const auto& folder : folders) {
    std::error_code error;
    if (auto path = folder / name; fs::exists(path, error)) return path;
  }
  return core::Error{core::ErrorCode::NotFound, name + " is not installed", {}, {}};
}

}  // namespace jobhost::devtools
