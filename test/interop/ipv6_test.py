#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""TCP over IPv6 between Tern and the Linux kernel: opened by either end, every kind of close, and
bytes both ways, compared by SHA-256."""
import hashlib
import pathlib
import signal
import socket
import struct
import subprocess
import threading
import time

import interop

MEBIBYTE = 1 << 20


def block(index):
    """The index-th mebibyte of a repeatable stream, no two alike."""
    return hashlib.shake_128(b"six %d" % index).digest(MEBIBYTE)


def both_families_at_once(rig):
    """One server, one port, two listeners: neither takes the other's connections for its own."""
    rig.start()
    with rig.connect() as six, socket.create_connection((interop.SERVER, interop.PORT), 10) as four:
        rig.check_echo(six, b"over six")
        rig.check_echo(four, b"over four")
    rig.stop()
    assert f"[{interop.HOST6}]:" in rig.output(), rig.output()
    assert f"[::]:{interop.PORT}" in rig.output()


def sizes_around_one_segment(rig):
    """An Ethernet frame carries 1440 bytes of it; with timestamps 1428."""
    rig.start()
    for size in (0, 1, 1427, 1428, 1429, 1439, 1440, 1441, 2880, 65535, 65536):
        request = block(0)[:size]
        with rig.connect() as client:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            assert rig.receive_exactly(client, size + 1) == request.upper(), size
    rig.stop()


def many_megabytes_both_ways(rig):
    """64 MiB each way at once."""
    blocks = 8 if rig.sanitized else 64
    rig.start()
    client = rig.connect(timeout_s=60)
    sent = hashlib.sha256()

    def send():
        for index in range(blocks):
            data = block(index)
            sent.update(data.upper())
            client.sendall(data)
        client.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send, daemon=True)
    begin = time.monotonic()
    sender.start()
    received, size, buffer = hashlib.sha256(), 0, bytearray(MEBIBYTE)
    while count := client.recv_into(buffer):
        received.update(memoryview(buffer)[:count])
        size += count
    sender.join()
    seconds = time.monotonic() - begin
    client.close()
    assert size == blocks * MEBIBYTE, size
    assert received.digest() == sent.digest(), "SHA-256 differs"
    rig.notes.append(f"{blocks} MiB each way in {seconds:.1f} s: {8e-9 * size / seconds:.2f} Gb/s each way")
    rig.stop()


def half_close(rig):
    """FIN right behind the request: the answer still comes, whole, and then the server's FIN."""
    rig.start()
    with rig.connect() as client:
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        assert rig.receive_exactly(client, 100) == b"LAST WORDS"
    rig.stop()


def peer_reset(rig):
    rig.start()
    other, client = rig.connect(), rig.connect()
    rig.check_echo(client, b"soon gone")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    interop.wait_until(lambda: rig.count("disconnected") == 1, "disconnected after a RST", 2)
    rig.check_echo(other, b"still here")
    other.close()
    rig.stop()


def the_server_drains(rig):
    """SIGTERM: the server's FIN comes first, the client's answers it, and TIME-WAIT is the server's."""
    rig.start()
    client = rig.connect()
    rig.check_echo(client, b"here")
    rig.signal_server(signal.SIGTERM)
    assert client.recv(10) == b"", "no end of stream"
    client.close()
    rig.wait_for_end(time_wait=1)


def nobody_listens(rig):
    rig.start()
    try:
        socket.create_connection((interop.SERVER6, interop.PORT + 1), 10)
        raise AssertionError("somebody listened")
    except ConnectionRefusedError:
        pass
    rig.stop()


def link_local(rig):
    """The server's link-local address answers too: fe80:: and its MAC address."""
    rig.start()
    mac = bytes.fromhex(rig.server_mac().replace(":", ""))
    identifier = bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
    address = socket.inet_ntop(socket.AF_INET6, b"\xfe\x80" + bytes(6) + identifier)
    client = socket.create_connection((f"{address}%{interop.HOST_DEVICE}", interop.PORT), 10)
    with client:
        rig.check_echo(client, b"of this link")
    rig.stop()


def many_connections(rig):
    """Two thousand connections one after another, from a few addresses."""
    count = 200 if rig.sanitized else 2000
    rig.start(quiet=True)
    for number in range(count):
        with rig.connect() as client:
            rig.check_echo(client, b"%d" % number)
    rig.stop()


def tern_opens(rig):
    """tcp-upper-client to this kernel, addressed as [fd00::1]:9999; 64 MiB each way."""
    blocks = 4 if rig.sanitized else 64
    client = pathlib.Path(rig.command[0]).parent / "tcp-upper-client"
    if not rig.is_tern:
        raise interop.Skip("Tern's own client")
    pathlib.Path("/proc/sys/net/ipv6/conf/lo/disable_ipv6").write_text("0")
    interop.ip("address", "add", f"{interop.HOST6}/128", "dev", "lo", "nodad")  # behind the client's router
    listener = socket.create_server((interop.HOST6, interop.PORT), family=socket.AF_INET6)

    def serve():
        peer, _ = listener.accept()
        with peer:
            while data := peer.recv(1 << 18):
                peer.sendall(data.upper())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    data = b"".join(block(index) for index in range(blocks))
    result = subprocess.run([client, "-i", f"[{interop.HOST6}]:{interop.PORT}", "--ip6", "fd00:0:0:1::2/64",
                             "--host-ip6", "fd00:0:0:1::1/64", "--gateway6", "fd00:0:0:1::1"],
                            input=data, capture_output=True, timeout=120)
    listener.close()
    assert result.returncode == 0, result.stderr.decode()[-2000:]
    assert hashlib.sha256(result.stdout).digest() == hashlib.sha256(data.upper()).digest(), len(result.stdout)


if __name__ == "__main__":
    interop.main([both_families_at_once, sizes_around_one_segment, many_megabytes_both_ways, half_close,
                  peer_reset, the_server_drains, nobody_listens, link_local, many_connections, tern_opens],
                 family=6)
