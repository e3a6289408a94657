#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/auth/accounts.hpp"
#include "api/auth/first_start.hpp"
#include "api/auth/key_ring.hpp"
#include "api/lncrawl/lncrawl_dialect.hpp"
#include "api/native/native_dialect.hpp"
#include "api/server.hpp"
#include "api/sse_hub.hpp"
#include "catalog/catalog.hpp"
#include "core/clock.hpp"
#include "events/event_bus.hpp"
#include "jobs/job_service.hpp"
#include "store/sqlite_store.hpp"

namespace jobhost::test {

/// An answer as it came over the wire. Header names are lower-cased.
struct Answer {
  int status = 0;
  std::map<std::string, std::string> headers;
  std::string body;
  bool closed = false;  ///< the server ended the connection after it
};

/// A text member of a JSON object; a test that asks for one that is not there fails.
std::string memberOf(const std::string& body, const std::string& name);

/// A raw connection to the host under test. Every wait has a deadline of 20 s; a test that reaches it fails. Each whole
/// answer to a request that was sent in order is held against the OpenAPI document (ResponseCheck).
class Wire {
 public:
  explicit Wire(std::uint16_t port);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  void send(const std::string& bytes);
  /// The next whole answer; status 0: the connection ended before one came.
  Answer receive(bool head_only = false);
  /// Reads until `mark` has come, or the connection ends; all that was read since the last call up to its end.
  std::string readUntil(const std::string& mark);
  bool atEnd();  ///< waits for the server to end the connection
  int fd() const { return fd_; }

 private:
  bool more();
  std::string takeChunked();
  void noteRequests(const std::string& bytes);
  void check(const Answer& answer);

  int fd_;
  std::string buffer_;
  std::string sent_;                                          ///< what of requests is not yet understood
  bool lost_ = false;                                         ///< what was sent cannot be told apart any more
  std::deque<std::pair<std::string, std::string>> requests_;  ///< method and target of those not yet answered
};

/// The API over a real store, service, catalog and bus on port 0, with the clock in the test's hand.
/// Job types: "echo" (any object), "resize" {width 1..100 required, name}, "page_thumbnails" [id, force],
/// "find_duplicates" [threshold], "build_stat_hashes" [].
class ApiHost {
 public:
  explicit ApiHost(api::ServerOptions options = {}, jobs::SubmitLimits limits = {},
                   api::Accounts::Options accounts = cheapAccounts());
  /// Hashes that cost nearly nothing, so that tests may log in as often as they like.
  static api::Accounts::Options cheapAccounts();
  ~ApiHost();

  std::uint16_t port() const { return server_->port(); }
  const std::string& adminKey() const { return admin_key_; }
  std::filesystem::path data() const { return folder_; }
  store::SqliteStore& store() { return *store_; }
  api::KeyRing& keys() { return *keys_; }
  api::Accounts& accounts() { return *accounts_; }
  core::ManualClock& clock() { return clock_; }
  events::EventBus& bus() { return bus_; }
  /// A job type that takes any params.
  void addType(const std::string& name, std::vector<std::string> positional);
  /// Takes the plugin of a job type out of use, or back into it.
  void setAvailable(const std::string& name, bool available);
  /// What the library is to know of an archive.
  void addArchive(const std::string& id, const std::string& record_json);
  /// The job types that are not begun just now.
  std::vector<std::string> heldTypes();
  /// The job types whose running jobs were put back last.
  std::vector<std::string> putBackTypes();
  api::Server& server() { return *server_; }
  /// The native rows; valid while the host lives.
  const std::vector<api::Route>& routes();
  /// The same of the lncrawl surface.
  const std::vector<api::Route>& lncrawlRoutes();
  /// "GET /api/v1/jobs/{id}" for each native row.
  std::vector<std::string> nativeRoutes();

  /// One request on a connection of its own, with these header lines (each ends in \r\n) and no others but Host.
  Answer bare(const std::string& method, const std::string& target, const std::string& body = {},
              const std::string& headers = {});
  /// One request with the admin key on a connection of its own.
  Answer call(const std::string& method, const std::string& target, const std::string& body = {},
              const std::string& headers = {});
  std::int64_t submit(const std::string& type = "echo", const std::string& params = "{}");
  /// Makes a user, whose password is "correct horse <name>"; answers the id.
  std::string addUser(const std::string& name, const std::string& role = "user");
  /// The header lines of a fresh session of that user: cookie and CSRF token.
  std::string logIn(const std::string& name);
  /// A key made by the admin key: `description` is the body. Answers the raw key.
  std::string addKey(const std::string& description);
  /// A job of somebody, past the API.
  std::int64_t submitAs(const std::string& owner, const std::string& unique_key = {});
  /// A batch of one job of somebody, past the API; answers its id.
  std::string addBatchAs(const std::string& owner);
  /// Claims this job (it must be the next one) and leaves it running.
  store::ClaimedJob start(std::int64_t id);
  /// Ends a started job.
  void settle(const store::ClaimedJob& job, store::OutcomeKind kind, const std::string& result = {},
              std::optional<core::JobError> error = std::nullopt, std::vector<core::Output> outputs = {});
  /// What a started job reports.
  void progress(const store::ClaimedJob& job, const core::Progress& progress);
  void note(const store::ClaimedJob& job, const std::string& key, const std::string& value_json);

 private:
  std::filesystem::path folder_;
  core::ManualClock clock_;
  catalog::Catalog catalog_;
  events::EventBus bus_;
  std::unique_ptr<store::SqliteStore> store_;
  std::unique_ptr<jobs::JobService> jobs_;
  std::unique_ptr<api::KeyRing> keys_;
  std::unique_ptr<api::Accounts> accounts_;
  std::unique_ptr<api::SseHub> idle_hub_;  ///< of the table that routes() shows
  std::unique_ptr<api::Deps> deps_;
  api::ServerOptions defaults_;
  std::string openapi_;
  std::unique_ptr<api::native::NativeDialect> table_;
  std::unique_ptr<api::lncrawl::LncrawlDialect> lncrawl_;
  std::unique_ptr<api::Server> server_;
  std::string admin_key_;
  std::mutex mutex_;
  std::condition_variable claimed_;
  std::vector<store::ClaimedJob> claims_;
  std::map<std::string, std::string> archives_;
  std::vector<std::string> held_;
  std::vector<std::string> put_back_;
  std::uint64_t generation_ = 0;
  std::uint64_t seen_ = 0;
};

}  // namespace jobhost::test
