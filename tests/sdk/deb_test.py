#!/usr/bin/env python3
"""The .deb packages, unpacked into a bare folder: what is in them, what they ask for, and a plugin built from there.

Usage: deb_test.py BUILD_DIR
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(sys.argv.pop(1)).resolve()


def run(*command, **more):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=600, **more)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@unittest.skipUnless(shutil.which("dpkg-shlibdeps"), "no dpkg-dev")
class Debs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="jobhost-deb-")
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name)
        run("cpack", "--config", BUILD / "CPackConfig.cmake", "-B", cls.folder, cwd=cls.folder)
        cls.debs = {deb.name.split("_")[0]: deb for deb in cls.folder.glob("*.deb")}
        cls.root = cls.folder / "root"
        for deb in cls.debs.values():
            run("dpkg", "-x", deb, cls.root)

    def field(self, package, name):
        return run("dpkg-deb", "-f", self.debs[package], name).strip()

    def test_there_are_two_with_their_dependencies(self):
        self.assertEqual(set(self.debs), {"jobhost", "jobhost-sdk-dev"})
        depends = self.field("jobhost", "Depends")
        for library in ("libc6", "libsqlite3-0", "libssl3", "libpoconet"):
            self.assertIn(library, depends)
        self.assertEqual(self.field("jobhost-sdk-dev", "Architecture"), "all")
        self.assertIn("jobhost (>=", self.field("jobhost-sdk-dev", "Depends"))

    def test_the_host_has_its_service_user_and_configuration(self):
        names = {line.split()[-1].lstrip(".") for line in run("dpkg-deb", "-c", self.debs["jobhost"]).splitlines()}
        for name in ("/usr/bin/jobhost", "/usr/libexec/jobhost/jobhost-runner", "/lib/systemd/system/jobhost.service",
                     "/usr/lib/sysusers.d/jobhost.conf", "/etc/jobhost/jobhost.toml", "/usr/lib/jobhost/plugins/"):
            self.assertIn(name, names)
        self.assertFalse([name for name in names if "/usr/local" in name or "/usr/include" in name])
        control = self.folder / "control"
        run("dpkg-deb", "-e", self.debs["jobhost"], control)
        self.assertEqual((control / "conffiles").read_text().split(), ["/etc/jobhost/jobhost.toml"])
        for script in ("postinst", "prerm", "postrm"):
            self.assertEqual((control / script).stat().st_mode & 0o777, 0o755, script)
            run("sh", "-n", control / script)
        if shutil.which("systemd-analyze"):
            unit = (self.root / "lib/systemd/system/jobhost.service").read_text().replace("/usr/bin/jobhost", str(self.root / "usr/bin/jobhost"))
            (self.folder / "jobhost.service").write_text(unit)
            done = subprocess.run(["systemd-analyze", "verify", self.folder / "jobhost.service"], capture_output=True, text=True)
            self.assertEqual([line for line in done.stderr.splitlines() if "jobhost.service" in line and "man " not in line], [])

    def test_the_configuration_is_one_the_host_takes(self):
        out = run(self.root / "usr/bin/jobhost", "config", "show", "--config", self.root / "etc/jobhost/jobhost.toml")
        self.assertRegex(out, r"data\.dir +\S*/var/lib/jobhost")

    def test_the_sdk_has_no_program_of_its_own(self):
        names = run("dpkg-deb", "-c", self.debs["jobhost-sdk-dev"])
        self.assertNotIn("/usr/bin", names)
        self.assertNotIn("/usr/libexec", names)
        self.assertIn("./usr/include/jobhost/abi.h", names)

    def test_a_plugin_is_made_built_and_checked_from_them(self):
        environment = {"PATH": f"{self.root}/usr/bin:{os.environ['PATH']}", "HOME": str(self.folder), "LANG": "C.UTF-8",
                       "CMAKE_PREFIX_PATH": str(self.root / "usr")}
        run("bash", "-euc", "jobhost plugin new parcel --type parcel && cmake -S parcel -B parcel/build && cmake --build parcel/build -j2 "
            "&& ctest --test-dir parcel/build --output-on-failure", cwd=self.folder, env=environment)


if __name__ == "__main__":
    unittest.main()
