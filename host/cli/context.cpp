#include "cli/context.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>

#include "cli/json.hpp"
#include "core/utf8.hpp"
#include "settings/environment.hpp"

namespace jobhost::cli {
namespace {

constexpr const char* kDefaultKeyFile = "data/keys/admin.key";

std::optional<std::string> firstLine(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  if (!std::getline(in, line)) return std::nullopt;
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
  return line;
}

int exitCode(core::ErrorCode code) {
  using core::ErrorCode;
  switch (code) {
    case ErrorCode::Unavailable:
      return kUnreachable;
    case ErrorCode::Internal:
      return kHostError;
    default:
      return kRefused;
  }
}

}  // namespace

core::Result<Client> connect(const ClientArgs& args) {
  Endpoint endpoint;
  endpoint.timeout = std::chrono::seconds(args.timeout_s);
  endpoint.url = !args.url.empty() ? args.url : settings::environmentValue("JOBHOST_URL").value_or(endpoint.url);
  endpoint.key = args.key;
  std::string file = args.key_file;
  if (endpoint.key.empty() && file.empty()) {
    endpoint.key = settings::environmentValue("JOBHOST_KEY").value_or("");
    file = settings::environmentValue("JOBHOST_KEY_FILE").value_or("");
  }
  if (endpoint.key.empty()) {
    const auto key = firstLine(file.empty() ? kDefaultKeyFile : file);
    if (!key && !file.empty()) {
      return core::Error{.code = core::ErrorCode::InvalidArgument,
                         .message = "key file " + file + ": cannot be read",
                         .detail = {},
                         .fields = {}};
    }
    endpoint.key = key.value_or("");
  }
  return Client::open(std::move(endpoint));
}

int fail(const core::Error& error) {
  std::cerr << "jobhost: " << error.message << '\n';
  for (const auto& field : error.fields) std::cerr << "  " << field.pointer << ": " << field.message << '\n';
  return exitCode(error.code);
}

void printBody(const ClientArgs& args, const std::string& body) {
  std::cout << (args.json ? body : indented(body));
  if (body.empty() || body.back() != '\n') std::cout << '\n';
}

void printTable(std::ostream& out, const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], core::utf8Characters(row[i]));
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line += std::string(widths[i] - core::utf8Characters(row[i]) + 2, ' ');
    }
    out << line << '\n';
  }
}

}  // namespace jobhost::cli
