/*
 * jobhost plugin ABI, version 1. SPDX-License-Identifier: Apache-2.0
 * This file is all a plugin needs; it is C99 and includes nothing but <stddef.h> and <stdint.h>.
 *
 * Rules of the boundary
 *  1. Only fixed-width integers, double, pointers and structs of those cross it. Enumerations travel as int32_t;
 *     unknown values must be tolerated.
 *  2. A jh_str is {data, len}, UTF-8, not NUL-terminated; {NULL, 0} is empty. Documents are JSON. Times are int64_t
 *     milliseconds since the Unix epoch.
 *  3. Borrowed, never owned: what you receive is valid until the call you are in returns, except where tagged [job]
 *     (until run() returns) or [module] (until the process ends). What you pass is copied before the call returns.
 *     Nothing allocated on one side is freed on the other.
 *  4. No function pointer here may throw.
 *  5. Fallible functions return jh_result: JH_OK or a negative JH_E_*. The text is fetched with last_error(job).
 *  6. Thread tags: [init] during init(); [job-thread] the thread run() was called on; [any] any thread of the plugin;
 *     [async] called by the host on a thread of its own, beside run(). Functions that take a jh_job* are [any] while
 *     run() is active and answer JH_E_MISUSE (or the empty value) with a job that has ended.
 *  7. The first member of every struct except jh_str is uint32_t struct_size, filled by JH_INIT(type). A member lies
 *     beyond what the other side knows when its end is past struct_size: ask with JH_HAS before using it.
 *  8. Structs only grow at the end; ids, codes and meanings are never reused.
 *  9. A plugin exports exactly one symbol, jobhost_plugin_entry_v1, and imports none from jobhost.
 * 10. A plugin changes no process state: signal handlers, umask, working directory, locale, environment, rlimits, atexit.
 */
#ifndef JOBHOST_ABI_H
#define JOBHOST_ABI_H

#include <stddef.h>
#include <stdint.h>

#define JH_ABI_MAJOR 1u
#define JH_ABI_MINOR 1u

#if defined(_WIN32)
#define JH_CALL __cdecl
#define JH_EXPORT __declspec(dllexport)
#else
#define JH_CALL
#define JH_EXPORT __attribute__((visibility("default")))
#endif

#if defined(__cplusplus) && (__cplusplus >= 201703L || (defined(_MSVC_LANG) && _MSVC_LANG >= 201703L))
#define JH_NOEXCEPT noexcept
#else
#define JH_NOEXCEPT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------ results, strings */
typedef int32_t jh_result;
#define JH_OK 0
#define JH_E_FAILED (-1)       /* the work failed; from run(): set_error was called */
#define JH_E_CANCELLED (-2)    /* the job was asked to stop */
#define JH_E_INVALID (-3)      /* an argument is wrong */
#define JH_E_DENIED (-4)       /* not permitted by the manifest or the host's policy */
#define JH_E_NOT_FOUND (-5)
#define JH_E_LIMIT (-6)        /* too large, too many */
#define JH_E_IO (-7)
#define JH_E_TIMEOUT (-8)
#define JH_E_UNSUPPORTED (-9)
#define JH_E_MISUSE (-10)      /* a bug in the plugin: a job that has ended, a closed handle */
#define JH_E_AGAIN (-11)       /* not now: try later */
#define JH_E_SUSPENDED (-12)   /* from run(): run me again when my children have ended, or later: see jh_job_type */
#define JH_E_CONFLICT (-13)    /* 1.1: something is not as it was expected to be; look again */

typedef struct jh_str {
  const char *data;
  size_t len;
} jh_str;

/* One attempt of one job. Opaque, never to be dereferenced; carries a tag the host checks on each call. */
typedef struct jh_job jh_job;

/* jh_error.error_class */
#define JH_CLASS_BAD_INPUT 1   /* the params or inputs are wrong: never retried */
#define JH_CLASS_TRANSIENT 2   /* try again */
#define JH_CLASS_PERMANENT 3   /* trying again cannot help */
#define JH_CLASS_RESOURCE 4    /* memory, disk, quota */
#define JH_CLASS_DENIED 5
#define JH_CLASS_UPSTREAM 6    /* another service failed */
#define JH_CLASS_INTERNAL 9    /* a bug */

typedef struct jh_error {
  uint32_t struct_size;
  int32_t error_class;         /* JH_CLASS_* */
  int64_t retry_after_ms;      /* -1: none. Honoured for classes 2, 4 and 6 within the job's retry policy */
  jh_str code;                 /* stable, machine-readable: "http.404", "pdf.encrypted" */
  jh_str message;              /* for people, one sentence */
  jh_str details_json;         /* a JSON value, or empty */
} jh_error;

/* ------------------------------------------------------------------------------------------------ the host's side */
/* jh_host.flags */
#define JH_HOST_ISOLATED 1u    /* in a process of its own */
#define JH_HOST_SANDBOXED 2u   /* file tree and system calls are restricted */
#define JH_HOST_CHECKER 4u     /* run by the conformance checker */
#define JH_HOST_DEBUG 8u       /* run in the foreground for debugging */

/* cancelled() */
#define JH_CANCEL_NO 0
#define JH_CANCEL_USER 1
#define JH_CANCEL_DEADLINE 2
#define JH_CANCEL_SHUTDOWN 3

/* log() */
#define JH_LOG_TRACE 0
#define JH_LOG_DEBUG 1
#define JH_LOG_INFO 2
#define JH_LOG_WARN 3
#define JH_LOG_ERROR 4
#define JH_LOG_FATAL 5

typedef struct jh_host {       /* [module] lifetime */
  uint32_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t flags;              /* JH_HOST_* */
  /* [any][job] The params: a JSON document, valid against the job type's schema. Empty with a job that has ended. */
  jh_str(JH_CALL *params)(jh_job *job) JH_NOEXCEPT;
  /* [any][job] JSON object: id, type, attempt, max_attempts, deadline_ms, priority, parent, tags, resumed, limits, and
     since 1.1 owner: the id of the principal whose job it is, absent where it is nobody's; and rescues: how often the
     job's host or lease died under an attempt since a caller last retried it. Such an attempt is not counted: the next
     has its number, resumed as that was, and finds what it left outside. Absent from older hosts. */
  jh_str(JH_CALL *info)(jh_job *job) JH_NOEXCEPT;
  /* [any; does not block, about 1 ns] JH_CANCEL_*: whether and why this attempt should stop. */
  int32_t(JH_CALL *cancelled)(jh_job *job) JH_NOEXCEPT;
  /* [any] One line (or a few) of UTF-8 into the job's log; cut at 16 KiB, limited per second with a summary of what was
     dropped. job may be NULL during init(). */
  void(JH_CALL *log)(jh_job *job, int32_t level, jh_str text) JH_NOEXCEPT;
  /* [any] How far the job is. total <= 0: indeterminate. Coalesced to 20 a second; the last value always arrives. NaN,
     infinite and negative numbers count as 0. Answers JH_E_CANCELLED once the job should stop. */
  jh_result(JH_CALL *progress)(jh_job *job, double done, double total, jh_str note) JH_NOEXCEPT;
  /* [any] Sets `key` of the job's notes object to a JSON value, durably; an event; never coalesced, may wait for the
     host. The key is 1 to 255 bytes. */
  jh_result(JH_CALL *note)(jh_job *job, jh_str key, jh_str json) JH_NOEXCEPT;
  /* [any] The job's result, a JSON value; the last call wins. JH_E_LIMIT when it is over the host's limit. */
  jh_result(JH_CALL *set_result)(jh_job *job, jh_str json) JH_NOEXCEPT;
  /* [any] Why the job fails; the last call wins; counts when run() returns JH_E_FAILED, and JH_E_SUSPENDED says what of
     it counts then. */
  jh_result(JH_CALL *set_error)(jh_job *job, const jh_error *error) JH_NOEXCEPT;
  /* [any] Text for the last failing call on this thread; valid until this thread's next call to the host. */
  jh_str(JH_CALL *last_error)(jh_job *job) JH_NOEXCEPT;
  /* [any][module] "jobhost.output/1" and so on; NULL when this host does not have it or does not permit it. */
  const void *(JH_CALL *get_extension)(const char *id)JH_NOEXCEPT;
} jh_host;

/* ------------------------------------------------------------------------------------------------ the plugin's side */
/* jh_job_type.flags */
#define JH_TYPE_REENTRANT 1u   /* several run() at once are allowed */
#define JH_TYPE_IDEMPOTENT 2u  /* running it twice does no harm */

typedef struct jh_job_type {
  uint32_t struct_size;
  uint32_t flags;              /* JH_TYPE_* */
  const char *name;            /* [module] NUL-terminated; must appear in the manifest */
  /* [job-thread] Runs one attempt, however long it takes; polls cancelled(). JH_OK: set_result was called (else the
     result is null); JH_E_FAILED: set_error was called; JH_E_CANCELLED; JH_E_SUSPENDED. Anything else is a failure.
     JH_E_SUSPENDED is no end of the attempt: run() is called again, with "resumed" true in info and the same attempt,
     when the job's children have ended. After set_error with retry_after_ms >= 0 it is not called before so many
     milliseconds (at most 366 days) have gone by either; until then the job is queued and holds no slot, and the
     message says why: it is the job's progress message meanwhile. Nothing else of that error counts. Use it for what
     others decide about, a site's turn or a licence, instead of waiting in run(). Since 1.1: a host of 1.0 calls run()
     again at once. */
  jh_result(JH_CALL *run)(jh_job *job) JH_NOEXCEPT;
} jh_job_type;

typedef struct jh_module {
  uint32_t struct_size;
  uint32_t abi_major;          /* JH_ABI_MAJOR the plugin was built with */
  uint32_t abi_minor;          /* JH_ABI_MINOR the plugin was built with; informational */
  uint32_t abi_min_minor;      /* the lowest minor that has what the plugin uses */
  const void *manifest;        /* [module] address of the embedded note: keeps it linked, checked against the file */
  /* [init] Once, before any job; < 1 s, leaves no thread behind. host stays valid. May be NULL. A refusal says why
     with host->log(NULL, JH_LOG_ERROR, …). */
  jh_result(JH_CALL *init)(const jh_host *host, jh_str plugin_dir) JH_NOEXCEPT;
  /* [job-thread] Best effort, not called on a kill. May be NULL. */
  void(JH_CALL *deinit)(void) JH_NOEXCEPT;
  /* [any][module] The job types by index from 0; NULL past the end. */
  const jh_job_type *(JH_CALL *job_type)(uint32_t index)JH_NOEXCEPT;
  /* [any][module] Plugin-side extensions by id; NULL for an unknown one. May be NULL. */
  const void *(JH_CALL *get_extension)(const char *id)JH_NOEXCEPT;
} jh_module;

/* The one export. Must do nothing but return a static pointer; NULL refuses this host. */
#define JH_ENTRY_SYMBOL "jobhost_plugin_entry_v1"
typedef const jh_module *(JH_CALL *jh_entry_fn)(const jh_host *host)JH_NOEXCEPT;
JH_EXPORT const jh_module *JH_CALL jobhost_plugin_entry_v1(const jh_host *host) JH_NOEXCEPT;

/* ------------------------------------------------------------------------------------------------ jobhost.output/1 */
/* Files a job makes. They become visible together, when the attempt succeeds.
   A name is a relative path with '/' between parts: UTF-8, no control character, no empty, "." or ".." part, no part
   that begins with ".jh-", at most 255 bytes a part, 8 parts, 1024 bytes in all. */
#define JH_EXT_OUTPUT "jobhost.output/1"
typedef struct jh_output jh_output;  /* an output being written; opaque; ended by commit, abort or the end of run() */
typedef struct jh_output_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [any][job] Absolute folder for libraries that want a path. What is written there counts only once published. */
  jh_str(JH_CALL *dir)(jh_job *job) JH_NOEXCEPT;
  /* [any] Begins the output `name`; media_type may be empty. JH_E_INVALID: the name; JH_E_LIMIT: too many. */
  jh_result(JH_CALL *create)(jh_job *job, jh_str name, jh_str media_type, jh_output **out) JH_NOEXCEPT;
  /* [any, one thread at a time for one output] Appends bytes. JH_E_LIMIT: over the job's quota. */
  jh_result(JH_CALL *write)(jh_output *out, const void *data, size_t len) JH_NOEXCEPT;
  /* [any] Finishes it and replaces an earlier output of that name; the handle ends whatever the result. */
  jh_result(JH_CALL *commit)(jh_output *out) JH_NOEXCEPT;
  /* [any] Drops it; the handle ends. */
  jh_result(JH_CALL *abort)(jh_output *out) JH_NOEXCEPT;
  /* [any] Makes the regular file at `name` below dir() an output. json: {"media_type": "…"} or empty. */
  jh_result(JH_CALL *publish)(jh_job *job, jh_str name, jh_str json) JH_NOEXCEPT;
  /* [any] Asks whether `bytes` more fit the job's quota and the disk: JH_OK or JH_E_LIMIT. */
  jh_result(JH_CALL *reserve)(jh_job *job, int64_t bytes) JH_NOEXCEPT;
} jh_output_v1;

/* ------------------------------------------------------------------------------------------------ jobhost.input/1 */
/* Files given to the job: uploads and parents' outputs, read-only, staged before run(). */
#define JH_EXT_INPUT "jobhost.input/1"
typedef struct jh_input jh_input;    /* an open input; opaque; ended by close or the end of run() */
typedef struct jh_input_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [any][job] JSON array of {"name", "media_type", "size_bytes"}. */
  jh_str(JH_CALL *list)(jh_job *job) JH_NOEXCEPT;
  /* [any][job] *path: absolute path of the input `name`, for libraries that want one. JH_E_NOT_FOUND. */
  jh_result(JH_CALL *path)(jh_job *job, jh_str name, jh_str *path) JH_NOEXCEPT;
  /* [any] Opens it for reading. JH_E_NOT_FOUND. */
  jh_result(JH_CALL *open)(jh_job *job, jh_str name, jh_input **in) JH_NOEXCEPT;
  /* [any, one thread at a time for one input] Up to len bytes; *got is 0 at the end. */
  jh_result(JH_CALL *read)(jh_input *in, void *buffer, size_t len, size_t *got) JH_NOEXCEPT;
  jh_result(JH_CALL *size)(jh_input *in, int64_t *bytes) JH_NOEXCEPT;
  jh_result(JH_CALL *close)(jh_input *in) JH_NOEXCEPT;
} jh_input_v1;

/* ------------------------------------------------------------------------------------------------ jobhost.temp/1 */
#define JH_EXT_TEMP "jobhost.temp/1"
typedef struct jh_temp_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [any][job] Absolute path of a private folder, empty at first, wiped when the job ends; counts against the quota. */
  jh_str(JH_CALL *dir)(jh_job *job) JH_NOEXCEPT;
} jh_temp_v1;

/* ------------------------------------------------------------------------------------------------ jobhost.config/1 */
#define JH_EXT_CONFIG "jobhost.config/1"
typedef struct jh_config_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [any][job] The plugin's configuration: a JSON object, valid against config_schema; "{}" when there is none. */
  jh_str(JH_CALL *config)(jh_job *job) JH_NOEXCEPT;
  /* [any][job] A secret the manifest declares. JH_E_DENIED: not declared or not granted; JH_E_NOT_FOUND: not set.
     Never log it; the host redacts it from logs where it can. */
  jh_result(JH_CALL *secret)(jh_job *job, jh_str name, jh_str *value) JH_NOEXCEPT;
} jh_config_v1;

/* ------------------------------------------------------------------------------------------------ jobhost.cancel/1 */
#define JH_EXT_CANCEL "jobhost.cancel/1"
typedef void(JH_CALL *jh_cancel_fn)(void *context, int32_t reason) JH_NOEXCEPT;
typedef struct jh_cancel_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [any] Calls fn once [async] when the job is asked to stop; at once when it already was. fn must be short. */
  jh_result(JH_CALL *on_cancel)(jh_job *job, jh_cancel_fn fn, void *context, uint64_t *token) JH_NOEXCEPT;
  /* [any] Takes it back. When this returns, fn is not running and will not run (from within fn: returns at once). */
  jh_result(JH_CALL *remove)(jh_job *job, uint64_t token) JH_NOEXCEPT;
  /* [any][job] A file descriptor for poll(), readable once the job is asked to stop; never read or close it. -1: none. */
  int64_t(JH_CALL *wait_handle)(jh_job *job) JH_NOEXCEPT;
} jh_cancel_v1;

/* ------------------------------------------------------------------------------------------------ jobhost.http/1 */
/* Since 1.1. HTTP through the host. The manifest names the hosts in permissions.net: "api.example.com", "*.example.com" for
   all below it, or "*"; redirects are held to the same list. Only http and https; no loopback, private or otherwise
   special addresses unless the operator allows them, whatever a name resolves to; limits on time, size, redirects and on
   what one server is asked. Cookies are kept for the attempt. A response is whole or there is none: a small body is in
   memory, a larger one in a file of the job's temp folder, and one that was cut off is an error. */
#define JH_EXT_HTTP "jobhost.http/1"
typedef struct jh_http_response jh_http_response;  /* opaque; ended by close or the end of run() */
typedef struct jh_http_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [any] Sends a request and blocks until its response is whole. request_json: {"url": "https://…", "method": "GET",
     "headers": [["Name", "value"], …], "timeout_ms": n (of all of it), "connect_timeout_ms": n, "max_body_bytes": n,
     "max_redirects": n (0: a redirect is the response), "retries": n (not of POST and PATCH; after 429, 502, 503, 504 and
     broken connections, as Retry-After says), "decompress": true, "cookies": true}; all but url may be left out, and a
     member that the host does not know is JH_E_INVALID; at most 256 KiB. body: with the request up to 16 MiB, not with
     GET and HEAD. At most 256 responses are open at once. A status that says no, 404 or 500, is a response.
     JH_E_INVALID: the request, with the member's name; JH_E_DENIED: the scheme, host or address; JH_E_LIMIT: too large;
     JH_E_TIMEOUT; JH_E_IO: not reached, or broken; JH_E_AGAIN: too much waits already; JH_E_CANCELLED. failure() tells
     more. */
  jh_result(JH_CALL *fetch)(jh_job *job, jh_str request_json, const void *body, size_t len,
                            jh_http_response **response) JH_NOEXCEPT;
  /* [any] Why this thread's last fetch() failed: {"code": "http.timeout", "message", "class": JH_CLASS_*}; empty when it
     did not. Valid until this thread's next fetch(). */
  jh_str(JH_CALL *failure)(jh_job *job) JH_NOEXCEPT;
  /* [any] {"status", "url" (that answered, after redirects), "headers": [["name", "value"], …] (lower case),
     "redirects", "tries", "body_bytes", "wire_bytes", "elapsed_ms", "retry_after_ms" (or null)}. Valid until the response is
     closed; empty when it is. */
  jh_str(JH_CALL *info)(jh_http_response *response) JH_NOEXCEPT;
  /* [any, one thread at a time for one response] Up to len bytes of the body; *got is 0 at its end. */
  jh_result(JH_CALL *read)(jh_http_response *response, void *buffer, size_t len, size_t *got) JH_NOEXCEPT;
  /* [any, as read] *path: a file with the whole body, for libraries that want one. It is gone when the response is
     closed. */
  jh_result(JH_CALL *path)(jh_http_response *response, jh_str *path) JH_NOEXCEPT;
  /* [any, as read] Appends what is left of the body to an output. JH_E_LIMIT: over the job's quota; JH_E_CANCELLED. What
     was appended before an error stays there. */
  jh_result(JH_CALL *save_to)(jh_http_response *response, jh_output *out) JH_NOEXCEPT;
  /* [any] Ends it. */
  jh_result(JH_CALL *close)(jh_http_response *response) JH_NOEXCEPT;
} jh_http_v1;

/* ------------------------------------------------------------------------------------------------ jobhost.process/1 */
/* Since 1.1. Programs of the operator's machine, ffmpeg say, run beside the attempt. The manifest names them in
   permissions.exec; they are looked up in the folders the operator configured, never by path, and no shell is involved.
   Nothing of a process outlives its attempt: it is ended, with all it started, when it is closed, when run() returns, and
   when runner or host die. When the job is asked to stop every process gets SIGTERM, and SIGKILL after its grace_ms.

   Its working directory is the job's temp folder. Its environment is PATH, LANG=C.UTF-8, TMPDIR and what options_json adds. */
#define JH_EXT_PROCESS "jobhost.process/1"
#define JH_STREAM_ANY 0
#define JH_STREAM_OUT 1
#define JH_STREAM_ERR 2
typedef struct jh_process jh_process;  /* opaque; ended by close or the end of run() */
typedef struct jh_process_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [any] Starts argv_json, an array of texts whose first is the program's name; at most 4096 and 1 MiB of them.
     options_json, or empty: {"stdin": "none", "pipe" or {"file": name}, "stdout": "pipe", "none" or {"file": name},
     "stderr": as stdout or "stdout" (into that), "env": {"TZ": "UTC", …} (of an allow-list), "timeout_ms": n (0: none),
     "grace_ms": 1000 (from SIGTERM to SIGKILL; at most 60000), "memory_bytes": n (address space), "cpu_s": n,
     "max_output_bytes": 1073741824 (read from its pipes, and of each file it writes)}. Files are plain names in the temp
     folder. What nobody reads waits in the pipe (64 KiB), and the process with it. JH_E_INVALID: the request;
     JH_E_DENIED: not in permissions.exec; JH_E_NOT_FOUND: no such program here; JH_E_LIMIT: too large, or too many at
     once; JH_E_IO: it cannot be started; JH_E_CANCELLED. failure() tells more. */
  jh_result(JH_CALL *spawn)(jh_job *job, jh_str argv_json, jh_str options_json, jh_process **process) JH_NOEXCEPT;
  /* [any] Why this thread's last spawn() failed: {"code": "process.not_found", "message", "class": JH_CLASS_*}; empty when
     it did not. Valid until this thread's next spawn(). */
  jh_str(JH_CALL *failure)(jh_job *job) JH_NOEXCEPT;
  /* [any, one thread at a time] Writes all of data to its stdin, blocking while the pipe is full. JH_E_IO: it reads no
     more; JH_E_CANCELLED. */
  jh_result(JH_CALL *write)(jh_process *process, const void *data, size_t len) JH_NOEXCEPT;
  /* [any] Ends its stdin. JH_OK too when it was ended. */
  jh_result(JH_CALL *close_input)(jh_process *process) JH_NOEXCEPT;
  /* [any, one thread at a time for one stream] Up to len bytes of a JH_STREAM_*, blocking until there are some; *got is 0 at its
     end. *from (may be NULL): the stream they are of. JH_E_LIMIT: more than max_output_bytes, and the process is ended;
     JH_E_CANCELLED. */
  jh_result(JH_CALL *read)(jh_process *process, int32_t stream, void *buffer, size_t len, size_t *got,
                           int32_t *from) JH_NOEXCEPT;
  /* [any] Blocks until it and all it started have ended. timeout_ms < 0: no limit. *end_json, valid until it is closed:
     {"exit_code": n or null, "signal": n or null, "timed_out", "cpu_ms", "max_rss_kib"}. JH_E_TIMEOUT: it still runs;
     JH_E_CANCELLED. */
  jh_result(JH_CALL *wait)(jh_process *process, int64_t timeout_ms, jh_str *end_json) JH_NOEXCEPT;
  /* [any; does not block] Asks it to end (SIGTERM, then SIGKILL after its grace), or with force ends it with all it
     started. JH_OK too when it has ended. */
  jh_result(JH_CALL *kill)(jh_process *process, int32_t force) JH_NOEXCEPT;
  /* [any] Ends it, when it still runs, and forgets it. */
  jh_result(JH_CALL *close)(jh_process *process) JH_NOEXCEPT;
} jh_process_v1;

/* ------------------------------------------------------------------------------------------------ jobhost.children/1 */
#define JH_EXT_CHILDREN "jobhost.children/1"
#define JH_WAIT_ALL 0
#define JH_WAIT_ANY 1
typedef struct jh_children_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [any] Makes a job below this one. options_json: {"priority": n, "dedupe_key": "…", "queue_key": "…",
     "max_attempts": n, "timeout_ms": n, "delay_ms": n, "tags": […], "on_child_failure": "ignore" or "fail" (this job then
     fails with the child), "after": [ids of jobs that must have ended before the child runs, whatever their outcome;
     since 1.1]} or empty. With a dedupe_key a second submit, also by a later attempt, answers the child made first.
     Without a priority the child has this job's. Children live on when this attempt fails. */
  jh_result(JH_CALL *submit)(jh_job *job, jh_str type, jh_str params_json, jh_str options_json,
                             int64_t *id) JH_NOEXCEPT;
  /* [any] Blocks until all (any) of the n children have ended; n = 0: all children of this job. timeout_ms < 0: no limit.
     JH_E_TIMEOUT, JH_E_CANCELLED; JH_E_LIMIT when nested too deep. Better: save a checkpoint and return JH_E_SUSPENDED
     from run(), which holds no slot while the children run. */
  jh_result(JH_CALL *wait)(jh_job *job, const int64_t *ids, uint32_t n, int32_t mode, int64_t timeout_ms) JH_NOEXCEPT;
  /* [any][job] *json: {"id", "type", "state", "result", "error"} of a child. JH_E_AGAIN while it has not ended. */
  jh_result(JH_CALL *result)(jh_job *job, int64_t id, jh_str *json) JH_NOEXCEPT;
  /* [any] Asks a child to stop. */
  jh_result(JH_CALL *cancel)(jh_job *job, int64_t id) JH_NOEXCEPT;
} jh_children_v1;

/* ------------------------------------------------------------------------------------------------ jobhost.checkpoint/1 */
#define JH_EXT_CHECKPOINT "jobhost.checkpoint/1"
typedef struct jh_checkpoint_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [any] Keeps up to 16 MiB for this job's next attempt, durably; the last one wins. Put a version into it. */
  jh_result(JH_CALL *save)(jh_job *job, const void *data, size_t len) JH_NOEXCEPT;
  /* [any][job] What an earlier attempt (or this one) saved. JH_E_NOT_FOUND: nothing. */
  jh_result(JH_CALL *load)(jh_job *job, const void **data, size_t *len) JH_NOEXCEPT;
} jh_checkpoint_v1;

/* ------------------------------------------------------------------------------------------------ jobhost.records/1 */
/* Since 1.1. Documents in the host's database, by collection and key. The manifest declares the plugin's collections and
   the fields they are found by ("records": {"books": {"indexes": ["url"]}}); another plugin's are named
   "com.example.library/books" and asked for in permissions.records.

   What an attempt writes is seen by itself, by others when it has succeeded or suspended itself: all of it, in the
   transaction that stores its end. It is gone when the attempt ends in any other way. A write with {"now": true} is stored
   before the call returns, and stays.

   A version is a positive number that changes with each write. "expected" names the version there must be: 0 means that
   there must be no such record, JH_VERSION_OWN that this attempt wrote it last and it is not stored yet. What is not as
   expected is JH_E_CONFLICT. Where another attempt changes such a record before this one has ended, this one fails with
   the code "records_conflict", class 2, when it ends; with "records_refused", class 4, where what it wrote is then over
   what the plugin may keep.

   A key is 1 to 512 bytes without control characters, a document at most 1 MiB of JSON. A record may have a parent (any
   text up to 512 bytes) and a sort key (a number, a text up to 512 bytes, or a boolean). An indexed field holds one
   such value or an array of up to 64.

   What these functions answer is valid until this thread's next call to a function of this extension, or its end. Each
   of them may answer JH_E_CANCELLED, and JH_E_AGAIN when the database cannot be reached now. */
#define JH_EXT_RECORDS "jobhost.records/1"
#define JH_VERSION_ANY (-1)
#define JH_VERSION_NONE 0
#define JH_VERSION_OWN (-2)
typedef struct jh_records_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [any] *record_json: {"key", "version", "parent", "sort", "created_ms", "updated_ms", "value"}; parent and sort only
     where there is one. JH_E_NOT_FOUND: no such record; JH_E_INVALID: no such collection; JH_E_DENIED: another
     plugin's, and not permitted. */
  jh_result(JH_CALL *get)(jh_job *job, jh_str collection, jh_str key, jh_str *record_json) JH_NOEXCEPT;
  /* [any] Makes or replaces a record. options_json: {"parent", "sort", "expected", "now"} or empty. *version (may be NULL):
     that of the record; JH_VERSION_OWN until it is stored. JH_E_CONFLICT; JH_E_LIMIT: too large, too much in one attempt,
     or over what the plugin may keep. */
  jh_result(JH_CALL *put)(jh_job *job, jh_str collection, jh_str key, jh_str json, jh_str options_json,
                          int64_t *version) JH_NOEXCEPT;
  /* [any] Removes a record; JH_OK too where there is none. options_json: {"expected", "now"} or empty. */
  jh_result(JH_CALL *del)(jh_job *job, jh_str collection, jh_str key, jh_str options_json) JH_NOEXCEPT;
  /* [any] A page of records, *page_json: {"items": […as get…], "next": "…"}; next only where there are more. query_json:
     {"parent": "…"} the children of one, {"index": "field", "value": …} those that have the value, both in the order of
     sort and key; {"prefix": "…"} or empty: by key. With it "limit" (1 to 1000, else 100; a page of some MiB ends
     earlier), "order" ("asc" or "desc"), "cursor" (the "next" of the page before), "values" (false: without "value").
     JH_E_INVALID: the query, or no such index; JH_E_AGAIN: it is still being built. */
  jh_result(JH_CALL *list)(jh_job *job, jh_str collection, jh_str query_json, jh_str *page_json) JH_NOEXCEPT;
  /* [any] How many records a query without limit, order and cursor is for. */
  jh_result(JH_CALL *count)(jh_job *job, jh_str collection, jh_str query_json, int64_t *n) JH_NOEXCEPT;
} jh_records_v1;

/* ------------------------------------------------------------------------------------------------ jobhost.kv/1 */
/* Since 1.1. Any bytes by key, for ETags, cursors and caches; the manifest asks for it with permissions.kv. Writes, versions
   and conflicts are those of jobhost.records/1. A value has at most 1 MiB. What these functions answer is valid until
   this thread's next call to a function of this extension, or its end. */
#define JH_EXT_KV "jobhost.kv/1"
/* Whose keys. */
#define JH_KV_PLUGIN 0         /* of the plugin's jobs */
#define JH_KV_TYPE 1           /* of jobs of this job's type */
#define JH_KV_JOB 2            /* of this job's attempts; they go with the job */
typedef struct jh_kv_v1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* [any] The value; *version (may be NULL). JH_E_NOT_FOUND: none, or its time is over. */
  jh_result(JH_CALL *get)(jh_job *job, int32_t space, jh_str key, const void **data, size_t *len,
                          int64_t *version) JH_NOEXCEPT;
  /* [any] options_json: {"ttl_ms", "expected", "now"} or empty; without ttl_ms it stays. *version (may be NULL). */
  jh_result(JH_CALL *put)(jh_job *job, int32_t space, jh_str key, const void *data, size_t len, jh_str options_json,
                          int64_t *version) JH_NOEXCEPT;
  /* [any] JH_OK too where there is none. options_json: {"expected", "now"} or empty. */
  jh_result(JH_CALL *del)(jh_job *job, int32_t space, jh_str key, jh_str options_json) JH_NOEXCEPT;
  /* [any] *page_json: {"items": [{"key", "version", "size_bytes", "expires_ms"}], "next"}, by key. query_json: {"prefix",
     "limit", "order", "cursor"} or empty. */
  jh_result(JH_CALL *list)(jh_job *job, int32_t space, jh_str query_json, jh_str *page_json) JH_NOEXCEPT;
} jh_kv_v1;

/* ------------------------------------------------------------------------------------------------ the manifest note */
/* The manifest is JSON in an ELF note: section ".note.jobhost" in a PT_NOTE segment, owner "JobHost", type 1, read by the
   host without loading the file. The descriptor is the JSON text, NUL-terminated (the NUL counts in descsz). A Windows DLL
   has the same bytes in the section ".jhman". */
#if defined(_WIN32)
#define JH_NOTE_SECTION ".jhman"
#else
#define JH_NOTE_SECTION ".note.jobhost"
#endif
#define JH_NOTE_OWNER "JobHost"
#define JH_NOTE_TYPE 1u

/* Defines `static const struct … symbol` holding the note; use once, at file scope, with a string literal:
     JH_MANIFEST_NOTE(my_manifest, "{\"manifest\": 1, …}");
   and set jh_module.manifest = &my_manifest. */
#define JH_MANIFEST_NOTE(symbol, json)                                                              \
  static const struct symbol##_note_s {                                                             \
    uint32_t namesz, descsz, type;                                                                  \
    char name[8];                                                                                   \
    char desc[sizeof(json)];                                                                        \
  } symbol __attribute__((section(JH_NOTE_SECTION), aligned(4), used)) = {8u, sizeof(json), JH_NOTE_TYPE, \
                                                                          JH_NOTE_OWNER, json}

/* manifest_file.h has the same from a file. */

/* ------------------------------------------------------------------------------------------------ helpers */
/* Whether the struct at p (of type `type`) reaches to `member` and the member, a pointer, is set. */
#define JH_HAS(p, type, member) \
  ((p) != NULL && (p)->struct_size >= offsetof(type, member) + sizeof((p)->member) && (p)->member != NULL)

#ifdef __cplusplus
}  // extern "C"

/// A zeroed struct of the ABI with its size filled in.
template <class T>
constexpr T jh_init() JH_NOEXCEPT {
  T value{};
  value.struct_size = static_cast<uint32_t>(sizeof(T));
  return value;
}
#define JH_INIT(type) (::jh_init<type>())
#else
#define JH_INIT(type) ((type){.struct_size = (uint32_t)sizeof(type)})
#endif

#endif /* JOBHOST_ABI_H */
