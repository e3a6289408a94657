#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"

namespace jobhost::store {

/// An API key as stored: never the key itself, only its SHA-256.
struct ApiKey {
  std::string id;                       ///< public handle, "key_" + 16 hex digits
  std::string name;
  std::string sha256;                   ///< lower-case hex of the raw key
  std::vector<std::string> privileges;  ///< "admin", "run_jobs", "abort_jobs", "delete_jobs", "read_jobs", "tag_jobs", …
  core::Instant created_at;
  std::optional<core::Instant> expires_at;
  std::optional<core::Instant> revoked_at;
};

/// Where API keys live. Thread-safety and errors as JobStore.
class KeyStore {
 public:
  virtual ~KeyStore() = default;
  virtual core::Result<void> addKey(const ApiKey& key) = 0;
  virtual core::Result<void> revokeKey(const std::string& id, core::Instant at) = 0;  ///< NotFound for an unknown id
  virtual core::Result<std::vector<ApiKey>> keys() = 0;
};

}  // namespace jobhost::store
