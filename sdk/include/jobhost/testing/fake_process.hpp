// jobhost SDK, for tests: the far side of jobhost.process/1. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../abi.h"
#include "../json.hpp"

namespace jobhost::testing {

/// One program the plugin started.
struct Spawn {
  std::vector<std::string> argv;
  Json options;       ///< as jobhost.process/1 has them
  std::string input;  ///< its stdin: of a file when it starts, of a pipe in Attempt::spawns what was written to the end
};

/// What a FakeHost::onSpawn callback answers: what the program says and how it ends, or why there is none.
struct SpawnEnd {
  int exit_code = 0;
  std::optional<int> signal;  ///< it was ended by this instead
  bool timed_out = false;
  bool hangs = false;  ///< it never ends by itself
  std::string out, err;
  std::map<std::string, std::string> files;  ///< it leaves in the temp folder, by plain name

  jh_result result = JH_OK;  ///< not JH_OK: it is not started, with code, message and class
  std::string code, message;
  std::int32_t error_class = JH_CLASS_PERMANENT;

  static SpawnEnd ok(std::string out = {}) {
    SpawnEnd end;
    end.out = std::move(out);
    return end;
  }
  static SpawnEnd exited(int exit_code, std::string err = {}) {
    SpawnEnd end;
    end.exit_code = exit_code;
    end.err = std::move(err);
    return end;
  }
  static SpawnEnd killed(int signal) {
    SpawnEnd end;
    end.signal = signal;
    return end;
  }
  static SpawnEnd timeout() {
    SpawnEnd end = killed(15);
    end.timed_out = true;
    return end;
  }
  static SpawnEnd never() {
    SpawnEnd end;
    end.hangs = true;
    return end;
  }
  static SpawnEnd failed(jh_result result, std::string code, std::string message,
                         std::int32_t error_class = JH_CLASS_PERMANENT) {
    SpawnEnd end;
    end.result = result;
    end.code = std::move(code);
    end.message = std::move(message);
    end.error_class = error_class;
    return end;
  }
  static SpawnEnd missing() { return failed(JH_E_NOT_FOUND, "process.not_found", "this host has no such program"); }
  /// The same, leaving a file behind.
  SpawnEnd&& leaves(std::string name, std::string bytes) && {
    files[std::move(name)] = std::move(bytes);
    return std::move(*this);
  }
};

namespace detail {

/// The processes that are open.
struct FakeProcesses {
  struct Open {
    SpawnEnd end;
    std::size_t number = 0;  // of Attempt::spawns
    bool input = false;      // stdin is a pipe, and open
    bool out = false, err = false;
    std::size_t out_at = 0, err_at = 0;
    std::string end_json;
  };
  std::map<std::uintptr_t, Open> open;
  std::uintptr_t serial = 0;
  std::string failure;

  Open* find(const jh_process* process) {
    const auto found = open.find(reinterpret_cast<std::uintptr_t>(process));
    return found != open.end() ? &found->second : nullptr;
  }
};

}  // namespace detail
}  // namespace jobhost::testing
