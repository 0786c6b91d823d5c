#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Many connections: at once, and one after another."""
import errno
import selectors
import socket
import time

import interop


class Client:
    """One non-blocking connection that sends a request of its own and collects the answer."""

    def __init__(self, number):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        error = self.socket.connect_ex((interop.SERVER, interop.PORT))
        assert error in (0, errno.EINPROGRESS), f"connect: {error}"
        self.request = b"request %d " % number * (1 + number % 300)
        self.unsent, self.answer = self.request, b""

    def step(self, events):
        """Does what can be done now; True when the whole answer is there."""
        if events & selectors.EVENT_WRITE and self.unsent:
            self.unsent = self.unsent[self.socket.send(self.unsent):]
        if events & selectors.EVENT_READ:
            data = self.socket.recv(65536)
            assert data, "the server closed early"
            self.answer += data
        return len(self.answer) >= len(self.request)

    def interest(self):
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self.unsent else 0)


def a_thousand_at_once(rig):
    """1,000 connections, all open at the same time, each with an answer of its own of up to 4 kB."""
    rig.start("--max-connections", "1100", linger_s=10)
    clients = [Client(number) for number in range(1000)]
    selector = selectors.DefaultSelector()
    for client in clients:
        selector.register(client.socket, selectors.EVENT_WRITE, client)
    deadline = time.monotonic() + 120
    while selector.get_map():
        assert time.monotonic() < deadline, f"{len(selector.get_map())} connections without their answer"
        for key, events in selector.select(1):
            if key.data.step(events):
                selector.unregister(key.fileobj)
            else:
                selector.modify(key.fileobj, key.data.interest(), key.data)
    wrong = [c for c in clients if c.answer != c.request.upper()]
    assert not wrong, f"{len(wrong)} wrong answers, e.g. {wrong[0].answer[:80]!r}"
    assert rig.count("connected") == 1000 and rig.count("disconnected") == 0, "they were not all open at once"
    for client in clients:
        client.socket.close()
    interop.wait_until(lambda: rig.count("disconnected") == 1000, "1,000 disconnected", 30)
    rig.stop()


def twenty_thousand_one_after_another(rig):
    """Connect, request, answer, close, 20,000 times: nothing may be left, and nothing may run out."""
    count = 2000 if rig.sanitized else 20000
    rig.start("--max-connections", "64", quiet=True)
    begin = time.monotonic()
    for number in range(count):
        with rig.connect() as client:
            rig.check_echo(client, b"request %d\n" % number)
    seconds = time.monotonic() - begin
    rig.notes.append(f"{count} connections in {seconds:.1f} s: {count / seconds:.0f} a second")
    stats = rig.stop()
    if stats:
        assert stats["passive_opens"] == count, stats["passive_opens"]
        assert stats["closed"] == count, stats["closed"]
        assert stats["rst_out"] == 0, stats["rst_out"]


def more_than_there_is_room_for(rig):
    """Beyond --max-connections a client waits or is refused; the others go on, and room that is freed
    is used again."""
    if not rig.is_tern:
        raise interop.Skip("the kernel's limit is another one")
    rig.start("--max-connections", "16")
    clients = [rig.connect() for _ in range(16)]
    late = socket.socket()
    late.setblocking(False)
    late.connect_ex((interop.SERVER, interop.PORT))
    for number, client in enumerate(clients):
        rig.check_echo(client, b"still here %d" % number)
    clients.pop().close()
    interop.wait_until(lambda: rig.count("disconnected") == 1, "one disconnected")
    late.close()
    with rig.connect(timeout_s=30) as client:
        rig.check_echo(client, b"room again")
    for client in clients:
        client.close()
    rig.stop()


if __name__ == "__main__":
    interop.main([a_thousand_at_once, twenty_thousand_one_after_another, more_than_there_is_room_for])
