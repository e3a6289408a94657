#include "devtools/record.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>

namespace jobhost::devtools {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxInputBytes = std::size_t{64} << 20;
constexpr std::uintmax_t kMaxRecordBytes = std::uintmax_t{1} << 30;
constexpr int kFormat = 1;

std::string hexOf(const std::string& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

std::optional<std::string> bytesOf(std::string_view hex) {
  if (hex.size() % 2 != 0 || hex.find_first_not_of("0123456789abcdef") != std::string_view::npos) return std::nullopt;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    out.push_back(static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  return out;
}

core::Error wrong(const fs::path& file, const std::string& why) {
  return {core::ErrorCode::InvalidArgument, file.string() + ": " + why, {}, {}};
}

}  // namespace

core::Result<void> writeRecord(const fs::path& file, const Record& record) {
  std::size_t bytes = 0;
  Json inputs = Json::array();
  for (const auto& input : record.inputs) {
    bytes += input.bytes.size();
    if (bytes > kMaxInputBytes) {
      return core::Error{core::ErrorCode::TooLarge, "the inputs have over 64 MiB, too much for a record", {}, {}};
    }
    inputs.push(Json{{"name", input.name}, {"bytes", hexOf(input.bytes)}});
  }
  Json header{{"jobhost_record", kFormat},        {"type", record.type},
              {"params", record.params},          {"plugin", record.plugin_id},
              {"version", record.plugin_version}, {"config", record.config_json}};
  header.set("inputs", std::move(inputs));
  std::string text = header.dump() + "\n";
  for (const auto& call : record.calls) text += call.dump() + "\n";

  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  bool written = fd >= 0;
  for (std::size_t sent = 0; written && sent < text.size();) {
    const ssize_t n = ::write(fd, text.data() + sent, text.size() - sent);
    written = n > 0;
    if (written) sent += static_cast<std::size_t>(n);
  }
  const int why = errno;
  if (fd >= 0) ::close(fd);
  if (written) return {};
  return core::Error{core::ErrorCode::Unavailable, file.string() + ": " + std::strerror(why), {}, {}};
}

core::Result<Record> readRecord(const fs::path& file) {
  std::error_code error;
  if (!fs::is_regular_file(file, error)) {
    return core::Error{core::ErrorCode::NotFound, file.string() + ": there is no such file", {}, {}};
  }
  if (fs::file_size(file, error) > kMaxRecordBytes) {
    return core::Error{core::ErrorCode::TooLarge, file.string() + ": is over 1 GiB", {}, {}};
  }
  std::ifstream in(file, std::ios::binary);
  Record out;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    try {
      Json parsed = Json::parse(line);
      if (number > 1) {
        out.calls.push_back(std::move(parsed));
        continue;
      }
      if (parsed["jobhost_record"].intOr(0) != kFormat)
        return wrong(file, "is no record of a job, or one of a later format");
      out.type = parsed["type"].stringOr("");
      out.params = parsed["params"].stringOr("{}");
      out.plugin_id = parsed["plugin"].stringOr("");
      out.plugin_version = parsed["version"].stringOr("");
      out.config_json = parsed["config"].stringOr("{}");
      for (const auto& input : parsed["inputs"].items()) {
        auto bytes = bytesOf(input["bytes"].stringOr(""));
        const std::string name(input["name"].stringOr(""));
        if (!bytes || name.empty() || name.find('/') != std::string::npos)
          return wrong(file, "an input cannot be read");
        out.inputs.push_back({name, *std::move(bytes)});
      }
    } catch (const Error& bad) {
      return wrong(file, "line " + std::to_string(number) + ": " + bad.message());
    }
  }
  if (number == 0) return wrong(file, "is empty");
  return out;
}

std::string chromeTrace(const std::string& plugin, const std::string& type, const std::vector<Json>& watched) {
  Json events = Json::array();
  std::set<std::int64_t> threads;
  std::int64_t main_thread = 0;
  std::int64_t begun = 0;
  const auto add = [&](std::string_view name, const char* phase, std::int64_t at, std::int64_t thread) -> Json {
    return Json{{"name", name}, {"ph", phase}, {"ts", at}, {"pid", 1}, {"tid", thread}};
  };
  for (const auto& line : watched) {
    const auto step = line["s"].stringOr("");
    if (step == "begin") begun = line["t"].intOr(0);
    if (line["c"].isString()) {
      const auto thread = line["th"].intOr(0);
      if (main_thread == 0) main_thread = thread;
      threads.insert(thread);
      Json event = add(line["c"].stringOr(""), "X", line["t"].intOr(0), thread);
      event.set("dur", line["d"].intOr(0)).set("cat", "sdk");
      event.set("args", Json{{"result", line["r"]}, {"arguments", line["a"]}, {"error", line["e"].stringOr("")}});
      events.push(std::move(event));
    } else if (step == "cancel") {
      Json event = add("asked to stop", "i", line["t"].intOr(0), main_thread);
      events.push(event.set("s", "p"));
    } else if (step == "end") {
      Json event = add("run " + type, "X", begun, main_thread);
      event.set("dur", line["t"].intOr(0) - begun).set("cat", "job").set("args", Json{{"result", line["r"]}});
      events.push(std::move(event));
    }
  }
  events.push(
      Json{{"name", "process_name"}, {"ph", "M"}, {"ts", 0}, {"pid", 1}, {"tid", 0}, {"args", Json{{"name", plugin}}}});
  for (const auto thread : threads) {
    const std::string name = thread == main_thread ? "job" : "thread " + std::to_string(thread);
    events.push(Json{
        {"name", "thread_name"}, {"ph", "M"}, {"ts", 0}, {"pid", 1}, {"tid", thread}, {"args", Json{{"name", name}}}});
  }
  Json out{{"displayTimeUnit", "ms"}};
  out.set("traceEvents", std::move(events));
  return out.dump() + "\n";
}

}  // namespace jobhost::devtools
