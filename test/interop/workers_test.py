#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Two workers, each with a core and a queue: connections are spread, and each stays on its core."""
import os
import re
import signal
import socket
import subprocess
import threading
import time

import interop

WORKERS = 2


def workers_of(stats, name):
    return [stats[f"worker_{i}_{name}"] for i in range(WORKERS)]


def start(rig, *arguments, **options):
    if len(os.sched_getaffinity(0)) < WORKERS:
        raise interop.Skip(f"{WORKERS} workers need as many CPUs")
    rig.workers = WORKERS
    rig.start(*arguments, **options)


def check_shares(established, count):
    """A hash over that many flows does not leave a worker with less than a third."""
    assert sum(established) == count, established
    assert min(established) > count / WORKERS / 1.5, f"not spread: {established}"


def a_thousand_spread_over_both(rig):
    """1,000 connections at once, each with three rounds of request and answer: about half of them on
    either worker, and never a segment at the other one."""
    start(rig, quiet=True)
    clients = [rig.connect() for _ in range(1000)]
    for turn in range(3):
        for number, client in enumerate(clients):
            client.sendall(b"request %d of %d " % (turn, number))
        for number, client in enumerate(clients):
            expected = b"REQUEST %d OF %d " % (turn, number)
            assert rig.receive_exactly(client, len(expected)) == expected, number
    for client in clients:
        client.close()
    stats = rig.stop()
    check_shares(workers_of(stats, "established"), 1000)
    assert workers_of(stats, "handed_over") == [0, 0], workers_of(stats, "handed_over")
    assert workers_of(stats, "asked_around") == [0, 0], workers_of(stats, "asked_around")
    assert stats["rst_out"] == 0 and stats["retransmitted"] == 0, stats
    rig.notes.append(f"connections of the workers: {workers_of(stats, 'established')}, handed over: 0")


def idle_flows_that_the_kernel_forgets(rig):
    """A tap forgets after 3 s where a flow's packets go. What comes afterwards is still answered."""
    start(rig)
    clients = [rig.connect() for _ in range(50)]
    for client in clients:
        rig.check_echo(client, b"before")
    time.sleep(5)
    for client in clients:
        rig.check_echo(client, b"afterwards")
        client.close()
    stats = rig.stop()
    assert stats["rst_out"] == 0, stats["rst_out"]
    rig.notes.append(f"handed over: {sum(workers_of(stats, 'handed_over'))}")


def bulk_on_both(rig):
    """Four transfers at once, 4 MiB each way, byte for byte."""
    start(rig, quiet=True)
    request = bytes(range(97, 123)) * ((1 if rig.sanitized else 4) * (1 << 20) // 26)
    answers = {}

    def transfer(number):
        with rig.connect(timeout_s=60) as client:
            writer = threading.Thread(target=client.sendall, args=(request,))
            writer.start()
            answers[number] = rig.receive_exactly(client, len(request))
            writer.join()

    threads = [threading.Thread(target=transfer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(answers[number] == request.upper() for number in range(4))
    rig.stop()


def a_stopped_process_is_a_stall(rig):
    """Stopped for two seconds in the midst of transfers, with answers under way whose ACKs arrive
    meanwhile: these are read first, so that few timers take the pause for a loss. Some frames are
    lost in truth, where the kernel's queue overflows: half of all is far from what it would be."""
    start(rig, quiet=True)
    stop_reading = threading.Event()
    # Under a sanitizer forty would keep each other waiting for longer than a time-out by themselves.
    count, words = (8, 200) if rig.sanitized else (40, 2000)

    def transfer(client):
        while not stop_reading.is_set():
            rig.check_echo(client, b"many words " * words)

    clients = [rig.connect(timeout_s=60) for _ in range(count)]
    threads = [threading.Thread(target=transfer, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.3)
        rig.process.send_signal(signal.SIGSTOP)
        time.sleep(2)
        rig.process.send_signal(signal.SIGCONT)
    time.sleep(0.5)
    stop_reading.set()
    for thread in threads:
        thread.join()
    for client in clients:
        rig.check_echo(client, b"still here")
        client.close()
    stats = rig.stop()
    assert stats["rst_out"] == 0, stats["rst_out"]
    said = f"retransmission time-outs of {count} connections, stopped 3 times: {stats['rto_timeouts']}"
    assert stats["rto_timeouts"] <= 3 * count // 2, said
    rig.notes.append(said)


def a_signal_drains_all(rig):
    """SIGTERM: both workers finish their connections, and the server ends when the clients do."""
    start(rig)
    clients = [rig.connect() for _ in range(40)]
    for client in clients:
        rig.check_echo(client, b"still here")
    rig.signal_server()
    for client in clients:
        assert client.recv(1) == b"", "a FIN"
        client.close()
    rig.wait_for_end(time_wait=40)


def a_second_signal_ends_at_once(rig):
    """With clients that do not close, the second SIGTERM does not wait for the linger time."""
    start(rig, linger_s=60)
    clients = [rig.connect() for _ in range(10)]
    for client in clients:
        rig.check_echo(client, b"x")
    rig.signal_server()
    time.sleep(0.5)
    begin = time.monotonic()
    rig.signal_server(signal.SIGINT)
    assert rig.process.wait(10) == 0
    assert time.monotonic() - begin < 5
    assert "connections left without a word" in rig.output()


class Echo:
    """The kernel's end for connects from the other side: answers each word in upper case."""

    def __init__(self):
        self.listener = socket.create_server(("", interop.PORT), backlog=4096)  # the tap is still to come
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    @staticmethod
    def serve(client):
        with client:
            while data := client.recv(100):
                client.sendall(data.upper())


def run_client(rig, *arguments):
    """The client that connects from both workers; its statistics."""
    rig.workers = WORKERS
    command = [os.environ["TERN_WORKERS_CLIENT"], *rig._eal_arguments(), "--server", interop.HOST, "--port", str(interop.PORT),
               "--tap", interop.HOST_DEVICE, "--msl", "0.05", *arguments]
    if rig.device == "af_packet":
        rig._make_veth()
    else:
        command += ["--host-ip", f"{interop.HOST}/{interop.PREFIX_LENGTH}"]
    with rig.log.open("ab") as log:
        rig.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       preexec_fn=interop.die_with_parent)
    interop.wait_until(lambda: "ready" in rig.output(), "the client is up", 30)


def connects_from_both_land_at_home(rig):
    """300 connects from each of two workers: each worker has all of its own, whatever queue the kernel
    chooses for the answers."""
    if len(os.sched_getaffinity(0)) < WORKERS:
        raise interop.Skip(f"{WORKERS} workers need as many CPUs")
    Echo()
    run_client(rig, "--connections", "300")
    stats = rig.wait_for_end(600)
    assert re.search("^finished 600 of 600$", rig.output(), re.MULTILINE), rig.output()[-1000:]
    assert workers_of(stats, "established") == [300, 300], workers_of(stats, "established")
    assert stats["rst_out"] == 0, stats["rst_out"]
    handed, asked = workers_of(stats, "handed_over"), workers_of(stats, "asked_around")
    # The first worker asked is the right one: its port was chosen so.
    assert sum(handed) == sum(asked), (handed, asked)
    if rig.device == "tap":
        # It sends a flow's packets to the queue that wrote last; but the answer to a SYN is out before it
        # has noted which one that was.
        assert sum(handed) <= 600, handed
    rig.notes.append(f"handed over: {handed}")


def two_terns_over_memif(rig):
    """Both ends are Tern, with two workers and two queues each: a flow stays on its queue both ways."""
    if rig.device != "tap":
        raise interop.Skip("the wire is memif here: once is enough")
    if len(os.sched_getaffinity(0)) < WORKERS:
        raise interop.Skip(f"{WORKERS} workers need as many CPUs")

    def command(program, role, *arguments):
        return [program, "-l", f"0-{WORKERS - 1}", f"--vdev=net_memif0,role={role},socket=@tern-workers", "--", "--idle", "sleep",
                "--msl", "0.05", *arguments]

    with rig.log.open("ab") as log:
        rig.process = subprocess.Popen(command(rig.command[0], "server", "--ip", "10.0.2.1/24", "--stats", "--quiet"),
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=interop.die_with_parent)
    interop.wait_until(lambda: "listening at port" in rig.output(), "the server is up", 30)
    client = subprocess.Popen(command(os.environ["TERN_WORKERS_CLIENT"], "client", "--connections", "300", "--hold"),
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              preexec_fn=interop.die_with_parent)
    said = ""
    while line := client.stdout.readline():
        said += line
        if line.startswith("finished"):
            break
    assert "finished 600 of 600\n" in said, said[-2000:]
    rig.signal_server()  # first, and then its peer: a memif's driver must not be polled while that leaves
    stats = rig.wait_for_end(600)
    client.communicate("\n", 30)
    assert client.returncode == 0, client.returncode
    ends = {name: int(value) for name, value in re.findall(r"^(worker_\w+) +(\d+) ", said, re.MULTILINE)}
    assert workers_of(ends, "established") == [300, 300], ends
    assert workers_of(stats, "established") == [300, 300], stats
    for end in (stats, ends):
        assert workers_of(end, "handed_over") == [0, 0], workers_of(end, "handed_over")


if __name__ == "__main__":
    interop.main([a_thousand_spread_over_both, idle_flows_that_the_kernel_forgets, bulk_on_both,
                  a_stopped_process_is_a_stall, a_signal_drains_all,
                  a_second_signal_ends_at_once, connects_from_both_land_at_home, two_terns_over_memif])
