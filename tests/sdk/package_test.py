#!/usr/bin/env python3
"""The installed SDK as a stranger has it: moved away from where it was installed, with nothing of this build in reach.

Usage: package_test.py SOURCE_DIR BUILD_DIR
"""
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import unittest

SOURCE, BUILD = (pathlib.Path(sys.argv.pop(1)).resolve() for _ in range(2))
MANIFEST = {"manifest": 1, "id": "com.example.{0}", "version": "1.0.0", "abi": {"major": 1, "min_minor": 0}, "job_types": [{"name": "{0}"}]}
HEAD = '#include <jobhost/plugin.hpp>\n'
BODY = 'static jobhost::Json run(jobhost::Job&) { return {{"n", 1}}; }\nJOBHOST_JOB("NAME", run);\nJOBHOST_PLUGIN(&jh_t_run)\n'
DRIVER = """#include <jobhost/testing.hpp>
#include <cstdio>
int main(int, char** argv) {
  const auto done = jobhost::testing::FakeHost(argv[1]).run(argv[2], jobhost::Json::parse(argv[3]));
  std::printf("%s\\n%s\\n", done.result.dump().c_str(), done.error_message.c_str());
  return done.succeeded() && done.complaints.empty() ? 0 : 1;
}
"""


def manifest(name):
    return json.dumps(MANIFEST).replace("{0}", name)


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="jobhost-sdk-")
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name)
        first = cls.folder / "first"
        cls.sh_in(cls.folder, f"cmake --install {shlex.quote(str(BUILD))} --component sdk --prefix {first}")
        cls.prefix = cls.folder / "moved"
        first.rename(cls.prefix)
        (cls.folder / "driver.cpp").write_text(DRIVER)
        cls.sh_in(cls.folder, "c++ -std=c++17 $(pkg-config --cflags jobhost-sdk) driver.cpp -o driver")

    @classmethod
    def sh_in(cls, folder, script):
        """As a user types it."""
        prefix = str(getattr(cls, "prefix", ""))
        environment = {"PATH": os.environ["PATH"], "HOME": str(cls.folder), "LANG": "C.UTF-8", "PREFIX": prefix,
                       "PKG_CONFIG_PATH": f"{prefix}/share/pkgconfig", "CMAKE_PREFIX_PATH": prefix}
        done = subprocess.run(["bash", "-euc", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def fresh(self):
        folder = self.folder / self.id().split(".")[-1]
        folder.mkdir()
        return folder

    def check(self, plugin, job_type, params="{}"):
        exported = subprocess.run(["nm", "-D", "--defined-only", plugin], capture_output=True, text=True).stdout.split()
        self.assertEqual(exported[1:], ["T", "jobhost_plugin_entry_v1"])
        out = subprocess.run([self.folder / "driver", plugin, job_type, params], capture_output=True, text=True)
        self.assertEqual(out.returncode, 0, out.stdout + out.stderr)
        return json.loads(out.stdout.splitlines()[0])

    def test_it_has_what_it_promises_and_names_no_other_place(self):
        for name in ("include/jobhost/abi.h", "include/jobhost/plugin.hpp", "include/jobhost/testing.hpp", "share/pkgconfig/jobhost-sdk.pc",
                     "share/cmake/jobhost-sdk/jobhost-sdk-config.cmake", "share/cmake/jobhost-sdk/plugin.map", "share/jobhost-sdk/plugin.map",
                     "share/jobhost-sdk/examples/plugin-template/plugin.json", "share/doc/jobhost-sdk-dev/README.md",
                     "bin/jobhost", "libexec/jobhost/jobhost-runner"):
            self.assertTrue((self.prefix / name).exists(), name)
        for file in self.prefix.rglob("*"):
            if file.is_file() and "bin" not in file.parts and "libexec" not in file.parts:
                text = file.read_text(encoding="utf-8")
                for place in (str(SOURCE), str(BUILD), str(self.folder)):
                    self.assertNotIn(place, text, file)

    def test_one_command_builds_a_plugin(self):
        folder = self.fresh()
        (folder / "one.cpp").write_text(HEAD + f'JOBHOST_MANIFEST(R"json({manifest("one")})json");\n' + BODY.replace("NAME", "one"))
        self.sh_in(folder, "c++ -std=c++17 -shared -fPIC one.cpp $(pkg-config --cflags --libs jobhost-sdk) -o one.so")
        self.assertEqual(self.check(folder / "one.so", "one"), {"n": 1})

    def test_one_command_embeds_a_manifest_file(self):
        folder = self.fresh()
        (folder / "src").mkdir()
        (folder / "src/plugin.json").write_text(manifest("filed"))
        (folder / "src/filed.cpp").write_text(HEAD + 'JOBHOST_MANIFEST_FILE("plugin.json");\n' + BODY.replace("NAME", "filed"))
        for compiler in ("g++", "clang++"):
            self.sh_in(folder, f"{compiler} -std=c++17 -shared -fPIC -Isrc src/filed.cpp $(pkg-config --cflags --libs jobhost-sdk) -o {compiler}.so && strip {compiler}.so")
            self.assertEqual(self.check(folder / f"{compiler}.so", "filed"), {"n": 1})

    def test_one_command_builds_a_plugin_in_c(self):
        folder = self.fresh()
        (folder / "echo.c").write_text((SOURCE / "tests/sdk/echo.c").read_text())
        self.sh_in(folder, "cc -std=c99 -shared -fPIC echo.c $(pkg-config --cflags --libs jobhost-sdk) -o echo.so")
        self.assertEqual(self.check(folder / "echo.so", "echo", '{"a":[1]}'), {"a": [1]})

    def test_the_template_builds_with_cmake(self):
        folder = self.fresh()
        self.sh_in(folder, f'cp -r "$PREFIX/share/jobhost-sdk/examples/plugin-template" t && cd t && '
                           'cmake -S . -B build >/dev/null && cmake --build build')
        self.assertEqual(self.check(folder / "t/build/wordcount.so", "wordcount", '{"text":"to be or not"}'), {"words": 4})

    def test_cmake_names_a_manifest_that_is_not_json(self):
        folder = self.fresh()
        (folder / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.21)\nproject(x CXX)\nfind_package(jobhost-sdk 1 REQUIRED)\n"
                                               "jobhost_add_plugin(x SOURCES x.cpp MANIFEST plugin.json)\n")
        (folder / "plugin.json").write_text("{")
        with self.assertRaisesRegex(AssertionError, r"jobhost_add_plugin\(x\):\s.*plugin\.json"):
            self.sh_in(folder, 'cmake -S . -B build')

    def test_the_installed_host_finds_its_runner(self):
        folder = self.fresh()
        (folder / "plugins").mkdir()
        (folder / "plugins/one.cpp").write_text(HEAD + f'JOBHOST_MANIFEST(R"json({manifest("one")})json");\n' + BODY.replace("NAME", "one"))
        self.sh_in(folder, "c++ -std=c++17 -shared -fPIC plugins/one.cpp $(pkg-config --cflags --libs jobhost-sdk) -o plugins/one.so")
        host = subprocess.Popen([self.prefix / "bin/jobhost", "serve", "--port", "0", "--data", folder / "data", "--plugins", folder / "plugins"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            url = host.stdout.readline().split()[-1]
            key = folder / "data/keys/admin.key"
            out = self.sh_in(folder, f'"$PREFIX/bin/jobhost" submit one --wait --url {url} --key-file {key}')
            self.assertEqual(json.loads(out), {"n": 1})
        finally:
            host.terminate()
            host.communicate(timeout=60)


if __name__ == "__main__":
    unittest.main()
