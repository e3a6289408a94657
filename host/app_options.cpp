#include "app_options.hpp"

#include <algorithm>
#include <thread>

#include "devtools/subject.hpp"
#include "settings/loader.hpp"

namespace jobhost {
namespace fs = std::filesystem;
namespace {

int cores() {
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

int orElse(std::int64_t value, int otherwise) {
  return value > 0 ? static_cast<int>(value) : otherwise;
}

// Where this program lies.
fs::path ownFolder() {
  std::error_code failed;
  const auto self = fs::read_symlink("/proc/self/exe", failed);
  return failed ? fs::current_path() : self.parent_path();
}

// Beside this program in a build folder, in libexec where it was installed.
fs::path ownRunner() {
  const fs::path own = ownFolder();
  const fs::path installed = own.parent_path() / JOBHOST_RUNNER_FROM_PREFIX;
  std::error_code failed;
  return !fs::exists(own / "jobhost-runner", failed) && fs::exists(installed, failed) ? installed
                                                                                      : own / "jobhost-runner";
}

/// Which job types provide what the plugin's manifest asks to make children of, so that it can name them.
settings::Providers providersFor(const catalog::Snapshot& snapshot, const std::string& plugin) {
  settings::Providers all;
  for (const auto& [name, type] : snapshot.types) {
    if (type.info.plugin_id != plugin) continue;
    for (const auto& child : type.info.permissions.children) {
      if (child.starts_with(catalog::kProvidesPrefix)) all[child.substr(catalog::kProvidesPrefix.size())];
    }
    break;  // the permissions are the plugin's, the same for each of its types
  }
  for (auto& [what, types] : all) {
    for (const auto& [name, type] : snapshot.types) {
      const auto& provides = type.info.provides;
      if (std::find(provides.begin(), provides.end(), what) != provides.end()) types.push_back(name);
    }
  }
  return all;
}

// An absolute folder spelled plainly, without a slash at its end; empty stays empty.
fs::path plainFolder(const fs::path& folder) {
  if (folder.empty()) return {};
  const auto plain = fs::absolute(folder).lexically_normal();
  return plain.has_filename() ? plain : plain.parent_path();
}

// As the thumbnail plugin has it (plugins/thumbnail/settings.cpp): without a content folder there is none to share.
fs::path thumbFolder(const settings::Content& content) {
  const fs::path dir = content.thumb_dir.empty() && !content.dir.empty()
                           ? plainFolder(content.dir).parent_path() / "thumb"
                           : fs::path(content.thumb_dir);
  return plainFolder(dir);
}

}  // namespace

store::SqliteStore::Options storeOptions(const settings::Settings& all, const fs::path& data) {
  return {.path = (data / "jobhost.db").string(),
          .synchronous_full = all.store.synchronous == "full",
          .max_batch = static_cast<int>(all.store.max_batch),
          .readers = static_cast<int>(all.store.readers),
          .cache_kib = static_cast<int>(all.store.cache_kib),
          .records = {all.records.per_plugin, all.records.plugin_mb << 20}};
}

jobs::JobService::Options jobServiceOptions(const settings::Settings& all, const fs::path& data) {
  const auto& from = all.limits;
  jobs::SubmitLimits to;
  to.params_bytes = static_cast<std::size_t>(from.params_bytes);
  to.notes_bytes = static_cast<std::size_t>(from.notes_bytes);
  to.batch_jobs = static_cast<std::size_t>(from.batch_jobs);
  to.tags = static_cast<int>(from.tags);
  to.tag_bytes = static_cast<std::size_t>(from.tag_bytes);
  to.key_bytes = static_cast<std::size_t>(from.key_bytes);
  to.depends_on = static_cast<int>(from.depends_on);
  to.max_attempts = static_cast<int>(from.max_attempts);
  to.priority_abs = static_cast<int>(from.priority_abs);
  to.timeout = from.timeout_ms;
  to.queued_per_type = from.queued_per_type;
  to.queued_per_owner = from.queued_per_owner;
  return {.limits = to, .data_folder = data};
}

jobs::Retention::Options retentionOptions(const settings::Settings& all, const fs::path& data) {
  return {.data_folder = data,
          .finished = all.retention.finished_ms,
          .inputs = all.retention.inputs_ms,
          .uploads_folder = uploadFolder(all, data),
          .upload_prefixes = {"up_", ".part-up_", "url-"},
          .upload_types = {"handle_upload", "download_url"},
          .every = all.retention.sweep_ms,
          .audit = all.retention.audit_ms,
          .audit_lines = all.retention.audit_lines,
          .keys = all.retention.keys_ms,
          .batch = static_cast<int>(all.retention.batch)};
}

core::Result<fetch::ClientOptions> fetchOptions(const settings::Settings& all) {
  const auto& from = all.http;
  auto guard = fetch::AddressGuard::make(from.allow_private, from.allow_networks);
  if (!guard) {
    auto error = guard.error();
    error.message = "http.allow_networks: " + error.message;
    return error;
  }
  fetch::ClientOptions to;
  to.guard = *std::move(guard);
  to.user_agent = from.user_agent.empty() ? "jobhost/" JOBHOST_VERSION : from.user_agent;
  to.proxy = from.proxy;
  to.ca_file = from.ca_file;
  to.timeout = std::min(from.timeout_ms, from.max_timeout_ms);
  to.max_timeout = from.max_timeout_ms;
  to.connect_timeout = from.connect_timeout_ms;
  to.slow_bytes_per_s = from.slow_bytes_per_s;
  to.slow_after = std::chrono::duration_cast<std::chrono::seconds>(from.slow_ms);
  to.max_body_bytes = from.max_body_mb << 20;
  to.max_header_bytes = static_cast<std::size_t>(from.max_header_bytes);
  to.max_unpack_ratio = from.max_unpack_ratio;
  to.max_redirects = static_cast<int>(from.max_redirects);
  to.max_retries = static_cast<int>(from.max_retries);
  to.turns.at_once = static_cast<int>(from.max_at_once);
  to.turns.at_once_per_host = static_cast<int>(from.max_per_host);
  to.turns.per_second_per_host = static_cast<double>(from.rate_per_host);
  to.turns.waiting = static_cast<std::size_t>(from.max_waiting);
  to.max_held_bytes = static_cast<std::size_t>(from.max_waiting_mb) << 20;
  return to;
}

fs::path uploadFolder(const settings::Settings& all, const fs::path& data) {
  return all.content.upload_dir.empty() ? data / "uploads" : fs::path(all.content.upload_dir);
}

fs::path lncrawlFolder(const settings::Settings& all, const fs::path& data) {
  return plainFolder(all.lncrawl.dir.empty() ? data / "lncrawl" : fs::path(all.lncrawl.dir));
}

services::HostServices::Options serviceOptions(const settings::Settings& all, const fs::path& data,
                                               const catalog::Catalog& catalog) {
  services::HostServices::Options options;
  auto given = all;
  given.content.upload_dir = uploadFolder(all, data);
  given.lncrawl.dir = lncrawlFolder(all, data);
  given.lncrawl.sources = plainFolder(all.lncrawl.sources.empty() ? fs::path(given.lncrawl.dir) / "sources.d"
                                                                  : fs::path(all.lncrawl.sources));
  options.config = [given, &catalog](const std::string& plugin) {
    return settings::pluginConfigJson(given, plugin, providersFor(*catalog.snapshot(), plugin));
  };
  options.provides = [&catalog](std::string_view type) {
    const auto entry = catalog.findType(type);
    return entry ? entry->info.provides : std::vector<std::string>{};
  };
  options.secrets = all.secret;
  options.queued_per_type = all.limits.queued_per_type;
  return options;
}

services::RecordService::Options recordOptions(const settings::Settings& all) {
  services::RecordService::Options options;
  options.attempt.writes = static_cast<std::size_t>(all.records.attempt_writes);
  options.attempt.bytes = static_cast<std::size_t>(all.records.attempt_mb) << 20;
  return options;
}

pool::RunnerPoolOptions poolOptions(const settings::Settings& all, const fs::path& data) {
  const auto& from = all.runner;
  pool::RunnerPoolOptions to;
  to.runner = from.executable.empty() ? ownRunner() : fs::absolute(from.executable);
  to.data_folder = data;
  to.host_version = JOBHOST_VERSION;
  to.max_runners_per_plugin = orElse(from.max_per_plugin, cores());
  to.max_runners = orElse(from.max_total, 4 * cores());
  to.min_idle = static_cast<int>(from.min_idle);
  to.cpu_budget = cores();
  to.idle_timeout = from.idle_ms;
  to.read_ahead = static_cast<int>(all.dispatch.read_ahead);
  to.recycle_after_attempts = static_cast<int>(from.recycle_attempts);
  to.recycle_rss_bytes = from.recycle_growth_mb << 20;
  to.load_timeout = from.load_timeout_ms;
  to.restart_delay = from.restart_ms;
  to.term_grace = from.kill_grace_ms;
  to.max_result_bytes = from.result_bytes;
  to.max_output_bytes = from.output_mb << 20;
  to.max_log_bytes = from.log_bytes;
  to.memory_bytes = from.memory_mb << 20;
  to.processes = static_cast<int>(from.processes);
  to.max_file_bytes = from.file_mb << 20;
  to.max_open_files = static_cast<int>(from.open_files);
  to.program_path = all.process.path;
  to.programs_at_once = static_cast<int>(all.process.max_at_once);
  to.require_sandbox = all.sandbox.require;
  return to;
}

dispatch::Options dispatchOptions(const settings::Settings& all) {
  dispatch::Options to;
  to.max_running = static_cast<int>(all.dispatch.max_running);
  to.max_per_key = static_cast<int>(all.dispatch.max_per_key);
  to.lease = all.dispatch.lease_ms;
  to.default_timeout = all.dispatch.default_timeout_ms;
  to.read_ahead = static_cast<int>(all.dispatch.read_ahead);
  to.progress_interval = all.dispatch.update_ms;
  to.poll = all.scheduler.poll_ms;
  return to;
}

catalog::PluginFolder::Options folderOptions(const settings::Settings& all, const fs::path& data) {
  catalog::PluginFolder::Options to;
  for (const auto& folder : all.plugins.folders) to.loader.folders.push_back(fs::absolute(folder));
  to.loader.store = data / "plugins" / ".store";
  to.loader.abi = devtools::offeredAbi();
  to.loader.settle = all.plugins.settle_ms;
  to.loader.early_window = all.plugins.early_window_ms;
  to.loader.early_crashes = static_cast<int>(all.plugins.early_crashes);
  to.loader.max_file_bytes = all.plugins.max_file_bytes;
  to.loader.trust.check_owner = all.plugins.check_owner;
  to.loader.trust.allow_unsigned = all.plugins.unsigned_policy == "allow";
  to.loader.trust.ask_permissions = all.plugins.permissions == "ask";
  to.loader.trust.folder = all.plugins.trust_folder.empty() ? data / "trust.d" : fs::absolute(all.plugins.trust_folder);
  to.rescan = all.plugins.rescan_ms;
  return to;
}

api::Accounts::Options accountOptions(const settings::Settings& all) {
  const auto& from = all.auth;
  api::Accounts::Options to;
  to.hashing.cost = {static_cast<std::uint32_t>(from.argon2_memory_kib),
                     static_cast<std::uint32_t>(from.argon2_iterations), static_cast<std::uint32_t>(from.argon2_lanes)};
  to.hashing.parallel = static_cast<int>(from.hash_parallel);
  to.hashing.queue = static_cast<int>(from.hash_queue);
  to.throttle.failures = static_cast<int>(from.login_failures);
  to.throttle.address_failures = static_cast<int>(from.login_address_failures);
  to.throttle.name_failures = static_cast<int>(from.login_name_failures);
  to.throttle.at_once = static_cast<int>(from.login_at_once);
  to.throttle.per_minute = static_cast<int>(from.logins_per_minute);
  to.throttle.backoff = from.login_backoff_ms;
  to.throttle.backoff_max = from.login_backoff_max_ms;
  to.throttle.entries = static_cast<std::size_t>(from.login_table);
  to.session = from.session_ms;
  to.session_idle = from.session_idle_ms;
  to.sessions_per_user = static_cast<int>(from.sessions_per_user);
  to.max_users = from.max_users;
  to.password_min = static_cast<std::size_t>(from.password_min);
  return to;
}

api::ServerOptions serverOptions(const settings::Settings& all, const fs::path& data) {
  api::ServerOptions to;
  to.bind = all.server.bind;
  to.port = static_cast<std::uint16_t>(all.server.port);
  to.data_folder = data;
  to.reference_folder = ownFolder().parent_path() / JOBHOST_REFERENCE_FROM_PREFIX;
  to.http.max_threads = static_cast<int>(all.server.max_threads);
  to.http.max_queued = static_cast<int>(all.server.max_queued_connections);
  to.http.max_archives = static_cast<int>(all.server.max_archives);
  to.http.head_bytes = static_cast<std::size_t>(all.server.max_header_bytes);
  to.http.body_bytes = all.server.max_body_bytes;
  to.http.upload_bytes = all.server.max_upload_bytes;
  to.http.head_timeout = all.server.request_timeout_ms;
  to.http.body_idle = all.server.request_timeout_ms;
  to.http.keep_alive = all.server.keep_alive_ms;
  to.sse.max_watchers = static_cast<int>(all.sse.max_watchers);
  to.sse.max_per_caller = static_cast<int>(all.sse.max_per_caller);
  to.sse.max_replays = static_cast<int>(all.sse.max_replays);
  to.sse.buffer_bytes = static_cast<std::size_t>(all.sse.buffer_bytes);
  to.sse.keep_alive = all.sse.keep_alive_ms;
  to.auth.cookie_secure = all.auth.cookie_secure;
  to.auth.same_site = all.auth.cookie_same_site;
  to.auth.session = all.auth.session_ms;
  to.auth.trusted_origins = all.auth.trusted_origins;
  to.auth.trusted_proxies = all.server.trusted_proxies;
  to.minion.enabled = all.minion.enabled;
  to.minion.query_key = all.minion.query_key;
  to.minion.no_fun = all.minion.no_fun;
  to.minion.cors = all.minion.cors;
  to.minion.open = all.minion.open;
  to.minion.literal_unknown_id = all.minion.literal_unknown_id;
  to.minion.base_url_path = all.minion.base_url_path;
  to.minion.max_open_jobs = all.minion.max_open_jobs;
  to.minion.thumb_dir = thumbFolder(all.content);
  to.minion.upload_dir = uploadFolder(all, data);
  to.lncrawl.enabled = all.lncrawl.enabled;
  to.lncrawl.cors = all.lncrawl.cors;
  to.lncrawl.token = all.lncrawl.token_ms;
  if (const auto own = all.plugin.find("org.jobhost.fetch-novel"); own != all.plugin.end()) {
    const auto generic = own->second.find("generic");
    to.lncrawl.any_site = generic == own->second.end() || generic->second != "false";
  }
  to.lncrawl.dir = lncrawlFolder(all, data);
  to.lncrawl.web_dir = plainFolder(all.lncrawl.web_dir);
  return to;
}

}  // namespace jobhost
