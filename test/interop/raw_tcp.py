# SPDX-License-Identifier: BSD-3-Clause
"""A TCP endpoint made by hand over a packet socket, at an address that this kernel does not own: it sends
exactly the segments that a test asks for, and answers nothing by itself but ARP."""
import dataclasses
import os
import errno
import select
import socket
import struct
import time

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
ETHERTYPE_IP, ETHERTYPE_ARP, ALL_PROTOCOLS = 0x0800, 0x0806, 0x0003
PROTOCOL_TCP = 6
ARP_REQUEST, ARP_REPLY = 1, 2
BROADCAST = b"\xff" * 6
MODULUS = 1 << 32


def checksum(data):
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def flag_names(flags):
    """As tcpdump writes them, e.g. "S." for SYN with ACK."""
    names = "".join(name for bit, name in ((FIN, "F"), (SYN, "S"), (RST, "R"), (PSH, "P")) if flags & bit)
    return names + ("." if flags & ACK else "")


@dataclasses.dataclass
class Segment:
    source: str
    destination: str
    source_port: int
    destination_port: int
    seq: int
    ack: int
    flags: int
    window: int = 65535
    options: bytes = b""
    payload: bytes = b""
    fresh: bytes = b""  # of a received one: what of the payload had not come before

    def __str__(self):
        return (f"{self.source}:{self.source_port} > {self.destination}:{self.destination_port} [{flag_names(self.flags)}] "
                f"seq {self.seq} ack {self.ack} win {self.window} length {len(self.payload)}")

    def length(self):
        """What the segment takes of the sequence space."""
        return len(self.payload) + bool(self.flags & SYN) + bool(self.flags & FIN)

    def option(self, kind):
        """The first option of this kind, without its kind and length; None if there is none."""
        at = 0
        while at < len(self.options) and self.options[at] != 0:
            if self.options[at] == 1:
                at += 1
                continue
            size = self.options[at + 1]
            if self.options[at] == kind:
                return self.options[at + 2:at + size]
            at += size
        return None

    def pseudo_header(self, tcp_bytes):
        return socket.inet_aton(self.source) + socket.inet_aton(self.destination) + struct.pack("!BBH", 0, PROTOCOL_TCP, tcp_bytes)

    def to_packet(self):
        """The IPv4 packet."""
        data_offset = (20 + len(self.options)) // 4
        header = struct.pack("!HHIIBBHHH", self.source_port, self.destination_port, self.seq, self.ack,
                             data_offset << 4, self.flags, self.window, 0, 0)
        tcp = header + self.options + self.payload
        tcp = tcp[:16] + struct.pack("!H", checksum(self.pseudo_header(len(tcp)) + tcp)) + tcp[18:]
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, PROTOCOL_TCP, 0,
                         socket.inet_aton(self.source), socket.inet_aton(self.destination))
        return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + tcp

    @classmethod
    def from_packet(cls, packet):
        """The segment in an IPv4 packet, whose checksums must be right; None if it holds no TCP."""
        header_bytes = (packet[0] & 15) * 4
        total_bytes = struct.unpack_from("!H", packet, 2)[0]
        if packet[9] != PROTOCOL_TCP:
            return None
        assert checksum(packet[:header_bytes]) == 0, "wrong IPv4 checksum received"
        tcp = packet[header_bytes:total_bytes]
        source_port, destination_port, seq, ack, offset, flags, window = struct.unpack_from("!HHIIBBH", tcp)
        options_end = (offset >> 4) * 4
        segment = cls(socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20]), source_port, destination_port,
                      seq, ack, flags, window, tcp[20:options_end], tcp[options_end:])
        assert checksum(segment.pseudo_header(len(tcp)) + tcp) == 0, f"wrong TCP checksum received: {segment}"
        return segment


class RawHost:
    """A host of its own on the wire behind `device`."""

    def __init__(self, device, address="10.0.2.3", mac=b"\x02\0\0\0\0\x03"):
        self.address, self.mac, self.device = address, mac, device
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
        self.socket.bind((device, 0))
        self.neighbours = {}
        self.arp_requests_answered = 0

    def send_frame(self, destination_mac, ethertype, payload):
        frame = destination_mac + self.mac + struct.pack("!H", ethertype) + payload
        self.socket.send(frame.ljust(60, b"\0"))

    def send_arp(self, operation, target_mac, target, destination_mac):
        self.send_frame(destination_mac, ETHERTYPE_ARP,
                        struct.pack("!HHBBH6s4s6s4s", 1, ETHERTYPE_IP, 6, 4, operation, self.mac,
                                    socket.inet_aton(self.address), target_mac, socket.inet_aton(target)))

    def resolve(self, address, timeout_s=3.0):
        """The MAC of a host on the wire, asked afresh; None when it does not answer."""
        self.neighbours.pop(address, None)
        self.send_arp(ARP_REQUEST, b"\0" * 6, address, BROADCAST)
        deadline = time.monotonic() + timeout_s
        while address not in self.neighbours and time.monotonic() < deadline:
            self.receive(0.05)
        return self.neighbours.get(address)

    def send(self, segment):
        if segment.destination not in self.neighbours:
            assert self.resolve(segment.destination), f"no ARP reply from {segment.destination}"
        self.send_frame(self.neighbours[segment.destination], ETHERTYPE_IP, segment.to_packet())

    def receive(self, timeout_s):
        """The next TCP segment for this host, or None. ARP requests for it are answered on the way."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                return None
            try:
                frame, (_, _, packet_type, _, _) = self.socket.recvfrom(65536)
            except OSError as error:
                if error.errno != errno.ENETDOWN:
                    raise
                continue  # the server is through and its device gone; what it sent last is still to be read
            if packet_type == socket.PACKET_OUTGOING:
                continue
            ethertype = struct.unpack_from("!H", frame, 12)[0]
            if ethertype == ETHERTYPE_ARP:
                self._handle_arp(frame)
            elif ethertype == ETHERTYPE_IP and frame[30:34] == socket.inet_aton(self.address):
                segment = Segment.from_packet(frame[14:])
                if segment:
                    return segment
        return None

    def _handle_arp(self, frame):
        operation, sender_mac, sender, _, target = struct.unpack_from("!H6s4s6s4s", frame, 20)
        if target != socket.inet_aton(self.address):
            return
        self.neighbours[socket.inet_ntoa(sender)] = sender_mac
        if operation == ARP_REQUEST:
            self.arp_requests_answered += 1
            self.send_arp(ARP_REPLY, sender_mac, socket.inet_ntoa(sender), sender_mac)
        else:
            assert frame[0:6] == self.mac, "an ARP reply that is not unicast"

    def close(self):
        self.socket.close()


class RawConnection:
    """One connection of a RawHost, driven segment by segment. Remembers only the two numbers that
    every segment needs; retransmits nothing."""

    def __init__(self, host, remote, remote_port, local_port=None):
        self.host, self.remote, self.remote_port = host, remote, remote_port
        self.local_port = local_port or 20000 + int.from_bytes(os.urandom(2), "big") % 40000
        self.snd_nxt = int.from_bytes(os.urandom(4), "big")
        self.rcv_nxt = 0
        self.history = []

    def send(self, flags, payload=b"", *, seq=None, ack=None, window=65535, options=b""):
        """Sends one segment; by default the next one in sequence, which moves snd_nxt along."""
        segment = Segment(self.host.address, self.remote, self.local_port, self.remote_port,
                          (self.snd_nxt if seq is None else seq) % MODULUS,
                          ((self.rcv_nxt if ack is None else ack) % MODULUS) if flags & ACK else 0,
                          flags, window, options, payload)
        self.host.send(segment)
        self.history.append(segment)
        if seq is None:
            self.snd_nxt = (self.snd_nxt + segment.length()) % MODULUS
        return segment

    def receive(self, timeout_s=5.0):
        """The next segment of this connection, or None."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            segment = self.host.receive(left)
            if segment is None or segment.destination_port != self.local_port or segment.source_port != self.remote_port:
                continue
            self.history.append(segment)
            if segment.flags & SYN:
                self.rcv_nxt = segment.seq
            segment.fresh = self._take(segment)
            return segment
        return None

    def _take(self, segment):
        """Moves rcv_nxt past an in-sequence segment; the part of its payload that is new."""
        known = (self.rcv_nxt - segment.seq) % MODULUS
        if known > segment.length():
            return b""
        self.rcv_nxt = (segment.seq + segment.length()) % MODULUS
        return segment.payload[known:]

    def told(self):
        """The segments so far, for messages."""
        return "\n".join(f"  {segment}" for segment in self.history)

    def expect(self, flags, payload=None, *, seq=None, ack=None, timeout_s=5.0):
        """The next segment, which must have these flags (PSH is free) and, where given, these values."""
        segment = self.receive(timeout_s)
        assert segment, f"no segment came in {timeout_s} s; expected [{flag_names(flags)}]\n{self.told()}"
        right = ((segment.flags ^ flags) & ~PSH) == 0 and payload in (None, segment.payload)
        right = right and seq in (None, segment.seq) and ack in (None, segment.ack)
        assert right, f"expected [{flag_names(flags)}] seq {seq} ack {ack} {payload!r}, received {segment}\n{self.told()}"
        return segment

    def expect_silence(self, timeout_s):
        segment = self.receive(timeout_s)
        assert segment is None, f"unexpected: {segment}\n{self.told()}"

    def expect_data(self, expected, timeout_s=10.0, acknowledge=True):
        """Receives until the bytes are there, in whatever segments, and acknowledges each but perhaps
        the last; returns the flags seen."""
        received, flags, deadline = b"", 0, time.monotonic() + timeout_s
        while len(received) < len(expected):
            segment = self.receive(deadline - time.monotonic())
            assert segment, f"{len(received)} of {len(expected)} bytes came\n{self.told()}"
            assert not segment.flags & (SYN | RST), f"unexpected: {segment}\n{self.told()}"
            received, flags = received + segment.fresh, flags | segment.flags
            if segment.payload and (acknowledge or len(received) < len(expected)):
                self.send(ACK)
        assert received == expected, f"expected {expected[:80]!r}, received {received[:80]!r}\n{self.told()}"
        return flags

    def syn(self, options=b"\x02\x04\x05\xb4"):
        """The handshake's first two packets; by default with an MSS of 1460 and nothing else."""
        self.send(SYN, options=options)
        return self.expect(SYN | ACK, b"", ack=self.snd_nxt)

    def open(self, options=b"\x02\x04\x05\xb4"):
        """The whole handshake."""
        answer = self.syn(options)
        self.send(ACK)
        return answer

    def close(self):
        """Closes from this side, whatever way the server answers: FIN with the ACK or after it."""
        self.send(FIN | ACK)
        answer = self.expect_closing()
        self.send(ACK)
        return answer

    def expect_closing(self):
        """The peer's FIN that acknowledges ours, and how many segments it took (1 or 2)."""
        for count in (1, 2):
            segment = self.receive()
            assert segment and segment.ack == self.snd_nxt, f"no ACK of the FIN: {segment}\n{self.told()}"
            if segment.flags & FIN:
                return count
        raise AssertionError(f"no FIN came\n{self.told()}")

    def close_after_fin(self):
        """Answers the FIN of a peer that closes first, however often it was repeated meanwhile."""
        while not (segment := self.receive()) or not segment.flags & FIN:
            assert segment, f"no FIN came\n{self.told()}"
        self.send(FIN | ACK)
        while not (segment := self.receive()) or segment.ack != self.snd_nxt:
            assert segment, f"our FIN was not acknowledged\n{self.told()}"
