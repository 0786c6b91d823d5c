# SPDX-License-Identifier: BSD-3-Clause
"""A terminal of a given size for a program, by tmux: what a person at it types and sees. And pages of docs/ that
show such screens."""
import contextlib
import os
import re
import shlex
import subprocess


class Tmux:
    """A tmux server by its name."""

    def __init__(self, name):
        self.name = name

    def __call__(self, *arguments):
        return subprocess.run(["tmux", "-f", "/dev/null", "-L", self.name, *arguments], capture_output=True, text=True,
                              env={**os.environ, "TERM": "xterm"}).stdout

    def screen(self, pane):
        return self("capture-pane", "-p", "-J", "-S", "-200", "-t", pane)

    def type(self, pane, *keys):
        self("send-keys", "-t", pane, *keys)


@contextlib.contextmanager
def terminal_of(columns, rows, command):
    """A program at a terminal; yields the tmux that is its terminal, and its process id."""
    terminal = Tmux(f"tern-terminal-{os.getpid()}")
    terminal("new-session", "-d", "-s", "t", "-x", str(columns), "-y", str(rows), ";", "set", "-g", "status", "off", ";",
             "set", "-g", "remain-on-exit", "on", ";", "respawn-pane", "-k", "-t", "t", f"exec {shlex.join(command)}")
    try:
        yield terminal, int(terminal("display-message", "-p", "-t", "t", "#{pane_pid}"))
    finally:
        terminal("kill-server")


def shown_on_page(page, mark, text):
    """What a page shows in the block behind "<!-- MARK: ... -->"; with TERN_UPDATE_DOCS=1 that becomes `text` first."""
    block = re.compile(rf"(<!-- {mark}:.*?-->\n```[a-z]*\n)(.*?)(?=```$)", re.MULTILINE | re.DOTALL)
    if os.environ.get("TERN_UPDATE_DOCS"):
        page.write_text(block.sub(lambda m: m[1] + text.strip("\n") + "\n", page.read_text()))
    return block.search(page.read_text())[2]
