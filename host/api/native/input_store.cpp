#include "api/native/input_store.hpp"

#include <Poco/Net/MessageHeader.h>
#include <Poco/Net/MultipartReader.h>
#include <Poco/Net/NetException.h>

#include <cerrno>
#include <cstring>
#include <istream>
#include <memory>
#include <streambuf>
#include <system_error>

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <unistd.h>

#include "api/encoding.hpp"
#include "core/job_paths.hpp"
#include "core/text.hpp"
#include "core/utf8.hpp"

namespace jobhost::api::native {
namespace {

constexpr std::size_t kMaxFiles = 100;
constexpr std::size_t kPiece = 64 * 1024;

core::Error noDisk(const std::string& what) {
  return {core::ErrorCode::Unavailable, "the upload cannot be stored now", what + ": " + std::strerror(errno), {}};
}

core::Error badName() {
  return {core::ErrorCode::InvalidArgument,
          "the upload has no usable name",
          "",
          {{"name", "must be a file name of 1 to 255 bytes without slashes and control characters"}}};
}

core::Result<void> syncFolder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return noDisk("open folder");
  const bool synced = ::fsync(fd) == 0;
  const int problem = errno;
  ::close(fd);
  errno = problem;
  if (!synced) return noDisk("sync folder");
  return {};
}

/// One file being written, hashed on the way.
class FileSink {
 public:
  explicit FileSink(const std::filesystem::path& path)
      : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640)),
        hash_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    EVP_DigestInit_ex(hash_.get(), EVP_sha256(), nullptr);
  }
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;
  ~FileSink() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] bool open() const { return fd_ >= 0; }
  bool write(const char* bytes, std::size_t count) {
    EVP_DigestUpdate(hash_.get(), bytes, count);
    size_ += static_cast<std::int64_t>(count);
    while (count > 0) {
      const auto written = ::write(fd_, bytes, count);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      bytes += written;
      count -= static_cast<std::size_t>(written);
    }
    return true;
  }
  core::Result<SavedFile> finish(std::string name) {
    if (::fsync(fd_) != 0) return noDisk("sync file");
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_DigestFinal_ex(hash_.get(), digest, &length);
    return SavedFile{std::move(name), size_, toHex({reinterpret_cast<const char*>(digest), length})};
  }

 private:
  int fd_;
  std::int64_t size_ = 0;
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash_;
};

/// The folder of an upload under a name nobody looks for, until commit() gives it its own.
class Staging {
 public:
  explicit Staging(const std::filesystem::path& data_folder) {
    unsigned char random[16];
    if (RAND_bytes(random, sizeof random) != 1) return;
    id_ = "in_" + toHex({reinterpret_cast<const char*>(random), sizeof random});
    final_ = core::inputFolder(data_folder, id_);
    folder_ = final_.parent_path() / (".part-" + id_);
    std::error_code failed;
    std::filesystem::create_directories(folder_, failed);
    ready_ = !failed;
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging() {
    std::error_code ignored;
    if (!id_.empty()) std::filesystem::remove_all(folder_, ignored);
  }
  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  core::Result<SavedInput> commit(std::vector<SavedFile> files) {
    if (auto synced = syncFolder(folder_); !synced) return synced.error();
    if (::rename(folder_.c_str(), final_.c_str()) != 0) return noDisk("rename");
    if (auto synced = syncFolder(final_.parent_path()); !synced) return synced.error();
    return SavedInput{id_, std::move(files)};
  }

 private:
  std::string id_;
  std::filesystem::path folder_, final_;
  bool ready_ = false;
};

core::Error tooLarge(std::int64_t limit) {
  return {core::ErrorCode::TooLarge, "the upload is larger than " + std::to_string(limit) + " bytes", "", {}};
}

/// A body as Poco's multipart reader wants it. The first failure ends the stream and is kept.
class BodyBuffer final : public std::streambuf {
 public:
  BodyBuffer(BodyReader& body, const std::string& boundary, std::int64_t limit)
      : body_(body), end_mark_("--" + boundary + "--"), limit_(limit) {}
  [[nodiscard]] const std::optional<core::Error>& failure() const { return failure_; }
  /// Whether the body ended before its last boundary. Poco's reader takes its end for the end of a part.
  [[nodiscard]] bool cutShort() const { return ended_ && tail_.find(end_mark_) == std::string::npos; }

 protected:
  int_type underflow() override {
    if (failure_) return traits_type::eof();
    const auto got = body_.read(piece_, sizeof piece_);
    if (!got) failure_ = got.error();
    ended_ = got && *got == 0;
    if (!got || *got == 0) return traits_type::eof();
    tail_.append(piece_, *got);
    if (const auto kept = end_mark_.size() + 4; tail_.size() > kept) tail_.erase(0, tail_.size() - kept);
    taken_ += static_cast<std::int64_t>(*got);
    if (taken_ > limit_) {
      failure_ = tooLarge(limit_);
      return traits_type::eof();
    }
    setg(piece_, piece_, piece_ + *got);
    return traits_type::to_int_type(piece_[0]);
  }

 private:
  BodyReader& body_;
  const std::string end_mark_;
  std::string tail_;  ///< the last bytes read, enough for the end mark and its line end
  bool ended_ = false;
  std::int64_t limit_;
  std::int64_t taken_ = 0;
  std::optional<core::Error> failure_;
  char piece_[16 * 1024];
};

/// The file name of a part; empty: none.
std::string fileNameOf(const Poco::Net::MessageHeader& header) {
  std::string kind;
  Poco::Net::NameValueCollection parameters;
  Poco::Net::MessageHeader::splitParameters(header.get("Content-Disposition", ""), kind, parameters);
  return parameters.get("filename", "");
}

core::Result<SavedFile> savePart(const Staging& staging, const std::string& name, std::istream& part) {
  if (!isInputName(name)) return badName();
  FileSink sink(staging.folder() / name);
  if (!sink.open()) {
    if (errno != EEXIST) return noDisk("create");
    return core::Error{core::ErrorCode::InvalidArgument, "two files have the same name", "", {{"name", name}}};
  }
  const auto piece = std::make_unique<char[]>(kPiece);
  while (part) {
    part.read(piece.get(), static_cast<std::streamsize>(kPiece));
    if (!sink.write(piece.get(), static_cast<std::size_t>(part.gcount()))) return noDisk("write");
  }
  return sink.finish(name);
}

}  // namespace

bool isInputName(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name.front() != '.' && core::isUtf8(name) && !core::hasControl(name) &&
         name.find_first_of("/\\") == std::string_view::npos;
}

core::Result<SavedInput> saveInput(const std::filesystem::path& data_folder, const std::string& name, BodyReader& body,
                                   std::int64_t limit) {
  if (!isInputName(name)) return badName();
  Staging staging(data_folder);
  if (!staging.ready()) return noDisk("create folder");
  FileSink sink(staging.folder() / name);
  if (!sink.open()) return noDisk("create");
  const auto piece = std::make_unique<char[]>(kPiece);
  std::int64_t total = 0;
  for (;;) {
    const auto got = body.read(piece.get(), kPiece);
    if (!got) return got.error();
    if (*got == 0) break;
    total += static_cast<std::int64_t>(*got);
    if (total > limit) return tooLarge(limit);
    if (!sink.write(piece.get(), *got)) return noDisk("write");
  }
  auto file = sink.finish(name);
  if (!file) return file.error();
  return staging.commit({*std::move(file)});
}

core::Result<SavedInput> saveMultipart(const std::filesystem::path& data_folder, const std::string& content_type,
                                       BodyReader& body, std::int64_t limit) {
  core::Error malformed{core::ErrorCode::InvalidArgument, "the multipart body is not valid", "", {}};
  std::string kind;
  Poco::Net::NameValueCollection parameters;
  Poco::Net::MessageHeader::splitParameters(content_type, kind, parameters);
  const auto boundary = parameters.get("boundary", "");
  if (boundary.empty() || boundary.size() > 200) return malformed;
  Staging staging(data_folder);
  if (!staging.ready()) return noDisk("create folder");
  BodyBuffer buffer(body, boundary, limit);
  std::istream stream(&buffer);
  std::vector<SavedFile> files;
  try {
    Poco::Net::MultipartReader reader(stream, boundary);
    while (reader.hasNextPart()) {
      Poco::Net::MessageHeader header;
      reader.nextPart(header);
      const auto name = fileNameOf(header);
      if (name.empty()) {
        reader.stream().ignore(std::numeric_limits<std::streamsize>::max());
        continue;
      }
      if (files.size() == kMaxFiles) {
        malformed.message = "the upload has more than " + std::to_string(kMaxFiles) + " files";
        return malformed;
      }
      auto file = savePart(staging, name, reader.stream());
      if (buffer.failure()) return *buffer.failure();
      if (!file) return file.error();
      files.push_back(*std::move(file));
    }
  } catch (const Poco::Exception& problem) {
    if (buffer.failure()) return *buffer.failure();
    malformed.detail = problem.displayText();
    return malformed;
  }
  if (buffer.failure()) return *buffer.failure();
  if (buffer.cutShort()) {
    malformed.message = "the multipart body ends before its last boundary";
    return malformed;
  }
  if (files.empty()) {
    malformed.message = "the multipart body has no part with a file name";
    return malformed;
  }
  return staging.commit(std::move(files));
}

}  // namespace jobhost::api::native
