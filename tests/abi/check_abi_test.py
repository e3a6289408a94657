#!/usr/bin/env python3
"""What check_abi.py lets pass and what it does not: each case changes a copy of the header the way somebody might."""
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

import check_abi

HEADER = pathlib.Path(__file__).resolve().parents[2] / "sdk/include/jobhost/abi.h"
RELEASED = pathlib.Path(__file__).resolve().parent / "fixtures/1.0/abi.h"  # what is changed: its minor stays
LOCK = pathlib.Path(__file__).resolve().parent / "lock/1.0.json"
LAST_OF_HOST = "  const void *(JH_CALL *get_extension)(const char *id)JH_NOEXCEPT;\n} jh_host;"
LAST_OF_MODULE = "  const void *(JH_CALL *get_extension)(const char *id)JH_NOEXCEPT;\n} jh_module;"
MINOR, NEXT_MINOR = "#define JH_ABI_MINOR 0u", "#define JH_ABI_MINOR 1u"


class CheckAbi(unittest.TestCase):
    def check(self, *changes):
        text = RELEASED.read_text(encoding="utf-8")
        for before, after in changes:
            self.assertEqual(text.count(before), 1, before)
            text = text.replace(before, after)
        with tempfile.TemporaryDirectory() as folder:
            header = pathlib.Path(folder, "abi.h")
            header.write_text(text, encoding="utf-8")
            lock = check_abi.json.loads(LOCK.read_text(encoding="utf-8"))
            return list(check_abi.findings(lock, check_abi.lock_of(header, "cc"), "1.0"))

    def test_the_header_as_it_is_holds(self):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            sys.argv = ["check_abi.py", "check", str(HEADER), str(LOCK)]
            self.assertEqual(check_abi.main(), 0, said.getvalue())

    def test_a_member_appended_with_a_new_minor_holds(self):
        self.assertEqual(self.check((LAST_OF_HOST, LAST_OF_HOST.replace("} jh_host;", "  int32_t (JH_CALL *more)(jh_job *job) JH_NOEXCEPT;\n} jh_host;")), (MINOR, NEXT_MINOR)), [])

    def test_a_member_appended_without_one_does_not(self):
        self.assertIn("JH_ABI_MINOR must be raised", " ".join(self.check((LAST_OF_MODULE, LAST_OF_MODULE.replace("} jh_module;", "  void *more;\n} jh_module;")))))

    def test_members_that_changed_places_do_not(self):
        found = self.check(("  uint32_t abi_minor;          /* JH_ABI_MINOR the plugin was built with; informational */\n  uint32_t abi_min_minor;      /* the lowest minor that has what the plugin uses */\n",
                            "  uint32_t abi_min_minor;\n  uint32_t abi_minor;\n"))
        self.assertIn("jh_module member 2 was abi_minor, is abi_min_minor", " ".join(found))

    def test_a_changed_signature_does_not(self):
        found = self.check(("jh_result(JH_CALL *set_result)(jh_job *job, jh_str json)", "jh_result(JH_CALL *set_result)(jh_job *job, const char *json)"))
        self.assertIn("jh_host.set_result was declared", " ".join(found))

    def test_a_widened_member_does_not(self):
        found = self.check(("  int32_t error_class;         /* JH_CLASS_* */", "  int64_t error_class;"))
        self.assertIn("jh_error.error_class was at 4 with 4 bytes, is at 8 with 8", " ".join(found))

    def test_an_inserted_member_does_not(self):
        self.assertTrue(self.check(("  jh_str(JH_CALL *info)(jh_job *job) JH_NOEXCEPT;", "  void *mine;\n  jh_str(JH_CALL *info)(jh_job *job) JH_NOEXCEPT;")))

    def test_a_removed_member_does_not(self):
        self.assertTrue(self.check(("  jh_result(JH_CALL *close)(jh_input *in) JH_NOEXCEPT;\n", "")))

    def test_a_reused_number_does_not(self):
        self.assertIn("JH_E_IO was `(-7)`, is `(-8)`", " ".join(self.check(("#define JH_E_IO (-7)", "#define JH_E_IO (-8)"))))

    def test_a_renamed_extension_does_not(self):
        self.assertTrue(self.check(('"jobhost.temp/1"', '"jobhost.scratch/1"')))

    def test_a_string_that_grows_does_not(self):
        self.assertIn("jh_str may not grow", " ".join(self.check(("  size_t len;\n} jh_str;", "  size_t len;\n  size_t more;\n} jh_str;"))))

    def test_another_entry_does_not(self):
        self.assertTrue(self.check(("JH_EXPORT const jh_module *JH_CALL jobhost_plugin_entry_v1(const jh_host *host)", "JH_EXPORT const jh_module *JH_CALL jobhost_plugin_entry_v1(void)")))


if __name__ == "__main__":
    unittest.main()
