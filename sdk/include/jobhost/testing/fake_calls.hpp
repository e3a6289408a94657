// jobhost SDK, for tests: the host's C functions. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fake_http_calls.hpp"
#include "fake_process_calls.hpp"
#include "fake_record_calls.hpp"
#include "fake_state.hpp"

namespace jobhost::testing::detail {

/// jh_host itself.
struct HostCalls {
  static State& host() noexcept { return *State::active(); }

  static jh_str JH_CALL params(jh_job* job) noexcept {
    return host().words("params", job, [] { return host().params_json; });
  }
  static jh_str JH_CALL info(jh_job* job) noexcept {
    return host().words("info", job, [] { return host().makeInfo().dump(); });
  }
  static std::int32_t JH_CALL cancelled(jh_job* job) noexcept {
    State& state = host();
    const std::lock_guard lock(state.mutex);
    if (!state.isCurrent(job)) return JH_CANCEL_NO;
    if (++state.attempt.cancel_checks == state.plan.cancel_at_check) state.cancel.ask(state.plan.cancel_reason);
    return state.cancel.reason();
  }
  static void JH_CALL log(jh_job* job, std::int32_t level, jh_str line) noexcept {
    State& state = host();
    try {
      if (job == nullptr) {
        const std::lock_guard lock(state.mutex);
        state.init_log += (state.init_log.empty() ? "" : "\n") + text(line);
        return;
      }
      state.words("log", job, [&] {
        if (state.attempt.log.size() < State::kMaxKept) state.attempt.log.push_back({level, text(line)});
        return std::string();
      });
    } catch (const std::exception&) {
      // a log line that does not fit into memory is lost; the ABI has no code for it
    }
  }
  static jh_result JH_CALL progress(jh_job* job, double done, double total, jh_str note) noexcept {
    return host().call("progress", job, true, [&](auto&) {
      State& state = host();
      const auto sane = [&](double value) {
        if (std::isfinite(value) && value >= 0) return value;
        state.complain("progress: NaN, infinite or negative counts as 0");
        return 0.0;
      };
      Progress now{sane(done), total > 0 ? sane(total) : 0, text(note)};
      if (now.total > 0 && now.done > now.total) now.done = now.total;
      if (state.attempt.progress.size() < State::kMaxKept) state.attempt.progress.push_back(std::move(now));
      return Reply{};
    });
  }
  static jh_result JH_CALL note(jh_job* job, jh_str key, jh_str json) noexcept {
    return host().call("note", job, false, [&](auto& lock) {
      State& state = host();
      std::string name = text(key);
      if (name.empty() || name.size() > 255) return Reply{JH_E_INVALID, "the key must be 1 to 255 bytes of UTF-8"};
      if (json.len > 256 * 1024) return Reply{JH_E_LIMIT, "the note is over 256 KiB"};
      state.attempt.notes.emplace_back(name, Json::parse(text(json)));
      if (const auto hook = state.on_note) {
        lock.unlock();
        hook(name);
        lock.lock();
      }
      return Reply{};
    });
  }
  static jh_result JH_CALL set_result(jh_job* job, jh_str json) noexcept {
    return host().call("set_result", job, false, [&](auto&) {
      constexpr std::size_t kMost = 1 << 20;
      if (json.len > kMost) {
        return Reply{JH_E_LIMIT, "the result of " + std::to_string(json.len) + " bytes is over the limit of " +
                                     std::to_string(kMost)};
      }
      host().attempt.result = Json::parse(text(json));
      return Reply{};
    });
  }
  static jh_result JH_CALL set_error(jh_job* job, const jh_error* error) noexcept {
    return host().call("set_error", job, false, [&](auto&) {
      constexpr std::size_t kBaseline = offsetof(jh_error, details_json) + sizeof(jh_str);
      if (error == nullptr || error->struct_size < kBaseline) {
        return Reply{JH_E_INVALID, "the jh_error is missing or its struct_size is too small"};
      }
      Attempt& attempt = host().attempt;
      attempt.error_class = error->error_class;
      attempt.error_code = text(error->code);
      attempt.error_message = text(error->message);
      attempt.retry_after_ms = error->retry_after_ms >= 0 ? error->retry_after_ms : -1;
      attempt.error_details = error->details_json.len > 0 ? Json::parse(text(error->details_json)) : Json();
      return Reply{};
    });
  }
  static jh_str JH_CALL last_error(jh_job*) noexcept { return {lastError().data(), lastError().size()}; }
  static inline const void* JH_CALL get_extension(const char* id) noexcept;
};

struct FileCalls {
  static State& host() noexcept { return *State::active(); }
  /// Handles carry no job: they belong to the attempt that runs.
  static jh_job* current() noexcept { return reinterpret_cast<jh_job*>(host().current); }
  template <class Handle>
  static std::uintptr_t number(Handle* handle) {
    return reinterpret_cast<std::uintptr_t>(handle);
  }

  static jh_str JH_CALL dir(jh_job* job) noexcept {
    return host().words("output.dir", job, [] { return host().files.outputDir(); });
  }
  static jh_result JH_CALL create(jh_job* job, jh_str name, jh_str media_type, jh_output** out) noexcept {
    return host().call("output.create", job, false, [&](auto&) {
      if (out == nullptr) return Reply{JH_E_INVALID, "out is NULL"};
      std::uintptr_t handle = 0;
      Reply reply = host().files.create(text(name), text(media_type), handle);
      *out = reinterpret_cast<jh_output*>(handle);
      return reply;
    });
  }
  static jh_result JH_CALL write(jh_output* out, const void* data, std::size_t len) noexcept {
    return host().call("output.write", current(), false,
                       [&](auto&) { return host().files.write(number(out), data, len); });
  }
  static jh_result JH_CALL commit(jh_output* out) noexcept {
    State& state = host();
    const jh_result result =
        state.call("output.commit", current(), false, [&](auto&) { return state.files.commit(number(out)); });
    return result != JH_OK ? endHandle(out, result) : result;
  }
  static jh_result JH_CALL abort(jh_output* out) noexcept {
    State& state = host();
    const jh_result result =
        state.call("output.abort", current(), false, [&](auto&) { return state.files.abort(number(out)); });
    return result != JH_OK ? endHandle(out, result) : result;
  }
  static jh_result JH_CALL publish(jh_job* job, jh_str name, jh_str json) noexcept {
    return host().call("output.publish", job, false, [&](auto&) {
      const Json more = json.len > 0 ? Json::parse(text(json)) : Json();
      return host().files.publish(text(name), more["media_type"].stringOr(""));
    });
  }
  static jh_result JH_CALL reserve(jh_job* job, std::int64_t bytes) noexcept {
    return host().call("output.reserve", job, false, [&](auto&) { return host().files.reserve(bytes); });
  }

  static jh_str JH_CALL list(jh_job* job) noexcept {
    return host().words("input.list", job, [] { return host().files.listInputs().dump(); });
  }
  static jh_result JH_CALL path(jh_job* job, jh_str name, jh_str* out) noexcept {
    return host().call("input.path", job, false, [&](auto&) {
      if (out == nullptr) return Reply{JH_E_INVALID, "path is NULL"};
      std::string found;
      Reply reply = host().files.inputPath(text(name), found);
      if (reply.code == JH_OK) *out = host().keep(std::move(found));
      return reply;
    });
  }
  static jh_result JH_CALL open(jh_job* job, jh_str name, jh_input** in) noexcept {
    return host().call("input.open", job, false, [&](auto&) {
      if (in == nullptr) return Reply{JH_E_INVALID, "in is NULL"};
      std::uintptr_t handle = 0;
      Reply reply = host().files.openInput(text(name), handle);
      *in = reinterpret_cast<jh_input*>(handle);
      return reply;
    });
  }
  static jh_result JH_CALL read(jh_input* in, void* buffer, std::size_t len, std::size_t* got) noexcept {
    return host().call("input.read", current(), false, [&](auto&) {
      if (got == nullptr || (buffer == nullptr && len > 0)) return Reply{JH_E_INVALID, "buffer or got is NULL"};
      *got = 0;
      return host().files.readInput(number(in), buffer, len, *got);
    });
  }
  static jh_result JH_CALL size(jh_input* in, std::int64_t* bytes) noexcept {
    return host().call("input.size", current(), false, [&](auto&) {
      return bytes == nullptr ? Reply{JH_E_INVALID, "bytes is NULL"} : host().files.inputSize(number(in), *bytes);
    });
  }
  static jh_result JH_CALL close(jh_input* in) noexcept {
    return host().call("input.close", current(), false, [&](auto&) { return host().files.closeInput(number(in)); });
  }
  static jh_str JH_CALL temp(jh_job* job) noexcept {
    return host().words("temp.dir", job, [] { return host().files.tempDir(); });
  }

 private:
  /// A commit or abort that was made to fail ends the handle all the same, as the ABI says.
  static jh_result endHandle(jh_output* out, jh_result result) noexcept {
    State& state = host();
    const std::lock_guard lock(state.mutex);
    static_cast<void>(state.files.abort(number(out)));
    return result;
  }
};

struct ServiceCalls {
  static State& host() noexcept { return *State::active(); }

  static jh_str JH_CALL config(jh_job* job) noexcept {
    return host().words("config", job, [] { return host().config_json; });
  }
  static jh_result JH_CALL secret(jh_job* job, jh_str name, jh_str* value) noexcept {
    return host().call("secret", job, true, [&](auto&) {
      State& state = host();
      const std::string wanted = text(name);
      if (value == nullptr) return Reply{JH_E_INVALID, "value is NULL"};
      if (!permits(state.manifest, "secrets", wanted)) {
        return Reply{JH_E_DENIED, "the manifest does not ask for the secret \"" + wanted + "\""};
      }
      const auto found = state.secrets.find(wanted);
      if (found == state.secrets.end()) {
        return Reply{JH_E_NOT_FOUND, "the secret \"" + wanted + "\" is not set for this plugin"};
      }
      *value = state.keep(found->second);
      return Reply{};
    });
  }

  static jh_result JH_CALL on_cancel(jh_job* job, jh_cancel_fn fn, void* context, std::uint64_t* token) noexcept {
    return host().call("cancel.on_cancel", job, false, [&](auto& lock) {
      if (fn == nullptr || token == nullptr) return Reply{JH_E_INVALID, "fn or token is NULL"};
      lock.unlock();  // a job that was already asked to stop is called back from here
      *token = host().cancel.add(fn, context);
      lock.lock();
      return Reply{};
    });
  }
  static jh_result JH_CALL remove(jh_job* job, std::uint64_t token) noexcept {
    return host().call("cancel.remove", job, false, [&](auto& lock) {
      lock.unlock();  // waits for a callback that runs, which may call the host
      const bool known = host().cancel.remove(token);
      lock.lock();
      return known ? Reply{} : Reply{JH_E_NOT_FOUND, "it already ran or is unknown"};
    });
  }
  static std::int64_t JH_CALL wait_handle(jh_job* job) noexcept {
    State& state = host();
    {
      const std::lock_guard lock(state.mutex);
      if (!state.isCurrent(job)) return -1;
    }
    return state.cancel.handle();
  }

  static jh_result JH_CALL submit(jh_job* job, jh_str type, jh_str params, jh_str options, std::int64_t* id) noexcept {
    return host().call("children.submit", job, true, [&](auto&) {
      State& state = host();
      if (id == nullptr) return Reply{JH_E_INVALID, "id is NULL"};
      Child child;
      child.type = text(type);
      child.params = params.len > 0 ? Json::parse(text(params)) : Json::object();
      child.options = options.len > 0 ? Json::parse(text(options)) : Json::object();
      child.state = "queued";
      if (!child.params.isObject()) return Reply{JH_E_INVALID, "the child's params are not a JSON object"};
      if (!child.options.isObject()) return Reply{JH_E_INVALID, "the child's options are not a JSON object"};
      if (!permitsChild(state, child.type)) {
        return Reply{JH_E_DENIED,
                     "the manifest does not ask for permission to make children of type \"" + child.type + "\""};
      }
      const std::string key(child.options["dedupe_key"].stringOr(""));
      if (const auto before = state.dedupe.find(key); !key.empty() && before != state.dedupe.end()) {
        *id = before->second;
        return Reply{};
      }
      *id = child.id = ++state.last_id;
      if (!key.empty()) state.dedupe[key] = child.id;
      state.children.push_back(std::move(child));
      return Reply{};
    });
  }
  static jh_result JH_CALL wait(jh_job* job, const std::int64_t* ids, std::uint32_t n, std::int32_t mode,
                                std::int64_t timeout_ms) noexcept {
    return host().call("children.wait", job, true, [&](auto& lock) {
      if (n > 10'000 || (n > 0 && ids == nullptr)) return Reply{JH_E_INVALID, "more than 10000 ids, or none given"};
      std::vector<std::int64_t> wanted(ids, ids + n);
      return waitFor(std::move(wanted), mode == JH_WAIT_ANY, timeout_ms, lock);
    });
  }
  static jh_result JH_CALL result(jh_job* job, std::int64_t id, jh_str* json) noexcept {
    return host().call("children.result", job, true, [&](auto&) {
      State& state = host();
      if (json == nullptr) return Reply{JH_E_INVALID, "the place for the answer is NULL"};
      const Child* child = state.childOf(id);
      if (child == nullptr) return unknownChild(id);
      if (!child->ended()) return Reply{JH_E_AGAIN, "the child has not ended"};
      *json = state.keep(Json{
          {"id", child->id},
          {"type", child->type},
          {"state", child->state},
          {"result", child->result},
          {"error",
           child->error}}.dump());
      return Reply{};
    });
  }
  static jh_result JH_CALL cancel(jh_job* job, std::int64_t id) noexcept {
    return host().call("children.cancel", job, false, [&](auto&) {
      Child* child = host().childOf(id);
      if (child == nullptr) return unknownChild(id);
      child->canceled = true;
      return Reply{};
    });
  }

  static jh_result JH_CALL save(jh_job* job, const void* data, std::size_t len) noexcept {
    return host().call("checkpoint.save", job, false, [&](auto&) {
      if (data == nullptr && len > 0) return Reply{JH_E_INVALID, "data is NULL"};
      if (len > std::size_t{16} << 20) return Reply{JH_E_LIMIT, "the checkpoint is over 16 MiB"};
      host().checkpoint = std::string(static_cast<const char*>(data), len);
      return Reply{};
    });
  }
  static jh_result JH_CALL load(jh_job* job, const void** data, std::size_t* len) noexcept {
    return host().call("checkpoint.load", job, false, [&](auto&) {
      State& state = host();
      if (data == nullptr || len == nullptr) return Reply{JH_E_INVALID, "data or len is NULL"};
      if (!state.checkpoint) return Reply{JH_E_NOT_FOUND, "there is no checkpoint"};
      const jh_str copy = state.keep(*state.checkpoint);  // a later save must not move what was handed out
      *data = copy.data;
      *len = copy.len;
      return Reply{};
    });
  }

 private:
  static Reply unknownChild(std::int64_t id) {
    return {JH_E_NOT_FOUND, "job " + std::to_string(id) + " is not a child of this job"};
  }

  /// Children end in the order they were made, when somebody waits for them; a wait of no length only looks, and lets
  /// one end for the next look.
  static Reply waitFor(std::vector<std::int64_t> ids, bool any, std::int64_t timeout_ms,
                       std::unique_lock<std::mutex>& lock) {
    State& state = host();
    if (ids.empty()) {
      for (const auto& child : state.children) ids.push_back(child.id);
    }
    for (const auto id : ids) {
      if (state.childOf(id) == nullptr) return unknownChild(id);
    }
    const auto met = [&] {
      std::size_t ended = 0;
      for (const auto id : ids) ended += state.childOf(id)->ended() ? 1 : 0;
      return ended == ids.size() || (any && ended > 0);
    };
    const bool at_once = met();
    for (std::size_t i = 0; i < ids.size() && !met(); ++i) {
      const bool was_open = !state.childOf(ids[i])->ended();
      const bool ended = state.endChild(ids[i], lock);
      if (timeout_ms == 0 && was_open && ended) break;
    }
    if (state.cancel.reason() != JH_CANCEL_NO) return {JH_E_CANCELLED, "the job was asked to stop"};
    if (at_once || (timeout_ms != 0 && met())) return {};
    if (timeout_ms < 0) state.complain("children.wait: would wait for ever, for a child that never ends");
    return {JH_E_TIMEOUT, "the children have not ended in time"};
  }
};

inline const void* JH_CALL HostCalls::get_extension(const char* id) noexcept {
  using F = FileCalls;
  using S = ServiceCalls;
  using W = HttpCalls;
  using R = RecordCalls;
  using P = ProcessCalls;
  static const jh_output_v1 output{sizeof(jh_output_v1), 0,         &F::dir,     &F::create, &F::write,
                                   &F::commit,           &F::abort, &F::publish, &F::reserve};
  static const jh_input_v1 input{sizeof(jh_input_v1), 0, &F::list, &F::path, &F::open, &F::read, &F::size, &F::close};
  static const jh_temp_v1 temp{sizeof(jh_temp_v1), 0, &F::temp};
  static const jh_config_v1 config{sizeof(jh_config_v1), 0, &S::config, &S::secret};
  static const jh_cancel_v1 cancel{sizeof(jh_cancel_v1), 0, &S::on_cancel, &S::remove, &S::wait_handle};
  static const jh_children_v1 children{sizeof(jh_children_v1), 0, &S::submit, &S::wait, &S::result, &S::cancel};
  static const jh_checkpoint_v1 checkpoint{sizeof(jh_checkpoint_v1), 0, &S::save, &S::load};
  static const jh_http_v1 http{sizeof(jh_http_v1), 0,        &W::fetch,   &W::failure, &W::info,
                               &W::read,           &W::path, &W::save_to, &W::close};
  static const jh_records_v1 records{sizeof(jh_records_v1), 0, &R::get, &R::put, &R::del, &R::list, &R::count};
  static const jh_kv_v1 kv{sizeof(jh_kv_v1), 0, &R::key_get, &R::key_put, &R::key_del, &R::key_list};
  static const jh_process_v1 process{sizeof(jh_process_v1), 0,        &P::spawn, &P::failure, &P::write,
                                     &P::close_input,       &P::read, &P::wait,  &P::kill,    &P::close};
  // A further extension is one struct of functions above, one table here and one row there.
  static const struct {
    const char* id;
    const void* table;
  } all[] = {{JH_EXT_OUTPUT, &output},
             {JH_EXT_INPUT, &input},
             {JH_EXT_TEMP, &temp},
             {JH_EXT_CONFIG, &config},
             {JH_EXT_CANCEL, &cancel},
             {JH_EXT_CHILDREN, &children},
             {JH_EXT_CHECKPOINT, &checkpoint},
             {JH_EXT_HTTP, &http},
             {JH_EXT_RECORDS, &records},
             {JH_EXT_KV, &kv},
             {JH_EXT_PROCESS, &process}};
  if (id == nullptr || State::active() == nullptr) return nullptr;
  State& state = *State::active();
  try {
    const std::lock_guard lock(state.mutex);
    if (state.withheld.count(id) > 0) return nullptr;
    if (const auto own = state.offered.find(id); own != state.offered.end()) return own->second;
  } catch (const std::exception&) {
    return nullptr;
  }
  for (const auto& one : all) {
    if (std::strcmp(one.id, id) == 0) return one.table;
  }
  return nullptr;
}

inline const jh_host* hostTable() {
  using H = HostCalls;
  static const jh_host table{sizeof(jh_host), JH_ABI_MAJOR,  JH_ABI_MINOR,   JH_HOST_DEBUG,    &H::params,
                             &H::info,        &H::cancelled, &H::log,        &H::progress,     &H::note,
                             &H::set_result,  &H::set_error, &H::last_error, &H::get_extension};
  return &table;
}

}  // namespace jobhost::testing::detail
