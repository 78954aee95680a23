"""Measures how late a key is on the screen while a server misbehaves.

Usage: late.py WALDEN MODEL PYTHON [BEHAVIOUR…]

Each BEHAVIOUR is one of `tests/fixtures/mcp_server.py`, such as `ready-flood`, which writes without an end; `none` is
walden without a server, to compare with. PYTHON is the program that runs the server.
"""

import fcntl
import json
import os
import pty
import select
import shutil
import signal
import struct
import sys
import termios
import time
from pathlib import Path

from terminal import COLUMNS, ROWS, World

KEYS = 120
FIXTURE = Path(__file__).resolve().parent.parent / "fixtures/mcp_server.py"


def drain(near, seconds):
    """Takes what is written for a time."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([near], [], [], left)[0]:
            os.read(near, 65536)


def late(near, key):
    """Types a key, and tells after how many milliseconds it is written back."""
    began = time.monotonic()
    os.write(near, key)
    while time.monotonic() - began < 5:
        if select.select([near], [], [], 0.5)[0] and key in os.read(near, 65536):
            break
    return (time.monotonic() - began) * 1000


def measure(walden, model, python, how):
    world = World(walden, model)
    if how != "none":
        entry = {"command": python, "args": [str(FIXTURE), how]}
        folder = world.home / ".config/walden"
        folder.mkdir(parents=True)
        (folder / "mcp.json").write_text(json.dumps({"mcpServers": {"it": entry}}))
        said = world.run("--trust-server", "it", "mcp", "doctor", "it")
        assert said.startswith("ok"), said
    process, near = pty.fork()
    if process == 0:
        os.chdir(world.work)
        environment = {"HOME": str(world.home), "PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        os.execve(world.walden, [world.walden, "--model", model, "--trust-server", "it"], environment)
    fcntl.ioctl(near, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    drain(near, 12)
    times = []
    for number in range(KEYS):
        drain(near, 0.05)
        times.append(late(near, b"abcdefghij"[number % 10 :][:1]))
    times.sort()
    median, most = times[KEYS // 2], times[KEYS * 95 // 100]
    print(f"{how}: {median:.1f} ms at the median, {most:.1f} ms for 95 of 100, {times[-1]:.1f} ms at most", flush=True)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    os.close(near)
    shutil.rmtree(world.home, ignore_errors=True)


for behaviour in sys.argv[4:]:
    measure(*sys.argv[1:4], behaviour)
