#!/usr/bin/env python3
"""Runs the walk of docs/api/native.md, as written, against a real host with the plugins we ship. The one thing changed is
the port, since 8080 may be taken. Usage: native_test.py SOURCE_DIR BUILD_DIR
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from live_host import LiveHost, wait_for_type

SOURCE, BUILD = (pathlib.Path(sys.argv.pop(1)).resolve() for _ in range(2))
PAGE = (SOURCE / "docs/api/native.md").read_text(encoding="utf-8")


def block(name):
    found = re.search(r"<!-- test: " + re.escape(name) + r" -->\n```\w*\n(.*?)```", PAGE, re.S)
    assert found, f"native.md has no block '{name}'"
    return found[1]


class NativeWalk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="jobhost-native-")
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name)
        (cls.folder / "build").mkdir()
        (cls.folder / "build/samples").symlink_to(SOURCE / "build/samples")
        command = [BUILD / "bin/jobhost", "serve", "--port", "0", "--data", cls.folder / "data", "--plugins", BUILD / "plugins"]
        cls.host = LiveHost(command, cls.folder, cls.folder / "log")
        cls.addClassCleanup(cls.host.stop)

    def setUp(self):
        wait_for_type(self, lambda: self.sh('api "$URL/job-types"'), "thumbnail")

    def sh(self, script):
        script = ("set -eu -o pipefail\n" + block("prelude") + script).replace("http://127.0.0.1:8080", self.host.url)
        done = subprocess.run(["bash", "-c", script], cwd=self.folder, capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, 0, f"{script}\n{done.stdout}\n{done.stderr}\n{self.host.last_log()}")
        return done.stdout

    def lines(self, name):
        return self.sh(block(name)).strip().splitlines()

    def test_a_job_and_its_outputs(self):
        out = self.sh(block("job"))
        self.assertIn("event: succeeded", out)
        self.assertIn('"state": "succeeded"', out)
        out = self.sh(block("outputs"))
        self.assertIn("ff d8 ff", out)
        self.assertIn(".jpg", out.splitlines()[-1])

    def test_a_batch(self):
        lines = self.lines("batch")
        self.assertEqual(json.loads(lines[0]), {"state": "queued", "progress": {"fraction": 0, "done": 0, "total": 2}})
        self.assertEqual(json.loads(lines[1]), ["queued", "queued"])
        self.assertEqual(json.loads(lines[2]), {"state": "canceled", "progress": {"fraction": 1, "done": 2, "total": 2}})

    def test_a_search_and_commands_over_filters(self):
        first, rest = self.sh(block("bulk")).split("\n", 1)
        self.assertEqual(json.loads(first), ["two.jpg"])
        done = [json.loads(one) for one in re.findall(r"\{.*?\}", rest)]
        self.assertEqual([(one["matched"], one["changed"]) for one in done], [(2, 2), (1, 1), (3, 3)])

    def test_steering_a_job(self):
        self.assertEqual(self.lines("steer"), ['[7,["red"]]', "suspended", "queued", '["canceled","a trial"]', "0"])

    def test_what_there_is(self):
        lines = self.lines("describe")
        self.assertIn("thumbnail", json.loads(lines[0]))
        self.assertIn('["width","integer","number",false]', lines)
        self.assertTrue(json.loads(next(line for line in lines if line.startswith("[true"))))
        self.assertEqual(lines[-2:], ["Content-Encoding: gzip", "true"])

    def test_a_user(self):
        lines = self.lines("user")
        self.assertEqual(lines[0], "[]")
        self.assertTrue(lines[1], "the key says who it is")

    def test_every_block_is_run(self):
        mine = pathlib.Path(__file__).read_text(encoding="utf-8")
        for name in re.findall(r"<!-- test: (\w+) -->", PAGE):
            self.assertIn(f'"{name}"', mine)

    def test_every_link_leads_somewhere(self):
        for target in re.findall(r"\]\(([^)#:]+)[^)]*\)", PAGE):
            self.assertTrue((SOURCE / "docs/api" / target).exists(), target)


if __name__ == "__main__":
    unittest.main()
