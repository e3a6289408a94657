#include "cli/plugin_lab.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "jobhost/json.hpp"

namespace jobhost::cli {
namespace {

namespace fs = std::filesystem;

core::Error wrong(const std::string& option, const std::string& why) {
  return {core::ErrorCode::InvalidArgument, option + ": " + why, {}, {}};
}

/// Beside jobhost in a build folder; below libexec where it is installed.
core::Result<fs::path> findRunner(const std::string& given) {
  std::error_code error;
  if (!given.empty()) {
    auto path = fs::canonical(given, error);
    if (error) return wrong("--runner", given + ": " + error.message());
    return path;
  }
  const auto folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const auto& path : {folder / "jobhost-runner", folder / "../libexec/jobhost/jobhost-runner"}) {
    if (fs::exists(path, error)) return fs::canonical(path, error);
  }
  return wrong("--runner", "jobhost-runner is not beside jobhost; say where it is");
}

core::Result<std::pair<std::string, std::string>> pairOf(const std::string& option, const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return wrong(option, "\"" + text + "\" is not name=value");
  return std::pair{text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace

core::Result<std::string> jsonArgument(const std::string& option, const std::string& value) {
  std::string text = value;
  if (!value.empty() && value.front() == '@') {
    std::ifstream in(value.substr(1), std::ios::binary);
    if (!in) return wrong(option, "cannot read " + value.substr(1));
    text.assign(std::istreambuf_iterator<char>(in), {});
  }
  try {
    if (!Json::parse(text).isObject()) return wrong(option, "must be a JSON object");
  } catch (const Error& error) {
    return wrong(option, error.message());
  }
  return text;
}

core::Result<devtools::LabOptions> labOptions(const PluginLabArgs& args) {
  devtools::LabOptions out;
  auto runner = findRunner(args.runner);
  if (!runner) return runner.error();
  out.runner = *runner;
  if (args.timeout_s > 0) out.job_timeout = core::Millis(std::int64_t{args.timeout_s} * 1000);
  if (!args.config.empty()) {
    auto config = jsonArgument("--config", args.config);
    if (!config) return config.error();
    out.config_json = *std::move(config);
  }
  for (const auto& text : args.secrets) {
    auto secret = pairOf("--secret", text);
    if (!secret) return secret.error();
    out.secrets.insert(*std::move(secret));
  }
  for (const auto& text : args.inputs) {
    auto input = pairOf("--input", text);
    if (!input) return input.error();
    std::error_code error;
    if (!fs::is_regular_file(input->second, error)) return wrong("--input", input->second + " is not a file");
    if (input->first.find('/') != std::string::npos)
      return wrong("--input", "the name \"" + input->first + "\" has a '/'");
    out.inputs.push_back({input->first, input->second});
  }
  return out;
}

}  // namespace jobhost::cli
