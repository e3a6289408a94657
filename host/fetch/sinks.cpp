#include "fetch/sinks.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace jobhost::fetch {
namespace {

core::Error diskError(int number) {
  return {core::ErrorCode::Unavailable,
          number == ENOSPC || number == EDQUOT ? "there is no room on the disk for the body"
                                               : std::string("the body cannot be written: ") + std::strerror(number),
          {},
          {}};
}

}  // namespace

core::Result<void> MemorySink::write(std::string_view bytes) {
  body.append(bytes);
  return {};
}

core::Result<void> MemorySink::reset() {
  body.clear();
  return {};
}

SpillSink::~SpillSink() {
  if (fd_ >= 0) ::close(fd_);
}

core::Result<void> SpillSink::write(std::string_view bytes) {
  if (!in_file_ && memory.size() + bytes.size() <= memory_bytes_) {
    memory.append(bytes);
    return {};
  }
  if (!in_file_) {
    if (fd_ < 0) {
      auto opened = open_();
      if (!opened) return opened.error();
      fd_ = *opened;
    }
    in_file_ = true;
    if (auto written = writeFile(memory); !written) return written;
    memory.clear();
    memory.shrink_to_fit();
  }
  return writeFile(bytes);
}

core::Result<void> SpillSink::reset() {
  memory.clear();
  in_file_ = false;
  if (fd_ >= 0 && (::ftruncate(fd_, 0) != 0 || ::lseek(fd_, 0, SEEK_SET) != 0)) return diskError(errno);
  return {};
}

core::Result<void> SpillSink::writeFile(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return diskError(errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace jobhost::fetch
