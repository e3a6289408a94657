// jobhost SDK: a plugin in C++17. SPDX-License-Identifier: Apache-2.0
//
//   #include <jobhost/plugin.hpp>
//   JOBHOST_MANIFEST(R"json({"manifest": 1, "id": "com.example.greet", …})json");
//   static jobhost::Json greet(jobhost::Job& job) { return {{"text", "hello " + job.params()["name"].str()}}; }
//   JOBHOST_JOB("greet", greet);
//   JOBHOST_PLUGIN(&jh_t_greet)
//
// Header-only and without dependencies; sdk/README.md is the guide.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "abi.h"
#include "error.hpp"
#include "files.hpp"
#include "host.hpp"
#include "job.hpp"
#include "json.hpp"
#include "manifest_file.h"
#include "value.hpp"

namespace jobhost {

/// What init may use: no job is running yet.
class Init {
 public:
  explicit Init(jh_str plugin_dir) : plugin_dir_(detail::view(plugin_dir)) {}
  /// The plugin's own lasting folder; it may be written to.
  const std::string& pluginDir() const noexcept { return plugin_dir_; }
  void log(Level level, std::string_view text) const noexcept {
    detail::host()->log(nullptr, static_cast<std::int32_t>(level), detail::str(text));
  }

 private:
  std::string plugin_dir_;
};

namespace detail {

inline jh_result fail(jh_job* job, const Error& error) noexcept {
  jh_error raw = JH_INIT(jh_error);
  raw.error_class = error.errorClass();
  raw.retry_after_ms = error.retryAfterMs();
  raw.code = str(error.code());
  raw.message = str(error.message());
  raw.details_json = str(error.detailsJson());
  host()->set_error(job, &raw);
  return JH_E_FAILED;
}

/// Error for an exception whose own text may be anything; never throws, so that running out of memory is still told.
inline jh_result fail(jh_job* job, int32_t error_class, std::string_view code, std::string_view message,
                      std::int64_t retry_after_ms = -1) noexcept {
  jh_error raw = JH_INIT(jh_error);
  raw.error_class = error_class;
  raw.retry_after_ms = retry_after_ms;
  raw.code = str(code);
  raw.message = str(message);
  host()->set_error(job, &raw);
  return JH_E_FAILED;
}

/// Runs a handler and turns every way it can end into a code. The handler returns Json, or nothing.
template <class Handler>
jh_result guard(jh_job* raw, Handler handler) noexcept {
  try {
    Job job(raw);
    if constexpr (std::is_void_v<decltype(handler(job))>) {
      handler(job);
    } else {
      const Json result = handler(job);
      job.setResult(result);
    }
    job.throwLateError();
    return JH_OK;
  } catch (const Cancelled&) {
    return JH_E_CANCELLED;
  } catch (const Suspended& suspended) {
    if (suspended.again_in_ms >= 0) fail(raw, JH_CLASS_TRANSIENT, "later", suspended.reason, suspended.again_in_ms);
    return JH_E_SUSPENDED;
  } catch (const Error& error) {
    return fail(raw, error);
  } catch (const std::bad_alloc&) {
    return fail(raw, JH_CLASS_RESOURCE, "out_of_memory", "out of memory");
  } catch (const std::exception& error) {
    return fail(raw, JH_CLASS_INTERNAL, "exception", error.what());
  } catch (...) {
    return fail(raw, JH_CLASS_INTERNAL, "exception", "an exception that is not a std::exception");
  }
}

template <class Handler>
jh_result guardInit(jh_str plugin_dir, Handler handler) noexcept {
  const auto say = [](std::string_view text) { host()->log(nullptr, JH_LOG_ERROR, str(text)); };
  try {
    Init init(plugin_dir);
    handler(init);
    return JH_OK;
  } catch (const std::exception& error) {
    say(error.what());
  } catch (...) {
    say("init threw an exception that is not a std::exception");
  }
  return JH_E_FAILED;
}

}  // namespace detail
}  // namespace jobhost

/// Embeds the manifest, a JSON string literal (raw ones are fine), where the host reads it without loading the plugin.
/// Once, at file scope.
#define JOBHOST_MANIFEST(...) JH_MANIFEST_NOTE(jh_manifest_note, __VA_ARGS__)

/// The same from a file, for builds without our CMake: JOBHOST_MANIFEST_FILE("plugin.json"); found in the working
/// directory or a folder named with -I. The compiler does not note the dependency: touch the source when it changes.
#define JOBHOST_MANIFEST_FILE(path) JH_MANIFEST_NOTE_FILE(jh_manifest_note, path)

/// Makes a job type of `function`, a plain name: `jobhost::Json function(jobhost::Job&)`, or returning void.
#define JOBHOST_JOB(type_name, function) JOBHOST_JOB_FLAGS(type_name, function, 0u)

/// The same with JH_TYPE_REENTRANT, JH_TYPE_IDEMPOTENT or both (|).
#define JOBHOST_JOB_FLAGS(type_name, function, type_flags)                                           \
  static jh_result JH_CALL jh_run_##function(jh_job* job) noexcept {                                 \
    return ::jobhost::detail::guard(job, [](::jobhost::Job& the_job) { return function(the_job); }); \
  }                                                                                                  \
  static const jh_job_type jh_t_##function = {sizeof(jh_job_type), type_flags, type_name, &jh_run_##function}

/// The entry, with the job types: JOBHOST_PLUGIN(&jh_t_a, &jh_t_b). Once, after JOBHOST_MANIFEST, in the same file.
#define JOBHOST_PLUGIN(...) JOBHOST_PLUGIN_DEFINE(nullptr, nullptr, __VA_ARGS__)

/// The same with `void init_function(jobhost::Init&)`, called once before any job; throwing refuses the load.
#define JOBHOST_PLUGIN_WITH_INIT(init_function, ...)                                                     \
  static jh_result JH_CALL jh_init_wrapper(const jh_host*, jh_str plugin_dir) noexcept {                 \
    return ::jobhost::detail::guardInit(plugin_dir, [](::jobhost::Init& init) { init_function(init); }); \
  }                                                                                                      \
  JOBHOST_PLUGIN_DEFINE(&jh_init_wrapper, nullptr, __VA_ARGS__)

/// The same with `void deinit_function()` as well, which must not throw. Best effort: a killed process does not call
/// it.
#define JOBHOST_PLUGIN_WITH_DEINIT(init_function, deinit_function, ...)                                  \
  static jh_result JH_CALL jh_init_wrapper(const jh_host*, jh_str plugin_dir) noexcept {                 \
    return ::jobhost::detail::guardInit(plugin_dir, [](::jobhost::Init& init) { init_function(init); }); \
  }                                                                                                      \
  static void JH_CALL jh_deinit_wrapper() noexcept {                                                     \
    deinit_function();                                                                                   \
  }                                                                                                      \
  JOBHOST_PLUGIN_DEFINE(&jh_init_wrapper, &jh_deinit_wrapper, __VA_ARGS__)

#define JOBHOST_PLUGIN_DEFINE(init_pointer, deinit_pointer, ...)                                                    \
  static const jh_job_type* JH_CALL jh_job_type_at(uint32_t index) noexcept {                                       \
    static const jh_job_type* const all[] = {__VA_ARGS__};                                                          \
    return index < sizeof(all) / sizeof(all[0]) ? all[index] : nullptr;                                             \
  }                                                                                                                 \
  extern "C" JH_EXPORT const jh_module* JH_CALL jobhost_plugin_entry_v1(const jh_host* host) noexcept {             \
    static const jh_module module = {sizeof(jh_module), JH_ABI_MAJOR,   JH_ABI_MINOR,    0u,     &jh_manifest_note, \
                                     init_pointer,      deinit_pointer, &jh_job_type_at, nullptr};                  \
    ::jobhost::detail::host() = host;                                                                               \
    return &module;                                                                                                 \
  }
