#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace jobhost::settings {

/// What an operator can set, one struct per section. The initial values here are the defaults: rows.cpp gives each
/// member its key, unit, bounds and line of help, and reads the default from here. Plain values, no invariants beyond
/// the bounds in the rows; app.cpp copies them into each part's Options.
using Millis = std::chrono::milliseconds;

struct Server {
  std::string bind = "127.0.0.1";
  std::int64_t port = 8080;  ///< 0: a free one
  std::int64_t max_threads = 80;
  std::int64_t max_queued_connections = 1024;
  std::int64_t max_archives = 16;
  std::int64_t max_body_bytes = 16LL << 20;
  std::int64_t max_upload_bytes = 4LL << 30;
  std::int64_t max_header_bytes = 32 << 10;
  Millis request_timeout_ms{30'000};
  Millis keep_alive_ms{30'000};
  std::vector<std::string> trusted_proxies;
};

struct Data {
  std::string dir = "./data";
};

struct Plugins {
  std::vector<std::string> folders{"./plugins"};
  Millis settle_ms{300};
  Millis rescan_ms{60'000};
  std::int64_t max_file_bytes = 512LL << 20;
  bool check_owner = true;
  std::string unsigned_policy = "allow";
  std::string permissions = "manifest";
  std::string trust_folder;
  std::int64_t early_crashes = 3;
  Millis early_window_ms{300'000};
};

struct Store {
  std::string synchronous = "full";
  std::int64_t readers = 4;
  std::int64_t max_batch = 4096;
  std::int64_t cache_kib = 16 << 10;
};

struct Dispatch {
  std::int64_t max_running = 0;  ///< 0: no limit beyond the runners'
  std::int64_t max_per_key = 1;
  Millis lease_ms{30'000};
  Millis update_ms{250};
  std::int64_t read_ahead = 256;
  Millis default_timeout_ms{3'600'000};
};

struct Scheduler {
  Millis poll_ms{60'000};
};

struct Runner {
  std::string executable;  ///< empty: jobhost-runner beside jobhost
  std::string isolation = "process";
  std::int64_t max_per_plugin = 0;  ///< 0: one per core
  std::int64_t max_total = 0;       ///< 0: four per core
  std::int64_t min_idle = 1;
  Millis idle_ms{60'000};
  Millis load_timeout_ms{15'000};
  Millis restart_ms{1'000};
  std::int64_t recycle_attempts = 100'000;
  std::int64_t recycle_growth_mb = 512;
  Millis kill_grace_ms{1'000};
  std::int64_t memory_mb = 4096;
  std::int64_t file_mb = 4096;
  std::int64_t processes = 256;
  std::int64_t open_files = 512;
  std::int64_t result_bytes = 16LL << 20;
  std::int64_t log_bytes = 64LL << 20;
  std::int64_t output_mb = 16LL << 10;
};

struct Sandbox {
  std::string require = "none";
};

struct Limits {
  std::int64_t params_bytes = 1 << 20;
  std::int64_t notes_bytes = 64 << 10;
  std::int64_t batch_jobs = 10'000;
  std::int64_t tags = 32;
  std::int64_t tag_bytes = 64;
  std::int64_t key_bytes = 256;
  std::int64_t depends_on = 64;
  std::int64_t max_attempts = 100;
  std::int64_t priority_abs = 1'000'000;
  Millis timeout_ms{7LL * 24 * 3600 * 1000};
  std::int64_t queued_per_type = 10'000'000;
  std::int64_t queued_per_owner = 10'000'000;
};

struct Auth {
  std::int64_t argon2_memory_kib = 19'456;
  std::int64_t argon2_iterations = 2;
  std::int64_t argon2_lanes = 1;
  std::int64_t hash_parallel = 2;
  std::int64_t hash_queue = 16;
  std::int64_t password_min = 8;
  Millis session_ms{7LL * 24 * 3600 * 1000};
  Millis session_idle_ms{24LL * 3600 * 1000};
  std::int64_t sessions_per_user = 20;
  std::int64_t keys_per_user = 50;
  std::int64_t key_changes_per_minute = 60;
  std::int64_t max_users = 100'000;
  bool cookie_secure = false;
  std::string cookie_same_site = "lax";
  std::vector<std::string> trusted_origins;
  std::int64_t login_failures = 5;
  std::int64_t login_address_failures = 50;
  std::int64_t login_name_failures = 100;
  std::int64_t login_at_once = 2;
  std::int64_t logins_per_minute = 20;
  Millis login_backoff_ms{1'000};
  Millis login_backoff_max_ms{900'000};
  std::int64_t login_table = 20'000;
};

struct Retention {
  Millis finished_ms{30LL * 24 * 3600 * 1000};  ///< 0: for ever
  Millis inputs_ms{24LL * 3600 * 1000};
  Millis sweep_ms{3'600'000};
  std::int64_t batch = 500;
  Millis audit_ms{365LL * 24 * 3600 * 1000};
  std::int64_t audit_lines = 1'000'000;
  Millis keys_ms{90LL * 24 * 3600 * 1000};  ///< 0: for ever
};

struct Records {
  std::int64_t per_plugin = 1'000'000;
  std::int64_t plugin_mb = 4096;
  std::int64_t attempt_writes = 10'000;
  std::int64_t attempt_mb = 32;
};

struct Log {
  std::string level = "info";
};

struct Content {
  std::string dir;
  std::string thumb_dir;
  std::string upload_dir;
  std::vector<std::string> roots;
};

struct Process {
  std::string path = "/usr/local/bin:/usr/bin:/bin";
  std::int64_t max_at_once = 8;
};

struct Http {
  bool allow_private = false;
  std::vector<std::string> allow_networks;
  std::string proxy;
  std::string ca_file;
  std::string user_agent;  ///< empty: jobhost/<version>
  Millis timeout_ms{60'000};
  Millis max_timeout_ms{3'600'000};
  Millis connect_timeout_ms{10'000};
  std::int64_t slow_bytes_per_s = 100;
  Millis slow_ms{30'000};
  std::int64_t max_body_mb = 1024;
  std::int64_t max_header_bytes = 128 << 10;
  std::int64_t max_unpack_ratio = 200;
  std::int64_t max_redirects = 10;
  std::int64_t max_retries = 5;
  std::int64_t max_at_once = 64;
  std::int64_t max_per_host = 6;
  std::int64_t rate_per_host = 0;  ///< requests begun a second; 0: no limit
  std::int64_t max_waiting = 1024;
  std::int64_t max_waiting_mb = 256;
};

struct Minion {
  bool enabled = true;
  bool query_key = true;
  bool open = false;
  bool literal_unknown_id = false;
  bool no_fun = false;
  bool cors = false;
  std::string base_url_path;
  std::int64_t max_open_jobs = 10'000;
};

struct Lncrawl {
  bool enabled = true;
  bool cors = true;
  std::string dir;
  std::string sources;
  std::string web_dir;
  Millis token_ms{7LL * 24 * 3600 * 1000};
};

struct Sse {
  std::int64_t max_watchers = 20'000;
  std::int64_t max_per_caller = 100;
  std::int64_t max_replays = 16;
  Millis keep_alive_ms{15'000};
  std::int64_t buffer_bytes = 256 << 10;
};

struct Shutdown {
  Millis drain_ms{30'000};
};

/// Everything. `plugin` holds the free-form `plugin.<id>.<key>` values as JSON text, `secret` the
/// `secret.<id>.<NAME>` values as they are; both by plugin id, then key.
struct Settings {
  Server server;
  Data data;
  Plugins plugins;
  Store store;
  Dispatch dispatch;
  Scheduler scheduler;
  Runner runner;
  Sandbox sandbox;
  Limits limits;
  Auth auth;
  Retention retention;
  Records records;
  Log log;
  Content content;
  Process process;
  Http http;
  Minion minion;
  Lncrawl lncrawl;
  Sse sse;
  Shutdown shutdown;
  std::map<std::string, std::map<std::string, std::string>> plugin;
  std::map<std::string, std::map<std::string, std::string>> secret;
};

}  // namespace jobhost::settings
