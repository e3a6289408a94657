#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "catalog/json_document.hpp"
#include "catalog/params_schema.hpp"

namespace jobhost::test {

/// Holds every answer that tests see against the OpenAPI document: its status must be described for its operation, its
/// media type too, and a body in JSON must fit the schema, with no member that the schema does not name.
/// Thread-safety: one thread.
class ResponseCheck {
 public:
  /// Over the document of all dialects.
  static ResponseCheck& ofAllDialects();
  explicit ResponseCheck(std::string document);

  struct Seen {
    std::string_view method, target;  ///< as in the request line
    int status = 0;
    std::string_view content_type;  ///< empty: none
    std::string_view body;          ///< as it came; without the content coding
  };
  /// What is wrong with an answer; empty: nothing.
  std::string faultOf(const Seen& seen);
  /// Answers that were held against an operation of the document.
  [[nodiscard]] int checked() const { return checked_; }

 private:
  [[nodiscard]] std::string faultOfBody(const Seen& seen, const std::string& where, catalog::JsonValue response);
  [[nodiscard]] std::string faultOfJson(const std::string& where, catalog::JsonValue schema, std::string_view body);

  std::string text_;
  catalog::JsonDocument document_;
  std::string defs_;  ///< components/schemas, as the schemas that are asked see them
  std::map<std::string, std::shared_ptr<const catalog::ParamsSchema>>
      schemas_;  ///< by where in the document they stand
  int checked_ = 0;
};

/// The bytes of a gzip file; empty when it is none.
std::string gunzip(std::string_view bytes);

}  // namespace jobhost::test
