#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""scripts/lab: the walkthrough with Tern at both ends and with Linux at either, and the four panes of a
terminal of 80 columns."""
import os
import pathlib
import pty
import re
import select
import subprocess
import tempfile
import time

import interop

LAB = interop.PROJECT / "scripts/lab"


def command(rig, *arguments):
    build = pathlib.Path(rig.command[0]).resolve().parents[1]
    return [str(LAB), "--no-setup", "--no-build", "--build", str(build), *arguments]


def traces():
    """What a lab could leave behind: folders, and processes that ran in it."""
    left = []
    for environment in pathlib.Path("/proc").glob("[0-9]*/environ"):
        try:
            if b"\0TERN_LAB=" in b"\0" + environment.read_bytes():
                left.append(environment.parent.name)
        except OSError:
            pass  # gone meanwhile
    return sorted(p for p in os.listdir(tempfile.gettempdir()) if p.startswith("tern-lab.")), left


def walkthrough(rig, *arguments):
    before = traces()
    result = subprocess.run(command(rig, "--script", "walkthrough", *arguments), capture_output=True, text=True,
                            timeout=100, stdin=subprocess.DEVNULL)
    assert result.returncode == 0, result.stdout + result.stderr
    assert traces() == before, (before, traces())
    return result.stdout


def section(text, title):
    match = re.search(rf"^== {title}.*?\n(.*?)(?=^== |\Z)", text, re.MULTILINE | re.DOTALL)
    assert match, f"no section {title!r}:\n{text}"
    return match[1]


def check_packets(text, options):
    """The handshake, the data and the close of the documents, in tcpdump's words."""
    opening = section(text, "ant connects")
    port = re.search(r"IP 10\.0\.1\.2\.(\d+) > 10\.0\.2\.2\.9999: Flags \[S\]", opening)[1]
    ant, apple = rf"IP 10\.0\.1\.2\.{port} > 10\.0\.2\.2\.9999", rf"IP 10\.0\.2\.2\.9999 > 10\.0\.1\.2\.{port}"
    story = [rf"{ant}: Flags \[S\], seq \d+, win \d+, options \[{options}", rf"{apple}: Flags \[S\.\], seq \d+, ack \d+, win \d+, options \[{options}",
             rf"{ant}: Flags \[\.\], ack 1, win"]
    assert re.search(".*".join(story), opening, re.DOTALL), opening
    for line, begin, end in (("abc", 1, 5), ("hello world!", 5, 18), ("fasionchan.com", 18, 33)):
        data = section(text, f"data: {line}")
        assert f"> {line}\n{line.upper()}\n" in data, data
        assert re.search(rf"{ant}: Flags \[P\.\], seq {begin}:{end}, ack {begin},", data), data
        assert re.search(rf"{apple}: Flags \[P\.\], seq {begin}:{end}, ack {end},", data), data
    closing = section(text, "ant closes")
    story = [rf"{ant}: Flags \[F\.\], seq 33, ack 33,", rf"{apple}: Flags \[F\.\], seq 33, ack 34,", rf"{ant}: Flags \[\.\], ack 34,"]
    assert re.search(".*".join(story), closing, re.DOTALL), closing
    return port


def check_sockets(text, port):
    """What tern-ss, or ss at Linux's end, lists on the two hosts: the same connection, seen from both ends."""
    listening = section(text, "apple listens")
    assert re.search(r"^LISTEN +0 +\d+ +0\.0\.0\.0:9999 +0\.0\.0\.0:\*", listening, re.MULTILINE), listening
    opening, closing = section(text, "ant connects"), section(text, "ant closes")
    ant, apple = rf"10\.0\.1\.2:{port}", r"10\.0\.2\.2:9999"
    assert re.search(rf"^ESTAB +0 +0 +{ant} +{apple}", opening, re.MULTILINE), opening
    assert re.search(rf"^ESTAB +0 +0 +{apple} +{ant}", opening, re.MULTILINE), opening
    assert re.search(rf"^TIME-WAIT +0 +0 +{ant} +{apple}", closing, re.MULTILINE), closing
    assert not re.search(rf"{apple} +{ant}", closing), closing


def tern_at_both_ends(rig):
    text = walkthrough(rig)
    check_sockets(text, check_packets(text, r"mss 1460,sackOK,TS val \d+ ecr \d+,nop,wscale \d+\]"))


def linux_client(rig):
    text = walkthrough(rig, "--peer", "linux")
    check_sockets(text, check_packets(text, r"mss 1460,sackOK,TS val \d+ ecr \d+,nop,wscale \d+\]"))


def linux_server(rig):
    text = walkthrough(rig, "--peer", "linux-server")
    check_sockets(text, check_packets(text, r"mss 1460,sackOK,TS val \d+ ecr \d+,nop,wscale \d+\]"))


def panes(rig):
    """As a person at a terminal of 80 x 30: type in the client's pane, look at the others, end."""
    before = traces()
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm", LINES="30", COLUMNS="80")
        os.execv("/bin/sh", ["sh", "-c", "stty rows 30 cols 80; exec " + " ".join(command(rig))])
    def drain():
        while select.select([terminal], [], [], 0)[0]:
            try:
                if not os.read(terminal, 65536):
                    return
            except OSError:
                return
    def tmux(*arguments):
        drain()
        return subprocess.run(["tmux", "-L", f"tern-lab-{pid}", *arguments], capture_output=True, text=True)
    def screen(pane):
        return tmux("capture-pane", "-p", "-J", "-S", "-200", "-t", f"lab:0.{pane}").stdout
    server, client, packets, shell = range(4)  # from the top left to the bottom
    interop.wait_until(lambda: "listening at port" in screen(server), "the server's pane listens", 30)
    interop.wait_until(lambda: "listening on eth0" in screen(packets), "the packets' pane listens", 10)
    interop.wait_until(lambda: "tcp-upper-client -i 10.0.2.2" in screen(client), "the client's line is typed", 10)
    tmux("send-keys", "-t", f"lab:0.{client}", "Enter")
    interop.wait_until(lambda: re.search(r"^> *$", screen(client), re.MULTILINE), "the client's prompt", 20)
    tmux("send-keys", "-t", f"lab:0.{client}", "hello", "Enter")
    interop.wait_until(lambda: "HELLO" in screen(client), "the answer", 10)
    interop.wait_until(lambda: "connected" in screen(server), "the server's word", 10)
    interop.wait_until(lambda: "Flags [P.]" in screen(packets), "the packets", 10)
    tmux("send-keys", "-t", f"lab:0.{shell}", "Enter")
    interop.wait_until(lambda: "ESTAB" in screen(shell), "the socket's line", 10)
    rig.notes += ["", *tmux("capture-pane", "-p", "-t", f"lab:0.{shell}").stdout.rstrip().splitlines()]
    tmux("send-keys", "-t", f"lab:0.{shell}", "lab-end", "Enter")
    interop.wait_until(lambda: (drain(), os.waitpid(pid, os.WNOHANG)[0])[1], "the end of the lab", 20)
    os.close(terminal)
    assert traces() == before, (before, traces())


def wrong_arguments(rig):
    for arguments, words in ((["--peer", "bsd"], "bsd"), (["--script", "dance"], "dance"), (["--nothing"], "--nothing")):
        result = subprocess.run([str(LAB), *arguments], capture_output=True, text=True, timeout=20)
        assert result.returncode == 2 and words in result.stderr and result.stderr.count("\n") == 1, result


if __name__ == "__main__":
    interop.main([tern_at_both_ends, linux_client, linux_server, panes, wrong_arguments])
