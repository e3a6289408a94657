#include "runner_driver.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "core/sanitized.hpp"

extern char** environ;

namespace jobhost::runner {
namespace {

constexpr int kDeadlineMs = core::kSanitized ? 300'000 : 60'000;

}  // namespace

RunnerDriver::RunnerDriver() {
  std::string folder = (std::filesystem::temp_directory_path() / "jobhost-runner-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error("mkdtemp");
  work_dir_ = folder;
  plugin_dir_ = folder + "/plugin";
  for (const char* part : {"in", "out", "tmp", "plugin"}) std::filesystem::create_directory(work_dir_ + "/" + part);
  welcome.work_dir = work_dir_;
}

RunnerDriver::~RunnerDriver() {
  if (pid_ > 0) {
    kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  closeSocket();
  if (page_ != nullptr) munmap(page_, wire::kStatusPageBytes);
  std::filesystem::remove_all(work_dir_);
}

void RunnerDriver::closeSocket() {
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
}

void RunnerDriver::spawn() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) throw std::runtime_error("socketpair");
  const int page_fd = memfd_create("page", MFD_CLOEXEC);
  if (ftruncate(page_fd, wire::kStatusPageBytes) != 0) throw std::runtime_error("ftruncate");
  page_ = static_cast<wire::StatusPage*>(
      mmap(nullptr, wire::kStatusPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0));
  page_->magic.store(wire::StatusPage::kMagic);
  page_->version.store(1);

  // High numbers first, so that 3 and 4 are free whatever they were here.
  const int socket_copy = fcntl(pair[1], F_DUPFD_CLOEXEC, 100);
  const int page_copy = fcntl(page_fd, F_DUPFD_CLOEXEC, 100);
  close(pair[1]);
  close(page_fd);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, socket_copy, 3);
  posix_spawn_file_actions_adddup2(&actions, page_copy, 4);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  const std::string parent = "--parent=" + std::to_string(getpid());
  const std::string program = std::string(JOBHOST_BIN_DIR) + "/jobhost-runner";
  char* argv[] = {const_cast<char*>(program.c_str()), const_cast<char*>(parent.c_str()), nullptr};
  const int failed = posix_spawn(&pid_, program.c_str(), &actions, &attributes, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(socket_copy);
  close(page_copy);
  socket_ = pair[0];
  if (failed != 0) throw std::runtime_error("posix_spawn " + program);
}

RunnerDriver::Message RunnerDriver::start(const std::string& plugin_path, const std::string& manifest) {
  spawn();
  const auto hello = next();
  wire::Hello said;
  if (!hello || hello->type != wire::FrameType::Hello || !decode(hello->payload, said))
    throw std::runtime_error("no HELLO");
  send(wire::FrameType::Welcome, 0, 0, welcome);
  send(wire::FrameType::Load, 0, 0, wire::Load{plugin_path, plugin_dir_, manifest});
  while (auto message = next()) {
    if (message->type == wire::FrameType::Loaded) {
      EXPECT_TRUE(decode(message->payload, loaded_));
      return *message;
    }
    if (message->type == wire::FrameType::LoadFailed) return *message;
    seen.push_back(*message);
  }
  return {};
}

void RunnerDriver::startTestkit() {
  const auto answer = start(std::string(JOBHOST_TEST_PLUGIN_DIR) + "/testkit.so");
  if (answer.type != wire::FrameType::Loaded) throw std::runtime_error("testkit was not loaded: " + answer.payload);
}

void RunnerDriver::sendBytes(const std::string& bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t n = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return;  // the runner is gone: next() tells
    sent += static_cast<std::size_t>(n);
  }
}

void RunnerDriver::sendRaw(wire::FrameType type, std::uint32_t id, std::uint32_t job, const std::string& payload) {
  std::string bytes;
  wire::appendFrame(bytes, type, id, job, payload);
  sendBytes(bytes);
}

std::uint32_t RunnerDriver::run(const std::string& type, const std::string& params, std::uint32_t attempt,
                                std::uint32_t flags, std::vector<wire::InputFile> inputs) {
  const auto found = std::find(loaded_.types.begin(), loaded_.types.end(), type);
  const std::uint32_t slot = next_slot_++;
  wire::Run message;
  message.job_id = 1000 + slot;
  message.attempt = attempt;
  message.max_attempts = 5;
  message.type_index = static_cast<std::uint32_t>(found - loaded_.types.begin());
  message.flags = flags;
  message.params = params;
  message.inputs = std::move(inputs);
  send(wire::FrameType::Run, 0, slot, message);
  return slot;
}

void RunnerDriver::cancel(std::uint32_t slot, wire::CancelReason reason) {
  send(wire::FrameType::Cancel, 0, slot, wire::Cancel{reason});
}

std::optional<RunnerDriver::Message> RunnerDriver::next() {
  for (;;) {
    wire::Frame frame;
    const auto status = reader_.next(frame);
    if (status == wire::FrameReader::Status::Broken) throw std::runtime_error("broken stream: " + reader_.error());
    if (status == wire::FrameReader::Status::Message) {
      Message message{frame.type, frame.id, frame.job, std::string(frame.payload)};
      if (message.type == wire::FrameType::Call && on_call) {
        wire::Call call;
        EXPECT_TRUE(decode(message.payload, call));
        send(wire::FrameType::Return, message.id, message.job, on_call(call.method, std::string(call.body)));
        continue;
      }
      return message;
    }
    pollfd fd{socket_, POLLIN, 0};
    if (poll(&fd, 1, kDeadlineMs) <= 0) throw std::runtime_error("the runner said nothing until the deadline");
    constexpr std::size_t kRead = 256 * 1024;
    const ssize_t n = recv(socket_, reader_.prepare(kRead), kRead, 0);
    if (n <= 0) return std::nullopt;
    reader_.commit(static_cast<std::size_t>(n));
  }
}

std::optional<RunnerDriver::Message> RunnerDriver::nextOf(wire::FrameType type) {
  while (auto message = next()) {
    if (message->type == type) return message;
    if (message->type == wire::FrameType::Done) {
      EXPECT_TRUE(decode(message->payload, dones_[message->job]));
    }
    seen.push_back(std::move(*message));
  }
  return std::nullopt;
}

wire::Done RunnerDriver::done(std::uint32_t slot) {
  for (;;) {
    if (const auto found = dones_.find(slot); found != dones_.end()) return found->second;
    const auto message = nextOf(wire::FrameType::Done);
    if (!message) throw std::runtime_error("the runner ended without a DONE");
    EXPECT_TRUE(decode(message->payload, dones_[message->job]));
  }
}

int RunnerDriver::waitForExit() {
  while (auto message = next()) seen.push_back(std::move(*message));
  if (pid_ <= 0) return -1;
  int status = 0;
  waitpid(pid_, &status, 0);
  kill(-pid_, SIGKILL);
  pid_ = -1;
  return status;
}

std::vector<std::string> RunnerDriver::logLines() const {
  std::vector<std::string> lines;
  for (const auto& message : seen) {
    wire::Log line;
    if (message.type == wire::FrameType::Log && decode(message.payload, line)) lines.push_back(line.text);
  }
  return lines;
}

}  // namespace jobhost::runner
