#include "api/minion/parameters.hpp"

#include <algorithm>
#include <limits>

#include "api/channel.hpp"
#include "api/json_reader.hpp"
#include "api/multipart.hpp"
#include "core/utf8.hpp"

namespace jobhost::api::minion {
namespace {

constexpr std::int64_t kMaxForm = 64 * 1024;  ///< read before the key is known
constexpr std::size_t kMaxFields = 100;

core::Error noForm(std::string message) {
  return {core::ErrorCode::InvalidArgument, std::move(message), "", {}};
}

std::string textOf(std::istream& bytes) {
  std::string text;
  char piece[4096];
  while (bytes.read(piece, sizeof piece), bytes.gcount() > 0)
    text.append(piece, static_cast<std::size_t>(bytes.gcount()));
  return text;
}

std::optional<std::string_view> lastOf(const std::vector<std::pair<std::string, std::string>>& pairs,
                                       std::string_view name) {
  const auto found = std::find_if(pairs.rbegin(), pairs.rend(), [&](const auto& pair) { return pair.first == name; });
  return found == pairs.rend() ? std::nullopt : std::optional<std::string_view>(found->second);
}

}  // namespace

Parameters Parameters::read(Request& request, bool with_form) {
  Parameters all;
  all.query_ = Query::parse(request.query);
  if (!with_form || request.method != Method::Post) return all;
  const std::string type(request.header("Content-Type").value_or(""));
  if (isMultipartForm(type)) {
    const auto field = [&all](const PartHead& head, std::istream& bytes) -> core::Result<void> {
      if (!head.file_name.empty()) return {};
      if (all.form_.size() == kMaxFields) return noForm("the form has too many fields");
      auto value = textOf(bytes);
      if (!core::isUtf8(value) || !core::isUtf8(head.name)) return noForm("the form is not UTF-8");
      all.form_.emplace_back(head.name, std::move(value));
      return {};
    };
    if (const auto walked = readMultipart(type, *request.body, kMaxForm, field); !walked) {
      all.bad_form_ = walked.error();
    }
  } else if (type.starts_with("application/x-www-form-urlencoded")) {
    const auto body = request.body->all(kMaxForm);
    const auto form = body ? Query::parse(*body) : std::nullopt;
    if (form) {
      all.form_ = form->pairs();
    } else {
      all.bad_form_ = body ? noForm("the form is not valid") : body.error();
    }
  }
  return all;
}

std::optional<std::string_view> Parameters::inQuery(std::string_view name) const {
  return query_ ? query_->last(name) : std::nullopt;
}

std::optional<std::string_view> Parameters::any(std::string_view name) const {
  const auto found = inQuery(name);
  return found ? found : lastOf(form_, name);
}

bool looksLikeInteger(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::int64_t readInteger(std::optional<std::string_view> text, std::string_view path, std::int64_t otherwise,
                         std::int64_t min, std::int64_t max, std::vector<Complaint>& complaints) {
  if (!text) return otherwise;
  if (!looksLikeInteger(*text)) {
    complaints.push_back({"Expected integer - got string.", std::string(path)});
    return otherwise;
  }
  const auto beyond =
      text->starts_with('-') ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
  const auto number = toInteger(*text).value_or(beyond);
  if (number >= min && number <= max) return number;
  const bool low = number < min;
  complaints.push_back(
      {std::string(*text) + (low ? " < minimum(" : " > maximum(") + std::to_string(low ? min : max) + ")",
       std::string(path)});
  return otherwise;
}

bool readBoolean(std::optional<std::string_view> text, std::string_view path, std::vector<Complaint>& complaints) {
  if (!text || *text == "false" || *text == "0") return false;
  if (*text == "true" || *text == "1") return true;
  complaints.push_back({"Expected boolean - got string.", std::string(path)});
  return false;
}

}  // namespace jobhost::api::minion
