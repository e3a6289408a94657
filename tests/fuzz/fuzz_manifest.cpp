// Arbitrary bytes as a plugin file, ELF or PE: the note readers, and what it finds through the manifest parser. Bytes
// that are no ELF file go to the manifest parser themselves, so that both get exercise.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "catalog/manifest.hpp"
#include "catalog/manifest_note.hpp"
#include "catalog/manifest_pe.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace jobhost::catalog;
  if (const auto note = readManifestNote({data, size})) static_cast<void>(parseManifest(note->manifest_json, {}));
  if (const auto file = readManifestFile({data, size})) static_cast<void>(parseManifest(file->note.manifest_json, {}));
  static_cast<void>(readManifestPe({data, size}));
  static_cast<void>(parseManifest({reinterpret_cast<const char*>(data), size}, {}));
  return 0;
}
