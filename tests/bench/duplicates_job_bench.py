#!/usr/bin/env python3
"""How long find_duplicates takes as a job of a real host: records in its database, read by a runner, the files of the
archives in the content folder (where the scan looks for each, but need not read it), groups written back.

usage: tests/bench/duplicates_job_bench.py BIN_DIR PLUGIN_DIR [archives [folder of covers]]
The covers' hashes are there already, as after the first run; one in ten is another one with up to three bits changed.
With a folder of covers (JPEG, as the thumbnail plugin makes them), those are the archives' covers in turn, and the first
run has to make the hashes.
"""
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request


class Host:
    def __init__(self, bin_dir, plugin_dir, folder):
        self.folder, self.base, self.key = folder, None, None
        self.process = subprocess.Popen(
            [f"{bin_dir}/jobhost", "serve", "--data", f"{folder}/data", "--port", "0", "--plugins", plugin_dir,
             "--set", f"content.dir={folder}/content", "--set", f"content.thumb_dir={folder}/thumbs"],
            stdout=subprocess.PIPE, stderr=open(f"{folder}/log", "a"), text=True)
        for line in self.process.stdout:
            if found := re.search(r"jobhost ready (http://\S+?)/?$", line.strip()):
                self.base = found.group(1)
                break
        if self.base is None:
            sys.exit("the host did not start: " + open(f"{folder}/log").read()[-2000:])
        with open(f"{folder}/data/keys/admin.key") as file:
            self.key = file.read().strip()

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, method=method, data=body and json.dumps(body).encode(),
                                         headers={"Authorization": "Bearer " + self.key,
                                                  "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def run(self, job_type, params):
        """The job, ended, and how long it took from the request on."""
        begun = time.monotonic()
        job = self.call("POST", "/api/v1/jobs", {"type": job_type, "params": params})
        while job["state"] not in ("succeeded", "failed", "canceled"):
            time.sleep(0.05)
            job = self.call("GET", f"/api/v1/jobs/{job['id']}")
        if job["state"] != "succeeded":
            sys.exit(f"{job_type}: {job}")
        return job, time.monotonic() - begun

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def fill(folder, count, covers):
    """Files, and records as the one that is there."""
    db = sqlite3.connect(f"{folder}/data/jobhost.db")
    collection, = db.execute("SELECT id FROM record_collections WHERE plugin = 'org.jobhost.library' "
                             "AND name = 'archives'").fetchone()
    sample = db.execute("SELECT created_at, parent, sort FROM records WHERE collection = ?", (collection,)).fetchone()
    rng, hashes, mtime_s, size = random.Random(7), [], 1_700_000_000, 8
    for i in range(count):
        value = rng.getrandbits(64)
        if hashes and rng.random() < 0.1:
            value = rng.choice(hashes)
            for _ in range(rng.randrange(4)):
                value ^= 1 << rng.randrange(64)
        hashes.append(value)
        name = f"{i % 200:03}/Book {i}.cbz"
        path = f"{folder}/content/{name}"
        if i < 200:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"%08d" % i)
        os.utime(path, (mtime_s, mtime_s))
        digest = f"{rng.getrandbits(160):040x}"
        body = {"file": name, "name": f"Book {i}.cbz", "title": f"Book {i}", "tags": f"artist:a{i % 900}, t{i % 300}, "
                f"language:en, series:s{i % 4000}", "pagecount": 200, "size": size, "mtime": mtime_s * 1000,
                "isnew": True, "added": mtime_s, "thumbhash": digest}
        archive = f"{rng.getrandbits(160):040x}"
        if covers:
            os.makedirs(f"{folder}/thumbs/{archive[:2]}", exist_ok=True)
            os.link(covers[i % len(covers)], f"{folder}/thumbs/{archive[:2]}/{archive}.jpg")
        else:
            body |= {"phash": f"{value:016x}", "phash_of": digest}
        db.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, NULL, ?, ?, ?)",
                   (collection, archive, i + 10, sample[0], sample[0], sample[1], sample[2],
                    json.dumps(body).encode()))
    db.execute("UPDATE record_collections SET records = records + ?, last_version = last_version + ? WHERE id = ?",
               (count, count + 10, collection))
    db.commit()


def main():
    bin_dir, plugin_dir = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(f"{folder}/content")
        with open(f"{folder}/content/first.cbz", "wb") as file:
            file.write(b"the first one, without pages")
        host = Host(bin_dir, plugin_dir, folder)
        host.run("scan_library", {})
        host.stop()
        covers = []
        for cover in sorted(os.listdir(sys.argv[4])) if len(sys.argv) > 4 else []:
            # Files of its own: a file has 65 000 links at most on ext4, and one cover would be read from one place.
            for part in range(1 + count // 20_000):
                covers.append(shutil.copy(f"{sys.argv[4]}/{cover}", f"{folder}/cover-{part}-{cover}"))
        fill(folder, count, covers)
        host = Host(bin_dir, plugin_dir, folder)
        print(f"{count} archives on a host")
        for threshold in (5, 10):
            params = {"threshold": threshold, "method": "perceptual"}
            job, seconds = host.run("find_duplicates", params)
            notes = job["notes"]
            print(f"find_duplicates {threshold} perceptual: {seconds:6.2f} s, {notes['compared']} compared, "
                  f"{notes['groups']} groups, usage {json.dumps(job.get('usage'))}", flush=True)
        host.stop()


if __name__ == "__main__":
    main()
