#include "devtools/elf_file.hpp"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>

namespace jobhost::devtools {
namespace {

constexpr std::size_t kMaxHeaders = 64;
constexpr std::size_t kMaxDynamic = 4096;
constexpr std::size_t kMaxSymbols = 1'000'000;
constexpr std::size_t kMaxName = 4096;
constexpr std::size_t kMaxVersions = 4096;
constexpr std::size_t kMaxConfDepth = 4;

core::Error damaged(const std::string& what) {
  return {core::ErrorCode::InvalidArgument, "damaged ELF file: " + what, {}, {}};
}

/// Reads structs at file offsets and at the addresses the loader would give them.
class Image {
 public:
  explicit Image(std::span<const unsigned char> file) : file_(file) {}

  template <class T>
  [[nodiscard]] std::optional<T> at(std::uint64_t offset) const {
    if (offset > file_.size() || file_.size() - offset < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, file_.data() + offset, sizeof(T));
    return value;
  }
  template <class T>
  [[nodiscard]] std::optional<T> mapped(std::uint64_t address) const {
    const auto offset = offsetOf(address);
    return offset ? at<T>(*offset) : std::nullopt;
  }
  [[nodiscard]] std::optional<std::string> text(std::uint64_t address) const {
    const auto offset = offsetOf(address);
    if (!offset || *offset >= file_.size()) return std::nullopt;
    const auto* begin = reinterpret_cast<const char*>(file_.data()) + *offset;
    const std::size_t most = std::min<std::size_t>(file_.size() - *offset, kMaxName);
    const std::size_t size = strnlen(begin, most);
    if (size == most) return std::nullopt;
    return std::string(begin, size);
  }
  void addSegment(const Elf64_Phdr& header) { segments_.push_back(header); }
  [[nodiscard]] std::optional<std::uint64_t> offsetOf(std::uint64_t address) const {
    for (const auto& one : segments_) {
      if (address >= one.p_vaddr && address - one.p_vaddr < one.p_filesz) return one.p_offset + (address - one.p_vaddr);
    }
    return std::nullopt;
  }

 private:
  std::span<const unsigned char> file_;
  std::vector<Elf64_Phdr> segments_;
};

/// The dynamic section as a map; the tags that come more than once are lists.
struct Dynamic {
  std::map<std::int64_t, std::uint64_t> one;
  std::vector<std::uint64_t> needed;
  [[nodiscard]] std::uint64_t get(std::int64_t tag) const {
    const auto found = one.find(tag);
    return found == one.end() ? 0 : found->second;
  }
  [[nodiscard]] bool has(std::int64_t tag) const { return one.contains(tag); }
};

/// How many dynamic symbols there are: no header says so but the hash tables do.
std::size_t symbolCount(const Image& image, const Dynamic& dynamic) {
  if (dynamic.has(DT_HASH)) {
    const auto chains = image.mapped<std::uint32_t>(dynamic.get(DT_HASH) + 4);
    return chains ? *chains : 0;
  }
  const std::uint64_t table = dynamic.get(DT_GNU_HASH);
  const auto buckets = image.mapped<std::uint32_t>(table);
  const auto first = image.mapped<std::uint32_t>(table + 4);
  const auto bloom = image.mapped<std::uint32_t>(table + 8);
  if (!buckets || !first || !bloom || *buckets > kMaxSymbols || *bloom > kMaxSymbols) return 0;
  const std::uint64_t bucket_at = table + 16 + std::uint64_t{*bloom} * 8;
  std::uint32_t last = 0;
  for (std::uint32_t i = 0; i < *buckets; ++i)
    last = std::max(last, image.mapped<std::uint32_t>(bucket_at + i * 4ULL).value_or(0));
  if (last < *first) return *first;
  const std::uint64_t chain_at = bucket_at + std::uint64_t{*buckets} * 4;
  for (; last < kMaxSymbols; ++last) {
    const auto hash = image.mapped<std::uint32_t>(chain_at + (last - *first) * 4ULL);
    if (!hash || (*hash & 1) != 0) return last + 1;
  }
  return 0;
}

core::Result<void> readSymbols(const Image& image, const Dynamic& dynamic, ElfFile& out) {
  const std::size_t count = symbolCount(image, dynamic);
  if (count > kMaxSymbols) return damaged("too many symbols");
  for (std::size_t i = 1; i < count; ++i) {
    const auto symbol = image.mapped<Elf64_Sym>(dynamic.get(DT_SYMTAB) + i * sizeof(Elf64_Sym));
    if (!symbol) return damaged("the symbol table is cut off");
    const auto name = image.text(dynamic.get(DT_STRTAB) + symbol->st_name);
    if (!name) return damaged("a symbol's name lies outside the file");
    const int binding = ELF64_ST_BIND(symbol->st_info);
    const int visibility = ELF64_ST_VISIBILITY(symbol->st_other);
    if (symbol->st_shndx == SHN_UNDEF) {
      out.undefined.push_back(*name);
    } else if (binding != STB_LOCAL && visibility != STV_HIDDEN && visibility != STV_INTERNAL) {
      out.exports.push_back(*name);
    }
    if (binding == STB_GNU_UNIQUE) out.unique.push_back(*name);
  }
  for (auto* list : {&out.exports, &out.undefined, &out.unique}) std::sort(list->begin(), list->end());
  return {};
}

/// Compares "2.34" and "2.4" by their numbers.
bool isLater(const std::string& a, const std::string& b) {
  const auto numbers = [](const std::string& text) {
    std::vector<long> all;
    for (std::size_t at = 0; at < text.size();) {
      all.push_back(std::strtol(text.c_str() + at, nullptr, 10));
      const auto dot = text.find('.', at);
      at = dot == std::string::npos ? text.size() : dot + 1;
    }
    return all;
  };
  return numbers(a) > numbers(b);
}

void readVersions(const Image& image, const Dynamic& dynamic, ElfFile& out) {
  std::uint64_t at = dynamic.get(DT_VERNEED);
  std::size_t seen = 0;
  for (std::uint64_t i = 0; i < dynamic.get(DT_VERNEEDNUM) && seen < kMaxVersions; ++i) {
    const auto need = image.mapped<Elf64_Verneed>(at);
    if (!need) return;
    std::uint64_t aux_at = at + need->vn_aux;
    for (int j = 0; j < need->vn_cnt && ++seen < kMaxVersions; ++j) {
      const auto aux = image.mapped<Elf64_Vernaux>(aux_at);
      const auto name = aux ? image.text(dynamic.get(DT_STRTAB) + aux->vna_name) : std::nullopt;
      if (!name) return;
      const auto split = name->rfind('_');
      if (split != std::string::npos && split + 1 < name->size() &&
          std::isdigit(static_cast<unsigned char>((*name)[split + 1])) != 0) {
        auto& highest = out.versions[name->substr(0, split)];
        if (highest.empty() || isLater(name->substr(split + 1), highest)) highest = name->substr(split + 1);
      }
      if (aux->vna_next == 0) break;
      aux_at += aux->vna_next;
    }
    if (need->vn_next == 0) return;
    at += need->vn_next;
  }
}

void readBuildId(const Image& image, const Elf64_Phdr& header, ElfFile& out) {
  std::uint64_t at = header.p_offset;
  const std::uint64_t end = at + std::min<std::uint64_t>(header.p_filesz, 1U << 20);
  while (at + sizeof(Elf64_Nhdr) <= end) {
    const auto note = image.at<Elf64_Nhdr>(at);
    if (!note || note->n_namesz > 256 || note->n_descsz > (1U << 20)) return;
    const std::uint64_t description = at + sizeof(Elf64_Nhdr) + ((note->n_namesz + 3ULL) & ~3ULL);
    if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && note->n_descsz <= 64) {
      static constexpr char kDigits[] = "0123456789abcdef";
      out.build_id.clear();
      for (std::uint32_t i = 0; i < note->n_descsz; ++i) {
        const auto byte = image.at<unsigned char>(description + i);
        if (!byte) return;
        out.build_id += {kDigits[*byte >> 4], kDigits[*byte & 15]};
      }
    }
    at = description + ((note->n_descsz + 3ULL) & ~3ULL);
  }
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> all;
  for (std::size_t at = 0; at <= text.size();) {
    const auto colon = std::min(text.find(':', at), text.size());
    if (colon > at) all.push_back(text.substr(at, colon - at));
    at = colon + 1;
  }
  return all;
}

core::Result<void> readDynamic(const Image& image, const Elf64_Phdr& header, ElfFile& out) {
  Dynamic dynamic;
  for (std::size_t i = 0; i < kMaxDynamic; ++i) {
    const auto entry = image.at<Elf64_Dyn>(header.p_offset + i * sizeof(Elf64_Dyn));
    if (!entry) return damaged("the dynamic section is cut off");
    if (entry->d_tag == DT_NULL) break;
    if (entry->d_tag == DT_NEEDED) {
      dynamic.needed.push_back(entry->d_un.d_val);
    } else {
      dynamic.one[entry->d_tag] = entry->d_un.d_val;
    }
  }
  const std::uint64_t names = dynamic.get(DT_STRTAB);
  for (const std::uint64_t name : dynamic.needed) {
    const auto text = image.text(names + name);
    if (!text) return damaged("the name of a needed library lies outside the file");
    out.needed.push_back(*text);
  }
  for (const std::int64_t tag : {DT_RUNPATH, DT_RPATH}) {
    if (dynamic.has(tag) && out.search.empty()) out.search = split(image.text(names + dynamic.get(tag)).value_or(""));
  }
  const std::uint64_t flags = dynamic.get(DT_FLAGS);
  out.text_relocations = dynamic.has(DT_TEXTREL) || (flags & DF_TEXTREL) != 0;
  out.static_tls = (flags & DF_STATIC_TLS) != 0;
  out.binds_now = dynamic.has(DT_BIND_NOW) || (flags & DF_BIND_NOW) != 0 || (dynamic.get(DT_FLAGS_1) & DF_1_NOW) != 0;
  readVersions(image, dynamic, out);
  return readSymbols(image, dynamic, out);
}

void addConfigured(const std::string& file, std::vector<std::string>& out, std::size_t depth) {
  std::ifstream in(file);
  for (std::string line; depth < kMaxConfDepth && std::getline(in, line);) {
    if (line.rfind("include ", 0) == 0) {
      const std::filesystem::path pattern(line.substr(8));
      std::error_code error;
      std::vector<std::string> files;
      for (std::filesystem::directory_iterator at(pattern.parent_path(), error), end; !error && at != end;
           at.increment(error)) {
        if (at->path().extension() == ".conf") files.push_back(at->path().string());
      }
      std::sort(files.begin(), files.end());
      for (const auto& one : files) addConfigured(one, out, depth + 1);
    } else if (!line.empty() && line.front() == '/') {
      out.push_back(line);
    }
  }
}

}  // namespace

core::Result<ElfFile> readElf(std::span<const unsigned char> file) {
  Image image(file);
  ElfFile out;
  out.size_bytes = file.size();
  const auto header = image.at<Elf64_Ehdr>(0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return damaged("it does not begin as one");
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB) {
    return damaged("it is not a 64-bit little-endian one");
  }
  if (header->e_phnum > kMaxHeaders || header->e_phentsize != sizeof(Elf64_Phdr)) return damaged("its program headers");
  std::vector<Elf64_Phdr> headers;
  for (std::size_t i = 0; i < header->e_phnum; ++i) {
    const auto one = image.at<Elf64_Phdr>(header->e_phoff + i * sizeof(Elf64_Phdr));
    if (!one) return damaged("the program headers are cut off");
    headers.push_back(*one);
    if (one->p_type == PT_LOAD) image.addSegment(*one);
  }
  for (const auto& one : headers) {
    if (one.p_type == PT_GNU_RELRO) out.relro = true;
    if (one.p_type == PT_GNU_STACK) {
      out.stack_marked = true;
      out.executable_stack = (one.p_flags & PF_X) != 0;
    }
    if (one.p_type == PT_LOAD && (one.p_flags & PF_W) != 0 && (one.p_flags & PF_X) != 0) out.writable_code = true;
    if (one.p_type == PT_NOTE) readBuildId(image, one, out);
    if (one.p_type == PT_DYNAMIC) {
      if (auto read = readDynamic(image, one, out); !read) return read.error();
    }
  }
  return out;
}

std::vector<std::string> librarySearchPath(const ElfFile& elf, const std::string& plugin_folder) {
  std::vector<std::string> all;
  for (std::string folder : elf.search) {
    for (const std::string_view word : {"$ORIGIN", "${ORIGIN}"}) {
      if (const auto at = folder.find(word); at != std::string::npos) folder.replace(at, word.size(), plugin_folder);
    }
    all.push_back(folder);
  }
  addConfigured("/etc/ld.so.conf", all, 0);
  for (const char* folder : {"/lib64", "/usr/lib64", "/lib", "/usr/lib"}) all.emplace_back(folder);
  return all;
}

}  // namespace jobhost::devtools
