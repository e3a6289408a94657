#include "e2e/host_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <Poco/Exception.h>
#include <Poco/JSON/Parser.h>
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/StreamCopier.h>

#include "core/sanitized.hpp"

extern char** environ;

namespace jobhost::e2e {
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

namespace {

/// How long a wait may last: what the test says, and more where everything is slower.
Steady::time_point deadlineIn(std::chrono::seconds within) {
  return Steady::now() + within * (core::kSanitized ? 5 : 1);
}

}  // namespace

TempFolder::TempFolder() {
  std::string pattern = (fs::temp_directory_path() / "jobhost-e2e-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = pattern;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Poco::JSON::Object::Ptr Answer::json() const {
  try {
    return Poco::JSON::Parser().parse(body).extract<Poco::JSON::Object::Ptr>();
  } catch (const Poco::Exception&) {
    return nullptr;
  }
}

HostProcess::HostProcess(Options options) : options_(std::move(options)) {
  if (options_.plugins.empty()) options_.plugins.emplace_back(JOBHOST_TEST_PLUGIN_DIR);
  fs::create_directories(options_.data.parent_path());
}

HostProcess::~HostProcess() {
  if (pid_ > 0) killNow();
  if (stdout_ >= 0) close(stdout_);
}

bool HostProcess::start() {
  std::vector<std::string> words = options_.wrapper;
  words.insert(words.end(),
               {std::string(JOBHOST_BIN_DIR) + "/jobhost", "serve", "--data", options_.data.string(), "--port", "0"});
  for (const auto& folder : options_.plugins) words.insert(words.end(), {"--plugins", folder.string()});
  for (const auto& setting : options_.set) words.insert(words.end(), {"--set", setting});
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  int out[2];
  if (pipe2(out, O_CLOEXEC) != 0) return false;
  const std::string log_file = (options_.data.parent_path() / (options_.data.filename().string() + ".log")).string();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_addopen(&actions, 2, log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int failed = posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  if (stdout_ >= 0) close(stdout_);
  stdout_ = out[0];
  if (failed != 0) {
    pid_ = -1;
    return false;
  }

  std::string seen;
  const auto deadline = deadlineIn(options_.start_within);
  while (Steady::now() < deadline) {
    pollfd wait{stdout_, POLLIN, 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Steady::now()).count();
    if (poll(&wait, 1, static_cast<int>(std::max<long>(left, 0))) <= 0) break;
    char bytes[256];
    const auto n = read(stdout_, bytes, sizeof bytes);
    if (n <= 0) break;
    seen.append(bytes, static_cast<std::size_t>(n));
    const auto at = seen.find("jobhost ready http://");
    if (at == std::string::npos || seen.find('\n', at) == std::string::npos) continue;
    url_ = seen.substr(at + 14, seen.find('\n', at) - at - 14);
    port_ = std::stoi(url_.substr(url_.rfind(':') + 1));
    return true;
  }
  killNow();
  return false;
}

int HostProcess::wait() {
  if (pid_ <= 0) return -1;
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void HostProcess::terminate() const {
  if (pid_ > 0) kill(pid_, SIGTERM);  // kill(-1) is everybody
}

int HostProcess::stop() {
  terminate();
  return wait();
}

void HostProcess::killNow() {
  if (pid_ > 0) kill(pid_, SIGKILL);
  wait();
}

std::string HostProcess::log() const {
  std::ifstream in(options_.data.parent_path() / (options_.data.filename().string() + ".log"));
  std::stringstream all;
  all << in.rdbuf();
  return all.str();
}

std::string HostProcess::adminKey() const {
  std::ifstream in(options_.data / "keys" / "admin.key");
  std::string key;
  in >> key;
  return key;
}

Answer HostProcess::request(const std::string& method, const std::string& path, const std::string& body,
                            const std::map<std::string, std::string>& headers) const {
  Answer answer;
  try {
    Poco::Net::HTTPClientSession session("127.0.0.1", static_cast<Poco::UInt16>(port_));
    session.setTimeout(Poco::Timespan(90, 0));
    Poco::Net::HTTPRequest request(method, path, "HTTP/1.1");
    request.set("Authorization", "Bearer " + adminKey());
    if (method != "GET" && method != "HEAD") {
      request.setContentType("application/json");
      request.setContentLength64(static_cast<Poco::Int64>(body.size()));
    }
    for (const auto& [name, value] : headers) request.set(name, value);
    session.sendRequest(request) << body;
    Poco::Net::HTTPResponse response;
    auto& in = session.receiveResponse(response);
    Poco::StreamCopier::copyToString(in, answer.body);
    answer.status = response.getStatus();
    for (const auto& [name, value] : response) answer.headers[name] = value;
  } catch (const Poco::Exception&) {
    answer = Answer{};
  }
  return answer;
}

std::optional<std::int64_t> HostProcess::submit(const std::string& type, const std::string& params,
                                                const std::string& more_members) const {
  const auto answer = post("/api/v1/jobs", R"({"type":")" + type + R"(","params":)" + params + more_members + "}");
  if (answer.status != 201 && answer.status != 200) return std::nullopt;
  const auto object = answer.json();
  if (!object) return std::nullopt;
  return object->getValue<std::int64_t>("id");
}

namespace {

bool isTerminal(const std::string& state) {
  return state == "succeeded" || state == "failed" || state == "canceled";
}

// Reads an event stream until `stop` likes an event's name, the stream ends, or time is up.
bool followEvents(const HostProcess& host, std::int64_t id, std::chrono::seconds within,
                  const std::function<bool(const std::string&)>& stop) {
  const auto deadline = deadlineIn(within);
  while (Steady::now() < deadline) {
    try {
      Poco::Net::HTTPClientSession session("127.0.0.1", static_cast<Poco::UInt16>(host.port()));
      const auto left = std::chrono::duration_cast<std::chrono::seconds>(deadline - Steady::now()).count() + 1;
      session.setTimeout(Poco::Timespan(left, 0));
      Poco::Net::HTTPRequest request("GET", "/api/v1/jobs/" + std::to_string(id) + "/events", "HTTP/1.1");
      request.set("Authorization", "Bearer " + host.adminKey());
      request.set("Accept", "text/event-stream");
      request.set("Last-Event-ID", "0");
      session.sendRequest(request);
      Poco::Net::HTTPResponse response;
      auto& in = session.receiveResponse(response);
      if (response.getStatus() != 200) return false;
      std::string line;
      while (Steady::now() < deadline && std::getline(in, line)) {
        if (line.rfind("event:", 0) == 0) {
          auto name = line.substr(6);
          name.erase(0, name.find_first_not_of(' '));
          while (!name.empty() && (name.back() == '\r' || name.back() == ' ')) name.pop_back();
          if (stop(name)) return true;
        }
      }
      // The stream ends with the job, or because we were too slow a reader: then we come back.
      if (isTerminal(text(host.job(id), "state"))) return false;
    } catch (const Poco::Exception&) {
      if (kill(host.pid(), 0) != 0) return false;
    }
  }
  return false;
}

}  // namespace

Poco::JSON::Object::Ptr HostProcess::waitForEnd(std::int64_t id, std::chrono::seconds within) const {
  followEvents(*this, id, within, [](const std::string&) { return false; });
  auto found = job(id);
  if (!found) return nullptr;
  return isTerminal(text(found, "state")) ? found : nullptr;
}

bool HostProcess::waitForEvent(std::int64_t id, const std::string& event, std::chrono::seconds within) const {
  return followEvents(*this, id, within, [&](const std::string& name) { return name == event; });
}

Poco::JSON::Object::Ptr HostProcess::job(std::int64_t id) const {
  const auto answer = get("/api/v1/jobs/" + std::to_string(id));
  return answer.status == 200 ? answer.json() : nullptr;
}

std::vector<pid_t> HostProcess::otherProcesses() const {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto process = static_cast<pid_t>(std::stol(name));
    if (process == pid_ || process == getpid()) continue;
    for (const char* file : {"cmdline", "environ"}) {
      std::ifstream in(entry.path() / file, std::ios::binary);
      std::stringstream all;
      all << in.rdbuf();
      if (all.str().find(options_.data.string()) != std::string::npos) {
        found.push_back(process);
        break;
      }
    }
  }
  return found;
}

std::size_t HostProcess::openFiles() const {
  std::error_code failed;
  fs::directory_iterator all("/proc/" + std::to_string(pid_) + "/fd", failed);
  return failed ? 0 : static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

bool HostProcess::eventually(const std::function<bool()>& check, std::chrono::seconds within) {
  const auto deadline = deadlineIn(within);
  while (!check()) {
    if (Steady::now() >= deadline) return false;
    poll(nullptr, 0, 10);
  }
  return true;
}

std::string text(const Poco::JSON::Object::Ptr& object, const std::string& name) {
  if (!object || !object->has(name) || object->isNull(name)) return {};
  return object->get(name).convert<std::string>();
}

}  // namespace jobhost::e2e
