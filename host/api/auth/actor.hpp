#pragma once

#include <functional>
#include <string>
#include <utility>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "store/key_store.hpp"

namespace jobhost::api {

/// Who acts, for the audit log.
struct Actor {
  std::string id = "host";  ///< a principal's; "host": nobody asked, the host does it by itself
  std::string name = "host";
  std::string address;
  std::string via{};             ///< public handle of the key or session it was done with; empty: none
  std::function<bool()> live{};  ///< whether that one still holds, with all it could do when asked; empty: it does

  /// Asked by whoever makes the change, under the lock of changes: what ended while the request was on its way, or was
  /// worked on, changes nothing any more.
  [[nodiscard]] core::Result<void> stillMay() const {
    if (!live || live()) return {};
    return core::Error{core::ErrorCode::Unauthenticated, "the key or session that asks holds no longer", "", {}};
  }

  /// `detail_json`: an object; `via` becomes its first member.
  [[nodiscard]] store::AuditEntry did(core::Instant at, std::string action, std::string target,
                                      std::string detail_json = "{}") const {
    if (!via.empty()) {
      const bool none = detail_json == "{}";
      detail_json.replace(0, 1, "{\"via\":\"" + via + (none ? "\"" : "\","));  // handles need no escapes
    }
    return {at, id, name, std::move(action), std::move(target), address, std::move(detail_json)};
  }
};

}  // namespace jobhost::api
