// Requests of a spec, with their payloads and further pages.
#include <algorithm>

#include "fetch-novel/spec_builder.hpp"

namespace jobhost::novel {

Payload SpecBuilder::payload(const Data& value, const std::string& field, const Scope& scope) {
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
        out.members.push_back({name, payload(member, SpecReader::join(field, name), scope)});
      }
  }
  return out;
}

std::optional<Request> SpecBuilder::request(const Data& value, const std::string& field, Scope scope, bool has_default,
                                            bool for_var, int nesting) {
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
  for (const auto& [key, method] : {std::pair{"get", Request::Method::Get}, std::pair{"post", Request::Method::Post}}) {
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
        if (auto one =
                request(from->items[i], at + "[" + std::to_string(i) + "]", scope, has_default, for_var, nesting + 1)) {
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

std::optional<Paginate> SpecBuilder::paginate(const Data& value, const std::string& field, Scope scope) {
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

bool SpecBuilder::needsBrowser(const Request& request) {
  if (request.method != Request::Method::From) return request.render;
  return !request.from.empty() && std::all_of(request.from.begin(), request.from.end(), needsBrowser);
}

std::optional<Request> SpecBuilder::requestIn(const Data& stage, const std::string& field, const Scope& scope,
                                              bool has_default) {
  const Data* found = SpecReader::member(stage, "request");
  if (found == nullptr) return std::nullopt;
  auto out = request(*found, field + ".request", scope, has_default);
  if (out && needsBrowser(*out)) refuse("needs a browser (" + field + ".request.render)", field);
  return out;
}

}  // namespace jobhost::novel
