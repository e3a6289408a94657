// A spec as a whole: its settings, vars, stages and hooks; and how one is merged over its parent.
#include <algorithm>

#include "fetch-novel/charset.hpp"
#include "fetch-novel/spec_builder.hpp"
#include "fetch-novel/url.hpp"

namespace jobhost::novel {

std::optional<Spec> SpecBuilder::build(const Data& top) {
  const std::size_t before = problems_.size();
  if (!in_.isMap(top, "")) return std::nullopt;
  settings(top);
  if (problems_.size() > before && spec_.file.empty()) return std::nullopt;  // not a version we know
  vars(top);
  stages(top);
  hooks(top);
  checkNames();
  checkVarCycles();
  if (!spec_.host.empty() && spec_.disabled.empty() && spec_.refused.empty()) complete(top);
  spec_.can_search = searchable(top);
  spec_.resolved = top;
  if (problems_.size() > before) return std::nullopt;
  return std::move(spec_);
}

void SpecBuilder::settings(const Data& top) {
  const Data* version = SpecReader::member(top, "spec");
  if (version == nullptr || version->kind != Data::Kind::Number || version->text != "1") {
    in_.problem(version == nullptr ? top : *version, "spec",
                version == nullptr ? "is missing; this host reads 'spec: 1'" : "this host reads version 1 only");
    return;
  }
  spec_.file = in_.where(top, "").file;
  in_.known(top, "", {"spec",      "extends",  "base_url", "language", "rate_limit", "chapters_per_volume",
                      "has_manga", "has_mtl",  "parser",   "encoding", "headers",    "can_search",
                      "can_login", "disabled", "vars",     "pipes",    "hooks",      "search",
                      "novel",     "toc",      "chapter"});
  spec_.base_url = in_.string(top, "base_url", "");
  if (!spec_.base_url.empty()) {
    const auto url = parseUrl(spec_.base_url);
    if (url) {
      spec_.host = sourceHost(spec_.base_url);
      spec_.origin = url->origin();
    } else {
      in_.problem(*top.find("base_url"), "base_url", "must be an absolute http or https address");
    }
  }
  spec_.language = in_.string(top, "language", "");
  spec_.rate_limit_s = in_.number(top, "rate_limit", "", 3, 0, 3600);
  spec_.chapters_per_volume = in_.integer(top, "chapters_per_volume", "", 100, 1, 1'000'000);
  spec_.has_manga = in_.boolean(top, "has_manga", "", false);
  spec_.has_mtl = in_.boolean(top, "has_mtl", "", false);
  spec_.encoding = in_.encoding(top, "encoding", "");
  spec_.disabled = in_.string(top, "disabled", "");
  in_.string(top, "parser", "");  // we have one parser; named for others
  in_.boolean(top, "can_login", "", false);
  named_ = SpecReader::member(top, "pipes");
  if (named_ != nullptr && in_.isMap(*named_, "pipes")) {
    for (const auto& [name, steps] : named_->members) {
      std::string hook;
      in_.pipe(steps, "pipes." + name, named_, hook);
    }
  }
  spec_.headers = headers(top, "", {.vars_used = &vars_used_});
}

std::vector<std::pair<std::string, Template>> SpecBuilder::headers(const Data& map, const std::string& field,
                                                                   const Scope& scope) {
  std::vector<std::pair<std::string, Template>> out;
  const Data* found = SpecReader::member(map, "headers");
  const std::string at = SpecReader::join(field, "headers");
  if (found == nullptr || !in_.isMap(*found, at)) return out;
  for (const auto& [name, value] : found->members) {
    const std::string low = asciiLower(name);
    const bool token = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return c > ' ' && c < 127 && std::string_view("()<>@,;:\\\"/[]?={}").find(c) == std::string_view::npos;
    });
    if (!token) {
      in_.problem(value, SpecReader::join(at, name), "is not the name of a header");
    } else if (low == "user-agent" || low == "host" || low == "content-length" || low == "transfer-encoding" ||
               low == "connection") {
      in_.problem(value, SpecReader::join(at, name), "belongs to the HTTP client and cannot be set by a spec");
    } else if (auto text = in_.textTemplate(value, SpecReader::join(at, name), scope)) {
      if (text->text().find_first_of("\r\n") != std::string::npos) {
        in_.problem(value, SpecReader::join(at, name), "must be one line");
      }
      out.emplace_back(low, *std::move(text));
    }
  }
  return out;
}

void SpecBuilder::vars(const Data& top) {
  const Data* found = SpecReader::member(top, "vars");
  if (found == nullptr || !in_.isMap(*found, "vars")) return;
  for (const auto& [name, value] : found->members) {
    const std::string at = "vars." + name;
    std::set<std::string>& uses = var_uses_[name];
    var_names_.insert(name);
    Scope scope{.vars_used = &uses};
    const Data* on = value.isMap() ? SpecReader::member(value, "on") : nullptr;
    Var var;
    if (on != nullptr && on->isMap()) {
      var.on = Var::On::Own;
      if (auto own = request(*on, at + ".on", scope, false, true)) {
        if (needsBrowser(*own)) refuse("needs a browser (" + at + ".on.render)", at);
        var.request = std::make_shared<const Request>(*std::move(own));
      }
    } else if (on != nullptr) {
      const std::string text = in_.string(value, "on", at);
      if (text == "url")
        var.on = Var::On::Url;
      else if (text == "chapter")
        var.on = Var::On::Chapter;
      else if (text != "novel")
        in_.problem(*on, at + ".on", "must be url, novel, chapter or a request");
    }
    auto one = extractor(value, at, FieldKind::Plain, scope, true);
    if (!one) continue;
    var.extractor = *std::move(one);
    var.renew = in_.boolean(value, "renew", at, false);
    spec_.vars.emplace_back(name, std::move(var));
  }
}

void SpecBuilder::refuse(const std::string& reason, std::string_view field) {
  std::string& into = field.starts_with("search") ? spec_.search_refused : spec_.refused;
  if (into.empty()) into = reason;
}

void SpecBuilder::stages(const Data& top) {
  std::set<std::string> chapter_names{"url", "title", "volume"};
  Scope scope{.vars_used = &vars_used_};
  Scope search = scope;
  search.query = true;
  scope.novel_url = true;
  if (const Data* stage = SpecReader::member(top, "search"); stage != nullptr) {
    spec_.search = itemList(*stage, "search", search, true);
    if (spec_.search && spec_.search->request && needsBrowser(*spec_.search->request))
      refuse("needs a browser (search.request.render)", "search");
  }
  if (const Data* stage = SpecReader::member(top, "novel"); stage != nullptr && in_.isMap(*stage, "novel")) {
    in_.known(*stage, "novel", {"request", "title", "cover", "authors", "tags", "synopsis", "language"});
    spec_.novel.request = requestIn(*stage, "novel", scope, true);
    spec_.novel.title = extractorIn(*stage, "title", "novel", FieldKind::Plain, scope);
    spec_.novel.cover = extractorIn(*stage, "cover", "novel", FieldKind::Url, scope);
    spec_.novel.authors = extractorIn(*stage, "authors", "novel", FieldKind::Plain, scope);
    spec_.novel.tags = extractorIn(*stage, "tags", "novel", FieldKind::Tags, scope);
    spec_.novel.synopsis = extractorIn(*stage, "synopsis", "novel", FieldKind::Prose, scope);
    spec_.novel.language = extractorIn(*stage, "language", "novel", FieldKind::Plain, scope);
  }
  if (const Data* stage = SpecReader::member(top, "toc"); stage != nullptr && in_.isMap(*stage, "toc")) {
    in_.known(*stage, "toc", {"request", "items", "volumes"});
    spec_.toc.request = requestIn(*stage, "toc", scope, false);
    for (const auto& [name, into] : {std::pair{"items", &spec_.toc.items}, std::pair{"volumes", &spec_.toc.volumes}}) {
      if (const Data* list = SpecReader::member(*stage, name); list != nullptr) {
        *into = itemList(*list, SpecReader::join("toc", name), scope, false);
      }
    }
    if (spec_.toc.items) {
      for (const Field& field : spec_.toc.items->fields) chapter_names.insert(field.name);
    }
  }
  scope.chapter = &chapter_names;
  if (const Data* stage = SpecReader::member(top, "chapter"); stage != nullptr && in_.isMap(*stage, "chapter")) {
    in_.known(*stage, "chapter", {"request", "url", "body", "join"});
    spec_.chapter.request = requestIn(*stage, "chapter", scope, true);
    spec_.chapter.body = extractorIn(*stage, "body", "chapter", FieldKind::Prose, scope);
    spec_.chapter.join = in_.string(*stage, "join", "chapter");
    if (const Data* url = SpecReader::member(*stage, "url"); url != nullptr) {
      if (url->isString()) {
        spec_.chapter.url = in_.textTemplate(*url, "chapter.url", scope);
      } else {
        spec_.chapter.url_from = extractor(*url, "chapter.url", FieldKind::Url, scope);
      }
    }
  }
}

void SpecBuilder::hooks(const Data& top) {
  const Data* found = SpecReader::member(top, "hooks");
  if (found == nullptr) return;
  if (found->isString()) {
    refuse("needs a code hook (" + found->text + ")", "");
  } else if (in_.isMap(*found, "hooks")) {
    for (const auto& [name, value] : found->members) {
      const std::size_t dot = name.find('.');
      const bool session = name == "login" || name == "check_response";
      if (!session && (dot == std::string::npos ||
                       std::find(kStages.begin(), kStages.end(), name.substr(0, dot)) == kStages.end())) {
        in_.problem(value, "hooks." + name, "there is no such hook point");
      } else if (name != "login") {  // nobody logs in, and pages open to all can be read without
        refuse("needs a code hook (" + name + ")", name);
      }
    }
  }
}

namespace {

void mergeInto(Data& parent, const Data& child) {
  for (const auto& [name, value] : child.members) {
    Data* mine = parent.find(name);
    if (value.isNull()) {
      std::erase_if(parent.members, [&name = name](const auto& member) { return member.name == name; });
    } else if (mine == nullptr) {
      parent.members.push_back({name, value});
    } else if (mine->isMap() && value.isMap()) {
      mergeInto(*mine, value);
    } else if (name == "fallback" && mine->isList() && value.isList()) {
      Data both = value;
      both.items.insert(both.items.end(), mine->items.begin(), mine->items.end());
      *mine = std::move(both);
    } else {
      *mine = value;
    }
  }
  parent.line = child.line;
  parent.file = child.file;
}

}  // namespace

std::string Where::text() const {
  std::string out = file;
  if (line > 0) out += ":" + std::to_string(line);
  if (!field.empty()) out += (out.empty() ? "" : ": ") + field;
  return out;
}

bool takesNode(StepOp op) {
  return op <= StepOp::InnerHtml || op == StepOp::Text;
}
bool givesNode(StepOp op) {
  return op < StepOp::Paragraphs || op == StepOp::ParseHtml;
}
bool takesList(StepOp op) {
  return op >= StepOp::DropEmpty;
}

const Var* Spec::var(std::string_view name) const {
  for (const auto& [key, value] : vars) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::optional<Spec> buildSpec(const Data& merged, const std::vector<std::string>& files,
                              std::vector<SpecProblem>& problems) {
  return SpecBuilder(files, problems).build(merged);
}

Data mergeSpecs(const Data& parent, const Data& child) {
  Data out = parent;
  if (out.isMap() && child.isMap()) {
    mergeInto(out, child);
  } else {
    out = child;
  }
  return out;
}

}  // namespace jobhost::novel
