#include "telemetry/log.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <spdlog/sinks/stdout_sinks.h>

namespace jobhost::telemetry {
namespace {

struct Loggers {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<spdlog::logger>, std::less<>> by_name;
  spdlog::sink_ptr sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  spdlog::level::level_enum level = spdlog::level::info;
};

// Never destroyed: threads may log while the process ends.
Loggers& loggers() {
  static auto* all = new Loggers;
  return *all;
}

}  // namespace

spdlog::logger& log(std::string_view folder) {
  auto& all = loggers();
  std::lock_guard lock(all.mutex);
  auto found = all.by_name.find(folder);
  if (found == all.by_name.end()) {
    auto logger = std::make_shared<spdlog::logger>(std::string(folder), all.sink);
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %n %v", spdlog::pattern_time_type::utc);
    logger->set_level(all.level);
    logger->flush_on(spdlog::level::trace);
    found = all.by_name.emplace(std::string(folder), std::move(logger)).first;
  }
  return *found->second;
}

bool setLogLevel(std::string_view level) {
  const auto parsed = spdlog::level::from_str(std::string(level));
  if (parsed == spdlog::level::off && level != "off") return false;
  auto& all = loggers();
  std::lock_guard lock(all.mutex);
  all.level = parsed;
  for (auto& [name, logger] : all.by_name) logger->set_level(parsed);
  return true;
}

}  // namespace jobhost::telemetry
