#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/http_parser.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"

namespace jobhost::api {

using Deadline = std::chrono::steady_clock::time_point;

/// When the other end must have moved so many bytes since `start`, at the slowest rate that we bear with.
Deadline fairDeadline(Deadline start, core::Millis idle, std::int64_t bytes);

/// A full house: what a connection that moves bytes too slowly asks before it waits on.
struct Crowd {
  std::function<bool()> gives_way;  ///< whether it is to end for another that waits for its thread; empty: never
  core::Millis patience{250};       ///< so long it need not ask, nor as long as what it moves takes at 64 KiB/s
};

/// How long something that moves bytes has its thread in a full house.
class Turn {
 public:
  explicit Turn(core::Millis patience) : patience_(patience), ends_(std::chrono::steady_clock::now() + patience) {}
  /// What moved at once, into the buffers of the system say, counts for a second and no more.
  void moved(std::int64_t bytes);
  [[nodiscard]] Deadline ends() const { return ends_; }

 private:
  core::Millis patience_;
  Deadline ends_;
};

/// A connected socket with the bytes read from it and not yet used. One thread. Does not own the descriptor.
///
/// The buffer never moves while a request is handled: its head lies at the front, and what follows it is a window the
/// body passes through.
class Channel {
 public:
  enum class Io { Ok, Closed, TimedOut };

  /// `cut_fd` (-1: none) becomes readable when nothing more is to be sent: what is sent then ends as Closed. Borrowed.
  Channel(int fd, std::size_t head_bytes, int cut_fd = -1, Crowd crowd = {});

  /// That of something that begins now.
  [[nodiscard]] Turn beginTurn() const { return Turn(crowd_.patience); }

  /// Bytes not yet used.
  [[nodiscard]] std::string_view pending() const { return {buffer_.get() + begin_, end_ - begin_}; }
  void use(std::size_t bytes) { begin_ += bytes; }
  /// What pending() shows up to here stays where it is until release().
  void keepHead() { floor_ = begin_; }
  /// The request is over: what is left moves to the front.
  void release();

  /// Reads what is there, at least one byte, after what is pending. Blocks as long as the socket's own receive timeout.
  Io fill();
  Io fill(Deadline deadline, Deadline turn_ends = Deadline::max());
  /// Reads past the buffer, straight to `to`. Only when nothing is pending.
  Io receive(char* to, std::size_t size, Deadline deadline, Deadline turn_ends, std::size_t& got);

  /// Sends all of both parts in order; gives up when the peer takes nothing for `idle` or less than 4 KiB/s on average,
  /// and when its turn is over and it has to give way.
  Io send(std::string_view first, std::string_view second, core::Millis idle);
  Io sendFile(int file, std::int64_t offset, std::int64_t length, core::Millis idle);

  [[nodiscard]] int fd() const { return fd_; }

 private:
  Io receiveNow(char* to, std::size_t size, std::size_t& got);
  Io wait(short events, Deadline deadline, Deadline turn_ends) const;
  Io moveFile(int file, std::int64_t offset, std::int64_t length, core::Millis idle);

  int fd_;
  int cut_fd_;
  Crowd crowd_;
  std::size_t capacity_;
  std::unique_ptr<char[]> buffer_;  ///< not zeroed: pages are touched only when used
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t floor_ = 0;  ///< the window of a body starts here
};

/// What is longer keeps its thread for long when the other end wants it so.
inline constexpr std::int64_t kShortTransfer = 64 * 1024;

/// The body of one request, read as the handler asks for it.
class BodyReader {
 public:
  struct Options {
    core::Millis idle{15'000};
    /// A place among the long transfers, asked for before more than kShortTransfer is read. Empty: none is needed.
    std::function<core::Result<std::shared_ptr<void>>()> place = {};
  };
  BodyReader(Channel& channel, const RequestHead& head, Options options);

  /// The whole body, each time it is asked for; valid until the request is over. Errors: TooLarge (over `limit`),
  /// DeadlineExceeded (too slow), Exhausted and Unavailable (of the place), InvalidArgument (bad chunking), Canceled
  /// (the client went away).
  core::Result<std::string_view> all(std::int64_t limit);
  /// Some bytes of it; 0 at the end. Errors as all().
  core::Result<std::size_t> read(char* to, std::size_t size);
  /// Bytes announced; nullopt when chunked.
  [[nodiscard]] std::optional<std::int64_t> length() const;
  /// Whether nothing of it is left, so that the next request can follow.
  [[nodiscard]] bool finished() const { return finished_ && !failed_; }
  /// Takes up to `max` more bytes from the client and forgets them, for so long at most; whether the body is then
  /// finished. A client that waits for "100 Continue" is not asked to send what nobody wants.
  bool discard(std::int64_t max, core::Millis within);

 private:
  core::Result<std::size_t> readFixed(char* to, std::size_t size);
  core::Result<std::size_t> readChunked(char* to, std::size_t size);
  core::Error failed(core::ErrorCode code, std::string message);
  core::Error failed(Channel::Io io);
  [[nodiscard]] Deadline deadline() const;
  void greet();
  core::Result<void> takePlace();

  Channel& channel_;
  Options options_;
  std::shared_ptr<void> place_;
  bool chunked_;
  bool expects_continue_;
  std::int64_t left_;  ///< of a body of known length
  std::int64_t taken_ = 0;
  std::chrono::steady_clock::time_point started_;
  Turn turn_;
  std::optional<Deadline> last_moment_;  ///< of discard()
  ChunkedDecoder decoder_;
  std::string_view chunk_;  ///< decoded and not yet handed out; lies in the channel's window
  std::string owned_;
  std::optional<std::string_view> whole_;  ///< of all(), where it lies in the channel's buffer
  bool finished_;
  bool failed_ = false;
};

}  // namespace jobhost::api
