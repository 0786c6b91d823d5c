#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What goes on below TCP: ARP, ICMP echo, a gateway; and who is answered with a RST."""
import os
import signal
import socket
import struct
import subprocess
import time

import interop
from raw_tcp import (ACK, BROADCAST, ETHERTYPE_ARP, ETHERTYPE_IP, PSH, RST, SYN, RawConnection, RawHost, Segment,
                     checksum)


def ping(rig):
    rig.start()
    for size in (0, 56, 1472):
        result = subprocess.run(["ping", "-n", "-c", "5", "-i", "0.05", "-W", "2", "-s", str(size), interop.SERVER],
                                capture_output=True, text=True)
        assert " 0% packet loss" in result.stdout, result.stdout
    rig.stop()


def ping_in_fragments(rig):
    """Requests that Linux sends in fragments, up to the largest; the answers come in fragments, too."""
    rig.start()
    # Of IPv4, net_af_packet has this kernel put fragments together (PACKET_FANOUT_FLAG_DEFRAG), and
    # drops what is then longer than its buffers of 2048 bytes.
    is_put_together = rig.device == "af_packet"
    for size in (1473, 1900) if is_put_together else (1473, 4000, 30000, 65507):
        result = subprocess.run(["ping", "-n", "-c", "3", "-i", "0.2", "-W", "2", "-s", str(size), interop.SERVER],
                                capture_output=True, text=True)
        assert " 0% packet loss" in result.stdout, result.stdout
    stats = rig.stop()
    if rig.is_tern and not is_put_together:
        assert stats["datagrams_reassembled"] >= 12 and stats["fragments_out"] >= 3 * (2 + 3 + 21 + 45), stats


def fragment(packet, begin, size, number):
    """The fragment of an IPv4 packet that has `size` bytes of its data from `begin` on."""
    data = packet[20:]
    more = 0x2000 if begin + size < len(data) else 0
    part = data[begin:begin + size]
    header = packet[:2] + struct.pack("!HHH", 20 + len(part), number, more | begin // 8) + packet[8:10] + b"\0\0" + packet[12:20]
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + part


def segments_in_fragments(rig):
    """A segment in fragments is a segment, in whatever order they come; two that overlap are none (RFC 5722)."""
    rig.start(*(["--tcp-fragments"] if rig.is_tern else []))
    host = RawHost(interop.HOST_DEVICE)
    peer = RawConnection(host, interop.SERVER, interop.PORT)
    peer.open()
    mac = host.neighbours[interop.SERVER]
    for number, order in enumerate(((0, 1, 2), (2, 1, 0), (1, 2, 0)), 1):
        data = b"round %d " % number * 100
        packet = Segment(host.address, interop.SERVER, peer.local_port, interop.PORT, peer.snd_nxt, peer.rcv_nxt, ACK | PSH,
                         payload=data).to_packet()
        parts = [fragment(packet, begin, 320, number) for begin in (0, 320)] + [fragment(packet, 640, 1000, number)]
        if number == 3 and rig.is_tern:
            for begin, size in ((0, 328), (320, 1000)):
                host.send_frame(mac, ETHERTYPE_IP, fragment(packet, begin, size, 99))
            peer.expect_silence(0.3)
        for index in order:
            host.send_frame(mac, ETHERTYPE_IP, parts[index])
        peer.snd_nxt += len(data)
        peer.expect_data(data.upper())
    peer.close()
    rig.stop()


def arp_answers(rig):
    """A request for the server's address is answered, one for another address is not."""
    rig.start()
    host = RawHost(interop.HOST_DEVICE)
    mac = host.resolve(interop.SERVER)
    assert mac and not mac[0] & 1, f"no MAC, or a group's: {mac}"
    neighbours = interop.ip("neighbour", "show", interop.SERVER, "dev", interop.HOST_DEVICE)
    assert mac.hex(":") in neighbours, f"the kernel knows another MAC: {neighbours}"
    assert host.resolve("10.0.2.77", timeout_s=1) is None, "answered for somebody else's address"
    rig.stop()


def arp_asks_once(rig):
    """The server resolves a neighbour once, and then talks to it without asking again."""
    rig.start()
    host = RawHost(interop.HOST_DEVICE)
    peer = RawConnection(host, interop.SERVER, interop.PORT)
    peer.open()
    for number in range(20):
        request = b"request %d\n" % number
        peer.send(ACK | PSH, request)
        peer.expect_data(request.upper())
    assert host.arp_requests_answered <= 1, f"asked {host.arp_requests_answered} times"
    peer.close()
    rig.stop()


def malformed_arp_is_ignored(rig):
    """Truncated, of another hardware type, with a group's MAC: no answer, and no harm."""
    rig.start()
    host = RawHost(interop.HOST_DEVICE)
    target = socket.inet_aton(interop.SERVER)
    own = socket.inet_aton(host.address)
    for payload in (b"", b"\0\1\x08\0", struct.pack("!HHBBH6s4s6s4s", 15, 0x0800, 6, 4, 1, host.mac, own, b"\0" * 6, target),
                    struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 8, 4, 1, host.mac, own, b"\0" * 6, target),
                    struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 99, host.mac, own, b"\0" * 6, target)):
        host.send_frame(BROADCAST, ETHERTYPE_ARP, payload)
    assert host.receive(0.3) is None and interop.SERVER not in host.neighbours, "a malformed request was answered"
    assert host.resolve(interop.SERVER), "and now it does not answer a sound one"
    rig.stop()


def gateway(rig):
    """A client on another network is answered through --gateway."""
    rig.start("--gateway", interop.HOST)
    interop.ip("address", "add", "192.0.2.9/32", "dev", "lo")
    with socket.socket() as client:
        client.settimeout(10)
        client.bind(("192.0.2.9", 0))
        client.connect((interop.SERVER, interop.PORT))
        rig.check_echo(client, b"from afar")
    interop.wait_until(lambda: "192.0.2.9:" in rig.output(), "the far client's address printed")
    rig.stop()


def closed_port(rig):
    """Nobody listens there: refused at once, with a RST that acknowledges the SYN."""
    rig.start()
    try:
        rig.connect(port=interop.PORT + 1, timeout_s=5)
    except ConnectionRefusedError:
        pass
    else:
        raise AssertionError("a connection to a closed port")
    peer = RawConnection(RawHost(interop.HOST_DEVICE), interop.SERVER, interop.PORT + 1)
    peer.send(SYN)
    peer.expect(RST | ACK, b"", seq=0, ack=peer.snd_nxt)
    rig.stop()


def unknown_connection(rig):
    """A segment of no connection is answered with a RST at its acknowledgement number; a RST is not."""
    rig.start()
    peer = RawConnection(RawHost(interop.HOST_DEVICE), interop.SERVER, interop.PORT)
    peer.send(ACK | PSH, b"anybody?", ack=12345)
    peer.expect(RST, b"", seq=12345)
    peer.send(RST)
    peer.expect_silence(0.3)
    rig.stop()


def restarted_server(rig):
    """After a kill and a restart the old connections are told with a RST, and new ones work."""
    if rig.device != "af_packet":
        raise interop.Skip("a tap device goes with its server, and the kernel's connections with it")
    rig.start()
    client = rig.connect()
    rig.check_echo(client, b"before")
    rig.signal_server(signal.SIGKILL)
    rig.process.wait()
    rig.log.unlink()
    rig.start()
    try:
        client.sendall(b"anybody?")
        answer = client.recv(100)
    except ConnectionResetError:
        pass
    else:
        raise AssertionError(f"no RST, but {answer!r}")
    with rig.connect() as again:
        rig.check_echo(again, b"after")
    rig.stop()


def wrong_checksums_are_dropped(rig):
    """A segment whose TCP checksum is wrong never happened; the repaired one counts."""
    rig.start()
    host = RawHost(interop.HOST_DEVICE)
    peer = RawConnection(host, interop.SERVER, interop.PORT)
    peer.open()
    segment = Segment(host.address, interop.SERVER, peer.local_port, interop.PORT, peer.snd_nxt, peer.rcv_nxt, ACK | PSH,
                      payload=b"broken\n")
    packet = bytearray(segment.to_packet())
    packet[-1] ^= 1
    host.send_frame(host.neighbours[interop.SERVER], ETHERTYPE_IP, bytes(packet))
    peer.expect_silence(0.5)
    peer.send(ACK | PSH, b"sound!\n")
    peer.expect_data(b"SOUND!\n")
    peer.close()
    rig.stop()


# Runs on the far host: asks for what is sent back in upper case, and reports what came.
FAR_CLIENT = """
import hashlib, socket, sys, threading
size = int(sys.argv[1])
data = bytes(range(97, 123)) * (size // 26 + 1)
data = data[:size]
server = socket.create_connection(("{server}", {port}), 20)
sender = threading.Thread(target=lambda: (server.sendall(data), server.shutdown(socket.SHUT_WR)))
sender.start()
digest, got = hashlib.sha256(), 0
while part := server.recv(1 << 16):
    digest.update(part)
    got += len(part)
    if got > size // 4:
        print("quarter", flush=True)
        sys.stdin.readline()
        size = 1 << 62  # once
sender.join()
print(got, digest.hexdigest() == hashlib.sha256(data.upper()).hexdigest(), flush=True)
"""


class FarHost:
    """A host behind this one, which is the router between it and the server: 10.0.3.2."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "600"], preexec_fn=interop.die_with_parent)
        interop.wait_until(self._is_apart, "the far host's namespace")
        interop.ip("link", "add", "far", "type", "veth", "peer", "name", "eth0", "netns", str(self.holder.pid))
        subprocess.run(["ethtool", "-K", "far", "tx", "off", "tso", "off", "gso", "off", "gro", "off"], check=True, capture_output=True)
        interop.ip("address", "add", "10.0.3.1/24", "dev", "far")
        interop.ip("link", "set", "far", "up")
        for command in ("ip link set lo up", "ip address add 10.0.3.2/24 dev eth0", "ip link set eth0 up",
                        "ip route add default via 10.0.3.1", "ethtool -K eth0 tx off tso off gso off gro off"):
            self.run(command.split())
        # On these two alone: an af_packet server's own device lives in this namespace as well.
        for device in (interop.HOST_DEVICE, "far"):
            with open(f"/proc/sys/net/ipv4/conf/{device}/forwarding", "w", encoding="ascii") as file:
                file.write("1")

    def _is_apart(self):
        try:
            return os.readlink(f"/proc/{self.holder.pid}/ns/net") != os.readlink("/proc/self/ns/net")
        except OSError:
            return False

    def enter(self, command):
        return ["nsenter", "-t", str(self.holder.pid), "--net", "--", *command]

    def run(self, command):
        subprocess.run(self.enter(command), check=True, capture_output=True)


def path_mtu_drops_mid_flow(rig):
    """The router's link to the client becomes narrow: it says so by ICMP, and the flow goes on in smaller segments."""
    rig.start("--gateway", interop.HOST)
    far = FarHost()
    size = 4 << 20
    client = subprocess.Popen(far.enter(["python3", "-c", FAR_CLIENT.format(server=interop.SERVER, port=interop.PORT),
                                         str(size)]), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert client.stdout.readline() == "quarter\n"
    far.run(["ip", "link", "set", "eth0", "mtu", "1200"])  # or the wire would drop what the client sends
    interop.ip("link", "set", "far", "mtu", "1200")
    client.stdin.write("\n")
    client.stdin.flush()
    answer = client.stdout.readline().split()
    assert answer == [str(size), "True"], answer
    assert client.wait(10) == 0
    stats = rig.stop()
    if rig.is_tern:
        assert stats["path_mtu_reductions"] >= 1, stats


# Runs on the far host: asks in rounds and reports each of them, until it is told to stop. Its receive buffer is small,
# so that the server has text waiting for window most of the time, which a probe is made of.
ROUNDS_CLIENT = """
import select, socket, sys
data = bytes(range(97, 123)) * 2500
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
server.settimeout(20)
server.connect(("{server}", {port}))
while not select.select([sys.stdin], [], [], 0)[0]:
    server.sendall(data)
    got = b""
    while len(got) < len(data):
        part = server.recv(1 << 16)
        assert part, "the server has closed"
        got += part
    assert got == data.upper(), "not what was sent"
    print("round", flush=True)
"""


def path_mtu_grows_after_a_black_hole(rig):
    """The path becomes narrow and nobody says so: smaller segments are sent. When it is wide again, the connection
    finds that out by itself (RFC 4821)."""
    if not rig.is_tern:
        raise interop.Skip("Linux looks for black holes only where net.ipv4.tcp_mtu_probing says so")
    rig.start("--gateway", interop.HOST)
    far = FarHost()

    def set_mtu(mtu):
        far.run(["ip", "link", "set", "eth0", "mtu", mtu])
        interop.ip("link", "set", "far", "mtu", mtu)

    client = subprocess.Popen(far.enter(["python3", "-c", ROUNDS_CLIENT.format(server=interop.SERVER, port=interop.PORT)]),
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def go_on(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert client.stdout.readline() == "round\n"

    go_on(0.2)
    interop.ip("rule", "add", "pref", "10", "ipproto", "icmp", "to", interop.SERVER, "blackhole")
    set_mtu("1200")
    go_on(5)
    set_mtu("1500")
    go_on(20)
    client.stdin.write("\n")
    client.stdin.flush()
    client.communicate(timeout=10)
    assert client.returncode == 0
    stats = rig.stop()
    assert stats["path_mtu_black_holes"] >= 1 and stats["path_mtu_reductions"] == 0, stats
    assert stats["path_mtu_probes"] > stats["path_mtu_probes_lost"] and stats["path_mtu_raises"] >= 1, stats


if __name__ == "__main__":
    interop.main([ping, ping_in_fragments, segments_in_fragments, arp_answers, arp_asks_once, malformed_arp_is_ignored, gateway, closed_port, unknown_connection,
                  restarted_server, wrong_checksums_are_dropped,
                  path_mtu_drops_mid_flow, path_mtu_grows_after_a_black_hole])
