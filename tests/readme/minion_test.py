#!/usr/bin/env python3
"""Runs what docs/api/minion.md shows, as written, against a real host. Usage: minion_test.py SOURCE_DIR BUILD_DIR

The one thing changed is the port, since 8080 may be taken.
"""
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import zipfile

from live_host import LiveHost, wait_for_type

SOURCE, BUILD = (pathlib.Path(sys.argv.pop(1)).resolve() for _ in range(2))
PAGE = (SOURCE / "docs/api/minion.md").read_text(encoding="utf-8")
PHOTO = (SOURCE / "build/samples/photo.jpg").read_bytes()


def block(name):
    found = re.search(r"<!-- test: " + re.escape(name) + r" -->\n```\w*\n(.*?)```", PAGE, re.S)
    assert found, f"minion.md has no block '{name}'"
    return found[1]


class Minion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="jobhost-minion-")
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name)
        (cls.folder / "content").mkdir()
        cls.archive("content/book.cbz", 2)
        command = [BUILD / "bin/jobhost", "serve", "--port", "0", "--data", "data", "--plugins", BUILD / "plugins",
                   "--set", f"content.dir={cls.folder}/content"]
        cls.host = LiveHost(command, cls.folder, cls.folder / "log")
        cls.addClassCleanup(cls.host.stop)

    @classmethod
    def archive(cls, name, pages):
        with zipfile.ZipFile(cls.folder / name, "w") as book:
            for page in range(1, pages + 1):
                book.writestr(f"{page}.jpg", PHOTO)

    def sh(self, script):
        script = "set -eu\n" + script.replace("http://127.0.0.1:8080", self.host.url)
        done = subprocess.run(["bash", "-c", script], cwd=self.folder, env=dict(os.environ), capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, 0, f"{script}\n{done.stdout}\n{done.stderr}\n{self.host.last_log()}")
        return done.stdout

    def types(self):
        return self.sh('curl -sf -H "X-API-Key: $(cat data/keys/admin.key)" http://127.0.0.1:8080/api/v1/job-types')

    def test_the_walk_makes_thumbnails_and_shows_the_job(self):
        wait_for_type(self, self.types, "page_thumbnails")
        lines = [json.loads(line) for line in self.sh(block("walk")).replace("}{", "}\n{").splitlines()]
        self.assertEqual(lines[0], {"job": lines[0]["job"], "operation": "queue_minion_job", "success": 1})
        identity = hashlib.sha1((self.folder / "content/book.cbz").read_bytes()[:512000]).hexdigest()
        self.assertEqual(lines[1], {"error": None, "notes": {"1": "processed", "2": "processed", "id": identity, "total_pages": "2"},
                                    "state": "finished", "task": "page_thumbnails"})
        self.assertEqual(lines[2]["result"], {"errors": []})
        self.assertEqual(set(json.loads(re.findall(r'^\{"args.*\}$', PAGE, re.M)[0].replace("{…}", "{}"))), set(lines[2]))

    def test_the_cover_comes_and_is_known_again(self):
        wait_for_type(self, self.types, "thumbnail_task")
        self.assertEqual(self.sh(block("cover")).split(), ["304"])
        self.assertEqual((self.folder / "cover.jpg").read_bytes()[:3], b"\xff\xd8\xff")

    def test_the_upload_gets_a_job_that_takes_it_in(self):
        wait_for_type(self, self.types, "handle_upload")
        self.archive("new-book.cbz", 3)
        answer = json.loads(self.sh(block("upload")))
        self.assertEqual((answer["name"], answer["operation"], answer["success"]), ("new-book.cbz", "upload", 1))
        key = '"X-API-Key: $(cat data/keys/admin.key)"'
        job = self.sh(f"until curl -sf -H {key} http://127.0.0.1:8080/api/v1/jobs/{answer['job']} > job && "
                      "grep -qE '\"state\":\"(succeeded|failed)\"' job; do sleep 0.1; done; cat job")
        self.assertEqual(json.loads(job)["result"]["success"], 1, job)
        self.assertTrue((self.folder / "content/new-book.cbz").exists())


if __name__ == "__main__":
    unittest.main()
