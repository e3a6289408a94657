#include "artifact/convert.hpp"

#include <poll.h>

#include <array>
#include <chrono>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

#include "artifact/text.hpp"
#include "support/files/turns.hpp"

namespace jobhost::artifact {
namespace {

using support::Failure;
using support::FailureKind;

constexpr const char* kProgram = "ebook-convert";
constexpr std::int64_t kGraceMs = 2000;
// Of address space. The browser that makes PDFs reserves more than 32 GiB before it does anything, which is why the
// manifest asks for 64 GiB; no other format needs a twentieth of it.
constexpr std::int64_t kMemory = 4LL << 30;
constexpr std::int64_t kMaxOutput = 4LL << 30;                   // of a file it writes
constexpr std::uint64_t kMaxUpload = (16u << 20) - (64u << 10);  // the host takes 16 MiB with the head
constexpr std::size_t kTail = 8 * 1024;                          // of what the program prints
constexpr std::size_t kMaxRefusal = 64 * 1024;
constexpr std::chrono::milliseconds kInPlace{1000};   // that a turn is waited for with the runner kept
constexpr std::chrono::milliseconds kComeBack{5000};  // and without it
constexpr std::chrono::milliseconds kApart{250};

/// What the program prints, line by line as it comes: the percents become progress, the end is kept.
class Output {
 public:
  explicit Output(Job& job) : job_(job) {}
  void take(std::string_view bytes) {
    tail_ += bytes;
    line_ += bytes;
    for (auto end = line_.find('\n'); end != std::string::npos; end = line_.find('\n')) {
      const std::string_view line = std::string_view(line_).substr(0, end);
      if (const int percent = percentOf(line); percent >= 0) job_.progress(percent, 100, oneLine(line, 200));
      line_.erase(0, end + 1);
    }
    if (line_.size() > kTail) line_.clear();
    if (tail_.size() > 2 * kTail) tail_.erase(0, tail_.size() - kTail);
  }
  [[nodiscard]] const std::string& tail() const { return tail_; }

 private:
  Job& job_;
  std::string tail_, line_;
};

Failure notInTime(Format format, const Settings& settings) {
  return {FailureKind::Limit, "artifact.conversion_timeout",
          "Failed running ebook-convert: " + std::string(nameOf(format)) + " was not made within " +
              std::to_string(settings.timeout_s) + " s (conversion_timeout_s)"};
}

std::uint64_t sizeOf(const std::filesystem::path& path) {
  std::error_code absent;
  const auto size = std::filesystem::file_size(path, absent);
  return absent ? 0 : size;
}

Process start(Job& job, Format format, const ProgramCall& call, const Settings& settings) {
  std::vector<std::string> argv{call.program.string()};
  argv.insert(argv.end(), call.arguments.begin(), call.arguments.end());
  ProcessOptions options;
  options.err = ProcessStream::withOutput();
  options.timeout(settings.timeout_s * 1000).set("HOME", job.tempDir());
  options.grace_ms = kGraceMs;
  options.max_output_bytes = kMaxOutput;
  if (format != Format::Pdf) options.memory_bytes = kMemory;
  for (const auto& [name, value] : call.environment) options.set(name, value);
  try {
    return job.spawn(argv, options);
  } catch (const Error& error) {
    if (error.code() != "process.not_found" && error.code() != "extension_missing") throw;
    throw noConverter(format);
  }
}

void runProgram(Job& job, Format format, const ProgramCall& call, const ConversionFiles& files,
                const Settings& settings) {
  Output output(job);
  Process process = start(job, format, call, settings);
  std::array<char, 16 * 1024> chunk;
  while (const std::size_t got = process.read(chunk.data(), chunk.size())) output.take({chunk.data(), got});
  const ProcessEnd end = process.wait();
  if (end.timed_out) throw notInTime(format, settings);
  const int code = end.exit_code.value_or(128 + end.signal.value_or(0));
  if (const auto failure = conversionFailed(format, code, sizeOf(files.output), output.tail())) {
    job.warn("ebook-convert said: " + output.tail());
    throw Failure(*failure);
  }
}

std::string refusal(HttpResponse& response) {
  std::string text;
  std::array<char, 4096> chunk;
  while (text.size() < kMaxRefusal) {
    const std::size_t got = response.read(chunk.data(), chunk.size());
    if (got == 0) break;
    text.append(chunk.data(), got);
  }
  return text;
}

void askService(Job& job, Format format, const HttpCall& call, const ConversionFiles& files, const Settings& settings) {
  HttpRequest request("POST", call.url);
  request.send(call.wholeBody(kMaxUpload), call.content_type).timeout(settings.timeout_s * 1000);
  request.cookies = false;
  HttpResponse response = job.fetch(request);
  if (response.status() != 200) throw conversionRefused(format, response.status(), refusal(response));
  std::ofstream out(files.output, std::ios::binary | std::ios::trunc);
  std::array<char, 64 * 1024> chunk;
  while (const std::size_t got = response.read(chunk.data(), chunk.size())) {
    out.write(chunk.data(), static_cast<std::streamsize>(got));
  }
  if (!out.flush()) throw Failure(FailureKind::Io, "file.write", "the converted book cannot be written");
  if (response.size() == 0) {
    throw Failure(FailureKind::BadInput, "artifact.conversion",
                  "Failed running ebook-convert: the converter answered with an empty file");
  }
}

/// A converter's turn: among all processes that share the folder. Only the conversions wait here: books of our own
/// making do not.
support::Turns::Turn converterTurn(Job& job, const Settings& settings) {
  constexpr std::string_view kWhy = "waiting for other conversions";
  const auto folder = settings.temporary();
  std::error_code wrong;
  std::filesystem::create_directories(folder, wrong);
  if (wrong) throw Failure(FailureKind::Io, "file.write", "the folder of the converter's locks: " + wrong.message());
  support::Turns turns(folder, "converter", static_cast<std::size_t>(settings.conversions));
  const auto wait = [&job, kWhy](int fd, std::chrono::milliseconds most) {
    job.progress(0, 0, kWhy);
    std::array<pollfd, 2> fds{pollfd{fd, POLLIN, 0}, {static_cast<int>(job.cancelHandle()), POLLIN, 0}};
    ::poll(fds.data(), fds.size(), static_cast<int>(most.count()));
    job.check();
  };
  if (auto turn = turns.take(wait, kInPlace)) return *std::move(turn);
  // Nothing is lost by coming back, and a conversion takes minutes: others have the runner. Not all at the same time.
  job.runAgainIn(kComeBack + kApart * (job.id() % 20), std::string(kWhy));
}

}  // namespace

void convert(Job& job, Format format, const Novel& novel, const ConversionFiles& files, const Settings& settings) {
  const Converters converters{kProgram, settings.converter_url, settings.browser_sandbox};
  const ConversionCall call = planConversion(format, novel, files, converters);
  const auto turn = converterTurn(job, settings);
  if (const auto* http = std::get_if<HttpCall>(&call)) return askService(job, format, *http, files, settings);
  runProgram(job, format, std::get<ProgramCall>(call), files, settings);
}

int percentOf(std::string_view line) {
  int percent = 0;
  std::size_t digits = 0;
  for (; digits < line.size() && digits < 3 && line[digits] >= '0' && line[digits] <= '9'; ++digits) {
    percent = percent * 10 + (line[digits] - '0');
  }
  return digits > 0 && line.substr(digits).starts_with("% ") && percent <= 100 ? percent : -1;
}

}  // namespace jobhost::artifact
