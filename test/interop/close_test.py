#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every way for a connection to end, with the Linux kernel and with a TCP made by hand.

The server closes first only when it drains: so the cases that need its active close end it with SIGTERM.
"""
import signal
import socket
import struct
import subprocess
import time

import interop
from raw_tcp import ACK, FIN, PSH, RST, RawConnection, RawHost


def connection(host):
    return RawConnection(host, interop.SERVER, interop.PORT)


def open_connection(rig, host):
    """A connection that has had one answer, so that both ends are in ESTABLISHED."""
    peer = connection(host)
    peer.open()
    peer.send(ACK | PSH, b"ready?\n")
    peer.expect_data(b"READY?\n")
    return peer


def half_close_by_nc(rig):
    """`nc -N` sends FIN after its input and goes on reading until the server's FIN."""
    rig.start()
    request = b"the quick brown fox jumps over the lazy dog\n" * 20000
    result = subprocess.run(["nc", "-N", interop.SERVER, str(interop.PORT)], input=request, capture_output=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert result.stdout == request.upper(), f"{len(result.stdout)} bytes of {len(request)} came back"
    interop.wait_until(lambda: rig.count("disconnected") == 1, "disconnected")
    rig.stop()


def half_close_before_the_answer(rig):
    """FIN right behind the request: the answer still comes, whole, and then the server's FIN."""
    rig.start()
    with rig.connect() as client:
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        assert rig.receive_exactly(client, 100) == b"LAST WORDS"
    rig.stop()


def peer_reset(rig):
    """SO_LINGER 0 turns close() into a RST: the connection is gone at once, the others stay."""
    rig.start()
    other = rig.connect()
    client = rig.connect()
    rig.check_echo(client, b"soon gone")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    interop.wait_until(lambda: rig.count("disconnected") == 1, "disconnected after a RST", 2)
    rig.check_echo(other, b"still here")
    other.close()
    rig.stop()


def peer_reset_with_data_on_the_way(rig):
    """A client that sends and never reads, then resets: queued answers are thrown away, not leaked."""
    rig.start()
    client = rig.connect()
    client.setblocking(False)
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        try:
            client.send(b"x" * 65536)
        except BlockingIOError:
            time.sleep(0.01)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    interop.wait_until(lambda: rig.count("disconnected") == 1, "disconnected after a RST", 5)
    rig.stop()


def three_packet_close(rig):
    """FIN; FIN with the ACK; ACK: the server has nothing left to send, so that two become one."""
    rig.start()
    peer = open_connection(rig, RawHost(interop.HOST_DEVICE))
    peer.send(FIN | ACK)
    peer.expect(FIN | ACK, b"", ack=peer.snd_nxt)
    peer.send(ACK)
    interop.wait_until(lambda: rig.count("disconnected") == 1, "disconnected")
    peer.expect_silence(0.5)
    rig.stop()


def four_packet_close(rig):
    """FIN; ACK; FIN; ACK: a closed window holds the server's answer back, and so its FIN. The ACK of
    ours must not wait for that."""
    rig.start()
    peer = open_connection(rig, RawHost(interop.HOST_DEVICE))
    peer.send(FIN | ACK | PSH, b"hold it\n", window=0)
    peer.expect(ACK, b"", ack=peer.snd_nxt, timeout_s=1)
    peer.send(ACK)  # the window opens
    flags = peer.expect_data(b"HOLD IT\n", acknowledge=False)
    if not flags & FIN:
        peer.expect(FIN | ACK, b"", ack=peer.snd_nxt)
    peer.send(ACK)
    interop.wait_until(lambda: rig.count("disconnected") == 1, "disconnected")
    rig.stop()


def lost_last_ack(rig):
    """The ACK of the server's FIN is lost: it repeats the FIN from LAST-ACK until it is acknowledged."""
    rig.start()
    peer = open_connection(rig, RawHost(interop.HOST_DEVICE))
    peer.send(FIN | ACK)
    fin = peer.expect(FIN | ACK, b"", ack=peer.snd_nxt)
    peer.expect(FIN | ACK, b"", seq=fin.seq, ack=peer.snd_nxt)
    peer.send(ACK)
    interop.wait_until(lambda: rig.count("disconnected") == 1, "disconnected")
    rig.stop()


def server_closes_first(rig):
    """SIGTERM: FIN from the server, and the client's FIN with the ACK. No new connection is accepted."""
    rig.start()
    host = RawHost(interop.HOST_DEVICE)
    peer, silent = open_connection(rig, host), open_connection(rig, host)
    rig.signal_server()
    peer.expect(FIN | ACK, b"", ack=peer.snd_nxt)
    peer.send(FIN | ACK)
    peer.expect(ACK, b"", ack=peer.snd_nxt)
    late = connection(host)
    late.send(0x02)
    late.expect(RST | ACK, b"", ack=late.snd_nxt)
    silent.close_after_fin()
    rig.wait_for_end(time_wait=2)


def both_ends_at_once(rig):
    """The FINs cross: CLOSING, then TIME-WAIT, on both sides (RFC 9293 figure 13)."""
    rig.start()
    peer = open_connection(rig, RawHost(interop.HOST_DEVICE))
    rig.signal_server()
    fin = peer.expect(FIN | ACK, b"", ack=peer.snd_nxt)
    peer.send(FIN | ACK, ack=fin.seq)  # sent before the server's FIN arrived, as far as it can tell
    peer.expect(ACK, b"", seq=fin.seq + 1, ack=peer.snd_nxt)
    peer.send(ACK)
    rig.wait_for_end(time_wait=1)


def fin_again_in_time_wait(rig):
    """In TIME-WAIT a retransmitted FIN is answered with an ACK, and a RST changes nothing (RFC 1337).
    A second connection that says nothing keeps the draining server alive meanwhile."""
    rig.start(linger_s=20)
    host = RawHost(interop.HOST_DEVICE)
    peer, silent = open_connection(rig, host), open_connection(rig, host)
    rig.signal_server()
    peer.expect(FIN | ACK, b"", ack=peer.snd_nxt)
    fin = peer.send(FIN | ACK)
    peer.expect(ACK, b"", ack=peer.snd_nxt)
    peer.send(FIN | ACK, seq=fin.seq)
    peer.expect(ACK, b"", seq=peer.rcv_nxt, ack=peer.snd_nxt)
    if rig.is_tern:  # Linux obeys the RST unless told otherwise (net.ipv4.tcp_rfc1337)
        peer.send(RST)
        peer.send(FIN | ACK, seq=fin.seq)
        peer.expect(ACK, b"", seq=peer.rcv_nxt, ack=peer.snd_nxt)
    silent.close_after_fin()
    rig.wait_for_end(time_wait=2)


def drain_sends_what_is_queued(rig):
    """SIGTERM while an answer waits for the peer's window: all of it still comes, then FIN."""
    rig.start(linger_s=20)
    peer = connection(RawHost(interop.HOST_DEVICE))
    peer.open()
    for _ in range(5):
        peer.send(ACK | PSH, b"a" * 1000, window=0)
    interop.wait_until(lambda: (s := peer.receive(1)) and s.ack == peer.snd_nxt, "everything acknowledged")
    rig.signal_server()
    time.sleep(0.3)
    peer.send(ACK)
    peer.expect_data(b"A" * 5000)
    if not peer.history[-2].flags & FIN:  # the last is our ACK
        peer.expect(FIN | ACK, b"")
    peer.send(FIN | ACK)
    peer.expect(ACK, b"", ack=peer.snd_nxt)
    rig.wait_for_end(time_wait=1)


def linger_ends_in_a_reset(rig):
    """A client that never closes is reset when --linger is over."""
    rig.start(linger_s=1)
    peer = open_connection(rig, RawHost(interop.HOST_DEVICE))
    begin = time.monotonic()
    rig.signal_server()
    peer.expect(FIN | ACK, b"", ack=peer.snd_nxt)
    peer.send(ACK)
    segment = peer.receive(10)
    assert segment and segment.flags & RST, f"no RST: {segment}\n{peer.told()}"
    assert 0.5 < time.monotonic() - begin < 5, f"after {time.monotonic() - begin:.1f} s"
    rig.wait_for_end()


def second_signal_ends_at_once(rig):
    """The first SIGTERM drains, and --linger is long; the second one does not wait."""
    rig.start(linger_s=60)
    open_connection(rig, RawHost(interop.HOST_DEVICE))
    rig.signal_server()
    time.sleep(0.5)
    assert rig.process.poll() is None, "the server did not wait for its connection"
    rig.signal_server(signal.SIGTERM)
    rig.process.wait(3)


if __name__ == "__main__":
    interop.main([half_close_by_nc, half_close_before_the_answer, peer_reset, peer_reset_with_data_on_the_way,
                  three_packet_close, four_packet_close, lost_last_ack, server_closes_first, both_ends_at_once,
                  fin_again_in_time_wait, drain_sends_what_is_queued, linger_ends_in_a_reset, second_signal_ends_at_once])
