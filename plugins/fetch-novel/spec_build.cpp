#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "fetch-novel/charset.hpp"
#include "fetch-novel/spec_reader.hpp"
#include "fetch-novel/url.hpp"

namespace jobhost::novel {
namespace {

constexpr std::size_t kFields = 100;
constexpr std::size_t kAlternatives = 16;
constexpr int kNesting = 8;

constexpr std::array<std::string_view, 4> kStages{"search", "novel", "toc", "chapter"};

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

class Builder {
 public:
  Builder(const std::vector<std::string>& files, std::vector<SpecProblem>& problems)
      : in_(files, problems), files_(files), problems_(problems) {}

  std::optional<Spec> build(const Data& top) {
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

 private:
  using Scope = SpecReader::Scope;

  void settings(const Data& top) {
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

  std::vector<std::pair<std::string, Template>> headers(const Data& map, const std::string& field, const Scope& scope) {
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

  // ---- extractors

  std::optional<Extractor> extractor(const Data& value, const std::string& field, FieldKind kind, const Scope& scope,
                                     bool is_var = false, int nesting = 0) {
    if (!in_.isMap(value, field)) return std::nullopt;
    if (nesting > kNesting) {
      in_.problem(value, field, "fallbacks are nested more than " + std::to_string(kNesting) + " deep");
      return std::nullopt;
    }
    if (is_var) {
      in_.known(
          value, field,
          {"css", "json", "regex", "header", "const", "attr", "all", "pipe", "fallback", "default", "on", "renew"});
    } else {
      in_.known(value, field,
                {"css", "json", "regex", "header", "const", "attr", "all", "pipe", "fallback", "default"});
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

  void pipeOf(const Data& value, const std::string& field, Extractor& out) {
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

  // Steps must connect; what a step is given is known but for whether it is one value or a list of them.
  void checkTypes(const Data& value, const std::string& field, const Extractor& extractor) {
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

  std::optional<Extractor> extractorIn(const Data& map, std::string_view name, const std::string& field, FieldKind kind,
                                       const Scope& scope) {
    const Data* found = SpecReader::member(map, name);
    return found == nullptr ? std::nullopt : extractor(*found, SpecReader::join(field, name), kind, scope);
  }

  // ---- requests

  Payload payload(const Data& value, const std::string& field, const Scope& scope) {
    Payload out;
    out.kind = value.kind;
    switch (value.kind) {
      case Data::Kind::Null:
        break;
      case Data::Kind::Bool:
      case Data::Kind::Number:
        out.literal = value.scalarText();
        break;
      case Data::Kind::String:
        out.text = in_.textTemplate(value, field, scope);
        break;
      case Data::Kind::List:
        for (const Data& item : value.items) out.items.push_back(payload(item, field, scope));
        break;
      case Data::Kind::Map:
        for (const auto& [name, member] : value.members) {
          out.members.emplace_back(name, payload(member, SpecReader::join(field, name), scope));
        }
    }
    return out;
  }

  std::optional<Request> request(const Data& value, const std::string& field, Scope scope, bool has_default,
                                 bool for_var = false, int nesting = 0) {
    if (!in_.isMap(value, field)) return std::nullopt;
    if (nesting > kNesting) {
      in_.problem(value, field, "alternatives are nested more than " + std::to_string(kNesting) + " deep");
      return std::nullopt;
    }
    in_.known(value, field,
              {"name", "get", "post", "page", "from", "payload", "form", "headers", "encoding", "render", "wait_for",
               "paginate"});
    Request out;
    out.where = in_.where(value, field);
    out.name = in_.string(value, "name", field);
    if (!out.name.empty()) names_.emplace_back(out.name, out.where);
    int ways = 0;
    for (const auto& [key, method] :
         {std::pair{"get", Request::Method::Get}, std::pair{"post", Request::Method::Post}}) {
      const Data* url = SpecReader::member(value, key);
      if (url == nullptr) continue;
      ++ways;
      out.method = method;
      out.url = in_.textTemplate(*url, SpecReader::join(field, key), scope);
    }
    if (SpecReader::member(value, "page") != nullptr) {
      ++ways;
      out.method = Request::Method::Page;
      out.page = in_.string(value, "page", field);
      pages_.emplace_back(out.page, out.where);
      if (for_var) in_.problem(value, SpecReader::join(field, "page"), "a var may not read another stage's page");
    }
    if (const Data* from = SpecReader::member(value, "from"); from != nullptr) {
      ++ways;
      out.method = Request::Method::From;
      const std::string at = SpecReader::join(field, "from");
      if (!from->isList() || from->items.empty() || from->items.size() > kAlternatives) {
        in_.problem(*from, at, "must be a list of 1 to " + std::to_string(kAlternatives) + " requests");
      } else {
        for (std::size_t i = 0; i < from->items.size(); ++i) {
          if (auto one = request(from->items[i], at + "[" + std::to_string(i) + "]", scope, has_default, for_var,
                                 nesting + 1)) {
            out.from.push_back(*std::move(one));
          }
        }
      }
    }
    if (ways > 1 || (ways == 0 && !has_default))
      in_.problem(value, field, "needs exactly one of get, post, page and from");
    if (const Data* form = SpecReader::member(value, "form"); form != nullptr) {
      out.form = in_.selector(*form, SpecReader::join(field, "form"));
      if (out.method != Request::Method::Get && out.method != Request::Method::Post) {
        in_.problem(*form, SpecReader::join(field, "form"), "goes with get or post");
      }
    }
    if (const Data* body = SpecReader::member(value, "payload");
        body != nullptr && in_.isMap(*body, SpecReader::join(field, "payload"))) {
      out.payload = payload(*body, SpecReader::join(field, "payload"), scope);
      if (out.method != Request::Method::Post && !out.form) {
        in_.problem(*body, SpecReader::join(field, "payload"), "goes with post, or with get and form");
      }
    }
    out.headers = headers(value, field, scope);
    out.encoding = in_.encoding(value, "encoding", field);
    out.render = in_.boolean(value, "render", field, false);
    in_.string(value, "wait_for", field);
    if (const Data* pages = SpecReader::member(value, "paginate"); pages != nullptr) {
      out.paginate = paginate(*pages, SpecReader::join(field, "paginate"), scope);
    }
    return out;
  }

  std::optional<Paginate> paginate(const Data& value, const std::string& field, Scope scope) {
    if (!in_.isMap(value, field)) return std::nullopt;
    in_.known(value, field, {"while", "last", "next", "first", "step", "url", "concurrent"});
    Paginate out;
    out.where = in_.where(value, field);
    const Data* until = SpecReader::member(value, "while");
    const Data* last = SpecReader::member(value, "last");
    const Data* next = SpecReader::member(value, "next");
    if ((until != nullptr ? 1 : 0) + (last != nullptr ? 1 : 0) + (next != nullptr ? 1 : 0) != 1) {
      in_.problem(value, field, "needs exactly one of while, last and next");
    }
    if (until != nullptr && until->text != "has_items")
      in_.problem(*until, SpecReader::join(field, "while"), "must be has_items");
    if (last != nullptr) {
      out.until = Paginate::Until::Last;
      if (last->isMap()) {
        out.last = extractor(*last, SpecReader::join(field, "last"), FieldKind::Plain, scope);
        if (out.last) out.last->all = true;  // where several numbers match the largest wins
      } else {
        out.last_number = in_.integer(value, "last", field, 1, 0, 1'000'000);
      }
    }
    if (next != nullptr) {
      out.until = Paginate::Until::Next;
      out.next = extractor(*next, SpecReader::join(field, "next"), FieldKind::Url, scope);
    }
    if (const Data* first = SpecReader::member(value, "first"); first != nullptr && first->isMap()) {
      out.first_from = extractor(*first, SpecReader::join(field, "first"), FieldKind::Plain, scope);
    } else {
      out.first = in_.integer(value, "first", field, 1, 0, 1'000'000);
    }
    out.step = in_.integer(value, "step", field, 1, 1, 100'000);
    in_.boolean(value, "concurrent", field, false);  // the politeness per host decides; pages come one after another
    const Data* url = SpecReader::member(value, "url");
    if (url != nullptr) {
      scope.paginate = true;
      out.url = in_.textTemplate(*url, SpecReader::join(field, "url"), scope);
    }
    if (next != nullptr && url != nullptr) in_.problem(*url, SpecReader::join(field, "url"), "does not go with next");
    if (next == nullptr && url == nullptr) in_.problem(value, field, "needs url with while and last");
    return out;
  }

  // ---- lists

  std::optional<ItemList> itemList(const Data& value, const std::string& field, const Scope& outer,
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
      in_.problem(*value.find("sort_by"), SpecReader::join(field, "sort_by"),
                  "there is no field '" + out.sort_by + "'");
    }
    out.reverse = in_.boolean(value, "reverse", field, false);
    return out;
  }

  // ---- vars, stages, hooks

  void vars(const Data& top) {
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

  static bool needsBrowser(const Request& request) {
    if (request.method != Request::Method::From) return request.render;
    return !request.from.empty() && std::all_of(request.from.begin(), request.from.end(), needsBrowser);
  }

  void refuse(const std::string& reason, std::string_view field) {
    std::string& into = field.starts_with("search") ? spec_.search_refused : spec_.refused;
    if (into.empty()) into = reason;
  }

  void stages(const Data& top) {
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
      for (const auto& [name, into] :
           {std::pair{"items", &spec_.toc.items}, std::pair{"volumes", &spec_.toc.volumes}}) {
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

  std::optional<Request> requestIn(const Data& stage, const std::string& field, const Scope& scope, bool has_default) {
    const Data* found = SpecReader::member(stage, "request");
    if (found == nullptr) return std::nullopt;
    auto out = request(*found, field + ".request", scope, has_default);
    if (out && needsBrowser(*out)) refuse("needs a browser (" + field + ".request.render)", field);
    return out;
  }

  void hooks(const Data& top) {
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

  void checkNames() {
    std::set<std::string> known;
    for (const auto& [name, where] : names_) {
      const bool stage = std::find(kStages.begin(), kStages.end(), name) != kStages.end();
      if (stage || !known.insert(name).second) {
        problems_.push_back(
            {where, stage ? "the name '" + name + "' is that of a stage" : "the name '" + name + "' is used twice"});
      }
    }
    const auto order = [](std::string_view stage) {
      return std::find(kStages.begin(), kStages.end(), stage) - kStages.begin();
    };
    for (const auto& [page, where] : pages_) {
      const std::string_view own = std::string_view(where.field).substr(0, where.field.find('.'));
      const bool stage = std::find(kStages.begin(), kStages.end(), page) != kStages.end();
      if (!stage && !known.contains(page)) {
        problems_.push_back({where, "there is no stage or request '" + page + "'"});
      } else if (stage && (page == "search" || order(page) >= order(own))) {
        problems_.push_back({where, "the page of '" + page + "' is not fetched before this one"});
      }
    }
    for (const std::string& name : vars_used_) {
      if (!var_names_.contains(name))
        problems_.push_back({{spec_.file, 0, "vars"}, "there is no var '" + name + "' for {vars." + name + "}"});
    }
  }

  void checkVarCycles() {
    std::map<std::string, int> state;  // 1: being looked at, 2: fine
    for (const auto& [name, uses] : var_uses_) visit(name, state);
  }

  bool visit(const std::string& name, std::map<std::string, int>& state) {
    if (state[name] == 2) return true;
    if (state[name] == 1) return false;
    state[name] = 1;
    for (const std::string& used : var_uses_[name]) {
      if (!var_names_.contains(used)) {
        problems_.push_back({{spec_.file, 0, "vars." + name}, "there is no var '" + used + "'"});
      } else if (!visit(used, state)) {
        problems_.push_back(
            {{spec_.file, 0, "vars." + name}, "the vars '" + name + "' and '" + used + "' need each other"});
      }
    }
    state[name] = 2;
    return true;
  }

  void complete(const Data& top) {
    if (!spec_.toc.items) in_.problem(top, "toc.items", "is missing: nothing says where the chapters are");
    if (!spec_.toc.request)
      in_.problem(top, "toc.request", "is missing: nothing says which page lists the chapters ('page: novel'?)");
    if (!spec_.chapter.body)
      in_.problem(top, "chapter.body", "is missing: nothing says where the text of a chapter is");
    if (spec_.toc.items) {
      const auto& fields = spec_.toc.items->fields;
      const bool url =
          std::any_of(fields.begin(), fields.end(), [](const Field& field) { return field.name == "url"; });
      if (!url) in_.problem(top, "toc.items.fields.url", "is missing: a chapter needs an address");
    }
  }

  bool searchable(const Data& top) {
    const bool able = spec_.search && spec_.search->request && spec_.search_refused.empty();
    const Data* said = SpecReader::member(top, "can_search");
    if (said == nullptr) return able;
    const bool wanted = in_.boolean(top, "can_search", "", able);
    if (wanted && !(spec_.search && spec_.search->request))
      in_.problem(*said, "can_search", "is true but there is no search stage with a request");
    return wanted && able;
  }

  SpecReader in_;
  const std::vector<std::string>& files_;
  std::vector<SpecProblem>& problems_;
  Spec spec_;
  const Data* named_ = nullptr;
  std::vector<std::pair<std::string, Where>> names_, pages_;
  std::set<std::string> var_names_, vars_used_;
  std::map<std::string, std::set<std::string>> var_uses_;
};

void mergeInto(Data& parent, const Data& child) {
  for (const auto& [name, value] : child.members) {
    Data* mine = parent.find(name);
    if (value.isNull()) {
      std::erase_if(parent.members, [&name](const auto& member) { return member.first == name; });
    } else if (mine == nullptr) {
      parent.members.emplace_back(name, value);
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
  return Builder(files, problems).build(merged);
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
