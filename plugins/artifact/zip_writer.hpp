#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace jobhost::artifact {

/// Writes a ZIP file piece by piece. The same entries give the same bytes: no clock, no owner, no extra fields (which
/// an EPUB's first entry may not have), the times are 1 January 1980.
///
/// Threads: one at a time. Ownership: the descriptor is borrowed; it must be a regular file that is empty and writable,
/// and its bytes are a ZIP only after finish(). Throws support::Failure: artifact.write (Io), artifact.too_large
/// (beyond 4 GiB or 65 000 entries, what every reader of ZIP takes).
class ZipWriter {
 public:
  enum class Method { Stored, Deflated };

  explicit ZipWriter(int fd);
  ~ZipWriter();
  ZipWriter(const ZipWriter&) = delete;
  ZipWriter& operator=(const ZipWriter&) = delete;

  /// Begins an entry; the name is ASCII, relative and not there yet (the caller's care). Ends the one before.
  void begin(const std::string& name, Method method = Method::Deflated);
  /// Appends to the entry.
  void write(std::string_view bytes);
  /// begin and write.
  void add(const std::string& name, std::string_view bytes, Method method = Method::Deflated);
  /// Writes the directory; nothing may follow. Answers the size of the file.
  std::uint64_t finish();

 private:
  class File;
  void end();
  void check(int status);

  std::unique_ptr<File> file_;
  void* zip_ = nullptr;
  bool in_entry_ = false;
  std::size_t entries_ = 0;
};

}  // namespace jobhost::artifact
