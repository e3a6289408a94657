// jobhost.output/1, jobhost.input/1 and jobhost.temp/1: C functions over WorkFiles.
#include "jobhost/json.hpp"
#include "runner/host_table.hpp"

namespace jobhost::runner {
namespace {

using wire::SdkCall;

/// The attempt that runs now: handles of files name no job, and only one runs at a time.
std::shared_ptr<Attempt> current() {
  return theSession().current();
}

template <class Handle>
std::uintptr_t number(Handle* handle) {
  return reinterpret_cast<std::uintptr_t>(handle);
}

jh_str keepPath(SdkCall call, jh_job* job, Outcome (WorkFiles::*get)(std::string&)) {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(call), jh_str{};
  std::string path;
  Outcome outcome = (attempt->files.*get)(path);
  if (answer(call, std::move(outcome)) != JH_OK) return {};
  const std::lock_guard lock(attempt->mutex);
  return attempt->keep(std::move(path));
}

jh_str JH_CALL output_dir(jh_job* job) noexcept {
  return keepPath(SdkCall::OutputDir, job, &WorkFiles::outputDir);
}

jh_result JH_CALL output_create(jh_job* job, jh_str name, jh_str media_type, jh_output** out) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::OutputCreate);
  if (out == nullptr) return answer(SdkCall::OutputCreate, JH_E_INVALID, "out is NULL");
  std::uintptr_t handle = 0;
  auto outcome = attempt->files.create(view(name), view(media_type), handle);
  *out = reinterpret_cast<jh_output*>(handle);
  return answer(SdkCall::OutputCreate, std::move(outcome));
}

jh_result JH_CALL output_write(jh_output* out, const void* data, std::size_t len) noexcept {
  const auto attempt = current();
  if (!attempt) return misuse(SdkCall::OutputWrite);
  if (data == nullptr && len > 0) return answer(SdkCall::OutputWrite, JH_E_INVALID, "data is NULL");
  return answer(SdkCall::OutputWrite, attempt->files.write(number(out), data, len));
}

jh_result JH_CALL output_commit(jh_output* out) noexcept {
  const auto attempt = current();
  return attempt ? answer(SdkCall::OutputCommit, attempt->files.commit(number(out))) : misuse(SdkCall::OutputCommit);
}

jh_result JH_CALL output_abort(jh_output* out) noexcept {
  const auto attempt = current();
  return attempt ? answer(SdkCall::OutputAbort, attempt->files.abort(number(out))) : misuse(SdkCall::OutputAbort);
}

jh_result JH_CALL output_publish(jh_job* job, jh_str name, jh_str json) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::OutputPublish);
  try {
    const Json more = json.len > 0 ? Json::parse(view(json)) : Json();
    return answer(SdkCall::OutputPublish, attempt->files.publish(view(name), more["media_type"].stringOr("")));
  } catch (const Error& error) {
    return answer(SdkCall::OutputPublish, JH_E_INVALID, error.message());
  }
}

jh_result JH_CALL output_reserve(jh_job* job, std::int64_t bytes) noexcept {
  const auto attempt = theSession().find(job);
  return attempt ? answer(SdkCall::OutputReserve, attempt->files.reserve(bytes)) : misuse(SdkCall::OutputReserve);
}

jh_str JH_CALL input_list(jh_job* job) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::InputList), jh_str{};
  Json list = Json::array();
  for (const auto& input : attempt->files.inputs()) {
    list.push({{"name", input.name}, {"media_type", input.media_type}, {"size_bytes", input.size_bytes}});
  }
  answer(SdkCall::InputList, JH_OK);
  const std::lock_guard lock(attempt->mutex);
  return attempt->keep(list.dump());
}

jh_result JH_CALL input_path(jh_job* job, jh_str name, jh_str* path) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::InputPath);
  if (path == nullptr) return answer(SdkCall::InputPath, JH_E_INVALID, "path is NULL");
  std::string found;
  auto outcome = attempt->files.inputPath(view(name), found);
  if (outcome.ok()) {
    const std::lock_guard lock(attempt->mutex);
    *path = attempt->keep(std::move(found));
  }
  return answer(SdkCall::InputPath, std::move(outcome));
}

jh_result JH_CALL input_open(jh_job* job, jh_str name, jh_input** in) noexcept {
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::InputOpen);
  if (in == nullptr) return answer(SdkCall::InputOpen, JH_E_INVALID, "in is NULL");
  std::uintptr_t handle = 0;
  auto outcome = attempt->files.open(view(name), handle);
  *in = reinterpret_cast<jh_input*>(handle);
  return answer(SdkCall::InputOpen, std::move(outcome));
}

jh_result JH_CALL input_read(jh_input* in, void* buffer, std::size_t len, std::size_t* got) noexcept {
  const auto attempt = current();
  if (!attempt) return misuse(SdkCall::InputRead);
  if (got == nullptr || (buffer == nullptr && len > 0)) {
    return answer(SdkCall::InputRead, JH_E_INVALID, "buffer or got is NULL");
  }
  *got = 0;
  return answer(SdkCall::InputRead, attempt->files.read(number(in), buffer, len, *got));
}

jh_result JH_CALL input_size(jh_input* in, std::int64_t* bytes) noexcept {
  const auto attempt = current();
  if (!attempt) return misuse(SdkCall::InputRead);
  if (bytes == nullptr) return answer(SdkCall::InputRead, JH_E_INVALID, "bytes is NULL");
  return answer(SdkCall::InputRead, attempt->files.size(number(in), *bytes));
}

jh_result JH_CALL input_close(jh_input* in) noexcept {
  const auto attempt = current();
  return attempt ? answer(SdkCall::InputClose, attempt->files.close(number(in))) : misuse(SdkCall::InputClose);
}

jh_str JH_CALL temp_dir(jh_job* job) noexcept {
  return keepPath(SdkCall::TempDir, job, &WorkFiles::tempDir);
}

}  // namespace

const jh_output_v1* outputExtension() {
  static const jh_output_v1 table = {sizeof(jh_output_v1), 0,
                                     &output_dir,          &output_create,
                                     &output_write,        &output_commit,
                                     &output_abort,        &output_publish,
                                     &output_reserve};
  return &table;
}

const jh_input_v1* inputExtension() {
  static const jh_input_v1 table = {sizeof(jh_input_v1), 0,           &input_list, &input_path,
                                    &input_open,         &input_read, &input_size, &input_close};
  return &table;
}

const jh_temp_v1* tempExtension() {
  static const jh_temp_v1 table = {sizeof(jh_temp_v1), 0, &temp_dir};
  return &table;
}

}  // namespace jobhost::runner
