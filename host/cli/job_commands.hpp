#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/context.hpp"

namespace jobhost::cli {

struct SubmitArgs {
  ClientArgs client;
  std::string type;
  std::string params;               ///< JSON, @file, or - for stdin; empty: {}
  std::vector<std::string> param;   ///< name=value; JSON where the value is, else text
  std::vector<std::string> inputs;  ///< files to upload
  std::optional<int> priority;
  std::optional<double> delay_s;
  std::optional<int> max_attempts;
  std::optional<double> timeout_s;
  std::vector<std::string> tags;
  std::string queue_key, unique_key, batch, idempotency_key;
  bool wait = false;
};

struct ListArgs {
  ClientArgs client;
  std::vector<std::string> states, types;
  std::string tag, batch, owner, parent, cursor;
  int limit = 20;
};

struct JobArgs {
  ClientArgs client;
  std::vector<std::int64_t> ids;
};

struct LogsArgs {
  ClientArgs client;
  std::int64_t id = 0;
  bool follow = false;
};

/// The body of POST /api/v1/jobs: params that came as text are passed on as they are. InvalidArgument names the option.
core::Result<std::string> submitBody(const SubmitArgs& args, const std::string& params_text,
                                     const std::string& input_id);

int submit(const SubmitArgs& args);
int get(const JobArgs& args);
int list(const ListArgs& args);
int cancel(const JobArgs& args);
int retry(const JobArgs& args);
int logs(const LogsArgs& args);
/// Shows a job until it ends; 0 when it succeeded.
int watch(const JobArgs& args);
int watchJob(Client& client, std::int64_t id, bool json);

}  // namespace jobhost::cli
