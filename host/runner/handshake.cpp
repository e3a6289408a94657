#include "runner/handshake.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "jobhost/abi.h"

namespace jobhost::runner {

wire::Frame expectFrame(int fd, wire::FrameReader& reader, wire::FrameType expected) {
  for (;;) {
    wire::Frame frame;
    const auto status = reader.next(frame);
    if (status == wire::FrameReader::Status::Broken) throw HandshakeOver{false, reader.error()};
    if (status == wire::FrameReader::Status::Message) {
      if (frame.type == wire::FrameType::Bye) throw HandshakeOver{true, {}};
      if (frame.type == expected) return frame;
      throw HandshakeOver{false, std::string(toString(frame.type)) + " came where " + std::string(toString(expected)) +
                                     " was expected"};
    }
    constexpr std::size_t kRead = 64 * 1024;
    const ssize_t n = recv(fd, reader.prepare(kRead), kRead, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw HandshakeOver{true, {}};
    reader.commit(static_cast<std::size_t>(n));
  }
}

void sendBytes(int fd, const std::string& bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t n = send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw HandshakeOver{true, {}};
    sent += static_cast<std::size_t>(n);
  }
}

wire::Welcome shakeHands(int fd, wire::FrameReader& reader, const std::string& runner_version) {
  wire::Hello hello;
  hello.pid = static_cast<std::uint32_t>(getpid());
  hello.abi_major = JH_ABI_MAJOR;
  hello.abi_minor = JH_ABI_MINOR;
  hello.runner_version = runner_version;
  sendNow(fd, wire::FrameType::Hello, hello);
  wire::Welcome welcome;
  if (!decode(expectFrame(fd, reader, wire::FrameType::Welcome).payload, welcome))
    throw HandshakeOver{false, "a WELCOME that cannot be read"};
  if (welcome.version < wire::kProtocolMin || welcome.version > wire::kProtocolMax) {
    throw HandshakeOver{false, "the host speaks none of the protocol versions " + std::to_string(wire::kProtocolMin) +
                                   " to " + std::to_string(wire::kProtocolMax)};
  }
  if (welcome.work_dir.empty() || welcome.work_dir.front() != '/')
    throw HandshakeOver{false, "WELCOME: work_dir is not absolute"};
  return welcome;
}

}  // namespace jobhost::runner
