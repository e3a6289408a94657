// What of a spec can only be checked when all of it was read: names, vars that need each other, what is missing.
#include <algorithm>

#include "fetch-novel/spec_builder.hpp"

namespace jobhost::novel {

void SpecBuilder::checkNames() {
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

void SpecBuilder::checkVarCycles() {
  std::map<std::string, int> state;  // 1: being looked at, 2: fine
  for (const auto& [name, uses] : var_uses_) visit(name, state);
}

bool SpecBuilder::visit(const std::string& name, std::map<std::string, int>& state) {
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

void SpecBuilder::complete(const Data& top) {
  if (!spec_.toc.items) in_.problem(top, "toc.items", "is missing: nothing says where the chapters are");
  if (!spec_.toc.request)
    in_.problem(top, "toc.request", "is missing: nothing says which page lists the chapters ('page: novel'?)");
  if (!spec_.chapter.body) in_.problem(top, "chapter.body", "is missing: nothing says where the text of a chapter is");
  if (spec_.toc.items) {
    const auto& fields = spec_.toc.items->fields;
    const bool url = std::any_of(fields.begin(), fields.end(), [](const Field& field) { return field.name == "url"; });
    if (!url) in_.problem(top, "toc.items.fields.url", "is missing: a chapter needs an address");
  }
}

bool SpecBuilder::searchable(const Data& top) {
  const bool able = spec_.search && spec_.search->request && spec_.search_refused.empty();
  const Data* said = SpecReader::member(top, "can_search");
  if (said == nullptr) return able;
  const bool wanted = in_.boolean(top, "can_search", "", able);
  if (wanted && !(spec_.search && spec_.search->request))
    in_.problem(*said, "can_search", "is true but there is no search stage with a request");
  return wanted && able;
}

}  // namespace jobhost::novel
