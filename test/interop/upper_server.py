#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""An upper-case server on the Linux kernel's TCP, with tcp-upper-server's options and words.

It checks the interop tests and scripts/run themselves: what fails against it is wrong in the test.
The server lives in a network namespace of its own; --tap names the end of a veth pair that it puts
into its parent's namespace, where a real tap device would appear.
"""
import argparse
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import time

import interop

CHUNK_BYTES = 1 << 16


class Peer:
    def __init__(self, client, address):
        self.socket, self.name = client, f"{address[0]}:{address[1]}"
        self.unsent = b""
        self.finished = self.shut = False


class UpperServer:
    def __init__(self, options):
        self.options = options
        self.selector = selectors.DefaultSelector()
        self.peers = set()
        self.stopping = False
        self.deadline = None  # when draining ends
        self.listener = socket.create_server(("0.0.0.0", options.port), backlog=4096)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, None)
        self.say(f"listening at port: 0.0.0.0:{options.port}, waiting for connections...", always=True)

    def say(self, text, always=False):
        if always or not self.options.quiet:
            print(text, flush=True)

    def stop(self, *_):
        """The handler of SIGTERM: drain; the second time, the end."""
        if self.stopping:
            os._exit(1)
        self.stopping = True

    def drain(self):
        """No new connections, FIN to the present ones."""
        self.deadline = time.monotonic() + self.options.linger
        self.selector.unregister(self.listener)
        self.listener.close()
        for peer in list(self.peers):
            if not peer.unsent:
                self.shut(peer)

    @staticmethod
    def shut(peer):
        peer.shut = True
        peer.socket.shutdown(socket.SHUT_WR)

    def run(self):
        while self.deadline is None or (self.peers and time.monotonic() < self.deadline):
            for key, events in self.selector.select(0.05):
                if key.data is None:
                    self.accept()
                else:
                    self.serve(key.data, events)
            if self.stopping and self.deadline is None:
                self.drain()
        for peer in list(self.peers):
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.end(peer)

    def accept(self):
        client, address = self.listener.accept()
        client.setblocking(False)
        peer = Peer(client, address)
        self.peers.add(peer)
        self.selector.register(client, selectors.EVENT_READ, peer)
        self.say(f"{peer.name} connected")

    def serve(self, peer, events):
        try:
            if events & selectors.EVENT_READ:
                data = peer.socket.recv(CHUNK_BYTES)
                peer.finished |= not data
                peer.unsent += data.upper() if not peer.shut else b""
            if peer.unsent:
                peer.unsent = peer.unsent[peer.socket.send(peer.unsent):]
            if self.deadline is not None and not peer.unsent and not peer.shut:
                self.shut(peer)
        except BlockingIOError:
            pass
        except OSError:
            self.end(peer)
            return
        if peer.finished and not peer.unsent:
            self.end(peer)
        else:
            interest = selectors.EVENT_WRITE if peer.unsent else selectors.EVENT_READ
            self.selector.modify(peer.socket, interest, peer)

    def end(self, peer):
        self.selector.unregister(peer.socket)
        peer.socket.close()
        self.peers.discard(peer)
        self.say(f"{peer.name} disconnected")


def make_wire(options):
    """A veth pair from a new namespace to the parent's; goes with this process."""
    interop.unshare_network()
    subprocess.run(["ip", "link", "add", "eth0", "type", "veth", "peer", "name", options.tap, "netns", str(os.getppid())],
                   check=True)
    # Else a packet socket at the other end sees checksums that were left to a device.
    subprocess.run(["ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off", "gro", "off"], check=True,
                   capture_output=True)
    subprocess.run(["ip", "address", "add", options.ip, "dev", "eth0"], check=True)
    subprocess.run(["ip", "link", "set", "eth0", "up"], check=True)
    if options.gateway:
        # The route can be set once the other end is up, which the parent sees to.
        subprocess.Popen(["sh", "-c", f"until ip route replace default via {options.gateway} 2>/dev/null; do sleep 0.1; done"])


def start_capture(path):
    """tcpdump, writing each packet at once."""
    capture = subprocess.Popen(["tcpdump", "-i", "eth0", "-U", "--immediate-mode", "-w", path, "-Z", "root"], stderr=subprocess.PIPE, text=True)
    capture.stderr.readline()  # "listening on eth0 ..."
    return capture


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ip", default="10.0.2.2/24")
    parser.add_argument("--tap", default="tern0")
    parser.add_argument("--port", type=int, default=9999)
    parser.add_argument("--gateway")
    parser.add_argument("--linger", type=float, default=5)
    parser.add_argument("--msl", type=float, default=30)
    parser.add_argument("--max-connections", type=int, default=4096)
    parser.add_argument("--capture")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--stats", action="store_true")
    options = parser.parse_args()
    make_wire(options)
    capture = start_capture(options.capture) if options.capture else None
    server = UpperServer(options)
    signal.signal(signal.SIGTERM, server.stop)
    signal.signal(signal.SIGINT, server.stop)
    server.run()
    if capture:
        capture.terminate()
        capture.wait()
    sys.exit(0)


if __name__ == "__main__":
    main()
