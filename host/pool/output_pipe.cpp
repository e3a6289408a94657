#include "pool/output_pipe.hpp"

#include <array>
#include <cerrno>

namespace jobhost::pool {

OutputPipe::Status OutputPipe::read(std::vector<std::string>& lines) {
  if (!fd_) return Status::Closed;
  const auto now = std::chrono::steady_clock::now();
  if (now - window_ >= kWindow) {
    window_ = now;
    in_window_ = 0;
  }
  std::array<char, 16384> buffer;
  while (in_window_ < kBytesPerWindow) {
    const ssize_t got = ::read(fd_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN ? Status::Open : Status::Closed;
    if (got == 0) return Status::Closed;
    in_window_ += static_cast<std::size_t>(got);
    cut({buffer.data(), static_cast<std::size_t>(got)}, lines);
    if (static_cast<std::size_t>(got) < buffer.size()) return Status::Open;
  }
  return Status::Paused;
}

void OutputPipe::cut(std::string_view bytes, std::vector<std::string>& lines) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::size_t room = kMaxLineBytes - partial_.size();
    const std::size_t take = std::min(end == std::string_view::npos ? bytes.size() : end, room);
    partial_.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
    const bool newline = !bytes.empty() && bytes.front() == '\n';
    if (newline) bytes.remove_prefix(1);
    if (newline || partial_.size() == kMaxLineBytes) lines.push_back(std::exchange(partial_, {}));
  }
}

}  // namespace jobhost::pool
