#!/usr/bin/env python3
"""Runs the walk of docs/api/lncrawl.md, as written, against a real host and the site it names. The ports are what is
changed, since 8000 and 8080 may be taken. Usage: lncrawl_test.py SOURCE_DIR BUILD_DIR
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import unittest
import zipfile

from live_host import LiveHost, wait_for_type

SOURCE, BUILD = (pathlib.Path(sys.argv.pop(1)).resolve() for _ in range(2))
PAGE = (SOURCE / "docs/api/lncrawl.md").read_text(encoding="utf-8")


def block(name):
    found = re.search(r"<!-- test: " + re.escape(name) + r" -->\n```\w*\n(.*?)```", PAGE, re.S)
    assert found, f"lncrawl.md has no block '{name}'"
    return found[1]


class LncrawlWalk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="jobhost-lncrawl-")
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name)
        command = shlex.split(block("site"))
        assert command[-1] == "8000" and command[0] == "python3", command
        cls.site = subprocess.Popen([sys.executable, "-u", *command[1:-1], "0"], stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL, text=True)
        cls.addClassCleanup(cls.end_site)
        said = cls.site.stdout.readline()
        cls.site_url = "http://127.0.0.1:" + re.search(r"port (\d+)", said)[1]
        serve = re.search(r"^jobhost (serve .*)$", PAGE, re.M)
        assert serve, "lncrawl.md does not start a host"
        cls.host = LiveHost([BUILD / "bin/jobhost", *shlex.split(serve[1]), "--port", "0", "--plugins", BUILD / "plugins"],
                            cls.folder, cls.folder / "log")
        cls.addClassCleanup(cls.host.stop)

    @classmethod
    def end_site(cls):
        cls.site.terminate()
        cls.site.wait()
        cls.site.stdout.close()

    def sh(self, script):
        script = ("set -eu -o pipefail\n" + script).replace("http://127.0.0.1:8080", self.host.url)
        script = script.replace("http://127.0.0.1:8000", self.site_url)
        done = subprocess.run(["bash", "-c", script], cwd=self.folder, capture_output=True, text=True, timeout=900)
        self.assertEqual(done.returncode, 0, f"{script}\n{done.stdout}\n{done.stderr}\n{self.host.last_log()}")
        return done.stdout

    def lines(self, name):
        return [json.loads(line) for line in self.sh(block("login") + block(name)).splitlines()]

    def test_the_walk_ends_in_a_book(self):
        types = 'curl -sf -H "X-API-Key: $(cat data/keys/admin.key)" http://127.0.0.1:8080/api/v1/job-types'
        for name in ("full_novel", "artifact"):
            wait_for_type(self, lambda: self.sh(types), name)
        self.sh(block("spec"))
        shown = re.search(r'```json\n(\{"type":5.*?)```', PAGE, re.S)[1]
        self.assertEqual(self.lines("fetch"), [json.loads(line) for line in shown.splitlines()])

        novel, chapter = self.lines("read")
        self.assertEqual(novel, ["Debian Policy Manual", "The Debian Policy mailing list", 23])
        self.assertEqual(chapter, ["1. About this manual", True, None])
        with zipfile.ZipFile(self.folder / "policy.epub") as book:
            self.assertEqual(book.namelist()[0], "mimetype")
            self.assertIn("EPUB/chapter_00023.xhtml", book.namelist())
            self.assertEqual(len([name for name in book.namelist() if name.startswith("EPUB/images/")]), 6)

        formats, made, again = self.lines("more")
        self.assertIn("epub", formats)
        self.assertEqual(made, ["epub", "json", "txt"])
        self.assertEqual(again, [20, 0])

        added, libraries, titles = self.lines("library")
        self.assertEqual(added, True)
        self.assertEqual(libraries, [{"name": "Manuals", "novels": 1}])
        self.assertEqual(titles, ["Debian Policy Manual"])


if __name__ == "__main__":
    unittest.main()
