"""Who is timed: MCP servers over stdio, and programs that are run once for each call."""

import json
import os
import selectors
import subprocess
import time

START_SECONDS = 120
CALL_SECONDS = 300


class Gone(Exception):
    """The server ended, or did not answer in time."""


class Answer:
    """What came of one call: how long it took, whether it did what was asked, and how many lines it said."""

    def __init__(self, ms, good, lines):
        self.ms = ms
        self.good = good
        self.lines = lines


class Server:
    """An MCP server over stdio."""

    def __init__(self, name, command, env=None):
        self.name = name
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            bufsize=0,
        )
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.buffer = bytearray()
        self.id = 0
        began = time.perf_counter()
        self.ask(
            "initialize",
            {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "peers", "version": "1"},
            },
            START_SECONDS,
        )
        self.start_ms = (time.perf_counter() - began) * 1000
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, message):
        view = memoryview(json.dumps(message).encode() + b"\n")
        while view:
            view = view[self.process.stdin.write(view):]

    def line(self, deadline):
        searched = 0
        while True:
            at = self.buffer.find(b"\n", searched)
            if at >= 0:
                line = bytes(self.buffer[:at])
                del self.buffer[: at + 1]
                return line
            searched = len(self.buffer)
            left = deadline - time.monotonic()
            if left <= 0 or not self.selector.select(left):
                raise Gone(f"{self.name} did not answer in time")
            data = os.read(self.process.stdout.fileno(), 1 << 20)
            if not data:
                raise Gone(f"{self.name} ended")
            self.buffer += data

    def ask(self, method, params, seconds=CALL_SECONDS):
        self.id += 1
        self.send({"jsonrpc": "2.0", "id": self.id, "method": method, "params": params})
        deadline = time.monotonic() + seconds
        while True:
            try:
                message = json.loads(self.line(deadline))
            except ValueError:
                continue
            if message.get("id") == self.id and "method" not in message:
                return message
            if "id" in message and "method" in message:
                # A question to the client (such as `roots/list`): it has nothing to offer.
                error = {"code": -32601, "message": "not offered"}
                self.send({"jsonrpc": "2.0", "id": message["id"], "error": error})

    def call(self, tool, arguments):
        began = time.perf_counter()
        answer = self.ask("tools/call", {"name": tool, "arguments": arguments})
        ms = (time.perf_counter() - began) * 1000
        result = answer.get("result") or {}
        text = "".join(block.get("text", "") for block in result.get("content", []))
        return Answer(ms, bool(result) and not result.get("isError"), len(text.splitlines()))

    def memory_mib(self):
        """Returns the memory that the process holds now, with its children."""
        total = 0
        pids = [self.process.pid]
        while pids:
            pid = pids.pop()
            try:
                with open(f"/proc/{pid}/smaps_rollup") as file:
                    total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
                with open(f"/proc/{pid}/task/{pid}/children") as file:
                    pids += [int(child) for child in file.read().split()]
            except OSError:
                pass
        return round(total / 1024, 1)

    def end(self):
        try:
            self.process.stdin.close()
            self.process.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Program:
    """A program that is run once for each call, such as `rg`."""

    def __init__(self, name):
        self.name = name

    def call(self, command, good):
        began = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        ms = (time.perf_counter() - began) * 1000
        return Answer(ms, done.returncode in good, len(done.stdout.splitlines()))

    def end(self):
        pass
