#include "devtools/subject.hpp"

#include <fstream>
#include <iterator>

#include "catalog/json_document.hpp"
#include "catalog/manifest_note.hpp"
#include "jobhost/abi.h"

namespace jobhost::devtools {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kMaxFile = std::uintmax_t{1} << 30;

}  // namespace

catalog::HostAbi offeredAbi() {
  return {JOBHOST_VERSION,
          static_cast<int>(JH_ABI_MAJOR),
          static_cast<int>(JH_ABI_MINOR),
          {JH_EXT_OUTPUT, JH_EXT_INPUT, JH_EXT_TEMP, JH_EXT_CONFIG, JH_EXT_CANCEL, JH_EXT_CHILDREN, JH_EXT_CHECKPOINT}};
}

core::Result<Subject> readSubject(const fs::path& file) {
  std::error_code error;
  Subject out;
  out.path = fs::canonical(file, error);
  if (error) return core::Error{core::ErrorCode::NotFound, file.string() + ": " + error.message(), {}, {}};
  if (!fs::is_regular_file(out.path, error)) {
    return core::Error{core::ErrorCode::InvalidArgument, file.string() + ": is not a file", {}, {}};
  }
  if (fs::file_size(out.path, error) > kMaxFile) {
    return core::Error{core::ErrorCode::TooLarge, file.string() + ": is over 1 GiB", {}, {}};
  }
  std::ifstream in(out.path, std::ios::binary);
  if (!in) return core::Error{core::ErrorCode::PermissionDenied, file.string() + ": cannot be read", {}, {}};
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const std::span<const unsigned char> view(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());

  if (auto elf = readElf(view)) {
    out.elf = *std::move(elf);
  } else {
    out.elf_problem = elf.error().message;
  }
  auto note = catalog::readManifestNote(view);
  if (!note) {
    out.note_problem = note.error().message;
    return out;
  }
  out.manifest_json = std::move(note->manifest_json);
  auto manifest = catalog::parseManifest(out.manifest_json, offeredAbi());
  if (manifest) {
    out.manifest = *std::move(manifest);
  } else {
    for (const auto& field : manifest.error().fields)
      out.manifest_problems.push_back(field.pointer + ": " + field.message);
    if (out.manifest_problems.empty()) out.manifest_problems.push_back(manifest.error().message);
  }
  return out;
}

std::vector<std::string> Subject::examples(std::size_t type) const {
  std::vector<std::string> all;
  const auto document = catalog::JsonDocument::parse(manifest_json);
  if (!document) return all;
  const auto types = document->root().find("job_types");
  std::size_t index = 0;
  if (!types) return all;
  types->elements([&](catalog::JsonValue one) {
    const auto list = index++ == type ? one.find("examples") : std::nullopt;
    if (list && list->is(catalog::JsonKind::Array)) {
      list->elements([&](catalog::JsonValue example) { all.emplace_back(example.raw()); });
    }
  });
  return all;
}

}  // namespace jobhost::devtools
