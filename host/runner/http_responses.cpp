#include "runner/http_responses.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace jobhost::runner {
namespace {

Outcome closed() {
  return {JH_E_MISUSE, "the response is not open (any more)"};
}

Outcome broken(const char* what, int number) {
  return {JH_E_IO, std::string(what) + ": " + std::strerror(number)};
}

}  // namespace

HttpResponses::Response::~Response() {
  if (fd >= 0) ::close(fd);
  if (!file.empty()) ::unlink(file.c_str());
}

Outcome HttpResponses::add(std::string info, std::string body, std::string file, std::uintptr_t& handle) {
  auto response = std::make_shared<Response>();
  response->info = std::move(info);
  response->body = std::move(body);
  response->in_file = !file.empty();
  response->file = std::move(file);
  const std::lock_guard lock(mutex_);
  if (open_.size() >= kMostOpen) return {JH_E_LIMIT, "more than 256 responses are open: close those read"};
  handle = ++serial_ << 4 | 0x6;  // a number, never an address: one that was closed, or made up, is not found
  open_[handle] = std::move(response);
  return {};
}

std::shared_ptr<HttpResponses::Response> HttpResponses::find(std::uintptr_t handle) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(handle);
  return found != open_.end() ? found->second : nullptr;
}

Outcome HttpResponses::info(std::uintptr_t handle, std::string_view& json) {
  const auto response = find(handle);
  if (!response) return closed();
  json = response->info;
  return {};
}

Outcome HttpResponses::read(std::uintptr_t handle, void* buffer, std::size_t size, std::size_t& got) {
  const auto response = find(handle);
  if (!response) return closed();
  if (!response->in_file) {
    got = std::min(size, response->body.size() - response->at);
    if (got > 0) std::memcpy(buffer, response->body.data() + response->at, got);
    response->at += got;
    return {};
  }
  if (response->fd < 0) response->fd = ::open(response->file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (response->fd < 0) return broken("the body's file cannot be opened", errno);
  for (;;) {
    const auto count = ::read(response->fd, buffer, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return broken("the body's file cannot be read", errno);
    got = static_cast<std::size_t>(count);
    return {};
  }
}

Outcome HttpResponses::path(std::uintptr_t handle, const std::string& temp_dir, std::string_view& path) {
  const auto response = find(handle);
  if (!response) return closed();
  if (response->file.empty()) {
    const std::string name = temp_dir + "/http-body-" + std::to_string(handle >> 4);
    const int fd = ::open(name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return broken("the body's file cannot be made", errno);
    response->file = name;
    std::string_view rest = response->body;
    int failed = 0;
    while (!rest.empty() && failed == 0) {
      const auto written = ::write(fd, rest.data(), rest.size());
      if (written >= 0) {
        rest.remove_prefix(static_cast<std::size_t>(written));
      } else if (errno != EINTR) {
        failed = errno;
      }
    }
    ::close(fd);
    if (failed != 0) {
      ::unlink(name.c_str());
      response->file.clear();
      return broken("the body's file cannot be written", failed);
    }
  }
  path = response->file;
  return {};
}

Outcome HttpResponses::close(std::uintptr_t handle) {
  const std::lock_guard lock(mutex_);
  return open_.erase(handle) > 0 ? Outcome{} : closed();
}

}  // namespace jobhost::runner
