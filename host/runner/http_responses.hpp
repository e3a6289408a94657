#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "runner/work_files.hpp"

namespace jobhost::runner {

/// The open HTTP responses of one attempt: what the host answered, and how far each body was read. A body is in memory
/// or in a file of the temp folder, which the host made and which goes with its response.
///
/// Thread-safety: any thread; one at a time for one response. Errors: Outcome.
class HttpResponses {
 public:
  static constexpr std::size_t kMostOpen = 256;

  /// `info`: the JSON the plugin sees; `file`: absolute path of the body, empty when `body` is it.
  Outcome add(std::string info, std::string body, std::string file, std::uintptr_t& handle);
  /// What is answered here and by path() is valid until the response is closed.
  Outcome info(std::uintptr_t handle, std::string_view& json);
  Outcome read(std::uintptr_t handle, void* buffer, std::size_t size, std::size_t& got);
  /// A file with the whole body: a new one in `temp_dir` when it is in memory.
  Outcome path(std::uintptr_t handle, const std::string& temp_dir, std::string_view& path);
  Outcome close(std::uintptr_t handle);

 private:
  struct Response {
    std::string info;
    std::string body;
    std::size_t at = 0;  ///< of body
    std::string file;    ///< path; empty: none
    int fd = -1;         ///< of file, once it is read
    bool in_file = false;
    ~Response();
  };
  std::shared_ptr<Response> find(std::uintptr_t handle);

  std::mutex mutex_;
  std::uintptr_t serial_ = 0;
  std::map<std::uintptr_t, std::shared_ptr<Response>> open_;
};

}  // namespace jobhost::runner
