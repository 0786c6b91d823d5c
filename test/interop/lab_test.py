#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""scripts/lab: the walkthrough with Tern at both ends and with Linux at either, and the four panes of a
terminal of 80 columns."""
import os
import pathlib
import re
import subprocess
import tempfile

import interop
from interop import wait_until
from terminal import Tmux, shown_on_page, terminal_of

LAB = interop.PROJECT / "scripts/lab"
PAGE = interop.PROJECT / "docs/lab.md"
SLOW_S = 60  # for what takes a moment, on a machine that is busy with other things


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


def plain(text):
    """A session without what differs from one to the next: times, ports, first numbers, windows, widths, bytes."""
    text = "\n".join(line for line in text.splitlines() if not re.search(r"\t?0x\d{4}: ", line))
    for pattern, word in ((r"\d\d:\d\d:\d\d\.\d+", "TIME"), (r"10\.0\.1\.2([.:])\d+", r"10.0.1.2\1PORT"), (r"\b\d{6,}\b", "NUMBER"),
                          (r"win \d+", "win W"), (r"[ \t]+", " ")):
        text = re.sub(pattern, word, text)
    return [line.strip() for line in text.strip().splitlines()]


def check_page(mark, text):
    """docs/lab.md shows what the lab shows today."""
    shown = shown_on_page(PAGE, mark, text)
    if mark == "panes":  # where lines break depends on the digits of a port
        title = re.compile(r"[─┬┴├]+ ([a-z]+(?: [\d.]+)?: [a-z ]+?) [─┬┴┤]*")
        assert title.findall(shown) == title.findall(text) != [], f"docs/lab.md shows other panes:\n{text}"
        return
    # On a busy machine there may be more: a repetition, an ACK by itself.
    missing = [line for line in plain(shown) if line not in plain(text)]
    assert not missing, f"docs/lab.md shows what does not come today: {missing}\n{text}"


def tern_at_both_ends(rig):
    """docs/lab.md shows the same."""
    text = walkthrough(rig)
    check_sockets(text, check_packets(text, r"mss 1460,sackOK,TS val \d+ ecr \d+,nop,wscale \d+\]"))
    check_page("walkthrough", text)


def linux_client(rig):
    text = walkthrough(rig, "--peer", "linux")
    check_sockets(text, check_packets(text, r"mss 1460,sackOK,TS val \d+ ecr \d+,nop,wscale \d+\]"))


def linux_server(rig):
    text = walkthrough(rig, "--peer", "linux-server")
    check_sockets(text, check_packets(text, r"mss 1460,sackOK,TS val \d+ ecr \d+,nop,wscale \d+\]"))


def panes(rig):
    """As a person at a terminal of 80 x 30: type in the client's pane, look at the others, end. docs/lab.md shows
    the same screen."""
    before = traces()
    with terminal_of(80, 30, command(rig)) as (terminal, pid):
        lab = Tmux(f"tern-lab-{pid}")
        server, client, packets, shell = (f"lab:0.{n}" for n in range(4))  # from the top left to the bottom
        wait_until(lambda: "listening at port" in lab.screen(server), "the server's pane listens", SLOW_S)
        wait_until(lambda: "listening on eth0" in lab.screen(packets), "the packets' pane listens", SLOW_S)
        wait_until(lambda: "tcp-upper-client -i 10.0.2.2" in lab.screen(client), "the client's line is typed", SLOW_S)
        lab.type(client, "Enter")
        wait_until(lambda: re.search(r"^> *$", lab.screen(client), re.MULTILINE), "the client's prompt", SLOW_S)
        lab.type(client, "hello", "Enter")
        wait_until(lambda: "HELLO" in lab.screen(client), "the answer", SLOW_S)
        wait_until(lambda: "connected" in lab.screen(server), "the server's word", SLOW_S)
        wait_until(lambda: lab.screen(packets).count(" IP 10.0.") >= 6, "the packets", SLOW_S)
        lab.type(shell, "Enter")
        wait_until(lambda: "ESTAB" in lab.screen(shell), "the socket's line", SLOW_S)
        whole = terminal("capture-pane", "-p", "-t", "t")
        lab.type(shell, "lab-end", "Enter")
        wait_until(lambda: terminal("display-message", "-p", "-t", "t", "#{pane_dead}") == "1\n", "the end of the lab", SLOW_S)
    assert traces() == before, (before, traces())
    rig.notes += ["", *whole.splitlines()]
    check_page("panes", whole)


def wrong_arguments(rig):
    for arguments, words in ((["--peer", "bsd"], "bsd"), (["--script", "dance"], "dance"), (["--nothing"], "--nothing")):
        result = subprocess.run([str(LAB), *arguments], capture_output=True, text=True, timeout=20)
        assert result.returncode == 2 and words in result.stderr and result.stderr.count("\n") == 1, result


if __name__ == "__main__":
    interop.main([tern_at_both_ends, linux_client, linux_server, panes, wrong_arguments])
