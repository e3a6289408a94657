#include "testkit.hpp"

#include <jobhost_manifest.h>
#include <poll.h>

#include <chrono>
#include <cstdio>
#include <stdexcept>

JOBHOST_MANIFEST(JOBHOST_MANIFEST_JSON);

std::int32_t rest(jobhost::Job& job, std::int64_t ms, bool heed) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::milliseconds(ms);
  pollfd fd{heed ? static_cast<int>(job.cancelHandle()) : -1, POLLIN, 0};
  for (;;) {
    if (heed && job.cancelled() != 0) return job.cancelled();
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0) return 0;
    poll(&fd, 1, static_cast<int>(std::min<std::int64_t>(left, 1000)));
  }
}

static void noop(jobhost::Job&) {}

static jobhost::Json echo(jobhost::Job& job) {
  return job.params().json();
}

static jobhost::Json sleep(jobhost::Job& job) {
  const auto params = job.params();
  const auto ms = params["ms"].integer(0, INT64_MAX, 100);
  const auto steps = params["steps"].integer(1, 100000, 10);
  const bool deaf = params["ignore_cancel"].boolean(false);
  if (deaf) job.log("deaf from here on");
  for (std::int64_t step = 0; step < steps; ++step) {
    if (!deaf) job.progress(static_cast<double>(step), static_cast<double>(steps), "step " + std::to_string(step));
    rest(job, ms / steps, !deaf);
    if (!deaf) job.check();
  }
  if (!deaf) job.progress(static_cast<double>(steps), static_cast<double>(steps), "done");
  return {{"slept_ms", ms}};
}

static jobhost::Json fail(jobhost::Job& job) {
  const auto params = job.params();
  if (params["times"] && job.attempt() > params["times"].integer()) return {{"attempt", job.attempt()}};
  const std::string message = params["message"].str("failed as asked");
  if (params["throw"].boolean(false)) throw std::runtime_error(message);
  throw jobhost::Error(static_cast<std::int32_t>(params["class"].integer(1, 9, 2)), params["code"].str("testkit.fail"),
                       message)
      .retryAfterMs(params["retry_after_ms"].integer(INT64_MIN, INT64_MAX, -1));
}

/// Says the secret in every way there is.
static void leak(jobhost::Job& job) {
  const std::string token = job.secret("TOKEN");
  job.log("the token is " + token);
  std::printf("printed %s\n", token.c_str());
  std::fflush(stdout);
  std::fprintf(stderr, "complained %s\n", token.c_str());
  job.progress(1, 2, "with " + token);
  job.note("token", token);
  throw jobhost::Error::permanent("the far side refused " + token).details(jobhost::Json({{"sent", token}}).dump());
}

static jobhost::Json settings(jobhost::Job& job) {
  if (job.params()["leak"].boolean(false)) leak(job);
  return {{"config", job.config().json()}, {"token", job.secret("TOKEN")}};
}

JOBHOST_JOB("noop", noop);
JOBHOST_JOB("echo", echo);
JOBHOST_JOB("sleep", sleep);
JOBHOST_JOB("fail", fail);
JOBHOST_JOB("crash", crash);
JOBHOST_JOB("hog", hog);
JOBHOST_JOB("spawn", spawn);
JOBHOST_JOB("files", files);
JOBHOST_JOB("checkpoint", checkpoint);
JOBHOST_JOB("settings", settings);
// The ABI asks for noexcept, which C plugins cannot say; pthread_exit() unwinds through this one as it does through
// theirs.
static const jh_job_type raw_misbehave = {sizeof(jh_job_type), 0u, "misbehave",
                                          reinterpret_cast<decltype(jh_job_type::run)>(&misbehave)};

JOBHOST_PLUGIN(&jh_t_noop, &jh_t_echo, &jh_t_sleep, &jh_t_fail, &jh_t_crash, &jh_t_hog, &jh_t_spawn, &jh_t_files,
               &jh_t_checkpoint, &raw_misbehave, &jh_t_settings)
