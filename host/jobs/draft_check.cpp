#include "jobs/draft_check.hpp"

#include <algorithm>
#include <cstdlib>

#include "catalog/json_document.hpp"
#include "core/text.hpp"
#include "core/utf8.hpp"

namespace jobhost::jobs {
namespace {

using core::FieldError;
using Errors = std::vector<FieldError>;

constexpr auto kFarthestRunAt = std::chrono::hours(24 * 3660);  // ten years: beyond it lies a unit mistake
constexpr std::size_t kWebhookBytes = 16 * 1024;
constexpr std::size_t kOwnerBytes = 256;
constexpr int kJsonDepth = 32;

// Keys and tags are shown, logged and compared: text without control characters.
void checkText(std::string_view text, std::size_t max_bytes, const char* pointer, Errors& errors) {
  if (text.empty()) return;
  if (text.size() > max_bytes) {
    errors.push_back({pointer, "is longer than " + std::to_string(max_bytes) + " bytes"});
  } else if (!core::isUtf8(text)) {
    errors.push_back({pointer, "is not valid UTF-8"});
  } else if (core::hasControl(text)) {
    errors.push_back({pointer, "contains control characters"});
  }
}

void checkObject(const std::string& json, std::size_t max_bytes, const char* pointer, Errors& errors) {
  if (json.empty() || json == "{}") return;
  if (json.size() > max_bytes) {
    errors.push_back({pointer, "is longer than " + std::to_string(max_bytes) + " bytes"});
    return;
  }
  const auto document = catalog::JsonDocument::parse(json, {max_bytes, kJsonDepth});
  if (!document) {
    errors.push_back({pointer, document.error().message});
  } else if (!document->root().is(catalog::JsonKind::Object)) {
    errors.push_back({pointer, "must be an object"});
  }
}

template <class Number>
void checkRange(Number value, Number low, Number high, const char* pointer, Errors& errors) {
  if (value >= low && value <= high) return;
  errors.push_back({pointer, "must be between " + std::to_string(low) + " and " + std::to_string(high)});
}

void checkBackoff(const core::Backoff& backoff, const SubmitLimits& limits, Errors& errors) {
  checkRange<std::int64_t>(backoff.base.count(), 0, limits.timeout.count(), "/backoff/base_ms", errors);
  checkRange<std::int64_t>(backoff.cap.count(), 0, limits.timeout.count(), "/backoff/cap_ms", errors);
  if (!(backoff.jitter >= 0.0 && backoff.jitter <= 1.0))
    errors.push_back({"/backoff/jitter", "must be between 0 and 1"});
}

void checkJobs(const std::vector<core::JobId>& ids, const std::string& list, const SubmitLimits& limits,
               Errors& errors) {
  if (ids.size() > static_cast<std::size_t>(limits.depends_on)) {
    errors.push_back({list, "names more than " + std::to_string(limits.depends_on) + " jobs"});
    return;
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto pointer = list + "/" + std::to_string(i);
    const auto before = ids.begin() + static_cast<std::ptrdiff_t>(i);
    if (ids[i].value <= 0) errors.push_back({pointer, "is not a job id"});
    if (std::find(ids.begin(), before, ids[i]) != before) errors.push_back({pointer, "is named twice"});
  }
}

void checkRelations(const core::JobDraft& draft, const SubmitLimits& limits, Errors& errors) {
  if (draft.parent && draft.parent->value <= 0) errors.push_back({"/parent", "is not a job id"});
  checkJobs(draft.depends_on, "/depends_on", limits, errors);
  checkJobs(draft.after, "/after", limits, errors);
}

}  // namespace

void checkTags(const std::vector<std::string>& tags, const SubmitLimits& limits, Errors& errors) {
  if (tags.size() > static_cast<std::size_t>(limits.tags)) {
    errors.push_back({"/tags", "has more than " + std::to_string(limits.tags) + " tags"});
    return;
  }
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const auto pointer = "/tags/" + std::to_string(i);
    if (tags[i].empty()) errors.push_back({pointer, "must not be empty"});
    checkText(tags[i], limits.tag_bytes, pointer.c_str(), errors);
  }
}

void checkBatchName(const std::string& name, const SubmitLimits& limits, Errors& errors) {
  if (name.empty()) errors.push_back({"/name", "must not be empty"});
  checkText(name, limits.key_bytes, "/name", errors);
}

void checkDraft(const core::JobDraft& draft, const SubmitLimits& limits, core::Instant now, Errors& errors) {
  checkRange(draft.priority, -limits.priority_abs, limits.priority_abs, "/priority", errors);
  checkRange(draft.max_attempts, 1, limits.max_attempts, "/max_attempts", errors);
  checkRange<std::int64_t>(draft.timeout.count(), 0, limits.timeout.count(), "/timeout_ms", errors);
  checkBackoff(draft.backoff, limits, errors);
  if (draft.run_at && *draft.run_at > now + kFarthestRunAt) {
    errors.push_back({"/run_at", "lies more than ten years ahead"});
  }
  checkText(draft.queue_key, limits.key_bytes, "/queue_key", errors);
  checkText(draft.unique_key, limits.key_bytes, "/unique_key", errors);
  checkText(draft.dedupe_key, limits.key_bytes, "/dedupe_key", errors);
  checkText(draft.batch, limits.key_bytes, "/batch", errors);
  checkText(draft.owner, kOwnerBytes, "/owner", errors);
  if (!draft.dedupe_key.empty() && !draft.parent) errors.push_back({"/dedupe_key", "needs a parent"});
  checkTags(draft.tags, limits, errors);
  checkObject(draft.notes_json, limits.notes_bytes, "/notes", errors);
  checkObject(draft.webhook_json, kWebhookBytes, "/webhook", errors);
  checkRelations(draft, limits, errors);
  if (!draft.input_id.empty() && !isInputId(draft.input_id)) errors.push_back({"/input_id", "is not an input id"});
}

core::Result<std::string> paramsFromArgs(std::string_view args_json, const std::vector<std::string>& positional,
                                         std::size_t max_bytes) {
  const auto refuse = [](std::string pointer, std::string message) {
    return core::Error{core::ErrorCode::InvalidArgument,
                       "the arguments do not fit the job type",
                       "",
                       {{std::move(pointer), std::move(message)}}};
  };
  if (args_json.size() > max_bytes) {
    return core::Error{core::ErrorCode::TooLarge,
                       "args are longer than " + std::to_string(max_bytes) + " bytes",
                       "",
                       {{"/args", "is too long"}}};
  }
  const auto document = catalog::JsonDocument::parse(args_json, {max_bytes, kJsonDepth});
  if (!document) return refuse("/args", document.error().message);
  const auto root = document->root();
  if (root.is(catalog::JsonKind::Null)) return std::string("{}");
  if (!root.is(catalog::JsonKind::Array)) return refuse("/args", "must be an array");
  if (root.size() > positional.size()) {
    return refuse("/args", "the job type takes at most " + std::to_string(positional.size()) + " arguments, not " +
                               std::to_string(root.size()));
  }
  std::string params = "{";
  std::size_t index = 0;
  root.elements([&](const catalog::JsonValue& value) {
    const auto& name = positional[index++];
    if (value.is(catalog::JsonKind::Null)) return;
    if (params.size() > 1) params += ',';
    params.append(catalog::quoteJson(name)).append(":").append(value.raw());
  });
  return params += '}';
}

bool isInputId(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

}  // namespace jobhost::jobs
