#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

namespace jobhost::wire {

/// The frames between host and runner; docs/protocol.md says them byte by byte. Header, 16 bytes little endian:
/// u32 length of the payload | u16 type | u16 flags | u32 id | u32 job (the attempt's slot number; 0: none).

inline constexpr std::size_t kHeaderBytes = 16;
inline constexpr std::uint32_t kMaxPayload = 1024 * 1024;
/// The largest piece of a message sent in several frames.
inline constexpr std::uint32_t kChunkBytes = 256 * 1024;

/// Types with the high bit are mandatory: a reader that does not know one ends the session. Others are skipped.
enum class FrameType : std::uint16_t {
  Hello = 0x8001,       ///< runner → host, first
  Welcome = 0x8002,     ///< host → runner, answers Hello
  Load = 0x8003,        ///< host → runner
  Loaded = 0x8004,      ///< runner → host
  LoadFailed = 0x8005,  ///< runner → host
  Run = 0x8006,         ///< host → runner; several may be in flight, run one at a time in order
  Cancel = 0x8007,      ///< host → runner
  Recall = 0x8008,      ///< host → runner: give back runs that have not started
  Recalled = 0x8009,    ///< runner → host, answers Recall (same id)
  Done = 0x800a,        ///< runner → host: ends an attempt, with its result or error
  Call = 0x800b,        ///< runner → host: a service; id is the runner's
  Return = 0x800c,      ///< host → runner, answers Call (same id)
  Ping = 0x800d,        ///< either way
  Pong = 0x800e,        ///< answers Ping (same id)
  Credit = 0x800f,      ///< host → runner: bytes of Log, Progress and Note it may send more
  Drain = 0x8010,       ///< host → runner: finish what you have, then Bye
  Bye = 0x8011,         ///< either way: the last frame
  Log = 0x0001,         ///< runner → host
  Progress = 0x0002,    ///< runner → host
  Note = 0x0003,        ///< runner → host
  Started = 0x0004,     ///< runner → host: run() began; only for attempts that last (see docs/protocol.md)
};

/// The frame continues: the payload goes on in the next frame of the same type, id and job. The last has no flag.
inline constexpr std::uint16_t kFlagMore = 0x0001;
/// Reserved for a file descriptor passed along; refused by version 1.
inline constexpr std::uint16_t kFlagHasFd = 0x0002;

[[nodiscard]] bool isKnown(std::uint16_t type);
[[nodiscard]] std::string_view toString(FrameType type);

/// One whole message. `payload` is valid until the next call to the reader that made it.
struct Frame {
  FrameType type{};
  std::uint32_t id = 0;
  std::uint32_t job = 0;
  std::string_view payload;
};

/// Appends a message to `out`, as one frame or, over kMaxPayload, as several with kFlagMore.
void appendFrame(std::string& out, FrameType type, std::uint32_t id, std::uint32_t job, std::string_view payload);

/// Writes a payload straight into the output buffer, header first, without a copy:
///   FrameWriter frame(out, FrameType::Done, 0, slot); encode(frame.payload(), done); frame.finish();
/// A payload over kMaxPayload is split by finish(). One writer at a time on a buffer; finish() is called once.
class FrameWriter {
 public:
  FrameWriter(std::string& out, FrameType type, std::uint32_t id, std::uint32_t job);
  std::string& payload() { return out_; }
  void finish();

 private:
  std::string& out_;
  const std::size_t start_;
  const FrameType type_;
  const std::uint32_t id_;
  const std::uint32_t job_;
};

/// Cuts a byte stream from an untrusted peer into messages. Holds at most one frame of bytes read ahead plus
/// `max_message` for messages in parts. Never throws but bad_alloc; after Broken it stays broken. Not thread-safe.
class FrameReader {
 public:
  enum class Status { Message, NeedMore, Broken };

  /// `max_message`: the largest message that may come in parts; `kMaxPayload` refuses every part but small ones.
  explicit FrameReader(std::size_t max_message = kMaxPayload) : max_message_(max_message) {}

  /// Room for at least `bytes` to read into; then commit() what came. Invalidates every Frame handed out.
  char* prepare(std::size_t bytes);
  void commit(std::size_t bytes);
  void feed(std::string_view bytes);

  /// The next whole message. Unknown optional frames are skipped.
  Status next(Frame& frame);
  /// Why it is Broken: one sentence with the numbers.
  [[nodiscard]] const std::string& error() const { return error_; }
  /// Bytes read and not yet handed out.
  [[nodiscard]] std::size_t buffered() const { return end_ - begin_; }
  /// Whether the stream stopped inside a frame or a message in parts: an end of file now cuts something off.
  [[nodiscard]] bool midMessage() const { return buffered() > 0 || !parts_.empty(); }

 private:
  Status broken(std::string why);
  using Key = std::tuple<std::uint16_t, std::uint32_t, std::uint32_t>;  ///< type, id, job
  Status addPart(const Key& key, bool more, Frame& frame);

  std::size_t max_message_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::map<Key, std::string> parts_;  ///< messages not yet complete
  std::size_t parts_bytes_ = 0;
  std::string whole_;  ///< the message in parts handed out last
  std::string error_;
};

}  // namespace jobhost::wire
