// Values of rows: from text, from typed values, and back to text.
#include <algorithm>
#include <charconv>
#include <system_error>

#include "settings/rows.hpp"

namespace jobhost::settings {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

core::Error refused(const Row& row, const std::string& given) {
  return {.code = core::ErrorCode::InvalidArgument,
          .message = "must be " + typeText(row) + ", is " + given,
          .detail = {},
          .fields = {}};
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string> splitList(std::string_view text) {
  std::vector<std::string> parts;
  while (!trimmed(text).empty()) {
    const auto comma = text.find(',');
    const auto part = trimmed(text.substr(0, comma));
    if (!part.empty()) parts.emplace_back(part);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return parts;
}

std::string show(const TypedValue& value) {
  return std::visit(Overloaded{
                        [](bool v) { return std::string(v ? "true" : "false"); },
                        [](std::int64_t v) { return std::to_string(v); },
                        [](const std::string& v) { return quotedText(v); },
                        [](const std::vector<std::string>& v) { return listValueText(v); },
                    },
                    value);
}

bool hasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

}  // namespace

std::string quotedText(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string listValueText(const std::vector<std::string>& list) {
  std::string text = "[";
  for (const auto& item : list) text += (text.size() > 1 ? ", " : "") + quotedText(item);
  return text + "]";
}

std::string typeText(const Row& row) {
  Settings scratch;
  return std::visit(
      Overloaded{
          [](bool*) { return std::string("true or false"); },
          [&](std::int64_t*) {
            return "a whole number from " + std::to_string(row.min) + " to " + std::to_string(row.max);
          },
          [&](Millis*) { return "a whole number from " + std::to_string(row.min) + " to " + std::to_string(row.max); },
          [&](std::string*) {
            if (row.words.empty()) return std::string("text");
            std::string all = "one of ";
            for (const auto word : row.words) all += (word == row.words.front() ? "" : ", ") + std::string(word);
            return all;
          },
          [](std::vector<std::string>*) { return std::string("a list of text"); },
      },
      row.field(scratch));
}

std::string valueText(const Row& row, const Settings& settings) {
  Settings& readable = const_cast<Settings&>(settings);  // field() serves writers too; nothing is written here
  return std::visit(Overloaded{
                        [](const bool* v) { return std::string(*v ? "true" : "false"); },
                        [](const std::int64_t* v) { return std::to_string(*v); },
                        [](const Millis* v) { return std::to_string(v->count()); },
                        [](const std::string* v) { return quotedText(*v); },
                        [](const std::vector<std::string>* v) { return listValueText(*v); },
                    },
                    row.field(readable));
}

core::Result<void> assign(const Row& row, Settings& settings, const TypedValue& value) {
  const auto number = [&](auto&& put) -> core::Result<void> {
    const auto* given = std::get_if<std::int64_t>(&value);
    if (given == nullptr || *given < row.min || *given > row.max) return refused(row, show(value));
    put(*given);
    return {};
  };
  return std::visit(Overloaded{
                        [&](bool* place) -> core::Result<void> {
                          const auto* given = std::get_if<bool>(&value);
                          if (given == nullptr) return refused(row, show(value));
                          *place = *given;
                          return {};
                        },
                        [&](std::int64_t* place) { return number([&](std::int64_t v) { *place = v; }); },
                        [&](Millis* place) { return number([&](std::int64_t v) { *place = Millis(v); }); },
                        [&](std::string* place) -> core::Result<void> {
                          const auto* given = std::get_if<std::string>(&value);
                          if (given == nullptr || hasControl(*given)) return refused(row, show(value));
                          const auto& words = row.words;
                          if (!words.empty() && std::find(words.begin(), words.end(), *given) == words.end()) {
                            return refused(row, show(value));
                          }
                          *place = *given;
                          return {};
                        },
                        [&](std::vector<std::string>* place) -> core::Result<void> {
                          const auto* given = std::get_if<std::vector<std::string>>(&value);
                          if (given == nullptr || std::any_of(given->begin(), given->end(), hasControl)) {
                            return refused(row, show(value));
                          }
                          *place = *given;
                          return {};
                        },
                    },
                    row.field(settings));
}

core::Result<void> assignText(const Row& row, Settings& settings, std::string_view text) {
  const auto typed = [&]() -> core::Result<TypedValue> {
    const auto as_number = [&]() -> core::Result<TypedValue> {
      std::int64_t number = 0;
      const auto digits = trimmed(text);
      const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
      if (code != std::errc() || end != digits.data() + digits.size()) return refused(row, quotedText(text));
      return TypedValue(number);
    };
    return std::visit(
        Overloaded{
            [&](bool*) -> core::Result<TypedValue> {
              if (text == "true") return TypedValue(true);
              if (text == "false") return TypedValue(false);
              return refused(row, quotedText(text));
            },
            [&](std::int64_t*) { return as_number(); },
            [&](Millis*) { return as_number(); },
            [&](std::string*) -> core::Result<TypedValue> { return TypedValue(std::string(text)); },
            [&](std::vector<std::string>*) -> core::Result<TypedValue> { return TypedValue(splitList(text)); },
        },
        row.field(settings));
  }();
  if (!typed) return typed.error();
  return assign(row, settings, *typed);
}

}  // namespace jobhost::settings
