#!/usr/bin/env python3
"""A program that keeps every rule and, with the name of a fault as its argument, breaks one. program_test.cpp has the
faults and the rules they break."""

import os
import subprocess
import sys
import threading
import time

import jobhost_handler
from jobhost_handler import BadInput, CallFailed, Cancelled, handler, serve

FAULT = sys.argv[1]
kept = []
jobs = 0


@handler("repeat")
def repeat(job):
    text, times = job.params.get("text"), job.params.get("times", 2)
    if not isinstance(text, str):
        raise BadInput("/text: must be a string")
    if not isinstance(times, int) or not 1 <= times <= 50:
        raise BadInput("/times: must be from 1 to 50")
    misbehave(job)
    with job.output("repeated.txt", "text/plain", "w", encoding="utf-8", errors="replace") as file:
        for done in range(1, times + 1):
            job.progress(done, times, "repeating")
            file.write(text)
    if FAULT == "wrong_result":
        return {"characters": "many"}
    return {"characters": len(text) * times}


def misbehave(job):
    global jobs
    jobs += 1
    # A process is looked at while its first job runs, whenever that is: what is to show after it comes with the second.
    first = jobs == 1
    if FAULT == "crashes":
        os.abort()
    if FAULT == "raises":
        raise RuntimeError("boom")
    if FAULT == "progress_back":
        job.progress(1, 2)
        time.sleep(0.1)  # progress is told 20 times a second
        job.progress(0, 2)
        time.sleep(0.1)
    if FAULT == "aborts_on_failure":
        try:
            job.config()
        except CallFailed:
            os.abort()
    if FAULT == "asks_for_more":
        for ask in (lambda: job.secret("TOKEN"), lambda: job.submit("other")):
            try:
                ask()
            except CallFailed:
                pass
    if FAULT == "slow_to_stop":
        try:
            job.wait(1)
        except Cancelled:
            time.sleep(1)
            raise
    if FAULT == "leaks_file":
        kept.append(open("/dev/zero", "rb"))
    if FAULT == "leaks_thread" and not first:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    if FAULT == "leaks_process":
        kept.append(subprocess.Popen(["sleep", "60"]))
        time.sleep(0.05)  # who lasts is looked after
    if FAULT == "leaks_memory":
        kept.append(bytearray(b"x" * (2 << 20)))
    if FAULT == "stray_file" and not first:
        with open("left_behind", "w", encoding="utf-8") as file:
            file.write("here")


if __name__ == "__main__":
    if FAULT == "does_not_load":
        sys.exit("no moon tonight")
    if FAULT == "stays":
        jobhost_handler._Session.next_job = lambda session: time.sleep(600)
    serve()
