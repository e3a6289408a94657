#include "api/minion/archive_upload.hpp"

#include <algorithm>
#include <array>
#include <memory>

#include "api/file_sink.hpp"
#include "api/multipart.hpp"
#include "core/utf8.hpp"

namespace jobhost::api::minion {
namespace {

// Longer endings first, so that of "a.tar.zst" both parts are kept when the name is cut. What the library takes in
// (plugins/support/archive/archive_names.hpp), which a test compares with: nothing else is kept for it.
constexpr std::array<std::string_view, 17> kEndings = {".tar.lzma", ".tar.zst", ".tar.gz", ".tar.xz", ".lzma", ".epub",
                                                       ".zip",      ".rar",     ".tar",    ".cbz",    ".cbr",  ".cb7",
                                                       ".cbt",      ".pdf",     ".zst",    ".7z",     ".xz"};
constexpr std::string_view kWorkEnding = ".upload";  // the library appends it while a file moves
constexpr std::size_t kMaxEntry = 255;
constexpr std::size_t kMaxCategory = 100;
constexpr std::size_t kPiece = 64 * 1024;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

/// The archive ending of a name, as it is spelt there; empty: none.
std::string_view endingOf(std::string_view name) {
  for (const auto ending : kEndings) {
    if (name.size() < ending.size()) continue;
    const auto tail = name.substr(name.size() - ending.size());
    if (std::equal(tail.begin(), tail.end(), ending.begin(), [](char a, char b) { return lower(a) == b; })) return tail;
  }
  return {};
}

core::Error wrong(std::string pointer, std::string message) {
  return {core::ErrorCode::InvalidArgument, message, "", {{std::move(pointer), message}}};
}

core::Result<void> store(const std::filesystem::path& path, const std::string& name, std::istream& bytes) {
  FileSink sink(path);
  if (!sink.open()) return noDisk("create");
  const auto piece = std::make_unique<char[]>(kPiece);
  while (bytes) {
    bytes.read(piece.get(), static_cast<std::streamsize>(kPiece));
    if (!sink.write(piece.get(), static_cast<std::size_t>(bytes.gcount()))) return noDisk("write");
  }
  const auto saved = sink.finish(name);
  if (!saved) return saved.error();
  return {};
}

}  // namespace

bool isArchiveName(std::string_view name) {
  return !endingOf(name).empty();
}

std::string safeArchiveName(std::string_view name) {
  const auto ending = endingOf(name);
  std::string stem;
  for (std::size_t i = 0; i < name.size() - ending.size();) {
    const auto length = core::utf8Length(name, i);
    const auto byte = static_cast<unsigned char>(name[i]);
    const bool dropped =
        byte < 0x20 || byte == 0x7F || std::string_view("\\/:\"*?<>|").find(name[i]) != std::string_view::npos;
    if (length == 0) {
      stem += '_';
    } else if (!dropped) {
      stem += name.substr(i, length);
    }
    i += std::max<std::size_t>(length, 1);
  }
  stem.erase(0, std::min(stem.find_first_not_of(". "), stem.size()));
  const std::size_t room = kMaxEntry - kWorkEnding.size() - ending.size();
  if (stem.size() > room) {
    std::size_t end = room;
    while (end > 0 && (static_cast<unsigned char>(stem[end]) & 0xC0U) == 0x80) --end;  // not within a character
    stem.resize(end);
  }
  if (stem.empty()) stem = "archive";
  return stem.append(ending);
}

core::Result<ArchiveUpload> receiveArchive(Request& request, const std::filesystem::path& upload_dir,
                                           std::int64_t limit) {
  const std::string type(request.header("Content-Type").value_or(""));
  if (!isMultipartForm(type)) return wrong("/header/Content-Type", "Expected multipart/form-data.");
  if (const auto length = request.body->length(); length && *length > limit) {
    return core::Error{
        core::ErrorCode::TooLarge, "the upload is larger than " + std::to_string(limit) + " bytes", "", {}};
  }
  StagedFolder staging(upload_dir, "up_");
  if (!staging.ready()) return noDisk("create folder");
  ArchiveUpload upload;
  const auto part = [&](const PartHead& head, std::istream& bytes) -> core::Result<void> {
    if (head.name == "catid") {
      std::string id(kMaxCategory + 1, '\0');  // never more in memory, however long the field is
      bytes.read(id.data(), static_cast<std::streamsize>(id.size()));
      id.resize(static_cast<std::size_t>(bytes.gcount()));
      if (id.size() > kMaxCategory || !core::isUtf8(id)) return wrong("/catid", "Not a category's id.");
      upload.catid = id.empty() ? std::nullopt : std::optional(std::move(id));
      return {};
    }
    if (head.name != "file" || head.file_name.empty()) return {};
    if (!upload.name.empty()) return wrong("/file", "Only one file at a time.");
    upload.name = head.file_name;
    upload.media_type = head.media_type;
    upload.accepted = isArchiveName(upload.name);
    if (!upload.accepted) return {};
    upload.safe_name = safeArchiveName(upload.name);
    return store(staging.folder() / upload.safe_name, upload.safe_name, bytes);
  };
  if (const auto walked = readMultipart(type, *request.body, limit, part); !walked) return walked.error();
  if (upload.name.empty()) return wrong("/file", "Missing property.");
  if (!upload.accepted) return upload;
  const auto folder = staging.commit();
  if (!folder) return folder.error();
  upload.file = *folder / upload.safe_name;
  return upload;
}

}  // namespace jobhost::api::minion
