#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What the server says when it cannot start: one line, that names the trouble and the remedy, and a
status that is not 0. And its help."""
import os
import pathlib
import shutil
import subprocess
import tempfile

import interop


def run_server(rig, *arguments, **options):
    return subprocess.run([*rig.command, *arguments], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, **options)


def expect_refusal(rig, *arguments, words, **options):
    """The server must end by itself, saying one line on stderr that holds all of `words`."""
    result = run_server(rig, *arguments, **options)
    said = f"status {result.returncode}\nstdout: {result.stdout}\nstderr: {result.stderr}"
    assert result.returncode not in (0, None) and result.returncode > 0, said
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("tcp-upper-server: "), f"not one line of its own\n{said}"
    assert not result.stdout.strip(), said
    missing = [word for word in words if word not in lines[0]]
    assert not missing, f"does not say {missing}\n{said}"
    rig.notes.append(lines[0])


def wrong_address(rig):
    expect_refusal(rig, "--ip", "10.0.2.300/24", words=["10.0.2.300/24"])
    expect_refusal(rig, "--ip", "10.0.2.2", words=["10.0.2.2", "/24"])
    expect_refusal(rig, "--ip", "10.0.2.2/24", "--gateway", "10.9.9.9", words=["10.9.9.9"])
    expect_refusal(rig, "--ip", "10.0.2.255/24", words=["10.0.2.255"])


def wrong_option(rig):
    expect_refusal(rig, "--no-such-option", words=["--no-such-option", "--help"])
    expect_refusal(rig, "--port", "70000", words=["70000"])
    expect_refusal(rig, "--port", "0", words=["0"])


def unknown_device(rig):
    expect_refusal(rig, "--vdev=net_nonesuch0", "--", words=["net_nonesuch0"])
    expect_refusal(rig, "--vdev=net_af_packet0,iface=nothere", "--", words=["interface", "iface="])


def device_in_use(rig):
    interop.ip("link", "add", interop.HOST_DEVICE, "type", "veth", "peer", "name", "other")
    expect_refusal(rig, "--tap", interop.HOST_DEVICE, words=[interop.HOST_DEVICE, "in use"])


def no_permission(rig):
    """As a user without rights: the copy is one that this user can reach."""
    with tempfile.TemporaryDirectory(prefix="tern-nobody-") as directory:
        program = pathlib.Path(directory) / "tcp-upper-server"
        shutil.copy(rig.command[0], program)
        os.chmod(directory, 0o755)
        rig.command = [str(program)]
        expect_refusal(rig, "--tap", interop.HOST_DEVICE, words=["root"], user=65534, group=65534, extra_groups=[], cwd="/")


def too_little_memory(rig):
    expect_refusal(rig, "--max-connections", "250000000", words=["memory", "x", "=", "available"])


def unwritable_capture(rig):
    expect_refusal(rig, "--capture", "/no/such/folder/x.pcapng", words=["/no/such/folder/x.pcapng"])


def help_fits_a_screen(rig):
    result = run_server(rig, "--help")
    lines = result.stdout.splitlines()
    assert result.returncode == 0 and not result.stderr
    assert len(lines) <= 32 and max(map(len, lines)) <= 80, f"{len(lines)} lines, up to {max(map(len, lines))} columns"
    assert "examples:" in result.stdout and "nc 10.0.2.2 9999" in result.stdout


def configuration_file(rig):
    """An option from a file counts, and the command line goes before it."""
    path = rig.log.parent / "server.conf"
    path.write_text(f"tap = \"{interop.HOST_DEVICE}\"\nmax-connections = 100\nquiet = true\n")
    rig.start("--config", str(path))
    with rig.connect() as client:
        rig.check_echo(client, b"configured")
    rig.quiet = True
    assert rig.count("connected") == 0, "the file's quiet = true did not count"
    rig.stop()


if __name__ == "__main__":
    interop.main([wrong_address, wrong_option, unknown_device, device_in_use, no_permission, too_little_memory,
                  unwritable_capture, help_fits_a_screen, configuration_file])
