// jobhost SDK: programs of the machine, run beside the job. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "abi.h"
#include "error.hpp"
#include "host.hpp"
#include "json.hpp"

namespace jobhost {

/// Where one of a program's streams comes from or goes to.
struct ProcessStream {
  static ProcessStream none() { return {"none"}; }
  static ProcessStream pipe() { return {"pipe"}; }
  /// A plain name in job.tempDir().
  static ProcessStream file(std::string name) { return {Json{{"file", std::move(name)}}}; }
  /// stderr only: into stdout.
  static ProcessStream withOutput() { return {"stdout"}; }
  Json json;
};

/// How a program runs. What is left out is the host's default.
struct ProcessOptions {
  ProcessStream in = ProcessStream::none();
  ProcessStream out = ProcessStream::pipe();
  ProcessStream err = ProcessStream::pipe();
  /// Job::run() only: what it reads on stdin, by way of a file in the temp folder.
  std::string input;
  std::vector<std::pair<std::string, std::string>> environment;  ///< TZ, HOME … (sdk/README.md lists them)
  std::optional<std::int64_t> timeout_ms;
  std::optional<std::int64_t> grace_ms;      ///< from SIGTERM to SIGKILL; 1000
  std::optional<std::int64_t> memory_bytes;  ///< of address space
  std::optional<std::int64_t> cpu_s;
  std::optional<std::int64_t>
      max_output_bytes;  ///< read from its pipes, and of each file it writes; Job::run(): 16 MiB

  ProcessOptions& timeout(std::int64_t ms) { return timeout_ms = ms, *this; }
  ProcessOptions& send(std::string bytes) { return input = std::move(bytes), *this; }
  ProcessOptions& set(std::string name, std::string value) {
    environment.emplace_back(std::move(name), std::move(value));
    return *this;
  }

  /// As jobhost.process/1 has it.
  Json toJson() const {
    Json all{{"stdin", in.json}, {"stdout", out.json}, {"stderr", err.json}};
    Json variables = Json::object();
    for (const auto& [name, value] : environment) variables.set(name, value);
    if (!environment.empty()) all.set("env", std::move(variables));
    const auto add = [&](const char* name, const std::optional<std::int64_t>& value) {
      if (value) all.set(name, *value);
    };
    add("timeout_ms", timeout_ms);
    add("grace_ms", grace_ms);
    add("memory_bytes", memory_bytes);
    add("cpu_s", cpu_s);
    add("max_output_bytes", max_output_bytes);
    return all;
  }
};

/// How a program ended.
struct ProcessEnd {
  std::optional<int> exit_code;  ///< none: a signal ended it
  std::optional<int> signal;
  bool timed_out = false;
  std::int64_t cpu_ms = 0;  ///< with all that it started
  std::int64_t max_rss_kib = 0;

  bool ok() const { return exit_code == 0 && !timed_out; }
  /// "ended with status 1", "was ended by signal 9", "was not done in time".
  std::string describe() const {
    if (timed_out) return "was not done in time";
    if (exit_code) return "ended with status " + std::to_string(*exit_code);
    return "was ended by signal " + std::to_string(signal.value_or(0));
  }
};

/// What Job::run() answers.
struct ProcessResult : ProcessEnd {
  std::string program;
  std::string out;
  std::string err;  ///< the last 64 KiB

  /// Throws unless ok(): Error with the code "process.failed" (permanent) and the last line of what it said, or
  /// "process.timeout" (transient).
  const ProcessResult& requireOk() const& {
    if (!ok()) throwEnd();
    return *this;
  }
  ProcessResult&& requireOk() && {
    if (!ok()) throwEnd();
    return std::move(*this);
  }

 private:
  [[noreturn]] void throwEnd() const {
    std::string_view line = err;
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (const auto begin = line.find_last_of("\r\n"); begin != std::string_view::npos) line.remove_prefix(begin + 1);
    const std::string why = program + " " + describe() + (line.empty() ? "" : ": " + std::string(line.substr(0, 500)));
    if (timed_out) throw Error(JH_CLASS_TRANSIENT, "process.timeout", why);
    throw Error(JH_CLASS_PERMANENT, "process.failed", why);
  }
};

/// A program that runs; ended, with all it started, when the object goes. Made by Job::spawn(). Methods that block
/// throw Cancelled when the job is asked to stop. One thread at a time, but end() from any.
class Process {
 public:
  /// Throws Error with the host's code ("process.not_permitted", "process.not_found") and class.
  Process(jh_job* job, const std::vector<std::string>& argv, const ProcessOptions& options)
      : job_(job), api_(detail::need<jh_process_v1>(JH_EXT_PROCESS)) {
    Json list = Json::array();
    for (const auto& one : argv) list.push(one);
    const std::string arguments = list.dump();
    const std::string more = options.toJson().dump();
    const jh_result result = api_->spawn(job, detail::str(arguments), detail::str(more), &process_);
    if (result != JH_OK) throwFailure(result);
  }
  Process(Process&& other) noexcept
      : job_(other.job_), api_(other.api_), process_(std::exchange(other.process_, nullptr)) {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  Process& operator=(Process&&) = delete;
  ~Process() {
    if (process_ != nullptr) api_->close(process_);
  }

  /// All of it, blocking while the pipe is full. Throws Error "io" when the program reads no more.
  void write(std::string_view bytes) {
    detail::check(job_, api_->write(process_, bytes.data(), bytes.size()), "write");
  }
  void closeInput() { detail::check(job_, api_->close_input(process_), "close_input"); }
  /// Up to `size` bytes of JH_STREAM_OUT, _ERR or _ANY, blocking until there are some; 0 at the end.
  std::size_t read(void* buffer, std::size_t size, std::int32_t stream = JH_STREAM_OUT, std::int32_t* from = nullptr) {
    std::size_t got = 0;
    const jh_result result = api_->read(process_, stream, buffer, size, &got, from);
    if (result == JH_E_LIMIT) {
      throw Error(JH_CLASS_PERMANENT, "process.output_limit",
                  std::string(detail::view(detail::host()->last_error(job_))));
    }
    detail::check(job_, result, "read of a program's output");
    return got;
  }
  /// How it ended; nullopt when it still runs after `timeout_ms` (below 0: no limit).
  std::optional<ProcessEnd> wait(std::int64_t timeout_ms) {
    jh_str text{};
    const jh_result result = api_->wait(process_, timeout_ms, &text);
    if (result == JH_E_TIMEOUT) return std::nullopt;
    detail::check(job_, result, "wait for a program");
    const Json told = Json::parse(detail::view(text));
    ProcessEnd end;
    if (told["exit_code"].isInt()) end.exit_code = static_cast<int>(told["exit_code"].intOr(0));
    if (told["signal"].isInt()) end.signal = static_cast<int>(told["signal"].intOr(0));
    end.timed_out = told["timed_out"].boolOr(false);
    end.cpu_ms = told["cpu_ms"].intOr(0);
    end.max_rss_kib = told["max_rss_kib"].intOr(0);
    return end;
  }
  ProcessEnd wait() { return *wait(-1); }
  /// Asks it to end; with `force` ends it at once.
  void end(bool force = false) { detail::check(job_, api_->kill(process_, force ? 1 : 0), "end a program"); }

 private:
  [[noreturn]] void throwFailure(jh_result result) const {
    const std::string_view text = detail::view(api_->failure(job_));
    if (result != JH_E_CANCELLED && !text.empty()) {
      const Json failure = Json::parse(text);
      throw Error(static_cast<std::int32_t>(failure["class"].intOr(JH_CLASS_INTERNAL)),
                  std::string(failure["code"].stringOr("process.internal")),
                  std::string(failure["message"].stringOr("the program could not be started")));
    }
    detail::check(job_, result, "spawn");
    throw Error(JH_CLASS_INTERNAL, "process.internal", "spawn: the host answered " + std::to_string(result));
  }

  jh_job* job_;
  const jh_process_v1* api_;
  jh_process* process_ = nullptr;
};

namespace detail {

constexpr std::size_t kKeptOfErrors = 64 * 1024;
constexpr std::int64_t kMostOfRun = std::int64_t{16} << 20;

/// The bytes in a new file of the folder, until the object goes.
class InputFile {
 public:
  InputFile(const std::string& folder, std::string_view bytes) {
    static std::atomic<unsigned> number{0};
    name_ = ".input-" + std::to_string(++number);
    path_ = folder + "/" + name_;
    std::FILE* file = std::fopen(path_.c_str(), "wbx");
    const bool written = file != nullptr && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
    if (file != nullptr && std::fclose(file) == 0 && written) return;
    std::remove(path_.c_str());
    throw Error(JH_CLASS_RESOURCE, "process.disk", "the program's input cannot be written to the temp folder");
  }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile() { std::remove(path_.c_str()); }
  const std::string& name() const { return name_; }

 private:
  std::string name_, path_;
};

/// Runs it to its end and keeps what it says. `temp_dir`: where `options.input` is put for it.
inline ProcessResult runProgram(jh_job* job, const std::vector<std::string>& argv, ProcessOptions options,
                                const std::string& temp_dir) {
  std::optional<InputFile> input;
  if (!options.input.empty()) options.in = ProcessStream::file(input.emplace(temp_dir, options.input).name());
  if (!options.max_output_bytes) options.max_output_bytes = kMostOfRun;
  Process process(job, argv, options);
  input.reset();  // the program has it open
  ProcessResult result;
  result.program = argv.front();
  if (options.out.json == Json("pipe") || options.err.json == Json("pipe")) {
    char chunk[16 * 1024];
    std::int32_t from = JH_STREAM_ANY;
    while (const std::size_t got = process.read(chunk, sizeof(chunk), JH_STREAM_ANY, &from)) {
      std::string& to = from == JH_STREAM_ERR ? result.err : result.out;
      to.append(chunk, got);
      if (result.err.size() > 2 * kKeptOfErrors) result.err.erase(0, result.err.size() - kKeptOfErrors);
    }
    if (result.err.size() > kKeptOfErrors) result.err.erase(0, result.err.size() - kKeptOfErrors);
  }
  static_cast<ProcessEnd&>(result) = process.wait();
  return result;
}

}  // namespace detail
}  // namespace jobhost
