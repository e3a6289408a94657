#!/usr/bin/env python3
"""`jobhost plugin new`, with the installed SDK alone: each kind builds offline, tests itself and passes the checker.

Usage: scaffold_test.py BUILD_DIR
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

BUILD = pathlib.Path(sys.argv.pop(1)).resolve()


class Scaffold(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="jobhost-new-")
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name)
        cls.prefix = cls.folder / "sdk"
        subprocess.run(["cmake", "--install", BUILD, "--component", "sdk", "--prefix", cls.prefix], check=True, capture_output=True)

    def sh(self, script, folder=None):
        environment = {"PATH": f"{self.prefix}/bin:{os.environ['PATH']}", "HOME": str(self.folder), "LANG": "C.UTF-8",
                       "PKG_CONFIG_PATH": f"{self.prefix}/share/pkgconfig", "CMAKE_PREFIX_PATH": str(self.prefix)}
        return subprocess.run(["bash", "-euc", script], cwd=folder or self.folder, env=environment, capture_output=True, text=True, timeout=600)

    def good(self, script, folder=None):
        done = self.sh(script, folder)
        self.assertEqual(done.returncode, 0, f"{script}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def project(self, name, *arguments):
        made = self.good(f"jobhost plugin new {name} " + " ".join(arguments)).splitlines()
        self.assertIn(f"./{name}/plugin.json", made)
        self.assertIn(f"./{name}/.github/workflows/check.yml", made)
        for file in made:
            text = (self.folder / file).read_text()
            self.assertIsNone(re.search(r"\{\{[a-z]+\}\}", text), f"{file} has a placeholder left")
        start = time.monotonic()
        self.good(f"cmake -S {name} -B {name}/build && cmake --build {name}/build -j2")
        print(f"{name}: built in {time.monotonic() - start:.1f} s", file=sys.stderr)
        out = self.good(f"ctest --test-dir {name}/build --output-on-failure")
        self.assertIn("2 tests passed" if "2 tests passed" in out else "100% tests passed, 0 tests failed out of 2", out)
        self.good(f"jobhost plugin check --level strict {name}/build/{name}.so")
        return json.loads(self.good(f"jobhost plugin info --json {name}/build/{name}.so"))

    def test_a_project_in_cpp(self):
        manifest = self.project("my-thing", "--type", "thing.make")
        self.assertEqual((manifest["id"], manifest["job_types"][0]["name"]), ("com.example.my-thing", "thing.make"))

    def test_a_project_in_c(self):
        manifest = self.project("c_thing", "--type", "c", "--lang", "c", "--id", "org.example.things.c")
        self.assertEqual(manifest["id"], "org.example.things.c")

    def test_one_file(self):
        for language, name in (("cpp", "one"), ("c", "onec")):
            (self.folder / name).mkdir()
            self.good(f"jobhost plugin new {name} --type {name} --lang {language} --single-file --dir {name}")
            source = next((self.folder / name).iterdir())
            commands = [line.strip("/ ") for line in source.read_text().splitlines()[1:5] if "pkg-config" in line or "jobhost plugin" in line]
            self.assertEqual(len(commands), 3 if language == "cpp" else 2)
            for command in commands:
                self.good(command, self.folder / name)

    def test_says_what_is_wrong(self):
        (self.folder / "there").mkdir()
        cases = {
            "Thing --type x": 'NAME "Thing": must begin with a small letter',
            "a/b --type x": "NAME \"a/b\": must have small letters, digits, '-' and '_' only",
            f"{'a' * 65} --type x": "must have at most 64 characters",
            "test --type x": 'NAME "test": is a name CMake keeps for itself',
            "x --type 'a b'": "--type \"a b\": must have letters, digits, '_', '-', '.' and ':' only",
            "x --type .a": "--type \".a\": must begin with a letter, a digit or '_'",
            "x --type t --id thing": '--id "thing": must be a name in reverse DNS order',
            "x --type t --dir nowhere": "--dir: there is no folder nowhere",
            "there --type t": "./there is there already",
            "x --type t --lang rust": "--lang",
            "x": "--type is required",
        }
        for arguments, message in cases.items():
            with self.subTest(arguments):
                done = self.sh(f"jobhost plugin new {arguments}")
                self.assertEqual(done.returncode, 2)
                self.assertIn(message, done.stderr)
        self.assertEqual(list((self.folder / "there").iterdir()), [])
        self.assertFalse((self.folder / "x").exists())


if __name__ == "__main__":
    unittest.main()
