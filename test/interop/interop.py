# SPDX-License-Identifier: BSD-3-Clause
"""The rig of the interop tests: a server behind a device, in a network namespace of its own, and the
runner that calls a test program's cases and reports in TAP.

Every case runs in a child process that unshares its network namespace. Nothing has a name outside, so
cases cannot meet, and the kernel takes the namespace down with its last process, however that ends.

A case is a function that takes a Rig; see the *_test.py beside this file. Run one by hand:

    test/interop/close_test.py --device tap --case peer_reset
    test/interop/close_test.py --device tap --server-command test/interop/upper_server.py

The second line runs it against the Linux kernel's own TCP: what fails there is wrong in the test.
"""
import argparse
import collections
import ctypes
import os
import pathlib
import re
import resource
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

HOST, SERVER, PREFIX_LENGTH = "10.0.2.1", "10.0.2.2", 24
HOST6, SERVER6, PREFIX_LENGTH6 = "fd00::1", "fd00::2", 64
PORT = 9999
HOST_DEVICE, SERVER_DEVICE = "tern0", "tern1"  # this kernel's end of the wire; the af_packet server's
START_TIMEOUT_S, STOP_TIMEOUT_S, CASE_TIMEOUT_S = 60, 60, 600
CLONE_NEWNET, PR_SET_PDEATHSIG = 0x40000000, 1
PROJECT = pathlib.Path(__file__).resolve().parents[2]

libc = ctypes.CDLL(None, use_errno=True)


def unshare_network():
    """Moves this process into a new, empty network namespace."""
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNET)")


def die_with_parent():
    """For the time between fork and exec: a killed test takes its server along."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def ip(*arguments):
    """Runs ip(8); raises with its words if it fails."""
    result = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f"ip {' '.join(arguments)}: {result.stderr.strip()}")
    return result.stdout


def wait_until(condition, what, timeout_s=10.0, step_s=0.01):
    """Returns condition()'s first true answer; fails when it has none in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(step_s)


class Skip(Exception):
    """Raised by a case that does not apply; says why."""


class Rig:
    """A server and the wire to it. Made afresh for each case, in the case's own namespace."""

    def __init__(self, options, directory, family=4):
        self.family = family  # 6: IPv6 as well, and connect() uses it
        self.device = options.device
        self.sanitized = options.sanitized
        self.is_tern = options.server_command is None
        self.command = [options.server] if self.is_tern else shlex.split(options.server_command)
        self.log = pathlib.Path(directory) / "server.log"
        self.process = None
        self.quiet = False
        self.eal = []  # EAL arguments besides the device's and the cores'
        self.workers = 1  # stacks of the server, each on a core and a queue of its own
        self.notes = []  # what the report should mention: rates, counts

    # --- the server ---

    def start(self, *arguments, linger_s=5, quiet=False):
        """Starts the server and gives this kernel its end of the wire; returns when it listens."""
        if self.device == "af_packet":
            self._make_veth()
        command = [*self.command, *self._eal_arguments(), "--ip", f"{SERVER}/{PREFIX_LENGTH}", "--port", str(PORT),
                   "--linger", str(linger_s), "--stats", *arguments]
        if self.family == 6:
            command += ["--ip6", f"{SERVER6}/{PREFIX_LENGTH6}"]
        if self.device == "tap":
            command += ["--tap", HOST_DEVICE]
        self.quiet = quiet
        if quiet:
            command += ["--quiet"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=die_with_parent)
        wait_until(self._is_listening, "the server says 'listening'", START_TIMEOUT_S)
        if self.device == "tap":
            self._configure_host_end()
        self._wait_for_wire()

    def _is_listening(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with status {self.process.returncode}:\n{self.output()}")
        return "listening at port" in self.output()

    def _eal_arguments(self):
        cores = [*self.eal, *(["-l", f"0-{self.workers - 1}"] if self.workers > 1 else [])]
        if self.device != "af_packet":
            return [*cores, "--"] if cores else []  # the server's own default: net_tap
        vdev = f"net_af_packet0,iface={SERVER_DEVICE},qpairs={self.workers},framecnt=4096,blocksz=65536,framesz=2048"
        return [*cores, f"--vdev={vdev}", "--"]

    def _make_veth(self):
        if pathlib.Path(f"/proc/sys/net/ipv6/conf/{HOST_DEVICE}").exists():
            return  # a second start: the wire is still there
        ip("link", "add", HOST_DEVICE, "type", "veth", "peer", "name", SERVER_DEVICE)
        # Otherwise TCP checksums arrive half done, and frames above the MTU are cut without a word.
        subprocess.run(["ethtool", "-K", HOST_DEVICE, "tx", "off", "tso", "off", "gso", "off", "gro", "off"],
                       check=True, capture_output=True)
        self._configure_host_end()
        ip("link", "set", SERVER_DEVICE, "up")  # and no address: this kernel must not answer for it

    def _configure_host_end(self):
        ip("address", "replace", f"{HOST}/{PREFIX_LENGTH}", "dev", HOST_DEVICE)  # --host-ip may have set it
        if self.family == 6:
            pathlib.Path(f"/proc/sys/net/ipv6/conf/{HOST_DEVICE}/disable_ipv6").write_text("0")
            ip("address", "replace", f"{HOST6}/{PREFIX_LENGTH6}", "dev", HOST_DEVICE, "nodad")
        ip("link", "set", HOST_DEVICE, "up")

    def _wait_for_wire(self):
        """A device that has just come up loses packets for a moment; a ping that returns ends it. The
        server uses its IPv6 address when nobody has claimed it for a second (RFC 4862)."""
        for address in [SERVER, *([SERVER6] if self.family == 6 else [])]:
            wait_until(lambda: subprocess.run(["ping", "-c", "1", "-W", "1", "-n", address],
                                              stdout=subprocess.DEVNULL).returncode == 0, "an answer to ping", 15)

    @staticmethod
    def server_mac():
        """As this kernel has learnt it."""
        return re.search(r"lladdr (\S+)", ip("neighbour", "show", SERVER))[1]

    def output(self):
        """All that the server has printed so far."""
        return self.log.read_text(errors="replace")

    def count(self, word):
        """How many peers the server has reported as 'connected' or 'disconnected'."""
        return len(re.findall(rf"^\S+ {word}$", self.output(), re.MULTILINE))

    def signal_server(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def stop(self, time_wait=0):
        """Waits until every client's end has arrived, ends the server with SIGTERM, checks that nothing
        is left in it but `time_wait` records at most, and returns its statistics."""
        if self.quiet:
            time.sleep(0.5)  # it does not tell
        else:
            wait_until(lambda: self.count("connected") == self.count("disconnected"), "every client disconnected")
        self.signal_server()
        return self.wait_for_end(time_wait)

    def wait_for_end(self, time_wait=0):
        """For a server that has had its signal: waits, checks its status and what is left in it."""
        try:
            status = self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server did not end within {STOP_TIMEOUT_S} s of SIGTERM:\n{self.output()[-4000:]}") from None
        assert status == 0, f"the server ended with status {status}:\n{self.output()[-4000:]}"
        if not self.is_tern:
            return {}
        stats = self._final_statistics()
        time_wait_left = stats.pop("left_time_wait")
        left = {name: value for name, value in stats.items() if name.startswith("left_") and value}
        assert not left, f"still in the server at its end: {left}"
        assert time_wait_left <= time_wait, f"TIME-WAIT records left: {time_wait_left}"
        return stats

    def _final_statistics(self):
        """What --stats printed last: counters that are not 0, and left_*, what the stack still held."""
        found = re.findall(r"^(\w+) +(\d+) [a-z]+ .*$", self.output(), re.MULTILINE)
        stats = collections.Counter({name: int(value) for name, value in found})
        assert "left_connections" in stats, f"the server printed no statistics:\n{self.output()[-4000:]}"
        return stats

    # --- clients ---

    def connect(self, timeout_s=10.0, port=PORT):
        """A connected Linux socket."""
        client = socket.create_connection((SERVER6 if self.family == 6 else SERVER, port), timeout_s)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    @staticmethod
    def receive_exactly(client, size):
        """`size` bytes, or what came before the peer's end."""
        parts, missing = [], size
        while missing and (part := client.recv(min(missing, 1 << 18))):
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def check_echo(self, client, request):
        """One request, one answer."""
        client.sendall(request)
        answer = self.receive_exactly(client, len(request))
        assert answer == request.upper(), f"sent {request[:60]!r}..., received {answer[:60]!r}... ({len(answer)} bytes)"


# --- the runner ---

PASSED, FAILED, SKIPPED = 0, 1, 77
Outcome = collections.namedtuple("Outcome", "status text seconds")


def run_case(case, options, family):
    """Runs one case in a child process and namespace of its own."""
    read_end, write_end = os.pipe()
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        die_with_parent()
        os._exit(case_process(case, options, family, write_end))
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        text = pipe.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        text += f"the case died of signal {os.WTERMSIG(status)}, after {time.monotonic() - begin:.0f} s"
        return Outcome(FAILED, text, time.monotonic() - begin)
    return Outcome(os.WEXITSTATUS(status), text, time.monotonic() - begin)


def case_process(case, options, family, report):
    """The body of the child process; writes what there is to say to `report`."""
    signal.alarm(CASE_TIMEOUT_S * (3 if options.sanitized else 1))
    os.set_inheritable(report, False)
    with tempfile.TemporaryDirectory(prefix="tern-interop-") as directory:
        unshare_network()
        pathlib.Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")  # no router solicitations
        # Twenty thousand connections leave as many ports in TIME-WAIT.
        pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("1024 65535")
        ip("link", "set", "lo", "up")
        rig = Rig(options, directory, family)
        try:
            case(rig)
            os.write(report, "\n".join(rig.notes).encode())
            return PASSED
        except Skip as skip:
            os.write(report, str(skip).encode())
            return SKIPPED
        except BaseException:
            os.write(report, describe_failure(rig).encode())
            return FAILED
        finally:
            if rig.process and rig.process.poll() is None:
                rig.process.kill()
                rig.process.wait()


def describe_failure(rig):
    """The present exception, where in the test it came from, and what the server said last."""
    kind, error, trace = sys.exc_info()
    lines = [f"{kind.__name__}: {error}"]
    lines += [f"  at {pathlib.Path(f.filename).name}:{f.lineno} in {f.name}: {f.line}" for f in traceback.extract_tb(trace)[1:]]
    if rig.log.exists():
        lines += ["the server's last words:"] + ["  " + line for line in rig.output().splitlines()[-20:]]
    return "\n".join(lines)


def reason_to_skip(options):
    """Why nothing here can run; None if it can."""
    if os.geteuid() != 0:
        return "not root: network namespaces and devices need it"
    if options.device == "tap" and options.server_command is None:
        try:
            os.close(os.open("/dev/net/tun", os.O_RDWR))
        except OSError as error:
            return f"/dev/net/tun: {error.strerror}"
    return None


def parse_options(cases):
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", choices=["tap", "af_packet"], default="tap")
    parser.add_argument("--server", default=str(PROJECT / "build/apps/tcp-upper-server"))
    parser.add_argument("--server-command", help="run this instead of Tern's server, with --device tap")
    parser.add_argument("--family", type=int, choices=[4, 6], help="IPv6 as well, and the clients use it")
    parser.add_argument("--sanitized", action="store_true", help="the server runs under a sanitizer: smaller loads")
    parser.add_argument("--case", action="append", choices=[c.__name__ for c in cases])
    return parser.parse_args()


def print_outcome(number, name, outcome):
    """One case in TAP: its verdict, and as a comment its time and what it has to say."""
    if outcome.status == SKIPPED:
        print(f"ok {number} - {name} # SKIP {outcome.text}", flush=True)
        return
    print(f"{'ok' if outcome.status == PASSED else 'not ok'} {number} - {name}")
    for line in [f"{outcome.seconds:.1f} s", *outcome.text.splitlines()]:
        print(f"# {line}")
    sys.stdout.flush()


def main(cases, family=4):
    """Runs the cases and speaks TAP about them; `family` is the rig's."""
    options = parse_options(cases)
    family = options.family or family
    cases = [c for c in cases if not options.case or c.__name__ in options.case]
    reason = reason_to_skip(options)
    if reason:
        print(f"1..0 # SKIP {reason}")
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    print(f"1..{len(cases)}", flush=True)
    failures = 0
    for number, case in enumerate(cases, 1):
        outcome = run_case(case, options, family)
        failures += outcome.status not in (PASSED, SKIPPED)
        print_outcome(number, case.__name__, outcome)
    sys.exit(1 if failures else 0)
