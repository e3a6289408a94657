"""Job handlers for jobhost in Python, with the standard library alone.

    from jobhost_handler import handler, serve

    @handler("greet")
    def greet(job):
        job.progress(0, 1, "thinking")            # raises Cancelled when the job should stop
        return {"hello": job.params["name"]}      # the job's result

    serve()

This file speaks the runner protocol, version 1, on file descriptor 3 (docs/protocol.md of jobhost says it byte by
byte). Handlers run in the main thread, one job at a time; a second thread reads what the host says. All methods of Job
may be called from any thread while the handler runs.
"""

import collections
import errno
import faulthandler
import io
import json
import mmap
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import struct
import sys
import threading
import time
import traceback

__all__ = ["handler", "serve", "Job", "JobError", "BadInput", "Cancelled", "CallFailed", "Conflict", "FetchFailed", "ProcessFailed", "OWN_VERSION",
           "BAD_INPUT", "TRANSIENT", "PERMANENT", "RESOURCE", "DENIED", "UPSTREAM", "INTERNAL"]

# Why a job failed; decides whether it is tried again.
BAD_INPUT, TRANSIENT, PERMANENT, RESOURCE, DENIED, UPSTREAM, INTERNAL = 1, 2, 3, 4, 5, 6, 9

TRACE, DEBUG, INFO, WARN, ERROR, FATAL = range(6)

_HELLO, _WELCOME, _LOAD, _LOADED, _LOAD_FAILED, _RUN, _CANCEL, _RECALL, _RECALLED, _DONE, _CALL, _RETURN, _PING, _PONG, \
    _CREDIT, _DRAIN, _BYE = range(0x8001, 0x8012)
_LOG, _PROGRESS, _NOTE, _STARTED = range(1, 5)
_NAMES = dict(enumerate("HELLO WELCOME LOAD LOADED LOAD_FAILED RUN CANCEL RECALL RECALLED DONE CALL RETURN PING PONG CREDIT "
                        "DRAIN BYE".split(), 0x8001)) | dict(enumerate("LOG PROGRESS NOTE STARTED".split(), 1))

_MORE = 1
_MAGIC = 0x31524A48
_PAGE_MAGIC = 0x31504A48
_HEADER = struct.Struct("<IHHII")
_MAX_PAYLOAD = 1 << 20
_CHUNK = 256 << 10
_MAX_PARTS_BYTES = 64 << 20
_MAX_PARTS = 8
_FOREVER_MS = -1

_SUCCEEDED, _FAILED, _CANCELED, _SUSPENDED = range(4)
_E_CANCELLED, _E_DENIED, _E_NOT_FOUND, _E_TIMEOUT, _E_AGAIN, _E_CONFLICT = -2, -4, -5, -8, -11, -13

OWN_VERSION = -2  # of what this attempt wrote and the host has not stored

_handlers = {}


class Cancelled(BaseException):
    """The job was asked to stop. Not an Exception, so that `except Exception` does not swallow it."""


class _Suspend(BaseException):
    def __init__(self, again_in_s=None, reason=""):
        super().__init__(reason)
        self.again_in_s, self.reason = again_in_s, reason


class JobError(Exception):
    """Ends the job as failed. `error_class` is one of BAD_INPUT … INTERNAL; `details` is anything JSON can say."""

    def __init__(self, error_class, code, message, details=None, retry_after_s=None):
        super().__init__(message)
        self.error_class, self.code, self.details, self.retry_after_s = error_class, code, details, retry_after_s


class BadInput(JobError):
    """The params or inputs are wrong: never tried again."""

    def __init__(self, message, details=None):
        super().__init__(BAD_INPUT, "bad_input", message, details)


class CallFailed(JobError):
    """The host did not do what it was asked for. `result` is the negative number of the protocol."""

    def __init__(self, result, message):
        super().__init__({_E_DENIED: DENIED, _E_AGAIN: TRANSIENT, _E_CONFLICT: TRANSIENT}.get(result, PERMANENT),
                         "call_failed", message)
        self.result = result


class FetchFailed(JobError):
    """There is no response. `code` ("http.timeout", "http.address_denied") and the class are the host's; a job that lets it
    pass fails with them."""

    def __init__(self, result, message, answer):
        try:
            told = json.loads(answer)
        except ValueError:
            told = {}
        super().__init__(told.get("class", INTERNAL), told.get("code", "http.internal"), told.get("message", message))
        self.result = result


class ProcessFailed(FetchFailed):
    """A program was not started, or says too much: `code` is "process.not_permitted", "process.not_found", …"""


class ProcessEnd:
    """How a program ended; exit_code is None when a signal did it. Of Job.run() with `out` and `err`, bytes."""

    def __init__(self, told):
        self.exit_code, self.signal, self.timed_out = told["exit_code"], told["signal"], told["timed_out"]
        self.cpu_ms, self.max_rss_kib = told["cpu_ms"], told["max_rss_kib"]
        self.out = self.err = b""

    @property
    def ok(self):
        return self.exit_code == 0 and not self.timed_out


class Process:
    """A program that runs, under a keeper that ends it with all it started (docs/protocol.md, "Programs"). A context manager:
    it is ended when the block is left. `stdin`, `stdout` and `stderr` are files where they were asked to be pipes."""

    def __init__(self, job, found, argv, options):
        streams = {0: options.get("stdin", "none"), 1: options.get("stdout", "pipe"), 2: options.get("stderr", "pipe")}
        self._job, self._told, self.stdin, self.stdout, self.stderr = job, b"", None, None, None
        self._end = None
        ours, theirs = socket.socketpair()
        pipes = [subprocess.PIPE if streams[number] == "pipe" else subprocess.DEVNULL for number in range(3)]
        try:
            self._keeper = subprocess.Popen([found["keeper"], f"--keep={theirs.fileno()}"], stdin=pipes[0], stdout=pipes[1],
                                            stderr=pipes[2], env=dict(one.split("=", 1) for one in found["environment"]),
                                            pass_fds=(theirs.fileno(),), start_new_session=True)
        except OSError as error:
            ours.close()
            raise JobError(RESOURCE, "process.not_started", f"{found['keeper']}: {error.strerror}") from None
        finally:
            theirs.close()
        self._socket = ours
        self.stdin, self.stdout, self.stderr = self._keeper.stdin, self._keeper.stdout, self._keeper.stderr
        job._processes.append(self)
        request = {"argv": argv, "options": options, "temp": job.temp_dir, "program": found["program"],
                   "search_path": found["search_path"], "environment": found["environment"]}
        self._socket.sendall(_json(request).encode() + b"\n")
        first = self._line(None)
        if first is None or "started" not in first:
            self.close()
            if first is None:
                raise JobError(RESOURCE, "process.not_started", "its keeper ended")
            raise ProcessFailed(first["result"], "", json.dumps(first["failed"]))

    def _line(self, deadline):
        """The keeper's next line; None at its end. Raises TimeoutError, Cancelled."""
        while b"\n" not in self._told:
            left = None if deadline is None else max(0, deadline - time.monotonic())
            ready = select.select([self._socket, self._job._cancel_file()], [], [], left)[0]
            self._job.check()
            if not ready:
                raise TimeoutError("it still runs")
            data = self._socket.recv(4096)
            if not data:
                return None
            self._told += data
        line, self._told = self._told.split(b"\n", 1)
        return json.loads(line)

    def wait(self, timeout_s=None):
        """Until it and all it started have ended. Answers a ProcessEnd; raises TimeoutError, Cancelled."""
        if self._end is None:
            told = self._line(None if timeout_s is None else time.monotonic() + timeout_s)
            if told is None:
                raise JobError(RESOURCE, "process.lost", "its keeper was ended, and nobody knows how it ended")
            self._end = told["ended"]
        return ProcessEnd(self._end)

    def _order(self, what):
        try:
            self._socket.send(what)
        except OSError:
            pass

    def end(self, force=False):
        """Asks it to end, with SIGTERM and after its grace SIGKILL; with force ends it at once."""
        self._order(b"K" if force else b"T")

    def close(self):
        """Ends it; after a cancel with the grace it has."""
        if self in self._job._processes:
            self._job._processes.remove(self)
            self._order(b"T" if self._job._cancel else b"K")
            for pipe in (self.stdin, self.stdout, self.stderr):
                if pipe:
                    try:
                        pipe.close()
                    except OSError:
                        pass
            self._keeper.wait()
            self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Response:
    """What Job.fetch() answers, whole. A context manager: a large body lies in a file that goes with close()."""

    def __init__(self, info, body, path):
        self.info = info
        self.status = info["status"]
        self.url = info["url"]
        self.headers = info["headers"]
        self._path = path
        self._file = open(path, "rb") if path else io.BytesIO(body)

    @property
    def ok(self):
        return 200 <= self.status < 300

    def header(self, name, default=None):
        """The first header of that name, in lower case."""
        return next((value for one, value in self.headers if one == name), default)

    def require_ok(self):
        """Itself, or JobError with the code "http.404" and a class that says whether trying again can help."""
        if self.ok:
            return self
        upstream = self.status in (408, 429) or self.status >= 500 or self.status < 400
        wait = self.info["retry_after_ms"]
        self.close()
        raise JobError(DENIED if self.status in (401, 403) else UPSTREAM if upstream else PERMANENT, f"http.{self.status}",
                       f"{self.url.split('?')[0]} answered {self.status}", retry_after_s=None if wait is None else wait / 1000)

    def read(self, size=-1):
        return self._file.read(size)

    def close(self):
        self._file.close()
        if self._path:
            try:
                os.unlink(self._path)
            except FileNotFoundError:
                pass
            self._path = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Conflict(CallFailed):
    """A record has not the version it was expected to have. Trying the job again may help."""


def handler(job_type):
    """Makes the function below handle jobs of this type. It takes a Job and returns the result."""

    def register(function):
        if job_type in _handlers:
            raise ValueError(f'two handlers for "{job_type}"')
        _handlers[job_type] = function
        return function

    return register


# ------------------------------------------------------------------------------------------------- fields and frames

def _str(text):
    data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    return struct.pack("<I", len(data)) + data


class _Fields:
    """Reads the fields of a payload; bytes behind what is asked for are ignored."""

    def __init__(self, payload):
        self.payload, self.at = payload, 0

    def take(self, layout):
        values = struct.unpack_from("<" + layout, self.payload, self.at)
        self.at += struct.calcsize("<" + layout)
        return values if len(values) > 1 else values[0]

    def bytes(self):
        size = self.take("I")
        if size > len(self.payload) - self.at:
            raise struct.error("a string reaches behind the payload")
        self.at += size
        return self.payload[self.at - size:self.at]

    def str(self):
        return self.bytes().decode("utf-8", "replace")

    def left(self):
        """Whether more follows: an older host's frames end sooner."""
        return self.at < len(self.payload)


class _ProtocolError(Exception):
    pass


class _Frames:
    """Cuts what comes from the socket into messages."""

    def __init__(self, connection):
        self.connection, self.buffer, self.parts = connection, bytearray(), {}

    def _fill(self, size):
        while len(self.buffer) < size:
            data = self.connection.recv(128 << 10)
            if not data:
                raise EOFError
            self.buffer += data

    def next(self):
        """(type, id, job, payload) of the next message that is known. Raises EOFError when the host is gone."""
        while True:
            self._fill(_HEADER.size)
            size, kind, flags, number, job = _HEADER.unpack_from(self.buffer)
            if size > _MAX_PAYLOAD:
                raise _ProtocolError(f"a frame of {size} bytes")
            self._fill(_HEADER.size + size)
            payload = bytes(self.buffer[_HEADER.size:_HEADER.size + size])
            del self.buffer[:_HEADER.size + size]
            if kind not in _NAMES:
                if kind & 0x8000:
                    raise _ProtocolError(f"unknown mandatory frame type {kind:#x}")
                continue
            if flags & ~_MORE:
                raise _ProtocolError(f"unknown frame flags {flags:#x}")
            key = (kind, number, job)
            if flags & _MORE:
                part = self.parts.setdefault(key, bytearray())
                part += payload
                if len(self.parts) > _MAX_PARTS or sum(map(len, self.parts.values())) > _MAX_PARTS_BYTES:
                    raise _ProtocolError("too much of a message in parts")
                continue
            return kind, number, job, bytes(self.parts.pop(key, b"")) + payload


def _frame(kind, number, job, payload):
    frames = []
    while len(payload) > _MAX_PAYLOAD or (frames and len(payload) > _CHUNK):
        frames.append(_HEADER.pack(_CHUNK, kind, _MORE, number, job) + payload[:_CHUNK])
        payload = payload[_CHUNK:]
    frames.append(_HEADER.pack(len(payload), kind, 0, number, job) + payload)
    return b"".join(frames)


class _Page:
    """The status page on descriptor 4. Optional: it tells of a cancel at once, and a crash report of what ran."""

    def __init__(self):
        self.memory = None
        try:
            memory = mmap.mmap(4, 4096)
            if struct.unpack_from("<I", memory, 0)[0] == _PAGE_MAGIC:
                self.memory = memory
            os.set_inheritable(4, False)
        except (OSError, ValueError):
            pass

    def cancel_of(self, slot):
        word = struct.unpack_from("<Q", self.memory, 8)[0] if self.memory else 0
        return word & 0xFF if word >> 8 == slot else 0

    def show(self, phase, run=None):
        if self.memory:
            struct.pack_into("<II", self.memory, 32, run.slot if run else 0, run.attempt if run else 0)
            struct.pack_into("<Q", self.memory, 24, run.id if run else 0)
            struct.pack_into("<I", self.memory, 56, phase)


# -------------------------------------------------------------------------------------------------------- the session

class _Session:
    def __init__(self, connection):
        self.connection, self.frames, self.page = connection, _Frames(connection), _Page()
        self.sending = threading.Lock()
        self.changed = threading.Condition()  # guards what follows; told of every change
        self.queue = collections.deque()
        self.current = None
        self.draining = False
        self.credit = 0
        self.calls = {}
        self.next_call = 0
        self.later = threading.Condition()  # guards what follows
        self.due = None  # (when, the job whose progress goes out then)
        self.telling = None  # the job whose progress goes out now

    def send(self, kind, payload=b"", number=0, job=0):
        with self.sending:
            self.connection.sendall(_frame(kind, number, job, payload))

    def expect(self, kind):
        got, _, _, payload = self.frames.next()
        if got == _BYE:
            os._exit(0)
        if got != kind:
            raise _ProtocolError(f"{_NAMES[got]} came where {_NAMES[kind]} was expected")
        return _Fields(payload)

    def shake_hands(self):
        self.send(_HELLO, struct.pack("<IHHIIIQ", _MAGIC, 1, 1, os.getpid(), 1, 0, 0) + _str("jobhost_handler.py 1.0"))
        welcome = self.expect(_WELCOME)
        if welcome.take("H") != 1:
            raise _ProtocolError("the host does not speak version 1 of the protocol")
        welcome.take("Q")
        self.host_version, self.work_dir = welcome.str(), welcome.str()
        welcome.take("BI")
        self.max_result, self.max_output_bytes, self.max_outputs, self.max_line, self.lines_per_s, self.burst, \
            self.progress_per_s, self.credit = welcome.take("QQIIIIIQ")
        load = self.expect(_LOAD)
        load.str()
        self.plugin_dir = load.str()
        self.manifest = json.loads(load.bytes() or b"{}")

    def start_threads(self):
        # Both stay: a thread that came and went with a job would look like one the job left behind.
        for target in (self.read, self.tell):
            threading.Thread(target=target, name="jobhost", daemon=True).start()

    def read(self):
        try:
            while True:
                self.handle(*self.frames.next())
        except (EOFError, OSError):
            _leave(0, self.page)  # the host is gone: nothing of this process may stay
        except (_ProtocolError, struct.error, ValueError) as error:
            print(f"jobhost_handler: protocol: {error}", file=sys.stderr, flush=True)
            _leave(70, self.page)

    def tell(self):
        while True:
            with self.later:
                while self.due is None or self.due[0] > time.monotonic():
                    self.later.wait(self.due and max(0.0, self.due[0] - time.monotonic()))
                (_, self.telling), self.due = self.due, None
            try:
                self.telling._send_progress()
            except OSError:
                return  # the host is gone, which ends the process where it is read
            finally:
                with self.later:
                    self.telling = None
                    self.later.notify_all()

    def tell_later(self, job, when):
        with self.later:
            if self.due is None:
                self.due = when, job
                self.later.notify_all()

    def tell_no_more(self, job):
        """Nothing of the job is sent by another thread once this returns."""
        with self.later:
            if self.due and self.due[1] is job:
                self.due = None
            self.later.wait_for(lambda: self.telling is not job)

    def handle(self, kind, number, slot, payload):
        fields = _Fields(payload)
        if kind == _RUN:
            job = Job(self, slot, fields)
            with self.changed:
                self.queue.append(job)
                self.changed.notify_all()
        elif kind == _CANCEL:
            self.cancel(slot, fields.take("B"))
        elif kind == _RECALL:
            count = fields.take("I")
            wanted = {fields.take("I") for _ in range(count)}
            with self.changed:
                given = [job.slot for job in self.queue if not wanted or job.slot in wanted]
                self.queue = collections.deque(job for job in self.queue if job.slot not in given)
                self.changed.notify_all()
            self.send(_RECALLED, struct.pack(f"<I{len(given)}I", len(given), *given), number)
        elif kind == _RETURN:
            with self.changed:
                if number in self.calls:
                    self.calls[number] = (fields.take("i"), fields.str(), fields.bytes())
                    self.changed.notify_all()
        elif kind == _PING:
            self.send(_PONG, number=number)
        elif kind == _CREDIT:
            with self.changed:
                self.credit += fields.take("Q")
                self.changed.notify_all()
        elif kind in (_DRAIN, _BYE):
            with self.changed:
                if kind == _BYE:
                    if self.current:
                        _leave(0, self.page)
                    self.queue.clear()
                self.draining = True
                self.changed.notify_all()
        elif kind != _PONG:
            raise _ProtocolError(f"{_NAMES[kind]} came, which is not the host's to send")

    def cancel(self, slot, reason):
        waiting = None
        with self.changed:
            if self.current and self.current.slot == slot:
                self.current._asked_to_stop(reason)
                self.changed.notify_all()
            else:
                waiting = next((job for job in self.queue if job.slot == slot), None)
                if waiting:
                    self.queue.remove(waiting)
        if waiting:
            self.send(_DONE, _done(_CANCELED, finished_us=_now_us()), job=slot)

    def send_credited(self, kind, payload, slot, wait_while):
        """Sends once there is credit. False: there was none and `wait_while` said not to wait for it."""
        with self.changed:
            while self.credit <= 0:
                if not wait_while():
                    return False
                self.changed.wait()
            self.credit -= _HEADER.size + len(payload)
        self.send(kind, payload, job=slot)
        return True

    def next_job(self):
        with self.changed:
            self.changed.wait_for(lambda: self.queue or self.draining)
            self.current = self.queue.popleft() if self.queue else None
            return self.current

    def call(self, job, method, body, interruptible=False):
        with self.changed:
            self.next_call += 1
            number = self.next_call
            self.calls[number] = None
        try:
            self.send(_CALL, struct.pack("<H", method) + _str(body), number, job.slot)
            with self.changed:
                self.changed.wait_for(lambda: self.calls[number] or (interruptible and job._cancel))
                answer = self.calls[number]
        finally:
            with self.changed:
                del self.calls[number]
        if answer is None or answer[0] == _E_CANCELLED:
            raise Cancelled
        return answer


def _json(value):
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _leave(code, page):
    page.show(5)
    if os.getpgrp() == os.getpid():  # what a handler started goes too
        os.killpg(0, signal.SIGKILL)
    os._exit(code)


def _now_us():
    return time.time_ns() // 1000


def _done(status, flags=0, started_us=0, finished_us=0, usage=(0, 0, 0, 0), dropped=0, error=None, result=b"", outputs=()):
    error_class, retry_after_ms, code, message, details = error or (0, -1, "", "", "")
    payload = struct.pack("<BIqqQQQQQiq", status, flags, started_us, finished_us, *usage, dropped, error_class, retry_after_ms)
    payload += _str(code) + _str(message) + _str(details) + _str(result) + struct.pack("<I", len(outputs))
    return payload + b"".join(_str(name) + _str(media_type) + struct.pack("<Q", size) for name, media_type, size in outputs)


# ----------------------------------------------------------------------------------------------------------- the job

Input = collections.namedtuple("Input", "name media_type size path")


class _Output:
    """A file that is written. Part of the job's outputs once it is closed, or left without an exception by `with`."""

    def __init__(self, job, name, media_type, mode, **options):
        self._job, self._name, self._media_type = job, name, media_type
        job._outputs_begun += 1
        self._part = os.path.join(job.output_dir, f".jh-{job._outputs_begun}.part")
        self._file = open(self._part, mode.replace("w", "x"), **options)
        job._open_outputs.add(self)

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close() if kind is None else self.abort()

    def close(self):
        if self not in self._job._open_outputs:
            return
        self._file.close()
        path = os.path.join(self._job.output_dir, self._name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.replace(self._part, path)
        self._job._open_outputs.discard(self)
        self._job._outputs[self._name] = (self._media_type, os.stat(path).st_size)
        self._job._check_output_size()

    def abort(self):
        if self in self._job._open_outputs:
            self._job._open_outputs.discard(self)
            self._file.close()
            os.unlink(self._part)


def _check_output_name(name):
    parts = name.split("/")
    control = any(ord(c) < 0x20 or ord(c) == 0x7F or c == "\\" for c in name)
    if not name or len(name.encode()) > 1024 or control or len(parts) > 8:
        raise ValueError(f"no name of an output: {name!r}")
    for part in parts:
        if part in ("", ".", "..") or part.startswith(".jh-") or len(part.encode()) > 255:
            raise ValueError(f"no name of an output: {name!r}")


class Job:
    """One attempt at a job. Ends with the handler's return: nothing of it may be used afterwards."""

    def __init__(self, session, slot, fields):
        self._session, self.slot = session, slot
        self.id, self.attempt, self.max_attempts, self._type_index, flags, self.priority, self.deadline_us, \
            self.parent_id, self.root_id = fields.take("QIIIIiqQQ")
        self.resumed = bool(flags & 2)  # the attempt before was suspended
        self.tags = json.loads(fields.bytes() or b"[]")
        fields.bytes()
        self._params_json = fields.bytes()
        folder = os.path.join(session.work_dir, "in", str(slot))
        self.inputs = {}
        for _ in range(fields.take("I")):
            name, media_type, size = fields.str(), fields.str(), fields.take("Q")
            self.inputs[name] = Input(name, media_type, size, os.path.join(folder, name))
        self.owner = fields.str() if fields.left() else ""  # the principal's id; "": none
        self.rescues = fields.take("I") if fields.left() else 0  # attempts lost with their host or lease
        self.params = None
        self._cancel = 0
        self._lock = threading.Lock()
        self._progress, self._progress_sent = None, 0.0
        self._log_tokens, self._log_time, self._dropped = float(session.burst), time.monotonic(), 0
        self._outputs, self._open_outputs, self._outputs_begun = {}, set(), 0
        self._output_dir = self._temp_dir = None
        self._processes = []
        self._cancel_pipe = None

    # -- cancel

    def _cancel_file(self):
        """Readable once the job should stop, for select()."""
        with self._lock:
            if self._cancel_pipe is None:
                self._cancel_pipe = os.pipe()
                if self._cancel:
                    os.write(self._cancel_pipe[1], b"x")
            return self._cancel_pipe[0]

    def _asked_to_stop(self, reason):
        with self._lock:
            if not self._cancel and self._cancel_pipe:
                os.write(self._cancel_pipe[1], b"x")
            self._cancel = self._cancel or reason
            processes = list(self._processes)
        for process in processes:
            process._order(b"T")

    @property
    def cancelled(self):
        """0, or why the job should stop: 1 a user asks, 2 its time is over, 3 the host shuts down."""
        return self._cancel or self._session.page.cancel_of(self.slot)

    def check(self):
        """Raises Cancelled when the job should stop. Call it often: what does not stop is killed."""
        if self.cancelled:
            raise Cancelled

    def wait(self, seconds):
        """Sleeps; raises Cancelled as soon as the job should stop."""
        with self._session.changed:
            self._session.changed.wait_for(lambda: self._cancel, seconds)
        self.check()

    # -- what it says

    def progress(self, done, total=0, message=""):
        """How far it is; `total` 0: nobody knows. Raises Cancelled. May be called as often as one likes."""
        self.check()
        payload = struct.pack("<dd", *(max(0.0, min(float(n), 1e300)) if n == n else 0.0 for n in (done, total))) + _str(message)
        gap = 1.0 / max(1, self._session.progress_per_s)
        with self._lock:
            self._progress = payload
            when = self._progress_sent + gap
        if when > time.monotonic():
            self._session.tell_later(self, when)
        else:
            self._send_progress()

    def _send_progress(self):
        with self._lock:
            payload, self._progress = self._progress, None
            if payload:
                self._progress_sent = time.monotonic()
        if payload:
            self._session.send_credited(_PROGRESS, payload, self.slot, lambda: False)

    def log(self, level, text):
        """A line, or several, of the job's log. More than the host takes are dropped and counted."""
        for line in str(text).splitlines() or [""]:
            with self._lock:
                now = time.monotonic()
                self._log_tokens = min(self._session.burst,
                                       self._log_tokens + (now - self._log_time) * self._session.lines_per_s)
                self._log_time = now
                if self._log_tokens < 1:
                    self._dropped += 1
                    continue
                self._log_tokens -= 1
            data = line.encode("utf-8", "replace")[:self._session.max_line].decode("utf-8", "ignore")
            self._session.send_credited(_LOG, struct.pack("<Bq", level, _now_us()) + _str(data), self.slot,
                                        lambda: not self._cancel)

    def debug(self, text):
        self.log(DEBUG, text)

    def info(self, text):
        self.log(INFO, text)

    def warn(self, text):
        self.log(WARN, text)

    def error(self, text):
        self.log(ERROR, text)

    def note(self, key, value):
        """Sets one member of the job's notes, which clients see at once and keep."""
        if not 1 <= len(key.encode()) <= 255:
            raise ValueError("a note's key has 1 to 255 bytes")
        self._session.send_credited(_NOTE, _str(key) + _str(_json(value)), self.slot, lambda: True)

    # -- files

    @property
    def output_dir(self):
        """A folder to write outputs into; each counts once it was published."""
        if self._output_dir is None:
            path = os.path.join(self._session.work_dir, "out", str(self.slot))
            os.makedirs(path, exist_ok=True)
            self._output_dir = path
        return self._output_dir

    def output(self, name, media_type="", mode="wb", **options):
        """Opens a file that becomes an output of the job: with job.output("a.csv", "text/csv", "w") as f: …"""
        _check_output_name(name)
        if "w" not in mode:
            raise ValueError("an output is opened for writing")
        return _Output(self, name, media_type, mode, **options)

    def publish(self, name, media_type=""):
        """Makes a file that lies in output_dir an output."""
        _check_output_name(name)
        self._outputs[name] = (media_type, os.stat(os.path.join(self.output_dir, name), follow_symlinks=False).st_size)
        self._check_output_size()

    def _check_output_size(self):
        session = self._session
        if len(self._outputs) > session.max_outputs or sum(s for _, s in self._outputs.values()) > session.max_output_bytes:
            raise JobError(RESOURCE, "output_limit", f"more than {session.max_outputs} outputs or "
                                                     f"{session.max_output_bytes} bytes of them")

    @property
    def temp_dir(self):
        """A folder that is removed with all in it when the handler returns."""
        if self._temp_dir is None:
            path = os.path.join(self._session.work_dir, "tmp", str(self.slot))
            os.makedirs(path, mode=0o700, exist_ok=True)
            self._temp_dir = path
        return self._temp_dir

    @property
    def plugin_dir(self):
        """A folder of the plugin's own that stays."""
        return self._session.plugin_dir

    # -- what it asks of the host

    def _json_call(self, method, body, interruptible=False):
        result, error, answer = self._session.call(self, method, json.dumps(body), interruptible)
        if result == _E_TIMEOUT:
            raise TimeoutError(error)
        if result < 0:
            raise CallFailed(result, error)
        return json.loads(answer) if answer else None

    def _call(self, method, body=b"", missing=None):
        result, error, answer = self._session.call(self, method, body)
        if result == missing:
            return None
        if result < 0:
            raise CallFailed(result, error)
        return answer

    def config(self):
        """What an operator configured for the plugin."""
        return json.loads(self._call(1))

    def secret(self, name):
        return self._call(2, name).decode()

    def fetch(self, url, method="GET", headers=None, body=b"", **options):
        """Fetches through the host and answers a Response when it is whole; a status that says no is one too. The manifest
        names the hosts in permissions.net. Options: timeout_ms, connect_timeout_ms, max_body_bytes, max_redirects,
        retries, decompress, cookies. Raises FetchFailed, Cancelled."""
        if isinstance(headers, dict):
            headers = list(headers.items())
        request = _json({"url": url, "method": method, "headers": [list(one) for one in headers or []], **options})
        folder = self.temp_dir  # large bodies come there
        result, error, answer = self._session.call(self, 48, _str(request) + body, True)
        if result < 0:
            raise FetchFailed(result, error, answer)
        length = struct.unpack_from("<I", answer)[0]
        info = json.loads(answer[4:4 + length])
        name = info.get("file")
        return Response(info, answer[4 + length:], os.path.join(folder, name) if name else None)

    def spawn(self, argv, **options):
        """Starts a program that the manifest's permissions.exec names and answers a Process. Options: stdin ("none", "pipe"
        or {"file": name}), stdout, stderr, env, timeout_ms, grace_ms, memory_bytes, cpu_s, max_output_bytes, as
        jobhost.process/1 has them; files are plain names in temp_dir. Raises ProcessFailed, Cancelled."""
        folder = self.temp_dir  # where it runs
        if not folder or not argv or not all(isinstance(one, str) for one in argv):
            raise ValueError("argv is a list of str that begins with the program's name")
        result, error, answer = self._session.call(self, 56, argv[0].encode(), True)
        if result < 0:
            raise ProcessFailed(result, error, answer)
        found = json.loads(answer)
        if len(self._processes) >= found["most"]:
            raise JobError(PERMANENT, "process.too_many", f"the attempt runs {found['most']} processes already")
        return Process(self, found, list(argv), options)

    def run(self, argv, input=None, **options):
        """Runs a program to its end and answers a ProcessEnd with what it said, at most max_output_bytes (16 MiB) of it.
        Options as of spawn()."""
        most = options.setdefault("max_output_bytes", 16 << 20)
        name = None
        if input is not None:
            name = f".input-{time.monotonic_ns()}"
            with open(os.path.join(self.temp_dir, name), "wb") as file:
                file.write(input)
            options["stdin"] = {"file": name}
        with self.spawn(argv, **options) as process:
            if name:
                os.unlink(os.path.join(self.temp_dir, name))
            said = {pipe: bytearray() for pipe in (process.stdout, process.stderr) if pipe}
            left = set(said)
            while left:
                ready = select.select([*left, self._cancel_file()], [], [])[0]
                self.check()
                for pipe in left.intersection(ready):
                    data = os.read(pipe.fileno(), 64 << 10)
                    if not data:
                        left.remove(pipe)
                    said[pipe] += data
                if sum(map(len, said.values())) > most:
                    raise JobError(PERMANENT, "process.output_limit", f"{argv[0]} wrote more than {most} bytes")
            end = process.wait()
        end.out, end.err = bytes(said.get(process.stdout, b"")), bytes(said.get(process.stderr, b""))
        return end

    def submit(self, job_type, params=None, **options):
        """Makes a child job and answers its id. Options: priority, delay_ms, … of the API's submit."""
        return self._json_call(16, {"type": job_type, "params": {} if params is None else params, "options": options})["id"]

    def wait_for(self, ids, mode="all", timeout_s=None):
        """Until all (or "any") of the children have ended. Raises TimeoutError, Cancelled."""
        self._json_call(17, {"ids": list(ids), "mode": mode,
                             "timeout_ms": _FOREVER_MS if timeout_s is None else int(timeout_s * 1000)}, True)

    def child_result(self, child):
        """{"id", "type", "state", "result", "error"} of a child; None while it has not ended."""
        answer = self._call(18, json.dumps({"id": child}), missing=_E_AGAIN)
        return None if answer is None else json.loads(answer)

    def cancel_child(self, child):
        self._json_call(19, {"id": child})

    def save_checkpoint(self, data):
        """Bytes, at most 16 MiB, that the next attempt gets from load_checkpoint()."""
        self._call(32, data)

    def load_checkpoint(self):
        return self._call(33, missing=_E_NOT_FOUND)

    def records(self, collection):
        """A collection the manifest declares, or another plugin's as "com.example.library/books"."""
        return Records(self, collection)

    def kv(self, space="plugin"):
        """Bytes by key, of the plugin, of jobs of this "type" or of this "job". Needs permissions.kv."""
        return Keys(self, space)

    def suspend(self):
        """Ends this attempt; the handler is called again when the children have ended. Does not return."""
        raise _Suspend

    def run_again_in(self, seconds, reason=""):
        """Ends this run; the handler is called again, `resumed` true, in so many seconds (and when the children have
        ended). No slot is held meanwhile, the attempt stays the same, and `reason` shows as its progress message.
        Does not return."""
        raise _Suspend(max(0, seconds), reason)

    # -- its end

    def _clean_up(self):
        self._session.tell_no_more(self)
        self._send_progress()
        for output in list(self._open_outputs):
            output.abort()
        for process in list(self._processes):
            process.close()
        with self._lock:
            for end in self._cancel_pipe or ():
                os.close(end)
            self._cancel_pipe = None
        if self._temp_dir:
            shutil.rmtree(self._temp_dir, ignore_errors=True)


class _Kept:
    """What records and keys have in common."""

    def __init__(self, job, place):
        self._job, self._place = job, place

    def _ask(self, method, key="", options=None, value=b"", missing=None):
        given = {name: what for name, what in (options or {}).items() if what is not None and not (name == "now" and not what)}
        body = _str(self._place) + _str(key) + _str(_json(given) if given else "") + _str(value)
        result, error, answer = self._job._session.call(self._job, method, body, True)
        if result == missing:
            return None
        if result < 0:
            raise (Conflict if result == _E_CONFLICT else CallFailed)(result, error)
        return answer

    def _pages(self, method, query):
        while True:
            page = json.loads(self._ask(method, options=query))
            yield from page["items"]
            if "next" not in page:
                return
            query = dict(query, cursor=page["next"])


class Records(_Kept):
    """Documents that the host keeps. What is written is stored with the attempt's success, or at once (now=True);
    `expected` is the version there must be, 0: none. A record is a dict of key, version, value and, where there is one,
    parent and sort."""

    def get(self, key):
        answer = self._ask(64, key, missing=_E_NOT_FOUND)
        return None if answer is None else json.loads(answer)

    def put(self, key, value, parent=None, sort=None, expected=None, now=False):
        """Answers the version; OWN_VERSION of what is stored later."""
        options = {"parent": parent, "sort": sort, "now": now}
        if expected is not None:
            options["expected"] = expected
        return struct.unpack("<q", self._ask(65, key, options, _json(value).encode()))[0]

    def delete(self, key, expected=None, now=False):
        self._ask(66, key, {"expected": expected, "now": now})

    def list(self, **query):
        """All records, page by page: of a `parent`, of an `index` with its `value`, with a `prefix`; `order` "desc"."""
        return self._pages(67, query)

    def count(self, **query):
        return struct.unpack("<q", self._ask(68, options=query))[0]


class Keys(_Kept):
    """Small values by key, bytes. Written as records are; `ttl_s` says how long they are kept."""

    def get(self, key):
        return self.entry(key)[0]

    def entry(self, key):
        """The value and its version, for `expected`; None and 0 where there is none."""
        answer = self._ask(80, key, missing=_E_NOT_FOUND)
        return (None, 0) if answer is None else (bytes(answer[8:]), struct.unpack("<q", answer[:8])[0])

    def put(self, key, value, ttl_s=None, expected=None, now=False):
        options = {"ttl_ms": None if ttl_s is None else max(1, int(ttl_s * 1000)), "now": now}
        if expected is not None:
            options["expected"] = expected
        return struct.unpack("<q", self._ask(81, key, options, value))[0]

    def delete(self, key, expected=None, now=False):
        self._ask(82, key, {"expected": expected, "now": now})

    def list(self, prefix=None):
        """{"key", "version", "size_bytes", "expires_ms"} of each."""
        return self._pages(83, {"prefix": prefix})


def _failure(error_class, code, message, details=None, retry_after_s=None):
    return (error_class, -1 if retry_after_s is None else int(retry_after_s * 1000), str(code), str(message),
            "" if details is None else json.dumps(details, default=str))


def _run(session, job):
    """(status, error, result) of one attempt."""
    try:
        names = list(_handlers)
        if job._type_index >= len(names):
            return _FAILED, _failure(INTERNAL, "unknown_type", "there is no such job type"), b""
        job.type = names[job._type_index]
        job.params = json.loads(job._params_json or b"null")
        result = _json(_handlers[job.type](job)).encode()
        if len(result) > session.max_result:
            return _FAILED, _failure(PERMANENT, "result_too_large",
                                     f"the result has {len(result)} bytes, at most {session.max_result} are kept"), b""
        return _SUCCEEDED, None, result
    except _Suspend as suspended:
        if suspended.again_in_s is None:
            return _SUSPENDED, None, b""
        return _SUSPENDED, (0, int(suspended.again_in_s * 1000), "", str(suspended.reason), ""), b""
    except Cancelled:
        if job.cancelled:
            return _CANCELED, None, b""
        return _FAILED, _failure(INTERNAL, "cancelled_unasked", "Cancelled was raised, but nobody asked it to stop"), b""
    except JobError as error:
        return _FAILED, _failure(error.error_class, error.code, error, error.details, error.retry_after_s), b""
    except MemoryError:
        return _FAILED, _failure(RESOURCE, "out_of_memory", "there is not enough memory"), b""
    except BaseException as error:  # SystemExit too: a handler does not end the process
        lines = traceback.format_exception(error)
        job.error("".join(lines))
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return _FAILED, _failure(RESOURCE, "disk_full", error), b""
        what = traceback.format_exception_only(error)[-1].strip()
        return _FAILED, _failure(INTERNAL, "exception", what, {"traceback": "".join(lines)[-16384:]}), b""


def _usage():
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = int(1e6 * (own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime))
    read = written = 0
    try:
        with open("/proc/self/io", encoding="ascii") as file:
            lines = dict(line.split(":") for line in file)
        read, written = int(lines["rchar"]), int(lines["wchar"])
    except (OSError, KeyError, ValueError):
        pass
    return cpu, own.ru_maxrss * 1024, read, written


def _threads():
    """How many this process has, without those that end just now: they are listed until the kernel is done with them."""
    count = 0
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/stat", "rb") as file:
                flags = int(file.read().rsplit(b")", 1)[1].split()[6])
        except OSError:
            continue  # it has ended meanwhile
        count += not flags & 4  # PF_EXITING, proc(5)
    return count


def _leaves_threads(before, known_before):
    """Whether there are more threads than `before`. join() returns while the system still ends the thread: as long as
    Python knows of none that is left, that end is waited for, a moment at most."""
    end = time.monotonic() + 0.5
    while _threads() > before:
        if threading.active_count() > known_before or time.monotonic() > end:
            return True
        time.sleep(0.001)
    return False


def _attempt(session, job):
    before, threads, known_threads, started = _usage(), _threads(), threading.active_count(), _now_us()
    session.page.show(4, job)
    session.send(_STARTED, struct.pack("<q", started), job=job.slot)
    status, error, result = _run(session, job)
    job._clean_up()
    sys.stdout.flush()
    outputs = [(name, media_type, size) for name, (media_type, size) in job._outputs.items()] if status == _SUCCEEDED else []
    flags = (1 if job._output_dir else 0) | (2 if _leaves_threads(threads, known_threads) else 0)
    after = _usage()
    usage = (after[0] - before[0], after[1], after[2] - before[2], after[3] - before[3])
    with session.changed:
        session.current = None
    session.page.show(3)
    session.send(_DONE, _done(status, flags, started, _now_us(), usage, job._dropped, error, result, outputs), job=job.slot)


def _no_new_privs():
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        return any(line.split() == ["NoNewPrivs:", "1"] for line in file)


def serve(init=None):
    """Handles jobs until the host says that it is enough; does not return. `init(plugin_dir)` is called once before."""
    faulthandler.enable()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)  # what is printed is a line of the job's log
    try:
        connection = socket.socket(fileno=3)
    except OSError:
        sys.exit("this is a plugin of jobhost: put it and its manifest into the host's plugin folder")
    connection.set_inheritable(False)
    session = _Session(connection)
    try:
        begun = time.monotonic()
        session.shake_hands()
        if init:
            try:
                init(session.plugin_dir)
            except Exception as error:  # noqa: the host says it
                traceback.print_exc()
                session.send(_LOAD_FAILED, b"\x04" + _str("init_failed") + _str(f"init() failed: {error}") + _str(""))
                os._exit(0)
        took = int(1e6 * (time.monotonic() - begun))
        names = list(_handlers)
        sandbox = 1 if _no_new_privs() else 0
        session.send(_LOADED, struct.pack("<IIIB", 1, 0, 0, sandbox) + _str("") + struct.pack("<QQI", 0, took, len(names)) +
                     b"".join(map(_str, names)))
        session.page.show(3)
        session.start_threads()
        while job := session.next_job():
            _attempt(session, job)
        session.page.show(5)
        session.send(_BYE, _str("drained"))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        _leave(0, session.page)
    except (_ProtocolError, struct.error) as error:
        print(f"jobhost_handler: protocol: {error}", file=sys.stderr, flush=True)
        _leave(70, session.page)
    sys.stdout.flush()
    os._exit(0)
