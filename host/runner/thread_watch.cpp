#include "runner/thread_watch.hpp"

#include <pthread.h>

#include <cstdio>

#include "runner/channel.hpp"
#include "runner/job_loop.hpp"

namespace jobhost::runner {
namespace {

void onJobThreadEnd(void* session) {
  constexpr const char* kReason =
      "the plugin ended the thread it was called on (pthread_exit) instead of returning to its caller";
  std::fprintf(stderr, "jobhost-runner: %s\n", kReason);
  endLostAttempt(*static_cast<Session*>(session), "thread_ended", kReason);
  leaveWithGroup(kExitThreadEnded);
}

}  // namespace

void watchJobThread(Session& session) {
  // A key's destructor and not an object on the stack: unwinding stops where a plugin was built without tables for it.
  pthread_key_t key{};
  if (pthread_key_create(&key, &onJobThreadEnd) == 0) pthread_setspecific(key, &session);
}

}  // namespace jobhost::runner
