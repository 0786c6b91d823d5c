#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tern-bench against other people's servers and clients: this host's Linux, over a tap."""
import contextlib
import http.server
import json
import pathlib
import socket
import socketserver
import subprocess
import threading

from interop import HOST, HOST_DEVICE, PREFIX_LENGTH, SERVER, die_with_parent, main, wait_until


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        with contextlib.suppress(ConnectionError):
            while data := self.request.recv(65536):
                self.request.sendall(data)


class Source(socketserver.BaseRequestHandler):
    def handle(self):
        with contextlib.suppress(ConnectionError):
            while True:
                self.request.sendall(bytes(65536))


class Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\nhello\r\n0\r\n\r\n")

    def log_message(self, *arguments):
        pass


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True
    request_queue_size = 128


@contextlib.contextmanager
def linux_server(handler, port=0):
    """A server of the kernel's on a port that the block is given."""
    with Server(("0.0.0.0", port), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def run_client(rig, handler, mode, *arguments):
    """tern-bench's result against a Linux server, as JSON."""
    with linux_server(handler) as port:
        command = [*rig.command, "client", "--host-ip", f"{HOST}/{PREFIX_LENGTH}", "--ip", f"{SERVER}/{PREFIX_LENGTH}",
                   "--tap", HOST_DEVICE, "--server", HOST, "--port", str(port), "--mode", mode, "--seconds", "1",
                   "--warm-up", "0.2", "--quiet", "--json", "-", *arguments]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, preexec_fn=die_with_parent)
    assert run.returncode == 0, f"status {run.returncode}: {run.stderr}"
    result = json.loads(run.stdout)
    assert result["failures"] == 0, result
    assert not result["drops"], result["drops"]
    rig.notes.append(f"{mode}: {result['requests_per_s']:.0f} requests/s, {result['rx_gbit_per_s']:.2f} Gb/s received")
    return result


def client_rr(rig):
    result = run_client(rig, Echo, "rr", "--connections", "8")
    assert result["requests"] > 50 and result["latency"]["count"] == result["requests"], result


def client_open_loop(rig):
    result = run_client(rig, Echo, "rr", "--connections", "8", "--rate", "50")
    assert 30 <= result["requests"] <= 70, result


def client_crr(rig):
    result = run_client(rig, Echo, "crr", "--connections", "4")
    assert result["closed_per_s"] > 5, result


def client_workers(rig):
    """One result of two cores; the tap's kernel end spreads the flows."""
    result = run_client(rig, Echo, "rr", "--connections", "9", "--workers", "2")
    assert result["workers"] == 2 and result["requests"] > 50, result
    difference = abs(result["latency"]["count"] - result["requests"])
    assert difference <= 0.2 * result["requests"], result  # each begins and ends within a millisecond or so


def client_idle(rig):
    """Several ports of the server, each connection asked once."""
    with linux_server(Echo, 7000), linux_server(Echo, 7001):  # in a network namespace of its own
        command = [*rig.command, "client", "--host-ip", f"{HOST}/{PREFIX_LENGTH}", "--ip", f"{SERVER}/{PREFIX_LENGTH}",
                   "--tap", HOST_DEVICE, "--server", HOST, "--port", "7000-7001", "--mode", "idle", "--connections", "50",
                   "--opening", "8", "--seconds", "1", "--quiet", "--json", "-"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, preexec_fn=die_with_parent)
    assert run.returncode == 0, f"status {run.returncode}: {run.stderr}"
    result = json.loads(run.stdout)
    assert result["opened"] == result["answered_after_holding"] == 50, result
    assert result["lost_while_holding"] == result["lost_while_asking"] == 0, result
    assert {row["what"] for row in result["memory"]} >= {"connections", "table slots"}, result["memory"]


def client_maerts(rig):
    assert run_client(rig, Source, "maerts")["rx_gbit_per_s"] > 0.001


def client_http_chunked(rig):
    assert run_client(rig, Pages, "http", "--connections", "2")["requests"] > 10


def client_refused(rig):
    """No server: one line, status 1."""
    command = [*rig.command, "client", "--host-ip", f"{HOST}/{PREFIX_LENGTH}", "--ip", f"{SERVER}/{PREFIX_LENGTH}",
               "--tap", HOST_DEVICE, "--server", HOST, "--port", "9", "--quiet"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, preexec_fn=die_with_parent)
    assert run.returncode == 1 and "connection refused" in run.stderr, (run.returncode, run.stderr)


def server_for_linux(rig):
    """Its four services, to plain sockets; then its result."""
    result = pathlib.Path(rig.log).with_suffix(".json")
    with rig.log.open("ab") as log:
        command = [*rig.command, "server", "--host-ip", f"{HOST}/{PREFIX_LENGTH}", "--ip", f"{SERVER}/{PREFIX_LENGTH}",
                   "--tap", HOST_DEVICE, "--json", str(result)]
        rig.process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=die_with_parent)
    wait_until(lambda: "listening" in rig.output(), "the server listens", 60)
    rig._wait_for_wire()
    with socket.create_connection((SERVER, 9000), 10) as client:
        client.sendall(b"abc")
        assert rig.receive_exactly(client, 3) == b"abc"
    with socket.create_connection((SERVER, 9001), 10) as client:
        client.sendall(bytes(100_000))
    with socket.create_connection((SERVER, 9002), 10) as client:
        assert len(rig.receive_exactly(client, 1_000_000)) == 1_000_000
    with socket.create_connection((SERVER, 9003), 10) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = rig.receive_exactly(client, 1 << 16)  # to the end: HTTP/1.0 keeps nothing
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n\r\n" + b"x" * 64), answer
    wait_until(lambda: rig.output().count("conn/s") >= 2, "two lines", 10)
    rig.process.terminate()
    assert rig.process.wait(30) == 0, rig.output()
    assert json.loads(result.read_text())["role"] == "server"


if __name__ == "__main__":
    main([client_rr, client_open_loop, client_crr, client_workers, client_idle, client_maerts, client_http_chunked, client_refused, server_for_linux])
