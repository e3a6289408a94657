#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/auth/accounts.hpp"
#include "api/auth/key_ring.hpp"
#include "catalog/catalog.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"
#include "events/event_bus.hpp"
#include "jobs/job_service.hpp"
#include "store/principal_store.hpp"
#include "store/record_store.hpp"

namespace jobhost::api {

/// What the API needs from the rest of the host. References are borrowed until the Server is destroyed; callbacks may
/// be called from any HTTP thread and answer quickly.
struct Deps {
  jobs::JobService& jobs;
  events::EventBus& bus;
  catalog::Catalog& catalog;
  KeyRing& keys;
  Accounts& accounts;
  store::AuditStore& audit;
  const core::Clock& clock;
  /// Ok when the store takes changes and the plugin folder was read (for /readyz). Empty function: always ready.
  std::function<core::Result<void>()> ready;
  /// The effective configuration as a JSON document, secrets left out. Empty function: `{}`.
  std::function<std::string()> config_json;
  /// The story of one plugin, oldest first; NotFound for an unknown id. Empty function: no story is told.
  std::function<core::Result<std::vector<catalog::Decision>>(const std::string& plugin_id)> plugin_why;
  /// Takes a quarantined or refused plugin up again. Empty function: Unsupported.
  std::function<core::Result<void>(const std::string& plugin_id)> plugin_retry;
  std::function<core::Result<void>(const std::string& plugin_id)> plugin_grant;
  /// What the library knows of an archive, a JSON object (contracts/minion.md 3.0); nullopt: nothing. Empty function:
  /// there is no library.
  std::function<std::optional<std::string>(const std::string& archive_id)> archive = {};
  /// What plugins keep, for dialects that show it. Null: nothing is kept.
  store::RecordStore* records = nullptr;
  /// From now on no job of these types is begun, and of the others again; the last call counts. Empty function: that is
  /// not offered.
  std::function<void(std::vector<std::string> types)> hold_types = {};
  /// What runs of these types is stopped, goes back to the queue and is begun anew; nothing is counted. Empty function:
  /// that is not offered.
  std::function<void(std::vector<std::string> types)> put_back_types = {};
};

struct HttpLimits {
  int max_threads = 128;                  ///< connections served at once; watchers do not count
  int max_queued = 256;                   ///< connections waiting for a thread; beyond it they get 503
  int max_archives = 16;                  ///< made and sent at once; for one caller a quarter; beyond it 503 and 429
  std::size_t head_bytes = 32 * 1024;     ///< request line and headers (431, 414)
  int headers = 100;                      ///< 431
  std::int64_t body_bytes = 16 << 20;     ///< JSON bodies (413)
  std::int64_t upload_bytes = 4LL << 30;  ///< of one POST /api/v1/inputs (413)
  core::Millis head_timeout{10'000};      ///< from a request's first byte to the end of its headers (408)
  core::Millis body_idle{15'000};         ///< between two reads of a body (408)
  core::Millis send_idle{15'000};         ///< a client that takes nothing for so long is dropped
  /// In a full house, while others wait for a thread: slow bodies and slow readers have their thread for so long, and
  /// for as long as what they moved takes at 64 KiB/s; so long an unfinished head is waited for.
  core::Millis crowded_patience{250};
  core::Millis stop_grace{2'000};   ///< what is being sent when the host stops is cut off after it
  core::Millis keep_alive{60'000};  ///< an idle connection is closed after it; at once while others wait
};

struct SseLimits {
  int max_watchers = 20'000;  ///< beyond it 503
  int max_per_caller = 100;   ///< streams of one principal, unless an admin; beyond it 429
  int max_replays = 16;       ///< that read more than a page of the past at once; a quarter for one principal
  std::size_t buffer_bytes = 256 * 1024;  ///< of one watcher; a slower reader is dropped and may come back
  core::Millis keep_alive{15'000};        ///< a comment line is sent so often
};

struct MinionOptions {
  bool enabled = true;
  bool query_key = true;                ///< `?key=` authorises like the header
  bool open = false;                    ///< no key is asked for at all (upstream's enablepass = 0)
  bool literal_unknown_id = false;      ///< unknown ids answer upstream's literal 500 instead of the readable 400
  bool no_fun = false;                  ///< the open status route asks for the key too (upstream's nofunmode)
  bool cors = false;                    ///< answers of known routes may be read by pages of any origin
  std::string base_url_path;            ///< "/reader": the routes stand below it too; empty: no prefix
  std::filesystem::path thumb_dir;      ///< where the thumbnail plugin puts pictures of archives; empty: nowhere
  std::filesystem::path upload_dir;     ///< where archives wait for handle_upload; empty: none are taken
  std::int64_t max_open_jobs = 10'000;  ///< of one task, queued: beyond it callers without a key are refused
};

struct LncrawlOptions {
  bool enabled = true;
  bool cors = true;                            ///< pages of any origin may call and read it
  bool any_site = true;                        ///< sites without a source of their own are fetched from too
  core::Millis token{7LL * 24 * 3600 * 1000};  ///< a login's token ends after it
  std::filesystem::path dir;      ///< novels, images and artifacts, as the plugins write them; empty: none are there
  std::filesystem::path web_dir;  ///< the built web client, served at /; empty: none
};

struct AuthOptions {
  bool cookie_secure = false;                    ///< the session's cookie travels by HTTPS alone: set it behind TLS
  std::string same_site = "lax";                 ///< or "strict": what a browser sends from other sites' pages
  core::Millis session{7LL * 24 * 3600 * 1000};  ///< the cookie's age, as Accounts has it
  std::vector<std::string> trusted_origins;      ///< beside the host's own, by which pages may change things
  std::vector<std::string> trusted_proxies;      ///< addresses whose X-Forwarded-For is believed
};

struct ServerOptions {
  std::string bind = "127.0.0.1";
  std::uint16_t port = 8080;          ///< 0: the system picks one, see Server::port()
  std::filesystem::path data_folder;  ///< uploads go to <data>/inputs
  std::filesystem::path
      reference_folder;  ///< Swagger UI's files, for the reference page; empty or absent: a plain page
  HttpLimits http;
  SseLimits sse;
  MinionOptions minion;
  LncrawlOptions lncrawl;
  AuthOptions auth;
  bool public_metrics = true;  ///< /metrics needs no key
};

/// The HTTP server and all dialects on one port.
///
/// Thread-safety: start() and stop() from the owner; port() any time after start().
/// Lifetime: stop() (also the destructor) takes no new connections, lets requests in progress answer, ends event
/// streams and returns when no thread of it is left. Answers that are not wholly sent after http.stop_grace are cut
/// off: a download may take hours.
class Server {
 public:
  Server(Deps deps, ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Binds and serves. Errors: Unavailable (address in use, no permission) with the address and reason.
  core::Result<void> start();
  void stop();
  [[nodiscard]] std::uint16_t port() const;
  /// "http://127.0.0.1:8080"
  [[nodiscard]] std::string url() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace jobhost::api
