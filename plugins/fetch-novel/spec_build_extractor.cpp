// Extractors and lists of a spec.
#include <algorithm>
#include <set>

#include "fetch-novel/spec_builder.hpp"

namespace jobhost::novel {
namespace {

constexpr std::size_t kFields = 100;

Step namesStep(StepOp op, std::vector<std::string> names) {
  Step out;
  out.op = op;
  out.names = std::move(names);
  return out;
}

Pipe defaultPipe(FieldKind kind) {
  const auto plain = [](StepOp op) { return namesStep(op, {}); };
  switch (kind) {
    case FieldKind::Plain:
      return {plain(StepOp::Trim), plain(StepOp::CollapseSpaces)};
    case FieldKind::Url:
      return {plain(StepOp::Trim)};
    case FieldKind::Tags:
      return {plain(StepOp::Trim), plain(StepOp::CollapseSpaces), plain(StepOp::DropEmpty), plain(StepOp::Unique)};
    case FieldKind::Prose:
      break;
  }
  Step paragraphs = namesStep(StepOp::Paragraphs,
                              {"article", "aside", "div", "h1", "h2", "h3", "h4", "h5", "h6", "main", "p", "section"});
  paragraphs.preserve = {"img", "pre", "canvas"};
  return {namesStep(StepOp::Unwrap, {"a", "abbr", "acronym", "label", "span", "time"}), paragraphs};
}

}  // namespace

std::optional<Extractor> SpecBuilder::extractor(const Data& value, const std::string& field, FieldKind kind,
                                                const Scope& scope, bool is_var, int nesting) {
  if (!in_.isMap(value, field)) return std::nullopt;
  if (nesting > kNesting) {
    in_.problem(value, field, "fallbacks are nested more than " + std::to_string(kNesting) + " deep");
    return std::nullopt;
  }
  if (is_var) {
    in_.known(value, field,
              {"css", "json", "regex", "header", "const", "attr", "all", "pipe", "fallback", "default", "on", "renew"});
  } else {
    in_.known(value, field, {"css", "json", "regex", "header", "const", "attr", "all", "pipe", "fallback", "default"});
  }
  Extractor out;
  out.kind = kind;
  out.where = in_.where(value, field);
  if (const Data* css = SpecReader::member(value, "css"); css != nullptr)
    out.css = in_.selector(*css, SpecReader::join(field, "css"));
  if (SpecReader::member(value, "json") != nullptr) out.json = in_.string(value, "json", field);
  if (const Data* regex = SpecReader::member(value, "regex"); regex != nullptr) {
    out.regex = in_.regex(*regex, SpecReader::join(field, "regex"));
  }
  out.header = in_.string(value, "header", field);
  if (const Data* constant = SpecReader::member(value, "const"); constant != nullptr) {
    Data text = *constant;
    text.text = constant->scalarText();
    text.kind = constant->isList() || constant->isMap() ? constant->kind : Data::Kind::String;
    out.text = in_.textTemplate(text, SpecReader::join(field, "const"), scope);
  }
  const int sources = (out.css ? 1 : 0) + (out.json ? 1 : 0) + (out.regex ? 1 : 0);
  if ((!out.header.empty() && out.text) || ((!out.header.empty() || out.text) && sources > 0)) {
    in_.problem(value, field, "'const' and 'header' go with no other source");
  }
  if (out.json && out.regex) in_.problem(value, field, "'json' and 'regex' exclude each other");
  if (const Data* attr = SpecReader::member(value, "attr"); attr != nullptr) {
    out.attr = in_.strings(*attr, SpecReader::join(field, "attr"));
    out.attr_declared = true;
    if (out.attr.empty()) in_.problem(*attr, SpecReader::join(field, "attr"), "names nothing");
  } else {
    out.attr = {"text"};
  }
  out.all = in_.boolean(value, "all", field, false);
  pipeOf(value, field, out);
  if (const Data* otherwise = SpecReader::member(value, "default"); otherwise != nullptr) {
    out.has_default = true;
    if (otherwise->isList()) {
      out.otherwise = in_.strings(*otherwise, SpecReader::join(field, "default"));
    } else {
      out.otherwise = {otherwise->scalarText()};
    }
  }
  if (const Data* fallback = SpecReader::member(value, "fallback"); fallback != nullptr) {
    const std::string at = SpecReader::join(field, "fallback");
    if (!fallback->isList()) in_.problem(*fallback, at, "must be a list");
    if (fallback->items.size() > kAlternatives)
      in_.problem(*fallback, at, "has more than " + std::to_string(kAlternatives) + " entries");
    for (std::size_t i = 0; i < std::min(fallback->items.size(), kAlternatives); ++i) {
      if (auto one =
              extractor(fallback->items[i], at + "[" + std::to_string(i) + "]", kind, scope, false, nesting + 1)) {
        out.fallback.push_back(*std::move(one));
      }
    }
  }
  return out;
}

void SpecBuilder::pipeOf(const Data& value, const std::string& field, Extractor& out) {
  const Data* pipe = SpecReader::member(value, "pipe");
  if (pipe == nullptr) {
    out.pipe = defaultPipe(out.kind);
    return;
  }
  const std::string at = SpecReader::join(field, "pipe");
  std::string hook;
  auto steps = in_.pipe(*pipe, at, named_, hook);
  if (!hook.empty()) refuse("needs a code hook (" + hook + ")", field);
  if (!steps) return;
  out.pipe = *std::move(steps);
  out.pipe_declared = true;
  checkTypes(*pipe, at, out);
}

void SpecBuilder::checkTypes(const Data& value, const std::string& field, const Extractor& extractor) {
  const bool markup = !extractor.json && extractor.regex == nullptr && extractor.header.empty() && !extractor.text;
  bool node = markup && !extractor.attr_declared && !extractor.pipe.empty() && takesNode(extractor.pipe.front().op);
  for (const Step& step : extractor.pipe) {
    if (takesNode(step.op) && !node) {
      in_.problem(value, field,
                  "a step that works on markup is given text; put parse_html before it" +
                      std::string(extractor.attr_declared ? " or leave out attr" : ""));
      return;
    }
    if (!takesNode(step.op) && node && step.op != StepOp::DropEmpty) {
      in_.problem(value, field,
                  "a step that works on text is given markup; put text, inner_html or paragraphs before it");
      return;
    }
    if (step.op != StepOp::DropEmpty) node = givesNode(step.op);
  }
  if (node) in_.problem(value, field, "ends with markup; add text, inner_html or paragraphs");
}

std::optional<Extractor> SpecBuilder::extractorIn(const Data& map, std::string_view name, const std::string& field,
                                                  FieldKind kind, const Scope& scope) {
  const Data* found = SpecReader::member(map, name);
  return found == nullptr ? std::nullopt : extractor(*found, SpecReader::join(field, name), kind, scope);
}

std::optional<ItemList> SpecBuilder::itemList(const Data& value, const std::string& field, const Scope& outer,
                                              bool stage_request) {
  if (!in_.isMap(value, field)) return std::nullopt;
  in_.known(value, field, {"request", "css", "json", "script", "fields", "require", "sort_by", "reverse"});
  ItemList out;
  out.where = in_.where(value, field);
  if (const Data* asked = SpecReader::member(value, "request"); asked != nullptr && stage_request) {
    out.request = request(*asked, SpecReader::join(field, "request"), outer, false);
  } else if (asked != nullptr) {
    in_.problem(*asked, SpecReader::join(field, "request"), "belongs to the stage, not to this list");
  }
  if (const Data* css = SpecReader::member(value, "css"); css != nullptr)
    out.css = in_.selector(*css, SpecReader::join(field, "css"));
  if (const Data* script = SpecReader::member(value, "script"); script != nullptr) {
    out.script = in_.selector(*script, SpecReader::join(field, "script"));
  }
  if (SpecReader::member(value, "json") != nullptr) out.json = in_.string(value, "json", field);
  if (out.script && !out.json) in_.problem(value, field, "script needs json, the path inside it");
  if (!out.css && !out.json) in_.problem(value, field, "needs css or json to find its rows");
  std::set<std::string> known;
  if (const Data* fields = SpecReader::member(value, "fields");
      fields != nullptr && in_.isMap(*fields, SpecReader::join(field, "fields"))) {
    if (fields->members.size() > kFields)
      in_.problem(*fields, SpecReader::join(field, "fields"), "has more than " + std::to_string(kFields));
    for (const auto& [name, one] : fields->members) {
      const std::string at = SpecReader::join(SpecReader::join(field, "fields"), name);
      Scope scope = outer;
      scope.item = &known;
      Field added{name, {}, {}};
      if (one.isString()) {
        added.text = in_.textTemplate(one, at, scope);
      } else {
        const FieldKind kind = name == "url" || name == "cover" ? FieldKind::Url
                               : name == "tags"                 ? FieldKind::Tags
                                                                : FieldKind::Plain;
        added.extractor = extractor(one, at, kind, scope);
      }
      if (added.text || added.extractor) out.fields.push_back(std::move(added));
      known.insert(name);
    }
  }
  if (const Data* require = SpecReader::member(value, "require"); require != nullptr) {
    out.require = in_.strings(*require, SpecReader::join(field, "require"));
    for (const std::string& name : out.require) {
      if (!known.contains(name))
        in_.problem(*require, SpecReader::join(field, "require"), "there is no field '" + name + "'");
    }
  }
  out.sort_by = in_.string(value, "sort_by", field);
  if (!out.sort_by.empty() && !known.contains(out.sort_by)) {
    in_.problem(*value.find("sort_by"), SpecReader::join(field, "sort_by"), "there is no field '" + out.sort_by + "'");
  }
  out.reverse = in_.boolean(value, "reverse", field, false);
  return out;
}

}  // namespace jobhost::novel
