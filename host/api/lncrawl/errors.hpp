#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_types.hpp"
#include "core/error.hpp"

namespace jobhost::api::lncrawl {

/// A body in JSON.
Response answer(std::string json, int status = 200);
/// `true`, which routes without anything to say answer.
Response answerTrue();

/// `{"error": …, "detail": …}`; an empty detail is null.
Response failure(int status, std::string_view error, std::string_view detail = {});
/// "No such job", and so on: what `what` names is not there.
Response noSuch(std::string_view what);
Response unauthorized();
Response forbidden();
/// An error of the core in that shape. Faults of the host itself are no business of the caller: they say nothing more
/// than that, and are logged here, once for the request that answers it.
Response failure(const core::Error& error, int status = 0);
/// The same of what is logged already.
Response refusal(const core::Error& error, int status = 0);

/// Whether any reader of JSON can hold the numbers in it, as 1e999 is none.
bool numbersFit(std::string_view json);

/// What is wrong with one field of a request, as the framework that upstream is built on says it.
struct Fault {
  std::string type;                ///< "missing", "int_parsing", …
  std::vector<std::string> where;  ///< "body" or "query" or "path", then names; digits alone are an index
  std::string message;
  std::string input_json = "null";  ///< the value as it came
  std::string context_json = {};    ///< empty: none
};
/// 422 `{"detail": [{type, loc, msg, input, ctx?}]}`; at most 100 of them are told.
Response invalid(const std::vector<Fault>& faults);

}  // namespace jobhost::api::lncrawl
