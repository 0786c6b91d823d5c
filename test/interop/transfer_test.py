#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Bytes through the server and back, compared by SHA-256 with what Linux sent."""
import hashlib
import socket
import threading
import time

import interop

BLOCK_BYTES = 1 << 20
MEBIBYTE = 1 << 20


def block(seed, index, size=BLOCK_BYTES):
    """The index-th block of a repeatable stream of bytes, no two alike."""
    return hashlib.shake_128(b"%d %d" % (seed, index)).digest(size)


def check_size(rig, size):
    """One request of `size` bytes, then our FIN, then everything back and the server's FIN."""
    request = block(size, 0, size)
    with rig.connect() as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        answer = rig.receive_exactly(client, size + 1)
    assert hashlib.sha256(answer).digest() == hashlib.sha256(request.upper()).digest(), \
        f"{size} bytes sent, {len(answer)} received, and not the right ones"


def sizes_around_one_segment(rig):
    rig.start()
    for size in (0, 1, 1459, 1460, 1461, 2920, 65535, 65536):
        check_size(rig, size)
    rig.stop()


def every_size_up_to_300(rig):
    rig.start(quiet=True)
    with rig.connect() as client:
        for size in range(1, 301):
            rig.check_echo(client, block(7, size, size))
    rig.stop()


def every_byte_value(rig):
    rig.start()
    request = bytes(range(256))
    expected = bytes(b - 32 if ord("a") <= b <= ord("z") else b for b in range(256))
    with rig.connect() as client:
        client.sendall(request)
        assert rig.receive_exactly(client, 256) == expected
    rig.stop()


def both_directions_at_once(rig):
    """256 MiB each way at once: the server's answer returns while the request still goes out."""
    blocks = (16 if rig.sanitized else 256) * MEBIBYTE // BLOCK_BYTES
    rig.start()
    client = rig.connect(timeout_s=60)
    expected, failure = hashlib.sha256(), []

    def send():
        try:
            for index in range(blocks):
                data = block(256, index)
                expected.update(data.upper())
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError as error:
            failure.append(error)

    sender = threading.Thread(target=send, daemon=True)
    begin = time.monotonic()
    sender.start()
    received, size, buffer = hashlib.sha256(), 0, bytearray(BLOCK_BYTES)
    while count := client.recv_into(buffer):
        received.update(memoryview(buffer)[:count])
        size += count
    sender.join()
    seconds = time.monotonic() - begin
    client.close()
    assert not failure, f"sending failed: {failure[0]}"
    assert size == blocks * BLOCK_BYTES, f"{size} bytes returned of {blocks * BLOCK_BYTES}"
    assert received.digest() == expected.digest(), "SHA-256 differs"
    rig.notes.append(f"{size >> 20} MiB each way in {seconds:.1f} s: {8e-9 * size / seconds:.2f} Gb/s each way")
    rig.stop()


def a_client_that_reads_late(rig):
    """The client sends 32 MiB before it reads a byte: the windows close both ways, and open again."""
    rig.start()
    client = rig.connect(timeout_s=60)
    data = b"".join(block(4, index) for index in range(32))
    sender = threading.Thread(target=client.sendall, args=(data,), daemon=True)
    sender.start()
    time.sleep(2)  # long enough for every buffer on the way to fill, and for zero-window probes
    assert sender.is_alive(), "all of it fitted into the buffers; the test shows nothing"
    answer = rig.receive_exactly(client, len(data))
    sender.join()
    client.close()
    assert hashlib.sha256(answer).digest() == hashlib.sha256(data.upper()).digest()
    rig.stop()


if __name__ == "__main__":
    interop.main([sizes_around_one_segment, every_size_up_to_300, every_byte_value, both_directions_at_once,
                  a_client_that_reads_late])
