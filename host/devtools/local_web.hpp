#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "pool/http_services.hpp"

namespace jobhost::devtools {

/// What a job finds when it fetches something where there is no network.
enum class Web {
  Fine,       ///< every request is answered 200 with a line of text
  NotFound,   ///< … 404
  Timeout,    ///< no answer in time
  Truncated,  ///< a body that was cut off
  Silent,     ///< nothing comes until the job is asked to stop
  Real,       ///< the network, with the guards of a host; not LocalWeb's
};

/// The far side of jobhost.http/1 for a check: answers as told, and opens no connection. Permissions are the pool's to
/// check. Thread-safety: any thread.
class LocalWeb final : public pool::HttpServices {
 public:
  /// `waits` is told of each request that nothing comes for (Web::Silent), on the pool's thread.
  explicit LocalWeb(Web web, std::function<void()> waits = {}) : web_(web), waits_(std::move(waits)) {}
  [[nodiscard]] std::unique_ptr<pool::HttpSession> open() override;

 private:
  const Web web_;
  const std::function<void()> waits_;
};

}  // namespace jobhost::devtools
