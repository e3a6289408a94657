#pragma once

namespace jobhost::cli {

/// What a command's exit status says. Scripts rely on the numbers; README.md lists them.
enum ExitCode : int {
  kOk = 0,
  kJobFailed = 1,    ///< the job watched or waited for failed or was canceled; a bench figure was missed with --strict
  kUsage = 2,        ///< wrong arguments or configuration
  kUnreachable = 3,  ///< no host answers at the URL
  kRefused = 4,      ///< the host said no (4xx): no such job, wrong key, bad params, queue full
  kHostError = 5,    ///< the host could not (5xx), or answered what this client does not understand
};

}  // namespace jobhost::cli
