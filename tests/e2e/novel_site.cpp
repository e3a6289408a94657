#include "e2e/novel_site.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <set>
#include <sstream>
#include <stdexcept>

#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPServer.h>
#include <Poco/Net/HTTPServerParams.h>
#include <Poco/Net/HTTPServerRequest.h>
#include <Poco/Net/HTTPServerRequestImpl.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/ThreadPool.h>

namespace jobhost::e2e {

namespace fs = std::filesystem;

namespace {

/// Shut until it is opened; who waits at it can be woken by the other end of a socket too.
class Gate {
 public:
  Gate() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe for the test's site");
  }
  ~Gate() {
    open();
    ::close(ends_[0]);
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void open() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  /// False: the client went first.
  [[nodiscard]] bool pass(int client) const {
    std::array<pollfd, 2> watched{pollfd{ends_[0], POLLIN, 0}, pollfd{client, POLLRDHUP, 0}};
    while (::poll(watched.data(), watched.size(), -1) < 0) {
    }
    return watched[0].revents != 0;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

struct Failure {
  int status = 500;
  int times = -1;
  std::map<std::string, std::string> headers;
};

std::string typeOf(const fs::path& file) {
  const auto ending = file.extension().string();
  if (ending == ".html") return "text/html";  // the pages say their encoding themselves
  if (ending == ".png") return "image/png";
  if (ending == ".css") return "text/css";
  if (ending == ".js") return "text/javascript";
  return "application/octet-stream";
}

}  // namespace

struct NovelSite::State {
  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  std::map<std::string, Page> pages;
  std::map<std::string, Failure> failures;
  std::map<std::string, std::shared_ptr<Gate>> gates;
  std::map<std::string, std::chrono::milliseconds> delays;
  std::map<std::string, int> counted, gone;
  std::vector<std::string> log;
  std::string agent;
  bool tags = false;
  bool closing = false;
  int now = 0;
  int most = 0;

  void arrived(const std::string& path, const std::string& from) {
    const std::lock_guard lock(mutex);
    ++counted[path];
    log.push_back(path);
    agent = from;
    most = std::max(most, ++now);
    changed.notify_all();
  }
  void served() {
    const std::lock_guard lock(mutex);
    --now;
  }
  /// False: the client is gone, or the site.
  bool waited(const std::string& path, int client) {
    std::shared_ptr<Gate> gate;
    {
      std::unique_lock lock(mutex);
      auto delay = delays.find(path);
      if (delay == delays.end()) delay = delays.find("");
      if (delay != delays.end()) {
        const auto span = delay->second;
        changed.wait_for(lock, span, [&] { return closing; });
      }
      if (closing) return false;
      const auto found = gates.find(path);
      if (found != gates.end()) gate = found->second;
    }
    if (!gate || gate->pass(client)) return true;
    const std::lock_guard lock(mutex);
    ++gone[path];
    changed.notify_all();
    return false;
  }
  Page answer(const std::string& path, const std::string& known_tag) {
    const std::lock_guard lock(mutex);
    const auto failure = failures.find(path);
    if (failure != failures.end() && failure->second.times != 0) {
      if (failure->second.times > 0) --failure->second.times;
      return {failure->second.status, "not now", "text/plain", failure->second.headers};
    }
    const auto found = pages.find(path);
    if (found == pages.end()) return {404, "there is nothing here", "text/plain", {}};
    Page page = found->second;
    if (tags && page.status == 200) {
      const std::string tag = '"' + std::to_string(std::hash<std::string>{}(page.body)) + '"';
      page.headers["ETag"] = tag;
      if (known_tag == tag) {
        page.status = 304;
        page.body.clear();
      }
    }
    return page;
  }
};

class NovelSite::Handler : public Poco::Net::HTTPRequestHandler {
 public:
  explicit Handler(State& state) : state_(state) {}

  void handleRequest(Poco::Net::HTTPServerRequest& request, Poco::Net::HTTPServerResponse& response) override {
    const std::string target = request.getURI();
    const std::string path = target.substr(0, target.find('?'));
    state_.arrived(path, request.get("User-Agent", ""));
    auto& socket = dynamic_cast<Poco::Net::HTTPServerRequestImpl&>(request).socket();
    if (state_.waited(path, socket.impl()->sockfd())) {
      const Page page = state_.answer(path, request.get("If-None-Match", ""));
      response.setStatusAndReason(static_cast<Poco::Net::HTTPResponse::HTTPStatus>(page.status));
      for (const auto& [name, value] : page.headers) response.set(name, value);
      if (page.status == 304) {
        response.setContentLength(0);
        response.send();
      } else {
        response.setContentType(page.type);
        response.sendBuffer(page.body.data(), page.body.size());
      }
    } else {
      response.setKeepAlive(false);
      socket.shutdown();
    }
    state_.served();
  }

 private:
  State& state_;
};

class NovelSite::Factory : public Poco::Net::HTTPRequestHandlerFactory {
 public:
  explicit Factory(std::shared_ptr<State> state) : state_(std::move(state)) {}
  Poco::Net::HTTPRequestHandler* createRequestHandler(const Poco::Net::HTTPServerRequest&) override {
    return new Handler(*state_);
  }

 private:
  std::shared_ptr<State> state_;
};

struct NovelSite::Server {
  Poco::Net::ServerSocket socket{Poco::Net::SocketAddress("127.0.0.1", 0), 128};
  Poco::ThreadPool threads{4, 64};
  std::unique_ptr<Poco::Net::HTTPServer> http;
};

NovelSite::NovelSite() : state_(std::make_shared<State>()), server_(std::make_unique<Server>()) {
  auto* params = new Poco::Net::HTTPServerParams;  // the server's
  params->setKeepAlive(true);
  params->setMaxThreads(64);
  params->setMaxQueued(256);
  server_->http =
      std::make_unique<Poco::Net::HTTPServer>(new Factory(state_), server_->threads, server_->socket, params);
  server_->http->start();
}

NovelSite::~NovelSite() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->closing = true;
    for (auto& [path, gate] : state_->gates) gate->open();
    state_->changed.notify_all();
  }
  server_->http->stopAll(true);
  server_->threads.joinAll();
}

int NovelSite::port() const {
  return server_->socket.address().port();
}

std::string NovelSite::url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port()) + path;
}

void NovelSite::put(const std::string& path, Page page) {
  const std::lock_guard lock(state_->mutex);
  state_->pages[path] = std::move(page);
}

void NovelSite::remove(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  state_->pages.erase(path);
}

void NovelSite::putBook(const std::string& folder, const Book& book) {
  std::string list;
  for (const auto& chapter : book.chapters) {
    list += "<li><a href=\"" + chapter.name + "\">" + chapter.title + "</a></li>\n";
    put(folder + chapter.name,
        {.body = "<!DOCTYPE html>\n<html lang=\"en\"><head><title>" + chapter.title + "</title></head><body><h1>" +
                 chapter.title + "</h1><div class=\"ad\">Buy a boat</div><div id=\"text\">" + chapter.html +
                 "</div></body></html>\n"});
  }
  put(folder,
      {.body =
           "<!DOCTYPE html>\n<html lang=\"en\"><head><title>" + book.title + "</title></head><body><h1>" + book.title +
           "</h1>" + (book.cover.empty() ? "" : "<p class=\"cover\"><img src=\"" + book.cover + "\"></p>") +
           "<p class=\"by\"><a href=\"/who\">" + book.author + "</a></p><p class=\"tags\"><a href=\"/t\">" + book.tag +
           "</a></p><div class=\"about\">" + book.about + "</div><ol class=\"toc\">" + list + "</ol></body></html>\n"});
}

void NovelSite::putFiles(const std::string& prefix, const fs::path& folder) {
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::ostringstream bytes;
    bytes << in.rdbuf();
    put(prefix + entry.path().lexically_relative(folder).generic_string(),
        {.body = bytes.str(), .type = typeOf(entry.path())});
  }
}

std::string NovelSite::bookSpec() const {
  return "spec: 1\nbase_url: " + url() + R"(
language: en
rate_limit: 0
novel:
  title: { css: h1 }
  cover: { css: .cover img, attr: src }
  authors: { css: .by a, all: true }
  tags: { css: .tags a, all: true }
  synopsis: { css: .about }
toc:
  request: { page: novel }
  items:
    css: "ol.toc li a"
    fields:
      title: {}
      url: { attr: href }
chapter:
  body: { css: "#text" }
)";
}

void NovelSite::fail(const std::string& path, int status, int times, std::map<std::string, std::string> headers) {
  const std::lock_guard lock(state_->mutex);
  state_->failures[path] = {status, times, std::move(headers)};
}

void NovelSite::recover(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  state_->failures.erase(path);
}

void NovelSite::hold(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  state_->gates[path] = std::make_shared<Gate>();
}

void NovelSite::release(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->gates.find(path);
  if (found == state_->gates.end()) return;
  found->second->open();  // those who wait have it still
  state_->gates.erase(found);
}

void NovelSite::slow(const std::string& path, std::chrono::milliseconds delay) {
  const std::lock_guard lock(state_->mutex);
  state_->delays[path] = delay;
}

void NovelSite::useTags(bool on) {
  const std::lock_guard lock(state_->mutex);
  state_->tags = on;
}

bool NovelSite::asked(const std::string& path, int times, std::chrono::seconds within) const {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, within, [&] { return state_->counted[path] >= times; });
}

bool NovelSite::left(const std::string& path, std::chrono::seconds within) const {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, within, [&] { return state_->gone[path] > 0; });
}

int NovelSite::count(const std::string& path) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->counted.find(path);
  return found == state_->counted.end() ? 0 : found->second;
}

std::map<std::string, int> NovelSite::counts() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counted;
}

std::vector<std::string> NovelSite::requests() const {
  const std::lock_guard lock(state_->mutex);
  return state_->log;
}

int NovelSite::mostAtOnce() const {
  const std::lock_guard lock(state_->mutex);
  return state_->most;
}

std::string NovelSite::agent() const {
  const std::lock_guard lock(state_->mutex);
  return state_->agent;
}

fs::path policyManual() {
  fs::path folder = "/usr/share/doc/debian-policy/policy.html";
  if (!fs::exists(folder / "ch-scope.html")) {
    throw std::runtime_error("there is no " + folder.string() +
                             ": install debian-policy with its documentation (./dev test does)");
  }
  return folder;
}

std::string policySpec(const std::string& base_url) {
  return "spec: 1\nbase_url: " + base_url + R"(
language: en
rate_limit: 0
chapters_per_volume: 12
novel:
  title: { css: .body h1, pipe: [ { strip_css: [.headerlink] }, text, trim ] }
  authors: { const: The Debian Policy mailing list }
  synopsis:
    css: "#debian-policy-manual"
    pipe: [ { strip_css: [h1, .toctree-wrapper] }, paragraphs ]
toc:
  request: { page: novel }
  items:
    css: li.toctree-l1 > a
    fields:
      title: { pipe: [ text, { regex: { pattern: '^[0-9]+[.] (.*)$', group: 1 } }, trim ] }
      url: { attr: href }
chapter:
  body:
    css: .body section
    pipe: [ { strip_css: [h1, .headerlink] }, paragraphs ]
)";
}

}  // namespace jobhost::e2e
