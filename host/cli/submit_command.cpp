#include <Poco/JSON/Parser.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "cli/job_commands.hpp"
#include "cli/json.hpp"

namespace jobhost::cli {
namespace {

core::Error usage(std::string message) {
  return {.code = core::ErrorCode::InvalidArgument, .message = std::move(message), .detail = {}, .fields = {}};
}

core::Result<std::string> readParams(const std::string& given) {
  if (given.empty()) return std::string("{}");
  std::ostringstream text;
  if (given == "-") {
    text << std::cin.rdbuf();
  } else if (given.front() == '@') {
    std::ifstream in(given.substr(1), std::ios::binary);
    if (!in) return usage("--params " + given + ": the file cannot be read");
    text << in.rdbuf();
  } else {
    return given;
  }
  return text.str();
}

/// The params object with each name=value put into it.
core::Result<std::string> withParams(const std::string& text, const std::vector<std::string>& pairs) {
  if (pairs.empty()) return text;
  std::string inside = text.substr(text.find('{') + 1);
  inside = inside.substr(0, inside.rfind('}'));
  const bool empty = inside.find_first_not_of(" \t\r\n") == std::string::npos;
  std::string out = "{" + inside;
  bool first = empty;
  for (const auto& pair : pairs) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) return usage("--param " + pair + ": must be name=value");
    const std::string value = pair.substr(equals + 1);
    out += (first ? "" : ",") + jsonString(pair.substr(0, equals)) + ":" + (isJson(value) ? value : jsonString(value));
    first = false;
  }
  return out + "}";
}

}  // namespace

core::Result<std::string> submitBody(const SubmitArgs& args, const std::string& params_text,
                                     const std::string& input_id) {
  if (!parseObject(params_text)) return usage("--params: must be a JSON object");
  const auto params = withParams(params_text, args.param);
  if (!params) return params.error();
  std::string body = "{\"type\":" + jsonString(args.type) + ",\"params\":" + *params;
  const auto add = [&](const char* name, const std::string& json) { body += ",\"" + std::string(name) + "\":" + json; };
  const auto addText = [&](const char* name, const std::string& text) {
    if (!text.empty()) add(name, jsonString(text));
  };
  if (args.priority) add("priority", std::to_string(*args.priority));
  if (args.delay_s) add("delay_ms", std::to_string(static_cast<std::int64_t>(*args.delay_s * 1000)));
  if (args.max_attempts) add("max_attempts", std::to_string(*args.max_attempts));
  if (args.timeout_s) add("timeout_ms", std::to_string(static_cast<std::int64_t>(*args.timeout_s * 1000)));
  if (!args.tags.empty()) {
    std::string tags;
    for (const auto& tag : args.tags) tags += (tags.empty() ? "" : ",") + jsonString(tag);
    add("tags", "[" + tags + "]");
  }
  addText("queue_key", args.queue_key);
  addText("unique_key", args.unique_key);
  addText("batch", args.batch);
  addText("input_id", input_id);
  return body + "}";
}

int submit(const SubmitArgs& args) {
  const auto params = readParams(args.params);
  if (!params) return fail(params.error()), kUsage;
  if (const auto checked = submitBody(args, *params, {}); !checked) return fail(checked.error()), kUsage;
  for (const auto& input : args.inputs) {
    std::error_code code;
    const bool readable = std::filesystem::is_regular_file(input, code) && std::ifstream(input, std::ios::binary);
    if (!readable) return fail(usage("--input " + input + ": the file cannot be read")), kUsage;
  }
  auto client = connect(args.client);
  if (!client) return fail(client.error()), kUsage;

  std::string input_id;
  if (!args.inputs.empty()) {
    auto uploaded = client->upload({args.inputs.begin(), args.inputs.end()});
    if (!uploaded) return fail(uploaded.error());
    input_id = *uploaded;
  }
  const auto body = submitBody(args, *params, input_id);
  Client::Headers headers;
  if (!args.idempotency_key.empty()) headers.emplace_back("Idempotency-Key", args.idempotency_key);
  const auto answer = client->send("POST", "/api/v1/jobs", *body, headers);
  if (!answer) return fail(answer.error());
  const auto made = parseObject(answer->body);
  const auto id = numberAt(made, "id");
  if (!id) {
    std::cerr << "jobhost: the host answered no job id\n";
    return kHostError;
  }
  if (textAt(made, "waiting_for") == "plugin") {
    std::cerr << "jobhost: no plugin runs " << args.type << " now; the job waits until one does\n";
  }
  if (args.wait) return watchJob(*client, static_cast<std::int64_t>(*id), args.client.json);
  if (args.client.json) {
    printBody(args.client, answer->body);
  } else {
    std::cout << static_cast<std::int64_t>(*id) << '\n';
  }
  return kOk;
}

}  // namespace jobhost::cli
