#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""scripts/run, as a person uses it: the demo, and the server until Ctrl-C."""
import glob
import os
import pathlib
import re
import signal
import subprocess
import tempfile

import interop

RUN = interop.PROJECT / "scripts/run"
NR_HUGEPAGES = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")


def command(rig, *arguments):
    build = pathlib.Path(rig.command[0]).resolve().parents[1]
    return [RUN, "--no-setup", "--no-build", "--build", build, *arguments]


def traces():
    """What a run could leave behind on the machine."""
    hugepages = NR_HUGEPAGES.read_text() if NR_HUGEPAGES.exists() else ""
    temporary = tempfile.gettempdir()
    return (hugepages, sorted(glob.glob(f"{temporary}/tern-run.*")), interop.ip("-o", "link").count("\n"),
            sorted(os.listdir("/var/run/dpdk")) if os.path.isdir("/var/run/dpdk") else [])


def demo(rig):
    before = traces()
    result = subprocess.run(command(rig, "--demo"), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert result.returncode == 0, result.stdout + result.stderr
    client, server, packets = re.split(r"--- (?:server|packets) \(.*\)\n", result.stdout)
    assert client.strip().endswith("> abc\nABC\n> hello world!\nHELLO WORLD!"), client
    name = re.search(r"^(\S+) connected\n\1 disconnected$", server, re.MULTILINE)
    assert name and "listening at port: 0.0.0.0:9999, waiting for connections..." in server, server
    peer, own = name[1].replace(":", "."), "10.0.2.2.9999"
    story = [rf"{peer} > {own}: Flags \[S\], seq \d+, win", rf"{own} > {peer}: Flags \[S\.\], seq \d+, ack \d+, win",
             rf"{peer} > {own}: Flags \[\.\], ack 1,", rf"{peer} > {own}: Flags \[P\.\], seq 1:5, ack 1,",
             rf"{own} > {peer}: Flags \[P\.\], seq 1:5, ack 5,", rf"{own} > {peer}: Flags \[P\.\], seq 5:18, ack 18,",
             rf"{peer} > {own}: Flags \[F\.\], seq 18, ack 18,", rf"{own} > {peer}: Flags \[F\.\], seq 18, ack 19,",
             rf"{peer} > {own}: Flags \[\.\], ack 19,"]
    assert re.search(".*".join(story), packets, re.DOTALL), packets
    assert traces() == before, f"left behind: {before} before, {traces()} after"


def until_ctrl_c(rig):
    before = traces()
    rig.log.touch()
    with rig.log.open("wb") as log:
        run = subprocess.Popen(command(rig, "--", "--linger", "1"), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                               start_new_session=True, preexec_fn=interop.die_with_parent)
    interop.wait_until(lambda: "In another terminal:  nc 10.0.2.2 9999" in rig.output() or run.poll() is not None,
                       "the line to type", 30)
    assert run.poll() is None, rig.output()
    result = subprocess.run(["nc", "-N", "-w", "5", "10.0.2.2", "9999"], input=b"hello\n", capture_output=True, timeout=20)
    assert result.stdout == b"HELLO\n", (result, rig.output())
    os.killpg(run.pid, signal.SIGINT)  # as the terminal does
    assert run.wait(20) == 0, rig.output()
    assert rig.count("connected") == rig.count("disconnected") == 1, rig.output()
    assert traces() == before, f"left behind: {before} before, {traces()} after"


def other_network_when_ours_is_taken(rig):
    """QEMU's and VirtualBox's own networks are 10.0.2.0/24: then the run must not take it as well."""
    interop.ip("link", "add", "lan", "type", "veth", "peer", "name", "lan-end")
    interop.ip("address", "add", "10.0.2.15/24", "dev", "lan")
    interop.ip("link", "set", "lan", "up")
    with rig.log.open("wb") as log:
        run = subprocess.Popen(command(rig, "--no-hugepages"), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                               start_new_session=True, preexec_fn=interop.die_with_parent)
    interop.wait_until(lambda: "nc 10.79.2.2 9999" in rig.output() or run.poll() is not None, "the line to type", 30)
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(20) == 0 and "nc 10.79.2.2 9999" in rig.output(), rig.output()


if __name__ == "__main__":
    interop.main([demo, until_ctrl_c, other_network_when_ours_is_taken])
