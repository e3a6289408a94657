#include "devtools/subject.hpp"

#include <fstream>
#include <iterator>

#include "catalog/json_document.hpp"
#include "catalog/manifest_note.hpp"
#include "catalog/plugin_package.hpp"
#include "jobhost/abi.h"

namespace jobhost::devtools {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kMaxFile = std::uintmax_t{1} << 30;
constexpr std::uintmax_t kMaxManifest = 256 * 1024;

void readManifest(Subject& out) {
  auto manifest = catalog::parseManifest(out.manifest_json, offeredAbi());
  if (manifest) {
    out.manifest = *std::move(manifest);
    return;
  }
  for (const auto& field : manifest.error().fields)
    out.manifest_problems.push_back(field.pointer + ": " + field.message);
  if (out.manifest_problems.empty()) out.manifest_problems.push_back(manifest.error().message);
}

/// A manifest that is a file, with what it names beside it, as a host reads them.
core::Result<Subject> readProgram(Subject out) {
  const auto package = catalog::PluginPackage::open(out.path, static_cast<std::int64_t>(kMaxFile));
  if (!package) {
    auto error = package.error();
    error.message = out.path.string() + ": " + error.message;
    return error;
  }
  out.program = true;
  out.elf_problem = "it is a program, not a library";
  for (const auto& part : package->parts()) {
    std::error_code error;
    out.files.push_back(part.path);
    const auto size = fs::file_size(part.path, error);
    if (!error) out.size_bytes += size;
  }
  auto text = package->manifestText();
  if (text) {
    out.manifest_json = *std::move(text);
    readManifest(out);
    return out;
  }
  // A manifest that is wrong is told by field; anything else is about the files.
  std::ifstream in(out.path, std::ios::binary);
  if (fs::file_size(out.path) <= kMaxManifest) out.manifest_json.assign(std::istreambuf_iterator<char>(in), {});
  readManifest(out);
  if (out.manifest || out.manifest_json.empty()) {
    out.note_problem = text.error().message;
    out.manifest.reset();
  }
  return out;
}

}  // namespace

catalog::HostAbi offeredAbi() {
  return {JOBHOST_VERSION,
          static_cast<int>(JH_ABI_MAJOR),
          static_cast<int>(JH_ABI_MINOR),
          {JH_EXT_OUTPUT, JH_EXT_INPUT, JH_EXT_TEMP, JH_EXT_CONFIG, JH_EXT_CANCEL, JH_EXT_CHILDREN, JH_EXT_CHECKPOINT,
           JH_EXT_HTTP, JH_EXT_PROCESS, JH_EXT_RECORDS, JH_EXT_KV}};
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
  if (catalog::isPluginName(out.path) && out.path.extension() == ".json") return readProgram(std::move(out));
  std::ifstream in(out.path, std::ios::binary);
  if (!in) return core::Error{core::ErrorCode::PermissionDenied, file.string() + ": cannot be read", {}, {}};
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const std::span<const unsigned char> view(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());

  out.files = {out.path};
  out.size_bytes = bytes.size();
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
  readManifest(out);
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
