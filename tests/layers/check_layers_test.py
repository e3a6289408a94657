#!/usr/bin/env python3
"""The layer check finds each kind of wrong line in a small tree, and nothing in a right one."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(sys.argv.pop(1)).resolve()


class LayerCheck(unittest.TestCase):
    def check(self, files, missing=None):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "docs").mkdir()
            shutil.copy(ROOT / "docs" / "ARCHITECTURE.md", root / "docs")
            for part in re.findall(r"^\| `(\w+)` \|", (root / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.M):
                if part != missing:
                    (root / "host" / part).mkdir(parents=True)
            for name, text in files.items():
                path = root / "host" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            done = subprocess.run([sys.executable, ROOT / ".ci" / "check_layers.py", root], capture_output=True, text=True)
            return done.returncode, done.stdout

    def refused(self, files, part):
        code, out = self.check(files)
        self.assertEqual(code, 1, out)
        self.assertIn(part, out)

    def test_a_right_tree_passes(self):
        code, out = self.check({
            "core/job.hpp": "// fork() and \"dlopen(\" in words are no code\n",
            "store/a.cpp": '#include <Poco/Data/Session.h>\n#include "core/job.hpp"\n',
            "pool/a.cpp": "void f() { ::kill(1, 9); timer.kill(); }\n",
            "app.cpp": '#include "api/server.hpp"\n#include "store/a.hpp"\n',
        })
        self.assertEqual(code, 0, out)

    def test_a_wrong_include_is_named(self):
        self.refused({"core/a.hpp": '\n#include "store/b.hpp"\n'}, "host/core/a.hpp:2: core may not include store/b.hpp")

    def test_a_dialect_may_not_include_another(self):
        self.refused({"api/minion/a.cpp": '#include "api/native/b.hpp"\n'}, "the dialect minion may not include another")

    def test_a_part_without_a_row_is_named(self):
        self.refused({"extra/a.cpp": "int x;\n"}, "the folder extra has no row")

    def test_a_row_without_a_part_is_named(self):
        code, out = self.check({}, missing="store")
        self.assertEqual(code, 1, out)
        self.assertIn("the row store has no folder", out)

    def test_each_door_is_watched(self):
        for line in ("#include <Poco/Data/Session.h>", "void* h = dlopen(p, 1);", "posix_spawn(a, b, c, d, e, f);", "fork();",
                     "::kill(1, 9);", "Poco::Net::ServerSocket s;", "#include <Poco/Net/HTTPClientSession.h>",
                     "auto t = std::chrono::system_clock::now();", 'const char* x = std::getenv("X");', "#include <toml++/toml.h>"):
            with self.subTest(line):
                self.refused({"jobs/a.cpp": line + "\n"}, "host/jobs/a.cpp:1: ")


if __name__ == "__main__":
    unittest.main()
