#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks that docs/tour.md still shows what the tour's steps print, and shows every one of them.

usage: tour_test.py TOUR [--update]

TOUR is the built program (build/test/tour/tour). --update writes the true outputs into the page.
A block of the page that begins with `$ scripts/tour STEP` holds that step's output.
"""
import difflib
import pathlib
import re
import subprocess
import sys

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/tour.md"
BLOCK = re.compile(r"(?<=^```console\n)\$ scripts/tour (\S+)\n(.*?)(?=^```$)", re.MULTILINE | re.DOTALL)


def play(tour, step):
    result = subprocess.run([tour, step], capture_output=True, text=True, timeout=120)
    if result.returncode != 0:
        sys.exit(f"{step}: status {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def main():
    tour = sys.argv[1]
    listed = subprocess.run([tour, "--list"], capture_output=True, text=True, check=True).stdout
    steps = [line.split()[0] for line in listed.splitlines()]
    page = PAGE.read_text()
    true_page = BLOCK.sub(lambda m: f"$ scripts/tour {m[1]}\n{play(tour, m[1])}", page)
    missing = [step for step in steps if step not in [m[1] for m in BLOCK.finditer(page)]]
    if "--update" in sys.argv:
        PAGE.write_text(true_page)
    elif true_page != page:
        sys.stdout.writelines(difflib.unified_diff(page.splitlines(True), true_page.splitlines(True), "docs/tour.md", "what the steps print"))
        sys.exit("docs/tour.md is not true any more; if the new output is right: test/tour/tour_test.py build/test/tour/tour --update")
    if missing:
        sys.exit(f"docs/tour.md does not show: {' '.join(missing)}")
    print(f"{len(steps)} steps, all as the page shows them")


if __name__ == "__main__":
    main()
