#!/usr/bin/env python3
"""Follows docs/plugin-guide.md word for word with nothing but the installed SDK: a plugin is written, built, checked, moved
into the folder of a running host and runs a job. Usage: guide_test.py SOURCE_DIR BUILD_DIR

The SDK is installed into a bare prefix and moved; the commands see only that, the compiler's and CMake's folders, and no
environment of ours. The host is the build's own and is not touched.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from live_host import LiveHost, wait_for_type

SOURCE, BUILD = (pathlib.Path(sys.argv.pop(1)).resolve() for _ in range(2))
GUIDE = (SOURCE / "docs/plugin-guide.md").read_text(encoding="utf-8")


def block(name):
    found = re.search(r"<!-- test: " + re.escape(name) + r" -->\n```\w*\n(.*?)```", GUIDE, re.S)
    assert found, f"plugin-guide.md has no block '{name}'"
    return found[1]


class Guide(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="jobhost-guide-")
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name)
        first = cls.folder / "first"
        subprocess.run(["cmake", "--install", BUILD, "--component", "sdk", "--prefix", first], check=True, capture_output=True)
        cls.prefix = cls.folder / "sdk"
        first.rename(cls.prefix)
        (cls.folder / "plugins").mkdir()
        (cls.folder / "work").mkdir()
        command = [BUILD / "bin/jobhost", "serve", "--port", "0", "--data", cls.folder / "data", "--plugins", cls.folder / "plugins"]
        cls.host = LiveHost(command, cls.folder, cls.folder / "log")
        cls.addClassCleanup(cls.host.stop)

    def sh(self, script):
        environment = {"PATH": f"{self.prefix}/bin:/usr/local/bin:/usr/bin:/bin", "HOME": str(self.folder), "LANG": "C.UTF-8",
                       "CMAKE_PREFIX_PATH": str(self.prefix), "PKG_CONFIG_PATH": f"{self.prefix}/share/pkgconfig",
                       "PLUGINS": str(self.folder / "plugins"), "JOBHOST_URL": self.host.url,
                       "JOBHOST_KEY_FILE": str(self.folder / "data/keys/admin.key")}
        done = subprocess.run(["bash", "-euc", script], cwd=self.folder / "work", env=environment, capture_output=True, text=True,
                              timeout=900)
        self.assertEqual(done.returncode, 0, f"{script}\n{done.stdout}\n{done.stderr}\n{self.host.last_log()}")
        return done.stdout

    def test_four_commands_make_a_plugin_that_runs(self):
        commands = block("guide")
        self.assertEqual(len(commands.strip().splitlines()), 4)
        self.sh(commands)
        wait_for_type(self, lambda: self.sh("jobhost plugin list --json"), "greet")
        self.assertEqual(json.loads(self.sh(block("guide-job"))), {"lines": 3})
        self.sh("ctest --test-dir greeter/build --output-on-failure")

    def test_every_link_leads_somewhere(self):
        for target in re.findall(r"\]\(([^)#:]+)[^)]*\)", GUIDE):
            self.assertTrue((SOURCE / "docs" / target).exists(), target)


if __name__ == "__main__":
    unittest.main()
