#include "devtools/params_maker.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace jobhost::devtools {
namespace {

constexpr int kTries = 12;
constexpr int kMaxDepth = 12;
constexpr std::int64_t kHugeText = 100'000;
constexpr std::int64_t kHugeItems = 2'000;

/// Texts that programs trip over: other scripts, marks that combine, right to left, beyond 16 bits, quotes and escapes.
constexpr const char* kHardTexts[] = {
    "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f",
    "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
    "e\xcc\x81\xcc\x81",
    "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d",
    "\xf0\x9f\x98\x80\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9",
    "\"\\\"\\\\/",
    "a\tb\nc",
    "%s%n../..",
    "\xef\xbf\xbf",
    "\xe2\x80\xae"
    "abc",
};

/// Follows a regular expression and writes down one way through it.
class PatternWalk {
 public:
  PatternWalk(const std::string& pattern, std::mt19937_64& random) : pattern_(pattern), random_(random) {}
  std::string walk() { return alternatives(0); }

 private:
  std::string alternatives(int depth) {
    std::vector<std::string> all{""};
    while (at_ < pattern_.size() && pattern_[at_] != ')') {
      if (pattern_[at_] == '|') {
        ++at_;
        all.emplace_back();
      } else {
        all.back() += repeated(depth);
      }
    }
    return all[random_() % all.size()];
  }
  std::string repeated(int depth) {
    const std::size_t begin = at_;
    std::string once = atom(depth);
    const std::size_t end = at_;
    std::size_t times = 1;
    const char c = at_ < pattern_.size() ? pattern_[at_] : '\0';
    if (c == '?' || c == '*') {
      times = c == '?' ? random_() % 2 : random_() % 4;
      ++at_;
    } else if (c == '+') {
      times = 1 + random_() % 3;
      ++at_;
    } else if (c == '{') {
      times = static_cast<std::size_t>(std::strtoul(pattern_.c_str() + at_ + 1, nullptr, 10));
      at_ = std::min(pattern_.find('}', at_), pattern_.size() - 1) + 1;
    }
    const std::size_t after = at_;
    std::string all = times > 0 ? once : "";
    for (std::size_t i = 1; i < std::min<std::size_t>(times, 1000); ++i) {
      at_ = begin;
      all += atom(depth);
    }
    at_ = std::max(after, end);
    return all;
  }
  std::string atom(int depth) {
    const char c = pattern_[at_++];
    if (c == '^' || c == '$') return {};
    if (c == '.') return "x";
    if (c == '[') return std::string(1, fromClass());
    if (c == '\\' && at_ < pattern_.size()) return escaped(pattern_[at_++]);
    if (c == '(' && depth < kMaxDepth) {
      if (pattern_.compare(at_, 2, "?:") == 0) at_ += 2;
      std::string inside = alternatives(depth + 1);
      if (at_ < pattern_.size()) ++at_;
      return inside;
    }
    return std::string(1, c);
  }
  static std::string escaped(char c) {
    if (c == 'd') return "7";
    if (c == 'w') return "w";
    if (c == 's') return " ";
    return std::string(1, c);
  }
  char fromClass() {
    std::string members;
    const bool negated = at_ < pattern_.size() && pattern_[at_] == '^';
    if (negated) ++at_;
    for (bool first = true; at_ < pattern_.size() && (first || pattern_[at_] != ']'); first = false) {
      char from = pattern_[at_++];
      if (from == '\\' && at_ < pattern_.size()) from = escaped(pattern_[at_++])[0];
      if (at_ + 1 < pattern_.size() && pattern_[at_] == '-' && pattern_[at_ + 1] != ']') {
        const char to = pattern_[at_ + 1];
        at_ += 2;
        for (int c = from; c <= to; ++c) members.push_back(static_cast<char>(c));
      } else {
        members.push_back(from);
      }
    }
    if (at_ < pattern_.size()) ++at_;
    if (!negated) return members.empty() ? 'x' : members[random_() % members.size()];
    for (const char c : {'x', '0', '-', '_', 'Z', '~'}) {
      if (members.find(c) == std::string::npos) return c;
    }
    return ' ';
  }

  const std::string& pattern_;
  std::mt19937_64& random_;
  std::size_t at_ = 0;
};

std::string ofFormat(std::string_view format) {
  if (format == "date-time") return "2026-02-03T04:05:06Z";
  if (format == "date") return "2026-02-03";
  if (format == "time") return "04:05:06Z";
  if (format == "uuid") return "123e4567-e89b-42d3-a456-426614174000";
  if (format == "email") return "someone@example.org";
  if (format == "uri") return "https://example.org/a?b=c";
  return {};
}

Json merged(Json base, const Json& more) {
  if (!more.isObject()) return base;
  for (std::size_t i = 0; i < more.names().size(); ++i) base.set(more.names()[i], more.items()[i]);
  return base;
}

}  // namespace

std::string textFor(const std::string& pattern, std::mt19937_64& random) {
  return PatternWalk(pattern, random).walk();
}

ParamsMaker::ParamsMaker(const std::string& schema_json, std::shared_ptr<const catalog::ParamsSchema> schema,
                         std::uint64_t seed)
    : schema_(Json::parse(schema_json)), checker_(std::move(schema)), random_(seed) {}

std::int64_t ParamsMaker::pick(std::int64_t least, std::int64_t most) {
  if (most <= least) return least;
  const auto span = static_cast<std::uint64_t>(most) - static_cast<std::uint64_t>(least) + 1;
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(least) + (span == 0 ? random_() : random_() % span));
}

const Json& ParamsMaker::resolved(const Json& schema, int depth) const {
  const std::string_view ref = schema["$ref"].stringOr("");
  if (ref.substr(0, 2) != "#/" || depth > kMaxDepth) return schema;
  const Json* at = &schema_;
  for (std::size_t begin = 2; begin <= ref.size();) {
    const auto slash = std::min(ref.find('/', begin), ref.size());
    at = &(*at)[ref.substr(begin, slash - begin)];
    begin = slash + 1;
  }
  return resolved(*at, depth + 1);
}

Json ParamsMaker::value(const Json& given, Style style, int depth) {
  if (depth > kMaxDepth) return {};
  Json schema = resolved(given, 0);
  for (const auto& part : schema["allOf"].items()) schema = merged(std::move(schema), resolved(part, 0));
  for (const char* choice : {"oneOf", "anyOf"}) {
    const Json branches = schema[choice];
    if (branches.size() > 0) {
      const auto which = style == Style::Minimal ? 0 : pick(0, static_cast<std::int64_t>(branches.size()) - 1);
      schema = merged(std::move(schema), resolved(branches.at(static_cast<std::size_t>(which)), 0));
    }
  }
  if (schema.find("const") != nullptr) return schema["const"];
  if (const auto& list = schema["enum"]; list.size() > 0) {
    return list.at(
        style == Style::Minimal ? 0 : static_cast<std::size_t>(pick(0, static_cast<std::int64_t>(list.size()) - 1)));
  }
  if (style == Style::Full || style == Style::Minimal) {
    if (const auto& list = schema["examples"]; list.size() > 0) return list.at(0);
    if (schema.find("default") != nullptr) return schema["default"];
  }
  std::string_view type = schema["type"].stringOr("");
  if (const auto& types = schema["type"]; types.isArray() && types.size() > 0) {
    const auto which = style == Style::Random ? pick(0, static_cast<std::int64_t>(types.size()) - 1) : 0;
    type = types.at(static_cast<std::size_t>(which)).stringOr("");
  }
  if (type.empty())
    type = schema.find("properties") != nullptr ? "object" : schema.find("items") != nullptr ? "array" : "string";
  if (type == "object") return object(schema, style, depth);
  if (type == "array") return array(schema, style, depth);
  if (type == "string") return text(schema, style);
  if (type == "integer" || type == "number") return number(schema, style, type == "integer");
  if (type == "boolean") return style == Style::Minimal ? false : pick(0, 1) == 1;
  return {};
}

Json ParamsMaker::object(const Json& schema, Style style, int depth) {
  Json out = Json::object();
  const auto& properties = schema["properties"];
  const auto isRequired = [&](const std::string& name) {
    for (const auto& one : schema["required"].items()) {
      if (one.stringOr("") == name) return true;
    }
    return false;
  };
  for (std::size_t i = 0; i < properties.names().size(); ++i) {
    const auto& name = properties.names()[i];
    const bool wanted = style == Style::Full || (style != Style::Minimal && pick(0, 1) == 1) ||
                        ((style == Style::Unicode || style == Style::Huge) && depth < 3);
    if (isRequired(name) || wanted) out.set(name, value(properties.items()[i], style, depth + 1));
  }
  for (const auto& one : schema["required"].items()) {
    if (out.find(one.stringOr("")) == nullptr) out.set(one.stringOr(""), value(Json::object(), style, depth + 1));
  }
  const bool open = !schema["additionalProperties"].isBool() || schema["additionalProperties"].boolOr(true);
  if (open && style == Style::Unicode && depth == 0) out.set(kHardTexts[0], kHardTexts[1]);
  return out;
}

Json ParamsMaker::array(const Json& schema, Style style, int depth) {
  const auto least = schema["minItems"].intOr(0);
  const auto most =
      std::min<std::int64_t>(schema["maxItems"].intOr(style == Style::Huge ? kHugeItems : least + 3), kHugeItems);
  std::int64_t count = style == Style::Minimal             ? least
                       : style == Style::Huge && depth < 2 ? most
                                                           : pick(least, std::min(most, least + 3));
  if (style == Style::Full) count = std::max<std::int64_t>(count, std::min<std::int64_t>(1, most));
  Json out = Json::array();
  const auto& first = schema["prefixItems"];
  for (std::int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<std::size_t>(i);
    const Json& item = index < first.size() ? first.at(index) : schema["items"];
    out.push(value(item, i > 16 && style == Style::Huge ? Style::Minimal : style, depth + 1));
  }
  return out;
}

std::string ParamsMaker::text(const Json& schema, Style style) {
  if (auto formatted = ofFormat(schema["format"].stringOr("")); !formatted.empty()) return formatted;
  if (schema["pattern"].isString()) return textFor(std::string(schema["pattern"].stringOr("")), random_);
  const auto least = schema["minLength"].intOr(0);
  const auto most = schema["maxLength"].intOr(std::max<std::int64_t>(least, style == Style::Huge ? kHugeText : 40));
  std::string out;
  std::int64_t length = 0;  // in code points
  const auto add = [&](std::string_view piece) {
    for (std::size_t i = 0; i < piece.size() && length < most;) {
      std::size_t bytes = 1;
      while (i + bytes < piece.size() && (static_cast<unsigned char>(piece[i + bytes]) & 0xc0) == 0x80) ++bytes;
      out += piece.substr(i, bytes);
      i += bytes;
      ++length;
    }
  };
  if (style == Style::Unicode) {
    for (const char* hard : kHardTexts) add(hard);
  } else if (style == Style::Random) {
    for (auto n = pick(0, 6); n > 0; --n)
      add(pick(0, 3) == 0 ? kHardTexts[pick(0, std::size(kHardTexts) - 1)] : "word ");
  } else if (style == Style::Huge) {
    while (length < std::min(most, kHugeText)) add("0123456789abcdef ");
  } else {
    add("text");
  }
  while (length < least && length < kHugeText) add("x");
  return out;
}

Json ParamsMaker::number(const Json& schema, Style style, bool whole) {
  double least = schema["minimum"].numberOr(std::numeric_limits<double>::quiet_NaN());
  double most = schema["maximum"].numberOr(std::numeric_limits<double>::quiet_NaN());
  if (schema["exclusiveMinimum"].isNumber()) least = schema["exclusiveMinimum"].numberOr(0) + (whole ? 1 : 0.001);
  if (schema["exclusiveMaximum"].isNumber()) most = schema["exclusiveMaximum"].numberOr(0) - (whole ? 1 : 0.001);
  const bool bounded_below = least == least;
  const bool bounded_above = most == most;
  if (!bounded_below) least = bounded_above ? std::min(0.0, most - 1000) : 0;
  if (!bounded_above) most = style == Style::Huge ? 9e15 : std::max(least, 0.0) + 1000;
  double value = least;
  if (style == Style::Huge) value = most;
  if (style == Style::Random || style == Style::Unicode) {
    const auto share = pick(0, 5);
    value = share == 0 ? least : share == 1 ? most : least + (most - least) * static_cast<double>(pick(0, 1000)) / 1000;
  }
  if (const double step = schema["multipleOf"].numberOr(0); step > 0) value = std::ceil(value / step) * step;
  if (whole) return static_cast<std::int64_t>(value);
  return value;
}

std::optional<std::string> ParamsMaker::make(Style style) {
  for (int i = 0; i < kTries; ++i) {
    Json made = value(schema_, i < kTries / 2 ? style : Style::Random, 0);
    if (!made.isObject()) made = Json::object();
    if (auto checked = checker_->check(made.dump())) return *std::move(checked);
  }
  return std::nullopt;
}

/// One thing changed so that it may not fit any more.
Json ParamsMaker::spoiled(Json params) {
  const auto& names = params.names();
  const auto way = pick(0, 4);
  if (way == 0 || names.empty()) return params.set("no_such_param", "surprise");
  const std::string name = names[static_cast<std::size_t>(pick(0, static_cast<std::int64_t>(names.size()) - 1))];
  if (way == 1) {
    Json less = Json::object();
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] != name) less.set(names[i], params.items()[i]);
    }
    return less;
  }
  const Json& old = params[name];
  if (way == 2) return params.set(name, old.isString() ? Json(-12345) : Json("not this"));
  if (way == 3) return params.set(name, Json::array({Json::object(), nullptr}));
  return params.set(name, old.isNumber() ? Json(-9e18) : Json(nullptr));
}

std::optional<std::string> ParamsMaker::makeInvalid() {
  const auto good = make(pick(0, 1) == 0 ? Style::Full : Style::Random);
  const Json from = good ? Json::parse(*good) : Json::object();
  for (int i = 0; i < kTries; ++i) {
    const std::string text = spoiled(from).dump();
    if (!checker_->check(text)) return text;
  }
  return std::nullopt;
}

}  // namespace jobhost::devtools
