#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "fetch-novel/spec.hpp"

namespace jobhost::novel {

/// Reads typed values out of a merged document and notes what is wrong with them; used while a spec is built.
class SpecReader {
 public:
  SpecReader(const std::vector<std::string>& files, std::vector<SpecProblem>& problems)
      : files_(files), problems_(problems) {}

  void problem(const Data& at, const std::string& field, std::string reason);
  [[nodiscard]] Where where(const Data& at, const std::string& field) const;

  /// Notes every member that is not named, and says what it may have been meant to be.
  void known(const Data& map, const std::string& field, std::initializer_list<std::string_view> names);
  bool isMap(const Data& data, const std::string& field);

  // Each takes the map, the member's name and the map's own field path. Null and absent are the same.
  static const Data* member(const Data& map, std::string_view name);
  std::string string(const Data& map, std::string_view name, const std::string& field);
  bool boolean(const Data& map, std::string_view name, const std::string& field, bool fallback);
  double number(const Data& map, std::string_view name, const std::string& field, double fallback, double min,
                double max);
  int integer(const Data& map, std::string_view name, const std::string& field, int fallback, int min, int max);
  /// A text or a list of texts.
  std::vector<std::string> strings(const Data& value, const std::string& field);
  std::optional<support::html::Selector> selector(const Data& value, const std::string& field);
  std::shared_ptr<const Regex> regex(const Data& value, const std::string& field);
  std::string encoding(const Data& map, std::string_view name, const std::string& field);

  /// Where a template stands decides which placeholders it may use.
  struct Scope {
    bool query = false, novel_url = false, paginate = false;
    const std::set<std::string>* chapter = nullptr;  ///< names after {chapter.
    const std::set<std::string>* item = nullptr;     ///< names after {item.
    std::set<std::string>* vars_used = nullptr;      ///< collects names after {vars.
  };
  std::optional<Template> textTemplate(const Data& value, const std::string& field, const Scope& scope);

  /// Steps of a pipe; names of `named` are replaced by what they stand for. Notes a hook in `hook`.
  std::optional<Pipe> pipe(const Data& value, const std::string& field, const Data* named, std::string& hook,
                           int nesting = 0);

  [[nodiscard]] static std::string join(const std::string& field, std::string_view name) {
    return field.empty() ? std::string(name) : field + "." + std::string(name);
  }

 private:
  std::optional<Step> step(const Data& value, const std::string& field, std::string& hook);

  const std::vector<std::string>& files_;
  std::vector<SpecProblem>& problems_;
};

}  // namespace jobhost::novel
