#include "fetch-novel/steps.hpp"

namespace jobhost::novel {
namespace {

constexpr std::size_t kCauseBytes = 8000;

}  // namespace

Error failed(const StepFailure& how, const std::string& cause, std::int32_t error_class) {
  const bool blamed = error_class == JH_CLASS_BAD_INPUT || error_class == JH_CLASS_DENIED;
  return Error(blamed ? error_class : JH_CLASS_PERMANENT, how.code, how.summary)
      .details(Json{{"cause", cause.substr(0, kCauseBytes)}}.dump());
}

std::string causeOf(const CrawlError& error, const std::string& refusal) {
  std::string out = error.what();
  if (error.kind() == CrawlError::Kind::Refused && !refusal.empty()) out += "\n" + refusal;
  return out;
}

std::int64_t Children::make(std::string_view type, const Json& params, const std::string& key,
                            const std::vector<std::int64_t>& after) {
  ChildOptions options;
  options.dedupe_key = key;
  options.max_attempts = 1;
  options.after = after;
  const std::int64_t id = job_.submit(type, params, options);
  if (++made_ % 100 == 0) job_.progress(static_cast<double>(made_), 0, "making jobs");
  return id;
}

Json picked(const Json& from, std::initializer_list<std::string_view> names) {
  Json out = Json::object();
  for (const std::string_view name : names) {
    if (const Json* value = from.find(name); value != nullptr && !value->isNull()) out.set(name, *value);
  }
  return out;
}

}  // namespace jobhost::novel
