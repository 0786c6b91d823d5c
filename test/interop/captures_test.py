#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What tcpdump and Wireshark's tshark make of the captures that every program writes, and what a slow reader of
one costs: records, counted, and no traffic."""
import contextlib
import os
import pathlib
import socket
import subprocess
import threading
import time

import interop
from raw_tcp import SYN, RawConnection, RawHost
from watch_test import Watch, need, read_capture

WARNING = 0x600000  # of Wireshark's severities of expert information
COMPLAINTS = f"_ws.malformed or _ws.expert.severity >= {WARNING} or tcp.checksum.status == 0 or ip.checksum.status == 0"
# What Wireshark warns of where a busy machine makes an end slow: it repeats, and hears so; or it does not read.
SLOWNESS = "tcp.options.sack.dsack or tcp.analysis.zero_window or tcp.analysis.window_full"
# The kernel writes 0xffff where a checksum is zero (skb_checksum_help), which is as good, and which Wireshark warns of: one
# segment in 65,536. Tern must not.
KERNELS_ZERO = "tcp.checksum == 0xffff and (ip.src == 10.0.2.1 or ip.src == 10.0.1.1)"
# An end that repeats its FIN and then hears both acknowledgements has gone by the second, and answers it with a RST.
REPEATED_FIN = "(tcp.analysis.retransmission or tcp.analysis.spurious_retransmission) and tcp.flags.fin == 1"


def tshark(path, display_filter, *arguments):
    """tshark's lines about the packets of a capture that a display filter selects."""
    need("tshark")
    with open(path, "rb") as file:
        result = subprocess.run(["tshark", "-n", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-r", "-",
                                 "-Y", display_filter, *arguments], stdin=file, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def check(rig, path, explained=SLOWNESS):
    """Every packet of the capture is sound, but for those that `explained` selects; both programs read all of it."""
    if tshark(path, REPEATED_FIN):
        explained += " or tcp.flags.reset == 1"
    complaints = tshark(path, f"({COMPLAINTS}) and not ({explained} or {SLOWNESS} or {KERNELS_ZERO})")
    assert not complaints, "\n".join(complaints[:20])
    packets = len(read_capture(path).splitlines())
    assert packets == len(tshark(path, "frame")) > 5, packets
    rig.notes.append(f"{path.name}: {packets} packets, none malformed, no bad checksum, no warning")


def program(rig, name):
    return str(pathlib.Path(rig.command[0]).parent / name)


@contextlib.contextmanager
def kernel_server(answer):
    """answer(request) for each thing that a client sends to this kernel."""
    listener = socket.create_server(("0.0.0.0", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client:
                    while request := client.recv(1 << 16):
                        client.sendall(answer(request))
    threading.Thread(target=serve, daemon=True).start()
    with listener:
        yield listener.getsockname()[1]


def server(rig):
    """Echo, bulk both ways, a stray that is dropped and says why in a comment, and ICMP."""
    path = rig.log.with_name("server.pcapng")
    rig.start("--capture", str(path))
    with rig.connect() as client:
        rig.check_echo(client, b"hello world!\n")
        sender = threading.Thread(target=client.sendall, args=(b"x" * (1 << 20),))
        sender.start()
        assert rig.receive_exactly(client, 1 << 20) == b"X" * (1 << 20)
        sender.join()
    stray = RawConnection(RawHost(interop.HOST_DEVICE), interop.SERVER, interop.PORT + 1)
    stray.send(SYN)
    stray.receive()
    rig.stop()
    check(rig, path, f"tcp.port == {interop.PORT + 1} and tcp.flags.reset == 1")  # the stray's RST is one on purpose
    comments = tshark(path, "frame.comment", "-T", "fields", "-e", "frame.comment", "-e", "tcp.dstport")
    assert f"dropped: no connection and no listener; answered with a RST (drop_tcp_no_listener)\t{interop.PORT + 1}" in comments, comments


def client(rig):
    path = rig.log.with_name("client.pcapng")
    with kernel_server(bytes.upper) as port:
        result = subprocess.run([program(rig, "tcp-upper-client"), "-i", "10.0.1.1", "-p", str(port), "--capture", str(path)],
                                input=b"abc\nhello world!\n" * 200, capture_output=True, timeout=120)
    assert result.returncode == 0 and result.stdout == b"ABC\nHELLO WORLD!\n" * 200, result
    check(rig, path)


def http(rig):
    path, root = rig.log.with_name("http.pcapng"), rig.log.with_name("www")
    root.mkdir()
    (root / "large.bin").write_bytes(os.urandom(1 << 20))
    with rig.log.open("ab") as log:
        rig.process = subprocess.Popen([program(rig, "tern-http"), "--root", str(root), "--tap", interop.HOST_DEVICE, "--host-ip",
                                        f"{interop.HOST}/24", "--capture", str(path)], stdout=log, stderr=log,
                                       preexec_fn=interop.die_with_parent)
    interop.wait_until(lambda: "serving " in rig.output(), "tern-http serves", 60)
    rig._wait_for_wire()
    for name in ("large.bin", "nothing"):
        subprocess.run(["curl", "-sS", "-o", "/dev/null", f"http://{interop.SERVER}/{name}"], check=True, timeout=60)
    rig.process.terminate()
    assert rig.process.wait(60) == 0, rig.output()
    check(rig, path)
    assert tshark(path, 'http.response.code == 200 and http.content_length == 1048576'), "Wireshark sees no HTTP in it"


def bench_client(rig):
    path = rig.log.with_name("bench-client.pcapng")
    with kernel_server(lambda request: request) as port:
        command = [program(rig, "tern-bench"), "client", "--host-ip", f"{interop.HOST}/24", "--ip", f"{interop.SERVER}/24", "--tap",
                   interop.HOST_DEVICE, "--server", interop.HOST, "--port", str(port), "--seconds", "0.5", "--warm-up", "0.1",
                   "--quiet", "--capture", str(path)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    check(rig, path, "tcp.flags.reset == 1")  # it aborts what is still open when the time is up


def bench_server(rig):
    path = rig.log.with_name("bench-server.pcapng")
    with rig.log.open("ab") as log:
        rig.process = subprocess.Popen([program(rig, "tern-bench"), "server", "--host-ip", f"{interop.HOST}/24", "--ip",
                                        f"{interop.SERVER}/24", "--tap", interop.HOST_DEVICE, "--capture", str(path)],
                                       stdout=log, stderr=log, preexec_fn=interop.die_with_parent)
    interop.wait_until(lambda: "listening" in rig.output(), "the server listens", 60)
    rig._wait_for_wire()
    with socket.create_connection((interop.SERVER, 9000), 60) as client:
        client.sendall(b"abc" * 1000)
        assert rig.receive_exactly(client, 3000) == b"abc" * 1000
    rig.process.terminate()
    assert rig.process.wait(60) == 0, rig.output()
    check(rig, path)


@contextlib.contextmanager
def tern_dump(watch, *arguments, stdout):
    command = [str(watch.folder / "tern-dump"), "--file-prefix", watch.prefix(), *arguments]
    dump = subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, text=True, preexec_fn=interop.die_with_parent)
    try:
        assert dump.stderr.readline().startswith("tern-dump: listening on ")
        yield dump
    finally:
        dump.terminate()  # also one whose output nobody reads ends by itself, and takes its pipe along
        assert dump.wait(60) == 0


def dump_into_tshark(rig):
    """tern-dump -w - | tshark -r -, while it happens: the pipe that Wireshark reads."""
    need("tshark")
    rig.start()
    watch = Watch(rig)
    path = rig.log.with_name("dump.pcapng")
    with tern_dump(watch, "-w", str(path), stdout=subprocess.DEVNULL) as to_file, \
            tern_dump(watch, "-w", "-", "tcp", stdout=subprocess.PIPE) as dump:
        reader = subprocess.Popen(["tshark", "-n", "-l", "-r", "-", "-c", "5"], stdin=dump.stdout, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, preexec_fn=interop.die_with_parent)
        with rig.connect() as client:
            rig.check_echo(client, b"abc\n")
        out, said = reader.communicate(timeout=60)
        assert reader.returncode == 0, said
        interop.wait_until(lambda: len(read_capture(path).splitlines()) >= 7, "the file has it all", 60)
        with rig.connect() as busy:
            rig.check_echo(busy, b"x" * (1 << 20))
            to_file.terminate()  # amid what it still has to write: the file is whole all the same
        assert to_file.wait(60) == 0
        assert to_file.stderr.read().endswith(" 0 lost\n")
    lines = out.splitlines()
    assert len(lines) == 5 and "[SYN]" in lines[0] and "[SYN, ACK]" in lines[1], out
    rig.notes += lines
    rig.stop()
    check(rig, path)


def slow_reader(rig):
    """A reader of a live capture who reads nothing loses records, which are counted; the traffic goes on."""
    rig.start()
    watch = Watch(rig)
    chunk, chunks = b"x" * 65536, 200  # twice what the capture's ring holds, both ways
    with tern_dump(watch, "-w", "-", stdout=subprocess.PIPE), rig.connect(60) as client:
        begin = time.monotonic()
        for _ in range(chunks):
            rig.check_echo(client, chunk)
        seconds = time.monotonic() - begin
        captures = watch.ask("/tern/captures")
        assert len(captures) == 1 and captures["0"]["frames_lost"] > 0, captures
    rig.notes.append(f"{captures['0']}; {2 * len(chunk) * chunks >> 20} MiB of echo in {seconds:.1f} s meanwhile")
    interop.wait_until(lambda: watch.ask("/tern/captures") == {}, "the capture ends with its reader", 60)
    stats = rig.stop()
    assert stats["drop_tcp_no_buffer"] == 0, stats


if __name__ == "__main__":
    interop.main([server, client, http, bench_client, bench_server, dump_into_tshark, slow_reader])
