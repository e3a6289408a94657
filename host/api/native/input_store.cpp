#include "api/native/input_store.hpp"

#include <cerrno>
#include <istream>
#include <memory>
#include <system_error>

#include "api/multipart.hpp"
#include "core/job_paths.hpp"
#include "core/text.hpp"
#include "core/utf8.hpp"

namespace jobhost::api::native {
namespace {

constexpr std::size_t kMaxFiles = 100;
constexpr std::size_t kPiece = 64 * 1024;

core::Error badName() {
  return {core::ErrorCode::InvalidArgument,
          "the upload has no usable name",
          "",
          {{"name", "must be a file name of 1 to 255 bytes without slashes and control characters"}}};
}

core::Error malformed(std::string message) {
  return {core::ErrorCode::InvalidArgument, std::move(message), "", {}};
}

core::Error tooLarge(std::int64_t limit) {
  return {core::ErrorCode::TooLarge, "the upload is larger than " + std::to_string(limit) + " bytes", "", {}};
}

std::filesystem::path inputsOf(const std::filesystem::path& data_folder) {
  return core::inputFolder(data_folder, {}).parent_path();
}

core::Result<SavedInput> committed(StagedFolder& staging, std::vector<SavedFile> files) {
  if (const auto there = staging.commit(); !there) return there.error();
  return SavedInput{staging.id(), std::move(files)};
}

core::Result<SavedFile> savePart(const StagedFolder& staging, const std::string& name, std::istream& part) {
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
  StagedFolder staging(inputsOf(data_folder), "in_");
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
  return committed(staging, {*std::move(file)});
}

core::Result<SavedInput> saveMultipart(const std::filesystem::path& data_folder, const std::string& content_type,
                                       BodyReader& body, std::int64_t limit) {
  StagedFolder staging(inputsOf(data_folder), "in_");
  if (!staging.ready()) return noDisk("create folder");
  std::vector<SavedFile> files;
  const auto walked =
      readMultipart(content_type, body, limit, [&](const PartHead& head, std::istream& part) -> core::Result<void> {
        if (head.file_name.empty()) return {};
        if (files.size() == kMaxFiles) return malformed("the upload has more than 100 files");
        auto file = savePart(staging, head.file_name, part);
        if (!file) return file.error();
        files.push_back(*std::move(file));
        return {};
      });
  if (!walked) return walked.error();
  if (files.empty()) return malformed("the multipart body has no part with a file name");
  return committed(staging, std::move(files));
}

}  // namespace jobhost::api::native
