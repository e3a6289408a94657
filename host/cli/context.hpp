#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "cli/client.hpp"
#include "cli/exit_codes.hpp"
#include "core/result.hpp"

namespace jobhost::cli {

/// The options every client command has. Filled by the parser, then by connect().
struct ClientArgs {
  std::string url;       ///< empty: JOBHOST_URL, then http://127.0.0.1:8080
  std::string key;       ///< empty: JOBHOST_KEY, then the file
  std::string key_file;  ///< empty: JOBHOST_KEY_FILE, then ./data/keys/admin.key where that can be read
  int timeout_s = 30;
  bool json = false;  ///< print the host's answers as they are, for scripts
};

/// A client for these options. InvalidArgument: a key file that was named and cannot be read, a wrong URL.
core::Result<Client> connect(const ClientArgs& args);

/// Prints the error and its fields to stderr and answers the exit status for it.
int fail(const core::Error& error);

/// Prints an answer's body: as it is with --json, indented otherwise.
void printBody(const ClientArgs& args, const std::string& body);

/// Lines up columns; the first row is the heading.
void printTable(std::ostream& out, const std::vector<std::vector<std::string>>& rows);

}  // namespace jobhost::cli
