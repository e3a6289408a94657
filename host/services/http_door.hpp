#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "fetch/client.hpp"
#include "pool/http_services.hpp"

namespace jobhost::services {

/// The host's side of jobhost.http/1: reads what a plugin asks for, has the client fetch it, and puts bodies where the
/// plugin can read them: small ones into the answer, larger ones into a file of the attempt's temp folder, so that
/// none stays in the host's memory.
///
/// Thread-safety: any thread. The client must outlive the door, the door its sessions.
class HttpDoor final : public pool::HttpServices {
 public:
  static constexpr std::size_t kInlineBytes = 64 * 1024;  ///< larger bodies go to a file

  explicit HttpDoor(fetch::Client& client) : client_(client) {}

  [[nodiscard]] std::unique_ptr<pool::HttpSession> open() override;

 private:
  fetch::Client& client_;
  const std::shared_ptr<std::atomic<std::uint64_t>> files_ = std::make_shared<std::atomic<std::uint64_t>>(0);
};

}  // namespace jobhost::services
