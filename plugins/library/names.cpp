#include "library/names.hpp"

#include <algorithm>
#include <cstdint>

#include "support/archive/archive_names.hpp"
#include "support/files/archive_id.hpp"
#include "support/tags/tags.hpp"

namespace jobhost::library {
namespace {

constexpr std::string_view kUploadEnding = ".upload";
constexpr std::size_t kMaxUrlKey = 500;  // a key of a record has at most 512 bytes

std::string lowerAscii(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

bool isForbidden(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f || std::string_view("\\/:\"*?<>|").find(c) != std::string_view::npos;
}

// Not within a letter.
std::string_view cut(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80U) --most;
  return text.substr(0, most);
}

int hexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// `strict`: nullopt where a % is followed by no two hex digits; else it stays.
std::optional<std::string> percentDecoded(std::string_view text, bool strict) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && hexValue(text[i + 1]) >= 0 && hexValue(text[i + 2]) >= 0;
    if (escape) {
      out += static_cast<char>(hexValue(text[i + 1]) * 16 + hexValue(text[i + 2]));
      i += 2;
    } else if (strict && text[i] == '%') {
      return std::nullopt;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string fromLatin1(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xC0U | (byte >> 6U));
      out += static_cast<char>(0x80U | (byte & 0x3FU));
    }
  }
  return out;
}

// RFC 8187: charset'language'percent-encoded.
std::optional<std::string> extendedValue(std::string_view value) {
  const auto first = value.find('\'');
  const auto second = first == std::string_view::npos ? first : value.find('\'', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const std::string charset = lowerAscii(value.substr(0, first));
  const auto bytes = percentDecoded(value.substr(second + 1), true);
  if (!bytes) return std::nullopt;
  if (charset == "utf-8") return support::asUtf8(*bytes) == *bytes ? bytes : std::nullopt;
  if (charset == "iso-8859-1") return fromLatin1(*bytes);
  return std::nullopt;
}

/// One parameter after another of a header: name=value, name="value", as servers write them, which is not always as
/// RFC 6266 has it.
class Parameters {
 public:
  explicit Parameters(std::string_view header) : text_(header), at_(std::min(header.find(';'), header.size())) {}

  bool next(std::string& name, std::string& value) {
    while (at_ < text_.size()) {
      ++at_;  // the semicolon
      const std::size_t end = text_.find_first_of("=;", at_);
      if (end == std::string_view::npos) return false;
      name = lowerAscii(trimmed(text_.substr(at_, end - at_)));
      at_ = end;
      if (text_[at_] == ';') continue;  // a name without a value
      ++at_;
      value = readValue();
      return true;
    }
    return false;
  }

 private:
  std::string readValue() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    if (at_ < text_.size() && text_[at_] == '"') return quoted();
    const std::size_t from = at_;
    at_ = std::min(text_.find(';', at_), text_.size());
    return std::string(trimmed(text_.substr(from, at_ - from)));
  }
  // Up to the closing quote, or the end where it is missing; a backslash stands before the character that is meant.
  std::string quoted() {
    std::string value;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      value += text_[at_];
    }
    at_ = std::min(text_.find(';', at_), text_.size());
    return value;
  }

  std::string_view text_;
  std::size_t at_;
};

}  // namespace

std::string_view endingOf(std::string_view name) {
  if (const auto ending = support::archiveEndingOf(name); !ending.empty()) return ending;
  const auto dot = name.find_last_of('.');
  if (dot == std::string_view::npos || dot == 0) return {};
  return name.substr(dot);
}

std::string stemOf(std::string_view name) {
  return std::string(name.substr(0, name.size() - endingOf(name).size()));
}

std::string fileNameOf(std::string_view sent) {
  std::string name;
  for (const char c : support::asUtf8(sent)) {
    if (!isForbidden(c)) name += c;
  }
  const auto from = name.find_first_not_of(" .");
  if (from == std::string::npos) return {};
  name = name.substr(from, name.find_last_not_of(' ') - from + 1);
  const std::string ending(cut(endingOf(name), kMaxNameBytes / 2));
  const std::size_t room = kMaxNameBytes - kUploadEnding.size() - ending.size();
  return std::string(cut(stemOf(name), room)) + ending;
}

std::string normalUrl(std::string_view url) {
  url = trimmed(url);
  if (const auto scheme = url.find("://"); scheme != std::string_view::npos && scheme < 10)
    url.remove_prefix(scheme + 3);
  if (lowerAscii(url.substr(0, 4)) == "www.") url.remove_prefix(4);
  url = url.substr(0, url.find_first_of("?#"));
  if (url.ends_with('/')) url.remove_suffix(1);
  return std::string(url);
}

std::string urlKey(std::string_view normal_url) {
  std::string key;
  for (const char c : normal_url) key += c == ',' ? std::string_view("%2C") : std::string_view(&c, 1);
  if (key.size() <= kMaxUrlKey) return key;
  return std::string(cut(key, kMaxUrlKey - 41)) + "#" + support::sha1Of(key);
}

std::optional<std::string> dispositionFileName(std::string_view header) {
  std::optional<std::string> plain;
  std::optional<std::string> extended;
  Parameters parameters(header);
  std::string name;
  std::string value;
  while (parameters.next(name, value)) {
    if (name == "filename" && !plain && !value.empty()) plain = value;
    if (name == "filename*" && !extended) extended = extendedValue(value);
  }
  return plain ? plain : extended && !extended->empty() ? extended : std::nullopt;
}

std::string urlFileName(std::string_view url) {
  if (const auto scheme = url.find("://"); scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("?#"));
  const auto slash = url.find_last_of('/');
  if (slash == std::string_view::npos) return {};
  return percentDecoded(url.substr(slash + 1), false).value_or("");
}

}  // namespace jobhost::library
