#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "core/clock.hpp"
#include "store/job_store.hpp"
#include "store/principal_store.hpp"

namespace jobhost::jobs {

/// Takes away what is old: finished job trees with their logs and outputs, and uploads no job took.
///
/// One thread that sleeps between sweeps; a sweep removes rows in small transactions (so that submits hardly notice it)
/// and then the files of those rows. Files whose row is gone (the host was killed in between) go with the next sweep.
/// Lifetime: references outlive it; the destructor stops a sweep between two transactions.
class Retention {
 public:
  struct Options {
    std::filesystem::path data_folder;
    core::Millis finished{30LL * 24 * 3600 * 1000};  ///< kept for so long after the root job ended; 0: for ever
    core::Millis inputs{24LL * 3600 * 1000};         ///< uploads kept for so long; 0: for ever
    std::filesystem::path uploads_folder;            ///< files that wait for a job by their path; empty: none
    std::vector<std::string> upload_prefixes;        ///< of the folders made there; nothing else is touched
    std::vector<std::string> upload_types;           ///< the job types that take them
    core::Millis every{3'600'000};
    core::Millis audit{365LL * 24 * 3600 * 1000};  ///< lines of the audit log; 0: for ever
    std::int64_t audit_lines = 1'000'000;          ///< the oldest beyond go
    core::Millis keys{90LL * 24 * 3600 * 1000};    ///< revoked and expired API keys stay in lists so long; 0: for ever
    int batch = 500;                               ///< jobs of one transaction
  };
  struct Swept {
    int jobs = 0;
    int orphans = 0;  ///< job folders without a row
    int inputs = 0;
    int uploads = 0;
    int audit_lines = 0;
    int sessions = 0;
    int keys = 0;
  };

  /// `principals` null: neither the audit log nor ended sessions and keys are looked after.
  Retention(store::JobStore& store, store::PrincipalStore* principals, const core::Clock& clock, Options options);
  void start();

  /// One sweep on the calling thread, for tests and for start-up. Not while the thread sweeps.
  Swept sweep(const std::stop_token& stop = {});

 private:
  int sweepJobs(const std::stop_token& stop);
  int sweepOrphans(const std::stop_token& stop);
  int sweepInputs(const std::stop_token& stop);
  int sweepUploads(const std::stop_token& stop);
  int sweepAudit(const std::stop_token& stop);
  int sweepSessions(const std::stop_token& stop);
  int sweepKeys(const std::stop_token& stop);
  void run(const std::stop_token& stop);

  store::JobStore& store_;
  store::PrincipalStore* principals_;
  const core::Clock& clock_;
  const Options options_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: stops and joins first
};

}  // namespace jobhost::jobs
