#include "artifact/settings.hpp"

#include <unistd.h>

namespace jobhost::artifact {

Settings Settings::of(Job& job) {
  const Value config = job.config();
  Settings all;
  all.dir = config["lncrawl_dir"].str("");
  if (!all.dir.is_absolute()) {
    throw Error::denied("config/lncrawl_dir: must be the absolute path of the folder that holds the novels")
        .code("artifact.no_folder");
  }
  all.converter_url = config["converter_url"].str("");
  all.timeout_s = config["conversion_timeout_s"].integer(1, 604'800, 3600);
  all.conversions = static_cast<int>(config["max_conversions"].integer(1, 64, 1));
  // Chromium refuses to start as root with its sandbox.
  all.browser_sandbox = config["browser_sandbox"].boolean(::geteuid() != 0);
  return all;
}

}  // namespace jobhost::artifact
