#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace jobhost::pool {

/// One request of a plugin, as it came over the wire.
struct HttpCall {
  std::string request_json;  ///< docs/protocol.md, method http fetch
  std::string body;
  std::vector<std::string> allowed_hosts;  ///< permissions.net
  /// The runner's folder and, below it, the attempt's own: `tmp/<slot>/`. A body too large to be sent is put there.
  std::filesystem::path work_folder;
  std::uint32_t slot = 0;
};

struct HttpAnswer {
  std::int32_t result = 0;  ///< JH_OK or JH_E_*
  std::string error;        ///< one sentence, of a failure
  std::string json;         ///< of the response; of a failure {"code", "message", "class"}
  std::string body;         ///< unless json names a file
};

/// HTTP for one attempt: its fetches and its cookies.
///
/// Threads: used by the pool's alone. `done` is called on any thread, once, never after the destructor has begun, and
/// must not call back. The destructor ends what runs.
class HttpSession {
 public:
  virtual ~HttpSession() = default;
  virtual void fetch(HttpCall call, std::function<void(HttpAnswer)> done) = 0;
  /// The attempt is asked to stop: ends what runs and what still comes, with JH_E_CANCELLED.
  virtual void stop() = 0;
};

/// Where sessions come from; services/ implements it. Thread-safety: any thread.
class HttpServices {
 public:
  virtual ~HttpServices() = default;
  [[nodiscard]] virtual std::unique_ptr<HttpSession> open() = 0;
};

}  // namespace jobhost::pool
