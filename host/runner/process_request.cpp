#include "runner/process_request.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace jobhost::runner {
namespace {

constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
constexpr std::int64_t kMostOutput = std::int64_t{1} << 40;
constexpr std::size_t kMostVariables = 64;
constexpr std::size_t kLongestValue = 4096;

/// What a plugin may add to a program's environment. None of them loads code or names a program.
constexpr std::array<std::string_view, 21> kVariables = {"AV_LOG_FORCE_NOCOLOR",
                                                         "COLUMNS",
                                                         "HOME",
                                                         "LC_ALL",
                                                         "LC_COLLATE",
                                                         "LC_CTYPE",
                                                         "LC_MESSAGES",
                                                         "LC_NUMERIC",
                                                         "LC_TIME",
                                                         "NO_COLOR",
                                                         "OMP_NUM_THREADS",
                                                         "OMP_THREAD_LIMIT",
                                                         "QT_QPA_PLATFORM",
                                                         "QTWEBENGINE_DISABLE_SANDBOX",
                                                         "SOURCE_DATE_EPOCH",
                                                         "TERM",
                                                         "TESSDATA_PREFIX",
                                                         "TZ",
                                                         "VIPS_CONCURRENCY",
                                                         "XDG_CACHE_HOME",
                                                         "XDG_CONFIG_HOME"};

[[noreturn]] void invalid(std::string why) {
  throw ProcessFailure{JH_E_INVALID, "process.invalid_request", std::move(why), JH_CLASS_PERMANENT};
}

[[noreturn]] void tooLarge(std::string why) {
  throw ProcessFailure{JH_E_LIMIT, "process.too_large", std::move(why), JH_CLASS_PERMANENT};
}

bool isPlainName(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         std::none_of(name.begin(), name.end(),
                      [](char c) { return c == '/' || static_cast<unsigned char>(c) < 0x20; });
}

void readArguments(const Json& argv, ProcessRequest& to) {
  if (!argv.isArray() || argv.size() == 0)
    invalid("argv must be an array of texts that begins with the program's name");
  if (argv.size() > kMostArguments) tooLarge("argv: more than " + std::to_string(kMostArguments) + " arguments");
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < argv.size(); ++i) {
    const std::string at = "argv/" + std::to_string(i);
    if (!argv.at(i).isString()) invalid(at + " is not a text");
    const std::string_view one = argv.at(i).stringOr("");
    if (one.find('\0') != std::string_view::npos) invalid(at + " has a zero byte in it");
    if (one.size() > kLongestArgument) {
      tooLarge(at + " has " + std::to_string(one.size()) + " bytes; at most " + std::to_string(kLongestArgument));
    }
    bytes += one.size() + 1;
    if (bytes > kMostArgumentBytes) {
      tooLarge("argv: more than " + std::to_string(kMostArgumentBytes) + " bytes in all");
    }
    to.argv.emplace_back(one);
  }
  if (!isPlainName(to.argv.front())) invalid("argv/0 must be the name of a program, not a path");
}

ProcessRequest::Redirection redirection(const Json& value, const std::string& name, std::string_view words,
                                        ProcessRequest::Redirection fallback) {
  using Stream = ProcessRequest::Stream;
  if (value.isNull()) return fallback;
  const std::string_view word = value.stringOr("");
  if (word == "none") return {Stream::None, {}};
  if (word == "pipe") return {Stream::Pipe, {}};
  if (word == "stdout" && name == "stderr") return {Stream::ToOutput, {}};
  if (value.isObject() && value.size() == 1 && value["file"].isString()) {
    const std::string_view file = value["file"].stringOr("");
    if (!isPlainName(file)) invalid(name + "/file must be a plain name in the job's temp folder");
    return {Stream::File, std::string(file)};
  }
  invalid(name + " must be " + std::string(words) + " or {\"file\": name}");
}

std::int64_t number(const Json& value, const char* name, std::int64_t least, std::int64_t most, std::int64_t fallback) {
  if (value.isNull()) return fallback;
  if (!value.isInt() || value.intOr(0) < least || value.intOr(0) > most) {
    invalid(std::string(name) + " must be a whole number from " + std::to_string(least) + " to " +
            std::to_string(most));
  }
  return value.intOr(0);
}

void readEnvironment(const Json& env, ProcessRequest& to) {
  if (env.isNull()) return;
  if (!env.isObject()) invalid("env must be an object of texts");
  if (env.size() > kMostVariables) tooLarge("env: more than " + std::to_string(kMostVariables) + " variables");
  for (std::size_t i = 0; i < env.size(); ++i) {
    const std::string& name = env.names()[i];
    if (std::find(kVariables.begin(), kVariables.end(), name) == kVariables.end()) {
      invalid("env/" + name.substr(0, 64) + " is not a variable that a plugin may set");
    }
    const Json& value = env.items()[i];
    if (!value.isString()) invalid("env/" + name + " is not a text");
    const std::string_view text = value.stringOr("");
    if (text.find('\0') != std::string_view::npos) invalid("env/" + name + " has a zero byte in it");
    if (text.size() > kLongestValue) tooLarge("env/" + name + ": at most " + std::to_string(kLongestValue) + " bytes");
    to.environment.emplace_back(name, text);
  }
}

}  // namespace

std::string ProcessFailure::json() const {
  return Json{{"code", code}, {"message", message}, {"class", error_class}}.dump();
}

ProcessFailure ProcessFailure::parse(std::string_view text, jh_result result) {
  try {
    const Json told = Json::parse(text);
    return {result, std::string(told["code"].stringOr("process.internal")),
            std::string(told["message"].stringOr("the process could not be started")),
            static_cast<std::int32_t>(told["class"].intOr(JH_CLASS_INTERNAL))};
  } catch (const Error& error) {
    return {result, "process.internal", error.message(), JH_CLASS_INTERNAL};
  }
}

ProcessRequest parseProcessRequest(const Json& argv, const Json& options) {
  static const std::set<std::string_view> known = {
      "stdin", "stdout", "stderr", "env", "timeout_ms", "grace_ms", "memory_bytes", "cpu_s", "max_output_bytes"};
  ProcessRequest to;
  readArguments(argv, to);
  if (!options.isNull() && !options.isObject()) invalid("the options must be an object");
  for (const auto& name : options.names()) {
    if (known.count(name) == 0) invalid(name.substr(0, 64) + " is not an option");
  }
  to.in = redirection(options["stdin"], "stdin", "none, pipe", to.in);
  to.out = redirection(options["stdout"], "stdout", "none, pipe", to.out);
  to.err = redirection(options["stderr"], "stderr", "none, pipe, stdout", to.err);
  readEnvironment(options["env"], to);
  to.timeout_ms = number(options["timeout_ms"], "timeout_ms", 0, 7 * kDayMs, to.timeout_ms);
  to.grace_ms = number(options["grace_ms"], "grace_ms", 0, 60'000, to.grace_ms);
  to.memory_bytes = number(options["memory_bytes"], "memory_bytes", 0, kMostOutput, to.memory_bytes);
  to.cpu_s = number(options["cpu_s"], "cpu_s", 0, 7 * kDayMs / 1000, to.cpu_s);
  to.max_output_bytes = number(options["max_output_bytes"], "max_output_bytes", 1, kMostOutput, to.max_output_bytes);
  return to;
}

}  // namespace jobhost::runner
