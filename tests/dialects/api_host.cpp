#include "dialects/api_host.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <future>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/json_reader.hpp"
#include "dialects/response_check.hpp"

namespace jobhost::test {
namespace {

constexpr int kWaitMillis = 90'000;

catalog::JobTypeInfo type(std::string name, std::string schema, std::vector<std::string> positional) {
  catalog::JobTypeInfo info;
  info.name = std::move(name);
  info.title = info.name;
  info.params_schema_json = std::move(schema);
  info.positional = std::move(positional);
  return info;
}

core::Result<void> noPlugin(const std::string& id) {
  return core::Error{core::ErrorCode::NotFound, "there is no plugin " + id, "", {}};
}

}  // namespace

Wire::Wire(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
}

Wire::~Wire() {
  ::close(fd_);
}

/// Remembers the requests in what is sent, so that answers can be held against what the document says of them.
void Wire::noteRequests(const std::string& bytes) {
  sent_ += bytes;
  while (!lost_) {
    const auto end = sent_.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const auto head = sent_.substr(0, end + 2);
    const auto first = head.find(' ');
    const auto second = first == std::string::npos ? first : head.find(' ', first + 1);
    if (second == std::string::npos || head[first + 1] != '/' || head.find("Transfer-Encoding") != std::string::npos) {
      lost_ = true;  // what no client should send, or a body whose end is not looked for here
      return;
    }
    std::size_t length = 0;
    if (const auto at = head.find("Content-Length: "); at != std::string::npos) {
      length = static_cast<std::size_t>(std::atoll(head.c_str() + at + 16));
    }
    if (sent_.size() < end + 4 + length) return;
    requests_.emplace_back(head.substr(0, first), head.substr(first + 1, second - first - 1));
    sent_.erase(0, end + 4 + length);
  }
}

void Wire::check(const Answer& answer) {
  if (answer.status < 200 || requests_.empty()) return;
  const auto [method, target] = requests_.front();
  requests_.pop_front();
  const auto type = answer.headers.find("content-type");
  const auto coding = answer.headers.find("content-encoding");
  const auto body = coding == answer.headers.end() ? answer.body : gunzip(answer.body);
  const auto fault = ResponseCheck::ofAllDialects().faultOf(
      {method, target, answer.status, type == answer.headers.end() ? std::string_view{} : type->second, body});
  EXPECT_EQ(fault, "") << method << " " << target;
}

void Wire::send(const std::string& bytes) {
  noteRequests(bytes);
  std::size_t at = 0;
  while (at < bytes.size()) {
    const auto sent = ::send(fd_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
    if (sent <= 0) return;  // the server may refuse before it has read everything
    at += static_cast<std::size_t>(sent);
  }
}

bool Wire::more() {
  pollfd entry{fd_, POLLIN, 0};
  if (::poll(&entry, 1, kWaitMillis) <= 0) {
    ADD_FAILURE() << "nothing came within the deadline; so far: " << buffer_.substr(0, 500);
    return false;
  }
  char piece[65536];
  const auto got = ::recv(fd_, piece, sizeof piece, 0);
  if (got <= 0) return false;
  buffer_.append(piece, static_cast<std::size_t>(got));
  return true;
}

Answer Wire::receive(bool head_only) {
  Answer answer;
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!more()) return answer;
  }
  answer.status = std::atoi(buffer_.substr(9, 3).c_str());
  std::size_t at = buffer_.find("\r\n") + 2;
  while (at < end + 2) {
    const auto stop = buffer_.find("\r\n", at);
    auto line = buffer_.substr(at, stop - at);
    const auto colon = line.find(": ");
    std::string name = line.substr(0, colon);
    for (auto& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    answer.headers[name] = line.substr(colon + 2);
    at = stop + 2;
  }
  buffer_.erase(0, end + 4);
  const auto found = answer.headers.find("content-length");
  const std::size_t length = found == answer.headers.end() || head_only ? 0 : std::stoul(found->second);
  while (buffer_.size() < length) {
    if (!more()) break;
  }
  if (answer.headers.count("transfer-encoding") != 0 && !head_only) {
    answer.body = takeChunked();
  } else {
    answer.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
  }
  check(answer);
  answer.closed = answer.headers.count("connection") != 0 && answer.headers["connection"] == "close";
  return answer;
}

std::string Wire::takeChunked() {
  std::string body;
  for (;;) {
    std::size_t line = 0;
    while ((line = buffer_.find("\r\n")) == std::string::npos) {
      if (!more()) return body;
    }
    const auto size = static_cast<std::size_t>(std::strtoull(buffer_.c_str(), nullptr, 16));
    while (buffer_.size() < line + 2 + size + 2) {
      if (!more()) return body;
    }
    body.append(buffer_, line + 2, size);
    buffer_.erase(0, line + 2 + size + 2);
    if (size == 0) return body;
  }
}

std::string Wire::readUntil(const std::string& mark) {
  std::size_t found = 0;
  while ((found = buffer_.find(mark)) == std::string::npos) {
    if (!more()) return std::exchange(buffer_, {});
  }
  auto text = buffer_.substr(0, found + mark.size());
  buffer_.erase(0, found + mark.size());
  return text;
}

bool Wire::atEnd() {
  pollfd entry{fd_, POLLIN, 0};
  char piece[4096];
  while (::poll(&entry, 1, kWaitMillis) > 0) {
    if (::recv(fd_, piece, sizeof piece, 0) <= 0) return true;
  }
  return false;
}

api::Accounts::Options ApiHost::cheapAccounts() {
  api::Accounts::Options options;
  options.hashing.cost = {64, 1, 1};
  return options;
}

ApiHost::ApiHost(api::ServerOptions options, jobs::SubmitLimits limits, api::Accounts::Options accounts) {
  static std::atomic<int> count{0};
  folder_ = std::filesystem::temp_directory_path() /
            ("jobhost-api-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
  std::filesystem::create_directories(folder_);
  catalog_.addTypeForTest(type("echo", R"({"type":"object"})", {}));
  catalog_.addTypeForTest(type(
      "resize",
      R"({"type":"object","additionalProperties":false,"required":["width"],"properties":{"width":{"type":"integer","minimum":1,"maximum":100},"name":{"type":"string"}}})",
      {"width", "name"}));
  catalog_.addTypeForTest(type("page_thumbnails", R"({"type":"object"})", {"id", "force"}));
  catalog_.addTypeForTest(type("find_duplicates", R"({"type":"object"})", {"threshold"}));
  catalog_.addTypeForTest(type("build_stat_hashes", R"({"type":"object"})", {}));
  store::SqliteStore::Options where;
  where.path = (folder_ / "jobhost.db").string();
  where.synchronous_full = false;
  auto opened = store::SqliteStore::open(where, clock_);
  EXPECT_TRUE(opened) << (opened ? "" : opened.error().message + opened.error().detail);
  store_ = *std::move(opened);
  store_->setEventHook([this](std::span<const core::JobEvent> events) { bus_.publish(events); });
  store_->setClaimHook([this](store::ClaimBatch batch) {
    std::lock_guard lock(mutex_);
    seen_ = batch.generation;
    for (auto& job : batch.jobs) claims_.push_back(std::move(job));
    claimed_.notify_all();
  });
  jobs_ = std::make_unique<jobs::JobService>(*store_, catalog_, clock_, jobs::JobService::Options{limits, folder_});
  keys_ = std::make_unique<api::KeyRing>(*store_, clock_);
  accounts_ = std::make_unique<api::Accounts>(api::Accounts::Parts{*store_, *store_, *keys_, clock_}, accounts);
  EXPECT_TRUE(accounts_->load());
  EXPECT_TRUE(keys_->load());
  const auto file = api::ensureAdminKey(folder_, *keys_);
  EXPECT_TRUE(file);
  std::ifstream(*file) >> admin_key_;
  options.port = 0;
  options.data_folder = folder_;
  deps_ = std::make_unique<api::Deps>(api::Deps{*jobs_,
                                                bus_,
                                                catalog_,
                                                *keys_,
                                                *accounts_,
                                                *store_,
                                                clock_,
                                                [this] { return store_->check(); },
                                                {},
                                                {},
                                                noPlugin,
                                                noPlugin});
  deps_->archive = [this](const std::string& id) -> std::optional<std::string> {
    std::lock_guard lock(mutex_);
    const auto found = archives_.find(id);
    return found == archives_.end() ? std::nullopt : std::optional(found->second);
  };
  deps_->records = store_.get();
  deps_->hold_types = [this](std::vector<std::string> types) {
    std::lock_guard lock(mutex_);
    held_ = std::move(types);
  };
  deps_->put_back_types = [this](std::vector<std::string> types) {
    std::lock_guard lock(mutex_);
    put_back_ = std::move(types);
  };
  server_ = std::make_unique<api::Server>(*deps_, options);
  const auto started = server_->start();
  EXPECT_TRUE(started) << (started ? "" : started.error().message);
}

ApiHost::~ApiHost() {
  server_.reset();
  table_.reset();
  lncrawl_.reset();
  idle_hub_.reset();
  jobs_.reset();
  store_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

Answer ApiHost::bare(const std::string& method, const std::string& target, const std::string& body,
                     const std::string& headers) {
  Wire wire(port());
  std::string request = method + " " + target + " HTTP/1.1\r\nHost: t\r\nConnection: close\r\n" + headers;
  if (!body.empty() || method == "POST") request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  wire.send(request + "\r\n" + body);
  return wire.receive(method == "HEAD");
}

Answer ApiHost::call(const std::string& method, const std::string& target, const std::string& body,
                     const std::string& headers) {
  return bare(method, target, body, "Authorization: Bearer " + admin_key_ + "\r\n" + headers);
}

void ApiHost::addType(const std::string& name, std::vector<std::string> positional) {
  catalog_.addTypeForTest(type(name, R"({"type":"object"})", std::move(positional)));
}

void ApiHost::setAvailable(const std::string& name, bool available) {
  const auto entry = catalog_.findType(name);
  ASSERT_TRUE(entry) << name;
  auto info = entry->info;
  info.available = available;
  info.unavailable_reason = available ? "" : "the plugin was removed";
  catalog_.addTypeForTest(std::move(info));
}

void ApiHost::addArchive(const std::string& id, const std::string& record_json) {
  std::lock_guard lock(mutex_);
  archives_[id] = record_json;
}

const std::vector<api::Route>& ApiHost::routes() {
  if (!table_) {
    idle_hub_ = std::make_unique<api::SseHub>(
        api::SseHub::Parts{*jobs_, bus_, [](const core::Job&) { return std::string(); }}, defaults_.sse);
    table_ = std::make_unique<api::native::NativeDialect>(api::native::Parts{*deps_, defaults_, *idle_hub_, openapi_});
  }
  return table_->routes().rows();
}

std::vector<std::string> ApiHost::heldTypes() {
  std::lock_guard lock(mutex_);
  return held_;
}

std::vector<std::string> ApiHost::putBackTypes() {
  std::lock_guard lock(mutex_);
  return put_back_;
}

const std::vector<api::Route>& ApiHost::lncrawlRoutes() {
  if (!lncrawl_) {
    defaults_.data_folder = folder_;
    lncrawl_ = std::make_unique<api::lncrawl::LncrawlDialect>(*deps_, defaults_);
  }
  return lncrawl_->routes().rows();
}

std::vector<std::string> ApiHost::nativeRoutes() {
  std::vector<std::string> rows;
  for (const auto& row : routes()) rows.push_back(std::string(api::toString(row.method)) + " " + row.pattern);
  return rows;
}

std::string memberOf(const std::string& body, const std::string& name) {
  const auto document = api::parseJson(body);
  EXPECT_TRUE(document) << body;
  if (!document) return {};
  std::vector<core::FieldError> errors;
  const auto text = api::JsonObject(*document, "", errors).string(name);
  EXPECT_TRUE(text) << name << " in " << body;
  return text.value_or("");
}

std::string ApiHost::addUser(const std::string& name, const std::string& role) {
  const auto answer =
      call("POST", "/api/v1/users",
           R"({"name":")" + name + R"(","password":"correct horse )" + name + R"(","role":")" + role + R"("})");
  EXPECT_EQ(answer.status, 201) << answer.body;
  return memberOf(answer.body, "id");
}

std::string ApiHost::logIn(const std::string& name) {
  const auto answer =
      bare("POST", "/api/v1/auth/login", R"({"name":")" + name + R"(","password":"correct horse )" + name + R"("})");
  EXPECT_EQ(answer.status, 200) << answer.body;
  const auto cookie = answer.headers.find("set-cookie");
  if (cookie == answer.headers.end()) return {};
  return "Cookie: " + cookie->second.substr(0, cookie->second.find(';')) +
         "\r\nX-CSRF-Token: " + memberOf(answer.body, "csrf_token") + "\r\n";
}

std::string ApiHost::addKey(const std::string& description) {
  const auto answer = call("POST", "/api/v1/keys", description);
  EXPECT_EQ(answer.status, 201) << answer.body;
  return memberOf(answer.body, "key");
}

std::int64_t ApiHost::submit(const std::string& job_type, const std::string& params) {
  const auto answer = call("POST", "/api/v1/jobs", R"({"type":")" + job_type + R"(","params":)" + params + "}");
  EXPECT_EQ(answer.status, 201) << answer.body;
  const auto at = answer.body.find("\"id\":");
  return at == std::string::npos ? 0 : std::atoll(answer.body.c_str() + at + 5);
}

std::int64_t ApiHost::submitAs(const std::string& owner, const std::string& unique_key) {
  jobs::JobRequest request;
  request.draft.type = "echo";
  request.draft.owner = owner;
  request.draft.unique_key = unique_key;
  const auto submitted = jobs_->submit(std::move(request));
  EXPECT_TRUE(submitted);
  return submitted ? submitted->id.value : 0;
}

std::string ApiHost::addBatchAs(const std::string& owner) {
  std::vector<jobs::JobRequest> requests(1);
  requests[0].draft.type = "echo";
  requests[0].draft.owner = owner;
  const auto made = jobs_->submitBatch("theirs", owner, std::move(requests));
  EXPECT_TRUE(made);
  return made ? made->id : std::string();
}

store::ClaimedJob ApiHost::start(std::int64_t id) {
  const auto job = jobs_->get({id});
  EXPECT_TRUE(job);
  std::unique_lock lock(mutex_);
  store::ClaimRequest request;
  request.generation = ++generation_;
  request.seen = seen_;
  request.quotas = {{job->type, 1}};
  request.total = 1;
  lock.unlock();
  store_->claim(request);
  lock.lock();
  EXPECT_TRUE(claimed_.wait_for(lock, std::chrono::milliseconds(kWaitMillis), [&] { return !claims_.empty(); }));
  auto claimed = claims_.back();
  claims_.clear();
  EXPECT_EQ(claimed.id.value, id);
  return claimed;
}

void ApiHost::settle(const store::ClaimedJob& job, store::OutcomeKind kind, const std::string& result,
                     std::optional<core::JobError> error, std::vector<core::Output> outputs) {
  store::AttemptOutcome outcome;
  outcome.id = job.id;
  outcome.lease = job.lease;
  outcome.kind = kind;
  outcome.result_json = result;
  outcome.error = std::move(error);
  outcome.started_at = clock_.now();
  outcome.finished_at = clock_.now();
  outcome.retry_at = clock_.now() + std::chrono::seconds(15);
  outcome.outputs = std::move(outputs);
  std::promise<void> done;
  store_->settle({outcome}, [&](core::Result<std::vector<store::Settled>> settled) {
    EXPECT_TRUE(settled && settled->front().applied);
    done.set_value();
  });
  done.get_future().get();
}

void ApiHost::progress(const store::ClaimedJob& job, const core::Progress& progress) {
  store::AttemptUpdate update;
  update.id = job.id;
  update.lease = job.lease;
  update.progress = progress;
  std::promise<void> done;
  store_->update({update}, [&](const core::Result<void>& stored) {
    EXPECT_TRUE(stored);
    done.set_value();
  });
  done.get_future().get();
}

void ApiHost::note(const store::ClaimedJob& job, const std::string& key, const std::string& value_json) {
  store::AttemptUpdate update;
  update.id = job.id;
  update.lease = job.lease;
  update.notes = {{key, value_json}};
  std::promise<void> done;
  store_->update({update}, [&](core::Result<void> updated) {
    EXPECT_TRUE(updated);
    done.set_value();
  });
  done.get_future().get();
}

}  // namespace jobhost::test
