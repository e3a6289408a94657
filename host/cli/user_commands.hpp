#pragma once

#include <optional>
#include <string>

#include "cli/context.hpp"

namespace jobhost::cli {

/// `jobhost user …`. Passwords come from a file, a terminal without echo, or the first line of stdin; never from the
/// command line, where other users of the machine could read them.
struct UserArgs {
  ClientArgs client;
  std::string user;  ///< name or id
  std::string role;
  std::optional<int> tier;
  std::string password_file;
  bool keys = false;
};
int userCreate(const UserArgs& args);
int userList(const UserArgs& args);
int userDisable(const UserArgs& args);
int userEnable(const UserArgs& args);
/// Changes role or tier.
int userChange(const UserArgs& args);
int userPasswd(const UserArgs& args);
/// Ends the user's sessions, with `keys` the keys too.
int userRevoke(const UserArgs& args);
int userDelete(const UserArgs& args);

/// The id of a user given by name or id. NotFound: neither.
core::Result<std::string> userId(Client& client, const std::string& name_or_id);

}  // namespace jobhost::cli
