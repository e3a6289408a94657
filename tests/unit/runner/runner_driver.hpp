#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "wire/frame.hpp"
#include "wire/messages.hpp"
#include "wire/status_page.hpp"

namespace jobhost::runner {

/// A host for one runner: starts the real executable over a socketpair and speaks to it from the test's thread.
/// Waits end at a deadline far beyond what any step needs; a test that meets it fails.
class RunnerDriver {
 public:
  struct Message {
    wire::FrameType type{};
    std::uint32_t id = 0;
    std::uint32_t job = 0;
    std::string payload;
  };

  RunnerDriver();
  ~RunnerDriver();
  RunnerDriver(const RunnerDriver&) = delete;
  RunnerDriver& operator=(const RunnerDriver&) = delete;

  wire::Welcome welcome;  ///< change before start()

  /// Starts the process, shakes hands and loads the file; the answer is LOADED or LOAD_FAILED.
  Message start(const std::string& plugin_path, const std::string& manifest = {});
  /// start() with testkit, which must load.
  void startTestkit();

  template <class Payload>
  void send(wire::FrameType type, std::uint32_t id, std::uint32_t job, const Payload& payload) {
    std::string bytes;
    encode(bytes, payload);
    sendRaw(type, id, job, bytes);
  }
  void sendRaw(wire::FrameType type, std::uint32_t id, std::uint32_t job, const std::string& payload);
  void sendBytes(const std::string& bytes);

  /// Queues a run of testkit's job type and answers its slot.
  std::uint32_t run(const std::string& type, const std::string& params = "{}", std::uint32_t attempt = 1,
                    std::uint32_t flags = 0, std::vector<wire::InputFile> inputs = {});
  void cancel(std::uint32_t slot, wire::CancelReason reason = wire::CancelReason::User);

  /// The next message; nullopt at the end of the stream. CALLs are answered by `on_call` when it is set.
  std::optional<Message> next();
  /// The next message of this type; earlier ones of others are kept in `seen`. nullopt at the end of the stream.
  std::optional<Message> nextOf(wire::FrameType type);
  /// The DONE of this slot; others met on the way are kept for later asks.
  wire::Done done(std::uint32_t slot);
  wire::Done runAndWait(const std::string& type, const std::string& params = "{}") { return done(run(type, params)); }

  /// Reads until the end of the stream, then the exit status as waitpid gives it.
  int waitForExit();
  [[nodiscard]] wire::StatusPage& page() { return *page_; }
  [[nodiscard]] const std::string& workDir() const { return work_dir_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  void closeSocket();

  std::function<wire::Return(wire::Method, const std::string& body)> on_call;
  std::vector<Message> seen;

  [[nodiscard]] std::vector<std::string> logLines() const;

 private:
  void spawn();
  int socket_ = -1;
  pid_t pid_ = -1;
  wire::StatusPage* page_ = nullptr;
  std::string work_dir_;
  std::string plugin_dir_;
  wire::FrameReader reader_{64 * 1024 * 1024};
  wire::Loaded loaded_;
  std::uint32_t next_slot_ = 1;
  std::map<std::uint32_t, wire::Done> dones_;
};

}  // namespace jobhost::runner
