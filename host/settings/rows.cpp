#include "settings/rows.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace jobhost::settings {
namespace {

template <auto Section, auto Member>
Field at(Settings& settings) {
  return &(settings.*Section.*Member);
}

constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
constexpr std::int64_t kYearMs = 366 * kDayMs;
constexpr std::int64_t kMany = 1'000'000'000;
constexpr std::int64_t kGiB = 1LL << 30;
constexpr std::int64_t kTiB = 1LL << 40;

constexpr std::array<std::string_view, 2> kSynchronous{"full", "normal"};
constexpr std::array<std::string_view, 2> kUnsigned{"allow", "deny"};
constexpr std::array<std::string_view, 2> kPermissions{"manifest", "ask"};
constexpr std::array<std::string_view, 2> kIsolation{"process", "thread"};
constexpr std::array<std::string_view, 4> kSandbox{"none", "basic", "standard", "full"};
constexpr std::array<std::string_view, 2> kSameSite{"lax", "strict"};
constexpr std::array<std::string_view, 6> kLevels{"trace", "debug", "info", "warn", "error", "off"};

using S = Settings;

// key, unit, help, where it lies, least, most | words
const Row kRows[] = {
    {"server.bind", "address", "Address to listen on. 0.0.0.0 serves every interface: put TLS in front of it.",
     at<&S::server, &Server::bind>},
    {"server.port", "", "TCP port; 0 picks a free one and prints it.", at<&S::server, &Server::port>, 0, 65535},
    {"server.max_threads", "threads", "Threads that answer requests. Watchers (SSE) take none.",
     at<&S::server, &Server::max_threads>, 2, 4096},
    {"server.max_queued_connections", "", "Connections that may wait for a thread; more are turned away.",
     at<&S::server, &Server::max_queued_connections>, 1, 65535},
    {"server.max_archives", "", "Archives of outputs that are sent at once; to one user or key a quarter of it.",
     at<&S::server, &Server::max_archives>, 1, 4096},
    {"server.max_body_bytes", "bytes", "Largest request body, except uploads.", at<&S::server, &Server::max_body_bytes>,
     1024, 4 * kGiB},
    {"server.max_upload_bytes", "bytes", "Largest uploaded input.", at<&S::server, &Server::max_upload_bytes>, 1024,
     16 * kTiB},
    {"server.max_header_bytes", "bytes", "Largest request head.", at<&S::server, &Server::max_header_bytes>, 1024,
     1 << 20},
    {"server.request_timeout_ms", "ms", "A request must arrive within this time.",
     at<&S::server, &Server::request_timeout_ms>, 100, kDayMs},
    {"server.keep_alive_ms", "ms", "An idle connection is closed after this time.",
     at<&S::server, &Server::keep_alive_ms>, 100, kDayMs},
    {"server.trusted_proxies", "addresses",
     "Proxies in front of this host: what they say in X-Forwarded-For is believed.",
     at<&S::server, &Server::trusted_proxies>},

    {"data.dir", "folder", "Database, job files, uploads and keys.", at<&S::data, &Data::dir>},

    {"plugins.folders", "folders", "Folders watched for plugins (*.so).", at<&S::plugins, &Plugins::folders>},
    {"plugins.settle_ms", "ms", "A new file must stay unchanged this long before it is read.",
     at<&S::plugins, &Plugins::settle_ms>, 0, kDayMs},
    {"plugins.rescan_ms", "ms", "Full look at the folders beside the watch (network file systems tell nothing).",
     at<&S::plugins, &Plugins::rescan_ms>, 100, kDayMs},
    {"plugins.max_file_bytes", "bytes", "Largest plugin file.", at<&S::plugins, &Plugins::max_file_bytes>, 4096,
     16 * kGiB},
    {"plugins.check_owner", "",
     "Refuse plugin files and folders that others than root and the host's user own or may write to.",
     at<&S::plugins, &Plugins::check_owner>},
    {"plugins.unsigned", "", "Plugins without a signature of a trusted key: allow or deny.",
     at<&S::plugins, &Plugins::unsigned_policy>, 0, 0, kUnsigned},
    {"plugins.permissions", "",
     "manifest: a plugin gets what its manifest asks for. ask: it waits until jobhost plugin grant.",
     at<&S::plugins, &Plugins::permissions>, 0, 0, kPermissions},
    {"plugins.trust_folder", "folder",
     "Trusted minisign keys (*.pub) and, to pin contents, plugins.lock. Empty: trust.d in the data folder.",
     at<&S::plugins, &Plugins::trust_folder>},
    {"plugins.early_crashes", "", "This many crashes of a new plugin file bring back the one before.",
     at<&S::plugins, &Plugins::early_crashes>, 1, 1000},
    {"plugins.early_window_ms", "ms", "How long a plugin file counts as new.",
     at<&S::plugins, &Plugins::early_window_ms>, 0, kYearMs},

    {"store.synchronous", "",
     "full: what was acknowledged survives a power cut. normal: only a crash of the host; for tests and caches.",
     at<&S::store, &Store::synchronous>, 0, 0, kSynchronous},
    {"store.readers", "", "Database connections for reading.", at<&S::store, &Store::readers>, 1, 64},
    {"store.max_batch", "commands", "Most commands that share one commit.", at<&S::store, &Store::max_batch>, 1,
     100'000},
    {"store.cache_kib", "KiB", "Page cache of the writing connection.", at<&S::store, &Store::cache_kib>, 64, 16 << 20},

    {"dispatch.max_running", "jobs", "Jobs that run at once on this host; 0: as many as there are runners.",
     at<&S::dispatch, &Dispatch::max_running>, 0, 100'000},
    {"dispatch.max_per_key", "jobs", "Jobs of one queue key that may run at once.",
     at<&S::dispatch, &Dispatch::max_per_key>, 1, 100'000},
    {"dispatch.lease_ms", "ms", "A running job whose lease is not renewed for this long is rescued.",
     at<&S::dispatch, &Dispatch::lease_ms>, 1000, kDayMs},
    {"dispatch.update_ms", "ms", "Progress of a job is written to the store at most this often; watchers see all.",
     at<&S::dispatch, &Dispatch::update_ms>, 10, 60'000},
    {"dispatch.read_ahead", "jobs", "Most jobs handed to a runner ahead, for types whose jobs are very short.",
     at<&S::dispatch, &Dispatch::read_ahead>, 1, 1024},
    {"dispatch.default_timeout_ms", "ms", "Time limit of an attempt whose job and type set none; 0: none.",
     at<&S::dispatch, &Dispatch::default_timeout_ms>, 0, kYearMs},

    {"scheduler.poll_ms", "ms", "Safety check for due jobs beside the exact timer; nothing else polls.",
     at<&S::scheduler, &Scheduler::poll_ms>, 10, kDayMs},

    {"runner.executable", "file", "The runner program; empty: jobhost-runner beside jobhost.",
     at<&S::runner, &Runner::executable>},
    {"runner.isolation", "",
     "process: plugins run in their own processes. thread: inside the host, trusted plugins only.",
     at<&S::runner, &Runner::isolation>, 0, 0, kIsolation},
    {"runner.max_per_plugin", "runners", "Runners of one plugin; 0: one per core.",
     at<&S::runner, &Runner::max_per_plugin>, 0, 4096},
    {"runner.max_total", "runners", "Runners of all plugins; 0: four per core.", at<&S::runner, &Runner::max_total>, 0,
     16'384},
    {"runner.min_idle", "runners", "Idle runners kept warm per plugin after its first job.",
     at<&S::runner, &Runner::min_idle>, 0, 4096},
    {"runner.idle_ms", "ms", "Idle runners beyond min_idle end after this time.", at<&S::runner, &Runner::idle_ms>, 0,
     kYearMs},
    {"runner.load_timeout_ms", "ms", "A runner must have loaded its plugin within this time.",
     at<&S::runner, &Runner::load_timeout_ms>, 100, kDayMs},
    {"runner.restart_ms", "ms", "Wait after a runner that could not start; doubled each time, up to a minute.",
     at<&S::runner, &Runner::restart_ms>, 1, 60'000},
    {"runner.recycle_attempts", "attempts", "A runner is replaced after this many; 0: never.",
     at<&S::runner, &Runner::recycle_attempts>, 0, kMany},
    {"runner.recycle_growth_mb", "MiB", "A runner that grew by this much is replaced; 0: never.",
     at<&S::runner, &Runner::recycle_growth_mb>, 0, 1 << 20},
    {"runner.kill_grace_ms", "ms", "From SIGTERM until SIGKILL of all it started.",
     at<&S::runner, &Runner::kill_grace_ms>, 0, kDayMs},
    {"runner.memory_mb", "MiB", "Memory of a runner, where the plugin asks for no less; 0: no limit.",
     at<&S::runner, &Runner::memory_mb>, 0, 16 << 20},
    {"runner.file_mb", "MiB", "Largest file a runner may write.", at<&S::runner, &Runner::file_mb>, 1, 16 << 20},
    {"runner.processes", "", "Processes and threads a runner may have.", at<&S::runner, &Runner::processes>, 1,
     100'000},
    {"runner.open_files", "", "Files a runner may have open.", at<&S::runner, &Runner::open_files>, 32, 1 << 20},
    {"runner.result_bytes", "bytes", "Largest result of a job.", at<&S::runner, &Runner::result_bytes>, 1024, kGiB},
    {"runner.log_bytes", "bytes", "Largest log of a job; what is over is counted and dropped.",
     at<&S::runner, &Runner::log_bytes>, 1024, 16 * kGiB},
    {"runner.output_mb", "MiB", "Outputs of one job together.", at<&S::runner, &Runner::output_mb>, 1, 16 << 20},

    {"sandbox.require", "", "Least sandbox level; plugins do not run where the kernel cannot give it.",
     at<&S::sandbox, &Sandbox::require>, 0, 0, kSandbox},

    {"limits.params_bytes", "bytes", "Largest params of a job.", at<&S::limits, &Limits::params_bytes>, 2, kGiB},
    {"limits.notes_bytes", "bytes", "Largest notes object of a job.", at<&S::limits, &Limits::notes_bytes>, 2, kGiB},
    {"limits.batch_jobs", "jobs", "Most jobs in one bulk submit.", at<&S::limits, &Limits::batch_jobs>, 1, 1'000'000},
    {"limits.tags", "", "Most tags of a job.", at<&S::limits, &Limits::tags>, 0, 1000},
    {"limits.tag_bytes", "bytes", "Longest tag.", at<&S::limits, &Limits::tag_bytes>, 1, 4096},
    {"limits.key_bytes", "bytes", "Longest queue, unique, dedupe or batch key.", at<&S::limits, &Limits::key_bytes>, 1,
     4096},
    {"limits.depends_on", "jobs", "Most jobs one job can wait for.", at<&S::limits, &Limits::depends_on>, 0, 10'000},
    {"limits.max_attempts", "attempts", "Most attempts a job may ask for.", at<&S::limits, &Limits::max_attempts>, 1,
     100'000},
    {"limits.priority_abs", "", "Priorities lie between minus this and this.", at<&S::limits, &Limits::priority_abs>, 0,
     kMany},
    {"limits.timeout_ms", "ms", "Longest time limit a job may ask for.", at<&S::limits, &Limits::timeout_ms>, 1,
     kYearMs},
    {"limits.queued_per_type", "jobs", "Queued jobs of one type beyond which submits are refused (429).",
     at<&S::limits, &Limits::queued_per_type>, 1, 100 * kMany},
    {"limits.queued_per_owner", "jobs", "Queued jobs of one caller beyond which submits are refused (429).",
     at<&S::limits, &Limits::queued_per_owner>, 1, 100 * kMany},

    {"auth.argon2_memory_kib", "KiB",
     "Memory of one password hash (Argon2id). With the iterations at least what OWASP asks for: 19456 and 2, or 47104 "
     "and 1, 12288 and 3, 9216 and 4, 7168 and 5.",
     at<&S::auth, &Auth::argon2_memory_kib>, 7168, 1 << 20},
    {"auth.argon2_iterations", "", "Passes over that memory. A login hashes a password of another cost anew.",
     at<&S::auth, &Auth::argon2_iterations>, 1, 64},
    {"auth.argon2_lanes", "", "Lanes of a password hash.", at<&S::auth, &Auth::argon2_lanes>, 1, 16},
    {"auth.hash_parallel", "", "Passwords checked at once; each takes a core and its memory.",
     at<&S::auth, &Auth::hash_parallel>, 1, 256},
    {"auth.hash_queue", "", "Logins that may wait for their turn; more are turned away (429).",
     at<&S::auth, &Auth::hash_queue>, 0, 4096},
    {"auth.password_min", "characters", "Shortest password of a user.", at<&S::auth, &Auth::password_min>, 8, 128},
    {"auth.session_ms", "ms", "A session ends so long after the login.", at<&S::auth, &Auth::session_ms>, 60'000,
     kYearMs},
    {"auth.session_idle_ms", "ms", "A session ends when it was not used for so long.",
     at<&S::auth, &Auth::session_idle_ms>, 60'000, kYearMs},
    {"auth.sessions_per_user", "", "Sessions of one user at once; the oldest ends when another begins.",
     at<&S::auth, &Auth::sessions_per_user>, 1, 1000},
    {"auth.keys_per_user", "", "Live API keys of one user.", at<&S::auth, &Auth::keys_per_user>, 1, 10'000},
    {"auth.key_changes_per_minute", "", "API keys one user, who is no admin, may make and revoke.",
     at<&S::auth, &Auth::key_changes_per_minute>, 1, 100'000},
    {"auth.max_users", "", "Most users.", at<&S::auth, &Auth::max_users>, 1, 1'000'000},
    {"auth.cookie_secure", "", "The session's cookie travels by HTTPS alone; set it when TLS stands in front.",
     at<&S::auth, &Auth::cookie_secure>},
    {"auth.cookie_same_site", "", "What of other sites' pages carries the cookie: lax: links; strict: nothing.",
     at<&S::auth, &Auth::cookie_same_site>, 0, 0, kSameSite},
    {"auth.trusted_origins", "origins",
     "Origins (https://name) beside the host's own whose pages may log in and change things by cookie.",
     at<&S::auth, &Auth::trusted_origins>},
    {"auth.login_failures", "", "Wrong passwords of one name from one address before it has to wait.",
     at<&S::auth, &Auth::login_failures>, 1, 1000},
    {"auth.login_address_failures", "", "The same of one address over all names.",
     at<&S::auth, &Auth::login_address_failures>, 1, 100'000},
    {"auth.login_name_failures", "",
     "The same of one name over all addresses, but for those where it logged in lately.",
     at<&S::auth, &Auth::login_name_failures>, 1, 100'000},
    {"auth.login_at_once", "", "Passwords of one address checked at once.", at<&S::auth, &Auth::login_at_once>, 1,
     4096},
    {"auth.logins_per_minute", "", "Logins of one name from one address; a right password costs a hash too.",
     at<&S::auth, &Auth::logins_per_minute>, 1, 100'000},
    {"auth.login_backoff_ms", "ms", "The first wait, doubled with each failure.", at<&S::auth, &Auth::login_backoff_ms>,
     100, kDayMs},
    {"auth.login_backoff_max_ms", "ms", "The longest wait.", at<&S::auth, &Auth::login_backoff_max_ms>, 100, kDayMs},
    {"auth.login_table", "entries", "Names and addresses remembered for it; the oldest goes first.",
     at<&S::auth, &Auth::login_table>, 100, 10'000'000},

    {"retention.finished_ms", "ms", "Finished jobs, their logs and outputs are removed after this time; 0: never.",
     at<&S::retention, &Retention::finished_ms>, 0, 100 * kYearMs},
    {"retention.inputs_ms", "ms", "Uploads that no job took are removed after this time.",
     at<&S::retention, &Retention::inputs_ms>, 60'000, kYearMs},
    {"retention.sweep_ms", "ms", "How often is looked for what to remove.", at<&S::retention, &Retention::sweep_ms>,
     1000, kYearMs},
    {"retention.batch", "jobs", "Jobs removed in one transaction.", at<&S::retention, &Retention::batch>, 1, 100'000},
    {"retention.audit_ms", "ms", "Lines of the audit log are removed after this time; 0: never.",
     at<&S::retention, &Retention::audit_ms>, 0, 100 * kYearMs},
    {"retention.audit_lines", "lines", "The oldest lines of the audit log beyond this many are removed.",
     at<&S::retention, &Retention::audit_lines>, 1000, kMany},
    {"retention.keys_ms", "ms", "Revoked and expired API keys are removed after this time; 0: never.",
     at<&S::retention, &Retention::keys_ms>, 0, 100 * kYearMs},

    {"records.per_plugin", "records", "Records and keys that one plugin may keep.",
     at<&S::records, &Records::per_plugin>, 0, 1'000'000'000},
    {"records.plugin_mb", "MiB", "Size of all records and keys of one plugin.", at<&S::records, &Records::plugin_mb>, 0,
     1 << 20},
    {"records.attempt_writes", "records",
     "Records one attempt may write that are stored when it succeeds; they are held in memory until then.",
     at<&S::records, &Records::attempt_writes>, 1, 1'000'000},
    {"records.attempt_mb", "MiB", "Size of all of them.", at<&S::records, &Records::attempt_mb>, 1, 4096},

    {"log.level", "", "What the host writes to stderr.", at<&S::log, &Log::level>, 0, 0, kLevels},

    {"content.dir", "folder", "Archive folder of the minion tasks; empty: none.", at<&S::content, &Content::dir>},
    {"content.thumb_dir", "folder", "Where thumbnails of archives lie; empty: thumb beside content.dir.",
     at<&S::content, &Content::thumb_dir>},
    {"content.upload_dir", "folder",
     "Where uploads to the archive folder wait; best on its file system. Empty: uploads in the data folder.",
     at<&S::content, &Content::upload_dir>},
    {"content.roots", "folders", "Folders from which jobs may read source files.", at<&S::content, &Content::roots>},

    {"process.path", "folders",
     "Where programs that plugins may run (permissions.exec) are looked for, and their PATH; absolute, with : between.",
     at<&S::process, &Process::path>},
    {"process.max_at_once", "", "Programs one attempt may run at once.", at<&S::process, &Process::max_at_once>, 1,
     256},

    {"http.allow_private", "", "Lets the HTTP door of plugins (jobhost.http/1) reach loopback and private addresses.",
     at<&S::http, &Http::allow_private>},
    {"http.allow_networks", "",
     "Networks (10.1.0.0/16) and addresses it reaches besides, whatever they are: link-local ones too.",
     at<&S::http, &Http::allow_networks>},
    {"http.proxy", "URL",
     "Proxy that all requests go through; it looks names up, so the guard sees only addresses written in URLs. Empty: "
     "none.",
     at<&S::http, &Http::proxy>},
    {"http.ca_file", "file", "PEM file of trusted roots; empty: the system's.", at<&S::http, &Http::ca_file>},
    {"http.user_agent", "", "What requests call themselves unless they say; empty: jobhost/<version>.",
     at<&S::http, &Http::user_agent>},
    {"http.timeout_ms", "ms", "A request that names no time-out ends after this, redirects and retries included.",
     at<&S::http, &Http::timeout_ms>, 100, kDayMs},
    {"http.max_timeout_ms", "ms", "The longest time-out a request may ask for.", at<&S::http, &Http::max_timeout_ms>,
     100, kDayMs},
    {"http.connect_timeout_ms", "ms", "A connection must be made within this time.",
     at<&S::http, &Http::connect_timeout_ms>, 10, kDayMs},
    {"http.slow_bytes_per_s", "bytes", "A response slower than this for http.slow_ms is given up; 0: none is.",
     at<&S::http, &Http::slow_bytes_per_s>, 0, kGiB},
    {"http.slow_ms", "ms", "How long a response may be slow, in whole seconds.", at<&S::http, &Http::slow_ms>, 1000,
     kDayMs},
    {"http.max_body_mb", "MiB", "Largest body of a response, unpacked.", at<&S::http, &Http::max_body_mb>, 1, 1 << 20},
    {"http.max_header_bytes", "bytes", "Most headers of a response.", at<&S::http, &Http::max_header_bytes>, 1024,
     1 << 20},
    {"http.max_unpack_ratio", "",
     "A body that grows more than this on being unpacked is refused, beyond its first MiB.",
     at<&S::http, &Http::max_unpack_ratio>, 1, 1'000'000},
    {"http.max_redirects", "", "Redirects followed for one request.", at<&S::http, &Http::max_redirects>, 0, 50},
    {"http.max_retries", "", "Retries a request may ask for.", at<&S::http, &Http::max_retries>, 0, 100},
    {"http.max_at_once", "requests", "Requests on their way at once.", at<&S::http, &Http::max_at_once>, 1, 4096},
    {"http.max_per_host", "requests", "Requests on their way to one host at once.", at<&S::http, &Http::max_per_host>,
     1, 4096},
    {"http.rate_per_host", "requests", "Requests begun in a second to one host; 0: no limit.",
     at<&S::http, &Http::rate_per_host>, 0, 100'000},
    {"http.max_waiting", "requests", "Requests that may wait for their turn; more are refused.",
     at<&S::http, &Http::max_waiting>, 1, 1'000'000},
    {"http.max_waiting_mb", "MiB", "Memory for the bodies of requests on their way or waiting; more are refused.",
     at<&S::http, &Http::max_waiting_mb>, 16, 1 << 20},

    {"minion.enabled", "", "Serves the minion routes.", at<&S::minion, &Minion::enabled>},
    {"minion.query_key", "", "Accepts the API key as ?key= too; it then stands in access logs of proxies.",
     at<&S::minion, &Minion::query_key>},
    {"minion.open", "", "Asks for no API key: whoever reaches the port may use the minion routes.",
     at<&S::minion, &Minion::open>},
    {"minion.no_fun", "", "Asks for the key on the open status route too (LANraragi's no-fun mode).",
     at<&S::minion, &Minion::no_fun>},
    {"minion.cors", "", "Lets pages of any origin read the minion routes' answers (LANraragi's CORS setting).",
     at<&S::minion, &Minion::cors>},
    {"minion.literal_unknown_id", "",
     "Answers an unknown job id with upstream's 500 instead of a 400 clients can read.",
     at<&S::minion, &Minion::literal_unknown_id>},
    {"minion.base_url_path", "path", "Prefix under which the minion routes are served too: /reader.",
     at<&S::minion, &Minion::base_url_path>},
    {"minion.max_open_jobs", "jobs", "Queued thumbnail jobs of a task beyond which callers without a key are refused.",
     at<&S::minion, &Minion::max_open_jobs>, 0, 10'000'000},

    {"lncrawl.enabled", "", "Serves the lncrawl routes (lightnovel-crawler's API).",
     at<&S::lncrawl, &Lncrawl::enabled>},
    {"lncrawl.dir", "folder", "Novels, their images and e-books; empty: lncrawl in the data folder.",
     at<&S::lncrawl, &Lncrawl::dir>},
    {"lncrawl.sources", "folder",
     "Source specs of one's own, which win over the shipped ones; empty: sources.d in lncrawl.dir.",
     at<&S::lncrawl, &Lncrawl::sources>},
    {"lncrawl.web_dir", "folder", "The built web client, served at /; empty: none.",
     at<&S::lncrawl, &Lncrawl::web_dir>},
    {"lncrawl.cors", "", "Lets pages of any origin call the lncrawl routes.", at<&S::lncrawl, &Lncrawl::cors>},
    {"lncrawl.token_ms", "ms", "A token of the lncrawl login ends after this time.",
     at<&S::lncrawl, &Lncrawl::token_ms>, 60'000, kYearMs},

    {"sse.max_watchers", "", "Event streams open at once.", at<&S::sse, &Sse::max_watchers>, 0, 1'000'000},
    {"sse.max_per_caller", "", "Event streams of one user or key; admins: no limit beside max_watchers.",
     at<&S::sse, &Sse::max_per_caller>, 1, 1'000'000},
    {"sse.max_replays", "", "Streams that catch up on many events at once; of one user or key a quarter of it.",
     at<&S::sse, &Sse::max_replays>, 1, 4096},
    {"sse.keep_alive_ms", "ms", "A comment is sent on quiet streams this often.", at<&S::sse, &Sse::keep_alive_ms>,
     1000, kDayMs},
    {"sse.buffer_bytes", "bytes", "Unsent bytes at which a slow watcher is dropped; it comes back with Last-Event-ID.",
     at<&S::sse, &Sse::buffer_bytes>, 4096, kGiB},

    {"shutdown.drain_ms", "ms",
     "How long running jobs may finish after SIGTERM before they are stopped and queued again.",
     at<&S::shutdown, &Shutdown::drain_ms>, 0, kDayMs},
};

struct SectionHelp {
  std::string_view section, help;
};
constexpr SectionHelp kSections[] = {
    {"server", "The HTTP port and what one request may cost."},
    {"data", "Where everything lasting lies."},
    {"plugins", "Plugin files: where they are looked for and when they are trusted."},
    {"store", "The database."},
    {"dispatch", "What may run, and how many."},
    {"scheduler", "Timers."},
    {"runner", "The processes plugins run in."},
    {"sandbox", "How far the kernel fences plugins in."},
    {"limits", "What one job or caller may ask for."},
    {"auth", "Users, sessions and keys."},
    {"retention", "How long finished work is kept."},
    {"records", "What plugins keep in the host's database."},
    {"log", "The host's own log."},
    {"content", "Files that jobs work on."},
    {"process", "Programs of this machine that plugins run."},
    {"http", "Requests that plugins make through the host."},
    {"minion", "The minion dialect."},
    {"lncrawl", "The lncrawl dialect, and where its plugins keep their files."},
    {"sse", "Event streams."},
    {"shutdown", "A clean stop."},
    {"plugin", "Free-form: `plugin.<id>.<key>` is given to that plugin."},
    {"secret", "Free-form: `secret.<id>.<NAME>` is given to that plugin when its manifest asks for it; never shown."},
};

std::size_t editDistance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  for (std::size_t j = 0; j <= right.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= left.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (left[i - 1] == right[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

std::span<const Row> rows() {
  return kRows;
}

const Row* findRow(std::string_view key) {
  for (const Row& row : kRows) {
    if (row.key == key) return &row;
  }
  return nullptr;
}

std::string nearestKey(std::string_view key) {
  constexpr std::size_t kLongest = 256;  // what is longer is no misspelt key, and the distance costs its square
  if (key.size() > kLongest) return {};
  std::size_t best = std::numeric_limits<std::size_t>::max();
  std::string_view nearest;
  for (const Row& row : kRows) {
    std::size_t distance = editDistance(key, row.key);
    // "port" for "server.port": the section was forgotten.
    const std::string_view last = row.key.substr(row.key.find('.') + 1);
    distance = std::min(distance, editDistance(key.substr(key.rfind('.') + 1), last) + 1);
    if (key.size() >= 4 && row.key.starts_with(key)) distance = 1;
    if (distance < best) {
      best = distance;
      nearest = row.key;
    }
  }
  return best <= std::max<std::size_t>(3, key.size() / 3) ? std::string(nearest) : std::string();
}

std::string_view sectionOf(std::string_view key) {
  return key.substr(0, key.find('.'));
}

std::string_view sectionHelp(std::string_view section) {
  for (const auto& entry : kSections) {
    if (entry.section == section) return entry.help;
  }
  return {};
}

}  // namespace jobhost::settings
