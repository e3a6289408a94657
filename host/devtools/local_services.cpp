#include "devtools/local_services.hpp"

#include "jobhost/json.hpp"

namespace jobhost::devtools {
namespace {

constexpr std::int64_t kFirstChild = 1'000'000;
constexpr std::size_t kMaxChildren = 100'000;

}  // namespace

void LocalServices::submitChild(const Caller& caller, std::string request_json, Done<core::JobId> done) {
  Child child{caller.job, {}, {}};
  try {
    const Json request = Json::parse(request_json);
    child.type = request["type"].stringOr("");
    child.dedupe_key = request["dedupe_key"].stringOr("");
  } catch (const Error& error) {
    return done(core::Error{core::ErrorCode::InvalidArgument, error.message(), {}, {}});
  }
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

void LocalServices::childStates(const Caller& caller, std::vector<core::JobId> ids,
                                Done<std::vector<ChildState>> done) {
  std::vector<ChildState> states;
  {
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
  }
  if (states.size() < ids.size()) return done(core::Error{core::ErrorCode::NotFound, "there is no such child", {}, {}});
  done(std::move(states));
}

void LocalServices::awaitChildren(const Caller& caller, std::vector<core::JobId> ids, bool, core::Millis,
                                  Done<std::vector<ChildState>> done) {
  childStates(caller, std::move(ids), std::move(done));
}

void LocalServices::cancelChild(const Caller& caller, core::JobId id, Done<void> done) {
  childStates(caller, {id}, [done = std::move(done)](core::Result<std::vector<ChildState>> found) {
    if (!found) return done(found.error());
    done({});
  });
}

void LocalServices::saveCheckpoint(const Caller& caller, std::string bytes, Done<void> done) {
  {
    const std::lock_guard lock(mutex_);
    checkpoints_[caller.job.value] = std::move(bytes);
  }
  done({});
}

void LocalServices::loadCheckpoint(const Caller& caller, Done<std::optional<std::string>> done) {
  std::optional<std::string> bytes;
  {
    const std::lock_guard lock(mutex_);
    const auto found = checkpoints_.find(caller.job.value);
    if (found != checkpoints_.end()) bytes = found->second;
  }
  done(std::move(bytes));
}

void LocalServices::config(const Caller&, Done<std::string> done) {
  done(config_json);
}

void LocalServices::secret(const Caller&, std::string name, Done<std::string> done) {
  const auto found = secrets.find(name);
  if (found == secrets.end()) {
    return done(core::Error{core::ErrorCode::NotFound, "the secret \"" + name + "\" is not set", {}, {}});
  }
  done(found->second);
}

std::vector<std::string> LocalServices::redactions(const std::string&) const {
  std::vector<std::string> values;
  for (const auto& [name, value] : secrets) values.push_back(value);
  return values;
}

}  // namespace jobhost::devtools
