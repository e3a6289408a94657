// jobhost.records/1 and jobhost.kv/1.
#include "runner/host_table.hpp"
#include "runner/text.hpp"
#include "wire/codec.hpp"

namespace jobhost::runner {
namespace {

using wire::Method;
using wire::SdkCall;

constexpr std::size_t kMaxKey = 512;
constexpr std::size_t kMaxValue = std::size_t{1} << 20;

/// What the plugin may read until this thread's next call of the extension. A job may read more than fits in memory, so
/// answers are not kept until its end.
thread_local std::string records_answer;
thread_local std::string keys_answer;

/// Why the arguments cannot be sent; empty: they can. What they say is the host's to judge.
Outcome checkArguments(const wire::RecordCall& call) {
  if (call.key.size() > kMaxKey) return {JH_E_INVALID, "the key has more than 512 bytes"};
  if (call.collection.size() > kMaxKey) return {JH_E_INVALID, "the collection's name is too long"};
  if (call.options_json.size() > wire::kMaxRecordOptions) return {JH_E_LIMIT, "the options are over 16 KiB"};
  if (call.value.size() > kMaxValue) {
    return {JH_E_LIMIT, "the value of " + std::to_string(call.value.size()) + " bytes is over the limit of 1 MiB"};
  }
  return {};
}

/// Asks the host; `body` gets what it answered.
Outcome ask(Attempt& attempt, Method method, const wire::RecordCall& call, std::string& body) {
  if (auto wrong = checkArguments(call); wrong.code != JH_OK) return wrong;
  std::string request;
  request.reserve(call.value.size() + call.options_json.size() + 2 * kMaxKey);
  wire::encode(request, call);
  auto got = theSession().call(attempt, method, request, true);
  if (got.code == JH_OK) body = std::move(got.body);
  return {got.code, std::move(got.error)};
}

Outcome takeNumber(std::string_view body, std::int64_t& number) {
  wire::Decoder in(body);
  number = in.i64();
  return in.ok() ? Outcome{} : Outcome{JH_E_FAILED, "the host answered something that cannot be read"};
}

jh_str textOf(const std::string& kept) {
  return {kept.data(), kept.size()};
}

// ------------------------------------------------------------------------------------------------------- records
jh_result JH_CALL get(jh_job* job, jh_str collection, jh_str key, jh_str* record) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::RecordGet);
  if (record == nullptr) return answer(SdkCall::RecordGet, JH_E_INVALID, "record_json is NULL");
  auto outcome = ask(*attempt, Method::RecordGet, {view(collection), view(key), {}, {}}, records_answer);
  if (outcome.code == JH_OK) *record = textOf(records_answer);
  return answer(SdkCall::RecordGet, std::move(outcome));
}

jh_result JH_CALL put(jh_job* job, jh_str collection, jh_str key, jh_str json, jh_str options,
                      std::int64_t* version) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::RecordPut);
  std::int64_t number = 0;
  auto outcome = ask(*attempt, Method::RecordPut, {view(collection), view(key), view(options), view(json)},
                     records_answer);
  if (outcome.code == JH_OK) outcome = takeNumber(records_answer, number);
  if (outcome.code == JH_OK && version != nullptr) *version = number;
  return answer(SdkCall::RecordPut, std::move(outcome));
}

jh_result JH_CALL del(jh_job* job, jh_str collection, jh_str key, jh_str options) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::RecordDelete);
  return answer(SdkCall::RecordDelete, ask(*attempt, Method::RecordDelete,
                                           {view(collection), view(key), view(options), {}}, records_answer));
}

jh_result JH_CALL list(jh_job* job, jh_str collection, jh_str query, jh_str* page) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::RecordList);
  if (page == nullptr) return answer(SdkCall::RecordList, JH_E_INVALID, "page_json is NULL");
  auto outcome = ask(*attempt, Method::RecordList, {view(collection), {}, view(query), {}}, records_answer);
  if (outcome.code == JH_OK) *page = textOf(records_answer);
  return answer(SdkCall::RecordList, std::move(outcome));
}

jh_result JH_CALL count(jh_job* job, jh_str collection, jh_str query, std::int64_t* n) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::RecordCount);
  if (n == nullptr) return answer(SdkCall::RecordCount, JH_E_INVALID, "n is NULL");
  auto outcome = ask(*attempt, Method::RecordCount, {view(collection), {}, view(query), {}}, records_answer);
  if (outcome.code == JH_OK) outcome = takeNumber(records_answer, *n);
  return answer(SdkCall::RecordCount, std::move(outcome));
}

// ---------------------------------------------------------------------------------------------------------- keys
/// The name of a space in the protocol; one that is none is the host's to refuse.
std::string_view spaceName(std::int32_t space) {
  switch (space) {
    case JH_KV_PLUGIN:
      return "plugin";
    case JH_KV_TYPE:
      return "type";
    case JH_KV_JOB:
      return "job";
    default:
      return {};
  }
}

jh_result JH_CALL key_get(jh_job* job, std::int32_t space, jh_str key, const void** data, std::size_t* len,
                          std::int64_t* version) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::KeyGet);
  if (data == nullptr || len == nullptr) return answer(SdkCall::KeyGet, JH_E_INVALID, "data or len is NULL");
  std::int64_t number = 0;
  auto outcome = ask(*attempt, Method::KeyGet, {spaceName(space), view(key), {}, {}}, keys_answer);
  if (outcome.code == JH_OK) outcome = takeNumber(keys_answer, number);
  if (outcome.code == JH_OK) {
    *data = keys_answer.data() + sizeof(std::int64_t);
    *len = keys_answer.size() - sizeof(std::int64_t);
    if (version != nullptr) *version = number;
  }
  return answer(SdkCall::KeyGet, std::move(outcome));
}

jh_result JH_CALL key_put(jh_job* job, std::int32_t space, jh_str key, const void* data, std::size_t len,
                          jh_str options, std::int64_t* version) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::KeyPut);
  if (data == nullptr && len > 0) return answer(SdkCall::KeyPut, JH_E_INVALID, "data is NULL");
  std::int64_t number = 0;
  const std::string_view value(static_cast<const char*>(data), len);
  auto outcome = ask(*attempt, Method::KeyPut, {spaceName(space), view(key), view(options), value}, keys_answer);
  if (outcome.code == JH_OK) outcome = takeNumber(keys_answer, number);
  if (outcome.code == JH_OK && version != nullptr) *version = number;
  return answer(SdkCall::KeyPut, std::move(outcome));
}

jh_result JH_CALL key_del(jh_job* job, std::int32_t space, jh_str key, jh_str options) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::KeyDelete);
  return answer(SdkCall::KeyDelete,
                ask(*attempt, Method::KeyDelete, {spaceName(space), view(key), view(options), {}}, keys_answer));
}

jh_result JH_CALL key_list(jh_job* job, std::int32_t space, jh_str query, jh_str* page) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::KeyList);
  if (page == nullptr) return answer(SdkCall::KeyList, JH_E_INVALID, "page_json is NULL");
  auto outcome = ask(*attempt, Method::KeyList, {spaceName(space), {}, view(query), {}}, keys_answer);
  if (outcome.code == JH_OK) *page = textOf(keys_answer);
  return answer(SdkCall::KeyList, std::move(outcome));
}

}  // namespace

const jh_records_v1* recordsExtension() {
  static const jh_records_v1 table = {sizeof(jh_records_v1), 0, &get, &put, &del, &list, &count};
  return &table;
}

const jh_kv_v1* kvExtension() {
  static const jh_kv_v1 table = {sizeof(jh_kv_v1), 0, &key_get, &key_put, &key_del, &key_list};
  return &table;
}

}  // namespace jobhost::runner
