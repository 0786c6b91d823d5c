#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the hand-made part of the parse fuzz corpus into corpus/parse beside this file.

A file is one byte of device verdict (see parse_fuzz.h) and one frame; its name starts with the
outcome that parse_corpus_test.cc expects.
"""
import pathlib
import struct

OUT = pathlib.Path(__file__).parent / "corpus" / "parse"
ETHERNET = bytes.fromhex("0200000000020200000000010800")
ANT, APPLE = bytes([10, 0, 1, 2]), bytes([10, 0, 2, 2])
ETHERNET6 = ETHERNET[:12] + bytes.fromhex("86dd")
ANT6, APPLE6 = bytes.fromhex("fd00" + "00" * 13 + "01"), bytes.fromhex("fd00" + "00" * 13 + "02")
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS = 0, 43, 44, 60
SYN_OPTIONS = bytes.fromhex("020405b40402080afc847d270000000001030307")
TIMESTAMP = bytes.fromhex("0101080afc86cdb017bbde1a")
SACK = bytes.fromhex("0101051200000001000000020000000300000004")


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip(payload, protocol=6, source=ANT, destination=APPLE, options=b"", fragment=0x4000,
       total=None, first=None):
    first = 0x45 + len(options) // 4 if first is None else first
    total = 20 + len(options) + len(payload) if total is None else total
    head = struct.pack("!BBHHHBBH4s4s", first, 0, total, 0, fragment, 64, protocol, 0, source,
                       destination) + options
    return ETHERNET + head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def tcp(flags, options=b"", data=b"", ports=(47762, 9999), offset=None, source=ANT):
    offset = 5 + len(options) // 4 if offset is None else offset
    segment = struct.pack("!HHIIBBHHH", *ports, 1386804287, 401184951, offset << 4, flags, 229, 0,
                          0) + options + data
    pseudo = source + APPLE + struct.pack("!HH", 6, len(segment))
    return segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]


def icmp(kind, rest, body=b""):
    message = struct.pack("!BBHI", kind, 0, 0, rest) + body
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def ip6(payload, following=6, source=ANT6, destination=APPLE6, first=0x60):
    return ETHERNET6 + struct.pack("!BBHHBB", first, 0, 0, len(payload), following, 64) + source + destination + payload


def tcp6(flags, options=b"", data=b"", source=ANT6):
    segment = struct.pack("!HHIIBBHHH", 47762, 9999, 1386804287, 401184951, 5 + len(options) // 4 << 4, flags, 229,
                          0, 0) + options + data
    pseudo = source + APPLE6 + struct.pack("!II", len(segment), 6)
    return segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]


def extension(following, body=bytes.fromhex("010400000000")):
    return bytes([following, (len(body) + 2) // 8 - 1]) + body


ARP = bytes.fromhex("ffffffffffff0200000000010806"
                    "00010800060400010200000000010a0002010000000000000a000202")
SYN, DATA = ip(tcp(0x02, SYN_OPTIONS)), ip(tcp(0x18, TIMESTAMP, b"abc\n"))
WRONG = DATA[:-1] + b"x"

CORPUS = {
    "tcp4-syn": (0, SYN),
    "tcp4-data": (0, DATA),
    "tcp4-fin": (0, ip(tcp(0x11, TIMESTAMP))),
    "tcp4-rst": (0, ip(tcp(0x04))),
    "tcp4-sack": (0, ip(tcp(0x10, TIMESTAMP + SACK))),
    "tcp4-padded": (0, ip(tcp(0x10)) + bytes(6)),
    "tcp4-ip-option": (0, ip(tcp(0x10), options=bytes.fromhex("94040000"))),
    "tcp4-bad-option-on-ack": (0, ip(tcp(0x10, bytes.fromhex("0800fe01")))),
    "tcp4-device-says-good": (0x05, WRONG),
    "tcp4-device-says-bad": (0x0A, DATA),
    "tcp4-device-computed-nothing": (0x1C, WRONG),
    "arp4-request": (0, ARP),
    "icmp4-echo": (0, ip(icmp(8, 0x12340001, b"abcdefgh"), protocol=1)),
    "icmp4-fragmentation-needed": (0, ip(icmp(3, 1400, SYN[14:42]), protocol=1)),
    "tcp6-syn": (0, ip6(tcp6(0x02, SYN_OPTIONS))),
    "tcp6-data": (0, ip6(tcp6(0x18, TIMESTAMP, b"abc\n"))),
    "tcp6-extensions": (0, ip6(extension(DESTINATION_OPTIONS) + extension(FRAGMENT) + bytes([6]) + bytes(7)
                               + tcp6(0x10), HOP_BY_HOP)),
    "icmp6-echo": (0, ip6(bytes.fromhex("8000000012340001") + b"abcdefgh", 58)),
    "icmp6-group": (0, bytes.fromhex("3333ff000002") + ip6(bytes(24), 58, bytes(16), bytes.fromhex(
        "ff0200000000000000000001ff000002"))[6:]),
    "problem6-next-header": (0, ip6(bytes(8), 17)),
    "problem6-option": (0, ip6(extension(6, bytes.fromhex("9e0400000000")) + tcp6(0x10), DESTINATION_OPTIONS)),
    "problem6-route": (0, ip6(extension(6, bytes.fromhex("000100000000")) + tcp6(0x10), ROUTING)),
    "ip_extension-too-many": (0, ip6(extension(DESTINATION_OPTIONS) * 8 + extension(6) + tcp6(0x10),
                                     DESTINATION_OPTIONS)),
    "fragment-six": (0, ip6(bytes.fromhex("0600000100000001") + tcp6(0x10) + bytes(4), FRAGMENT)),
    "fragment-six-behind": (0, ip6(extension(FRAGMENT) + bytes.fromhex("0600000800000001") + bytes(3), DESTINATION_OPTIONS)),
    "problem6-fragment-length": (0, ip6(bytes.fromhex("0600000100000001") + tcp6(0x10), FRAGMENT)),
    "problem6-fragment-chain": (0, ip6(bytes.fromhex("0600000100000001") + bytes(16), FRAGMENT)),
    "ip_fragment-six-empty": (0, ip6(bytes.fromhex("0600000100000001"), FRAGMENT)),
    "ip_source-six": (0, ip6(tcp6(0x02, source=APPLE6), source=APPLE6)),
    "truncated-six": (0, ip6(tcp6(0x10))[:60]),
    "truncated-ethernet": (0, SYN[:13]),
    "truncated-total-length": (0, ip(tcp(0x10), total=41)),
    "not_for_us-multicast": (0, b"\x01\x00\x5e" + SYN[3:]),
    "not_for_us-address": (0, ip(tcp(0x10), destination=bytes([10, 0, 2, 255]))),
    "ethertype-unknown": (0, SYN[:12] + bytes.fromhex("88cc") + SYN[14:]),
    "tcp4-priority-tag": (0, SYN[:12] + bytes.fromhex("8100e000") + SYN[12:]),
    "vlan-other": (0, SYN[:12] + bytes.fromhex("8100000a") + SYN[12:]),
    "vlan-two-tags": (0, SYN[:12] + bytes.fromhex("81000000") * 2 + SYN[12:]),
    "ip_header-version": (0, ip(tcp(0x10), first=0x65)),
    "ip_header-ihl": (0, ip(tcp(0x10), first=0x44)),
    "ip_checksum": (0, SYN[:24] + b"\x00\x00" + SYN[26:]),
    "ip_option-lsrr": (0, ip(tcp(0x10), options=bytes.fromhex("0183070400000000"))),
    "ip_fragment-first": (0, ip(tcp(0x10), fragment=0x2000)),
    "ip_fragment-beyond": (0, ip(tcp(0x10), fragment=0x1fff)),
    "fragment-first": (0, ip(tcp(0x10) + bytes(4), fragment=0x2000)),
    "fragment-last": (0, ip(tcp(0x10), fragment=0x0007)),
    "ip_source-land": (0, ip(tcp(0x02, source=APPLE), source=APPLE)),
    "ip_protocol-udp": (0, ip(bytes(8), protocol=17)),
    "tcp_header-short": (0, ip(tcp(0x10)[:19])),
    "tcp_header-offset": (0x05, ip(tcp(0x10, offset=15))),
    "tcp_header-port": (0, ip(tcp(0x10, ports=(0, 9999)))),
    "tcp_checksum": (0, WRONG),
    "tcp_flags-syn-fin": (0, ip(tcp(0x03))),
    "tcp_flags-none": (0, ip(tcp(0x28))),
    "tcp_options-length-0": (0, ip(tcp(0x02, bytes.fromhex("020005b4")))),
    "tcp_options-past-end": (0, ip(tcp(0x02, bytes.fromhex("01010109")))),
    "arp-short": (0, ARP[:41]),
    "icmp-checksum": (0, ip(icmp(8, 1)[:-1] + b"\x02", protocol=1)),
    "icmp-short": (0, ip(bytes(7), protocol=1)),
}

OUT.mkdir(parents=True, exist_ok=True)
for name, (verdict, frame) in CORPUS.items():
    (OUT / name).write_bytes(bytes([verdict]) + frame)
