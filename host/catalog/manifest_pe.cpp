#include "catalog/manifest_pe.hpp"

#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "catalog/faults.hpp"
#include "catalog/note_source.hpp"

namespace jobhost::catalog {
namespace {

constexpr std::size_t kDosHeader = 64;
constexpr std::size_t kPeHeader = 24;  // signature and COFF header
constexpr std::size_t kSectionHeader = 40;
constexpr std::size_t kMaxSections = 96;  // as Windows has it
constexpr std::uint16_t kDll = 0x2000;
constexpr std::uint16_t kPe32Plus = 0x20b;
constexpr char kSection[8] = {'.', 'j', 'h', 'm', 'a', 'n', 0, 0};
constexpr const char* kUnreadable = "cannot be read, or was truncated while it was read";

/// A little-endian number; PE files have no other kind.
template <class T>
T number(const unsigned char* at) {
  T value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) value = static_cast<T>((value << 8) | at[i]);
  return value;
}

std::string machineName(std::uint16_t machine) {
  switch (machine) {
    case 0x8664:
      return "x86-64";
    case 0xaa64:
      return "AArch64";
    default:
      return "machine " + std::to_string(machine);
  }
}

/// Adds the manifest of one section header's section, where it is ours.
core::Result<void> readSection(const Source& source, const unsigned char* header, int& notes,
                               std::vector<std::string>& found) {
  const auto virtual_size = number<std::uint32_t>(header + 8);
  const auto raw_size = number<std::uint32_t>(header + 16);
  const auto offset = number<std::uint32_t>(header + 20);
  if (raw_size > 0 && !source.holds(offset, raw_size)) {
    return damaged("is truncated: one of its sections reaches beyond its end");
  }
  if (std::memcmp(header, kSection, sizeof kSection) != 0) return {};
  const std::uint32_t size = virtual_size > 0 && virtual_size < raw_size ? virtual_size : raw_size;
  if (size > kMaxNoteSegment) return damaged("is damaged: a manifest section of " + std::to_string(size) + " bytes");
  std::vector<unsigned char> bytes(size);
  if (size > 0 && !source.read(offset, bytes.data(), bytes.size())) return damaged(kUnreadable);
  return scanNotes(bytes, 4, notes, found);
}

core::Result<FileManifest> readPe(const Source& source) {
  std::array<unsigned char, kDosHeader> dos{};
  if (!source.holds(0, kDosHeader)) return damaged("is a truncated Windows file");
  if (!source.read(0, dos.data(), dos.size())) return damaged(kUnreadable);
  if (!looksLikePe(dos)) return invalid("is not a Windows DLL", "build it as a 64-bit DLL");
  const std::uint64_t at = number<std::uint32_t>(dos.data() + 0x3c);
  std::array<unsigned char, kPeHeader + 2> head{};  // with the optional header's magic
  if (!source.holds(at, head.size())) return damaged("is truncated: its PE header lies behind its end");
  if (!source.read(at, head.data(), head.size())) return damaged(kUnreadable);
  if (std::memcmp(head.data(), "PE\0\0", 4) != 0) return invalid("is a DOS program, not a Windows DLL", "build it as a 64-bit DLL");
  const auto machine = number<std::uint16_t>(head.data() + 4);
  const auto sections = number<std::uint16_t>(head.data() + 6);
  const auto optional_size = number<std::uint16_t>(head.data() + 20);
  if ((number<std::uint16_t>(head.data() + 22) & kDll) == 0) return invalid("is a Windows program but not a DLL", "link it with -shared");
  if (optional_size < 2 || number<std::uint16_t>(head.data() + kPeHeader) != kPe32Plus) {
    return unsupported("is a 32-bit Windows DLL; plugins are 64-bit", "build it as a 64-bit DLL");
  }
  if (sections > kMaxSections) {
    return damaged("is damaged: " + std::to_string(sections) + " sections; at most " + std::to_string(kMaxSections) +
                   " are allowed");
  }
  std::vector<unsigned char> table(sections * kSectionHeader);
  const std::uint64_t table_at = at + kPeHeader + optional_size;
  if (!source.holds(table_at, table.size())) return damaged("is truncated: its section headers lie behind its end");
  if (!table.empty() && !source.read(table_at, table.data(), table.size())) return damaged(kUnreadable);

  std::vector<std::string> found;
  int notes = 0;
  for (std::size_t i = 0; i < sections; ++i) {
    if (auto read = readSection(source, table.data() + i * kSectionHeader, notes, found); !read) return read.error();
  }
  if (found.empty()) return invalid("is a Windows DLL without a jobhost manifest (no section \".jhman\")", kGiveManifest);
  auto manifest = onlyManifest(std::move(found));
  if (!manifest) return manifest.error();
  return FileManifest{{*std::move(manifest), source.size}, "PE " + machineName(machine)};
}

core::Result<FileManifest> readEither(const Source& source, const core::Result<ManifestNote>& elf) {
  std::array<unsigned char, 2> head{};
  if (source.holds(0, head.size()) && source.read(0, head.data(), head.size()) && looksLikePe(head)) {
    return readPe(source);
  }
  if (!elf) return elf.error();
  return FileManifest{*elf, "ELF"};
}

}  // namespace

bool looksLikePe(std::span<const unsigned char> head) {
  return head.size() >= 2 && head[0] == 'M' && head[1] == 'Z';
}

core::Result<FileManifest> readManifestPe(std::span<const unsigned char> file) {
  return readPe(sourceOf(file));
}

core::Result<FileManifest> readManifestPe(int fd) {
  const auto source = sourceOf(fd);
  if (!source) return source.error();
  return readPe(*source);
}

core::Result<FileManifest> readManifestFile(int fd) {
  const auto source = sourceOf(fd);
  if (!source) return source.error();
  return readEither(*source, readManifestNote(fd));
}

core::Result<FileManifest> readManifestFile(std::span<const unsigned char> file) {
  return readEither(sourceOf(file), readManifestNote(file));
}

}  // namespace jobhost::catalog
