#include "artifact/formats.hpp"

#include <unicode/translit.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <memory>

#include "artifact/text.hpp"

namespace jobhost::artifact {
namespace {

struct Row {
  std::string_view name, media_type;
};

// By Format.
constexpr std::array<Row, 14> kRows = {{
    {"epub", "application/epub+zip"},
    {"json", "application/zip"},
    {"txt", "application/zip"},
    {"mobi", "application/x-mobipocket-ebook"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"fb2", "application/x-fictionbook+xml"},
    {"azw3", "application/vnd.amazon.mobi8-ebook"},
    {"lit", "application/x-ms-reader"},
    {"pdb", "application/vnd.palm"},
    {"tcr", "application/octet-stream"},
    {"pdf", "application/pdf"},
    {"rtf", "application/rtf"},
    {"lrf", "application/x-sony-bbeb"},
    {"rb", "application/octet-stream"},
}};
static_assert(kRows.size() == kFormats.size());

constexpr std::size_t kMaxBaseBytes = 100;

std::string toAscii(std::string_view text) {
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<icu::Transliterator> transliterator(
      icu::Transliterator::createInstance("Any-Latin; Latin-ASCII", UTRANS_FORWARD, status));
  icu::UnicodeString wide = icu::UnicodeString::fromUTF8({text.data(), static_cast<std::int32_t>(text.size())});
  if (U_SUCCESS(status) && transliterator) transliterator->transliterate(wide);
  std::string out;
  for (std::int32_t i = 0; i < wide.length(); ++i) {
    const char16_t c = wide[i];
    if (c < 0x80) out += static_cast<char>(c);  // what no rule knows, an emoji for one, goes
  }
  return out;
}

bool isWindowsDevice(std::string_view base) {
  std::string name(base.substr(0, base.find('.')));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  while (name.ends_with(' ')) name.pop_back();
  if (name == "CON" || name == "PRN" || name == "AUX" || name == "NUL") return true;
  return name.size() == 4 && (name.starts_with("COM") || name.starts_with("LPT")) && name[3] >= '1' && name[3] <= '9';
}

}  // namespace

std::string_view nameOf(Format format) {
  return kRows.at(static_cast<std::size_t>(format)).name;
}

std::string_view mediaTypeOf(Format format) {
  return kRows.at(static_cast<std::size_t>(format)).media_type;
}

std::optional<Format> formatOf(std::string_view name) {
  for (const Format format : kFormats) {
    if (nameOf(format) == name) return format;
  }
  return std::nullopt;
}

bool needsConverter(Format format) {
  return format != Format::Epub && format != Format::Json && format != Format::Txt;
}

std::string suffixOf(Format format) {
  const std::string suffix = "." + std::string(nameOf(format));
  return format == Format::Json || format == Format::Txt ? suffix + ".zip" : suffix;
}

std::string artifactFileName(std::string_view title, Format format) {
  std::string spaced;
  for (const char c : toAscii(oneLine(title))) {
    const bool is_space = static_cast<unsigned char>(c) <= 0x20 || c == 0x7F ||
                          std::string_view("#<>:\"/\\|?*'`-").find(c) != std::string_view::npos;
    spaced += is_space ? ' ' : c;
  }
  std::string base;
  for (char c : oneLine(spaced, kMaxBaseBytes)) {
    const bool begins =
        base.empty() || !((base.back() >= 'a' && base.back() <= 'z') || (base.back() >= 'A' && base.back() <= 'Z'));
    if (!begins && c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (begins && c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    base += c;
  }
  base.erase(0, std::min(base.find_first_not_of(". "), base.size()));  // not hidden, not a parent
  while (base.ends_with('.') || base.ends_with(' ')) base.pop_back();  // which Windows drops
  if (base.empty()) base = "untitled";
  if (isWindowsDevice(base)) base.insert(0, 1, '_');
  return base + suffixOf(format);
}

}  // namespace jobhost::artifact
