#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Installs Tern into a scratch folder and builds docs/examples against that, as its users would: with
meson, and with one line of g++ and pkg-config. The programs must run and say what they should.

usage: embed_test.py BUILD_FOLDER [COMPILER-FLAG...]
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "docs/examples"
BUILD, *FLAGS = sys.argv[1:]
DAYTIME_SESSION = """
coproc server { exec setpriv --pdeathsig KILL "$1"; }
read -r -t 60 line <&"${server[0]}"
ip address add 10.0.2.1/24 dev tern0
ip link set tern0 up
timeout 20 nc 10.0.2.2 13 </dev/null
kill -TERM "$server_PID"
wait "$server_PID" && echo "ended with $?"
"""


class EmbedTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = pathlib.Path(tempfile.mkdtemp(prefix="tern-embed-"))
        cls.addClassCleanup(shutil.rmtree, cls.scratch)
        environment = {**os.environ, "DESTDIR": str(cls.scratch)}
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet"], env=environment, check=True)
        package = next(cls.scratch.rglob("tern.pc"))
        cls.environment = {**os.environ, "PKG_CONFIG_PATH": str(package.parent)}

    def run_command(self, *command):
        result = subprocess.run(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(result.returncode, 0, result.stdout)
        return result.stdout

    def expect_session(self, program):
        self.assertEqual(self.run_command("timeout", "30", program),
                         "10.0.0.1:9999 connected\nHELLO FROM AN EMBEDDED STACK\nfinished\n")

    def test_one_line_of_gcc(self):
        program = str(self.scratch / "embed")
        flags = self.run_command("pkg-config", "--cflags", "--libs", "tern").split()
        self.run_command("g++", "-std=c++20", *FLAGS, str(EXAMPLES / "embed.cc"), *flags, "-o", program)
        self.expect_session(program)

    def test_meson_project(self):
        folder = self.scratch / "build"
        self.run_command("meson", "setup", str(folder), str(EXAMPLES), "-Dwerror=true", f"-Dcpp_args={' '.join(FLAGS)}",
                         f"-Dcpp_link_args={' '.join(FLAGS)}")
        self.run_command("ninja", "-C", str(folder))
        self.expect_session(str(folder / "embed"))
        if self.has_dpdk() and os.geteuid() == 0 and os.path.exists("/dev/net/tun"):
            self.expect_time_of_day(folder / "daytime")

    def expect_time_of_day(self, program):
        """A client in the same fresh network namespace is told the time, and sees the server close."""
        output = self.run_command("unshare", "--net", "bash", "-ec", DAYTIME_SESSION, "-", str(program))
        self.assertRegex(output, r"\d\d:\d\d:\d\d \d{4}\nended with 0\n$")

    def has_dpdk(self):
        return self.run_command("pkg-config", "--variable=dpdk", "tern").strip() == "yes"

    def test_every_public_header_is_installed(self):
        source = {p.name for p in (EXAMPLES.parents[1] / "lib/include/tern").iterdir()}
        if not self.has_dpdk():
            source.remove("runtime.h")
        installed = next(self.scratch.rglob("tern.h")).parent
        self.assertEqual({p.name for p in installed.iterdir()}, source)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
