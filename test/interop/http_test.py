#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tern-http against curl, wrk, ab and h2load, and against clients that are less polite."""
import hashlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import interop

URL = f"http://{interop.SERVER}"
SMALL = b"<h1>hello</h1>\n"


def start(rig, *arguments):
    """The server with a small and a large file; returns the large one's bytes."""
    root = rig.log.parent / "www"
    root.mkdir()
    (root / "index.html").write_bytes(SMALL)
    large = os.urandom(1 << 20) * 8
    (root / "large.bin").write_bytes(large)
    command = [str(pathlib.Path(rig.command[0]).parent / "tern-http"), "--root", root, "--tap", interop.HOST_DEVICE,
               "--host-ip", f"{interop.HOST}/24", "--stats", "--msl", "0.5", *arguments]
    with rig.log.open("ab") as log:
        rig.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       preexec_fn=interop.die_with_parent)
    interop.wait_until(lambda: "serving " in rig.output() or rig.process.poll() is not None, "the server serves", 60)
    assert rig.process.poll() is None, rig.output()
    return large


def stop(rig):
    time.sleep(0.3)
    rig.process.send_signal(signal.SIGTERM)
    return rig.wait_for_end(time_wait=1 << 20)


def tool(name, *arguments, timeout=120):
    """Runs a client; returns its output."""
    if not shutil.which(name):
        raise interop.Skip(f"{name} is not installed (scripts/setup installs it)")
    result = subprocess.run([name, *arguments], capture_output=True, timeout=timeout)
    assert result.returncode == 0, (result.returncode, result.stderr.decode(), result.stdout[-2000:])
    return result.stdout


def curl(rig):
    large = start(rig)
    assert tool("curl", "-sS", URL + "/") == SMALL
    assert hashlib.sha256(tool("curl", "-sS", URL + "/large.bin")).digest() == hashlib.sha256(large).digest()
    head = tool("curl", "-sS", "-I", URL + "/").decode()
    assert head.startswith("HTTP/1.1 200 OK\r\n") and f"Content-Length: {len(SMALL)}\r\n" in head, head
    etag = re.search(r"ETag: (\S+)", head)[1]
    codes = tool("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n", "-H", f"If-None-Match: {etag}", URL + "/",
                 "--next", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n", URL + "/nothing",
                 "--next", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n", "-X", "DELETE", URL + "/",
                 "--next", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n", "-d", "x" * 5000, URL + "/",
                 "--next", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n", URL + "/")
    assert codes.decode().split("\n")[:5] == ["304 1", "404 0", "405 0", "405 0", "200 0"], codes
    stop(rig)


def wrk(rig):
    start(rig)
    requests = 20_000 if rig.sanitized else 1_000_000
    done = 0
    while done < requests:
        text = tool("wrk", "-c", "64", "-t", "1", "-d", "2" if rig.sanitized else "10", URL + "/").decode()
        assert "Socket errors" not in text and "Non-2xx" not in text, text
        done += int(re.search(r"(\d+) requests in", text)[1])
        rig.notes.append(re.search(r"Requests/sec:.*", text)[0])
    rig.notes.append(f"{done} requests by wrk with 64 connections")
    stop(rig)


def ab(rig):
    start(rig)
    for keep_alive in ([], ["-k"]):
        text = tool("ab", "-q", *keep_alive, "-c", "16", "-n", "5000", URL + "/").decode()
        assert re.search(r"Complete requests: +5000\n", text) and re.search(r"Failed requests: +0\n", text), text
        rig.notes.append(("keep-alive " if keep_alive else "") + re.search(r"Requests per second:.*", text)[0])
    stop(rig)


def h2load(rig):
    start(rig)
    text = tool("h2load", "--h1", "-c", "16", "-m", "8", "-n", "20000", URL + "/").decode()
    assert "20000 succeeded, 0 failed, 0 errored, 0 timeout" in text, text
    stop(rig)


def exchange(request, pause_s=0):
    """Sends bytes, one by one if there is a pause between them; returns all until the server closes."""
    with socket.create_connection((interop.SERVER, 80), 20) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in ([bytes([b]) for b in request] if pause_s else [request]):
            client.sendall(part)
            time.sleep(pause_s)
        answer = b""
        while part := client.recv(1 << 16):
            answer += part
        return answer


def pipelined(rig):
    """A hundred requests in one write are answered in their order, the last one's wish to close granted."""
    start(rig)
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 99 + b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = exchange(request)
    assert answer.count(b"HTTP/1.1 200 OK") == 99 and answer.count(SMALL) == 99, answer[-2000:]
    assert b"HTTP/1.1 404 Not Found" in answer[answer.rindex(SMALL):], answer[-500:]
    stop(rig)


def byte_by_byte(rig):
    start(rig)
    answer = exchange(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", pause_s=0.002)
    assert answer.startswith(b"HTTP/1.1 200 OK") and answer.endswith(SMALL), answer
    stop(rig)


def refusals(rig):
    start(rig)
    for request, status in ((b"nonsense\r\n\r\n", b"400"), (b"GET / HTTP/1.1\r\n\r\n", b"400"),
                            (b"GET / HTTP/9.9\r\n\r\n", b"505"), (b"GET /" + b"a" * 9000, b"431"),
                            (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"501")):
        answer = exchange(request)
        assert answer.startswith(b"HTTP/1.1 " + status) and b"Connection: close" in answer, (request[:40], answer)
    stop(rig)


def client_that_never_reads(rig):
    """It holds its own connection up and nobody else's."""
    start(rig)
    with socket.create_connection((interop.SERVER, 80), 20) as client:
        client.sendall(b"GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        assert tool("curl", "-sS", "-m", "10", URL + "/") == SMALL
    stop(rig)


def wrong_arguments(rig):
    program = str(pathlib.Path(rig.command[0]).parent / "tern-http")
    for arguments, words in ((["--root", "/no/such"], "/no/such"), (["--port", "0"], "--port"),
                             (["--root", "/etc/passwd"], "not a folder")):
        result = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)
        assert result.returncode == 2 and words in result.stderr and result.stderr.count("\n") == 1, result
    help_lines = subprocess.run([program, "--help"], capture_output=True, text=True).stdout.splitlines()
    assert len(help_lines) <= 32 and max(map(len, help_lines)) <= 80, help_lines


if __name__ == "__main__":
    interop.main([curl, wrk, ab, h2load, pipelined, byte_by_byte, refusals, client_that_never_reads, wrong_arguments])
