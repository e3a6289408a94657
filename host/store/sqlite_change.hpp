#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "store/sql_writer.hpp"
#include "store/sqlite_store.hpp"

namespace jobhost::store {

// How SqliteStore hands work to its writer; for its own .cpp files.

template <class T>
void SqliteStore::changeAsync(std::function<core::Result<T>(WriteSide&)> work, Done<T> done) {
  writer_->post(std::make_unique<CommandOf<T>>(std::move(work), std::move(done)));
}

template <class T>
core::Result<T> SqliteStore::change(std::function<core::Result<T>(WriteSide&)> work) {
  // Not a semaphore: libstdc++'s yields in a loop before it sleeps, and many callers wait for one commit.
  std::mutex mutex;
  std::condition_variable answered;
  std::optional<core::Result<T>> answer;
  changeAsync<T>(std::move(work), [&](core::Result<T> result) {
    const std::lock_guard lock(mutex);
    answer.emplace(std::move(result));
    answered.notify_one();  // under the lock: the caller's frame goes as soon as it has the answer
  });
  std::unique_lock lock(mutex);
  answered.wait(lock, [&] { return answer.has_value(); });
  return *std::move(answer);
}

}  // namespace jobhost::store
