#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fetch-novel/page.hpp"
#include "fetch-novel/spec.hpp"
#include "fetch-novel/value.hpp"

namespace jobhost::novel {

/// What an extractor reads from: a page, or one row of it.
struct Scope {
  const Page* page = nullptr;
  std::shared_ptr<support::html::Document> tree;  ///< with `node`
  support::html::Node* node = nullptr;            ///< a row of markup
  const Data* row = nullptr;                      ///< a row of JSON
};

/// Evaluates: source, all, attr, pipe, default, fallbacks. Addresses become absolute. `values` fills the templates of
/// `const`. Never changes the page. Throws CrawlError Limit naming the field.
Value extract(const Extractor& extractor, const Scope& scope, const Template::Values& values);

/// One row of a list, with all its fields in order.
struct Row {
  std::vector<std::pair<std::string, std::string>> fields;
  const support::html::Node* node = nullptr;  ///< of a markup row; lives as long as `tree`
  std::shared_ptr<support::html::Document> tree;

  [[nodiscard]] const std::string& get(std::string_view name) const;  ///< empty: none
  void set(std::string_view name, std::string value);
};

struct Rows {
  std::vector<Row> rows;
  std::size_t skipped = 0;  ///< lacked a field they need
};

/// The rows of a page in document order; sorting is the stage's, once all pages are there. `needed` names the fields a
/// row cannot do without, beside those of `require`.
Rows readRows(const ItemList& list, const Page& page, const std::vector<std::string>& needed,
              const Template::Values& values);

/// sort_by, then reverse.
void sortRows(std::vector<Row>& rows, const ItemList& list);

}  // namespace jobhost::novel
