#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fetch-novel/spec_reader.hpp"

namespace jobhost::novel {

/// Makes a Spec of a merged document and says what is wrong with it. For buildSpec() alone; one document, one thread.
class SpecBuilder {
 public:
  SpecBuilder(const std::vector<std::string>& files, std::vector<SpecProblem>& problems)
      : in_(files, problems), files_(files), problems_(problems) {}

  std::optional<Spec> build(const Data& top);

 private:
  static constexpr std::size_t kAlternatives = 16;
  static constexpr int kNesting = 8;
  static constexpr std::array<std::string_view, 4> kStages{"search", "novel", "toc", "chapter"};

  using Scope = SpecReader::Scope;

  void settings(const Data& top);
  std::vector<std::pair<std::string, Template>> headers(const Data& map, const std::string& field, const Scope& scope);

  std::optional<Extractor> extractor(const Data& value, const std::string& field, FieldKind kind, const Scope& scope,
                                     bool is_var = false, int nesting = 0);
  void pipeOf(const Data& value, const std::string& field, Extractor& out);
  // Steps must connect; what a step is given is known but for whether it is one value or a list of them.
  void checkTypes(const Data& value, const std::string& field, const Extractor& extractor);
  std::optional<Extractor> extractorIn(const Data& map, std::string_view name, const std::string& field, FieldKind kind,
                                       const Scope& scope);

  Payload payload(const Data& value, const std::string& field, const Scope& scope);
  std::optional<Request> request(const Data& value, const std::string& field, Scope scope, bool has_default,
                                 bool for_var = false, int nesting = 0);
  std::optional<Paginate> paginate(const Data& value, const std::string& field, Scope scope);

  std::optional<ItemList> itemList(const Data& value, const std::string& field, const Scope& outer, bool stage_request);

  void vars(const Data& top);
  static bool needsBrowser(const Request& request);
  void refuse(const std::string& reason, std::string_view field);
  void stages(const Data& top);
  std::optional<Request> requestIn(const Data& stage, const std::string& field, const Scope& scope, bool has_default);
  void hooks(const Data& top);
  void checkNames();
  void checkVarCycles();
  bool visit(const std::string& name, std::map<std::string, int>& state);
  void complete(const Data& top);
  bool searchable(const Data& top);

  SpecReader in_;
  const std::vector<std::string>& files_;
  std::vector<SpecProblem>& problems_;
  Spec spec_;
  const Data* named_ = nullptr;
  std::vector<std::pair<std::string, Where>> names_, pages_;
  std::set<std::string> var_names_, vars_used_;
  std::map<std::string, std::set<std::string>> var_uses_;
};

}  // namespace jobhost::novel
