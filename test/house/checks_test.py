#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The checks of scripts/ against trees with a planted violation each: every one must be found, at its
line, and the same tree without it must pass."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
HEADER = "// SPDX-License-Identifier: BSD-3-Clause\n#pragma once\n"


class Tree(unittest.TestCase):
    """A scratch project to plant files in."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="tern-checks-")
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def run_check(self, *command):
        """The check's exit status and what it printed."""
        result = subprocess.run([sys.executable, SCRIPTS / command[0], *command[1:]],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return result.returncode, result.stdout


class LayeringTest(Tree):
    def setUp(self):
        super().setUp()
        self.write("lib/base/bits.h", HEADER)
        self.write("lib/wire/parse.h", HEADER + '#include "base/bits.h"\n#include "tern/port.h"\n')
        self.write("lib/tcp/tcb.h", HEADER + '#include <chrono>\n#include "net/neighbour.h"\n#include "tcp/state.h"\n')
        self.write("lib/runtime/worker.h", HEADER + '#include <rte_eal.h>\n#include <thread>\n#include "stack/stack_impl.h"\n')
        self.write("apps/server/options.h", HEADER)
        self.write("apps/server/main.cc", '#include "options.h"\n#include "tern/tern.h"\n#include <CLI/CLI.hpp>\n')

    def expect_violation(self, path, text, where):
        self.assertEqual(self.run_check("check-layering", str(self.root))[0], 0, "the tree was not clean before")
        self.write(path, text)
        status, output = self.run_check("check-layering", str(self.root))
        self.assertEqual(status, 1, output)
        self.assertIn(where, output)

    def test_upward_include(self):
        self.expect_violation("lib/flow/table.h", HEADER + '\n#include "tcp/tcb.h"\n', "lib/flow/table.h:4: flow includes")

    def test_sideways_include(self):
        self.expect_violation("lib/timer/wheel.h", HEADER + '#include "wire/parse.h"\n', "lib/timer/wheel.h:3: timer includes")

    def test_port_that_knows_the_stack(self):
        self.expect_violation("lib/io/sim/net.h", HEADER + '#include "stack/stack_impl.h"\n', "lib/io/sim/net.h:3: io/sim includes")

    def test_public_header_that_shows_the_inside(self):
        self.expect_violation("lib/include/tern/stack.h", HEADER + '#include "base/bits.h"\n', "lib/include/tern/stack.h:3: a public")

    def test_dpdk_in_the_engine(self):
        self.expect_violation("lib/tcp/send.cc", "#include <rte_mbuf.h>\n", "lib/tcp/send.cc:1: DPDK's rte_mbuf.h")

    def test_dpdk_in_an_app(self):
        self.expect_violation("apps/server/eal.cc", "#include <rte_eal.h>\n", "apps/server/eal.cc:1: DPDK's rte_eal.h")

    def test_dpdk_in_a_unit_test(self):
        self.expect_violation("test/unit/tcp/x_test.cc", "#include <rte_eal.h>\n", "test/unit/tcp/x_test.cc:1: DPDK's")

    def test_app_that_reaches_inside(self):
        self.expect_violation("apps/server/main.cc", '#include "base/bits.h"\n', "apps/server/main.cc:1: apps include")

    def test_lock_in_tcp(self):
        self.expect_violation("lib/tcp/lock.h", HEADER + "#include <mutex>\n", "lib/tcp/lock.h:3: tcp includes <mutex>")

    def test_clock_in_the_engine(self):
        self.expect_violation("lib/stack/stack.cc", "auto now() { return std::chrono::steady_clock::now(); }\n",
                              "lib/stack/stack.cc:1: stack uses steady_clock")

    def test_environment_in_the_engine(self):
        self.expect_violation("lib/base/env.cc", '\nauto x = std::getenv("TERN");\n', "lib/base/env.cc:2: base uses getenv")

    def test_folder_without_a_layer(self):
        self.expect_violation("lib/misc/junk.h", HEADER, "lib/misc/junk.h:1: in no folder")

    def test_system_header_of_a_folder_s_name_is_fine(self):
        self.write("lib/runtime/names.cc", "#include <net/if.h>\n")
        self.write("lib/io/dpdk/names.cc", "#include <net/if.h>\n")
        self.assertEqual(self.run_check("check-layering", str(self.root))[0], 0)

    def test_own_header_in_angle_brackets(self):
        self.write("lib/net/neighbour.h", HEADER)
        self.expect_violation("lib/io/dpdk/port.h", HEADER + "#include <net/neighbour.h>\n", "lib/io/dpdk/port.h:3: io/dpdk includes")

    def test_clock_named_in_a_comment_is_fine(self):
        self.write("lib/tcp/why.h", HEADER + "// no steady_clock here, and no getenv\n")
        self.assertEqual(self.run_check("check-layering", str(self.root))[0], 0)


class HeadersTest(Tree):
    def check(self):
        return self.run_check("check-headers", "--root", str(self.root), "--no-dpdk")

    def test_sound_header_passes(self):
        self.write("lib/base/a.h", HEADER + "#include <cstdint>\nstruct A { std::uint32_t x; };\n")
        self.assertEqual(self.check()[0], 0)

    def test_missing_include(self):
        self.write("lib/base/a.h", HEADER + "struct A { std::uint32_t x; };\n")
        status, output = self.check()
        self.assertEqual(status, 1)
        self.assertIn("lib/base/a.h:1: does not compile alone", output)

    def test_missing_pragma_once(self):
        self.write("lib/base/a.h", HEADER.splitlines()[0] + "\nint f();\n")
        self.assertIn("lib/base/a.h:1: no #pragma once", self.check()[1])

    def test_missing_licence_line(self):
        self.write("lib/base/a.h", "#pragma once\n")
        self.assertIn("lib/base/a.h:1: the first line is not the SPDX line", self.check()[1])

    def test_dpdk_folder_is_left_out(self):
        self.write("lib/io/dpdk/a.h", HEADER + "#include <no_such_header.h>\n")
        self.assertEqual(self.check()[0], 0)


@unittest.skipUnless(shutil.which("ctags-universal"), "universal-ctags is not installed")
class SizeTest(Tree):
    def check(self):
        return self.run_check("check-size", "--root", str(self.root))

    @staticmethod
    def function(name, lines):
        return f"int {name}() {{\n" + "  ;\n" * (lines - 3) + "  return 0;\n}\n"

    def test_function_of_70_lines_passes(self):
        self.write("lib/base/a.cc", self.function("f", 70) + self.function("g", 3) + self.function("h", 3))
        self.assertEqual(self.check()[0], 0)

    def test_function_of_71_lines(self):
        self.write("lib/base/a.cc", "\n" + self.function("f", 71) + self.function("g", 3) + self.function("h", 3))
        status, output = self.check()
        self.assertEqual(status, 1)
        self.assertIn("lib/base/a.cc:2: f has 71 lines", output)

    def test_median_of_11_lines(self):
        self.write("lib/base/a.cc", self.function("f", 11))
        self.assertIn("the median function has 11 lines", self.check()[1])

    def test_file_of_601_lines(self):
        self.write("apps/a.cc", "\n" * 601)
        self.assertIn("apps/a.cc:1: 601 lines", self.check()[1])


class ConformanceTest(Tree):
    HEAD = ("**119 rows: 117 shown by 2 tests, 1 open, 0 unused options, 1 deviations.**\n"
            "| row | requirement | how |\n|---|---|---|\n")

    def setUp(self):
        super().setUp()
        self.write("test/unit/a_test.cc", "TEST(Suite, Shows) {}\nTEST_F(Fixture, Too) {}\n")
        self.rows = {f"{kind}-{n}": "`Suite.Shows` `Fixture.Too`"
                     for kind, last in (("MUST", 69), ("SHLD", 31), ("MAY", 18)) for n in range(1, last + 1)}
        self.rows["MUST-2"] = "open: not built"
        self.rows["7323-2.2"] = "deviation: for a reason"

    def status(self, head=HEAD, extra=""):
        rows = "".join(f"| {name} | it works | {how} |\n" for name, how in self.rows.items())
        self.write("docs/tcp-conformance.md", head + rows + extra)
        return self.run_check("check-conformance", str(self.root))

    def expect_violation(self, sentence, **given):
        status, output = self.status(**given)
        self.assertEqual(status, 1, output)
        self.assertIn(sentence, output)

    def test_good_ledger(self):
        self.assertEqual(self.status()[0], 0, self.status()[1])

    def test_missing_test(self):
        self.rows["MUST-3"] = "`Suite.Shows` `Fixture.Gone`"
        self.expect_violation("docs/tcp-conformance.md:6: MUST-3: no such test: Fixture.Gone")

    def test_row_that_says_nothing(self):
        self.rows["MUST-3"] = "surely"
        self.expect_violation("MUST-3: names no test")

    def test_deviation_without_reason(self):
        self.rows["MUST-3"] = "deviation"
        self.expect_violation("MUST-3: 'deviation' gives no reason")

    def test_missing_row(self):
        del self.rows["SHLD-31"]
        self.expect_violation("no row for SHLD-31")

    def test_row_twice(self):
        self.expect_violation("MAY-3 has a row already", extra="| MAY-3 | it works | `Suite.Shows` |\n")

    def test_wrong_counts(self):
        self.expect_violation("the counts must read: **119 rows", head=self.HEAD.replace("117", "118"))
        self.run_check("check-conformance", "--update", str(self.root))
        self.assertEqual(self.run_check("check-conformance", str(self.root))[0], 0)


class StateDiagramTest(Tree):
    TABLE = ("constexpr std::array kEdges = {\n    Edge{kClosed, kSynSent},  // active OPEN\n"
             "    Edge{kFinWait1, kFinWait2},  // ACK of our FIN\n};\n  if (to == kClosed) return true;\n")

    def setUp(self):
        super().setUp()
        self.write("lib/tcp/state.cc", self.TABLE)
        self.write("docs/README.md", "")
        self.assertEqual(self.run_check("state-diagram", str(self.root))[0], 0)

    def check(self):
        return self.run_check("state-diagram", "--check", str(self.root))

    def test_drawing_of_the_table(self):
        self.assertEqual(self.check()[0], 0)
        text = (self.root / "docs/state-diagram.md").read_text()
        self.assertIn("FIN_WAIT_1 --> FIN_WAIT_2: ACK of our FIN", text)
        self.assertIn("| CLOSED | SYN-SENT | active OPEN |", text)

    def test_drift(self):
        self.write("lib/tcp/state.cc", self.TABLE.replace("kFinWait2}", "kTimeWait}"))
        status, output = self.check()
        self.assertEqual(status, 1)
        self.assertIn("docs/state-diagram.md is not what lib/tcp/state.cc says", output)

    def test_edge_without_a_cause(self):
        self.write("lib/tcp/state.cc", self.TABLE.replace("  // active OPEN", ""))
        status, output = self.check()
        self.assertEqual(status, 1)
        self.assertIn("an edge without a comment", output)


if __name__ == "__main__":
    unittest.main()
