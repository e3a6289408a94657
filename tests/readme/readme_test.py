#!/usr/bin/env python3
"""Runs what README.md shows, as written: the quick start and the commands against a real host, and the plugin, built
with the staged SDK and dropped into the host's folder.

The blocks run in a scratch folder laid out like the repository (build/release with its own plugin folder, build/samples,
data). The one thing changed is the port, since 8080 may be taken. Usage: readme_test.py SOURCE_DIR BUILD_DIR
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from live_host import LiveHost, wait_for_type

SOURCE, BUILD = (pathlib.Path(sys.argv.pop(1)).resolve() for _ in range(2))
README = (SOURCE / "README.md").read_text(encoding="utf-8")


def block(name):
    found = re.search(r"<!-- test: " + re.escape(name) + r" -->\n```\w*\n(.*?)```", README, re.S)
    assert found, f"README.md has no block '{name}'"
    return found[1]


class Readme(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="jobhost-readme-")
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.folder = pathlib.Path(cls.scratch.name)
        release = cls.folder / "build" / "release"
        (release / "plugins").mkdir(parents=True)
        for part in BUILD.iterdir():
            if part.name != "plugins":
                (release / part.name).symlink_to(part)
        for plugin in (BUILD / "plugins").glob("*.so"):
            shutil.copy(plugin, release / "plugins")
        (cls.folder / "build" / "samples").symlink_to(SOURCE / "build" / "samples")
        command = ["build/release/bin/jobhost", "serve", "--port", "0", "--data", "data", "--plugins", "build/release/plugins"]
        cls.host = LiveHost(command, cls.folder, cls.folder / "log")
        cls.addClassCleanup(cls.host.stop)

    def sh(self, script):
        script = "set -eu\n" + script.replace("http://127.0.0.1:8080", self.host.url)
        environment = dict(os.environ, JOBHOST_URL=self.host.url)
        done = subprocess.run(["bash", "-c", script], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=900)
        self.assertEqual(done.returncode, 0, f"{script}\n{done.stdout}\n{done.stderr}\n{self.host.last_log()}")
        return done.stdout

    def test_the_quick_start_makes_a_thumbnail(self):
        out = self.sh(block("quickstart"))
        self.assertIn("event: succeeded", out)
        self.assertEqual(json.loads(out[out.rindex('{\n  "state"'):])["state"], "succeeded")
        self.assertEqual((self.folder / "thumbnail.jpg").read_bytes()[:3], b"\xff\xd8\xff")

    def test_the_commands_do_the_same(self):
        out = self.sh(block("commands"))
        self.assertIn("succeeded", out)
        self.assertIn("thumbnail", out)

    def test_the_plugin_is_built_dropped_in_and_run(self):
        self.assertLessEqual(len(block("file greet.cpp").splitlines()), 24)
        (self.folder / "greet.cpp").write_text(block("file greet.cpp"), encoding="utf-8")
        self.sh(block("plugin"))
        wait_for_type(self, lambda: self.sh("./build/release/bin/jobhost plugin list --json"), "greet")
        out = self.sh("./build/release/bin/jobhost submit greet -p name=world --wait")
        self.assertEqual(json.loads(out), {"greeted": "world", "times": 1})

    def test_every_link_leads_somewhere(self):
        for target in re.findall(r"\]\(([^)#:]+)\)", README):
            self.assertTrue((SOURCE / target).exists(), target)


if __name__ == "__main__":
    unittest.main()
