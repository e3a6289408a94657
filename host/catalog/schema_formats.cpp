#include <algorithm>
#include <array>
#include <string_view>

#include "catalog/schema_nodes.hpp"

namespace jobhost::catalog {

namespace {

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}
bool isAlpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool isHex(char c) {
  return isDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// `count` digits at `at` as a number; -1: other characters.
int digitsAt(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (!isDigit(text[i])) return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

bool isDate(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  const int year = digitsAt(text, 0, 4);
  const int month = digitsAt(text, 5, 2);
  const int day = digitsAt(text, 8, 2);
  if (year < 0 || month < 1 || month > 12 || day < 1) return false;
  static constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= kDays[static_cast<std::size_t>(month - 1)] + (month == 2 && leap ? 1 : 0);
}

bool isZone(std::string_view text) {
  if (text == "Z" || text == "z") return true;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return false;
  const int hours = digitsAt(text, 1, 2);
  const int minutes = digitsAt(text, 4, 2);
  return hours >= 0 && hours <= 23 && minutes >= 0 && minutes <= 59;
}

bool isDateTime(std::string_view text) {
  if (text.size() < 20 || !isDate(text.substr(0, 10))) return false;
  if ((text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':') return false;
  const int hour = digitsAt(text, 11, 2);
  const int minute = digitsAt(text, 14, 2);
  const int second = digitsAt(text, 17, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return false;
  std::size_t at = 19;
  if (text[at] == '.') {
    const auto begin = ++at;
    while (at < text.size() && isDigit(text[at])) ++at;
    if (at == begin) return false;
  }
  return isZone(text.substr(at));
}

bool isUuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !isHex(text[i])) return false;
  }
  return true;
}

/// A scheme, a colon and characters that RFC 3986 has; with "//" there must be a host, but for "file:".
bool isUri(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == 0 || colon == std::string_view::npos || !isAlpha(text[0])) return false;
  const std::string_view scheme = text.substr(0, colon);
  const auto scheme_char = [](char c) { return isAlpha(c) || isDigit(c) || c == '+' || c == '-' || c == '.'; };
  if (!std::all_of(scheme.begin(), scheme.end(), scheme_char)) return false;
  const std::string_view rest = text.substr(colon + 1);
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const char c = rest[i];
    if (c == '%') {
      if (i + 2 >= rest.size() || !isHex(rest[i + 1]) || !isHex(rest[i + 2])) return false;
    } else if (c <= ' ' || static_cast<unsigned char>(c) >= 0x7F ||
               std::string_view("\"<>\\^`{|}").find(c) != std::string_view::npos) {
      return false;  // includes every byte beyond ASCII: those are written as %XX
    }
  }
  if (rest.substr(0, 2) != "//") return !rest.empty();
  const std::string_view host = rest.substr(2, rest.find_first_of("/?#", 2) - 2);
  return !host.empty() || scheme == "file";
}

bool isEmail(std::string_view text) {
  const auto at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at > 64 || text.size() > 254) return false;
  const std::string_view local = text.substr(0, at);
  const std::string_view domain = text.substr(at + 1);
  const auto atom = [](char c) {
    return isAlpha(c) || isDigit(c) || std::string_view("!#$%&'*+-/=?^_`{|}~.").find(c) != std::string_view::npos;
  };
  if (!std::all_of(local.begin(), local.end(), atom)) return false;
  if (local.front() == '.' || local.back() == '.' || local.find("..") != std::string_view::npos) return false;
  if (domain.empty() || domain.front() == '.' || domain.back() == '.' || domain.find("..") != std::string_view::npos) {
    return false;
  }
  return std::all_of(domain.begin(), domain.end(),
                     [](char c) { return isAlpha(c) || isDigit(c) || c == '-' || c == '.'; });
}

}  // namespace

std::optional<StringFormat> stringFormatFromString(std::string_view name) {
  if (name == "uri") return StringFormat::Uri;
  if (name == "date-time") return StringFormat::DateTime;
  if (name == "date") return StringFormat::Date;
  if (name == "uuid") return StringFormat::Uuid;
  if (name == "email") return StringFormat::Email;
  return std::nullopt;
}

bool matchesFormat(StringFormat format, std::string_view text) {
  switch (format) {
    case StringFormat::None:
      return true;
    case StringFormat::Uri:
      return isUri(text);
    case StringFormat::DateTime:
      return isDateTime(text);
    case StringFormat::Date:
      return isDate(text);
    case StringFormat::Uuid:
      return isUuid(text);
    case StringFormat::Email:
      return isEmail(text);
  }
  return false;
}

std::string escapePointer(std::string_view part) {
  std::string out;
  for (const char c : part) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace jobhost::catalog
