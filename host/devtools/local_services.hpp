#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "jobhost/abi.h"
#include "devtools/local_records.hpp"
#include "pool/attempt_services.hpp"

namespace jobhost::devtools {

/// What a job may ask of the host where there is none: config and secrets as given, checkpoints in memory. Children are
/// counted and not run: each has succeeded at once, with the result null. Records are kept in memory.
///
/// Thread-safety: any thread. Answers on the caller's.
class LocalServices final : public pool::AttemptServices {
 public:
  explicit LocalServices(const core::Clock& clock) : kept(clock) {}

  LocalRecords kept;
  std::string config_json = "{}";
  std::map<std::string, std::string> secrets;
  /// Asked before a call is served, and told (`permitted` false) of one that the manifest's permissions do not cover.
  /// Answers JH_OK, or the code the call fails with. `call` as in docs/protocol.md, "Inspection". Empty: nobody asks.
  std::function<jh_result(const Caller&, std::string_view call, std::string_view subject, bool permitted)> gate;
  pool::HttpServices* web = nullptr;  ///< borrowed; null: nothing is fetched

  void submitChild(const Caller& caller, std::string request_json, Done<core::JobId> done) override;
  void childStates(const Caller& caller, std::vector<core::JobId> ids, Done<std::vector<ChildState>> done) override;
  void awaitChildren(const Caller& caller, std::vector<core::JobId> ids, bool any, core::Millis timeout,
                     Done<std::vector<ChildState>> done) override;
  void cancelChild(const Caller& caller, core::JobId id, Done<void> done) override;
  void saveCheckpoint(const Caller& caller, std::string bytes, Done<void> done) override;
  void loadCheckpoint(const Caller& caller, Done<std::optional<std::string>> done) override;
  void config(const Caller& caller, Done<std::string> done) override;
  void secret(const Caller& caller, std::string name, Done<std::string> done) override;
  void refused(const Caller& caller, std::string_view call, std::string_view subject) override;
  pool::HttpServices* http() override { return web; }
  pool::RecordServices* records() override { return &kept; }
  [[nodiscard]] std::vector<std::string> redactions(const std::string& plugin) const override;

 private:
  struct Child {
    core::JobId parent;
    std::string dedupe_key;
    std::string type;
  };
  template <class T>
  bool failed(const Caller& caller, std::string_view call, std::string_view subject, const Done<T>& done);
  core::Result<std::vector<ChildState>> statesOf(const Caller& caller, const std::vector<core::JobId>& ids);
  std::mutex mutex_;
  std::map<std::int64_t, Child> children_;
  std::map<std::pair<std::int64_t, std::string>, std::int64_t> by_key_;  ///< parent and dedupe key → child
  std::map<std::int64_t, std::string> checkpoints_;                      ///< by job
};

}  // namespace jobhost::devtools
