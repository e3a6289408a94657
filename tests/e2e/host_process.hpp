#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include <Poco/Dynamic/Var.h>
#include <Poco/JSON/Object.h>

namespace jobhost::e2e {

/// A folder under the system's temporary folder, removed with all it holds.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

struct Answer {
  int status = 0;  ///< 0: no answer (connection refused or cut)
  std::string body;
  std::map<std::string, std::string> headers;
  [[nodiscard]] Poco::JSON::Object::Ptr json() const;  ///< null when the body is no JSON object
};

/// A real `jobhost serve` in a process of its own, driven as a user would: through its command line and HTTP.
/// One object is used by several client threads at once after start(); start, stop and kill belong to one thread.
class HostProcess {
 public:
  struct Options {
    std::filesystem::path data;
    std::vector<std::filesystem::path> plugins;  ///< empty: the test plugins
    std::vector<std::string> set;                ///< key=value
    std::vector<std::string> wrapper;            ///< a command to put before jobhost's own
    std::chrono::seconds start_within{60};
  };

  explicit HostProcess(Options options);
  ~HostProcess();
  HostProcess(const HostProcess&) = delete;
  HostProcess& operator=(const HostProcess&) = delete;

  /// Starts the host and waits for its `jobhost ready` line. False when it ended before; log() says why.
  bool start();
  /// SIGTERM, then the exit status.
  int stop();
  void terminate() const;  ///< SIGTERM only
  void killNow();          ///< SIGKILL, reaped
  int wait();              ///< exit status, or 128 + signal
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string log() const;  ///< stderr of every start so far
  [[nodiscard]] std::string adminKey() const;

  /// One request on a connection of its own, with the admin key. Any thread.
  Answer request(const std::string& method, const std::string& path, const std::string& body = {},
                 const std::map<std::string, std::string>& headers = {}) const;
  Answer get(const std::string& path) const { return request("GET", path); }
  Answer post(const std::string& path, const std::string& body = "{}") const { return request("POST", path, body); }

  /// Submits and answers the id; nullopt when the host refused or the connection was cut.
  std::optional<std::int64_t> submit(const std::string& type, const std::string& params = "{}",
                                     const std::string& more_members = {}) const;
  /// Follows the job's event stream to its end; then the job. Null when it did not end in time.
  Poco::JSON::Object::Ptr waitForEnd(std::int64_t id, std::chrono::seconds within = std::chrono::seconds(120)) const;
  /// Follows the job's event stream until an event of this name has come (or the stream ends). True when it came.
  bool waitForEvent(std::int64_t id, const std::string& event,
                    std::chrono::seconds within = std::chrono::seconds(90)) const;
  Poco::JSON::Object::Ptr job(std::int64_t id) const;

  /// Every process now alive whose environment or arguments name this host's data folder, the host itself left out.
  [[nodiscard]] std::vector<pid_t> otherProcesses() const;
  [[nodiscard]] std::size_t openFiles() const;  ///< of the host

  /// Calls `check` until it answers true, woken by time alone: for facts about processes and folders that have no
  /// event. `within` only ends what would hang.
  static bool eventually(const std::function<bool()>& check, std::chrono::seconds within = std::chrono::seconds(90));

 private:
  Options options_;
  pid_t pid_ = -1;
  int stdout_ = -1;
  int port_ = 0;
  std::string url_;
};

/// The member as text; "" when absent or null.
std::string text(const Poco::JSON::Object::Ptr& object, const std::string& name);

}  // namespace jobhost::e2e
