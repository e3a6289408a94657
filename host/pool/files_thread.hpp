#pragma once

#include <functional>
#include <thread>

#include "core/mailbox.hpp"

namespace jobhost::pool {

/// Does what touches the disk and may take long (copies, renames, fsync), in order. Any thread may post.
class FilesThread {
 public:
  void post(std::function<void()> task) { inbox_.push(std::move(task)); }
  ~FilesThread() {
    inbox_.push([this] { inbox_.close(); });  // what was posted before is still done
    thread_.join();
  }

 private:
  core::Mailbox<std::function<void()>> inbox_{65'536};
  std::jthread thread_{[this] {
    const std::stop_token never;
    while (auto task = inbox_.pop(never)) (*task)();
  }};
};

}  // namespace jobhost::pool
