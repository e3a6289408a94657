#include "catalog/manifest_note.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "catalog/faults.hpp"
#include "catalog/note_source.hpp"
#include "core/utf8.hpp"

namespace jobhost::catalog {

namespace {

constexpr std::string_view kOwner{"JobHost", 8};  // with its NUL, as notes count it
constexpr std::uint32_t kManifestType = 1;
constexpr int kMaxNotes = 256;

#if defined(__x86_64__)
constexpr std::uint16_t kMachine = EM_X86_64;
constexpr const char* kMachineName = "x86-64";
#elif defined(__aarch64__)
constexpr std::uint16_t kMachine = EM_AARCH64;
constexpr const char* kMachineName = "AArch64";
#elif defined(__riscv)
constexpr std::uint16_t kMachine = EM_RISCV;
constexpr const char* kMachineName = "RISC-V";
#else
#error "say here what this machine's ELF files are called"
#endif

constexpr std::string_view kBuildForThis = "build it for this machine";
constexpr const char* kUnreadable = "cannot be read, or was truncated while it was read";

std::string machineName(std::uint16_t machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_386:
      return "x86";
    case EM_AARCH64:
      return "AArch64";
    case EM_ARM:
      return "ARM";
    case EM_RISCV:
      return "RISC-V";
    case EM_PPC64:
      return "PowerPC64";
    case EM_S390:
      return "s390";
    default:
      return "machine " + std::to_string(machine);
  }
}

/// Faults of the header alone; an empty string: usable.
core::Result<void> checkHeader(const Elf64_Ehdr& header) {
  if (header.e_ident[EI_CLASS] != ELFCLASS64) return unsupported("is a 32-bit ELF file; this host is 64-bit", kBuildForThis);
  constexpr unsigned char kOrder = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
  if (header.e_ident[EI_DATA] != kOrder) return unsupported("is an ELF file of the other byte order", kBuildForThis);
  if (header.e_ident[EI_VERSION] != EV_CURRENT) return damaged("is damaged: unknown ELF version");
  if (header.e_machine != kMachine) {
    return unsupported("is built for " + machineName(header.e_machine) + "; this host is " + kMachineName, kBuildForThis);
  }
  if (header.e_type != ET_DYN) return unsupported("is an ELF file but not a shared library", "link it with -shared");
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return damaged("is damaged: wrong size of program headers");
  if (header.e_phnum == 0) return damaged("is damaged: no program headers");
  if (header.e_phnum > kMaxProgramHeaders) {
    return damaged("is damaged: " + std::to_string(header.e_phnum) + " program headers; at most " +
                   std::to_string(kMaxProgramHeaders) + " are allowed");
  }
  return {};
}

std::uint64_t padded(std::uint64_t length, std::uint64_t alignment) {
  return (length + alignment - 1) / alignment * alignment;
}

core::Result<ManifestNote> readFrom(const Source& source) {
  if (source.size == 0) return damaged("is empty");
  Elf64_Ehdr header{};
  const std::size_t first = source.size < sizeof header ? static_cast<std::size_t>(source.size) : sizeof header;
  if (!source.read(0, &header, first)) return damaged(kUnreadable);
  if (first >= 2 && header.e_ident[0] == 'M' && header.e_ident[1] == 'Z') {
    return unsupported("is a Windows program or DLL; this host loads ELF libraries", "build it for Linux");
  }
  if (first < SELFMAG || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return invalid("is not an ELF file", "a plugin is a shared library built for Linux");
  if (first < sizeof header) return damaged("is a truncated ELF file");
  if (auto usable = checkHeader(header); !usable) return usable.error();

  const std::uint64_t table = std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
  if (!source.holds(header.e_phoff, table)) return damaged("is truncated: its program headers lie behind its end");
  // Section headers come last in a file, so a copy that stopped early lacks them though all it loads may be there. A
  // file whose section headers were taken away on purpose says so with 0.
  const std::uint64_t sections = std::uint64_t{header.e_shnum} * header.e_shentsize;
  if (header.e_shoff != 0 && !source.holds(header.e_shoff, sections)) {
    return damaged("is truncated: its section headers lie behind its end");
  }
  std::array<Elf64_Phdr, kMaxProgramHeaders> programs{};
  if (!source.read(header.e_phoff, programs.data(), static_cast<std::size_t>(table))) {
    return damaged(kUnreadable);
  }

  std::vector<std::string> found;
  int notes = 0;
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    const Elf64_Phdr& program = programs[i];
    // A file cut short anywhere in what is loaded would only fail later, with SIGBUS.
    const bool loaded = program.p_type == PT_LOAD || program.p_type == PT_DYNAMIC || program.p_type == PT_NOTE;
    if (loaded && !source.holds(program.p_offset, program.p_filesz)) {
      return damaged("is truncated: one of its segments reaches beyond its end");
    }
    if (program.p_type != PT_NOTE || program.p_filesz == 0) continue;
    if (program.p_filesz > kMaxNoteSegment) {
      return damaged("is damaged: a note segment of " + std::to_string(program.p_filesz) + " bytes");
    }
    std::vector<unsigned char> segment(static_cast<std::size_t>(program.p_filesz));
    if (!source.read(program.p_offset, segment.data(), segment.size())) {
      return damaged(kUnreadable);
    }
    if (auto scanned = scanNotes(segment, program.p_align == 8 ? 8 : 4, notes, found); !scanned) {
      return scanned.error();
    }
  }
  auto manifest = onlyManifest(std::move(found));
  if (!manifest) return manifest.error();
  return ManifestNote{*std::move(manifest), source.size};
}

}  // namespace

core::Result<Source> sourceOf(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || status.st_size < 0) return damaged("cannot be read");
  Source source;
  source.size = static_cast<std::uint64_t>(status.st_size);
  source.read = [fd](std::uint64_t offset, void* into, std::size_t length) {
    auto* bytes = static_cast<unsigned char*>(into);
    while (length > 0) {
      const ssize_t got = ::pread(fd, bytes, length, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      bytes += got;
      offset += static_cast<std::uint64_t>(got);
      length -= static_cast<std::size_t>(got);
    }
    return true;
  };
  return source;
}

Source sourceOf(std::span<const unsigned char> file) {
  Source source;
  source.size = file.size();
  source.read = [file](std::uint64_t offset, void* into, std::size_t length) {
    if (offset > file.size() || length > file.size() - offset) return false;
    if (length > 0) std::memcpy(into, file.data() + offset, length);
    return true;
  };
  return source;
}

core::Result<void> scanNotes(std::span<const unsigned char> segment, std::uint64_t alignment, int& notes,
                             std::vector<std::string>& found) {
  std::uint64_t at = 0;
  while (at + sizeof(Elf64_Nhdr) <= segment.size()) {
    if (++notes > kMaxNotes) return damaged("is damaged: more than " + std::to_string(kMaxNotes) + " notes");
    Elf64_Nhdr note;
    std::memcpy(&note, segment.data() + at, sizeof note);
    const std::uint64_t name = at + sizeof note;
    const std::uint64_t description = at + padded(sizeof note + note.n_namesz, alignment);
    if (description > segment.size() || note.n_descsz > segment.size() - description) {
      return damaged("is damaged: a note reaches beyond its segment");
    }
    if (note.n_namesz == kOwner.size() && note.n_type == kManifestType &&
        std::memcmp(segment.data() + name, kOwner.data(), kOwner.size()) == 0) {
      if (note.n_descsz > kMaxManifest) {
        return fault(core::ErrorCode::TooLarge,
                     "has a manifest of " + std::to_string(note.n_descsz) + " bytes; at most " +
                         std::to_string(kMaxManifest) + " are allowed",
                     "shorten its schemas and texts");
      }
      const auto* bytes = reinterpret_cast<const char*>(segment.data() + description);
      found.emplace_back(bytes, note.n_descsz);
    }
    at = description + padded(note.n_descsz, alignment);
  }
  return {};
}

core::Result<std::string> onlyManifest(std::vector<std::string> found) {
  if (found.empty()) return invalid("is a shared library without a jobhost manifest (no note \"JobHost\")", kGiveManifest);
  // One note may be reached through two segments; two different ones mean two plugins in one file.
  for (const std::string& other : found) {
    if (other != found.front()) return invalid("has two different jobhost manifests", "put each plugin into a library of its own");
  }
  std::string text = std::move(found.front());
  while (!text.empty() && text.back() == '\0') text.pop_back();
  if (text.empty()) return invalid("has an empty jobhost manifest", kGiveManifest);
  if (!core::isUtf8(text)) return invalid("has a jobhost manifest that is not valid UTF-8", "save the manifest as UTF-8 and build it again");
  return text;
}

core::Result<ManifestNote> readManifestNote(int fd) {
  const auto source = sourceOf(fd);
  if (!source) return source.error();
  return readFrom(*source);
}

core::Result<ManifestNote> readManifestNote(std::span<const unsigned char> file) {
  return readFrom(sourceOf(file));
}

core::Result<int> openPluginFile(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) {
    switch (errno) {
      case ENOENT:
      case ENOTDIR:
        return core::Error{core::ErrorCode::NotFound, "is gone", {}, {}};
      case EACCES:
      case EPERM:
        return fault(core::ErrorCode::PermissionDenied, "may not be read by this host", "give the host's user the right to read it");
      case ELOOP:
        return invalid("is a symbolic link", "put the file itself into the folder");
      case ENXIO:
        return invalid("is not a regular file", "put a file into the folder");
      default:
        return core::Error{
            core::ErrorCode::Unavailable, std::string("cannot be opened: ") + std::strerror(errno), {}, {}};
    }
  }
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd);
    return invalid("is not a regular file", "put a file into the folder");
  }
  return fd;
}

}  // namespace jobhost::catalog
