#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tern-ss, as its user sees it, beside a running server whose clients are the Linux kernel's."""
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import urllib.request

import interop
from raw_tcp import ACK, FIN, RST, SYN, RawConnection, RawHost
from terminal import shown_on_page, terminal_of


class Watch:
    """The watching programs, for one server."""

    def __init__(self, rig):
        self.rig = rig
        self.folder = pathlib.Path(rig.command[0]).parent

    def prefix(self):
        return f"tern-{self.rig.process.pid}"

    def run(self, program, *arguments, status=0, timeout_s=30):
        """What the program prints; it must end with `status`."""
        command = [str(self.folder / program), "--file-prefix", self.prefix(), *arguments]
        result = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)
        assert result.returncode == status, f"{command}: {result.returncode}, {result.stdout}{result.stderr}"
        return result.stdout + result.stderr

    def ss(self, *arguments):
        """tern-ss's lines, each as its columns."""
        return [line.split() for line in self.run("tern-ss", "-H", *arguments).splitlines()]

    def ask(self, command):
        """A raw answer of DPDK's telemetry socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.settimeout(30)
            client.connect(f"/var/run/dpdk/{self.prefix()}/dpdk_telemetry.v2")
            client.recv(1 << 16)  # it speaks first
            client.send(command.encode())
            return json.loads(client.recv(1 << 16))[command]

    def attempt(self, *command):
        """What the program prints, or None: a worker that is busy beyond measure may not answer in time."""
        result = subprocess.run([str(self.folder / command[0]), "--file-prefix", self.prefix(), *command[1:]],
                                capture_output=True, text=True, timeout=30)
        return result.stdout if result.returncode == 0 else None

    def wait_for(self, *arguments, count=1):
        """The lines once there are `count` of them."""
        rows = []

        def enough():
            rows[:] = self.ss(*arguments)
            return len(rows) == count
        try:
            interop.wait_until(enough, "")
        except AssertionError:
            raise AssertionError(f"tern-ss {arguments}: {rows}, not {count}") from None
        return rows


def need(tool):
    """Skips the case without it."""
    if not shutil.which(tool):
        raise interop.Skip(f"{tool} is not installed (scripts/setup installs it)")


def port_of(client):
    return client.getsockname()[1]


def listens_and_connects(rig):
    """LISTEN and ESTAB, with the addresses and queues that Linux's ss shows for the other end."""
    rig.start()
    watch = Watch(rig)
    listener = watch.ss("-nlt")
    assert len(listener) == 1 and int(listener[0].pop(2)) > 0, f"its backlog: {listener}"
    assert listener == [["LISTEN", "0", f"0.0.0.0:{interop.PORT}", "0.0.0.0:*"]], listener
    with rig.connect() as client:
        rig.check_echo(client, b"abc\n")
        own = f"{interop.HOST}:{port_of(client)}"
        assert watch.ss("-nt") == [["ESTAB", "0", "0", f"{interop.SERVER}:{interop.PORT}", own]]
        linux = subprocess.run(["ss", "-ntH", "dst", interop.SERVER], capture_output=True, text=True).stdout.split()
        assert linux[:5] == ["ESTAB", "0", "0", own, f"{interop.SERVER}:{interop.PORT}"], linux
        assert len(watch.ss("-nat")) == 2
    rig.stop()


def states_that_only_a_raw_peer_holds(rig):
    """SYN-RECV, LAST-ACK, FIN-WAIT-1 and CLOSING: each lasts while the peer says nothing."""
    rig.start(linger_s=4)
    watch = Watch(rig)
    host = RawHost(interop.HOST_DEVICE)
    half_open, last_ack, fin_wait, closing = (RawConnection(host, interop.SERVER, interop.PORT) for _ in range(4))
    half_open.send(SYN)
    assert watch.wait_for("-nt", "state", "syn-recv")[0][4] == f"{host.address}:{half_open.local_port}"
    assert watch.ss("-nt") == [], "ss shows a half-open connection only when asked for"
    for peer in (last_ack, fin_wait, closing):
        peer.open()
    watch.wait_for("-nt", count=3)
    last_ack.send(FIN | ACK)
    assert watch.wait_for("-nt", "state", "last-ack")[0][4] == f"{host.address}:{last_ack.local_port}"
    rig.signal_server()
    watch.wait_for("-nt", "state", "fin-wait-1", count=2)
    closing.send(FIN | ACK)
    assert watch.wait_for("-nt", "state", "closing")[0][4] == f"{host.address}:{closing.local_port}"
    assert watch.wait_for("-nt", "state", "fin-wait-1")[0][4] == f"{host.address}:{fin_wait.local_port}"
    rig.wait_for_end()


def time_wait_of_the_first_to_close(rig):
    """-K resets; a drain closes first, and leaves TIME-WAIT behind while another connection lasts."""
    rig.start(linger_s=20)
    watch = Watch(rig)
    first, second = rig.connect(), rig.connect()
    rig.check_echo(first, b"one")
    rig.check_echo(second, b"two")
    rig.signal_server()
    interop.wait_until(lambda: first.recv(10) == b"", "the server's FIN")
    watch.wait_for("-nt", "state", "fin-wait-2", count=2)
    assert watch.ss("-nl") == []
    first.close()
    row = watch.wait_for("-nto", "state", "time-wait")[0]
    assert row[:3] == ["TIME-WAIT", "0", "0"], row
    assert row[5].startswith("timer:(timewait,"), row
    assert len(watch.ss("-nt")) == 1, "without -a TIME-WAIT is not shown"
    assert len(watch.ss("-nat")) == 2
    second.close()
    rig.wait_for_end(time_wait=2)


def filters_choose(rig):
    rig.start()
    watch = Watch(rig)
    clients = [rig.connect() for _ in range(5)]
    ports = sorted(port_of(c) for c in clients)
    watch.wait_for("-nt", count=5)
    assert len(watch.ss("-nt", "dport", "=", f":{ports[2]}")) == 1
    assert len(watch.ss("-nt", f"( dport = :{ports[0]} or dport = :{ports[1]} )")) == 2
    assert len(watch.ss("-nt", "dport", "gt", str(ports[2]))) == 2
    assert len(watch.ss("-nt", "not", "dst", f"{interop.HOST}/24")) == 0
    assert len(watch.ss("-nt", "sport", "=", f":{interop.PORT}")) == 5
    assert watch.ss("-nt6") == []
    for client in clients:
        client.close()
    rig.stop()


def kills_what_a_filter_selects(rig):
    """-K: the client sees a RST, the server's application hears of it, the others go on."""
    rig.start()
    watch = Watch(rig)
    victim, other = rig.connect(), rig.connect()
    rig.check_echo(victim, b"last")
    rows = watch.ss("-K", "-n", "dport", "=", f":{port_of(victim)}")
    assert len(rows) == 1 and rows[0][4] == f"{interop.HOST}:{port_of(victim)}", rows
    try:
        assert victim.recv(10) != b"", "a FIN, not a RST"
    except ConnectionResetError:
        pass
    interop.wait_until(lambda: rig.count("disconnected") == 1, "disconnected")
    rig.check_echo(other, b"still here")
    assert watch.ss("-K", "-n", "dport", "=", f":{port_of(victim)}") == []
    other.close()
    rig.stop()


def kills_half_open_and_time_wait(rig):
    """-K ends a half-open connection with a RST, and TIME-WAIT without a word."""
    rig.start(linger_s=20)
    watch = Watch(rig)
    host = RawHost(interop.HOST_DEVICE)
    half_open = RawConnection(host, interop.SERVER, interop.PORT)
    half_open.send(SYN)
    watch.wait_for("-nt", "state", "syn-recv")
    rows = watch.ss("-K", "-n", "state", "syn-recv", "dport", f":{half_open.local_port}")
    assert [row[0] for row in rows] == ["SYN-RECV"], rows
    interop.wait_until(lambda: (heard := half_open.receive(0.5)) and heard.flags & RST, "a RST to the half-open peer")
    assert watch.ss("-n", "state", "syn-recv") == []
    first, second = rig.connect(), rig.connect()
    rig.check_echo(first, b"one")
    rig.signal_server()  # it closes first: TIME-WAIT is its own
    interop.wait_until(lambda: first.recv(10) == b"", "the server's FIN")
    first.close()
    watch.wait_for("-nt", "state", "time-wait")
    assert [row[0] for row in watch.ss("-K", "-n", "state", "time-wait")] == ["TIME-WAIT"]
    assert watch.ss("-n", "state", "time-wait") == []
    second.close()
    rig.wait_for_end(time_wait=1)


def details_and_json(rig):
    rig.start()
    watch = Watch(rig)
    client = rig.connect()
    rig.check_echo(client, b"x" * 1000)
    text = watch.run("tern-ss", "-ntieom")
    for word in (" ts sack cubic ", "wscale:", "rto:200", "rtt:", "mss:1448", "cwnd:10", "bytes_acked:1000", "skmem:(", "user:0x1"):
        assert word in text, f"{word} is not in:\n{text}"
    sockets = json.loads(watch.run("tern-ss", "-at", "--json"))
    assert [s["state"] for s in sockets] == ["LISTEN", "ESTABLISHED"]
    assert sockets[1]["bytes_received"] == 1000 and sockets[1]["pid"] == rig.process.pid
    summary = watch.run("tern-ss", "-s")
    assert "TCP:   1 (estab 1, synrecv 0, timewait 0)" in summary, summary
    client.close()
    rig.stop()


def nobody_runs(rig):
    """Exit 1 and a sentence when there is no process, 2 for a mistake."""
    rig.start()
    watch = Watch(rig)
    assert "is not expected here" in watch.run("tern-ss", "bogus", status=2)
    assert "there is none" in watch.run("tern-ss", "-K", status=2)
    rig.signal_server(signal.SIGTERM)
    rig.wait_for_end()
    assert "no Tern process with file prefix" in watch.run("tern-ss", "-nat", status=1)


def many_connections(rig):
    """A long list comes in pages, and names every client once."""
    count = 500 if rig.sanitized else 3000
    rig.start(quiet=True)
    watch = Watch(rig)
    clients = [rig.connect() for _ in range(count)]
    rows = watch.ss("-nt")
    peers = {row[4] for row in rows}
    assert peers == {f"{interop.HOST}:{port_of(c)}" for c in clients}, f"{len(rows)} rows"
    assert len(rows) == count
    for client in clients:
        client.close()  # in order: of three thousand RSTs at once some get lost, and nobody repeats those
    watch.wait_for("-nt", count=0)
    rig.stop()


def read_capture(path, *arguments):
    """What tcpdump makes of a capture; it must have nothing to complain about."""
    # Not by name: as root it drops its rights first, and the folder is closed to others.
    with open(path, "rb") as file:
        result = subprocess.run(["tcpdump", "-n", "-r", "-", *arguments], stdin=file, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def capture_with_a_filter(rig):
    """--capture-filter chooses, a dropped frame says why, and every checksum is right."""
    path = rig.log.with_name("server.pcapng")
    rig.start("--capture", str(path), "--capture-filter", "tcp")
    with rig.connect() as client:
        rig.check_echo(client, b"capture me\n")
    stray = RawConnection(RawHost(interop.HOST_DEVICE), interop.SERVER, interop.PORT + 1)
    stray.send(SYN)
    stray.receive()
    interop.wait_until(lambda: rig.count("disconnected") == 1, "disconnected")
    rig.stop()
    text = read_capture(path, "-v")
    assert "Flags [S]" in text and "Flags [S.]" in text and "ARP" not in text, text
    assert "incorrect" not in text and "bad cksum" not in text, text
    assert b"dropped: no connection and no listener" in path.read_bytes()
    if shutil.which("tshark"):
        shown = subprocess.run(["tshark", "-o", "tcp.check_checksum:TRUE", "-r", "-", "-Y",
                                "_ws.malformed or tcp.checksum.status == 0 or ip.checksum.status == 0"],
                               stdin=path.open("rb"), capture_output=True, text=True)
        assert shown.returncode == 0 and shown.stdout == "", shown.stdout + shown.stderr


def live_dump(rig):
    """tern-dump prints while it happens, relative numbers and bytes as tcpdump -X; and goes without a trace."""
    rig.start()
    watch = Watch(rig)
    command = [str(watch.folder / "tern-dump"), "--file-prefix", watch.prefix(), "-Xni", "any", "-c", "7", "tcp", "port", str(interop.PORT)]
    dump = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert dump.stderr.readline().startswith("tern-dump: listening on net_tap0")
    with rig.connect() as client:
        rig.check_echo(client, b"abc\n")
        text, _ = dump.communicate(timeout=20) if client.close() is None else ("", "")
    assert dump.returncode == 0, dump.returncode
    assert f"In  IP {interop.HOST}." in text and "Flags [S], seq" in text, text
    assert "Flags [P.], seq 1:5, ack 1," in text, text
    assert "4142 430a" in text and "ABC." in text, text
    assert "is no" not in watch.run("tern-dump", "tcp prot 1", status=2)
    interop.wait_until(lambda: rig.count("disconnected") == 1, "disconnected")
    rig.stop()


def dump_to_wireshark(rig):
    """-w - writes pcapng; a reader who leaves costs the server nothing."""
    rig.start()
    watch = Watch(rig)
    command = [str(watch.folder / "tern-dump"), "--file-prefix", watch.prefix(), "-w", "-"]
    dump = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    dump.stderr.readline()
    with rig.connect() as client:
        rig.check_echo(client, b"x" * 100)
        begin = dump.stdout.read(4)
        assert begin == b"\x0a\x0d\x0d\x0a", begin
        dump.terminate()
        dump.wait()
        rig.check_echo(client, b"y" * 100)
    rig.stop()


def top_and_prometheus(rig):
    rig.start()
    watch = Watch(rig)
    with rig.connect() as client:
        rig.check_echo(client, b"x" * 100)
        text = watch.run("tern-top", "--once", "-d", "0.3")
        assert "tcp  1 connections, 0 half-open, 0 TIME-WAIT" in text, text
        assert "core 0 " in text and f"{interop.HOST}:{port_of(client)}" in text, text
        exporter = subprocess.Popen([str(watch.folder / "tern-top"), "--file-prefix", watch.prefix(), "--prometheus", "19464"],
                                    stdout=subprocess.PIPE, text=True)
        assert "127.0.0.1:19464" in exporter.stdout.readline()
        metrics = urllib.request.urlopen("http://127.0.0.1:19464/metrics", timeout=10).read().decode()
        exporter.terminate()
        assert exporter.wait(10) == 0
        assert "# TYPE tern_passive_opens_total counter" in metrics
        assert f'tern_passive_opens_total{{program="tcp-upper-server",pid="{rig.process.pid}"}} 1' in metrics, metrics
    rig.stop()


def top_at_a_terminal(rig):
    """tern-top at 80 x 24: all of it is to be seen, and the busiest connection comes first. docs/watching.md shows it."""
    need("tmux")
    rig.start("--gateway", interop.HOST)
    watch = Watch(rig)
    stray = RawConnection(RawHost(interop.HOST_DEVICE), interop.SERVER, interop.PORT + 1)
    stray.send(SYN)
    clients = [rig.connect(60) for _ in range(40)]
    busy = clients[20]
    # tmux now and then leaves a child that has ended unreaped, and its status unknown: a shell tells it.
    shell = ["sh", "-c", 'trap : INT; "$@"; echo "exit status $?"; read line', "sh"]
    command = [str(watch.folder / "tern-top"), "--file-prefix", watch.prefix(), "-d", "0.5"]
    with terminal_of(80, 24, shell + command) as (terminal, _):
        def busy_one_is_first():
            for _ in range(20):
                rig.check_echo(busy, b"x" * 1000)
            lines = terminal("capture-pane", "-p", "-t", "t").rstrip("\n").splitlines()
            heads = [number for number, line in enumerate(lines) if line.startswith("State ")]
            return heads and f"{interop.HOST}:{port_of(busy)} " in lines[heads[0] + 1] and lines
        lines = interop.wait_until(busy_one_is_first, "the busiest connection comes first", 60)
        terminal.type("t", "C-c")
        interop.wait_until(lambda: "exit status" in terminal.screen("t"), "it ends at Ctrl-C", 60)
        assert "exit status 0\n" in terminal.screen("t"), terminal.screen("t")
    words = (r"^tcp-upper-server \(pid \d+\) at 10\.0\.2\.2/24 on net_tap0$", r"^in +", r"^out +", r"^tcp  40 connections, ",
             r"^core 0 +", r"^drop .* no connection and no listener", r"^State +Local +Peer +B/s +RTT ms$")
    shown = shown_on_page(interop.PROJECT / "docs/watching.md", "tern-top", "\n".join(lines))
    for word in words:
        assert re.search(word, "\n".join(lines), re.MULTILINE), (word, lines)
        assert re.search(word, shown, re.MULTILINE), f"docs/watching.md shows no line like {word}"
    assert len(lines) <= 24 and lines[0].startswith("tcp-upper-server"), lines
    rig.notes += lines
    for client in clients:
        client.close()
    rig.stop()


if __name__ == "__main__":
    interop.main([listens_and_connects, states_that_only_a_raw_peer_holds, time_wait_of_the_first_to_close, filters_choose,
                  kills_what_a_filter_selects, kills_half_open_and_time_wait, details_and_json, nobody_runs, many_connections, capture_with_a_filter, live_dump,
                  dump_to_wireshark,
                  top_and_prometheus, top_at_a_terminal])
