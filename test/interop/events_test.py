#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What the operator hears of a running server: one line when a thing begins and one when it is over. Also
DPDK's own dumpcap beside it."""
import contextlib
import ctypes
import json
import pathlib
import re
import subprocess
import time

import interop
from interop import wait_until
from watch_test import Watch, need, read_capture

CLONE_NEWNS = 0x20000
SLOW_S = 60  # for what takes a moment, on a machine that is busy with other things


def heard(rig, words):
    """The server's log lines that hold `words`."""
    return [line for line in rig.output().splitlines() if line.startswith("tcp-upper-server: ") and words in line]


def hear(rig, words):
    wait_until(lambda: heard(rig, words), f"a line with {words!r}", SLOW_S)


@contextlib.contextmanager
def flood(rig):
    """hping3 sends SYNs from random addresses as fast as it can."""
    command = ["hping3", "--flood", "--rand-source", "-S", "-q", "-p", str(interop.PORT), "-I", interop.HOST_DEVICE, interop.SERVER]
    flooder = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               preexec_fn=interop.die_with_parent)
    try:
        yield flooder
    finally:
        flooder.kill()
        flooder.wait()


def frames_in(watch):
    text = wait_until(lambda: watch.attempt("tern-ss", "-s", "--json"), "an answer to tern-ss", SLOW_S)
    return json.loads(text)[0]["stats"]["rx_frames"]


def syn_flood(rig):
    """A flood is told once at its beginning and once at its end, tern-ss -s shows it, and who connects meanwhile is
    served, as are those who were there before."""
    need("hping3")
    rig.start("--gateway", interop.HOST)
    watch = Watch(rig)
    with rig.connect(SLOW_S) as before, flood(rig) as flooder:
        hear(rig, "SYN flood: ")
        summary = wait_until(lambda: (text := watch.attempt("tern-ss", "-s")) and "under way for" in text and
                             re.search(r"Cookies: +[1-9]", text) and text, "tern-ss -s shows the flood", SLOW_S)
        frames = frames_in(watch)
        half_open, entries = map(int, re.search(r"Half-open: +(\d+) of (\d+)", summary).groups())
        assert half_open > entries // 2, summary
        served, begin = 0, time.monotonic()
        while served < 20 or time.monotonic() < begin + 2:
            with rig.connect(SLOW_S) as client:
                rig.check_echo(client, b"served all the same\n")
            rig.check_echo(before, b"still here\n")
            served += 1
            assert time.monotonic() < begin + SLOW_S, f"only {served} clients served in {SLOW_S} s"
        seconds = time.monotonic() - begin
        assert flooder.poll() is None
        frames = frames_in(watch) - frames
        rig.notes += [f"{served} clients served in {seconds:.1f} s beside some {frames / seconds:.0f} frames/s in"]
        rig.notes += summary.splitlines()[-3:]
    hear(rig, "SYN flood over: ")
    wait_until(lambda: "SYN flood:  none now, 1 so far" in (watch.attempt("tern-ss", "-s") or ""), "tern-ss -s sees the end", SLOW_S)
    assert len(heard(rig, "SYN flood: ")) == len(heard(rig, "SYN flood over: ")) == 1, rig.output()
    rig.notes += heard(rig, "SYN flood")
    rig.stop()


def no_room_for_connections(rig):
    """--max-connections used up: told once with the remedy, and when there is room again."""
    rig.start("--max-connections", "4")
    clients = [rig.connect() for _ in range(4)]
    for client in clients:
        rig.check_echo(client, b"I am in\n")
    # Where a SYN finds room in the SYN cache, the third packet finds none for its connection.
    late = [interop.socket.socket() for _ in range(3)]
    for client in late:
        client.setblocking(False)
        client.connect_ex((interop.SERVER, interop.PORT))
    hear(rig, "no room for another connection: all 4 of a worker are in use")
    for client in (*late, *clients):
        client.close()
    hear(rig, "room for connections again: ")
    assert len(heard(rig, "no room for another connection")) == 1, rig.output()
    rig.notes += heard(rig, "room for")
    rig.stop()


def link_down_and_up(rig):
    rig.start()
    with rig.connect(SLOW_S) as client:
        rig.check_echo(client, b"before\n")
        interop.ip("link", "set", interop.HOST_DEVICE, "down")
        hear(rig, "link down")
        interop.ip("link", "set", interop.HOST_DEVICE, "up")
        hear(rig, "link up")
        client.settimeout(SLOW_S)
        rig.check_echo(client, b"after\n")
    assert len(heard(rig, "link down")) == len(heard(rig, "link up")) == 1, rig.output()
    rig.notes += heard(rig, "link ")
    rig.stop()


def drain(rig):
    """One connection that ends in order, and one that does not."""
    rig.start(linger_s=3)
    polite, rude = rig.connect(), rig.connect()
    rig.check_echo(polite, b"one")
    rig.check_echo(rude, b"two")
    rig.signal_server()
    wait_until(lambda: polite.recv(10) == b"", "the server's FIN")
    polite.close()
    rig.wait_for_end(time_wait=2)
    rude.close()
    assert len(heard(rig, "draining: up to 3.0 s")) == 1, rig.output()
    assert re.search(r"drained in 3\.\d s: 1 of 2 connections ended in order", rig.output()), rig.output()
    assert heard(rig, "1 connection did not end in time: reset"), rig.output()
    rig.notes += heard(rig, "drain")


def nothing_to_tell(rig):
    """A run in which nothing goes wrong has no log line at all."""
    rig.start()
    with rig.connect() as client:
        rig.check_echo(client, b"abc\n")
    rig.stop()
    assert heard(rig, "") == [], rig.output()


@contextlib.contextmanager
def hugepages(count, folder):
    """At least so many free, mounted at `folder` in a namespace of this case's own; afterwards as many as before."""
    total = pathlib.Path("/proc/sys/vm/nr_hugepages")
    free = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
    if not free.exists():
        raise interop.Skip("this kernel has no hugepages of 2 MiB")
    before = int(total.read_text())
    try:
        with contextlib.suppress(OSError):
            total.write_text(str(before + max(0, count - int(free.read_text()))))
        if int(free.read_text()) < count:
            raise interop.Skip(f"no {count} hugepages are free, and they cannot be reserved")
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNS) != 0:
            raise interop.Skip("no mount namespace")
        folder.mkdir()
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        subprocess.run(["mount", "-t", "hugetlbfs", "none", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True)
        total.write_text(str(before))


def dpdk_dumpcap(rig):
    """A server started with --proc-type=primary lets DPDK's dumpcap attach, beside a capture of its own; neither
    leaves anything behind."""
    need("dpdk-dumpcap")
    if rig.sanitized:
        raise interop.Skip("another process cannot map the memory of one under AddressSanitizer at the same place")
    pages, theirs, ours = (rig.log.with_name(n) for n in ("huge", "theirs.pcapng", "ours.pcapng"))
    with hugepages(200, pages):
        rig.eal = ["--proc-type=primary", f"--huge-dir={pages}"]
        rig.start("--capture", str(ours))
        prefix = f"tern-{rig.process.pid}"
        said = rig.log.with_name("dumpcap.log")
        with said.open("wb") as log:
            dumpcap = subprocess.Popen(["dpdk-dumpcap", f"--file-prefix={prefix}", "-i", "net_tap0", "-c", "12", "-w", str(theirs)],
                                       stdout=log, stderr=log, preexec_fn=interop.die_with_parent)
        end = time.monotonic() + 2 * SLOW_S
        while dumpcap.poll() is None:  # it sees what passes from some moment on
            assert time.monotonic() < end, f"dpdk-dumpcap has not seen 12 packets:\n{said.read_text()}"
            with rig.connect() as client:
                rig.check_echo(client, b"seen twice\n")
        assert dumpcap.returncode == 0, said.read_text()
        rig.stop()
        for path in (theirs, ours):
            text = read_capture(path)
            rig.notes += text.splitlines()[-3:]
            assert f"IP {interop.SERVER}.{interop.PORT} > {interop.HOST}." in text and "length 11" in text, text
        assert not list(pages.iterdir()), "hugepage files are left"
        assert not pathlib.Path("/var/run/dpdk", prefix).exists()


if __name__ == "__main__":
    interop.main([syn_flood, no_room_for_connections, link_down_and_up, drain, nothing_to_tell, dpdk_dumpcap])
