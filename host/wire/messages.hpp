#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/job.hpp"

namespace jobhost::wire {

/// The payloads of the frames, as structs. For each: `encode(out, message)` appends the payload, `decode(bytes,
/// message)` reads one from an untrusted peer and answers false when it is cut off, over a limit or holds a number that
/// cannot be. Fields are only ever appended; a decoder ignores bytes after what it knows. Times are microseconds since
/// the Unix epoch; sizes bytes. Strings own their bytes unless a comment says that they are views into the payload.

inline constexpr std::uint32_t kHelloMagic = 0x31524a48;  ///< "HJR1"
inline constexpr std::uint16_t kProtocolMin = 1;
inline constexpr std::uint16_t kProtocolMax = 1;
inline constexpr std::size_t kMaxManifestBytes = 256 * 1024;
inline constexpr std::size_t kMaxCheckpointBytes = 16 * 1024 * 1024;

struct Hello {
  std::uint32_t magic = kHelloMagic;
  std::uint16_t version_min = kProtocolMin;
  std::uint16_t version_max = kProtocolMax;
  std::uint32_t pid = 0;
  std::uint32_t abi_major = 0;  ///< of the plugin ABI the runner offers
  std::uint32_t abi_minor = 0;
  std::uint64_t features = 0;  ///< none yet
  std::string runner_version;
};

/// A setrlimit the runner makes before it loads the plugin. `limit` is soft and hard; ~0: unlimited.
struct ResourceLimit {
  std::uint32_t resource = 0;  ///< RLIMIT_* of this platform
  std::uint64_t limit = 0;
};

enum class SandboxLevel : std::uint8_t { None = 0, Basic = 1, Standard = 2, Full = 3 };
std::string_view toString(SandboxLevel level);  ///< "none", "basic", …

/// Limits are the host's to set; the defaults here are the documented ones.
struct Welcome {
  std::uint16_t version = kProtocolMax;  ///< the one both speak; 0: none, the runner leaves
  std::uint64_t features = 0;
  std::string host_version;
  std::string work_dir;                        ///< absolute; in/<slot>/, out/<slot>/ and tmp/<slot>/ lie below it
  SandboxLevel sandbox = SandboxLevel::Basic;  ///< asked for; LOADED says what was reached
  std::uint32_t host_flags = 1;                ///< JH_HOST_* shown to the plugin
  std::uint64_t max_result_bytes = 16 * 1024 * 1024;
  std::uint64_t max_output_bytes = std::uint64_t{16} * 1024 * 1024 * 1024;  ///< all outputs of an attempt
  std::uint32_t max_outputs = 10'000;
  std::uint32_t max_log_line_bytes = 16 * 1024;
  std::uint32_t log_lines_per_s = 1'000;
  std::uint32_t log_burst = 5'000;
  std::uint32_t progress_per_s = 20;
  std::uint64_t credit_bytes = 1024 * 1024;  ///< the first credit
  std::vector<ResourceLimit> limits;
  /// A JSON object: the runner watches the calls of the SDK, writes them down, lets some fail (docs/protocol.md,
  /// "Inspection"). For `plugin check` and `plugin run`; empty, as a serving host sends it: nothing of the kind.
  std::string inspection;
};

struct Load {
  std::string path;        ///< absolute, of the plugin file
  std::string plugin_dir;  ///< absolute, the plugin's own lasting folder, given to init()
  std::string manifest;    ///< the note's bytes as scanned, without the final NUL; empty: not compared
};

struct Loaded {
  std::uint32_t abi_major = 0;
  std::uint32_t abi_minor = 0;
  std::uint32_t abi_min_minor = 0;
  SandboxLevel sandbox = SandboxLevel::None;
  std::string sandbox_missing;  ///< what the level asked for lacks here, for people; empty: nothing
  std::uint64_t load_us = 0;    ///< dlopen
  std::uint64_t init_us = 0;
  std::vector<std::string> types;  ///< in the module's order; RUN.type_index counts in it
};

enum class LoadStage : std::uint8_t { Setup = 0, Open = 1, Entry = 2, Check = 3, Init = 4 };
std::string_view toString(LoadStage stage);

struct LoadFailed {
  LoadStage stage = LoadStage::Setup;
  std::string code;     ///< "abi_mismatch", "missing_library", "no_entry", "manifest_differs", "init_failed" …
  std::string message;  ///< the reason, without the plugin's name and path: the host puts them in front
  std::string detail;   ///< for the log
};

struct InputFile {
  std::string name;
  std::string media_type;
  std::uint64_t size_bytes = 0;
};

/// The frame's `job` is the slot number: not 0, not in flight, chosen by the host. The views of a decoded Run point
/// into the payload.
struct Run {
  std::uint64_t job_id = 0;
  std::uint32_t attempt = 1;
  std::uint32_t max_attempts = 1;
  std::uint32_t type_index = 0;
  std::uint32_t flags = 0;  ///< kRunHasCheckpoint, kRunResumed
  std::int32_t priority = 0;
  std::int64_t deadline_us = 0;  ///< 0: none
  std::uint64_t parent_id = 0;   ///< 0: none
  std::uint64_t root_id = 0;
  std::string_view tags_json;     ///< a JSON array, or empty
  std::string_view limits_json;   ///< a JSON object, or empty
  std::string_view params;        ///< the JSON document, passed on as it is
  std::vector<InputFile> inputs;  ///< what lies in in/<slot>/
  std::string_view owner;         ///< the principal's id; empty: none, or from before it was told
  std::uint32_t rescues = 0;      ///< attempts lost with their host or lease; 0 also from before it was told
};
inline constexpr std::uint32_t kRunHasCheckpoint = 1;  ///< checkpoint load() has something to ask for
inline constexpr std::uint32_t kRunResumed = 2;        ///< the attempt before ended JH_E_SUSPENDED

/// Why an attempt should stop; the numbers are the ABI's JH_CANCEL_*.
enum class CancelReason : std::uint8_t { None = 0, User = 1, Deadline = 2, Shutdown = 3 };
struct Cancel {
  CancelReason reason = CancelReason::User;
};

/// Slots to give back; empty: all that have not started. Also the payload of RECALLED: those given back, which get no
/// DONE.
struct SlotList {
  std::vector<std::uint32_t> slots;
};

struct Started {
  std::int64_t started_us = 0;
};

struct Log {
  std::uint8_t level = 2;  ///< JH_LOG_*
  std::int64_t time_us = 0;
  std::string text;  ///< UTF-8 (made so by the runner; the host checks again), no trailing newline
};

struct Progress {
  double done = 0;
  double total = 0;  ///< 0: indeterminate
  std::string message;
};

struct Note {
  std::string key;
  std::string json;
};

enum class DoneStatus : std::uint8_t { Succeeded = 0, Failed = 1, Canceled = 2, Suspended = 3 };

struct OutputFile {
  std::string name;  ///< below out/<slot>/
  std::string media_type;
  std::uint64_t size_bytes = 0;
};

/// Ends an attempt. Result or error, by status.
struct Done {
  DoneStatus status = DoneStatus::Succeeded;
  std::uint32_t flags = 0;      ///< kDone*
  std::int64_t started_us = 0;  ///< 0: never started (canceled in the runner's queue)
  std::int64_t finished_us = 0;
  std::uint64_t cpu_us = 0;  ///< of the process, during the attempt
  std::uint64_t peak_rss_bytes = 0;
  std::uint64_t read_bytes = 0;
  std::uint64_t written_bytes = 0;
  std::uint64_t dropped_log_lines = 0;
  std::int32_t error_class = 0;      ///< Failed: core::ErrorClass; else 0
  std::int64_t retry_after_ms = -1;  ///< Failed; Suspended: run it again after so long; negative: none
  std::string error_code;
  std::string error_message;  ///< Failed; Suspended with retry_after_ms: why
  std::string error_details_json;
  std::string result_json;  ///< empty: null
  std::vector<OutputFile> outputs;
};
inline constexpr std::uint32_t kDoneHasWorkFiles = 1;  ///< out/<slot>/ exists: the host moves or removes it
inline constexpr std::uint32_t kDoneLeftThreads = 2;   ///< threads the attempt left behind: recycle the runner
inline constexpr std::uint32_t kDoneRecycle = 4;       ///< the runner asks not to be used again (see the job's log)

enum class Method : std::uint16_t {
  ConfigGet = 1,        ///< body: empty → JSON object
  SecretGet = 2,        ///< body: the name → the value
  ChildSubmit = 16,     ///< body: JSON {type, params, options} → JSON {id}
  ChildWait = 17,       ///< body: JSON {ids, mode: "all"|"any", timeout_ms (-1: none)} → empty, when they have ended
  ChildResult = 18,     ///< body: JSON {id} → JSON {id, type, state, result, error}
  ChildCancel = 19,     ///< body: JSON {id} → empty
  CheckpointSave = 32,  ///< body: the bytes → empty
  CheckpointLoad = 33,  ///< body: empty → the bytes
  HttpFetch = 48,       ///< HttpFetch → HttpFetched; with an error the body is JSON {code, message, class}
  ProcessFind = 56,     ///< body: a program's name → JSON (pool/process_calls.hpp); errors as HttpFetch
  RecordGet = 64,       ///< RecordCall → JSON of the record
  RecordPut = 65,       ///< RecordCall → i64 version
  RecordDelete = 66,    ///< RecordCall → empty
  RecordList = 67,      ///< RecordCall → JSON of the page
  RecordCount = 68,     ///< RecordCall → i64
  KeyGet = 80,          ///< RecordCall → i64 version, then the value's bytes to the end
  KeyPut = 81,          ///< RecordCall → i64 version
  KeyDelete = 82,       ///< RecordCall → empty
  KeyList = 83,         ///< RecordCall → JSON of the page
};

/// The body of the CALL and of the RETURN of HttpFetch. Views into it.
struct HttpFetch {
  std::string_view request_json;
  std::string_view body;  ///< to the end
};
struct HttpFetched {
  std::string_view response_json;
  std::string_view body;  ///< to the end; empty when the JSON names a file
};

/// The body of every call about records and keys; what a method has no use for is empty. Views into the body.
struct RecordCall {
  std::string_view collection;  ///< "books", "com.example.library/books"; of keys "plugin", "type" or "job"
  std::string_view key;
  std::string_view options_json;  ///< of a list or count the query; empty: none
  std::string_view value;
};
inline constexpr std::size_t kMaxRecordOptions = 16 * 1024;

/// The views of decoded ones point into the payload.
struct Call {
  Method method{};
  std::string_view body;
};
struct Return {
  std::int32_t result = 0;  ///< JH_OK or JH_E_*
  std::string_view error;   ///< one sentence when result is not JH_OK
  std::string_view body;
};

/// Also Pong and Drain: nothing but the header.
struct Ping {};
inline void encode(std::string&, const Ping&) {}

struct Credit {
  std::uint64_t bytes = 0;
};
struct Bye {
  std::string reason;
};

#define JOBHOST_WIRE_MESSAGE(Type)                    \
  void encode(std::string& out, const Type& message); \
  [[nodiscard]] bool decode(std::string_view payload, Type& message)
JOBHOST_WIRE_MESSAGE(Hello);
JOBHOST_WIRE_MESSAGE(Welcome);
JOBHOST_WIRE_MESSAGE(Load);
JOBHOST_WIRE_MESSAGE(Loaded);
JOBHOST_WIRE_MESSAGE(LoadFailed);
JOBHOST_WIRE_MESSAGE(Run);
JOBHOST_WIRE_MESSAGE(Cancel);
JOBHOST_WIRE_MESSAGE(SlotList);
JOBHOST_WIRE_MESSAGE(Started);
JOBHOST_WIRE_MESSAGE(Log);
JOBHOST_WIRE_MESSAGE(Progress);
JOBHOST_WIRE_MESSAGE(Note);
JOBHOST_WIRE_MESSAGE(Done);
JOBHOST_WIRE_MESSAGE(Call);
JOBHOST_WIRE_MESSAGE(HttpFetch);
JOBHOST_WIRE_MESSAGE(HttpFetched);
JOBHOST_WIRE_MESSAGE(RecordCall);
JOBHOST_WIRE_MESSAGE(Return);
JOBHOST_WIRE_MESSAGE(Credit);
JOBHOST_WIRE_MESSAGE(Bye);
#undef JOBHOST_WIRE_MESSAGE

}  // namespace jobhost::wire
