# SPDX-License-Identifier: BSD-3-Clause
"""The rig of scripts/bench: two processes on one link, memory for both, and what they measured.

A server on CPU 0 and a client on CPU 1 are joined by net_memif, or by net_vhost and net_virtio_user; or the
other way round ("virtio"), since of these two only net_virtio_user leaves the cutting of segments to its peer. The
polling server leaves first: net_memif of DPDK 22.11 crashes now and then in a process that polls while
its peer goes.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

SERVER, CLIENT = "10.0.0.1", "10.64.0.1"
HUGEPAGES = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
START_TIMEOUT_S, RESULT_GRACE_S = 60, 90
RUNTIME = pathlib.Path("/var/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "/tmp")) / "dpdk"
MEGABYTES = 640  # of EAL's memory for each process


class BenchError(Exception):
    """A measurement that could not be made; says why."""


@contextlib.contextmanager
def hugepages(megabytes):
    """Reserves pages of 2 MB if the machine gives them, and puts back the number that was found. Yields
    whether there are enough."""
    need = megabytes // 2
    free = count_of("free_hugepages")
    before = count_of("nr_hugepages")
    reserved = False
    try:
        if free < need and os.geteuid() == 0 and before is not None:
            (HUGEPAGES / "nr_hugepages").write_text(str(before + need - free))
            reserved = True
        yield (count_of("free_hugepages") or 0) >= need
    finally:
        if reserved:
            (HUGEPAGES / "nr_hugepages").write_text(str(before))


def count_of(name):
    """A number that the kernel keeps on its pages of 2 MB; 0 where it has none."""
    try:
        return int((HUGEPAGES / name).read_text())
    except OSError:
        return 0


class Rig:
    """Runs pairs of processes over one kind of link."""

    ending_s = 8  # a process that has not ended so long after SIGTERM is killed

    def __init__(self, link, bench, in_hugepages, verbose=False):
        self.link, self.bench, self.in_hugepages, self.verbose = link, str(bench), in_hugepages, verbose
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="tern-bench-"))
        self.runs = 0

    def close(self):
        """Removes the rig's files, and those of DPDK's programs: testpmd leaves its runtime directory."""
        for path in RUNTIME.glob(f"tern-bench-{os.getpid()}-*"):
            shutil.rmtree(path, ignore_errors=True)
        for path in self.directory.iterdir():
            path.unlink()
        self.directory.rmdir()

    def eal(self, lcores, role):
        """EAL's arguments of one side; `lcores` as in "0@1": lcore 0 on CPU 1."""
        socket = self.directory / f"{self.runs}.sock"
        vdev = {
            ("memif", "server"): f"net_memif0,role=server,socket={socket}",
            ("memif", "client"): f"net_memif0,role=client,socket={socket}",
            ("vhost", "server"): f"net_vhost0,iface={socket},queues=1",
            ("vhost", "client"): f"net_virtio_user0,path={socket},queues=1,queue_size=1024",
            ("virtio", "server"): f"net_virtio_user0,path={socket},queues=1,queue_size=1024,server=1",
            ("virtio", "client"): f"net_vhost0,iface={socket},queues=1,client=1,tso=1",
        }[self.link, role]
        memory = ["--in-memory"] if self.in_hugepages else ["--no-huge", "--no-shconf"]
        if self.link in ("vhost", "virtio"):
            memory.append("--single-file-segments")
        return [f"--lcores={lcores}", "--no-pci", *memory, "-m", str(MEGABYTES),
                "--file-prefix", f"tern-bench-{os.getpid()}-{role}", f"--vdev={vdev}", "--"]

    def tern_server(self, *options):
        return [self.bench, "server", *self.eal("0@0", "server"), "--ip", f"{SERVER}/8", "--quiet",
                "--json", str(self.directory / "server.json"), *options]

    def testpmd(self):
        """The yardstick: returns every frame with its MAC addresses swapped. Its main lcore only waits."""
        return ["dpdk-testpmd", *self.eal("0@0,1@0", "server"), "--forward-mode=macswap", "--auto-start", "--rxd=1024",
                "--txd=1024", "--burst=32", "--total-num-mbufs=8192", "--stats-period=0"]

    def tern_client(self, mode, *options):
        return [self.bench, "client", *self.eal("0@1", "client"), "--ip", f"{CLIENT}/8", "--server", SERVER, "--raw",
                "--mode", mode, "--quiet", "--stay", "5", "--json", str(self.directory / "client.json"), *options]

    def measure(self, mode, server_options=(), client_options=(), yardstick=False, seconds=10.0):
        """One run: {"client": ..., "server": ...}, the results of both sides as they wrote them."""
        self.runs += 1
        for name in ("server.json", "client.json"):
            (self.directory / name).unlink(missing_ok=True)
        server = self.testpmd() if yardstick else self.tern_server(*server_options)
        with self.process(server, "server") as first:
            self.wait_for_socket(first)
            with self.process(self.tern_client(mode, *client_options), "client") as second:
                client = self.wait_for_result(second, "client.json", seconds + RESULT_GRACE_S)
                self.end(first)  # the polling side first
        server = {} if yardstick else self.read("server.json")
        return {"client": client, "server": server}

    @contextlib.contextmanager
    def process(self, command, name):
        """A process that does not outlive the block."""
        if self.verbose:
            print("+", " ".join(command), flush=True)
        with (self.directory / f"{name}.log").open("w") as log:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
            try:
                yield process
            finally:
                self.end(process)

    def end(self, process):
        """SIGTERM, and SIGKILL if that does not help."""
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(self.ending_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def wait_for_socket(self, server):
        """The server's end of the link is there once its socket is (memif's is abstract), or shortly after."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if server.poll() is not None:
                raise BenchError(f"the server ended:\n{self.log('server')}")
            abstract = pathlib.Path("/proc/net/unix").read_text()
            if f"{self.directory}/{self.runs}.sock" in abstract:
                time.sleep(0.3)
                if server.poll() is None:
                    return
                continue
            time.sleep(0.05)
        raise BenchError(f"the server opened no socket within {START_TIMEOUT_S} s:\n{self.log('server')}")

    def wait_for_result(self, client, name, timeout_s):
        """The JSON that the client writes when it has measured; it stays on the link meanwhile."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, ValueError):
                return json.loads((self.directory / name).read_text())
            if client.poll() not in (None, 0):
                raise BenchError(f"the client ended with status {client.returncode}:\n{self.log('client')}")
            time.sleep(0.05)
        raise BenchError(f"no result within {timeout_s:.0f} s:\n{self.log('client')}")

    def read(self, name):
        try:
            return json.loads((self.directory / name).read_text())
        except (OSError, ValueError):
            raise BenchError(f"the server wrote no result:\n{self.log('server')}") from None

    def log(self, name):
        path = self.directory / f"{name}.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-15:]) if path.exists() else ""
