#include "cli/plugin_check_command.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "cli/context.hpp"
#include "cli/exit_codes.hpp"
#include "cli/plugin_lab.hpp"
#include "devtools/check.hpp"
#include "telemetry/log.hpp"

namespace jobhost::cli {
namespace {

constexpr core::Millis kDebuggerPatience{7LL * 24 * 3600 * 1000};

}  // namespace

int pluginCheck(const PluginCheckArgs& args) {
  if (args.list) {
    std::cout << (args.json ? devtools::ruleListJson() : devtools::ruleListText());
    return kOk;
  }
  if (args.file.empty()) {
    return fail({core::ErrorCode::InvalidArgument, "FILE: which plugin? (--list shows the rules)", {}, {}}), kUsage;
  }
  telemetry::setLogLevel("off");  // the pool's words are for operators
  devtools::CheckOptions options;
  options.level = args.level == "quick"    ? devtools::Level::Quick
                  : args.level == "strict" ? devtools::Level::Strict
                                           : devtools::Level::Standard;
  options.only = args.only;
  options.skip = args.skip;
  options.seed = args.seed;
  auto lab = labOptions(args.lab);
  if (!lab) return fail(lab.error()), kUsage;
  options.lab = *std::move(lab);
  options.lab.in_process = args.in_process;
  if (args.in_process) {  // who stands at a breakpoint is not late
    if (args.lab.timeout_s == 0) options.lab.job_timeout = core::Millis(0);
    options.lab.load_timeout = kDebuggerPatience;
  }
  const auto junit = args.junit.empty() ? std::filesystem::path() : std::filesystem::absolute(args.junit);
  const bool terminal = isatty(STDERR_FILENO) != 0 && !args.json;
  if (terminal) options.say = [](const std::string& rule) { std::cerr << "\r\033[K" << rule << std::flush; };

  const auto subject = devtools::readSubject(args.file);
  if (!subject) return fail(subject.error()), kUsage;
  const auto report = devtools::check(*subject, options);
  if (terminal) std::cerr << "\r\033[K";
  if (!report) return fail(report.error()), kUsage;
  if (!junit.empty()) {
    std::ofstream out(junit, std::ios::binary);
    out << devtools::reportJunit(*subject, *report);
    out.close();
    if (!out) return fail({core::ErrorCode::Unavailable, "--junit: cannot write " + args.junit, {}, {}}), kUsage;
  }
  std::cout << (args.json ? devtools::reportJson(*subject, *report)
                          : devtools::reportText(*subject, *report, args.verbose));
  const int status = report->good() ? kOk : kJobFailed;
  if (!args.in_process) return status;
  // As a runner ends: nothing of the plugin, which is still there, runs any more.
  std::cout.flush();
  _exit(status);
}

}  // namespace jobhost::cli
