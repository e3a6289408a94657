#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "core/result.hpp"

namespace jobhost::fetch {

/// Takes a body as it comes. Called on the client's thread, by one fetch; the caller of the fetch looks into it only
/// once the fetch has ended.
class BodySink {
 public:
  virtual ~BodySink() = default;
  /// An error ends the fetch (FailureCode::Disk with its message).
  virtual core::Result<void> write(std::string_view bytes) = 0;
  /// Forgets what came: it belonged to a try that failed.
  virtual core::Result<void> reset() = 0;
};

/// Keeps it in memory; the request's max_body_bytes is its limit.
class MemorySink final : public BodySink {
 public:
  core::Result<void> write(std::string_view bytes) override;
  core::Result<void> reset() override;
  std::string body;
};

/// Keeps a small body in memory and puts a larger one into a file, which is made when it is first needed.
class SpillSink final : public BodySink {
 public:
  /// Makes the file and answers its descriptor, open for writing; the sink closes it.
  using OpenFile = std::function<core::Result<int>()>;

  SpillSink(std::size_t memory_bytes, OpenFile open) : memory_bytes_(memory_bytes), open_(std::move(open)) {}
  ~SpillSink() override;
  SpillSink(const SpillSink&) = delete;
  SpillSink& operator=(const SpillSink&) = delete;

  core::Result<void> write(std::string_view bytes) override;
  core::Result<void> reset() override;

  [[nodiscard]] bool inFile() const { return in_file_; }
  /// Whether the file exists, even when the body is in memory after all: a try that failed was larger.
  [[nodiscard]] bool madeFile() const { return fd_ >= 0; }
  std::string memory;  ///< the body, unless inFile()

 private:
  core::Result<void> writeFile(std::string_view bytes);

  const std::size_t memory_bytes_;
  const OpenFile open_;
  int fd_ = -1;
  bool in_file_ = false;
};

}  // namespace jobhost::fetch
