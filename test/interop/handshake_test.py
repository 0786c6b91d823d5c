#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Handshakes that are not the usual three packets, by a TCP made by hand."""
import struct

import interop
from raw_tcp import ACK, FIN, PSH, RST, SYN, RawConnection, RawHost


def connection(rig, host=None):
    return RawConnection(host or RawHost(interop.HOST_DEVICE), interop.SERVER, interop.PORT)


def finish(rig, peer):
    """An orderly end from this side, after which the server must be empty."""
    peer.close()
    rig.stop()


def data_on_the_third_packet(rig):
    rig.start()
    peer = connection(rig)
    peer.syn()
    peer.send(ACK | PSH, b"with the third packet\n")
    peer.expect_data(b"WITH THE THIRD PACKET\n")
    finish(rig, peer)


def data_and_fin_on_the_third_packet(rig):
    """A whole request in the fewest packets that TCP allows."""
    rig.start()
    peer = connection(rig)
    peer.syn()
    peer.send(ACK | PSH | FIN, b"all in one\n")
    flags = peer.expect_data(b"ALL IN ONE\n", acknowledge=False)
    if not flags & FIN:
        peer.expect(FIN | ACK, b"", ack=peer.snd_nxt)
    peer.send(ACK)
    rig.stop()


def lost_third_packet_then_data(rig):
    """The ACK never arrives; the server repeats its SYN-ACK; then data comes and completes it all."""
    rig.start()
    peer = connection(rig)
    first = peer.syn()
    again = peer.expect(SYN | ACK, b"", seq=first.seq, ack=peer.snd_nxt, timeout_s=5)
    assert again.options == first.options, "the repeated SYN-ACK offers something else"
    peer.send(ACK | PSH, b"better late\n")
    peer.expect_data(b"BETTER LATE\n")
    finish(rig, peer)


def lost_third_packet_then_data_out_of_order(rig):
    """The second data segment completes the handshake, and waits for the first."""
    rig.start()
    peer = connection(rig)
    peer.syn()
    first = peer.snd_nxt
    peer.send(ACK | PSH, b"second\n", seq=first + 6)
    peer.expect(ACK, b"", ack=first)
    peer.send(ACK | PSH, b"first ", seq=first)
    peer.snd_nxt = first + 13
    peer.expect_data(b"FIRST SECOND\n")
    finish(rig, peer)


def lost_syn_ack(rig):
    """The client repeats its SYN: the answer is the same SYN-ACK, and one connection comes of it."""
    rig.start()
    peer = connection(rig)
    first = peer.syn()
    peer.send(SYN, seq=peer.snd_nxt - 1, options=b"\x02\x04\x05\xb4")
    peer.expect(SYN | ACK, b"", seq=first.seq, ack=peer.snd_nxt)
    peer.send(ACK | PSH, b"once\n")
    peer.expect_data(b"ONCE\n")
    assert rig.count("connected") == 1
    finish(rig, peer)


def wrong_ack_in_the_handshake(rig):
    """An ACK of what was never sent is answered with a RST that bears its number (RFC 9293 3.10.7.4),
    and the half-open connection stays."""
    rig.start()
    peer = connection(rig)
    peer.syn()
    peer.send(ACK, ack=peer.rcv_nxt + 1000)
    peer.expect(RST, b"", seq=(peer.rcv_nxt + 1000) % (1 << 32))
    peer.send(ACK | PSH, b"still open\n")
    peer.expect_data(b"STILL OPEN\n")
    finish(rig, peer)


def reset_in_the_handshake(rig):
    """A RST takes the half-open connection away at once."""
    rig.start()
    peer = connection(rig)
    peer.syn()
    peer.send(RST)
    peer.send(ACK)
    peer.expect(RST, b"")
    rig.stop()


def options_of_the_syn_ack(rig):
    """MSS always; window scale and timestamps if, and only if, the SYN has them."""
    rig.start()
    host = RawHost(interop.HOST_DEVICE)
    plain = connection(rig, host)
    answer = plain.open()
    assert answer.option(2) == struct.pack("!H", 1460), answer.options
    assert answer.option(3) is None and answer.option(8) is None, answer.options
    full = connection(rig, host)
    value = 0x01020304
    answer = full.syn(b"\x02\x04\x05\xb4" b"\x01\x03\x03\x07" b"\x01\x01\x08\x0a" + struct.pack("!II", value, 0))
    assert answer.option(2) == struct.pack("!H", 1460), answer.options
    assert answer.option(3) is not None, "no window scale"
    assert struct.unpack("!II", answer.option(8))[1] == value, "the timestamp is not echoed"
    full.send(RST)
    finish(rig, plain)


def no_options_at_all(rig):
    """Without an MSS option the peer takes 536 bytes (RFC 9293 MUST-15): no segment may be longer."""
    rig.start()
    peer = connection(rig)
    peer.open(options=b"")
    peer.send(ACK | PSH, b"x" * 1000)
    peer.expect_data(b"X" * 1000)
    longest = max(len(s.payload) for s in peer.history if s.source == interop.SERVER)
    assert longest <= 536, f"a segment of {longest} bytes"
    finish(rig, peer)


if __name__ == "__main__":
    interop.main([data_on_the_third_packet, data_and_fin_on_the_third_packet, lost_third_packet_then_data,
                  lost_third_packet_then_data_out_of_order, lost_syn_ack, wrong_ack_in_the_handshake, reset_in_the_handshake,
                  options_of_the_syn_ack, no_options_at_all])
