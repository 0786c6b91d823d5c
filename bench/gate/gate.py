#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Counts the engine's instructions on its most travelled paths, by callgrind, and compares them with
instructions.txt beside this file: a path that takes over 3 % more fails. A change that must cost more
raises the figure in its own commit, with the reason:

    bench/gate/gate.py --update          # counts with build/, writes instructions.txt

The figures are those of the release build by Debian 12's g++; in another build there is nothing to
compare, and the gate is skipped (exit status 77).
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
FILE = HERE / "instructions.txt"
PATHS = {
    "predicted_receive": "an in-order segment of 64 bytes, read and acknowledged",
    "echo": "a request of 64 bytes, its echo, which carries the ACK",
    "echo_summed": "the same, with all checksums in software",
    "lone_echo": "an echo, alone in its poll",
    "idle_poll": "a poll that finds nothing, with 64 connections open",
    "stream_receive": "one of 32 full segments of a connection that arrive together, read, the burst acknowledged",
    "stream_send": "a full segment written and sent, to a peer that acknowledges every second one, 45 at a time",
    "connect_close": "a connection opened, asked once and closed: seven segments",
}
TOLERANCE = 0.03
SKIPPED = 77


def count(program, path):
    """Instructions within gate_poll, for each time that the path is gone."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no",
               "--toggle-collect=gate_poll", program, path]
    run = subprocess.run(command, capture_output=True, text=True)
    collected = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not collected or int(collected[1]) == 0:
        sys.exit(f"gate: {' '.join(command)} failed with status {run.returncode}:\n{run.stderr}")
    return int(collected[1]) / int(run.stdout)


def read_figures():
    """{path: instructions} as they stand in the file."""
    lines = [line.split() for line in FILE.read_text().splitlines() if not line.startswith("#")]
    return {words[0]: float(words[1]) for words in lines if words}


def write_figures(figures):
    """The whole file anew."""
    text = "# SPDX-License-Identifier: BSD-3-Clause\n# Instructions each time, counted by bench/gate/gate.py --update.\n"
    for path, figure in figures.items():
        text += f"{path:<18} {figure:8.1f}  {PATHS[path]}\n"
    FILE.write_text(text)


def compare(figures):
    """Prints old and new; True when no path has grown too much."""
    good = True
    known = read_figures()
    for path, figure in figures.items():
        old = known.get(path)
        if old is None:
            print(f"{path}: {figure:.1f} instructions, and no figure in {FILE.name}: run bench/gate/gate.py --update")
            good = False
            continue
        growth = figure / old - 1
        verdict = "too many" if growth > TOLERANCE else "fine"
        if growth < -TOLERANCE:
            verdict = "fewer: enter that with bench/gate/gate.py --update"
        print(f"{path}: {figure:.1f} instructions, {old:.1f} before: {growth:+.1%}, {verdict}")
        good &= growth <= TOLERANCE
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(HERE.parents[1] / "build/bench/gate/paths"))
    parser.add_argument("--update", action="store_true", help="write the figures instead of comparing them")
    parser.add_argument("--other-build", metavar="WHY", help="not the release build: skip, and say why")
    options = parser.parse_args()
    if options.other_build:
        print(f"skipped: {options.other_build}; the figures are those of the release build")
        sys.exit(SKIPPED)
    if not shutil.which("valgrind"):
        print("skipped: valgrind is not installed (scripts/setup installs it)")
        sys.exit(SKIPPED)
    if not pathlib.Path(options.program).exists():
        sys.exit(f"gate: there is no {options.program}: ninja -C build bench/gate/paths")
    figures = {path: count(options.program, path) for path in PATHS}
    if options.update:
        write_figures(figures)
        print(FILE.read_text(), end="")
        return
    sys.exit(0 if compare(figures) else 1)


if __name__ == "__main__":
    main()
