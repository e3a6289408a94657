#include "services/child_request.hpp"

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "catalog/json_document.hpp"

namespace jobhost::services {
namespace {

using catalog::JsonKind;
using catalog::JsonValue;

constexpr int kDepth = 32;
constexpr std::int64_t kFarMs = 100LL * 366 * 24 * 3600 * 1000 * 100;  // beyond any time that makes sense

class Reader {
 public:
  Reader(jobs::JobRequest& request, core::Instant now, std::vector<core::FieldError>& errors)
      : request_(request), now_(now), errors_(errors) {}

  void member(std::string_view key, const JsonValue& value) {
    core::JobDraft& draft = request_.draft;
    if (key == "type") {
      text("/type", value, draft.type);
    } else if (key == "params") {
      draft.params_json = value.raw();  // checked against the type's schema
    } else if (key == "priority") {
      gave_priority_ = true;
      if (const auto number =
              integer("/priority", value, std::numeric_limits<int>::min(), std::numeric_limits<int>::max())) {
        draft.priority = static_cast<int>(*number);
      }
    } else if (key == "dedupe_key") {
      text("/dedupe_key", value, draft.dedupe_key);
    } else if (key == "queue_key") {
      text("/queue_key", value, draft.queue_key);
    } else if (key == "delay_ms") {
      if (const auto number = integer("/delay_ms", value, 0, kFarMs)) draft.run_at = now_ + core::Millis(*number);
    } else if (key == "run_at_ms") {
      if (const auto number = integer("/run_at_ms", value, 0, kFarMs)) draft.run_at = core::fromMicros(*number * 1000);
    } else if (key == "max_attempts") {
      if (const auto number = integer("/max_attempts", value, 1, std::numeric_limits<int>::max())) {
        request_.max_attempts = static_cast<int>(*number);
      }
    } else if (key == "timeout_ms") {
      if (const auto number = integer("/timeout_ms", value, 0, kFarMs)) draft.timeout = core::Millis(*number);
    } else if (key == "after") {
      after(value);
    } else if (key == "on_child_failure") {
      childFailure(value);
    } else if (key == "tags") {
      tags(value);
    } else {
      errors_.push_back({"/" + std::string(key.substr(0, 100)), "is not known"});
    }
  }

  [[nodiscard]] bool gavePriority() const { return gave_priority_; }

 private:
  void text(const char* pointer, const JsonValue& value, std::string& into) {
    if (value.is(JsonKind::String)) {
      into = value.string();
    } else {
      errors_.push_back({pointer, "must be a string"});
    }
  }

  std::optional<std::int64_t> integer(const char* pointer, const JsonValue& value, std::int64_t low,
                                      std::int64_t high) {
    if (value.is(JsonKind::Number)) {
      const auto number = value.number();
      if (number.is_int && number.integer >= low && number.integer <= high) return number.integer;
    }
    errors_.push_back({pointer, "must be an integer between " + std::to_string(low) + " and " + std::to_string(high)});
    return std::nullopt;
  }

  void childFailure(const JsonValue& value) {
    if (value.is(JsonKind::String) && value.string() == "fail") {
      request_.draft.child_failure = core::ChildFailure::Fail;
    } else if (!value.is(JsonKind::String) || value.string() != "ignore") {
      errors_.push_back({"/on_child_failure", R"(must be "ignore" or "fail")"});
    }
  }

  void tags(const JsonValue& value) {
    if (!value.is(JsonKind::Array)) return errors_.push_back({"/tags", "must be an array of strings"});
    value.elements([this](const JsonValue& tag) {
      std::string word;
      text("/tags", tag, word);
      request_.draft.tags.push_back(std::move(word));
    });
  }

  void after(const JsonValue& value) {
    if (!value.is(JsonKind::Array)) return errors_.push_back({"/after", "must be an array of job ids"});
    int place = 0;
    value.elements([&](const JsonValue& id) {
      const std::string pointer = "/after/" + std::to_string(place++);
      const auto number = integer(pointer.c_str(), id, 1, std::numeric_limits<std::int64_t>::max());
      if (number) request_.draft.after.push_back({*number});
    });
  }

  bool gave_priority_ = false;
  jobs::JobRequest& request_;
  core::Instant now_;
  std::vector<core::FieldError>& errors_;
};

}  // namespace

core::Result<jobs::JobRequest> parseChildRequest(std::string_view request_json,
                                                 const pool::AttemptServices::Caller& caller, core::Instant now,
                                                 std::size_t max_bytes) {
  const auto document = catalog::JsonDocument::parse(request_json, {max_bytes, kDepth});
  if (!document) return document.error();
  if (!document->root().is(JsonKind::Object)) {
    return core::Error{
        core::ErrorCode::InvalidArgument, "a child's request must be an object", "", {{"", "must be an object"}}};
  }
  jobs::JobRequest request;
  std::vector<core::FieldError> errors;
  Reader reader(request, now, errors);
  document->root().members([&](const JsonValue& key, const JsonValue& value) { reader.member(key.string(), value); });
  if (!errors.empty()) {
    std::string message = errors.front().pointer + ": " + errors.front().message;
    return core::Error{core::ErrorCode::InvalidArgument, std::move(message), "", std::move(errors)};
  }
  request.draft.parent = caller.job;
  request.draft.owner = caller.owner;
  request.draft.inherit_priority = !reader.gavePriority();
  return request;
}

}  // namespace jobhost::services
