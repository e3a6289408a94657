// jobhost SDK, for tests: jobhost.process/1 as C functions. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>
#include <utility>

#include "fake_state.hpp"

namespace jobhost::testing::detail {

/// Programs do not run: what they say and how they end is the test's answer, all of it there at once. One that hangs
/// lets a wait without an end answer as if the job were asked to stop, with a complaint, so that no test hangs with it.
struct ProcessCalls {
  static State& host() noexcept { return *State::active(); }
  static Reply closed() { return {JH_E_MISUSE, "the process is not open (any more)"}; }
  static jh_job* running() noexcept { return reinterpret_cast<jh_job*>(host().current); }

  static jh_result JH_CALL spawn(jh_job* job, jh_str argv_json, jh_str options_json, jh_process** process) noexcept {
    {
      const std::lock_guard lock(host().mutex);
      host().processes.failure.clear();
    }
    return host().call("process.spawn", job, true, [&](auto& lock) {
      State& state = host();
      if (process == nullptr) return invalid("process is NULL");
      *process = nullptr;
      Spawn one;
      const Json argv = Json::parse(text(argv_json));
      for (const Json& argument : argv.items()) one.argv.emplace_back(argument.stringOr(""));
      if (one.argv.empty() || one.argv.front().empty() || one.argv.front().find('/') != std::string::npos) {
        return invalid("argv/0 must be the name of a program, not a path");
      }
      one.options = options_json.len > 0 ? Json::parse(text(options_json)) : Json::object();
      if (!permits(state.manifest, "exec", one.argv.front())) {
        return failed(JH_E_DENIED, "process.not_permitted",
                      "the manifest's permissions.exec does not name the program \"" + one.argv.front() + "\"",
                      JH_CLASS_DENIED);
      }
      const std::string folder = state.files.tempDir() + "/";
      if (const Json& file = one.options["stdin"]["file"]; file.isString()) {
        std::ifstream in(folder + std::string(file.stringOr("")), std::ios::binary);
        if (!in) return failed(JH_E_IO, "process.file", "stdin/file: no such file", JH_CLASS_PERMANENT);
        one.input.assign(std::istreambuf_iterator<char>(in), {});
      }
      state.attempt.spawns.push_back(one);
      SpawnEnd end = SpawnEnd::failed(JH_E_NOT_FOUND, "process.not_found", "the test runs no programs: see onSpawn()");
      if (const auto hook = state.on_spawn) {
        lock.unlock();
        end = hook(one);
        lock.lock();
      }
      if (state.cancel.reason() != JH_CANCEL_NO) return Reply{JH_E_CANCELLED, "the job was asked to stop"};
      if (end.result != JH_OK) return failed(end.result, end.code, end.message, end.error_class);
      FakeProcesses::Open open;
      open.number = state.attempt.spawns.size();
      open.input = one.options["stdin"].stringOr("none") == "pipe";
      open.out = one.options["stdout"].stringOr(one.options["stdout"].isNull() ? "pipe" : "") == "pipe";
      open.err = one.options["stderr"].stringOr(one.options["stderr"].isNull() ? "pipe" : "") == "pipe";
      if (one.options["stderr"].stringOr("") == "stdout") end.out += std::exchange(end.err, {});
      if (const Json& file = one.options["stdout"]["file"]; file.isString()) {
        end.files[std::string(file.stringOr(""))] = end.out;
      }
      if (const Json& file = one.options["stderr"]["file"]; file.isString()) {
        end.files[std::string(file.stringOr(""))] = end.err;
      }
      for (const auto& [name, bytes] : end.files) std::ofstream(folder + name, std::ios::binary) << bytes;
      open.end_json = Json{
          {"exit_code", end.signal ? Json() : Json(end.exit_code)},
          {"signal", end.signal ? Json(*end.signal) : Json()},
          {"timed_out", end.timed_out},
          {"cpu_ms", 0},
          {"max_rss_kib",
           0}}.dump();
      open.end = std::move(end);
      const std::uintptr_t handle = ++state.processes.serial << 4 | 0xa;  // a number, never an address
      state.processes.open[handle] = std::move(open);
      *process = reinterpret_cast<jh_process*>(handle);
      return Reply{};
    });
  }
  static jh_str JH_CALL failure(jh_job* job) noexcept {
    return host().words("process.failure", job, [] { return host().processes.failure; });
  }
  static jh_result JH_CALL write(jh_process* process, const void* data, std::size_t len) noexcept {
    return host().call("process.write", running(), true, [&](auto&) {
      auto* open = host().processes.find(process);
      if (open == nullptr) return closed();
      if (data == nullptr && len > 0) return Reply{JH_E_INVALID, "data is NULL"};
      if (!open->input) return Reply{JH_E_IO, "its stdin is no pipe, or was closed"};
      host().attempt.spawns[open->number - 1].input.append(static_cast<const char*>(data), len);
      return Reply{};
    });
  }
  static jh_result JH_CALL close_input(jh_process* process) noexcept {
    return host().call("process.close_input", running(), false, [&](auto&) {
      auto* open = host().processes.find(process);
      if (open == nullptr) return closed();
      open->input = false;
      return Reply{};
    });
  }
  static jh_result JH_CALL read(jh_process* process, std::int32_t stream, void* buffer, std::size_t len,
                                std::size_t* got, std::int32_t* from) noexcept {
    return host().call("process.read", running(), true, [&](auto&) {
      auto* open = host().processes.find(process);
      if (open == nullptr) return closed();
      if (got == nullptr || (buffer == nullptr && len > 0)) return Reply{JH_E_INVALID, "buffer or got is NULL"};
      *got = 0;
      if ((stream == JH_STREAM_OUT && !open->out) || (stream == JH_STREAM_ERR && !open->err) ||
          (!open->out && !open->err)) {
        return Reply{JH_E_INVALID, "that stream is no pipe"};
      }
      const auto most = static_cast<std::size_t>(
          host().attempt.spawns[open->number - 1].options["max_output_bytes"].intOr(std::int64_t{1} << 30));
      const auto take = [&](std::int32_t which, bool is_pipe, const std::string& said, std::size_t& at) {
        if (*got > 0 || !is_pipe || (stream != JH_STREAM_ANY && stream != which) || at == said.size()) return;
        *got = std::min(len, said.size() - at);
        std::memcpy(buffer, said.data() + at, *got);
        at += *got;
        if (from != nullptr) *from = which;
      };
      take(JH_STREAM_OUT, open->out, open->end.out, open->out_at);
      take(JH_STREAM_ERR, open->err, open->end.err, open->err_at);
      if (open->out_at + open->err_at > most) {
        *got = 0;
        return Reply{JH_E_LIMIT, "it wrote more than " + std::to_string(most) + " bytes"};
      }
      if (*got == 0 && len > 0 && open->end.hangs) return hung("process.read");
      return Reply{};
    });
  }
  static jh_result JH_CALL wait(jh_process* process, std::int64_t timeout_ms, jh_str* end_json) noexcept {
    return host().call("process.wait", running(), true, [&](auto&) {
      auto* open = host().processes.find(process);
      if (open == nullptr) return closed();
      if (end_json == nullptr) return Reply{JH_E_INVALID, "end_json is NULL"};
      if (open->end.hangs && timeout_ms >= 0) return Reply{JH_E_TIMEOUT, "it still runs"};
      if (open->end.hangs) return hung("process.wait");
      *end_json = {open->end_json.data(), open->end_json.size()};
      return Reply{};
    });
  }
  static jh_result JH_CALL kill(jh_process* process, std::int32_t force) noexcept {
    return host().call("process.kill", running(), false, [&](auto&) {
      auto* open = host().processes.find(process);
      if (open == nullptr) return closed();
      if (!std::exchange(open->end.hangs, false)) return Reply{};
      open->end_json = Json{
          {"exit_code", Json()},
          {"signal", force != 0 ? 9 : 15},
          {"timed_out", false},
          {"cpu_ms", 0},
          {"max_rss_kib",
           0}}.dump();
      return Reply{};
    });
  }
  static jh_result JH_CALL close(jh_process* process) noexcept {
    return host().call("process.close", running(), false, [&](auto&) {
      if (host().processes.find(process) == nullptr) return closed();
      host().processes.open.erase(reinterpret_cast<std::uintptr_t>(process));
      return Reply{};
    });
  }

 private:
  static Reply failed(jh_result result, const std::string& code, const std::string& why, std::int32_t error_class) {
    host().processes.failure = Json{{"code", code}, {"message", why}, {"class", error_class}}.dump();
    return {result, why};
  }
  static Reply invalid(const std::string& why) {
    return failed(JH_E_INVALID, "process.invalid_request", why, JH_CLASS_PERMANENT);
  }
  static Reply hung(const std::string& call) {
    host().complain(call + ": would wait for ever, for a program that never ends");
    return {JH_E_CANCELLED, "the program never ends"};
  }
};

}  // namespace jobhost::testing::detail
