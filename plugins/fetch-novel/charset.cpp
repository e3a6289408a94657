#include "fetch-novel/charset.hpp"

#include <unicode/ucnv.h>
#include <unicode/ucnv_err.h>
#include <unicode/ucsdet.h>

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>
#include <utility>

#include "fetch-novel/utf8.hpp"

namespace jobhost::novel {
namespace {

using Converter = std::unique_ptr<UConverter, decltype(&ucnv_close)>;

constexpr std::size_t kMetaBytes = 4096;

// Labels that browsers read as another, wider encoding than the name says, or that ICU does not know.
constexpr std::array<std::pair<std::string_view, std::string_view>, 24> kLabels{{
    {"utf8", "UTF-8"},
    {"unicode-1-1-utf-8", "UTF-8"},
    {"gb2312", "GBK"},
    {"gb_2312-80", "GBK"},
    {"gbk", "GBK"},
    {"x-gbk", "GBK"},
    {"gb18030", "gb18030"},
    {"iso-8859-1", "windows-1252"},
    {"iso8859-1", "windows-1252"},
    {"latin1", "windows-1252"},
    {"us-ascii", "windows-1252"},
    {"ascii", "windows-1252"},
    {"cp1252", "windows-1252"},
    {"iso-8859-9", "windows-1254"},
    {"iso-8859-11", "windows-874"},
    {"tis-620", "windows-874"},
    {"shift_jis", "windows-31j"},
    {"shift-jis", "windows-31j"},
    {"sjis", "windows-31j"},
    {"x-sjis", "windows-31j"},
    {"euc-kr", "windows-949"},
    {"ks_c_5601-1987", "windows-949"},
    {"big5", "Big5-HKSCS"},
    {"utf-16", "UTF-16LE"},
}};

Converter open(const std::string& name) {
  UErrorCode status = U_ZERO_ERROR;
  Converter out(ucnv_open(name.c_str(), &status), &ucnv_close);
  if (U_FAILURE(status)) throw std::runtime_error("no encoding is called '" + name + "'");
  return out;
}

// The value after "charset=" in a content type or a meta element.
std::string_view charsetIn(std::string_view text, const std::string& low) {
  const std::size_t at = low.find("charset");
  if (at == std::string::npos) return {};
  std::size_t start = low.find_first_not_of(" \t\n\r", at + 7);
  if (start == std::string::npos || low[start] != '=') return {};
  start = low.find_first_not_of(" \t\n\r\"'", start + 1);
  if (start == std::string::npos) return {};
  const std::size_t end = std::min(low.find_first_of(" \t\n\r\"';,>/", start), low.size());
  return text.substr(start, end - start);
}

std::string_view metaCharset(std::string_view body) {
  const std::string_view head = body.substr(0, kMetaBytes);
  const std::string low = asciiLower(head);
  for (std::size_t at = low.find('<'); at != std::string::npos; at = low.find('<', at + 1)) {
    if (low.compare(at, 4, "<!--") == 0) {
      at = low.find("-->", at + 4);
      if (at == std::string::npos) return {};
      continue;
    }
    const bool xml = low.compare(at, 5, "<?xml") == 0;
    if (!xml && low.compare(at, 5, "<meta") != 0) continue;
    const std::size_t end = std::min(low.find('>', at), low.size());
    if (xml) {
      const std::size_t name = low.find("encoding=", at);
      if (name != std::string::npos && name < end && name + 10 < end) {
        const std::size_t close = std::min(low.find_first_of("\"'", name + 10), end);
        return head.substr(name + 10, close - name - 10);
      }
      continue;
    }
    if (const auto found = charsetIn(head.substr(at, end - at), low.substr(at, end - at)); !found.empty()) return found;
  }
  return {};
}

// Only what the detector is rather sure of: short texts fool it.
std::optional<std::string> guess(std::string_view body) {
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<UCharsetDetector, decltype(&ucsdet_close)> detector(ucsdet_open(&status), &ucsdet_close);
  if (U_FAILURE(status)) return std::nullopt;
  ucsdet_enableInputFilter(detector.get(), 1);  // without markup
  ucsdet_setText(detector.get(), body.data(), static_cast<std::int32_t>(std::min<std::size_t>(body.size(), 256 << 10)),
                 &status);
  const UCharsetMatch* match = ucsdet_detect(detector.get(), &status);
  if (U_FAILURE(status) || match == nullptr || ucsdet_getConfidence(match, &status) < 30) return std::nullopt;
  const char* name = ucsdet_getName(match, &status);
  return U_FAILURE(status) ? std::nullopt : charsetName(name);
}

}  // namespace

std::optional<std::string> charsetName(std::string_view label) {
  const std::string low = asciiLower(trimmed(label));
  if (low.empty() || low.size() > 60) return std::nullopt;
  for (const auto& [from, to] : kLabels) {
    if (low == from) return std::string(to);
  }
  // ICU knows names that no page may use: they take any text apart.
  if (low.starts_with("utf-7") || low.starts_with("scsu") || low.starts_with("bocu") || low.starts_with("imap"))
    return std::nullopt;
  UErrorCode status = U_ZERO_ERROR;
  const Converter converter(ucnv_open(low.c_str(), &status), &ucnv_close);
  if (U_FAILURE(status)) return std::nullopt;
  const char* name = ucnv_getName(converter.get(), &status);
  return U_FAILURE(status) ? std::nullopt : std::optional<std::string>(name);
}

Charset detectCharset(std::string_view body, std::string_view content_type, std::string_view override) {
  if (!override.empty()) return {std::string(override), "spec"};
  if (body.starts_with("\xEF\xBB\xBF")) return {"UTF-8", "bom"};
  if (body.starts_with("\xFF\xFE")) return {"UTF-16LE", "bom"};
  if (body.starts_with("\xFE\xFF")) return {"UTF-16BE", "bom"};
  const bool utf8 = isUtf8(body);
  const auto believable = [utf8](const std::optional<std::string>& name) { return name && (utf8 || *name != "UTF-8"); };
  if (const auto name = charsetName(charsetIn(content_type, asciiLower(content_type))); believable(name))
    return {*name, "header"};
  // A meta element that can be read as ASCII cannot mean UTF-16.
  if (const auto name = charsetName(metaCharset(body)); believable(name) && !name->starts_with("UTF-16"))
    return {*name, "meta"};
  if (utf8) return {"UTF-8", "guess"};
  if (const auto name = guess(body); believable(name)) return {*name, "guess"};
  return {"windows-1252", "default"};
}

std::string toUtf8(std::string_view body, std::string_view charset) {
  if (charset == "UTF-8") {
    if (body.starts_with("\xEF\xBB\xBF")) body.remove_prefix(3);
    if (isUtf8(body)) return std::string(body);
  }
  const Converter from = open(std::string(charset));
  const Converter to = open("UTF-8");
  std::string out;
  std::array<char, 16384> piece{};
  std::array<UChar, 4096> pivot{};
  UChar* pivot_source = pivot.data();
  UChar* pivot_target = pivot.data();
  const char* source = body.data();
  const char* const end = body.data() + body.size();
  for (bool reset = true;; reset = false) {
    UErrorCode status = U_ZERO_ERROR;
    char* target = piece.data();
    ucnv_convertEx(to.get(), from.get(), &target, piece.data() + piece.size(), &source, end, pivot.data(),
                   &pivot_source, &pivot_target, pivot.data() + pivot.size(), static_cast<UBool>(reset), 1, &status);
    out.append(piece.data(), target);
    if (status == U_BUFFER_OVERFLOW_ERROR) continue;
    if (U_FAILURE(status)) throw std::runtime_error(std::string("decoding: ") + u_errorName(status));
    break;
  }
  if (out.starts_with("\xEF\xBB\xBF")) out.erase(0, 3);
  return out;
}

std::string fromUtf8(std::string_view text, std::string_view charset) {
  if (charset == "UTF-8" || charset.empty()) return std::string(text);
  const Converter to = open(std::string(charset));
  const Converter from = open("UTF-8");
  UErrorCode status = U_ZERO_ERROR;
  ucnv_setFromUCallBack(to.get(), UCNV_FROM_U_CALLBACK_ESCAPE, UCNV_ESCAPE_XML_DEC, nullptr, nullptr, &status);
  std::string out;
  std::array<char, 4096> piece{};
  std::array<UChar, 1024> pivot{};
  UChar* pivot_source = pivot.data();
  UChar* pivot_target = pivot.data();
  const char* source = text.data();
  for (bool reset = true;; reset = false) {
    status = U_ZERO_ERROR;
    char* target = piece.data();
    ucnv_convertEx(to.get(), from.get(), &target, piece.data() + piece.size(), &source, text.data() + text.size(),
                   pivot.data(), &pivot_source, &pivot_target, pivot.data() + pivot.size(), static_cast<UBool>(reset),
                   1, &status);
    out.append(piece.data(), target);
    if (status == U_BUFFER_OVERFLOW_ERROR) continue;
    if (U_FAILURE(status)) throw std::runtime_error(std::string("encoding: ") + u_errorName(status));
    return out;
  }
}

}  // namespace jobhost::novel
