#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/encoding.hpp"
#include "api/http_types.hpp"
#include "api/minion/minion_render.hpp"
#include "core/error.hpp"

namespace jobhost::api::minion {

/// What a request says in its query and in its form (urlencoded or multipart), read as upstream does: the last of a
/// name counts, and the query before the form. One thread; reads the body of a form, at most 64 KiB of it.
class Parameters {
 public:
  /// `with_form` false: the body is left alone.
  static Parameters read(Request& request, bool with_form);

  [[nodiscard]] std::optional<std::string_view> inQuery(std::string_view name) const;
  [[nodiscard]] std::optional<std::string_view> any(std::string_view name) const;
  /// The query string could not be read: bad escape, bad UTF-8, too many pairs.
  [[nodiscard]] bool badQuery() const { return !query_; }
  /// Why the form could not be; nullopt: it could, or there is none.
  [[nodiscard]] const std::optional<core::Error>& badForm() const { return bad_form_; }

 private:
  std::optional<Query> query_;
  std::vector<std::pair<std::string, std::string>> form_;
  std::optional<core::Error> bad_form_;
};

// Values as OpenAPI's validator takes them; what is wrong is added to the complaints, with the path given.

/// As JSON::Validator takes an integer from a path or query: no leading zeros, blanks, fraction, exponent.
bool looksLikeInteger(std::string_view text);
/// `otherwise` when absent or wrong.
std::int64_t readInteger(std::optional<std::string_view> text, std::string_view path, std::int64_t otherwise,
                         std::int64_t min, std::int64_t max, std::vector<Complaint>& complaints);
/// true and 1, false and 0; absent: false.
bool readBoolean(std::optional<std::string_view> text, std::string_view path, std::vector<Complaint>& complaints);

}  // namespace jobhost::api::minion
