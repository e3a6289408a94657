// jobhost.config/1, jobhost.cancel/1, jobhost.children/1 and jobhost.checkpoint/1.
#include <sys/eventfd.h>
#include <unistd.h>

#include "jobhost/json.hpp"
#include "runner/cancel_event.hpp"
#include "runner/host_table.hpp"
#include "runner/text.hpp"

namespace jobhost::runner {
namespace {

using wire::Method;
using wire::SdkCall;

constexpr std::uint32_t kMaxWaited = 10'000;

jh_str JH_CALL config(jh_job* job) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::ConfigGet), jh_str{};
  {
    const std::lock_guard lock(attempt->mutex);
    if (!attempt->config_json.empty()) {
      answer(SdkCall::ConfigGet, JH_OK);
      return {attempt->config_json.data(), attempt->config_json.size()};
    }
  }
  auto got = theSession().call(*attempt, Method::ConfigGet, {}, false);
  if (answer(SdkCall::ConfigGet, got.code, std::move(got.error)) != JH_OK) return {};
  const std::lock_guard lock(attempt->mutex);
  if (attempt->config_json.empty()) attempt->config_json = got.body.empty() ? "{}" : std::move(got.body);
  return {attempt->config_json.data(), attempt->config_json.size()};
}

/// A call whose answer, a string, the plugin may read until run() returns.
jh_result callAndKeep(SdkCall crumb, jh_job* job, Method method, std::string_view body, jh_str* out) {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(crumb);
  if (out == nullptr) return answer(crumb, JH_E_INVALID, "the place for the answer is NULL");
  auto got = theSession().call(*attempt, method, body, true);
  if (got.code == JH_OK) {
    const std::lock_guard lock(attempt->mutex);
    *out = attempt->keep(std::move(got.body));
  }
  return answer(crumb, got.code, std::move(got.error));
}

jh_result JH_CALL secret(jh_job* job, jh_str name, jh_str* value) noexcept {
  return callAndKeep(SdkCall::SecretGet, job, Method::SecretGet, view(name), value);
}

jh_result JH_CALL on_cancel(jh_job* job, jh_cancel_fn fn, void* context, std::uint64_t* token) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::OnCancel);
  if (fn == nullptr || token == nullptr) return answer(SdkCall::OnCancel, JH_E_INVALID, "fn or token is NULL");
  auto& callbacks = theSession().cancelCallbacks();
  *token = callbacks.add(attempt->slot, fn, context, 0);
  if (*token == 0) return answer(SdkCall::OnCancel, JH_E_LIMIT, "more than 1024 callbacks");
  // Asked after it is in the list: a cancel in between fires it, one before is seen here.
  if (const std::int32_t reason = theSession().cancelled(*attempt); reason != 0) callbacks.fire(attempt->slot, reason);
  return answer(SdkCall::OnCancel, JH_OK);
}

jh_result JH_CALL remove_on_cancel(jh_job*, std::uint64_t token) noexcept {
  const bool known = theSession().cancelCallbacks().remove(token);
  return answer(SdkCall::RemoveOnCancel, known ? JH_OK : JH_E_NOT_FOUND, known ? "" : "it already ran or is unknown");
}

std::int64_t JH_CALL wait_handle(jh_job* job) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::WaitHandle), -1;
  const int event = cancelEvent(*attempt);
  answer(SdkCall::WaitHandle, event >= 0 ? JH_OK : JH_E_IO);
  return event;
}

jh_result JH_CALL child_submit(jh_job* job, jh_str type, jh_str params, jh_str options, std::int64_t* id) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::ChildSubmit);
  if (id == nullptr) return answer(SdkCall::ChildSubmit, JH_E_INVALID, "id is NULL");
  try {
    const Json body{{"type", view(type)},
                    {"params", params.len > 0 ? Json::parse(view(params)) : Json::object()},
                    {"options", options.len > 0 ? Json::parse(view(options)) : Json::object()}};
    auto got = theSession().call(*attempt, Method::ChildSubmit, body.dump(), true);
    if (got.code == JH_OK) *id = Json::parse(got.body)["id"].intOr(0);
    return answer(SdkCall::ChildSubmit, got.code, std::move(got.error));
  } catch (const Error& error) {
    return answer(SdkCall::ChildSubmit, JH_E_INVALID, error.message());
  }
}

jh_result JH_CALL child_wait(jh_job* job, const std::int64_t* ids, std::uint32_t n, std::int32_t mode,
                             std::int64_t timeout_ms) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::ChildWait);
  if (n > kMaxWaited || (n > 0 && ids == nullptr)) {
    return answer(SdkCall::ChildWait, JH_E_INVALID, "more than 10000 ids, or none given");
  }
  Json list = Json::array();
  for (std::uint32_t i = 0; i < n; ++i) list.push(ids[i]);
  const Json body{{"ids", list}, {"mode", mode == JH_WAIT_ANY ? "any" : "all"}, {"timeout_ms", timeout_ms}};
  auto got = theSession().call(*attempt, Method::ChildWait, body.dump(), true);
  return answer(SdkCall::ChildWait, got.code, std::move(got.error));
}

jh_result JH_CALL child_result(jh_job* job, std::int64_t id, jh_str* json) noexcept {
  return callAndKeep(SdkCall::ChildResult, job, Method::ChildResult, Json{{"id", id}}.dump(), json);
}

jh_result JH_CALL child_cancel(jh_job* job, std::int64_t id) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::ChildCancel);
  auto got = theSession().call(*attempt, Method::ChildCancel, Json{{"id", id}}.dump(), false);
  return answer(SdkCall::ChildCancel, got.code, std::move(got.error));
}

jh_result JH_CALL checkpoint_save(jh_job* job, const void* data, std::size_t len) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::CheckpointSave);
  if (data == nullptr && len > 0) return answer(SdkCall::CheckpointSave, JH_E_INVALID, "data is NULL");
  if (len > wire::kMaxCheckpointBytes)
    return answer(SdkCall::CheckpointSave, JH_E_LIMIT, "the checkpoint is over 16 MiB");
  const std::string_view bytes(static_cast<const char*>(data), len);
  auto got = theSession().call(*attempt, Method::CheckpointSave, bytes, false);
  if (got.code == JH_OK) {
    const std::lock_guard lock(attempt->mutex);
    attempt->checkpoint = std::string(bytes);
  }
  return answer(SdkCall::CheckpointSave, got.code, std::move(got.error));
}

jh_result JH_CALL checkpoint_load(jh_job* job, const void** data, std::size_t* len) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::CheckpointLoad);
  if (data == nullptr || len == nullptr) return answer(SdkCall::CheckpointLoad, JH_E_INVALID, "data or len is NULL");
  std::unique_lock lock(attempt->mutex);
  if (!attempt->checkpoint) {
    if ((attempt->run.flags & wire::kRunHasCheckpoint) == 0) {
      return answer(SdkCall::CheckpointLoad, JH_E_NOT_FOUND, "there is no checkpoint");
    }
    lock.unlock();
    auto got = theSession().call(*attempt, Method::CheckpointLoad, {}, false);
    if (got.code != JH_OK) return answer(SdkCall::CheckpointLoad, got.code, std::move(got.error));
    lock.lock();
    if (!attempt->checkpoint) attempt->checkpoint = std::move(got.body);
  }
  const jh_str kept = attempt->keep(*attempt->checkpoint);  // a copy: a later save must not move what was handed out
  *data = kept.data;
  *len = kept.len;
  return answer(SdkCall::CheckpointLoad, JH_OK);
}

}  // namespace

int cancelEvent(Attempt& attempt) {
  const std::lock_guard lock(attempt.mutex);
  if (attempt.cancel_event < 0) {
    const unsigned already = theSession().cancelled(attempt) != 0 ? 1 : 0;
    attempt.cancel_event = eventfd(already, EFD_CLOEXEC | EFD_NONBLOCK);
  }
  return attempt.cancel_event;
}

const jh_config_v1* configExtension() {
  static const jh_config_v1 table = {sizeof(jh_config_v1), 0, &config, &secret};
  return &table;
}

const jh_cancel_v1* cancelExtension() {
  static const jh_cancel_v1 table = {sizeof(jh_cancel_v1), 0, &on_cancel, &remove_on_cancel, &wait_handle};
  return &table;
}

const jh_children_v1* childrenExtension() {
  static const jh_children_v1 table = {sizeof(jh_children_v1), 0, &child_submit, &child_wait, &child_result,
                                       &child_cancel};
  return &table;
}

const jh_checkpoint_v1* checkpointExtension() {
  static const jh_checkpoint_v1 table = {sizeof(jh_checkpoint_v1), 0, &checkpoint_save, &checkpoint_load};
  return &table;
}

}  // namespace jobhost::runner
