#include <yaml.h>

#include <algorithm>
#include <map>
#include <memory>

#include "fetch-novel/data.hpp"

namespace jobhost::novel {
namespace {

bool isNumber(std::string_view text) {
  std::size_t i = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  std::size_t digits = 0;
  bool dot = false;
  for (; i < text.size(); ++i) {
    if (text[i] >= '0' && text[i] <= '9') {
      ++digits;
    } else if (text[i] == '.' && !dot) {
      dot = true;
    } else {
      return false;
    }
  }
  return digits > 0;
}

std::string_view view(const yaml_char_t* text) {
  return reinterpret_cast<const char*>(text);
}

// libyaml's events, one level of recursion for each of the text, which `limits.depth` bounds.
class YamlParser {
 public:
  YamlParser(std::string_view text, const DataLimits& limits) : limits_(limits) {
    if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
  }
  ~YamlParser() {
    drop();
    yaml_parser_delete(&parser_);
  }
  YamlParser(const YamlParser&) = delete;
  YamlParser& operator=(const YamlParser&) = delete;

  Data whole() {
    next();  // the stream's start
    next();
    if (event_.type == YAML_STREAM_END_EVENT) fail(1, "the file is empty");
    next();
    Data out = value(0);
    next();  // the document's end
    next();
    if (event_.type != YAML_STREAM_END_EVENT) fail(line(), "more than one document");
    return out;
  }

 private:
  [[noreturn]] static void fail(int line, std::string reason) { throw DataError{line, std::move(reason)}; }

  void drop() {
    if (held_) yaml_event_delete(&event_);
    held_ = false;
  }

  void next() {
    drop();
    if (yaml_parser_parse(&parser_, &event_) == 0) {
      fail(static_cast<int>(parser_.problem_mark.line) + 1, parser_.problem != nullptr ? parser_.problem : "not YAML");
    }
    held_ = true;
  }

  [[nodiscard]] int line() const { return static_cast<int>(event_.start_mark.line) + 1; }

  void count(const Data& data) {
    if (++nodes_ > limits_.nodes) fail(data.line, "more than " + std::to_string(limits_.nodes) + " values");
    for (const Data& item : data.items) count(item);
    for (const auto& [name, member] : data.members) count(member);
  }

  // The current event begins a value; when this returns it is the one that ended it.
  Data value(std::size_t depth) {
    if (depth > limits_.depth) fail(line(), "nested deeper than " + std::to_string(limits_.depth));
    Data out;
    out.line = line();
    std::string anchor;
    switch (event_.type) {
      case YAML_ALIAS_EVENT: {
        const std::string name(view(event_.data.alias.anchor));
        const auto found = anchors_.find(name);
        if (found == anchors_.end()) fail(line(), "there is no anchor '" + name + "'");
        count(found->second);
        return found->second;
      }
      case YAML_SCALAR_EVENT: {
        const auto& scalar = event_.data.scalar;
        if (scalar.tag != nullptr) fail(line(), "tags are not supported");
        if (scalar.anchor != nullptr) anchor = view(scalar.anchor);
        const std::string_view text(reinterpret_cast<const char*>(scalar.value), scalar.length);
        out.text = text;
        out.kind = Data::Kind::String;
        if (scalar.style == YAML_PLAIN_SCALAR_STYLE) plain(text, out);
        count(out);
        break;
      }
      case YAML_SEQUENCE_START_EVENT:
        if (event_.data.sequence_start.tag != nullptr) fail(line(), "tags are not supported");
        if (event_.data.sequence_start.anchor != nullptr) anchor = view(event_.data.sequence_start.anchor);
        out.kind = Data::Kind::List;
        count(Data{.line = out.line});
        for (next(); event_.type != YAML_SEQUENCE_END_EVENT; next()) out.items.push_back(value(depth + 1));
        break;
      case YAML_MAPPING_START_EVENT:
        if (event_.data.mapping_start.tag != nullptr) fail(line(), "tags are not supported");
        if (event_.data.mapping_start.anchor != nullptr) anchor = view(event_.data.mapping_start.anchor);
        mapping(out, depth);
        break;
      default:
        fail(line(), "expected a value");
    }
    if (!anchor.empty()) anchors_[anchor] = out;
    return out;
  }

  static void plain(std::string_view text, Data& out) {
    if (text.empty() || text == "~" || text == "null") {
      out = Data{.line = out.line};
    } else if (text == "true" || text == "false") {
      out.kind = Data::Kind::Bool;
      out.boolean = text == "true";
      out.text.clear();
    } else if (isNumber(text)) {
      out.kind = Data::Kind::Number;
    }
  }

  void mapping(Data& out, std::size_t depth) {
    out.kind = Data::Kind::Map;
    count(Data{.line = out.line});
    for (next(); event_.type != YAML_MAPPING_END_EVENT; next()) {
      const int at = line();
      if (event_.type != YAML_SCALAR_EVENT) fail(at, "a name must be plain text");
      const std::string name(view(event_.data.scalar.value));
      if (name == "<<") fail(at, "merge keys are not supported");
      if (out.find(name) != nullptr) fail(at, "'" + name + "' is there twice");
      next();
      Data member = value(depth + 1);
      member.line = at;  // what people look for is the name's line
      out.members.push_back({name, std::move(member)});
    }
  }

  const DataLimits& limits_;
  yaml_parser_t parser_{};
  yaml_event_t event_{};
  bool held_ = false;
  std::size_t nodes_ = 0;
  std::map<std::string, Data> anchors_;
};

}  // namespace

std::optional<Data> parseYaml(std::string_view text, DataError& error, const DataLimits& limits) {
  if (text.size() > limits.bytes) {
    error = {1, "more than " + std::to_string(limits.bytes) + " bytes"};
    return std::nullopt;
  }
  try {
    return YamlParser(text, limits).whole();
  } catch (const DataError& problem) {
    error = problem;
    return std::nullopt;
  }
}

}  // namespace jobhost::novel
