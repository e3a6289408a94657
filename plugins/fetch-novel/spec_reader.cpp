#include "fetch-novel/spec_reader.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "fetch-novel/charset.hpp"
#include "support/common/failure.hpp"

namespace jobhost::novel {
namespace {

constexpr std::size_t kSteps = 64;
constexpr int kPipeNesting = 8;

// What a step takes as its argument.
enum class Arg : unsigned char { None, Names, Selectors, Text, Regex, Replace, Leading, Matching, Form, Paragraphs };

struct StepRow {
  std::string_view name;
  StepOp op;
  Arg arg;
};

constexpr std::array<StepRow, 29> kStepRows{{
    {"strip_tags", StepOp::StripTags, Arg::Names},
    {"strip_css", StepOp::StripCss, Arg::Selectors},
    {"strip_matching", StepOp::StripMatching, Arg::Matching},
    {"unwrap", StepOp::Unwrap, Arg::Names},
    {"unwrap_all", StepOp::UnwrapAll, Arg::None},
    {"keep_attrs", StepOp::KeepAttrs, Arg::Names},
    {"unlazy_images", StepOp::UnlazyImages, Arg::None},
    {"drop_leading", StepOp::DropLeading, Arg::Leading},
    {"drop_empty_nodes", StepOp::DropEmptyNodes, Arg::None},
    {"paragraphs", StepOp::Paragraphs, Arg::Paragraphs},
    {"inner_html", StepOp::InnerHtml, Arg::None},
    {"parse_html", StepOp::ParseHtml, Arg::None},
    {"text", StepOp::Text, Arg::None},
    {"trim", StepOp::Trim, Arg::None},
    {"collapse_spaces", StepOp::CollapseSpaces, Arg::None},
    {"lower", StepOp::Lower, Arg::None},
    {"title_case", StepOp::TitleCase, Arg::None},
    {"normalize_unicode", StepOp::NormalizeUnicode, Arg::Form},
    {"strip_prefix", StepOp::StripPrefix, Arg::Names},
    {"strip_suffix", StepOp::StripSuffix, Arg::Names},
    {"replace", StepOp::Replace, Arg::Replace},
    {"regex", StepOp::RegexStep, Arg::Regex},
    {"reject", StepOp::Reject, Arg::Regex},
    {"split", StepOp::Split, Arg::Text},
    {"drop_empty", StepOp::DropEmpty, Arg::None},
    {"unique", StepOp::Unique, Arg::None},
    {"join", StepOp::Join, Arg::Text},
    {"max", StepOp::Max, Arg::None},
    {"min", StepOp::Min, Arg::None},
}};

std::string kindName(const Data& data) {
  switch (data.kind) {
    case Data::Kind::Null:
      return "nothing";
    case Data::Kind::Bool:
      return "true or false";
    case Data::Kind::Number:
      return "a number";
    case Data::Kind::String:
      return "a text";
    case Data::Kind::List:
      return "a list";
    case Data::Kind::Map:
      return "a mapping";
  }
  return {};
}

std::size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row[b.size()];
}

template <class Names>
std::string suggestion(std::string_view name, const Names& names) {
  std::string_view best;
  std::size_t distance = 3;
  for (const std::string_view candidate : names) {
    const std::size_t d = editDistance(name.substr(0, 40), candidate);
    if (d < distance) {
      distance = d;
      best = candidate;
    }
  }
  return best.empty() ? "" : "; did you mean '" + std::string(best) + "'?";
}

}  // namespace

void SpecReader::problem(const Data& at, const std::string& field, std::string reason) {
  if (problems_.size() < 1000) problems_.push_back({where(at, field), std::move(reason)});
}

Where SpecReader::where(const Data& at, const std::string& field) const {
  const auto file = static_cast<std::size_t>(at.file);
  return {file < files_.size() ? files_[file] : std::string(), at.line, field};
}

void SpecReader::known(const Data& map, const std::string& field, std::initializer_list<std::string_view> names) {
  for (const auto& [name, value] : map.members) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      problem(value, join(field, name), "there is no such key" + suggestion(name, names));
    }
  }
}

bool SpecReader::isMap(const Data& data, const std::string& field) {
  if (data.isMap()) return true;
  problem(data, field, "must be a mapping, not " + kindName(data));
  return false;
}

const Data* SpecReader::member(const Data& map, std::string_view name) {
  const Data* found = map.find(name);
  return found == nullptr || found->isNull() ? nullptr : found;
}

std::string SpecReader::string(const Data& map, std::string_view name, const std::string& field) {
  const Data* found = member(map, name);
  if (found == nullptr) return {};
  if (!found->isString()) problem(*found, join(field, name), "must be a text, not " + kindName(*found));
  return found->text;
}

bool SpecReader::boolean(const Data& map, std::string_view name, const std::string& field, bool fallback) {
  const Data* found = member(map, name);
  if (found == nullptr) return fallback;
  if (found->kind != Data::Kind::Bool)
    problem(*found, join(field, name), "must be true or false, not " + kindName(*found));
  return found->boolean;
}

double SpecReader::number(const Data& map, std::string_view name, const std::string& field, double fallback, double min,
                          double max) {
  const Data* found = member(map, name);
  if (found == nullptr) return fallback;
  double out = 0;
  const auto [end, error] = std::from_chars(found->text.data(), found->text.data() + found->text.size(), out);
  if (found->kind != Data::Kind::Number || error != std::errc{} || end != found->text.data() + found->text.size()) {
    problem(*found, join(field, name), "must be a number, not " + kindName(*found));
    return fallback;
  }
  if (!(out >= min && out <= max)) {
    const auto shown = [](double value) { return std::to_string(static_cast<long long>(value)); };
    problem(*found, join(field, name), "must be from " + shown(min) + " to " + shown(max));
    return fallback;
  }
  return out;
}

int SpecReader::integer(const Data& map, std::string_view name, const std::string& field, int fallback, int min,
                        int max) {
  const double out = number(map, name, field, fallback, min, max);
  if (out != std::floor(out)) problem(*map.find(name), join(field, name), "must be a whole number");
  return static_cast<int>(out);
}

std::vector<std::string> SpecReader::strings(const Data& value, const std::string& field) {
  if (value.isString()) return {value.text};
  std::vector<std::string> out;
  if (value.isList()) {
    for (const Data& item : value.items) {
      if (item.isString()) {
        out.push_back(item.text);
      } else {
        problem(item, field, "must hold texts only, not " + kindName(item));
      }
    }
  } else {
    problem(value, field, "must be a text or a list of texts, not " + kindName(value));
  }
  return out;
}

std::optional<support::html::Selector> SpecReader::selector(const Data& value, const std::string& field) {
  if (!value.isString()) {
    problem(value, field, "must be a CSS selector, not " + kindName(value));
    return std::nullopt;
  }
  try {
    return support::html::Selector::parse(value.text);
  } catch (const support::Failure& failure) {
    problem(value, field, failure.what());
    return std::nullopt;
  }
}

std::shared_ptr<const Regex> SpecReader::regex(const Data& value, const std::string& field) {
  if (!value.isString()) {
    problem(value, field, "must be a pattern, not " + kindName(value));
    return nullptr;
  }
  std::string error;
  auto out = Regex::compile(value.text, error);
  if (out == nullptr) problem(value, field, error);
  return out;
}

std::string SpecReader::encoding(const Data& map, std::string_view name, const std::string& field) {
  const std::string label = string(map, name, field);
  if (label.empty()) return {};
  const auto found = charsetName(label);
  if (!found) problem(*map.find(name), join(field, name), "no encoding is called '" + label + "'");
  return found.value_or("");
}

std::optional<Template> SpecReader::textTemplate(const Data& value, const std::string& field, const Scope& scope) {
  if (!value.isString()) {
    problem(value, field, "must be a text, not " + kindName(value));
    return std::nullopt;
  }
  std::string error;
  auto out = Template::parse(value.text, error);
  if (!out) {
    problem(value, field, error);
    return std::nullopt;
  }
  for (const Template::Part& part : out->parts()) {
    const std::string& group = part.group;
    if (group == "vars" && scope.vars_used != nullptr) scope.vars_used->insert(part.name);
    const bool allowed = group.empty() || group == "origin" || (group == "vars") || (group == "query" && scope.query) ||
                         (group == "novel_url" && scope.novel_url) ||
                         ((group == "page" || group == "request_url") && scope.paginate) ||
                         (group == "chapter" && scope.chapter != nullptr) || (group == "item" && scope.item != nullptr);
    if (!allowed) {
      problem(value, field, "{" + group + (part.name.empty() ? "" : "." + part.name) + "} has no meaning here");
    } else if (group == "chapter" && !scope.chapter->contains(part.name)) {
      problem(value, field, "toc.items has no field '" + part.name + "' for {chapter." + part.name + "}");
    } else if (group == "item" && !scope.item->contains(part.name)) {
      problem(value, field, "there is no earlier field '" + part.name + "' for {item." + part.name + "}");
    }
  }
  return out;
}

std::optional<Pipe> SpecReader::pipe(const Data& value, const std::string& field, const Data* named, std::string& hook,
                                     int nesting) {
  if (nesting > kPipeNesting) {
    problem(value, field, "pipes name each other more than " + std::to_string(kPipeNesting) + " deep");
    return std::nullopt;
  }
  if (!value.isString() && !value.isList()) {
    problem(value, field, "must be a list of steps or the name of a pipe, not " + kindName(value));
    return std::nullopt;
  }
  Pipe out;
  const auto one = [&](const Data& item) {
    const Data* pipe_named = item.isString() && named != nullptr && named->isMap() ? named->find(item.text) : nullptr;
    if (pipe_named != nullptr) {
      if (auto steps = pipe(*pipe_named, field, named, hook, nesting + 1))
        out.insert(out.end(), steps->begin(), steps->end());
    } else if (auto found = step(item, field, hook)) {
      out.push_back(*std::move(found));
    }
  };
  if (value.isString()) {
    one(value);
  } else {
    for (const Data& item : value.items) one(item);
  }
  if (out.size() > kSteps) problem(value, field, "has more than " + std::to_string(kSteps) + " steps");
  return out;
}

std::optional<Step> SpecReader::step(const Data& value, const std::string& field, std::string& hook) {
  static const Data kNothing;
  std::string name = value.text;
  const Data* argument = &kNothing;
  if (value.isMap() && value.members.size() == 1) {
    name = value.members[0].name;
    argument = &value.members[0].value;
  } else if (!value.isString()) {
    problem(value, field, "a step is a name or a mapping of one name to its arguments");
    return std::nullopt;
  }
  const std::string at = join(field, name);
  if (name == "hook") {
    hook = at;
    return std::nullopt;
  }
  Step out;
  if (name == "lines_to_html") {
    out.op = StepOp::LinesToHtml;
    out.text = "p";
    if (argument->isString()) out.text = argument->text;
    if (argument->isMap()) {
      known(*argument, at, {"tag", "attr"});
      if (const std::string tag = string(*argument, "tag", at); !tag.empty()) out.text = tag;
      out.attr = string(*argument, "attr", at);
    }
    return out;
  }
  const auto row = std::find_if(kStepRows.begin(), kStepRows.end(), [&](const StepRow& r) { return r.name == name; });
  if (row == kStepRows.end()) {
    std::vector<std::string_view> names;
    for (const StepRow& r : kStepRows) names.push_back(r.name);
    problem(value, at, "there is no such step or pipe" + suggestion(name, names));
    return std::nullopt;
  }
  out.op = row->op;
  // A mapping gives arguments by name, anything else the first one.
  const auto named_or_first = [&](std::initializer_list<std::string_view> names) -> const Data* {
    if (!argument->isMap()) return argument->isNull() ? nullptr : argument;
    known(*argument, at, names);
    return member(*argument, *names.begin());
  };
  const auto missing = [&](const char* what) { problem(value, at, std::string("needs ") + what); };
  switch (row->arg) {
    case Arg::None:
      if (!argument->isNull() && !(argument->isMap() && argument->members.empty()))
        problem(value, at, "takes no arguments");
      break;
    case Arg::Names:
      if (const Data* names = named_or_first({"names", "tags", "attrs", "values"}); names != nullptr) {
        out.names = strings(*names, at);
      } else if (argument->isMap() && !argument->members.empty()) {
        out.names = strings(argument->members[0].value, at);
      }
      if (out.names.empty()) missing("a text or a list of texts");
      if (takesNode(out.op)) {
        for (std::string& tag : out.names) tag = asciiLower(tag);
      }
      break;
    case Arg::Selectors:
      if (const Data* selectors = named_or_first({"selectors"}); selectors != nullptr) {
        const std::vector<Data> items = selectors->isList() ? selectors->items : std::vector<Data>{*selectors};
        for (const Data& item : items) {
          if (auto found = selector(item, at)) out.selectors.push_back(*std::move(found));
        }
      } else {
        missing("a selector or a list of them");
      }
      break;
    case Arg::Text:
      if (const Data* text = named_or_first({"sep"}); text != nullptr && text->isString()) {
        out.text = text->text;
      } else if (out.op == StepOp::Split || !argument->isNull()) {
        missing("a separator");
      }
      if (out.op == StepOp::Split && out.text.empty()) missing("a separator that is not empty");
      break;
    case Arg::Regex: {
      const Data* pattern = named_or_first({"pattern", "group"});
      if (pattern == nullptr) {
        missing("a pattern");
        break;
      }
      out.pattern = regex(*pattern, at);
      if (argument->isMap()) out.number = integer(*argument, "group", at, -1, 0, 99);
      if (out.pattern != nullptr && out.number > out.pattern->groups()) {
        problem(*pattern, at, "the pattern has no group " + std::to_string(out.number));
      }
      break;
    }
    case Arg::Leading:
      if (const Data* pattern = named_or_first({"matches", "within"}); pattern != nullptr) {
        out.pattern = regex(*pattern, at);
      } else {
        missing("{matches}");
      }
      out.number = argument->isMap() ? integer(*argument, "within", at, 1, 1, 1000) : 1;
      break;
    case Arg::Matching:
      if (const Data* pattern = named_or_first({"pattern", "tags"}); pattern != nullptr) {
        out.pattern = regex(*pattern, at);
      } else {
        missing("a pattern");
      }
      if (argument->isMap() && member(*argument, "tags") != nullptr)
        out.names = strings(*member(*argument, "tags"), at);
      break;
    case Arg::Replace:
      if (!argument->isMap() || member(*argument, "pattern") == nullptr) {
        missing("{pattern, with}");
        break;
      }
      known(*argument, at, {"pattern", "with"});
      out.pattern = regex(*member(*argument, "pattern"), at);
      out.text = string(*argument, "with", at);
      break;
    case Arg::Form:
      if (const Data* form = named_or_first({"form"}); form != nullptr) {
        const std::string text = form->isString() ? form->text : std::string();
        if (text == "NFC")
          out.form = NormalForm::Nfc;
        else if (text == "NFD")
          out.form = NormalForm::Nfd;
        else if (text == "NFKD")
          out.form = NormalForm::Nfkd;
        else if (text != "NFKC")
          problem(*form, at, "must be NFC, NFD, NFKC or NFKD");
      }
      break;
    case Arg::Paragraphs:
      out.names = {"article", "aside", "div", "h1", "h2", "h3", "h4", "h5", "h6", "main", "p", "section"};
      out.preserve = {"img", "pre", "canvas"};
      if (argument->isMap()) {
        known(*argument, at, {"block_tags", "preserve"});
        if (const Data* tags = member(*argument, "block_tags"); tags != nullptr) out.names = strings(*tags, at);
        if (const Data* tags = member(*argument, "preserve"); tags != nullptr) out.preserve = strings(*tags, at);
      } else if (!argument->isNull()) {
        problem(value, at, "takes {block_tags, preserve}");
      }
      break;
  }
  return out;
}

}  // namespace jobhost::novel
