#include "cli/user_commands.hpp"

#include <fstream>
#include <iostream>

#include <termios.h>
#include <unistd.h>

#include "cli/json.hpp"

namespace jobhost::cli {
namespace {

core::Error wrong(std::string message) {
  return {core::ErrorCode::InvalidArgument, std::move(message), {}, {}};
}

/// Keeps what is typed off the screen while it lives.
class NoEcho {
 public:
  NoEcho() : works_(::tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!works_) return;
    auto quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
  }
  ~NoEcho() {
    if (works_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

 private:
  termios before_{};
  bool works_;
};

std::optional<std::string> askTwice() {
  std::string first, second;
  const NoEcho quiet;
  std::cerr << "Password: " << std::flush;
  const bool one = static_cast<bool>(std::getline(std::cin, first));
  std::cerr << "\nOnce more: " << std::flush;
  const bool two = one && std::getline(std::cin, second);
  std::cerr << '\n';
  return two && first == second ? std::optional(first) : std::nullopt;
}

core::Result<std::string> readPassword(const UserArgs& args) {
  std::string password;
  if (!args.password_file.empty()) {
    std::ifstream in(args.password_file);
    if (!std::getline(in, password)) return wrong("password file " + args.password_file + ": cannot be read");
  } else if (::isatty(STDIN_FILENO) == 1) {
    auto typed = askTwice();
    if (!typed) return wrong("the two passwords differ");
    password = *std::move(typed);
  } else if (!std::getline(std::cin, password)) {
    return wrong("no password: give --password-file, or a line on stdin");
  }
  if (!password.empty() && password.back() == '\r') password.pop_back();
  return password;
}

/// Sends a request about one user and says what was done.
int act(const UserArgs& args, const char* method, const std::string& path_end, const std::string& body,
        const std::string& done) {
  auto client = connect(args.client);
  if (!client) return fail(client.error()), kUsage;
  const auto id = userId(*client, args.user);
  if (!id) return fail(id.error());
  const auto answer = client->send(method, "/api/v1/users/" + encoded(*id) + path_end, body);
  if (!answer) return fail(answer.error());
  if (args.client.json && !answer->body.empty()) return printBody(args.client, answer->body), kOk;
  std::cout << args.user << ' ' << done << '\n';
  return kOk;
}

}  // namespace

core::Result<std::string> userId(Client& client, const std::string& name_or_id) {
  const auto by_name = client.get("/api/v1/users?name=" + encoded(name_or_id));
  if (!by_name) return by_name.error();
  for (const auto& user : objectsAt(parseObject(by_name->body), "users")) return textAt(user, "id");
  const auto by_id = client.get("/api/v1/users/" + encoded(name_or_id));
  if (by_id) return name_or_id;
  if (by_id.error().code != core::ErrorCode::NotFound) return by_id.error();
  return core::Error{core::ErrorCode::NotFound, "no user has the name or id " + name_or_id, {}, {}};
}

int userCreate(const UserArgs& args) {
  auto client = connect(args.client);
  if (!client) return fail(client.error()), kUsage;
  const auto password = readPassword(args);
  if (!password) return fail(password.error()), kUsage;
  std::string body = "{\"name\":" + jsonString(args.user) + ",\"password\":" + jsonString(*password);
  if (!args.role.empty()) body += ",\"role\":" + jsonString(args.role);
  if (args.tier) body += ",\"tier\":" + std::to_string(*args.tier);
  const auto answer = client->send("POST", "/api/v1/users", body + "}");
  if (!answer) return fail(answer.error());
  if (args.client.json) return printBody(args.client, answer->body), kOk;
  std::cout << textAt(parseObject(answer->body), "id") << '\n';
  return kOk;
}

int userList(const UserArgs& args) {
  auto client = connect(args.client);
  if (!client) return fail(client.error()), kUsage;
  std::vector<std::vector<std::string>> rows{{"ID", "NAME", "ROLE", "TIER", "DISABLED", "CREATED", "LAST LOGIN"}};
  std::string cursor;
  do {
    const auto answer = client->get("/api/v1/users?limit=1000" + (cursor.empty() ? "" : "&cursor=" + encoded(cursor)));
    if (!answer) return fail(answer.error());
    const auto page = parseObject(answer->body);
    if (args.client.json) printBody(args.client, answer->body);  // a page a line
    for (const auto& user : objectsAt(page, "users")) {
      rows.push_back({textAt(user, "id"), textAt(user, "name"), textAt(user, "role"), textAt(user, "tier"),
                      textAt(user, "disabled"), textAt(user, "created_at"), textAt(user, "last_login_at")});
    }
    cursor = textAt(page, "next_cursor");
  } while (!cursor.empty());
  if (!args.client.json) printTable(std::cout, rows);
  return kOk;
}

int userDisable(const UserArgs& args) {
  return act(args, "PATCH", "", R"({"disabled":true})", "disabled");
}

int userEnable(const UserArgs& args) {
  return act(args, "PATCH", "", R"({"disabled":false})", "enabled");
}

int userChange(const UserArgs& args) {
  std::string body;
  if (!args.role.empty()) body += ",\"role\":" + jsonString(args.role);
  if (args.tier) body += ",\"tier\":" + std::to_string(*args.tier);
  if (body.empty()) return fail(wrong("nothing to change: give --role or --tier")), kUsage;
  body.front() = '{';
  return act(args, "PATCH", "", body + "}", "changed");
}

int userPasswd(const UserArgs& args) {
  const auto password = readPassword(args);
  if (!password) return fail(password.error()), kUsage;
  return act(args, "PATCH", "", "{\"password\":" + jsonString(*password) + "}", "has a new password");
}

int userRevoke(const UserArgs& args) {
  return act(args, "POST", "/revoke", args.keys ? R"({"keys":true})" : "{}",
             args.keys ? "has no session and no key any more" : "has no session any more");
}

int userDelete(const UserArgs& args) {
  return act(args, "DELETE", "", {}, "deleted");
}

}  // namespace jobhost::cli
