#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tcp-upper-client: as a filter and at a prompt, with Tern's server and the kernel's as its peers, and
what it says when the connection comes to nothing."""
import contextlib
import hashlib
import os
import pathlib
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time

import interop

HOST_ADDRESS = "10.0.1.1"  # this kernel, at the other end of the client's tap
CLIENT = "tcp-upper-client"


def program(rig):
    return str(pathlib.Path(rig.command[0]).parent / CLIENT)


def filter_run(rig, *arguments, data=b"", timeout=60):
    return subprocess.run([program(rig), *arguments], input=data, capture_output=True, timeout=timeout)


def expect_failure(rig, *arguments, words, status=1, data=b"hello\n", timeout=60):
    """The client must end with one line of its own that holds all of `words`."""
    result = filter_run(rig, *arguments, data=data, timeout=timeout)
    said = result.stderr.decode()
    assert result.returncode == status, (result.returncode, said)
    lines = [line for line in said.splitlines() if not line.startswith("connecting to")]
    assert len(lines) == 1 and lines[0].startswith(CLIENT + ": "), said
    missing = [word for word in words if word not in lines[0]]
    assert not missing, f"does not say {missing}: {said}"
    rig.notes.append(lines[0])


def start_tern_server(rig, *arguments):
    rig.start("--gateway", interop.HOST, "--host-ip", f"{interop.HOST}/24", *arguments)


@contextlib.contextmanager
def kernel_server(serve, port=interop.PORT):
    """serve(socket) in a thread, for one connection to this kernel."""
    listener = socket.create_server(("0.0.0.0", port))

    def accept_one():
        with contextlib.suppress(OSError):
            client, _ = listener.accept()
            with client:
                serve(client)
    thread = threading.Thread(target=accept_one, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.close()
        thread.join(10)


def echo_upper(client):
    while data := client.recv(1 << 16):
        client.sendall(data.upper())


class Prompt:
    """The client at a pseudo terminal of 80 columns."""

    def __init__(self, rig, *arguments):
        self.screen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm"
            os.execv(program(rig), [CLIENT, *arguments])

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, pattern, timeout_s=20):
        """Until the screen shows `pattern` (a regular expression), which is then cut off it."""
        deadline = time.monotonic() + timeout_s
        while not (match := re.search(pattern, self.text())):
            assert time.monotonic() < deadline, f"no {pattern!r} on the screen: {self.text()!r}"
            if select.select([self.fd], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):  # the terminal goes with the program
                    self.screen += os.read(self.fd, 4096)
        self.screen = self.text()[match.end():].encode()
        return match

    def text(self):
        """Without the escape sequences of line editing."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", self.screen.decode(errors="replace"))

    def exit_status(self, timeout_s=20):
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        os.kill(self.pid, signal.SIGKILL)
        raise AssertionError(f"still running; its screen: {self.text()!r}")


def filter_with_tern(rig):
    start_tern_server(rig)
    result = filter_run(rig, "-i", interop.SERVER, data=b"abc\nhello world!\nfasionchan.com\n")
    assert (result.returncode, result.stdout) == (0, b"ABC\nHELLO WORLD!\nFASIONCHAN.COM\n"), result
    assert re.search(r"^10\.0\.1\.2:\d+ connected$", rig.output(), re.MULTILINE), rig.output()
    nothing = filter_run(rig, "-i", interop.SERVER, data=b"")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, b"", b""), nothing
    rig.stop()


def filter_of_many_bytes(rig):
    """More than every buffer on the way, so that each side is held back by the other."""
    start_tern_server(rig)
    data = os.urandom(1 << 20) * (4 if rig.sanitized else 32)
    result = filter_run(rig, "-i", interop.SERVER, data=data, timeout=300)
    assert result.returncode == 0, result.stderr
    assert hashlib.sha256(result.stdout).digest() == hashlib.sha256(data.upper()).digest(), len(result.stdout)
    rig.stop()


def filter_with_linux(rig):
    with kernel_server(echo_upper):
        result = filter_run(rig, "-i", HOST_ADDRESS, data=b"hello kernel\n")
    assert (result.returncode, result.stdout) == (0, b"HELLO KERNEL\n"), result


def slow_reader_of_the_filter(rig):
    """Its output is a pipe that nobody reads for a while: nothing is lost."""
    start_tern_server(rig)
    data = bytes(range(256)) * 16384
    with subprocess.Popen([program(rig), "-i", interop.SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        writer = threading.Thread(target=lambda: (client.stdin.write(data), client.stdin.close()))
        writer.start()
        time.sleep(1)
        answer = client.stdout.read()
        writer.join()
        assert client.wait(30) == 0 and answer == data.upper(), len(answer)
    rig.stop()


def output_closed(rig):
    start_tern_server(rig)
    with subprocess.Popen([program(rig), "-i", interop.SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as client:
        client.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            client.stdin.write(b"hello\n")
            client.stdin.flush()
        said = client.stderr.read().decode()
        assert client.wait(20) == 1 and "standard output" in said, said
    rig.stop()


def prompt_as_in_the_documents(rig):
    start_tern_server(rig)
    prompt = Prompt(rig, "-i", interop.SERVER, "--msl", "1")
    prompt.wait_for("> ")
    for line in ("abc", "hello world!", "fasionchan.com"):
        prompt.type(line + "\n")
        prompt.wait_for(rf"{re.escape(line)}\n{re.escape(line.upper())}\n> ")
    prompt.type("\x04")
    match = prompt.wait_for(r"(10\.0\.1\.2:\d+) is in TIME-WAIT for 2 MSL = 2 s")
    interop.wait_until(lambda: f"{match[1]} connected\n{match[1]} disconnected" in rig.output(), "the server's words")
    assert prompt.exit_status() == 0, prompt.text()
    rig.stop()


def history_at_the_prompt(rig):
    """The arrow up brings the last line back."""
    start_tern_server(rig)
    prompt = Prompt(rig, "-i", interop.SERVER, "--time-wait", "no")
    prompt.wait_for("> ")
    prompt.type("again\n")
    prompt.wait_for(r"AGAIN\n> ")
    prompt.type("\x1b[A\n")
    prompt.wait_for(r"AGAIN\n> ")
    prompt.type("\x04")
    assert prompt.exit_status() == 0, prompt.text()
    rig.stop()


def server_ends_while_a_person_thinks(rig):
    """The prompt does not wait for a key to notice."""
    start_tern_server(rig)
    prompt = Prompt(rig, "-i", interop.SERVER)
    prompt.wait_for("> ")
    # The client is there by a SYN,ACK already; a server that ends before it has seen the third packet resets.
    interop.wait_until(lambda: " connected" in rig.output(), "the server's word that somebody is there")
    rig.signal_server()
    assert prompt.exit_status() == 0, prompt.text()
    rig.wait_for_end(time_wait=1)


def interrupted(rig):
    """Ctrl-C at the prompt closes in order."""
    start_tern_server(rig)
    prompt = Prompt(rig, "-i", interop.SERVER)
    prompt.wait_for("> ")
    prompt.type("\x03")
    assert prompt.exit_status() == 0, prompt.text()
    rig.stop()


def refused(rig):
    start_tern_server(rig)
    expect_failure(rig, "-i", interop.SERVER, "-p", "9", words=["10.0.2.2:9", "refused"])
    expect_failure(rig, "-i", HOST_ADDRESS, words=["10.0.1.1:9999", "refused"])
    rig.stop()


def unreachable(rig):
    expect_failure(rig, "-i", "10.0.1.99", words=["10.0.1.99", "unreachable", "ARP"])
    expect_failure(rig, "-i", "10.0.2.2", "--gateway", "10.0.1.98", words=["unreachable", "gateway"])
    interop.ip("route", "add", "unreachable", "192.0.2.0/24")  # this kernel says so by ICMP
    begin = time.monotonic()
    expect_failure(rig, "-i", "192.0.2.9", words=["unreachable", "gateway"])
    assert time.monotonic() - begin < 10


def timed_out(rig):
    interop.ip("route", "add", "blackhole", "192.0.2.0/24")
    expect_failure(rig, "-i", "192.0.2.9", "--connect-timeout", "2", words=["192.0.2.9", "timed out"])


def reset(rig):
    def reset_after_first(client):
        client.recv(1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with kernel_server(reset_after_first):
        expect_failure(rig, "-i", HOST_ADDRESS, words=["10.0.1.1:9999", "reset"])


def unanswered(rig):
    """The server closes in order, but has not answered: that is no success."""
    with kernel_server(lambda client: client.recv(100)):
        expect_failure(rig, "-i", HOST_ADDRESS, words=["10.0.1.1:9999", "closed"])


def usage(rig):
    expect_failure(rig, words=["--server", "--help"], status=2)
    expect_failure(rig, "-i", "10.0.2.300", words=["10.0.2.300"], status=2)
    expect_failure(rig, "-i", "10.0.2.2", "-p", "0", words=["0"], status=2)
    expect_failure(rig, "-i", "10.0.2.2", "--ip", "192.0.2.5/24", words=["unreachable", "--gateway"], status=1)
    result = filter_run(rig, "--help")
    lines = result.stdout.decode().splitlines()
    assert result.returncode == 0 and len(lines) <= 32 and max(map(len, lines)) <= 80, lines


if __name__ == "__main__":
    interop.main([filter_with_tern, filter_of_many_bytes, filter_with_linux, slow_reader_of_the_filter, output_closed,
                  prompt_as_in_the_documents, history_at_the_prompt, server_ends_while_a_person_thinks, interrupted,
                  refused, unreachable, timed_out, reset, unanswered, usage])
