#!/usr/bin/env python3
"""Job types for the tests of process plugins: what a handler can do, and what a bad one does."""

import ctypes
import os
import socket
import struct
import subprocess
import sys
import threading
import time

import jobhost_handler
from jobhost_handler import TRANSIENT, BadInput, JobError, handler, serve

BUILD = "0"  # the tests put other numbers here


@handler("py-echo")
def echo(job):
    job.progress(0, 2, "begun")
    for name, source in job.inputs.items():
        with open(source.path, "rb") as data, job.output("copies/" + name, source.media_type) as copy:
            copy.write(data.read())
    with job.output("dropped.txt") as never:
        never.write(b"of no use")
        never.abort()
    with open(os.path.join(job.temp_dir, "scratch"), "w", encoding="utf-8") as scratch:
        scratch.write(job.temp_dir)
    job.note("build", BUILD)
    job.info("said by info")
    print("said by print")
    job.progress(2, 2)
    return {"build": BUILD, "params": job.params, "attempt": job.attempt, "argv": sys.argv[1:], "tags": job.tags}


@handler("py-sleep")
def sleep(job):
    for step in range(int(job.params.get("ms", 1000)) // 10):
        job.progress(step)
        job.wait(0.01)
    return BUILD


@handler("py-stubborn")
def stubborn(job):
    subprocess.Popen(["sleep", "600"])
    while True:
        try:
            job.progress(1, 2, "no")
        except jobhost_handler.Cancelled:
            pass
        time.sleep(0.05)


@handler("py-threads")
def threads(job):
    some = [threading.Thread(target=sum, args=(range(1000),)) for _ in range(8)]
    for step, thread in enumerate(some):
        thread.start()
        job.progress(step, len(some))  # the second and later ones go out a moment later
    for thread in some:
        thread.join()
    if job.params.get("leave"):
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    return os.getpid()


@handler("py-bad")
def bad(job):
    how = job.params["how"]
    if how == "raise":
        return {}["missing key"]
    if how == "input":
        raise BadInput("/how: is bad", {"field": "how"})
    if how == "transient":
        if job.attempt == 1:
            raise JobError(TRANSIENT, "try_again", "not yet", retry_after_s=0)
        return job.attempt
    if how == "exit":
        sys.exit(3)
    if how == "hard exit":
        print("last words", file=sys.stderr, flush=True)
        os._exit(7)
    if how == "segfault":
        ctypes.string_at(0)
    if how == "garbage":
        os.write(3, b"\xff" * 64)
        time.sleep(600)
    if how == "close":
        socket.socket(fileno=os.dup(3)).shutdown(socket.SHUT_RDWR)
        time.sleep(600)
    if how == "no json":
        return object()
    if how == "large":
        return "x" * (17 << 20)
    raise ValueError(how)


@handler("py-services")
def services(job):
    seen = job.load_checkpoint()
    if seen is None:
        children = [job.submit("py-echo", {"n": n}) for n in range(3)]
        job.save_checkpoint(",".join(map(str, children)).encode())
        job.suspend()
    seen, _, came_back = seen.decode().partition(";")
    if not came_back:
        job.save_checkpoint(f"{seen};came back".encode())
        job.run_again_in(0.2, "busy")
    children = [int(child) for child in seen.split(",")]
    job.wait_for(children, timeout_s=30)
    results = [job.child_result(child) for child in children]
    try:
        job.submit("py-bad", {"how": "raise"})
        denied = ""
    except jobhost_handler.CallFailed as error:
        denied = str(error)
    return {"resumed": job.resumed, "attempt": job.attempt, "states": [result["state"] for result in results],
            "n": [result["result"]["params"]["n"] for result in results], "denied": denied, "config": job.config()}


@handler("py-records")
def records(job):
    books, keys = job.records("books"), job.kv()
    if job.params.get("fail"):
        books.put("lost", {"tags": []})
        raise JobError(TRANSIENT, "as_asked", "failed")
    made = books.put("b1", {"title": "ü", "tags": ["x"]}, parent="shelf", sort=2, expected=0)
    books.put("b0", {"title": "a", "tags": ["x", "y"]}, parent="shelf", sort=1, now=True)
    books.put("b2", False)
    books.delete("b2")
    try:
        books.put("b1", 1, expected=0)
        conflict = False
    except jobhost_handler.Conflict:
        conflict = True
    try:
        job.records("films").get("f")
        refused = ""
    except jobhost_handler.CallFailed as error:
        refused = str(error)
    keys.put("k", b"\x00\xff", ttl_s=60)
    place = b"\x05\0\0\0books"
    garbage = (b"", b"\xff" * 40, b"\0\0\0\x80" + b"x" * 100, place, place + b"\x01\0\0\0k" + b"\xff\xff\xff\xff",
               place + b"\0" * 4 + struct.pack("<I", 20000) + b" " * 20000 + b"\0" * 4)
    hostile = sorted({job._session.call(job, method, body)[0] for method in range(64, 96) for body in garbage})
    return {"hostile": hostile, "own": made == jobhost_handler.OWN_VERSION, "conflict": conflict, "refused": refused,
            "children": [book["key"] for book in books.list(parent="shelf", limit=1)],
            "tagged": [book["value"]["title"] for book in books.list(index="tags", value="x", order="desc")],
            "count": books.count(), "none": books.get("none"), "bytes": list(keys.get("k")),
            "no key": keys.get("none"), "keys": [key["key"] for key in keys.list()]}


@handler("py-large")
def large(job):
    """Notes, lines and progress beyond the credit, and a result that needs several frames."""
    for n in range(3000):
        job.progress(n, 3000, "x" * 500)
        job.note(f"n{n % 10}", "y" * 1000)
    job.save_checkpoint(b"z" * (3 << 20))
    return {"same": job.load_checkpoint() == b"z" * (3 << 20), "much": "m" * (3 << 20)}


serve()
