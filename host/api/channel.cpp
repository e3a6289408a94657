#include "api/channel.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace jobhost::api {
namespace {

constexpr std::size_t kWindow = 16 * 1024;
constexpr std::int64_t kSlowestBytesPerSecond = 4 * 1024;
constexpr std::int64_t kCrowdedBytesPerSecond = 64 * 1024;

}  // namespace

Deadline fairDeadline(Deadline start, core::Millis idle, std::int64_t bytes) {
  return start + idle + std::chrono::milliseconds(bytes * 1000 / kSlowestBytesPerSecond);
}

void Turn::moved(std::int64_t bytes) {
  const auto most = std::chrono::steady_clock::now() + patience_ + std::chrono::seconds(1);
  ends_ = std::min(ends_ + std::chrono::microseconds(bytes * 1'000'000 / kCrowdedBytesPerSecond), most);
}

Channel::Channel(int fd, std::size_t head_bytes, int cut_fd, Crowd crowd)
    : fd_(fd),
      cut_fd_(cut_fd),
      crowd_(std::move(crowd)),
      capacity_(head_bytes + kWindow),
      buffer_(new char[capacity_]) {}

void Channel::release() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (begin_ != 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  floor_ = 0;
}

Channel::Io Channel::wait(short events, Deadline deadline, Deadline turn_ends) const {
  for (;;) {
    const auto now = std::chrono::steady_clock::now();
    auto until = deadline;
    if (crowd_.gives_way && turn_ends < deadline) {
      // Also where bytes are there: one now and then would keep the thread as well. Nobody tells who waits here that
      // the house became full meanwhile, so it looks again.
      if (now >= turn_ends && crowd_.gives_way()) return Io::TimedOut;
      until = std::min(deadline, std::max(turn_ends, now + crowd_.patience));
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
    if (left <= 0) return Io::TimedOut;
    // Who waits to read is woken by the end of reading; poll passes over a descriptor of -1.
    pollfd entries[2] = {{fd_, events, 0}, {events == POLLOUT ? cut_fd_ : -1, POLLIN, 0}};
    const int ready = ::poll(entries, 2, static_cast<int>(std::min<std::int64_t>(left, 3'600'000)));
    if (ready > 0) return entries[1].revents != 0 ? Io::Closed : Io::Ok;
    if (ready < 0 && errno != EINTR) return Io::Closed;
  }
}

Channel::Io Channel::receiveNow(char* to, std::size_t size, std::size_t& got) {
  for (;;) {
    const auto bytes = ::recv(fd_, to, size, 0);
    if (bytes > 0) {
      got = static_cast<std::size_t>(bytes);
      return Io::Ok;
    }
    if (bytes == 0) return Io::Closed;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return Io::TimedOut;
    if (errno != EINTR) return Io::Closed;
  }
}

Channel::Io Channel::fill() {
  if (begin_ == end_) begin_ = end_ = floor_;
  if (end_ == capacity_) {
    std::memmove(buffer_.get() + floor_, buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_ - floor_;
    begin_ = floor_;
  }
  if (end_ == capacity_) return Io::Closed;  // the parser refuses before this can happen
  std::size_t got = 0;
  const auto io = receiveNow(buffer_.get() + end_, capacity_ - end_, got);
  end_ += got;
  return io;
}

Channel::Io Channel::fill(Deadline deadline, Deadline turn_ends) {
  if (const auto io = wait(POLLIN, deadline, turn_ends); io != Io::Ok) return io;
  return fill();
}

Channel::Io Channel::receive(char* to, std::size_t size, Deadline deadline, Deadline turn_ends, std::size_t& got) {
  if (const auto io = wait(POLLIN, deadline, turn_ends); io != Io::Ok) return io;
  return receiveNow(to, size, got);
}

Channel::Io Channel::send(std::string_view first, std::string_view second, core::Millis idle) {
  std::optional<Deadline> begun;  // when the first try did not take all
  Turn turn = beginTurn();
  const auto total = static_cast<std::int64_t>(first.size() + second.size());
  while (!first.empty() || !second.empty()) {
    iovec parts[2] = {{const_cast<char*>(first.data()), first.size()},
                      {const_cast<char*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = first.empty() ? parts + 1 : parts;
    message.msg_iovlen = first.empty() || second.empty() ? 1 : 2;
    const auto sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) return Io::Closed;
      const auto now = std::chrono::steady_clock::now();
      if (!begun) begun = now;
      const auto deadline = std::min(fairDeadline(*begun, idle, total), now + idle);
      if (const auto io = wait(POLLOUT, deadline, turn.ends()); io != Io::Ok) return io;
      continue;
    }
    turn.moved(sent);
    const auto head = std::min(static_cast<std::size_t>(sent), first.size());
    first.remove_prefix(head);
    second.remove_prefix(static_cast<std::size_t>(sent) - head);
  }
  return Io::Ok;
}

Channel::Io Channel::sendFile(int file, std::int64_t offset, std::int64_t length, core::Millis idle) {
  // sendfile() knows no MSG_DONTWAIT, and in a socket that blocks it would hear of no end but the client's.
  const int flags = ::fcntl(fd_, F_GETFL);
  ::fcntl(fd_, F_SETFL, flags | O_NONBLOCK);
  const auto io = moveFile(file, offset, length, idle);
  ::fcntl(fd_, F_SETFL, flags);
  return io;
}

Channel::Io Channel::moveFile(int file, std::int64_t offset, std::int64_t length, core::Millis idle) {
  const auto begun = std::chrono::steady_clock::now();
  const auto deadline = fairDeadline(begun, idle, length);
  Turn turn = beginTurn();
  off_t at = offset;
  while (length > 0) {
    const auto sent = ::sendfile(fd_, file, &at, static_cast<std::size_t>(std::min<std::int64_t>(length, 1 << 20)));
    if (sent > 0) {
      length -= sent;
      turn.moved(sent);
    } else if (sent == 0) {
      return Io::Closed;  // the file became shorter
    } else if (errno == EAGAIN) {
      const auto now = std::chrono::steady_clock::now();
      if (const auto io = wait(POLLOUT, std::min(deadline, now + idle), turn.ends()); io != Io::Ok) return io;
    } else if (errno != EINTR) {
      return Io::Closed;
    }
    if (std::chrono::steady_clock::now() > deadline) return Io::TimedOut;
    // A client that takes all at once never lets it wait; 1 MiB at a time, asking costs nothing.
    pollfd cut{cut_fd_, POLLIN, 0};
    if (::poll(&cut, 1, 0) > 0) return Io::Closed;
  }
  return Io::Ok;
}

BodyReader::BodyReader(Channel& channel, const RequestHead& head, Options options)
    : channel_(channel),
      options_(std::move(options)),
      chunked_(head.chunked),
      expects_continue_(head.expects_continue),
      left_(head.content_length),
      turn_(channel.beginTurn()),
      finished_(!head.chunked && head.content_length == 0) {}

std::optional<std::int64_t> BodyReader::length() const {
  if (chunked_) return std::nullopt;
  return left_ + taken_;
}

core::Error BodyReader::failed(core::ErrorCode code, std::string message) {
  failed_ = true;
  return {code, std::move(message), "", {}};
}

core::Error BodyReader::failed(Channel::Io io) {
  return io == Channel::Io::TimedOut ? failed(core::ErrorCode::DeadlineExceeded, "the body came too slowly")
                                     : failed(core::ErrorCode::Canceled, "the connection ended inside the body");
}

Deadline BodyReader::deadline() const {
  const auto now = std::chrono::steady_clock::now();
  const auto fair = std::min(now + options_.idle, fairDeadline(started_, options_.idle, taken_ + 1));
  return last_moment_ ? std::min(fair, *last_moment_) : fair;
}

void BodyReader::greet() {
  if (started_ == Deadline{}) {
    started_ = std::chrono::steady_clock::now();
    turn_ = channel_.beginTurn();
  }
  if (!std::exchange(expects_continue_, false) || !channel_.pending().empty()) return;
  channel_.send("HTTP/1.1 100 Continue\r\n\r\n", {}, options_.idle);
}

core::Result<void> BodyReader::takePlace() {
  const auto known = chunked_ ? taken_ : taken_ + left_;
  if (place_ || !options_.place || known <= kShortTransfer) return {};
  auto place = options_.place();
  if (!place) {
    failed_ = true;
    return place.error();
  }
  place_ = *std::move(place);
  return {};
}

core::Result<std::string_view> BodyReader::all(std::int64_t limit) {
  if (whole_) return *whole_;
  if (finished_) return std::string_view(owned_);
  if (!chunked_) {
    if (left_ > limit) {
      return failed(core::ErrorCode::TooLarge, "the body is larger than " + std::to_string(limit) + " bytes");
    }
    const auto pending = channel_.pending();
    if (taken_ == 0 && pending.size() >= static_cast<std::size_t>(left_)) {  // the usual case: nothing is copied
      const auto body = pending.substr(0, static_cast<std::size_t>(left_));
      channel_.use(body.size());
      taken_ = std::exchange(left_, 0);
      finished_ = true;
      whole_ = body;
      return body;
    }
    owned_.reserve(static_cast<std::size_t>(left_));
  }
  char piece[16 * 1024];
  for (;;) {
    const auto got = read(piece, sizeof piece);
    if (!got) return got.error();
    if (*got == 0) return std::string_view(owned_);
    if (static_cast<std::int64_t>(owned_.size() + *got) > limit) {
      return failed(core::ErrorCode::TooLarge, "the body is larger than " + std::to_string(limit) + " bytes");
    }
    owned_.append(piece, *got);
  }
}

core::Result<std::size_t> BodyReader::read(char* to, std::size_t size) {
  if (failed_) return failed(core::ErrorCode::Canceled, "the body cannot be read further");
  if (finished_) return std::size_t{0};
  if (auto placed = takePlace(); !placed) return placed.error();
  greet();
  auto got = chunked_ ? readChunked(to, size) : readFixed(to, size);
  if (got) {
    taken_ += static_cast<std::int64_t>(*got);
    turn_.moved(static_cast<std::int64_t>(*got));
  }
  return got;
}

core::Result<std::size_t> BodyReader::readFixed(char* to, std::size_t size) {
  size = static_cast<std::size_t>(std::min<std::int64_t>(left_, static_cast<std::int64_t>(size)));
  std::size_t got = 0;
  if (const auto pending = channel_.pending(); !pending.empty()) {
    got = std::min(size, pending.size());
    std::memcpy(to, pending.data(), got);
    channel_.use(got);
  } else if (const auto io = channel_.receive(to, size, deadline(), turn_.ends(), got); io != Channel::Io::Ok) {
    return failed(io);
  }
  left_ -= static_cast<std::int64_t>(got);
  finished_ = left_ == 0;
  return got;
}

core::Result<std::size_t> BodyReader::readChunked(char* to, std::size_t size) {
  while (chunk_.empty()) {
    std::size_t used = 0;
    const auto step = decoder_.next(channel_.pending(), used, chunk_);
    channel_.use(used);
    if (step == ChunkedDecoder::Step::End) {
      finished_ = true;
      return std::size_t{0};
    }
    if (step == ChunkedDecoder::Step::Bad)
      return failed(core::ErrorCode::InvalidArgument, "the chunked body is not valid");
    if (step == ChunkedDecoder::Step::NeedMore) {
      if (const auto io = channel_.fill(deadline(), turn_.ends()); io != Channel::Io::Ok) return failed(io);
    }
  }
  const auto got = std::min(size, chunk_.size());
  std::memcpy(to, chunk_.data(), got);
  chunk_.remove_prefix(got);
  return got;
}

bool BodyReader::discard(std::int64_t max, core::Millis within) {
  if (expects_continue_ && !finished_ && channel_.pending().empty()) return false;
  last_moment_ = std::chrono::steady_clock::now() + within;
  options_.place = nullptr;  // it is soon over
  char piece[16 * 1024];
  while (!finished_ && !failed_ && max > 0) {
    if (!chunked_ && left_ > max) return false;
    const auto got = read(piece, sizeof piece);
    if (!got) return false;
    max -= static_cast<std::int64_t>(*got) + 1;
  }
  return finished();
}

}  // namespace jobhost::api
