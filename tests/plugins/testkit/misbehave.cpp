// What the C++ glue does not let one do: raw calls that break the rules. Each answers what the host said to it.
#include "testkit.hpp"

#include <pthread.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <string>
#include <thread>

extern "C" void testkit_exit_thread();

namespace {

using jobhost::Json;
using jobhost::detail::host;
using jobhost::detail::str;
using jobhost::detail::view;

jh_job* earlier = nullptr;  // kept from another attempt, which is against rule 3

jh_result result(jh_job* job, const Json& value) {
  return host()->set_result(job, str(value.dump()));
}

jh_result nanProgress(jh_job* job) {
  Json codes = Json::array();
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL, -1.0, std::numeric_limits<double>::max()}) {
    codes.push(host()->progress(job, bad, bad, str("bad\xff\x01text")));
  }
  codes.push(host()->progress(job, 5, 2, {nullptr, 0}));
  return result(job, {{"codes", codes}});
}

jh_result badNames(jh_job* job) {
  const auto* out = jobhost::detail::find<jh_output_v1>(JH_EXT_OUTPUT);
  const std::string names[] = {"",
                               "/etc/passwd",
                               "../up",
                               "a/../b",
                               "a//b",
                               ".",
                               "a/.",
                               std::string("nul\0byte", 8),
                               "line\nbreak",
                               "\xff\xfe",
                               "back\\slash",
                               ".jh-1.part",
                               std::string(256, 'x'),
                               std::string(2000, 'y'),
                               "1/2/3/4/5/6/7/8/9"};
  Json codes = Json::array();
  for (const auto& name : names) {
    jh_output* handle = nullptr;
    codes.push(out->create(job, str(name), {nullptr, 0}, &handle));
  }
  jh_output* made_up = reinterpret_cast<jh_output*>(static_cast<std::uintptr_t>(0xdeadbeef));
  codes.push(out->write(made_up, "x", 1));
  codes.push(out->commit(made_up));
  return result(job, {{"codes", codes}});
}

jh_result staleJob(jh_job* job) {
  if (earlier == nullptr || earlier == job) {
    earlier = job;
    return result(job, {{"kept", true}});
  }
  const std::string params(view(host()->params(earlier)));
  return result(job, {{"progress", host()->progress(earlier, 1, 2, {nullptr, 0})},
                      {"note", host()->note(earlier, str("k"), str("1"))},
                      {"set_result", host()->set_result(earlier, str("{}"))},
                      {"cancelled", host()->cancelled(earlier)},
                      {"params", params}});
}

jh_result garbageJob(jh_job* job) {
  Json codes = Json::array();
  for (const std::uintptr_t bits : {std::uintptr_t{1}, std::uintptr_t{0x7fffdeadbeef}, ~std::uintptr_t{0}}) {
    codes.push(host()->progress(reinterpret_cast<jh_job*>(bits), 1, 2, {nullptr, 0}));
  }
  codes.push(host()->set_error(job, nullptr));
  return result(job, {{"codes", codes}});
}

jh_result badJson(jh_job* job) {
  Json codes = Json::array();
  for (const char* text : {"", "{", "nan", "{\"a\":1,}", "\"\xff\"", "[1] 2"})
    codes.push(host()->set_result(job, str(text)));
  codes.push(host()->note(job, str("key"), str("not json")));
  codes.push(host()->note(job, {nullptr, 0}, str("1")));
  return result(job, {{"codes", codes}});
}

/// A link out of the output folder, published and written through.
jh_result symlinkOutput(jh_job* job) {
  const auto* out = jobhost::detail::find<jh_output_v1>(JH_EXT_OUTPUT);
  const std::string dir(view(out->dir(job)));
  [[maybe_unused]] int ignored = symlink("/etc/passwd", (dir + "/secret.txt").c_str());
  ignored = symlink("/tmp", (dir + "/folder").c_str());
  jh_output* handle = nullptr;
  const jh_result through = out->create(job, str("folder/escaped.txt"), {nullptr, 0}, &handle);
  const jh_result committed = through == JH_OK ? out->commit(handle) : through;
  return result(job, {{"publish", out->publish(job, str("secret.txt"), {nullptr, 0})}, {"commit", committed}});
}

/// Goes on calling after run() has returned.
jh_result lateThread(jh_job* job) {
  std::thread([job] {
    while (host()->cancelled(job) != JH_CANCEL_SHUTDOWN) usleep(100);
    for (int i = 0; i < 1000; ++i) {
      host()->log(job, JH_LOG_INFO, str("late"));
      host()->progress(job, i, 1000, {nullptr, 0});
      host()->set_result(job, str("\"late\""));
    }
  }).detach();
  return result(job, "on time");
}

jh_result hugeNote(jh_job* job) {
  const std::string text = Json(std::string(1 << 20, 'n')).dump();
  return result(job, {{"code", host()->note(job, str("big"), str(text))}});
}

}  // namespace

jh_result misbehave(jh_job* job) {
  const std::string how(Json::parse(view(host()->params(job)))["how"].stringOr(""));
  if (how == "nan_progress") return nanProgress(job);
  if (how == "bad_names") return badNames(job);
  if (how == "stale_job") return staleJob(job);
  if (how == "garbage_job") return garbageJob(job);
  if (how == "bad_json") return badJson(job);
  if (how == "symlink_output") return symlinkOutput(job);
  if (how == "late_thread") return lateThread(job);
  if (how == "huge_note") return hugeNote(job);
  if (how == "bad_return") return 12345;
  if (how == "cancelled_unasked") return JH_E_CANCELLED;
  if (how == "no_error") return JH_E_FAILED;
  if (how == "pthread_exit") pthread_exit(nullptr);
  if (how == "pthread_exit_without_tables") testkit_exit_thread();
  return JH_OK;  // no_result
}
