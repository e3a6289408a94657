#include "pool/crash_report.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <array>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/json_text.hpp"

namespace jobhost::pool {
namespace {

constexpr std::size_t kMaxFrames = 64;

std::string hex(std::uint64_t value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(value));
  return text.data();
}

/// What the crash handler wrote, as lines; empty when it did not get to it.
std::vector<std::string> frames(const wire::StatusPage& page) {
  std::vector<std::string> lines;
  if (page.crash_state.load() == 0) return lines;
  const std::size_t bytes = std::min<std::size_t>(page.crash_text_bytes.load(), wire::StatusPage::kCrashTextBytes);
  std::string text(page.crash_text, bytes);
  text = core::cleanText(text.substr(0, text.find('\0')), text.size() * 3);
  for (std::size_t at = 0; at < text.size() && lines.size() < kMaxFrames;) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

struct LastCall {
  std::string name;
  std::int32_t result = 0;
  std::int64_t before_us = 0;  ///< before the last one
};

std::vector<LastCall> lastCalls(const wire::StatusPage& page) {
  std::vector<LastCall> calls;
  const std::uint32_t count = page.crumb_count.load();
  const std::uint32_t shown = std::min(count, wire::StatusPage::kCrumbs);
  const auto crumbAt = [&](std::uint32_t i) -> const wire::StatusPage::Crumb& {
    return page.crumbs[i % wire::StatusPage::kCrumbs];
  };
  const std::uint64_t newest = shown > 0 ? crumbAt(count - 1).time_us.load() : 0;
  for (std::uint32_t i = count - shown; i != count; ++i) {
    const std::uint64_t word = crumbAt(i).call.load();
    const std::uint64_t at = crumbAt(i).time_us.load();
    const auto call = static_cast<wire::SdkCall>(word & 0xffff);
    std::string name = wire::toString(call);
    if (name == "unknown") name = "call " + std::to_string(word & 0xffff);
    const std::uint64_t before = newest >= at ? newest - at : 0;
    calls.push_back({std::move(name), static_cast<std::int32_t>(word >> 32),
                     static_cast<std::int64_t>(std::min<std::uint64_t>(before, 1ULL << 52))});
  }
  return calls;
}

void appendList(std::string& out, std::string_view name, const std::vector<std::string>& texts) {
  out.append(",\"").append(name).append("\":[");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) out.push_back(',');
    core::appendJsonString(out, texts[i]);
  }
  out.push_back(']');
}

std::string detailsOf(const ProcessEnd& end, const CrashContext& context) {
  std::string out = "{\"plugin\":" + core::quoteJson(context.plugin) + ",\"job_type\":" + core::quoteJson(context.type);
  const auto exit = processExit(end);
  if (exit.signal) {
    out +=
        ",\"signal\":" + std::to_string(*exit.signal) + ",\"signal_name\":" + core::quoteJson(signalName(*exit.signal));
  }
  if (exit.code) out += ",\"exit_code\":" + std::to_string(*exit.code);
  if (context.page != nullptr) {
    if (context.page->crash_state.load() != 0) {
      out += ",\"fault_address\":" + core::quoteJson(hex(context.page->crash_address.load()));
    }
    appendList(out, "frames", frames(*context.page));
    out += ",\"last_calls\":[";
    bool first = true;
    for (const auto& call : lastCalls(*context.page)) {
      if (!std::exchange(first, false)) out.push_back(',');
      out += "{\"call\":" + core::quoteJson(call.name) + ",\"result\":" + std::to_string(call.result) +
             ",\"before_us\":" + std::to_string(call.before_us) + "}";
    }
    out += "]";
  }
  appendList(out, "printed", context.printed);
  out += ",\"peak_rss_bytes\":" + std::to_string(end.peak_rss_bytes);
  out += ",\"memory_limit_bytes\":" + std::to_string(context.memory_limit_bytes) + "}";
  return out;
}

}  // namespace

core::ProcessExit processExit(const ProcessEnd& end) {
  core::ProcessExit exit;
  if (WIFEXITED(end.wait_status)) exit.code = WEXITSTATUS(end.wait_status);
  if (WIFSIGNALED(end.wait_status)) exit.signal = WTERMSIG(end.wait_status);
  return exit;
}

std::string signalName(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

core::JobError crashError(const ProcessEnd& end, const CrashContext& context) {
  core::JobError error;
  error.error_class = core::ErrorClass::Internal;
  const auto exit = processExit(end);
  const std::string where = context.type.empty() ? std::string() : " while it ran \"" + context.type + "\"";
  if (exit.signal) {
    error.code = "plugin_crashed";
    error.message = "plugin \"" + context.plugin + "\" was ended by signal " + std::to_string(*exit.signal) + " (" +
                    signalName(*exit.signal) + ")" + where;
    if (context.page != nullptr && context.page->crash_state.load() != 0) {
      error.message += ", fault address " + hex(context.page->crash_address.load());
    } else if (*exit.signal == SIGKILL) {
      error.message += "; the host did not send it: perhaps the machine ran out of memory";
    }
  } else {
    error.code = "plugin_exited";
    error.message = "plugin \"" + context.plugin + "\" ended its process with exit code " +
                    std::to_string(exit.code.value_or(-1)) + where + " instead of returning from run()";
  }
  error.details_json = detailsOf(end, context);
  return error;
}

std::vector<std::string> crashLines(const core::JobError& error, const CrashContext& context) {
  std::vector<std::string> lines{error.message};
  if (context.page == nullptr) return lines;
  for (const auto& frame : frames(*context.page)) lines.push_back("  " + frame);
  const auto calls = lastCalls(*context.page);
  const std::size_t skip = calls.size() > 16 ? calls.size() - 16 : 0;
  if (!calls.empty()) lines.emplace_back("last SDK calls, newest last:");
  for (std::size_t i = skip; i < calls.size(); ++i) {
    lines.push_back("  " + calls[i].name + " = " + std::to_string(calls[i].result) + ", " +
                    std::to_string(calls[i].before_us) + " us before the last");
  }
  return lines;
}

}  // namespace jobhost::pool
