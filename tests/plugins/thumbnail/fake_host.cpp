#include "fake_host.hpp"

#include <dlfcn.h>

#include <cstring>
#include <stdexcept>

struct jh_output {
  std::string name, media_type, bytes;
};

namespace jobhost::testing {
namespace {

FakeHost* current = nullptr;  // the plugin knows one host for the life of the process

jh_str str(const std::string& text) {
  return {text.data(), text.size()};
}
std::string text(jh_str from) {
  return from.data != nullptr ? std::string(from.data, from.len) : std::string();
}

}  // namespace

/// The C side: each function forwards to the FakeHost.
struct Calls {
  static jh_str params(jh_job*) noexcept { return str(current->params_); }
  static jh_str info(jh_job*) noexcept { return {"{\"attempt\":1}", 13}; }
  static std::int32_t cancelled(jh_job*) noexcept { return current->cancelled_; }
  static void log(jh_job*, std::int32_t, jh_str) noexcept {}
  static jh_result progress(jh_job*, double done, double, jh_str) noexcept {
    const std::lock_guard lock(current->mutex_);
    current->attempt_.progress.push_back(done);
    return current->cancelled_ != JH_CANCEL_NO ? JH_E_CANCELLED : JH_OK;
  }
  static jh_result note(jh_job*, jh_str key, jh_str json) noexcept {
    {
      const std::lock_guard lock(current->mutex_);
      current->attempt_.notes.emplace_back(text(key), Json::parse(text(json)));
    }
    if (current->on_note_) current->on_note_(text(key));
    return JH_OK;
  }
  static jh_result setResult(jh_job*, jh_str json) noexcept {
    current->attempt_.result = Json::parse(text(json));
    return JH_OK;
  }
  static jh_result setError(jh_job*, const jh_error* error) noexcept {
    current->attempt_.error_class = error->error_class;
    current->attempt_.error_code = text(error->code);
    current->attempt_.error_message = text(error->message);
    if (error->details_json.len > 0) current->attempt_.error_details = Json::parse(text(error->details_json));
    return JH_OK;
  }
  static jh_str lastError(jh_job*) noexcept { return {"refused by the test", 19}; }

  static jh_str config(jh_job*) noexcept { return str(current->config_); }
  static jh_result secret(jh_job*, jh_str, jh_str*) noexcept { return JH_E_NOT_FOUND; }

  static jh_str list(jh_job*) noexcept {
    Json all = Json::array();
    for (const auto& [name, path] : current->inputs_) all.push(Json{{"name", name}});
    current->inputs_json_ = all.dump();
    return str(current->inputs_json_);
  }
  static jh_result path(jh_job*, jh_str name, jh_str* out) noexcept {
    const auto found = current->inputs_.find(text(name));
    if (found == current->inputs_.end()) return JH_E_NOT_FOUND;
    *out = str(found->second);
    return JH_OK;
  }

  static jh_result create(jh_job*, jh_str name, jh_str media_type, jh_output** out) noexcept {
    *out = new jh_output{text(name), text(media_type), {}};
    return JH_OK;
  }
  static jh_result write(jh_output* out, const void* data, std::size_t size) noexcept {
    out->bytes.append(static_cast<const char*>(data), size);
    return JH_OK;
  }
  static jh_result commit(jh_output* out) noexcept {
    current->attempt_.outputs[out->name] = out->bytes;
    current->attempt_.media_types[out->name] = out->media_type;
    delete out;
    return JH_OK;
  }
  static jh_result abort(jh_output* out) noexcept {
    delete out;
    return JH_OK;
  }

  static const void* extension(const char* id) noexcept {
    static const jh_config_v1 config_v1{sizeof(jh_config_v1), 0, &config, &secret};
    static const jh_input_v1 input_v1{sizeof(jh_input_v1), 0, &list, &path, nullptr, nullptr, nullptr, nullptr};
    static const jh_output_v1 output_v1{
        sizeof(jh_output_v1), 0, nullptr, &create, &write, &commit, &abort, nullptr, nullptr};
    if (std::strcmp(id, JH_EXT_CONFIG) == 0) return &config_v1;
    if (std::strcmp(id, JH_EXT_INPUT) == 0) return &input_v1;
    if (std::strcmp(id, JH_EXT_OUTPUT) == 0) return &output_v1;
    return nullptr;
  }
};

Json Attempt::notesObject() const {
  Json all = Json::object();
  for (const auto& [key, value] : notes) all.set(key, value);
  return all;
}

FakeHost::FakeHost(const std::string& plugin_file, const std::filesystem::path& plugin_dir) {
  static const jh_host host{sizeof(jh_host),   JH_ABI_MAJOR,      JH_ABI_MINOR,      JH_HOST_DEBUG,    &Calls::params,
                            &Calls::info,      &Calls::cancelled, &Calls::log,       &Calls::progress, &Calls::note,
                            &Calls::setResult, &Calls::setError,  &Calls::lastError, &Calls::extension};
  current = this;
  void* library = dlopen(plugin_file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  const auto entry = reinterpret_cast<jh_entry_fn>(dlsym(library, JH_ENTRY_SYMBOL));
  if (entry == nullptr) throw std::runtime_error("no entry");
  module_ = entry(&host);
  const std::string dir = plugin_dir.string();
  if (module_->init(&host, str(dir)) != JH_OK) throw std::runtime_error("init failed");
}

Attempt FakeHost::run(const std::string& job_type, const Json& params) {
  attempt_ = {};
  params_ = params.dump();
  for (std::uint32_t i = 0; const jh_job_type* type = module_->job_type(i); ++i) {
    if (job_type != type->name) continue;
    attempt_.code = type->run(reinterpret_cast<jh_job*>(this));
    return std::move(attempt_);
  }
  throw std::runtime_error("no job type " + job_type);
}

}  // namespace jobhost::testing
