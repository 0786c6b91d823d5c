#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Peers that vanish, stand still, give up at every stage, or come back at once from the same port: Linux at the
other end, over both families (--family)."""
import errno
import hashlib
import pathlib
import signal
import socket
import struct
import subprocess
import threading
import time

import interop
from interop import ip, wait_until


def address(rig):
    return (interop.SERVER6 if rig.family == 6 else interop.SERVER, interop.PORT)


def link(rig, state):
    """A link that goes down takes its IPv6 addresses along."""
    ip("link", "set", interop.HOST_DEVICE, state)
    if state == "up" and rig.family == 6:
        ip("address", "replace", f"{interop.HOST6}/{interop.PREFIX_LENGTH6}", "dev", interop.HOST_DEVICE, "nodad")


def keepalive_finds_a_vanished_peer(rig):
    """The link goes down under an idle connection: nine unanswered probes later it is gone."""
    if not rig.is_tern:
        raise interop.Skip("the kernel's server has no --keepalive")
    rig.start("--keepalive", "0.4")
    client = rig.connect()
    rig.check_echo(client, b"here")
    time.sleep(2)  # the kernel answers its probes
    assert rig.count("disconnected") == 0, "an idle peer that answers is there"
    link(rig, "down")
    begin = time.monotonic()
    wait_until(lambda: rig.count("disconnected") == 1, "the server gives the client up", 30)
    rig.notes.append(f"given up {time.monotonic() - begin:.1f} s after the link went down")
    link(rig, "up")
    with rig.connect(20) as again:
        rig.check_echo(again, b"and back")
    client.close()
    stats = rig.stop()
    assert stats["timed_out"] == 1 and stats["keepalive_probes"] >= 9 + 1, stats


def keepalive_of_linux_is_answered(rig):
    """Linux asks every second whether the server is there, and would give up after two."""
    rig.start()
    with rig.connect() as client:
        for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 2)):
            client.setsockopt(socket.IPPROTO_TCP, option, value)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        rig.check_echo(client, b"before")
        time.sleep(4.5)
        rig.check_echo(client, b"after")
    rig.stop()


def a_peer_that_stands_still(rig):
    """The client sends 16 MiB before it reads a byte: windows shut both ways, probes are answered for seconds, and
    everything goes on when it reads. (test/scenario does this for hours: Persist.AnsweredProbesNeverGiveUp.)"""
    rig.start()
    client = rig.connect(timeout_s=60)
    data = hashlib.shake_128(b"still").digest(16 << 20)
    sender = threading.Thread(target=client.sendall, args=(data,), daemon=True)
    sender.start()
    time.sleep(6)
    assert sender.is_alive(), "all of it fitted into the buffers; the test shows nothing"
    answer = rig.receive_exactly(client, len(data))
    sender.join()
    client.close()
    assert hashlib.sha256(answer).digest() == hashlib.sha256(data.upper()).digest()
    stats = rig.stop()
    if rig.is_tern:
        assert stats["persist_probes"] >= 2, stats


def hard_close(client):
    """close() with a RST."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def fill(client):
    """Sends until nothing more is taken."""
    client.settimeout(0.5)
    try:
        while True:
            client.send(b"x" * 65536)
    except TimeoutError:
        pass


def reset_at_every_stage(rig):
    """RST right after the handshake, after a request, with the answer unread, with everything full both ways, and behind
    a FIN: each time the server is rid of the connection at once, and serves the next."""
    stages = {
        "after the handshake": lambda client: None,
        "behind a request": lambda client: client.send(b"x" * 100),
        "with an answer unread": lambda client: (client.send(b"x" * 100), time.sleep(0.2)),
        "in the middle of a transfer": fill,
        "behind a FIN": lambda client: (client.send(b"x" * 100), client.shutdown(socket.SHUT_WR)),
    }
    rig.start()
    for number, (stage, action) in enumerate(stages.items(), 1):
        client = rig.connect()
        action(client)
        hard_close(client)
        wait_until(lambda: rig.count("disconnected") == number, f"disconnected: {stage}", 5)
    with rig.connect() as client:
        rig.check_echo(client, b"still serving")
    rig.stop()


def reset_of_the_server(rig):
    """Tern's RST at SIGTERM's end reaches Linux, which reports it."""
    rig.start(linger_s=0.2)
    client = rig.connect()
    rig.check_echo(client, b"soon gone")
    rig.signal_server()
    rig.wait_for_end()
    client.settimeout(5)
    try:
        while client.recv(100):
            pass
        client.send(b"anybody?")
        time.sleep(0.5)
        client.send(b"anybody?")
        raise AssertionError("nothing said that the server is gone")
    except (ConnectionResetError, BrokenPipeError):
        pass


# One request a connection; the server closes first, so TIME-WAIT is its.
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def start_http(rig):
    root = rig.log.parent / "www"
    root.mkdir()
    (root / "index.html").write_bytes(b"hello\n")
    six = ["--ip6", f"{interop.SERVER6}/64", "--host-ip6", f"{interop.HOST6}/64"] if rig.family == 6 else []
    command = [str(pathlib.Path(rig.command[0]).parent / "tern-http"), "--root", root, "--tap", interop.HOST_DEVICE,
               "--host-ip", f"{interop.HOST}/24", "--port", str(interop.PORT), "--stats", *six]
    with rig.log.open("ab") as log:
        rig.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       preexec_fn=interop.die_with_parent)
    wait_until(lambda: "serving " in rig.output() or rig.process.poll() is not None, "the server serves", 60)
    assert rig.process.poll() is None, rig.output()


def connect_unless_taken(rig, client):
    """When it began to connect; None if this kernel has the port's last connection still."""
    begin = time.monotonic()
    try:
        client.connect(address(rig))
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise
        return None
    return begin


def ask_from(rig, port):
    """One request from this local port; how long it took."""
    with socket.socket(socket.AF_INET6 if rig.family == 6 else socket.AF_INET) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.settimeout(20)
        client.bind(("", port))
        # Until the ACK of its last FIN is back, this kernel has the old connection still: LAST-ACK.
        begin = wait_until(lambda: connect_unless_taken(rig, client), "the port is free here", step_s=0.0005)
        client.sendall(REQUEST)
        answer = b""
        while part := client.recv(4096):
            answer += part
    assert answer.endswith(b"hello\n"), answer
    return time.monotonic() - begin


def same_port_again_and_again(rig, count=50):
    if not rig.is_tern or rig.device != "tap":
        raise interop.Skip("tern-http, on a tap")
    start_http(rig)
    if rig.family == 6:
        wait_until(lambda: subprocess.run(["ping", "-c", "1", "-W", "1", "-n", interop.SERVER6],
                                          stdout=subprocess.DEVNULL).returncode == 0, "an answer to ping", 15)
    slowest = max(ask_from(rig, 4321) for _ in range(count))
    assert slowest < 0.9, f"one took {slowest:.2f} s: its SYN had to come again"
    rig.notes.append(f"{count} connections from one port, {1000 * slowest:.0f} ms at most")
    time.sleep(0.3)
    rig.process.send_signal(signal.SIGTERM)
    stats = rig.wait_for_end(time_wait=count)
    assert stats["time_wait_reused"] == count - 1, stats


def time_wait_is_reused_by_timestamp(rig):
    """RFC 6191: Linux reconnects at once from the port that Tern has in TIME-WAIT, again and again."""
    same_port_again_and_again(rig)


def time_wait_is_reused_by_sequence_number(rig):
    """The same without timestamps (RFC 1122 4.2.2.13)."""
    pathlib.Path("/proc/sys/net/ipv4/tcp_timestamps").write_text("0")
    same_port_again_and_again(rig)


def unreachable_while_connecting(rig):
    """Linux, as the router, says by ICMP that there is no way; Tern's client says so at once."""
    client = pathlib.Path(rig.command[0]).parent / "tcp-upper-client"
    if not rig.is_tern or rig.device != "tap":
        raise interop.Skip("Tern's own client, on a tap")
    if rig.family == 6:
        target, way = "[2001:db8::9]:9999", ["--ip6", "fd00:0:0:1::2/64", "--host-ip6", "fd00:0:0:1::1/64",
                                             "--gateway6", "fd00:0:0:1::1"]
        pathlib.Path("/proc/sys/net/ipv6/conf/lo/disable_ipv6").write_text("0")
        ip("-6", "route", "add", "unreachable", "2001:db8::/32", "dev", "lo")
    else:
        target, way = "192.0.2.9:9999", []
        ip("route", "add", "unreachable", "192.0.2.0/24")
    begin = time.monotonic()
    result = subprocess.run([client, "-i", target, *way], input=b"hello\n", capture_output=True, timeout=60)
    seconds = time.monotonic() - begin
    said = result.stderr.decode().splitlines()[-1]
    assert result.returncode == 1 and "unreachable" in said, (result.returncode, said)
    assert seconds < 15, seconds
    rig.notes.append(said)


def ecn_with_linux(rig):
    """Linux asks for ECN (tcp_ecn = 1), both agree, and 8 MiB go each way with it."""
    pathlib.Path("/proc/sys/net/ipv4/tcp_ecn").write_text("1")
    rig.start()
    data = hashlib.shake_128(b"ecn").digest(8 << 20)
    with rig.connect(timeout_s=60) as client:
        sender = threading.Thread(target=client.sendall, args=(data,), daemon=True)
        sender.start()
        answer = rig.receive_exactly(client, len(data))
        sender.join()
        info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    assert hashlib.sha256(answer).digest() == hashlib.sha256(data.upper()).digest()
    assert info[5] & 8, "tcpi_options has no TCPI_OPT_ECN: it was not agreed on"
    assert info[5] & 16, "tcpi_options has no TCPI_OPT_ECN_SEEN: no segment was ECN-capable"
    stats = rig.stop()
    if rig.is_tern:
        assert stats["ecn_connections"] == 1, stats


def urgent_data_of_linux(rig):
    """MSG_OOB: the byte stays in line (RFC 6093), and is answered like the others."""
    if not rig.is_tern:
        raise interop.Skip("Linux takes the byte out of the line")
    rig.start()
    with rig.connect() as client:
        client.sendall(b"before ")
        client.send(b"!", socket.MSG_OOB)
        client.sendall(b" after")
        assert rig.receive_exactly(client, 14) == b"BEFORE ! AFTER"
    rig.stop()


if __name__ == "__main__":
    interop.main([keepalive_finds_a_vanished_peer, keepalive_of_linux_is_answered, a_peer_that_stands_still,
                  reset_at_every_stage, reset_of_the_server, time_wait_is_reused_by_timestamp,
                  time_wait_is_reused_by_sequence_number, unreachable_while_connecting, ecn_with_linux,
                  urgent_data_of_linux])
