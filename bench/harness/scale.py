# SPDX-License-Identifier: BSD-3-Clause
"""Millions of established connections between two Tern processes: opened, held, each asked once.

Both ends are tern-bench on the whole stack, over net_memif. One port of a server takes 28,232 connections from
one client address (RFC 6056's ports 32768 to 60999), so the server echoes on as many as it needs, and each of them
is used to 80 %: a full one would be searched long.
"""
from rig import BenchError, Rig

FIRST_PORT = 10_000
DRAWN_PORTS = 60_999 - 32_768 + 1
SHARE_USED = 0.8
IN_FLIGHT = 1024  # handshakes, then requests: while one end has a fresh page of 2 MB cleared, the other has work
SLOWEST_OPENING_PER_S, SLOWEST_ANSWERS_PER_S = 50_000, 50_000  # what is slower is given up
SPARE_BYTES = 4 << 30  # of the machine, for everybody else
BYTES_EACH_END = 600  # a connection, with what tern-bench keeps of it


def available_bytes():
    for line in open("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def per_connection(result):
    """What the pools and the table take, by arithmetic: words, and bytes a connection."""
    rows = {row["what"]: row for row in result["memory"]}
    pool, slots = rows["connections"], rows["table slots"]
    each = pool["bytes_each"] + slots["count"] * slots["bytes_each"] / pool["count"]
    return (f"{pool['bytes_each']} B of TCB, extras, timer and free list, and {slots['count']:,} table slots x "
            f"{slots['bytes_each']} B / {pool['count']:,}"), each


class ScaleRig(Rig):
    """A rig whose client has a stack too."""

    ending_s = 60  # all memory of a process with ten million connections goes back at its end

    def tern_client(self, mode, *options):
        command = super().tern_client(mode, *options)
        command.remove("--raw")
        return command

    def run(self, connections, hold_s):
        ports = -(-connections // int(SHARE_USED * DRAWN_PORTS))
        names = f"{FIRST_PORT}-{FIRST_PORT + ports - 1}"
        room = ["--max-connections", str(connections + 1000)]
        patience = connections / SLOWEST_OPENING_PER_S + hold_s + connections / SLOWEST_ANSWERS_PER_S + 30
        return self.measure("idle", [*room, "--echo-ports", names, "--linger", "0"],
                            [*room, "--port", names, "--connections", str(connections), "--opening", str(IN_FLIGHT),
                             "--warm-up", "0", "--seconds", str(hold_s), "--linger", "0"], seconds=patience)


def measure_scale(bench, program, connections, hold_s, in_hugepages, verbose):
    """Adds rows to the bench's table. Refuses what the machine has no memory for."""
    need = 2 * connections * BYTES_EACH_END + SPARE_BYTES
    if need > available_bytes():
        raise BenchError(f"scale: {connections:,} connections at two ends need {need >> 20:,} MiB, 4 GiB of them for others; "
                         f"{available_bytes() >> 20:,} MiB are available: give fewer --connections")
    rig = ScaleRig("memif", program, in_hugepages, verbose)
    try:
        bench.say(f"{connections:,} connections, held for {hold_s:g} s")
        run = rig.run(connections, hold_s)
    finally:
        rig.close()
    client, server = run["client"], run["server"]
    bench.results[f"scale {connections}"] = run
    words, each = per_connection(server)
    group = f"{connections:,} connections between two processes"
    bench.row(group, "established", client["opened"], "connections")
    bench.row(group, "  opened in", client["opening_seconds"], "s")
    bench.row(group, "  that is", client["opened"] / client["opening_seconds"], "connections/s")
    bench.row(group, f"  lost in {hold_s:g} s of holding", client["lost_while_holding"], "connections")
    bench.row(group, "  answering afterwards", client["answered_after_holding"], "connections")
    bench.row(group, "    all within", client["asking_seconds"], "s")
    bench.row(group, "  ended within", client["leaving_seconds"], "s")
    bench.row(group, "  pools, each end", each, "bytes/connection")
    bench.row(group, "  resident, server", server["resident_bytes_per_connection"], "bytes/connection")
    bench.row(group, "  resident, client", client["resident_bytes_per_connection"], "bytes/connection")
    bench.say(f"by arithmetic: {words} = {each:.0f} B")
    if client["answered_after_holding"] < connections:
        raise BenchError(f"scale: of {connections:,} connections {client['answered_after_holding']:,.0f} answered")
