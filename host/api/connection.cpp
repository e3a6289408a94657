#include "api/connection.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>

#include <Poco/Exception.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/auth/client_address.hpp"
#include "api/content_coding.hpp"
#include "api/encoding.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace jobhost::api {
namespace {

constexpr std::size_t kCopiedBody = 16 * 1024;          ///< smaller bodies are copied behind the head: one buffer
constexpr std::int64_t kDiscardedBody = 256 * 1024;     ///< an unread body up to this is taken to keep the connection
constexpr auto kDiscardTime = std::chrono::seconds(1);  ///< and when it comes within this

std::int64_t steadyMillis() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// "Date: …\r\n", made once a second and thread.
std::string_view dateLine(const core::Clock& clock) {
  thread_local std::int64_t second = -1;
  thread_local std::string line;
  const auto now = clock.now();
  const auto current = core::toMicros(now) / 1'000'000;
  if (current != second) {
    second = current;
    line = "Date: " + httpDate(now) + "\r\n";
  }
  return line;
}

core::Error headError(const HeadResult& result) {
  return {result.status == 408 ? core::ErrorCode::DeadlineExceeded : core::ErrorCode::InvalidArgument,
          result.problem,
          "",
          {}};
}

/// Where a request wanted to go that cannot be read, so that it is refused in the words of that surface.
std::string_view pathOfBadHead(std::string_view text) {
  const auto line = text.substr(0, text.find_first_of("\r\n"));
  const auto blank = line.find(' ');
  if (blank == std::string_view::npos) return {};
  const auto target = line.substr(blank + 1);
  return target.substr(0, target.find_first_of(" ?#"));
}

void setTimeouts(int fd, core::Millis receive, core::Millis send) {
  const auto toTimeval = [](core::Millis ms) {
    timeval value{};
    value.tv_sec = ms.count() / 1000;
    value.tv_usec = static_cast<suseconds_t>(ms.count() % 1000 * 1000);
    return value;
  };
  const auto in = toTimeval(receive);
  const auto out = toTimeval(send);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &in, sizeof in);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &out, sizeof out);
}

}  // namespace

ConnectionSet::ConnectionSet() : cut_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

ConnectionSet::~ConnectionSet() {
  ::close(cut_fd_);
}

bool ConnectionSet::add(Connection* connection) {
  std::lock_guard lock(mutex_);
  if (stopping_) return false;
  connections_.insert(connection);
  return true;
}

void ConnectionSet::remove(Connection* connection) {
  std::lock_guard lock(mutex_);
  connections_.erase(connection);
  giving_way_.erase(connection);
  if (stopping_ && connections_.empty()) ended_.notify_all();
}

void ConnectionSet::awaitEnd(core::Millis grace) {
  std::unique_lock lock(mutex_);
  ended_.wait_for(lock, grace, [this] { return connections_.empty(); });
}

void ConnectionSet::cut() {
  cutting_ = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(cut_fd_, &one, sizeof one);
}

void ConnectionSet::endOneIdle() {
  std::lock_guard lock(mutex_);
  Connection* oldest = nullptr;
  std::int64_t since = 0;
  for (auto* connection : connections_) {
    const auto idle = connection->idleSince();
    if (idle != 0 && !connection->ending() && (oldest == nullptr || idle < since)) {
      oldest = connection;
      since = idle;
    }
  }
  if (oldest != nullptr) oldest->endReading();
}

bool ConnectionSet::giveWay(Connection* connection, int waiting) {
  std::lock_guard lock(mutex_);
  if (giving_way_.contains(connection)) return true;
  if (static_cast<int>(giving_way_.size()) >= waiting) return false;
  return giving_way_.insert(connection).second;
}

void ConnectionSet::stop() {
  std::lock_guard lock(mutex_);
  stopping_ = true;
  for (auto* connection : connections_) connection->endReading();
}

Connection::Connection(const Poco::Net::StreamSocket& socket, ServingContext& context)
    : Poco::Net::TCPServerConnection(socket), context_(context) {}

void Connection::endReading() {
  ending_.store(true, std::memory_order_relaxed);
  ::shutdown(socket().impl()->sockfd(), SHUT_RD);
}

void Connection::run() {
  if (!context_.connections.add(this)) return;
  try {
    const auto& limits = context_.options.http;
    const int fd = static_cast<int>(socket().impl()->sockfd());
    setTimeouts(fd, limits.keep_alive, limits.send_idle);
    peer_ = socket().peerAddress().host().toString();
    Channel channel(
        fd, limits.head_bytes, context_.connections.cutFd(),
        {[this] { return context_.connections.giveWay(this, context_.waiting()); }, limits.crowded_patience});
    while (serveOne(channel)) {
    }
  } catch (const Poco::Exception& problem) {
    telemetry::log("api").warn("connection ended reason={}", problem.displayText());
  } catch (const std::exception& problem) {
    telemetry::log("api").warn("connection ended reason={}", problem.what());
  }
  context_.connections.remove(this);
}

HeadResult Connection::readHead(Channel& channel, RequestHead& head) {
  const HeadLimits limits{context_.options.http.head_bytes, static_cast<std::size_t>(context_.options.http.headers)};
  const auto patience = context_.options.http.crowded_patience;
  // A connection whose head has not wholly come counts as idle, so that half requests give way in a full house.
  const struct Idle {
    std::atomic<std::int64_t>& since;
    ~Idle() { since.store(0, std::memory_order_relaxed); }
  } idle{idle_since_};
  if (channel.pending().empty()) {
    idle_since_.store(steadyMillis(), std::memory_order_relaxed);
    const auto io = context_.connections.stopping() ? Channel::Io::Closed
                    : context_.crowded()            ? channel.fill(std::chrono::steady_clock::now() + patience)
                                                    : channel.fill();
    if (io != Channel::Io::Ok) return {HeadState::Incomplete, 0, 0, ""};  // nobody to answer to
  }
  const auto begun = std::chrono::steady_clock::now();
  const auto deadline = begun + context_.options.http.head_timeout;
  for (;;) {
    auto result = parseHead(channel.pending(), limits, head);
    if (result.state != HeadState::Incomplete) return result;
    if (idleSince() == 0) idle_since_.store(steadyMillis(), std::memory_order_relaxed);
    const bool crowded = context_.crowded();
    const auto io = channel.fill(crowded ? std::min(deadline, begun + patience) : deadline);
    if (io == Channel::Io::TimedOut && crowded) return {HeadState::Incomplete, 0, 0, ""};  // it lost its turn
    if (io == Channel::Io::TimedOut) return {HeadState::Bad, 0, 408, "the headers came too slowly"};
    if (io == Channel::Io::Closed) return {HeadState::Incomplete, 0, 0, ""};
  }
}

bool Connection::serveOne(Channel& channel) {
  RequestHead head;
  const auto result = readHead(channel, head);
  if (result.state == HeadState::Incomplete) return false;
  const auto started = std::chrono::steady_clock::now();
  telemetry::metrics().add(telemetry::Counter::HttpRequests);
  if (result.state == HeadState::Bad) {
    telemetry::metrics().add(telemetry::Counter::HttpRejected);
    auto response = ownerOf(pathOfBadHead(channel.pending())).failure(headError(result), result.status);
    if (write(channel, response, {})) lingeringClose(channel);
    return false;
  }
  channel.use(result.used);
  channel.keepHead();
  Request request{head.method, head.path, head.query, head.headers, nullptr, peer_};
  BodyReader body(channel, head, {context_.options.http.body_idle, [&] { return placeFor(request); }});
  request.body = &body;
  auto response = answer(request);
  if (head.method != Method::Head) placeFile(request, response);
  if (response.stream) {
    if (head.method == Method::Head) {
      streamHead();
      if (channel.send(out_, {}, context_.options.http.send_idle) == Channel::Io::Ok) lingeringClose(channel);
    } else {
      stream(*std::move(response.stream));
    }
    return false;
  }
  encodeBody(request, response);
  const bool taken = body.discard(kDiscardedBody, kDiscardTime);
  const bool endless = response.source && !head.http11;  // its end is the connection's
  const bool keep = taken && head.keep_alive && !response.close && !endless && !context_.connections.stopping() &&
                    (!channel.pending().empty() || !context_.crowded());
  const bool written = write(channel, response, {head.method == Method::Head, keep, head.http11});
  telemetry::metrics().observe(telemetry::Timer::HttpRequest,
                               std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
  response.seat.reset();
  if (!written && endless) resetAtClose(channel);
  if (written && !keep) lingeringClose(channel);
  channel.release();
  return written && keep;
}

Dialect& Connection::ownerOf(std::string_view path) const {
  for (const auto& dialect : context_.dialects) {
    if (dialect->owns(path)) return *dialect;
  }
  return *context_.dialects.back();
}

Response Connection::answer(Request& request) {
  auto& owner = ownerOf(request.path);
  try {
    return owner.handle(request);
  } catch (const Poco::Exception& problem) {
    telemetry::log("api").error("request failed path={} reason={}", request.path, problem.displayText());
  } catch (const std::exception& problem) {
    telemetry::log("api").error("request failed path={} reason={}", request.path, problem.what());
  }
  return owner.failure({core::ErrorCode::Internal, "the request could not be served", "", {}}, 500);
}

core::Result<std::shared_ptr<void>> Connection::placeFor(const Request& request) {
  const auto caller =
      request.caller.empty() ? "at " + clientAddress(request, context_.options.auth.trusted_proxies) : request.caller;
  if (auto place = context_.transfers.take(caller)) return place;
  if (context_.transfers.room(caller) == Places::Room::CallerFull) {
    return core::Error{core::ErrorCode::Exhausted, "too many of your transfers are on their way", "", {}};
  }
  return core::Error{core::ErrorCode::Unavailable, "too many transfers are on their way", "", {}};
}

void Connection::placeFile(const Request& request, Response& response) {
  if (!response.file || response.file->length <= kShortTransfer) return;
  auto place = placeFor(request);
  if (place) {
    response.seat = *std::move(place);
  } else {
    response = ownerOf(request.path).failure(place.error(), statusOf(place.error().code));
  }
}

bool Connection::write(Channel& channel, Response& response, Manner manner) {
  out_.clear();
  out_ += "HTTP/1.1 ";
  out_ += std::to_string(response.status);
  out_ += ' ';
  out_ += reasonPhrase(response.status);
  out_ += "\r\n";
  out_ += dateLine(context_.clock);
  const auto type = response.owned_content_type.empty() ? response.content_type : response.owned_content_type;
  if (!type.empty()) out_.append("Content-Type: ").append(type).append("\r\n");
  for (const auto& [name, value] : response.headers) out_.append(name).append(": ").append(value).append("\r\n");
  const bool bodiless = response.status == 204 || response.status == 304;
  if (!bodiless && response.source) {
    if (manner.chunks) out_ += "Transfer-Encoding: chunked\r\n";
  } else if (!bodiless) {
    const auto length = response.file ? response.file->length : static_cast<std::int64_t>(response.body.size());
    out_.append("Content-Length: ").append(std::to_string(length)).append("\r\n");
  }
  out_ += manner.keep_alive ? "\r\n" : "Connection: close\r\n\r\n";
  const auto idle = context_.options.http.send_idle;
  const bool nothing = manner.head_only || bodiless;
  std::string_view body = nothing || response.file || response.source ? std::string_view{} : response.body;
  if (body.size() <= kCopiedBody) {
    out_ += body;
    body = {};
  }
  if (channel.send(out_, body, idle) != Channel::Io::Ok) return false;
  if (nothing) return true;
  if (response.source) return sendSource(channel, *response.source, manner.chunks);
  if (!response.file) return true;
  return channel.sendFile(response.file->fd, response.file->offset, response.file->length, idle) == Channel::Io::Ok;
}

/// Piece by piece, as the client takes them: no more of the body than one piece is ever in memory.
bool Connection::sendSource(Channel& channel, BodySource& source, bool chunks) {
  const auto idle = context_.options.http.send_idle;
  const auto begun = std::chrono::steady_clock::now();
  std::int64_t total = 0;
  for (;;) {
    if (context_.connections.cutting()) return false;
    const auto piece = source.next();
    if (!piece) {
      telemetry::log("api").warn("body broken off reason={}", piece.error().message);
      return false;
    }
    // As for a file: a client that takes a little now and then does not have the thread for days.
    if (std::chrono::steady_clock::now() > fairDeadline(begun, idle, total)) return false;
    total += static_cast<std::int64_t>(piece->size());
    if (!chunks) {
      if (piece->empty()) return true;
      if (channel.send(*piece, {}, idle) != Channel::Io::Ok) return false;
      continue;
    }
    char size[24];
    const int digits = std::snprintf(size, sizeof size, "%zx\r\n", piece->size());
    if (channel.send({size, static_cast<std::size_t>(digits)}, *piece, idle) != Channel::Io::Ok) return false;
    if (channel.send("\r\n", {}, idle) != Channel::Io::Ok) return false;
    if (piece->empty()) return true;
  }
}

void Connection::streamHead() {
  out_ = "HTTP/1.1 200 OK\r\n";
  out_ += dateLine(context_.clock);
  out_ +=
      "Content-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\nConnection: "
      "close\r\n\r\n";
}

void Connection::stream(StreamPlan plan) {
  // It was asked to give way for having no request, just as one came: the stream lives on nevertheless.
  context_.connections.remove(this);
  plan.deaf = ending();
  streamHead();
  context_.hub.watch(socket(), std::move(plan), out_);
}

/// For a body whose end only the connection's says: one that broke off must not end like a whole one.
void Connection::resetAtClose(const Channel& channel) {
  const linger now{1, 0};
  ::setsockopt(channel.fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void Connection::lingeringClose(Channel& channel) {
  // Closing with unread bytes in the socket would reset the connection and could take the answer with it.
  ::shutdown(channel.fd(), SHUT_WR);
  const auto begun = std::chrono::steady_clock::now();
  const auto deadline = begun + std::chrono::seconds(1);
  char piece[4096];
  std::size_t total = 0, got = 0;
  while (total < static_cast<std::size_t>(kDiscardedBody) &&
         channel.receive(piece, sizeof piece, deadline, channel.beginTurn().ends(), got) == Channel::Io::Ok) {
    total += got;
  }
}

}  // namespace jobhost::api
