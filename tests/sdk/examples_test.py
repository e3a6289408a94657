#!/usr/bin/env python3
"""The examples: each is built by the command of its README with the installed SDK, tested, checked, dropped into a host
that was installed beside it, and run there. Then the C one as a Windows DLL, whose manifest is read.

A compiler that is not installed is named and left out; ./dev test installs them all. Usage: examples_test.py SOURCE_DIR BUILD_DIR
"""
import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SOURCE, BUILD = (pathlib.Path(sys.argv.pop(1)).resolve() for _ in range(2))
# example: plugin file, compiler, job type, params, its result
EXAMPLES = {
    "hello": ("hello.so", "c++", "hello", {"name": "world"}, {"text": "hello world"}),
    "hello-c": ("hello-c.so", "cc", "hello-c", {"name": "x"}, {"greeting": "hello from C", "params": {"name": "x"}}),
    "hello-rust": ("hello-rust.so", "rustc", "hello-rust", {"name": "x"}, {"greeting": "hello from Rust", "params": {"name": "x"}}),
    "long-job": ("long-job.so", "c++", "count-primes", {"below": 100000}, {"primes": 9592}),
    "http-fetcher": ("http-fetcher.so", "c++", "http-fetch", None, None),  # its params name the server below
    "records-user": ("records-user.so", "c++", "shelve", {"books": [{"id": "emma", "title": "Emma", "chapters": ["I"]}]},
                     {"shelved": 1, "on_the_shelf": 1}),
    "fan-out": ("fan-out.so", "c++", "sum-of-squares", {"n": 20}, {"sum": 2870}),
}
MINGW = "x86_64-w64-mingw32-"


class Page(http.server.BaseHTTPRequestHandler):
    """What the fetcher fetches."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="jobhost-examples-")
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name)
        cls.prefix = cls.folder / "sdk"
        subprocess.run(["cmake", "--install", BUILD, "--component", "sdk", "--prefix", cls.prefix], check=True, capture_output=True)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=server.serve_forever).start()
        cls.addClassCleanup(server.server_close)
        cls.addClassCleanup(server.shutdown)
        page = f"http://127.0.0.1:{server.server_port}/page"
        EXAMPLES["http-fetcher"] = (*EXAMPLES["http-fetcher"][:3], {"url": page},
                                    {"status": 200, "bytes": 5, "url": page, "media_type": "text/plain"})
        cls.examples = {}
        for name, example in EXAMPLES.items():
            if shutil.which(example[1]) is None:
                print(f"left out, no {example[1]}: {name}", file=sys.stderr)
                continue
            cls.examples[name] = example
            shutil.copytree(cls.prefix / "share/jobhost-sdk/examples" / name, cls.folder / name)
            commands = re.search(r"```sh\n(.*?)```", (cls.folder / name / "README.md").read_text(), re.S)[1]
            cls.sh(commands, name)

    @classmethod
    def sh(cls, script, folder="."):
        environment = {**os.environ, "PATH": f"{cls.prefix}/bin:{os.environ['PATH']}", "PKG_CONFIG_PATH": f"{cls.prefix}/share/pkgconfig"}
        done = subprocess.run(["bash", "-euc", script], cwd=cls.folder / folder, env=environment, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def test_each_says_what_it_is_and_breaks_no_rule(self):
        for name, (file, _, job_type, *_) in self.examples.items():
            with self.subTest(name):
                out = self.sh(f"jobhost plugin info {file}", name)
                self.assertRegex(out, r"ID +com\.example\." + name)
                self.assertIn(job_type, out)
                self.sh(f"jobhost plugin check --level strict {file}", name)

    def test_none_is_forgotten(self):
        folders = {folder.name for folder in (SOURCE / "examples").iterdir() if folder.is_dir()}
        self.assertEqual(folders, set(EXAMPLES) | {"plugin-template", "python-handler"})

    def test_the_template_breaks_no_rule(self):
        shutil.copytree(self.prefix / "share/jobhost-sdk/examples/plugin-template", self.folder / "template")
        self.sh(f"cmake -S . -B build -DCMAKE_PREFIX_PATH={self.prefix} && cmake --build build", "template")
        self.sh("jobhost plugin check --level strict build/wordcount.so", "template")

    def test_the_program_in_python_breaks_no_rule_and_runs(self):
        shutil.copytree(self.prefix / "share/jobhost-sdk/examples/python-handler", self.folder / "python")
        (self.folder / "python/book.txt").write_text("one two three\ntwo three\n")
        out = self.sh("jobhost plugin info word_stats.plugin.json", "python")
        self.assertRegex(out, r"ID +com\.example\.word-stats")
        self.assertRegex(out, r"COMMAND +word_stats\.py")
        self.sh("jobhost plugin check --level strict word_stats.plugin.json", "python")
        self.sh("jobhost plugin check --level strict --input book.txt=book.txt word_stats.plugin.json", "python")
        result = json.loads(self.sh("jobhost plugin run word_stats.plugin.json --input book.txt=book.txt --params '{\"top\": 1}'", "python"))
        self.assertEqual((result["lines"], result["words"], result["distinct"], len(result["top"])), (2, 5, 3, 1))
        self.assertIn("three,2", (self.folder / "python/out/words.csv").read_text())

    def test_each_runs_in_a_host(self):
        plugins = self.folder / "plugins"
        plugins.mkdir()
        for name, (file, *_) in self.examples.items():
            shutil.copy(self.folder / name / file, plugins)
        host = subprocess.Popen([self.prefix / "bin/jobhost", "serve", "--port", "0", "--data", self.folder / "data", "--plugins", plugins, "--set", "http.allow_private=true"],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            url = host.stdout.readline().split()[-1]
            client = f"--url {url} --key-file {self.folder}/data/keys/admin.key"
            for name, (_, _, job_type, params, result) in self.examples.items():
                with self.subTest(name):
                    out = self.sh(f"jobhost submit {job_type} --wait --params '{json.dumps(params)}' {client}")
                    self.assertEqual(json.loads(out), result)
            with self.subTest("a cancel is heard"):
                job = self.sh(f"jobhost submit count-primes -p below=100000000 {client}").strip()
                watch = subprocess.Popen([self.prefix / "bin/jobhost", "watch", job, *client.split()], stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT, text=True)
                for line in watch.stdout:
                    if "%" in line:
                        break
                start = time.monotonic()
                self.sh(f"jobhost cancel {job} {client}")
                watch.stdout.read()
                watch.wait(timeout=60)
                watch.stdout.close()
                self.assertLess(time.monotonic() - start, 4, "before the host would have to kill it")
                self.assertEqual(json.loads(self.sh(f"jobhost get {job} --json {client}"))["state"], "canceled")
        finally:
            host.terminate()
            host.wait(timeout=60)
            host.stdout.close()

    def info(self, folder, *options, status=0):
        done = subprocess.run([self.prefix / "bin/jobhost", "plugin", "info", folder, *options], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout

    def test_info_shows_all_plugins_of_a_folder(self):
        shelf = self.folder / "shelf"
        shelf.mkdir()
        for name, (file, *_) in self.examples.items():
            shutil.copy(self.folder / name / file, shelf)
        (shelf / "text.so").write_text("hello")
        rows = {row["file"]: row for row in json.loads(self.info(shelf, "--json", status=1))["plugins"]}
        self.assertIn("is not an ELF file", rows["text.so"]["reason"])
        for name, (file, _, job_type, *_) in self.examples.items():
            row = rows[file]
            self.assertNotIn("reason", row)
            self.assertEqual((row["id"], row["kind"]), (f"com.example.{name}", "library"))
            self.assertIn(job_type, row["job_types"])
            self.assertEqual(row["sha256"], hashlib.sha256((shelf / file).read_bytes()).hexdigest())
        (shelf / "text.so").unlink()
        self.assertRegex(self.info(shelf).splitlines()[0], "^FILE +KIND +ID +VERSION")

    def test_info_does_not_read_again_what_its_index_has(self):
        index = self.folder / "hello.index"
        self.info("hello", "--index", index)  # built long before the examples after it
        head, body = index.read_text().split("\n", 1)
        self.assertIn("hello.so", body)
        body = body.replace("com.example.hello", "com.example.hullo")
        index.write_text(head.rsplit(" ", 1)[0] + " " + hashlib.sha256(body.encode()).hexdigest() + "\n" + body)
        self.assertIn("com.example.hullo", self.info("hello", "--index", index))
        index.write_text(head + "\n" + body)
        self.assertIn("com.example.hello", self.info("hello", "--index", index))

    @unittest.skipUnless(shutil.which(MINGW + "gcc") and shutil.which(MINGW + "g++"), "no MinGW-w64")
    def test_they_build_as_windows_dlls_whose_manifest_is_read(self):
        builds = {"hello-c": f"{MINGW}gcc -std=c99 hello-c/hello.c", "hello": f"{MINGW}g++ -std=c++17 hello/hello.cpp -static"}
        for name, command in builds.items():
            with self.subTest(name):
                self.sh(f"{command} -Wall -Wextra -Wpedantic -Werror -O2 -shared -I{self.prefix}/include -Wl,--gc-sections -o {name}.dll "
                        f"&& {MINGW}strip {name}.dll")
                out = self.sh(f"jobhost plugin info {name}.dll")
                self.assertIn("PE x86-64", out)
                self.assertRegex(out, r"ID +com\.example\." + name)
                exports = self.sh(f"{MINGW}objdump -p {name}.dll").split("[Ordinal/Name Pointer] Table")[1].split("\n\n")[0]
                self.assertEqual(exports.split()[-1], "jobhost_plugin_entry_v1")
                self.assertEqual(exports.count("["), 1)

    def test_info_says_why_a_file_is_no_plugin(self):
        (self.folder / "text.so").write_text("hello")
        for file, status, reason in (("text.so", 1, "text.so is not an ELF file"), ("none.so", 2, "none.so is not there"),
                                     ("/bin/true", 1, "/bin/true is a shared library without a jobhost manifest")):
            done = subprocess.run([self.prefix / "bin/jobhost", "plugin", "info", file], cwd=self.folder, capture_output=True, text=True)
            self.assertEqual(done.returncode, status)
            self.assertIn(reason, done.stderr)


if __name__ == "__main__":
    unittest.main()
