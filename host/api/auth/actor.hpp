#pragma once

#include <string>
#include <utility>

#include "core/clock.hpp"
#include "store/key_store.hpp"

namespace jobhost::api {

/// Who acts, for the audit log.
struct Actor {
  std::string id = "host";  ///< a principal's; "host": nobody asked, the host does it by itself
  std::string name = "host";
  std::string address;

  [[nodiscard]] store::AuditEntry did(core::Instant at, std::string action, std::string target,
                                      std::string detail_json = "{}") const {
    return {at, id, name, std::move(action), std::move(target), address, std::move(detail_json)};
  }
};

}  // namespace jobhost::api
