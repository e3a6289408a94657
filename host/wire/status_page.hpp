#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace jobhost::wire {

/// The 4 KiB both processes map (a memfd sealed against shrinking, growing and more seals; fd 4 in the runner). It
/// outlives the runner: the host reads it after a kill. The plugin can write all of it, so the host bounds every field
/// it reads and treats text as bytes of unknown encoding; nothing in it decides more than a cancel and what a report
/// says. Members are lock-free atomics of fixed size: the layout is the same in every build.
struct StatusPage {
  static constexpr std::uint32_t kMagic = 0x31504a48;  ///< "HJP1"
  static constexpr std::uint32_t kCrumbs = 64;
  static constexpr std::size_t kCrashTextBytes = 2816;

  /// One SDK call: what, how it ended, when. Packed in two words so that a torn one is at worst a wrong line in a
  /// report.
  struct Crumb {
    std::atomic<std::uint64_t>
        call;  ///< low 16 bits: SdkCall; next 16: the calling thread's tid, low bits; high 32: jh_result
    std::atomic<std::uint64_t> time_us;  ///< steady clock of the machine
  };

  // Written by the host.
  std::atomic<std::uint32_t> magic;
  std::atomic<std::uint32_t> version;  ///< 1
  std::atomic<std::uint64_t>
      cancel;  ///< slot << 8 | CancelReason; 0: none. CANCEL frames say the same; this is at once

  // Written by the runner.
  std::atomic<std::uint64_t> heartbeat;  ///< bumped by every SDK call; unchanged for long: the job hangs
  std::atomic<std::uint64_t> job_id;     ///< 0: no attempt is running
  std::atomic<std::uint32_t> slot;
  std::atomic<std::uint32_t> attempt;
  std::atomic<std::uint64_t> started_us;   ///< wall time
  std::atomic<std::uint64_t> deadline_us;  ///< wall time; 0: none
  std::atomic<std::uint32_t> phase;        ///< Phase
  std::atomic<std::uint32_t> crumb_count;  ///< calls so far; the last is at (crumb_count - 1) % kCrumbs
  Crumb crumbs[kCrumbs];

  // Written by the crash handler, state last.
  std::atomic<std::uint32_t> crash_state;  ///< 0 none, 1 being written, 2 whole
  std::atomic<std::int32_t> crash_signal;
  std::atomic<std::int32_t> crash_code;  ///< si_code
  std::atomic<std::uint32_t> crash_text_bytes;
  std::atomic<std::uint64_t> crash_address;  ///< the fault address
  char crash_text[kCrashTextBytes];          ///< lines "#0 libvips.so.42+0x1f3a0"
};

inline constexpr std::size_t kStatusPageBytes = 4096;
static_assert(sizeof(StatusPage) <= kStatusPageBytes);
static_assert(std::is_standard_layout_v<StatusPage>);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free && sizeof(std::atomic<std::uint64_t>) == 8);

/// Where the runner is, for reports. The numbers are the protocol's.
enum class Phase : std::uint32_t { Starting = 0, Loading = 1, Init = 2, Idle = 3, Running = 4, Ending = 5 };

/// What a breadcrumb says was called. The numbers are the protocol's; unknown ones are shown as numbers.
enum class SdkCall : std::uint16_t {
  None = 0,
  Params = 1,
  Info = 2,
  Log = 4,
  Progress = 5,
  Note = 6,
  SetResult = 7,
  SetError = 8,
  GetExtension = 10,
  OutputDir = 20,
  OutputCreate = 21,
  OutputWrite = 22,
  OutputCommit = 23,
  OutputAbort = 24,
  OutputPublish = 25,
  OutputReserve = 26,
  InputList = 30,
  InputPath = 31,
  InputOpen = 32,
  InputRead = 33,
  InputClose = 34,
  TempDir = 40,
  ConfigGet = 45,
  SecretGet = 46,
  OnCancel = 50,
  RemoveOnCancel = 51,
  WaitHandle = 52,
  ChildSubmit = 60,
  ChildWait = 61,
  ChildResult = 62,
  ChildCancel = 63,
  CheckpointSave = 70,
  CheckpointLoad = 71,
  RecordGet = 80,
  RecordPut = 81,
  RecordDelete = 82,
  RecordList = 83,
  RecordCount = 84,
  KeyGet = 90,
  KeyPut = 91,
  KeyDelete = 92,
  KeyList = 93,
  RunBegin = 100,
  RunEnd = 101,
  HttpFetch = 110,
  HttpFailure = 111,
  HttpInfo = 112,
  HttpRead = 113,
  HttpPath = 114,
  HttpSaveTo = 115,
  HttpClose = 116,
  ProcessSpawn = 120,
  ProcessFailure = 121,
  ProcessWrite = 122,
  ProcessCloseInput = 123,
  ProcessRead = 124,
  ProcessWait = 125,
  ProcessKill = 126,
  ProcessClose = 127,
};

constexpr const char* toString(SdkCall call) {
  switch (call) {
    case SdkCall::None:
      return "none";
    case SdkCall::Params:
      return "params";
    case SdkCall::Info:
      return "info";
    case SdkCall::Log:
      return "log";
    case SdkCall::Progress:
      return "progress";
    case SdkCall::Note:
      return "note";
    case SdkCall::SetResult:
      return "set_result";
    case SdkCall::SetError:
      return "set_error";
    case SdkCall::GetExtension:
      return "get_extension";
    case SdkCall::OutputDir:
      return "output.dir";
    case SdkCall::OutputCreate:
      return "output.create";
    case SdkCall::OutputWrite:
      return "output.write";
    case SdkCall::OutputCommit:
      return "output.commit";
    case SdkCall::OutputAbort:
      return "output.abort";
    case SdkCall::OutputPublish:
      return "output.publish";
    case SdkCall::OutputReserve:
      return "output.reserve";
    case SdkCall::InputList:
      return "input.list";
    case SdkCall::InputPath:
      return "input.path";
    case SdkCall::InputOpen:
      return "input.open";
    case SdkCall::InputRead:
      return "input.read";
    case SdkCall::InputClose:
      return "input.close";
    case SdkCall::TempDir:
      return "temp.dir";
    case SdkCall::ConfigGet:
      return "config.config";
    case SdkCall::SecretGet:
      return "config.secret";
    case SdkCall::OnCancel:
      return "cancel.on_cancel";
    case SdkCall::RemoveOnCancel:
      return "cancel.remove";
    case SdkCall::WaitHandle:
      return "cancel.wait_handle";
    case SdkCall::ChildSubmit:
      return "children.submit";
    case SdkCall::ChildWait:
      return "children.wait";
    case SdkCall::ChildResult:
      return "children.result";
    case SdkCall::ChildCancel:
      return "children.cancel";
    case SdkCall::CheckpointSave:
      return "checkpoint.save";
    case SdkCall::CheckpointLoad:
      return "checkpoint.load";
    case SdkCall::RecordGet:
      return "records.get";
    case SdkCall::RecordPut:
      return "records.put";
    case SdkCall::RecordDelete:
      return "records.del";
    case SdkCall::RecordList:
      return "records.list";
    case SdkCall::RecordCount:
      return "records.count";
    case SdkCall::KeyGet:
      return "kv.get";
    case SdkCall::KeyPut:
      return "kv.put";
    case SdkCall::KeyDelete:
      return "kv.del";
    case SdkCall::KeyList:
      return "kv.list";
    case SdkCall::RunBegin:
      return "run begins";
    case SdkCall::RunEnd:
      return "run ends";
    case SdkCall::HttpFetch:
      return "http.fetch";
    case SdkCall::HttpFailure:
      return "http.failure";
    case SdkCall::HttpInfo:
      return "http.info";
    case SdkCall::HttpRead:
      return "http.read";
    case SdkCall::HttpPath:
      return "http.path";
    case SdkCall::HttpSaveTo:
      return "http.save_to";
    case SdkCall::HttpClose:
      return "http.close";
    case SdkCall::ProcessSpawn:
      return "process.spawn";
    case SdkCall::ProcessFailure:
      return "process.failure";
    case SdkCall::ProcessWrite:
      return "process.write";
    case SdkCall::ProcessCloseInput:
      return "process.close_input";
    case SdkCall::ProcessRead:
      return "process.read";
    case SdkCall::ProcessWait:
      return "process.wait";
    case SdkCall::ProcessKill:
      return "process.kill";
    case SdkCall::ProcessClose:
      return "process.close";
  }
  return "unknown";
}

}  // namespace jobhost::wire
