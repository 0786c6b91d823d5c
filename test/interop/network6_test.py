#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What goes on below TCP over IPv6, and on a link with a VLAN or big packets: ping, neighbour discovery,
routers, duplicate addresses, a path that becomes narrower."""
import pathlib
import socket
import struct
import subprocess
import time

import interop
from network_test import FarHost

HOST6, SERVER6 = "fd00::1", "fd00::2"
ETHERTYPE_IP6 = 0x86DD


def enable_ip6():
    """The rig turns IPv6 off where nobody asks for it."""
    for name in ("all", "default", interop.HOST_DEVICE):
        path = pathlib.Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
        if path.exists():
            path.write_text("0")


def start(rig, *arguments, ping_first=True):
    """The server with both families, and this kernel's end of the wire."""
    enable_ip6()
    rig.start("--ip6", f"{SERVER6}/64", *arguments)
    enable_ip6()
    interop.ip("address", "replace", f"{HOST6}/64", "dev", interop.HOST_DEVICE, "nodad")
    if ping_first:
        interop.wait_until(lambda: ping(SERVER6, count=1).returncode == 0, "an answer to ping -6", 15)


def ping(address, *arguments, count=3):
    return subprocess.run(["ping", "-6", "-n", "-c", str(count), "-i", "0.05", "-W", "1", *arguments, address],
                          capture_output=True, text=True)


def neighbour(address):
    """What this kernel knows of a neighbour: "... lladdr 02:... REACHABLE"."""
    return interop.ip("-6", "neighbour", "show", address, "dev", interop.HOST_DEVICE)


def link_local_of(device):
    """The kernel's own link-local address on a device."""
    for line in interop.ip("-6", "-o", "address", "show", "dev", device, "scope", "link").splitlines():
        return line.split()[3].split("/")[0]
    return None


def server_link_local():
    """fe80::/64 with the EUI-64 of the MAC that the kernel has learnt."""
    mac = bytes.fromhex(neighbour(SERVER6).split("lladdr ")[1].split()[0].replace(":", ""))
    interface = bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
    return socket.inet_ntop(socket.AF_INET6, b"\xfe\x80" + bytes(6) + interface)


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def icmp6(source, destination, kind, body, hops=255, code=0):
    """An IPv6 packet with an ICMPv6 message."""
    source, destination = (socket.inet_pton(socket.AF_INET6, a) for a in (source, destination))
    message = struct.pack("!BBH", kind, code, 0) + body
    pseudo = source + destination + struct.pack("!IxxxB", len(message), 58)
    message = message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]
    return struct.pack("!IHBB", 6 << 28, len(message), 58, hops) + source + destination + message


class RawLink:
    """Frames by hand at this kernel's end of the wire."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE_IP6))
        self.socket.bind((interop.HOST_DEVICE, 0))
        self.mac = self.socket.getsockname()[4]

    def send(self, to_mac, packet):
        self.socket.send(to_mac + self.mac + struct.pack("!H", ETHERTYPE_IP6) + packet)

    def send_to_all(self, packet):
        self.send(bytes.fromhex("333300000001"), packet)


def ping6(rig):
    """Echo of every size, to the address, to the link-local one, and to all nodes."""
    start(rig)
    for size in (0, 56, 1452):
        result = ping(SERVER6, "-s", str(size), count=5)
        assert " 0% packet loss" in result.stdout, result.stdout
    local = f"{server_link_local()}%{interop.HOST_DEVICE}"
    assert " 0% packet loss" in ping(local).stdout, local
    everybody = ping(f"ff02::1%{interop.HOST_DEVICE}").stdout
    assert f"from {SERVER6}" in everybody or f"from {server_link_local()}" in everybody, everybody
    rig.stop()


def ping6_in_fragments(rig):
    """Requests that Linux sends in fragments, up to the largest; the answers come in fragments, too."""
    start(rig)
    for size in (1453, 4000, 30000, 65527):
        result = ping(SERVER6, "-s", str(size), "-i", "0.2")
        assert " 0% packet loss" in result.stdout, result.stdout
    stats = rig.stop()
    assert stats["datagrams_reassembled"] >= 12 and stats["fragments_out"] >= 3 * (2 + 3 + 21 + 46), stats


def segments_in_fragments6(rig):
    """TCP in fragments, as Linux cuts it where the route's MTU is smaller than the segments that it has
    promised to send: IPv6's own extension header and all."""
    start(rig, "--tcp-fragments")
    with socket.create_connection((SERVER6, interop.PORT), 10) as client:
        rig.check_echo(client, b"whole\n")
        link = RawLink()
        server_mac = bytes.fromhex(neighbour(SERVER6).split("lladdr ")[1].split()[0].replace(":", ""))
        source, destination = (socket.inet_pton(socket.AF_INET6, a) for a in (HOST6, SERVER6))
        # Of no connection: answered with a RST, which shows that it has been put together.
        tcp = struct.pack("!HHIIBBHHH", 4321, interop.PORT, 1, 77, 5 << 4, 0x10, 100, 0, 0) + b"x" * 2000
        pseudo = source + destination + struct.pack("!IxxxB", len(tcp), 6)
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
        for begin, end, more in ((1200, len(tcp), 0), (0, 1200, 1)):
            part = struct.pack("!BBHI", 6, 0, begin | more, 0xABCD) + tcp[begin:end]
            link.send(server_mac, struct.pack("!IHBB", 6 << 28, len(part), 44, 64) + source + destination + part)
        time.sleep(0.3)
        rig.check_echo(client, b"and on\n")
    stats = rig.stop()
    assert stats["datagrams_reassembled"] == 1 and stats["drop_tcp_checksum"] == 0, stats
    assert stats["drop_tcp_no_listener"] + stats["drop_tcp_stray"] + stats["rst_out"] >= 1, stats


def reachability(rig):
    """Linux finds the server by neighbour discovery, and finds that it is there still when it asks by unicast."""
    start(rig)
    assert "lladdr" in neighbour(SERVER6), neighbour(SERVER6)
    interop.ip("-6", "neighbour", "change", SERVER6, "dev", interop.HOST_DEVICE, "nud", "probe")
    interop.wait_until(lambda: "REACHABLE" in neighbour(SERVER6), "a probe answered", 5)
    interop.ip("-6", "neighbour", "flush", "dev", interop.HOST_DEVICE)
    assert ping(SERVER6, count=1).returncode == 0, "not found again"
    assert ping("fd00::77", count=1).returncode != 0, "answered for somebody else's address"
    rig.stop()


def echo6(rig):
    """TCP over it: the server resolves the client in its turn."""
    start(rig)
    with socket.create_connection((SERVER6, interop.PORT), 10) as client:
        rig.check_echo(client, b"over six\n")
    rig.stop()


def duplicate_address(rig):
    """Another host has the address already: the server does not use it, and IPv4 goes on."""
    if rig.device != "af_packet":
        raise interop.Skip("a tap's other end, this kernel, comes up too late to have had the address before")
    rig._make_veth()
    enable_ip6()
    interop.ip("address", "add", f"{SERVER6}/64", "dev", interop.HOST_DEVICE, "nodad")
    rig.start("--ip6", f"{SERVER6}/64")
    time.sleep(2)
    interop.ip("address", "del", f"{SERVER6}/64", "dev", interop.HOST_DEVICE)
    interop.ip("address", "add", f"{HOST6}/64", "dev", interop.HOST_DEVICE, "nodad")
    assert ping(SERVER6, count=2).returncode != 0, "answered at an address that is another's"
    with rig.connect() as client:
        rig.check_echo(client, b"but over four\n")
    stats = rig.stop()
    assert stats["nd_conflicts"] >= 1, stats


def router_advertisement(rig):
    """A router of the link advertises itself: what is not on the link is sent to it from then on."""
    start(rig)
    link = RawLink()
    interop.ip("address", "add", "2001:db8::9/128", "dev", "lo")
    router = link_local_of(interop.HOST_DEVICE)
    option = b"\x01\x01" + link.mac
    mtu = struct.pack("!BBHI", 5, 1, 0, 1400)
    link.send_to_all(icmp6(router, "ff02::1", 134, struct.pack("!BBHII", 64, 0, 1800, 0, 0) + option + mtu))
    time.sleep(0.2)
    with socket.socket(socket.AF_INET6) as client:
        client.settimeout(10)
        client.bind(("2001:db8::9", 0))
        client.connect((SERVER6, interop.PORT))
        rig.check_echo(client, b"from afar")
        mss = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        assert mss == 1400 - 60 - 12, f"the link's MTU is 1400, but the MSS {mss}"
    interop.wait_until(lambda: rig.count("disconnected") == 1, "its end")
    # And a lifetime of 0 takes it back.
    link.send_to_all(icmp6(router, "ff02::1", 134, struct.pack("!BBHII", 64, 0, 0, 0, 0) + option))
    time.sleep(0.2)
    assert ping(SERVER6, "-I", "2001:db8::9", count=1).returncode != 0, "still answered"
    stats = rig.stop()
    assert stats["router_advertisements_in"] >= 2, stats


def forged_messages_are_refused(rig):
    """Neighbour discovery that has crossed a router, or breaks another rule, changes nothing."""
    start(rig)
    link = RawLink()
    mac = bytes.fromhex(neighbour(SERVER6).split("lladdr ")[1].split()[0].replace(":", ""))
    elsewhere = b"\x02\x01" + bytes.fromhex("020000000066")
    body = struct.pack("!I", 0x60000000) + socket.inet_pton(socket.AF_INET6, HOST6)
    link.send(mac, icmp6(HOST6, SERVER6, 136, body + elsewhere, hops=254))
    link.send(mac, icmp6(HOST6, SERVER6, 136, body + elsewhere, code=1))
    link.send(mac, icmp6(HOST6, SERVER6, 136, body + b"\x02\x00" + bytes(6)))
    link.send(mac, icmp6("fd00::66", "ff02::1", 134, struct.pack("!BBHII", 64, 0, 1800, 0, 0)))
    link.send(mac, icmp6(HOST6, SERVER6, 137, bytes(36)))
    time.sleep(0.2)
    assert " 0% packet loss" in ping(SERVER6).stdout
    stats = rig.stop()
    assert stats["drop_nd"] >= 4 and stats["drop_redirect"] == 1, stats


def unknown_header_is_reported(rig):
    """UDP is no header that the server knows: Linux hears so, as of any host (RFC 8200 4)."""
    start(rig)
    link = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    link.settimeout(5)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
        udp.sendto(b"anybody?", (SERVER6, 7))
    while True:
        message = link.recv(2000)
        if message[0] == 4:
            break
    assert message[1] == 1 and message[4:8] == struct.pack("!I", 6), message[:8]
    stats = rig.stop()
    assert stats["icmp_problems_out"] >= 1, stats


# --- VLAN, big packets ---


def arp_request(mac, target):
    """Who has it? From this kernel's address."""
    return struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, mac, socket.inet_aton(interop.HOST), bytes(6),
                       socket.inet_aton(target))


class TaggedLink:
    """Frames with an 802.1Q tag by hand: not every kernel has VLAN interfaces. It takes a received tag off and tells of
    it beside the packet (packet(7), PACKET_AUXDATA)."""
    PACKET_AUXDATA, TP_STATUS_VLAN_VALID, PACKET_OUTGOING = 8, 0x10, 4

    def __init__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.setsockopt(263, self.PACKET_AUXDATA, 1)  # SOL_PACKET
        self.socket.bind((interop.HOST_DEVICE, 0))
        self.mac = self.socket.getsockname()[4]

    def send(self, to_mac, ethertype, payload, vlan=None):
        tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
        self.socket.send(to_mac + self.mac + tag + struct.pack("!H", ethertype) + payload)

    def receive(self, ethertype, timeout_s=1.0):
        """(VLAN or None, source MAC, payload) of the next frame from the wire; None if none comes in time."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                frame, ancillary, _, source = self.socket.recvmsg(4096, 256)
            except TimeoutError:
                return None
            if source[2] == self.PACKET_OUTGOING:
                continue
            vlan = None
            for level, kind, data in ancillary:
                if level == 263 and kind == self.PACKET_AUXDATA:
                    status, _, _, _, _, tci, _ = struct.unpack("IIIHHHH", data[:20])
                    vlan = tci & 0xFFF if status & self.TP_STATUS_VLAN_VALID else None
            if frame[12:14] == b"\x81\x00":
                vlan, frame = struct.unpack("!H", frame[14:16])[0] & 0xFFF, frame[:12] + frame[16:]
            if frame[12:14] == struct.pack("!H", ethertype):
                return vlan, frame[6:12], frame[14:]
        return None


def vlan(rig):
    """In VLAN 10: a request with that tag is answered with that tag, in both families; one of another VLAN, of none, or
    with a second tag is not."""
    start_tagged(rig, 10)
    link = TaggedLink()
    everybody = b"\xff" * 6
    link.send(everybody, 0x0806, arp_request(link.mac, interop.SERVER), vlan=10)
    answer = interop.wait_until(lambda: link.receive(0x0806), "an ARP reply")
    while answer[2][6:8] != b"\0\2":  # an announcement of the server's
        answer = interop.wait_until(lambda: link.receive(0x0806), "an ARP reply")
    number, mac, _ = answer
    assert number == 10, number
    own = "fe80::" + "1"
    group = bytes.fromhex("3333ff000002")
    link.send(group, ETHERTYPE_IP6, icmp6(own, "ff02::1:ff00:2", 135, bytes(4) + socket.inet_pton(socket.AF_INET6, SERVER6) +
                                          b"\x01\x01" + link.mac), vlan=10)
    while (answer := link.receive(ETHERTYPE_IP6)) and answer[2][40] != 136:
        pass
    assert answer and answer[0] == 10, answer
    while link.receive(0x0806, 0.1):
        pass
    for wrong in (11, None, 0):
        link.send(everybody, 0x0806, arp_request(link.mac, interop.SERVER), vlan=wrong)
        assert link.receive(0x0806, 0.3) is None, wrong
    link.send(everybody, 0x8100, struct.pack("!HH", 10, 0x0806) + arp_request(link.mac, interop.SERVER), vlan=10)
    assert link.receive(0x0806, 0.3) is None, "two tags"
    rig.signal_server()
    stats = rig.wait_for_end(0)
    assert stats["drop_vlan"] >= 4, stats
    assert mac, "no MAC"


def vlan_interface(rig):
    """This kernel's own VLAN interface at the other end of the wire: TCP in both families."""
    try:
        interop.ip("link", "add", "link", "lo", "name", "probe", "type", "vlan", "id", "1")
        interop.ip("link", "del", "probe")
    except RuntimeError as error:
        raise interop.Skip(f"this kernel has no VLAN interfaces: {error}") from error
    start_tagged(rig, 10)
    trunk = interop.HOST_DEVICE
    interop.ip("address", "flush", "dev", trunk)
    interop.ip("link", "add", "link", trunk, "name", "tagged", "type", "vlan", "id", "10")
    interop.ip("address", "replace", f"{interop.HOST}/{interop.PREFIX_LENGTH}", "dev", "tagged")
    interop.ip("address", "replace", f"{HOST6}/64", "dev", "tagged", "nodad")
    interop.ip("link", "set", "tagged", "up")
    interop.wait_until(lambda: ping(SERVER6, count=1).returncode == 0, "an answer to ping -6", 15)
    for address in (interop.SERVER, SERVER6):
        with socket.create_connection((address, interop.PORT), 10) as client:
            rig.check_echo(client, bytes(range(97, 123)) * 4000)
    rig.stop()


def start_tagged(rig, number):
    """The server in a VLAN; untagged, it cannot be pinged."""
    enable_ip6()
    rig._wait_for_wire = lambda: time.sleep(2)
    rig.start("--ip6", f"{SERVER6}/64", "--vlan", str(number))


def jumbo(rig):
    """Packets of 9000 bytes both ways, as the peers' MSS says; or a device that cannot, and says so."""
    enable_ip6()
    try:
        rig.start("--ip6", f"{SERVER6}/64", "--mtu", "9000")
    except AssertionError as error:
        assert "carries packets of at most 150" in str(error), error
        raise interop.Skip(f"DPDK's {rig.device} device has no frames of 9000 bytes") from error
    enable_ip6()
    interop.ip("link", "set", interop.HOST_DEVICE, "mtu", "9000")
    interop.ip("address", "replace", f"{HOST6}/64", "dev", interop.HOST_DEVICE, "nodad")
    interop.wait_until(lambda: ping(SERVER6, count=1).returncode == 0, "an answer to ping -6", 15)
    for address, headers in ((interop.SERVER, 52), (SERVER6, 72)):  # with timestamps
        with socket.create_connection((address, interop.PORT), 10) as client:
            rig.check_echo(client, bytes(range(97, 123)) * 20000)
            mss = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
            assert mss == 9000 - headers, f"{address}: an MSS of {mss}"
    rig.stop()


# --- A router in between ---


class FarHost6(FarHost):
    """fd03::2 behind this host, over a link of its own."""

    def __init__(self):
        super().__init__()
        enable_ip6()
        for name in ("all", interop.HOST_DEVICE, "far"):
            pathlib.Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("0")
            pathlib.Path(f"/proc/sys/net/ipv6/conf/{name}/forwarding").write_text("1")
        # Forwarding is all devices' or none's: the kernel shall not do it at an af_packet server's own.
        servers = pathlib.Path(f"/proc/sys/net/ipv6/conf/{interop.SERVER_DEVICE}/disable_ipv6")
        if servers.exists():
            servers.write_text("1")
        interop.ip("address", "add", "fd03::1/64", "dev", "far", "nodad")
        for name in ("all", "eth0"):
            self.run(["sh", "-c", f"echo 0 > /proc/sys/net/ipv6/conf/{name}/disable_ipv6"])
        self.run(["ip", "address", "add", "fd03::2/64", "dev", "eth0", "nodad"])
        self.run(["ip", "-6", "route", "add", "default", "via", "fd03::1"])


def path_mtu6_drops_mid_flow(rig):
    """The router's link to the client becomes narrow: it says so by Packet Too Big, and the flow goes on."""
    from network_test import FAR_CLIENT
    start(rig, "--gateway6", HOST6)
    far = FarHost6()
    size = 4 << 20
    code = FAR_CLIENT.format(server=SERVER6, port=interop.PORT)
    client = subprocess.Popen(far.enter(["python3", "-c", code, str(size)]), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True)
    assert client.stdout.readline() == "quarter\n"
    far.run(["ip", "link", "set", "eth0", "mtu", "1300"])
    interop.ip("link", "set", "far", "mtu", "1300")
    client.stdin.write("\n")
    client.stdin.flush()
    answer = client.stdout.readline().split()
    assert answer == [str(size), "True"], answer
    assert client.wait(10) == 0
    stats = rig.stop()
    assert stats["path_mtu_reductions"] >= 1, stats


if __name__ == "__main__":
    interop.main([ping6, ping6_in_fragments, segments_in_fragments6, reachability, echo6, duplicate_address, router_advertisement, forged_messages_are_refused,
                  unknown_header_is_reported, path_mtu6_drops_mid_flow, vlan, vlan_interface, jumbo])
