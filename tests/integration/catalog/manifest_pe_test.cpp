#include "catalog/manifest_pe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "catalog/manifest.hpp"
#include "integration/catalog/plugin_files.hpp"

namespace jobhost::catalog {
namespace {

using testing::HasSubstr;

constexpr std::size_t kPeAt = 0x80;
constexpr std::size_t kOptional = 240;
constexpr std::size_t kSections = kPeAt + 24 + kOptional;
constexpr std::size_t kData = 0x400;

template <class T>
void put(std::string& bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

/// The smallest DLL with a manifest, as the linker of MinGW lays one out.
std::string dll(const std::string& json = R"({"manifest": 1, "id": "test.dll", "version": "1.0.0", "abi": {"major": 1},
    "job_types": [{"name": "x"}]})") {
  std::string note(12, '\0');
  put<std::uint32_t>(note, 0, 8);
  put<std::uint32_t>(note, 4, static_cast<std::uint32_t>(json.size() + 1));
  put<std::uint32_t>(note, 8, 1);
  note += std::string("JobHost\0", 8) + json + '\0';
  std::string bytes(kData, '\0');
  bytes.replace(0, 2, "MZ");
  put<std::uint32_t>(bytes, 0x3c, kPeAt);
  bytes.replace(kPeAt, 2, "PE");
  put<std::uint16_t>(bytes, kPeAt + 4, 0x8664);
  put<std::uint16_t>(bytes, kPeAt + 6, 2);
  put<std::uint16_t>(bytes, kPeAt + 20, kOptional);
  put<std::uint16_t>(bytes, kPeAt + 22, 0x2022);
  put<std::uint16_t>(bytes, kPeAt + 24, 0x20b);
  bytes.replace(kSections, 5, ".text");
  bytes.replace(kSections + 40, 6, ".jhman");
  put<std::uint32_t>(bytes, kSections + 40 + 8, static_cast<std::uint32_t>(note.size()));
  put<std::uint32_t>(bytes, kSections + 40 + 16, static_cast<std::uint32_t>((note.size() + 511) / 512 * 512));
  put<std::uint32_t>(bytes, kSections + 40 + 20, kData);
  note.resize((note.size() + 511) / 512 * 512);
  return bytes + note;
}
template <class T>
std::string with(std::size_t at, T value) {
  std::string bytes = dll();
  put<T>(bytes, at, value);
  return bytes;
}

std::span<const unsigned char> span(const std::string& bytes) {
  return {reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()};
}
std::string reasonOf(const std::string& bytes) {
  const auto file = readManifestPe(span(bytes));
  return file ? "read" : file.error().message;
}

TEST(ManifestPe, IsReadFromADll) {
  const auto file = readManifestFile(span(dll()));
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->format, "PE x86-64");
  const auto manifest = parseManifest(file->note.manifest_json, {});
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  EXPECT_EQ(manifest->id, "test.dll");
}

TEST(ManifestPe, IsToldFromAnElfFile) {
  const auto elf = readManifestFile(span(library("tiny_plugin")));
  ASSERT_TRUE(elf.ok());
  EXPECT_EQ(elf->format, "ELF");
  EXPECT_THAT(reasonOf(library("tiny_plugin")), HasSubstr("not a Windows DLL"));
  const auto loaded = readManifestNote(span(dll()));
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.error().code, core::ErrorCode::Unsupported);
  EXPECT_THAT(loaded.error().message, HasSubstr("Windows"));
}

TEST(ManifestPe, SaysPreciselyWhyAFileIsNoPlugin) {
  EXPECT_THAT(reasonOf("MZ"), HasSubstr("truncated"));
  EXPECT_THAT(reasonOf(with<std::uint32_t>(0x3c, 0xfffffff0)), HasSubstr("PE header lies behind its end"));
  EXPECT_THAT(reasonOf(with<std::uint32_t>(kPeAt, 0)), HasSubstr("DOS program"));
  EXPECT_THAT(reasonOf(with<std::uint16_t>(kPeAt + 22, 0x0022)), HasSubstr("not a DLL"));
  EXPECT_THAT(reasonOf(with<std::uint16_t>(kPeAt + 24, 0x10b)), HasSubstr("32-bit"));
  EXPECT_THAT(reasonOf(with<std::uint16_t>(kPeAt + 6, 97)), HasSubstr("97 sections"));
  EXPECT_THAT(reasonOf(with<std::uint16_t>(kPeAt + 20, 0xffff)), HasSubstr("section headers lie behind its end"));
  EXPECT_THAT(reasonOf(with<std::uint32_t>(kSections + 60, 0xfffffe00)), HasSubstr("beyond its end"));
  EXPECT_THAT(reasonOf(with<std::uint32_t>(kData + 4, 0x7fffffff)), HasSubstr("beyond its segment"));
  EXPECT_THAT(reasonOf(patched(dll(), ".jhman", ".other")), HasSubstr("without a jobhost manifest"));
  EXPECT_THAT(reasonOf(patched(dll(), "JobHost", "JobGost")), HasSubstr("without a jobhost manifest"));
  EXPECT_THAT(reasonOf(dll("T\xff\xfe")), HasSubstr("UTF-8"));
}

TEST(ManifestPe, RefusesManifestsOverTheirLimits) {
  EXPECT_THAT(reasonOf(dll(std::string(kMaxManifest + 1, ' '))), HasSubstr("at most"));
  EXPECT_THAT(reasonOf(dll(std::string(kMaxNoteSegment + 1, ' '))), HasSubstr("manifest section"));
}

TEST(ManifestPe, ReadsAnyPrefixAndAnyDamageWithoutHarm) {
  const std::string whole = dll();
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_NE(reasonOf(whole.substr(0, size)), "read") << size;
  std::mt19937 random(20261123);
  int read_well = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = whole;
    for (unsigned i = 0; i < 1 + random() % 8; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    if (const auto file = readManifestPe(span(bytes))) {
      ++read_well;
      static_cast<void>(parseManifest(file->note.manifest_json, {}));
    }
  }
  EXPECT_GT(read_well, 0);
}

}  // namespace
}  // namespace jobhost::catalog
