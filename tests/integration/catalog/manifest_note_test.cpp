#include "catalog/manifest_note.hpp"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "catalog/manifest.hpp"
#include "integration/catalog/plugin_files.hpp"

namespace jobhost::catalog {
namespace {

using testing::HasSubstr;

core::Result<ManifestNote> read(const std::string& bytes) {
  return readManifestNote({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()});
}
template <class Change>
std::string withHeader(Change&& change) {
  std::string bytes = library("tiny_plugin");
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  change(header);
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}
/// Changes the program header of the note segment that holds the manifest.
template <class Change>
std::string withNote(Change&& change) {
  std::string bytes = library("tiny_plugin");
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr program;
    const auto at = header.e_phoff + static_cast<std::size_t>(i) * sizeof program;
    std::memcpy(&program, bytes.data() + at, sizeof program);
    if (program.p_type != PT_NOTE) continue;
    change(program);
    std::memcpy(bytes.data() + at, &program, sizeof program);
  }
  return bytes;
}
std::string reasonOf(const std::string& bytes) {
  const auto note = read(bytes);
  return note ? "read" : note.error().message;
}

TEST(ManifestNote, IsReadFromRealLibrariesAlsoStripped) {
  for (const char* name : {"tiny_plugin", "tiny_plugin_stripped", "tiny_plugin_protected"}) {
    const auto note = read(library(name));
    ASSERT_TRUE(note.ok()) << note.error().message;
    const auto manifest = parseManifest(note->manifest_json, {});
    ASSERT_TRUE(manifest.ok()) << manifest.error().message;
    EXPECT_EQ(manifest->id, "test.tiny-a");
  }
}

TEST(ManifestNote, IsReadWithoutSectionHeaders) {
  EXPECT_EQ(reasonOf(withHeader([](Elf64_Ehdr& header) {
              header.e_shoff = 0;
              header.e_shnum = 0;
              header.e_shstrndx = 0;
            })),
            "read");
}

TEST(ManifestNote, SaysPreciselyWhyAFileIsNoPlugin) {
  EXPECT_EQ(reasonOf(""), "is empty; copy it again");
  EXPECT_EQ(reasonOf("hello"), "is not an ELF file; a plugin is a shared library built for Linux");
  EXPECT_EQ(reasonOf("\x7f"
                     "ELF"),
            "is a truncated ELF file; copy it again");
  EXPECT_EQ(reasonOf("MZ and more"), "is a Windows program or DLL; this host loads ELF libraries; build it for Linux");
  EXPECT_THAT(reasonOf(library("no_manifest")), HasSubstr("without a jobhost manifest"));
  EXPECT_THAT(reasonOf(withHeader([](Elf64_Ehdr& h) { h.e_ident[EI_CLASS] = ELFCLASS32; })), HasSubstr("32-bit"));
  EXPECT_THAT(reasonOf(withHeader([](Elf64_Ehdr& h) { h.e_ident[EI_DATA] ^= 3; })), HasSubstr("byte order"));
  EXPECT_THAT(reasonOf(withHeader([](Elf64_Ehdr& h) { h.e_machine = EM_S390; })), HasSubstr("is built for s390"));
  EXPECT_THAT(reasonOf(withHeader([](Elf64_Ehdr& h) { h.e_type = ET_EXEC; })), HasSubstr("not a shared library"));
  EXPECT_THAT(reasonOf(withHeader([](Elf64_Ehdr& h) { h.e_phnum = 65; })), HasSubstr("65 program headers"));
  EXPECT_THAT(reasonOf(withHeader([](Elf64_Ehdr& h) { h.e_phnum = 0; })), HasSubstr("no program headers"));
  EXPECT_THAT(reasonOf(withHeader([](Elf64_Ehdr& h) { h.e_phoff = ~0ull - 8; })), HasSubstr("behind its end"));
  EXPECT_THAT(reasonOf(withNote([](Elf64_Phdr& p) { p.p_offset = ~0ull; })), HasSubstr("beyond its end"));
  EXPECT_THAT(reasonOf(withNote([](Elf64_Phdr& p) { p.p_filesz = 1ull << 40; })), HasSubstr("beyond its end"));
}

TEST(ManifestNote, ACopyThatStoppedBeforeTheSectionHeadersIsTruncated) {
  const std::string whole = library("tiny_plugin");
  constexpr char kReason[] = "is truncated: its section headers lie behind its end; copy it again";
  Elf64_Ehdr header;
  std::memcpy(&header, whole.data(), sizeof header);
  const auto end = header.e_shoff + std::size_t{header.e_shnum} * header.e_shentsize;
  EXPECT_EQ(reasonOf(whole.substr(0, end)), "read");
  EXPECT_EQ(reasonOf(whole.substr(0, end - 1)), kReason);
  EXPECT_EQ(reasonOf(whole.substr(0, header.e_shoff)), kReason);
  EXPECT_EQ(reasonOf(withHeader([](Elf64_Ehdr& h) { h.e_shoff = ~0ull - 8; })), kReason);
}

TEST(ManifestNote, RefusesNotesOverTheirLimits) {
  const std::string padding(2u << 20, '\0');
  EXPECT_THAT(reasonOf(withNote([](Elf64_Phdr& p) { p.p_filesz = (1u << 20) + 4; }) + padding),
              HasSubstr("note segment"));
  std::string bytes = library("tiny_plugin");
  const auto at = bytes.find(std::string("JobHost\0", 8));
  ASSERT_NE(at, std::string::npos);
  const std::uint32_t huge = 0x7fffffff;
  std::memcpy(bytes.data() + at - 8, &huge, sizeof huge);
  EXPECT_THAT(reasonOf(bytes), HasSubstr("beyond its segment"));
}

TEST(ManifestNote, RefusesManifestsThatAreNotUtf8) {
  EXPECT_THAT(reasonOf(patched(library("tiny_plugin"), "Tiny", "T\xff\xfey")), HasSubstr("UTF-8"));
}

TEST(ManifestNote, ReadsAnyPrefixOfALibraryWithoutHarm) {
  const std::string whole = library("tiny_plugin_stripped");
  for (std::size_t size = 0; size < whole.size(); size += size < 4096 ? 1 : 61)
    static_cast<void>(reasonOf(whole.substr(0, size)));
}

TEST(ManifestNote, ReadsTwentyThousandDamagedLibrariesWithoutHarm) {
  const std::string whole = library("tiny_plugin_stripped");
  const auto note = whole.find("JobHost");
  std::mt19937 random(20261122);
  int read_well = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = whole;
    for (unsigned i = 0; i < 1 + random() % 8; ++i) {
      // Half of the damage goes where it hurts: the headers and the note.
      const std::size_t at = round % 2 != 0      ? random() % bytes.size()
                             : random() % 2 != 0 ? random() % 700
                                                 : note - 12 + random() % 64;
      bytes[at % bytes.size()] = static_cast<char>(random());
    }
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    if (const auto found = read(bytes)) {
      ++read_well;
      static_cast<void>(parseManifest(found->manifest_json, {}));
    }
  }
  EXPECT_GT(read_well, 0);
}

}  // namespace
}  // namespace jobhost::catalog
