# SPDX-License-Identifier: BSD-3-Clause
"""scripts/bench without a measurement: mistakes in its line, and how it ends by a signal."""
import os
import pathlib
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BENCH = str(ROOT / "scripts/bench")


def run(*arguments):
    return subprocess.run([sys.executable, BENCH, "--no-build", *arguments], capture_output=True, text=True, timeout=60)


class Mistakes(unittest.TestCase):
    def test_are_named_with_status_2(self):
        for arguments, words in ((("--connections", "0"), "'0' is not a whole number above 0"),
                                 (("--connections", "-5"), "'-5' is not a whole number above 0"),
                                 (("--runs", "0"), "'0' is not a whole number above 0"),
                                 (("--hold", "0"), "'0' is no time"),
                                 (("--hold", "x"), "'x' is no time"),
                                 (("--only", "foo"), "invalid choice: 'foo'"),
                                 (("--json", "/no/such/folder/x"), "there is no folder /no/such/folder")):
            with self.subTest(arguments):
                done = run("--only", "scale", *arguments)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(words, done.stderr)


class Signals(unittest.TestCase):
    """A program in tern-bench's place that never has a result: the rig waits for its socket."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        program = pathlib.Path(self.folder.name, "apps/tern-bench")
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\necho $$ >{self.folder.name}/pid\nexec sleep 60\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.addCleanup(self.folder.cleanup)

    def test_end_it_in_order(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(number.name):
                self.end_by(number)

    def end_by(self, number):
        pid_file = pathlib.Path(self.folder.name, "pid")
        pid_file.unlink(missing_ok=True)
        temporary = pathlib.Path(self.folder.name, "tmp")
        temporary.mkdir(exist_ok=True)
        bench = subprocess.Popen([sys.executable, BENCH, "--no-build", "--build", self.folder.name, "--only", "scale",
                                  "--connections", "1"], stderr=subprocess.PIPE, text=True,
                                 env={**os.environ, "TMPDIR": str(temporary)})
        deadline = time.monotonic() + 30
        while not (pid_file.exists() and pid_file.read_text().strip()) and time.monotonic() < deadline:
            time.sleep(0.05)
        child = int(pid_file.read_text())
        bench.send_signal(number)
        errors = bench.communicate(timeout=30)[1]
        self.assertEqual(bench.returncode, 128 + number, errors)
        self.assertNotIn("Traceback", errors)
        self.assertFalse(pathlib.Path(f"/proc/{child}").exists(), "the program that it started goes on")
        self.assertEqual(list(temporary.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
