#pragma once

#include <sys/mman.h>

#include <utility>

#include "pool/spawn.hpp"
#include "pool/unique_fd.hpp"
#include "wire/status_page.hpp"

namespace jobhost::pool {

/// The host's mapping of a runner's status page: a memfd sealed in size. The fd goes to the runner.
class StatusMemory {
 public:
  StatusMemory() = default;
  ~StatusMemory() {
    if (page_ != nullptr) ::munmap(page_, wire::kStatusPageBytes);
  }
  StatusMemory(const StatusMemory&) = delete;
  StatusMemory& operator=(const StatusMemory&) = delete;

  /// Makes the page; answers the fd for the runner. Called once.
  core::Result<UniqueFd> create();
  [[nodiscard]] wire::StatusPage* get() const { return page_; }

 private:
  wire::StatusPage* page_ = nullptr;
};

}  // namespace jobhost::pool
