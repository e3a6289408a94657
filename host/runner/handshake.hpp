#pragma once

#include <string>

#include "wire/frame.hpp"
#include "wire/messages.hpp"

namespace jobhost::runner {

// The runner's first frames, one after the other on the thread that calls, before there is a Session.

/// Thrown where the handshake ends early.
struct HandshakeOver {
  bool in_order = false;  ///< the host left or said BYE: nothing is wrong
  std::string why;
};

/// Blocks for the next message, which must be `expected`; the frame lives until the next call. Throws HandshakeOver.
wire::Frame expectFrame(int fd, wire::FrameReader& reader, wire::FrameType expected);

/// HELLO and its WELCOME. Throws HandshakeOver.
wire::Welcome shakeHands(int fd, wire::FrameReader& reader, const std::string& runner_version);

/// Sends all of it. Throws HandshakeOver when the host is gone.
void sendBytes(int fd, const std::string& bytes);

template <class Message>
void sendNow(int fd, wire::FrameType type, const Message& message) {
  std::string out;
  wire::FrameWriter frame(out, type, 0, 0);
  encode(frame.payload(), message);
  frame.finish();
  sendBytes(fd, out);
}

}  // namespace jobhost::runner
