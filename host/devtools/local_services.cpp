#include "devtools/local_services.hpp"

#include "jobhost/json.hpp"

namespace jobhost::devtools {
namespace {

constexpr std::int64_t kFirstChild = 1'000'000;
constexpr std::size_t kMaxChildren = 100'000;

core::ErrorCode errorFor(jh_result code) {
  switch (code) {
    case JH_E_DENIED:
      return core::ErrorCode::PermissionDenied;
    case JH_E_LIMIT:
      return core::ErrorCode::Exhausted;
    case JH_E_TIMEOUT:
      return core::ErrorCode::DeadlineExceeded;
    case JH_E_NOT_FOUND:
      return core::ErrorCode::NotFound;
    default:
      return core::ErrorCode::Internal;
  }
}

}  // namespace

/// Whether the gate wants the call to fail; then `done` has heard of it.
template <class T>
bool LocalServices::failed(const Caller& caller, std::string_view call, std::string_view subject, const Done<T>& done) {
  const jh_result code = gate ? gate(caller, call, subject, true) : JH_OK;
  if (code == JH_OK) return false;
  done(core::Error{errorFor(code), "the check makes this call fail", {}, {}});
  return true;
}

void LocalServices::submitChild(const Caller& caller, std::string request_json, Done<core::JobId> done) {
  Child child{caller.job, {}, {}};
  try {
    const Json request = Json::parse(request_json);
    child.type = request["type"].stringOr("");
    child.dedupe_key = request["dedupe_key"].stringOr("");
  } catch (const Error& error) {
    return done(core::Error{core::ErrorCode::InvalidArgument, error.message(), {}, {}});
  }
  if (failed(caller, "children.submit", child.type, done)) return;
  core::JobId id{0};
  {
    const std::lock_guard lock(mutex_);
    const auto key = std::pair{caller.job.value, child.dedupe_key};
    const auto known = by_key_.find(key);
    if (!child.dedupe_key.empty() && known != by_key_.end()) id.value = known->second;
    if (id.value == 0 && children_.size() < kMaxChildren) {
      id.value = kFirstChild + static_cast<std::int64_t>(children_.size());
      if (!child.dedupe_key.empty()) by_key_[key] = id.value;
      children_[id.value] = std::move(child);
    }
  }
  if (id.value == 0) return done(core::Error{core::ErrorCode::Exhausted, "more than 100000 children", {}, {}});
  done(id);
}

core::Result<std::vector<LocalServices::ChildState>> LocalServices::statesOf(const Caller& caller,
                                                                             const std::vector<core::JobId>& ids) {
  std::vector<ChildState> states;
  const std::lock_guard lock(mutex_);
  const auto add = [&](std::int64_t number, const Child& child) {
    if (child.parent == caller.job) {
      states.push_back({core::JobId{number}, core::JobState::Succeeded, "null", std::nullopt, child.type});
    }
  };
  if (ids.empty()) {
    for (const auto& [number, child] : children_) add(number, child);
  }
  for (const auto& id : ids) {
    const auto found = children_.find(id.value);
    if (found != children_.end()) add(found->first, found->second);
  }
  if (states.size() < ids.size()) return core::Error{core::ErrorCode::NotFound, "there is no such child", {}, {}};
  return states;
}

void LocalServices::childStates(const Caller& caller, std::vector<core::JobId> ids,
                                Done<std::vector<ChildState>> done) {
  if (!failed(caller, "children.result", {}, done)) done(statesOf(caller, ids));
}

void LocalServices::awaitChildren(const Caller& caller, std::vector<core::JobId> ids, bool, core::Millis,
                                  Done<std::vector<ChildState>> done) {
  if (!failed(caller, "children.wait", {}, done)) done(statesOf(caller, ids));
}

void LocalServices::cancelChild(const Caller& caller, core::JobId id, Done<void> done) {
  if (failed(caller, "children.cancel", {}, done)) return;
  if (const auto found = statesOf(caller, {id}); !found) return done(found.error());
  done({});
}

void LocalServices::saveCheckpoint(const Caller& caller, std::string bytes, Done<void> done) {
  if (failed(caller, "checkpoint.save", {}, done)) return;
  {
    const std::lock_guard lock(mutex_);
    checkpoints_[caller.job.value] = std::move(bytes);
  }
  done({});
}

void LocalServices::loadCheckpoint(const Caller& caller, Done<std::optional<std::string>> done) {
  if (failed(caller, "checkpoint.load", {}, done)) return;
  std::optional<std::string> bytes;
  {
    const std::lock_guard lock(mutex_);
    const auto found = checkpoints_.find(caller.job.value);
    if (found != checkpoints_.end()) bytes = found->second;
  }
  done(std::move(bytes));
}

void LocalServices::config(const Caller& caller, Done<std::string> done) {
  if (!failed(caller, "config", {}, done)) done(config_json);
}

void LocalServices::secret(const Caller& caller, std::string name, Done<std::string> done) {
  if (failed(caller, "config.secret", name, done)) return;
  const auto found = secrets.find(name);
  if (found == secrets.end()) {
    return done(core::Error{core::ErrorCode::NotFound, "the secret \"" + name + "\" is not set", {}, {}});
  }
  done(found->second);
}

void LocalServices::refused(const Caller& caller, std::string_view call, std::string_view subject) {
  if (gate) gate(caller, call, subject, false);
}

std::vector<std::string> LocalServices::redactions(const std::string&) const {
  std::vector<std::string> values;
  for (const auto& [name, value] : secrets) values.push_back(value);
  return values;
}

}  // namespace jobhost::devtools
