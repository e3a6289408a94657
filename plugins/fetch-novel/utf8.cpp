#include "fetch-novel/utf8.hpp"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <unicode/utf8.h>

#include <stdexcept>
#include <vector>

namespace jobhost::novel {
namespace {

void check(UErrorCode status, const char* what) {
  if (U_FAILURE(status)) throw std::runtime_error(std::string(what) + ": " + u_errorName(status));
}

std::u16string toUtf16(std::string_view text) {
  std::u16string out(text.size(), u'\0');  // never more units than bytes
  std::int32_t size = 0;
  UErrorCode status = U_ZERO_ERROR;
  u_strFromUTF8WithSub(out.data(), static_cast<std::int32_t>(out.size()), &size, text.data(),
                       static_cast<std::int32_t>(text.size()), 0xFFFD, nullptr, &status);
  if (status == U_STRING_NOT_TERMINATED_WARNING) status = U_ZERO_ERROR;
  check(status, "UTF-16");
  out.resize(static_cast<std::size_t>(size));
  return out;
}

std::string toUtf8(std::u16string_view text) {
  std::string out(text.size() * 3, '\0');
  std::int32_t size = 0;
  UErrorCode status = U_ZERO_ERROR;
  u_strToUTF8WithSub(out.data(), static_cast<std::int32_t>(out.size()), &size, text.data(),
                     static_cast<std::int32_t>(text.size()), 0xFFFD, nullptr, &status);
  if (status == U_STRING_NOT_TERMINATED_WARNING) status = U_ZERO_ERROR;
  check(status, "UTF-8");
  out.resize(static_cast<std::size_t>(size));
  return out;
}

// Calls an ICU function that writes UTF-16 twice at most: with a guess of the size, then with the size it asked for.
template <class F>
std::string converted(std::string_view text, F call) {
  const std::u16string in = toUtf16(text);
  std::u16string out(in.size() * 2 + 16, u'\0');
  for (;;) {
    UErrorCode status = U_ZERO_ERROR;
    const std::int32_t size = call(out.data(), static_cast<std::int32_t>(out.size()), in.data(),
                                   static_cast<std::int32_t>(in.size()), &status);
    if (status == U_BUFFER_OVERFLOW_ERROR) {
      out.resize(static_cast<std::size_t>(size) + 1);
      continue;
    }
    if (status == U_STRING_NOT_TERMINATED_WARNING) status = U_ZERO_ERROR;
    check(status, "ICU");
    out.resize(static_cast<std::size_t>(size));
    return toUtf8(out);
  }
}

const UNormalizer2* normalizer(NormalForm form) {
  UErrorCode status = U_ZERO_ERROR;
  const UNormalizer2* out = nullptr;
  switch (form) {
    case NormalForm::Nfc:
      out = unorm2_getNFCInstance(&status);
      break;
    case NormalForm::Nfd:
      out = unorm2_getNFDInstance(&status);
      break;
    case NormalForm::Nfkc:
      out = unorm2_getNFKCInstance(&status);
      break;
    case NormalForm::Nfkd:
      out = unorm2_getNFKDInstance(&status);
      break;
  }
  check(status, "normal form");
  return out;
}

bool isAscii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

UChar32 icu(char32_t c) {
  return static_cast<UChar32>(c);
}

}  // namespace

char32_t decodeUtf8(std::string_view text, std::size_t& at) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  std::size_t i = at;
  UChar32 c = 0;
  U8_NEXT(bytes, i, text.size(), c);
  at = i;
  return c < 0 ? 0xFFFD : static_cast<char32_t>(c);
}

bool isUtf8(std::string_view text) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  for (std::size_t i = 0; i < text.size();) {
    UChar32 c = 0;
    U8_NEXT(bytes, i, text.size(), c);
    if (c < 0) return false;
  }
  return true;
}

bool isSpace(char32_t c) {
  return u_isUWhiteSpace(icu(c)) != 0 || c == 0xFEFF || c == 0x200B;
}

std::string_view trimmed(std::string_view text) {
  std::size_t start = 0;
  while (start < text.size()) {
    std::size_t at = start;
    if (!isSpace(decodeUtf8(text, at))) break;
    start = at;
  }
  std::size_t end = text.size();
  while (end > start) {
    std::size_t at = end - 1;
    while (at > start && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
    std::size_t after = at;
    if (!isSpace(decodeUtf8(text.substr(0, end), after)) || after != end) break;
    end = at;
  }
  return text.substr(start, end - start);
}

bool isBlank(std::string_view text) {
  return trimmed(text).empty();
}

std::string collapsed(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool space = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = at;
    const char32_t c = decodeUtf8(text, at);
    if (isSpace(c)) {
      if (!space) out += ' ';
      space = true;
    } else {
      out += text.substr(start, at - start);
      space = false;
    }
  }
  return out;
}

std::string asciiLower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string lower(std::string_view text) {
  if (isAscii(text)) return asciiLower(text);
  return converted(text, [](UChar* out, std::int32_t room, const UChar* in, std::int32_t size, UErrorCode* status) {
    return u_strToLower(out, room, in, size, "", status);
  });
}

std::string titleCase(std::string_view text) {
  std::string out;
  bool start = true;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = decodeUtf8(text, at);
    appendUtf8(out, start ? static_cast<char32_t>(u_toupper(icu(c))) : c);
    start = isSpace(c);
  }
  return out;
}

std::string normalized(std::string_view text, NormalForm form) {
  if (isAscii(text)) return std::string(text);
  const UNormalizer2* how = normalizer(form);
  return converted(text, [how](UChar* out, std::int32_t room, const UChar* in, std::int32_t size, UErrorCode* status) {
    return unorm2_normalize(how, in, size, out, room, status);
  });
}

std::string folded(std::string_view text) {
  if (isAscii(text)) return asciiLower(text);
  return converted(normalized(text, NormalForm::Nfkd),
                   [](UChar* out, std::int32_t room, const UChar* in, std::int32_t size, UErrorCode* status) {
                     return u_strFoldCase(out, room, in, size, U_FOLD_CASE_DEFAULT, status);
                   });
}

std::string withoutControls(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = decodeUtf8(text, at);
    const auto type = u_charType(icu(c));
    const bool control = type == U_CONTROL_CHAR || type == U_FORMAT_CHAR || c == 0xFFFE || c == 0xFFFF;
    // Joiners and marks of direction carry meaning in Arabic, Hebrew and Indic texts.
    const bool meant =
        c == '\n' || c == '\t' || c == 0x200C || c == 0x200D || c == 0x200E || c == 0x200F || c == 0x061C;
    if (!control || meant) appendUtf8(out, c);
  }
  return out;
}

std::string slug(std::string_view text) {
  std::string out;
  const std::string low = lower(text);
  for (std::size_t at = 0; at < low.size();) {
    const char32_t c = decodeUtf8(low, at);
    if (u_isalnum(icu(c)) != 0) {
      appendUtf8(out, c);
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
  }
  if (!out.empty() && out.back() == '-') out.pop_back();
  return out;
}

std::size_t length(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) decodeUtf8(text, at);
  return count;
}

std::string percentEncoded(std::string_view bytes, bool plus) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else if (plus && c == ' ') {
      out += '+';
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

}  // namespace jobhost::novel
