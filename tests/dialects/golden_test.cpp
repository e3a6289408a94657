#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include "api/encoding.hpp"
#include "dialects/api_host.hpp"

namespace jobhost::test {
namespace {

/// A golden file is a list of exchanges:
///   ### what it shows
///   > POST /api/v1/jobs          (head lines, then an empty "> " line and the body, if any)
///   < 201                        (status)
///   < location: …                (headers that must be there, lower case)
///   < !location                  (headers that must not)
///   < {"id":{{int}}}             (the body; absent: not looked at)
///   = token "csrf_token":"(.*?)" (from here on {{token}} stands for what the group matched in the answer, whose header
///                                 lines, lower case, stand before its body)
///   @ 1500                       (before the request the clock moves by so many milliseconds)
/// {{key}} and {{key64}} stand for the admin key; {{any}} and {{int}} match what varies. The exchanges of a file run in
/// order against one fresh host, each on a connection of its own.
struct Exchange {
  std::string title, method, request, body, expected_body;
  int status = 0;
  int advance_ms = 0;
  std::vector<std::string> expected_headers;
  std::vector<std::string> absent_headers;
  std::vector<std::pair<std::string, std::string>> taken;  ///< name, pattern
};

void replaceAll(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

std::vector<Exchange> readGolden(const std::filesystem::path& file, const std::string& key) {
  std::ifstream in(file);
  std::vector<Exchange> exchanges;
  std::string line;
  bool in_body = false;
  while (std::getline(in, line)) {
    replaceAll(line, "{{key}}", key);
    replaceAll(line, "{{key64}}", api::toBase64(key));
    if (line.starts_with("### ")) {
      exchanges.push_back({});
      exchanges.back().title = line.substr(4);
      in_body = false;
      continue;
    }
    if (exchanges.empty()) continue;
    auto& exchange = exchanges.back();
    if (line == ">" || line == "> ") {
      in_body = true;
    } else if (line.starts_with("> ")) {
      if (in_body) {
        exchange.body += line.substr(2);
      } else if (exchange.method.empty()) {
        exchange.method = line.substr(2, line.find(' ', 2) - 2);
        exchange.request = line.substr(2) + " HTTP/1.1\r\nHost: golden\r\nConnection: close\r\n";
      } else {
        exchange.request += line.substr(2) + "\r\n";
      }
    } else if (line.starts_with("@ ")) {
      exchange.advance_ms = std::stoi(line.substr(2));
    } else if (line.starts_with("= ")) {
      const auto blank = line.find(' ', 2);
      exchange.taken.emplace_back(line.substr(2, blank - 2), line.substr(blank + 1));
    } else if (line.starts_with("< ")) {
      const auto text = line.substr(2);
      if (exchange.status == 0) {
        exchange.status = std::stoi(text);
      } else if (text.starts_with('!')) {
        exchange.absent_headers.push_back(text.substr(1));
      } else if (std::regex_match(text, std::regex("^[a-z-]+: .*"))) {
        exchange.expected_headers.push_back(text);
      } else {
        exchange.expected_body += text;
      }
    }
  }
  return exchanges;
}

std::regex pattern(const std::string& expected) {
  std::string escaped;
  for (const char c : expected) {
    if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  replaceAll(escaped, "\\{\\{any\\}\\}", ".*");
  replaceAll(escaped, "\\{\\{int\\}\\}", "[0-9]+");
  return std::regex(escaped);
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, AnswersAsWritten) {
  api::ServerOptions options;
  if (GetParam().find("literal") != std::string::npos) options.minion.literal_unknown_id = true;
  if (GetParam().find("open_mode") != std::string::npos) options.minion.open = true;
  if (GetParam().find("no_fun") != std::string::npos) options.minion.no_fun = true;
  if (GetParam().find("cors") != std::string::npos) options.minion.cors = true;
  if (GetParam().find("no_query_key") != std::string::npos) options.minion.query_key = false;
  if (GetParam().find("prefix") != std::string::npos) options.minion.base_url_path = "/reader";
  ApiHost host(options);
  const auto file = std::filesystem::path(JOBHOST_SOURCE_DIR) / "tests" / "dialects" / GetParam();
  const auto exchanges = readGolden(file, host.adminKey());
  ASSERT_FALSE(exchanges.empty()) << file;
  std::map<std::string, std::string> known;
  for (auto exchange : exchanges) {
    SCOPED_TRACE(exchange.title);
    const auto fill = [&](std::string& text) {
      for (const auto& [name, value] : known) replaceAll(text, "{{" + name + "}}", value);
    };
    fill(exchange.request);
    fill(exchange.body);
    fill(exchange.expected_body);
    for (auto& header : exchange.expected_headers) fill(header);
    host.clock().advance(std::chrono::milliseconds(exchange.advance_ms));
    Wire wire(host.port());
    auto request = exchange.request;
    if (!exchange.body.empty()) request += "Content-Length: " + std::to_string(exchange.body.size()) + "\r\n";
    wire.send(request + "\r\n" + exchange.body);
    const auto answer = wire.receive(exchange.method == "HEAD");
    EXPECT_EQ(answer.status, exchange.status) << answer.body;
    for (const auto& header : exchange.expected_headers) {
      const auto colon = header.find(": ");
      const auto found = answer.headers.find(header.substr(0, colon));
      ASSERT_NE(found, answer.headers.end()) << header;
      EXPECT_TRUE(std::regex_match(found->second, pattern(header.substr(colon + 2))))
          << header << " is " << found->second;
    }
    for (const auto& header : exchange.absent_headers) EXPECT_EQ(answer.headers.count(header), 0U) << header;
    if (!exchange.expected_body.empty()) {
      EXPECT_TRUE(std::regex_match(answer.body, pattern(exchange.expected_body)))
          << "expected " << exchange.expected_body << "\n     got " << answer.body;
    }
    if (exchange.taken.empty()) continue;
    std::string text;
    for (const auto& [name, value] : answer.headers) text += name + ": " + value + "\n";
    text += answer.body;
    for (const auto& [name, wanted] : exchange.taken) {
      std::smatch match;
      ASSERT_TRUE(std::regex_search(text, match, std::regex(wanted))) << name << ": " << wanted << " in " << text;
      known[name] = match[1];
    }
  }
}

std::vector<std::string> goldenFiles() {
  std::vector<std::string> files;
  const auto root = std::filesystem::path(JOBHOST_SOURCE_DIR) / "tests" / "dialects";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().extension() == ".http") files.push_back(std::filesystem::relative(entry.path(), root).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

INSTANTIATE_TEST_SUITE_P(Dialects, Golden, testing::ValuesIn(goldenFiles()), [](const auto& one) {
  std::string name = one.param.substr(0, one.param.size() - 5);
  for (auto& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
});

}  // namespace
}  // namespace jobhost::test
