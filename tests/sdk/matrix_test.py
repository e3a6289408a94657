#!/usr/bin/env python3
"""The SDK under every compiler, library, language version and switch that plugin authors use: each builds the kit plugin
without a warning, and every build does the same under FakeHosts that other compilers built.

A compiler that is not installed is named and left out; ./dev test installs them all. Usage: matrix_test.py SOURCE_DIR
"""
import concurrent.futures
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(sys.argv.pop(1)).resolve()
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", str(SOURCE / "sdk/include")]
LIBCXX = "-stdlib=libc++"
# name: compiler, flags. The plugin is built with each.
PLUGINS = {
    "gcc, C++17": ("g++", ["-std=c++17"]),
    "gcc, C++20, optimised": ("g++", ["-std=c++20", "-O2", "-Wshadow", "-Wold-style-cast", "-Wconversion", "-Wsign-conversion"]),
    "gcc, LTO": ("g++", ["-std=c++17", "-O2", "-flto=auto"]),
    "gcc, no RTTI": ("g++", ["-std=c++17", "-fno-rtti"]),
    "gcc, libstdc++ linked in": ("g++", ["-std=c++17", "-static-libstdc++", "-static-libgcc"]),
    "clang, C++17": ("clang++", ["-std=c++17"]),
    "clang, C++20, no RTTI": ("clang++", ["-std=c++20", "-fno-rtti"]),
    "clang, LTO": ("clang++", ["-std=c++17", "-O2", "-flto", "-fuse-ld=lld", "-Wno-unused-command-line-argument"]),
    "clang, libc++, C++17": ("clang++", ["-std=c++17", LIBCXX]),
    "clang, libc++, C++20": ("clang++", ["-std=c++20", LIBCXX, "-Wconversion"]),
}
# The driver, and with it testing.hpp.
DRIVERS = {
    "gcc, C++17": ("g++", ["-std=c++17"]),
    "gcc, C++20, no RTTI": ("g++", ["-std=c++20", "-fno-rtti"]),
    "clang, libc++, C++17": ("clang++", ["-std=c++17", LIBCXX]),
}
LINK = ["-shared", "-fPIC", f"-Wl,--version-script={SOURCE / 'sdk/cmake/plugin.map'}", "-Wl,-z,defs"]


CCACHE = ["ccache"] if shutil.which("ccache") else []


def run(command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=900)


def build(commands):
    """Compiles and links; answers the first command that says something, or the last."""
    for command in commands:
        done = run(command)
        if done.returncode != 0 or done.stderr:
            break
    return done


def usable(compiler, flags, folder):
    """Whether the compiler is there, with its library and linker."""
    if shutil.which(compiler) is None:
        return False
    probe = folder / "probe.cpp"
    probe.write_text("#include <string>\nint main() { return static_cast<int>(std::string().size()); }\n")
    return run([compiler, *flags, probe, "-o", folder / "probe"]).returncode == 0


class Matrix(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="jobhost-matrix-")
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name)
        jobs = {}
        for kind, table, source, link in (("plugin", PLUGINS, SOURCE / "tests/plugins/kit/kit.cpp", LINK),
                                          ("driver", DRIVERS, SOURCE / "tests/sdk/matrix_driver.cpp", ["-ldl"])):
            for number, (name, (compiler, flags)) in enumerate(table.items()):
                if not usable(compiler, flags, cls.folder):
                    print(f"left out, not installed: {name}", file=sys.stderr)
                    continue
                jobs[kind, name] = cls.commands([compiler, *flags], source, link, f"{kind}{number}")
        for compiler in ("gcc", "clang"):
            if shutil.which(compiler):
                jobs["c", compiler] = cls.commands([compiler, "-std=c99"], SOURCE / "tests/sdk/echo.c", LINK, f"c-{compiler}")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            cls.builds = dict(zip(jobs, pool.map(build, jobs.values())))
        cls.files = {key: commands[-1][-1] for key, commands in jobs.items()}

    @classmethod
    def commands(cls, compiler, source, link, name):
        made = cls.folder / f"{name}.o"
        return [[*CCACHE, *compiler, *STRICT, "-fPIC", "-fvisibility=hidden", "-c", source, "-o", made],
                [*compiler, made, *link, "-o", cls.folder / name]]

    def made(self, kind):
        return {name: file for (k, name), file in self.files.items() if k == kind and self.builds[k, name].returncode == 0}

    def test_every_compiler_takes_it_without_a_warning(self):
        for key, done in self.builds.items():
            with self.subTest(key):
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_every_build_does_the_same_under_every_host(self):
        c_plugins = list(self.made("c").values())
        for number, (plugin, file) in enumerate(self.made("plugin").items()):
            for driver, program in self.made("driver").items():
                with self.subTest(plugin=plugin, driver=driver):
                    done = run([program, file, c_plugins[number % len(c_plugins)]])
                    self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_a_plugin_exports_its_entry_alone(self):
        for name, file in {**self.made("plugin"), **self.made("c")}.items():
            with self.subTest(name):
                exported = run(["nm", "-D", "--defined-only", file]).stdout.splitlines()
                self.assertEqual([line.split()[1:] for line in exported], [["T", "jobhost_plugin_entry_v1"]])

    def test_the_manifest_survives_strip(self):
        for name, file in {**self.made("plugin"), **self.made("c")}.items():
            with self.subTest(name):
                stripped = f"{file}.stripped"
                self.assertEqual(run(["strip", "--strip-all", "-o", stripped, file]).returncode, 0)
                self.assertIn("JobHost", run(["readelf", "-n", stripped]).stdout)


if __name__ == "__main__":
    unittest.main()
