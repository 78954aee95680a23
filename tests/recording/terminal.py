"""A terminal in which walden runs, its keys, and what it shows.

It needs `tmux`. Nothing is played: where a screen does not come, the recording fails and shows the one that is there.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

COLUMNS, ROWS = 88, 26
# Prompts are read by the model before it writes; on a slow machine that takes its time.
PATIENCE = 120
# A question that just came up takes no keys that were meant for something else.
READS = 1.2
# What the empty input says while nothing goes on.
READY = "› (Ask about this repository|Write a message)"


class Terminal:
    """A terminal in which walden runs."""

    def __init__(self, home, command):
        self.socket = home / "tmux"
        self.frames = []
        environment = [f"HOME={home}", "TERM=tmux-256color", "LANG=C.UTF-8", "PATH=" + os.environ["PATH"]]
        self.tmux(
            "new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), "-c", str(home / "work"),
            "env", "-i", *environment, *command,
        )  # fmt: skip

    def tmux(self, *arguments):
        done = subprocess.run(["tmux", "-f", "/dev/null", "-S", self.socket, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"tmux {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout

    def screen(self):
        lines = self.tmux("capture-pane", "-p").splitlines()
        return "\n".join(line.rstrip() for line in lines)

    def types(self, text):
        self.tmux("send-keys", "-l", text)

    def key(self, *names):
        time.sleep(READS)
        self.tmux("send-keys", *names)

    def sees(self, *words, without=()):
        """Waits until all of these words are on the screen, and none of the others."""
        began = time.monotonic()
        while True:
            screen = self.screen()
            if all(re.search(word, screen) for word in words) and not any(re.search(word, screen) for word in without):
                return screen
            if time.monotonic() - began > PATIENCE:
                sys.exit(f"{words} never came:\n{screen}")
            time.sleep(0.1)

    def chooses(self, name):
        """Goes down a list to a row."""
        for _ in range(20):
            if re.search(rf"▸ \S+ {name}\b", self.screen()):
                return
            self.key("Down")
        sys.exit(f"{name} is not in the list:\n{self.screen()}")

    def records(self, title, *words, without=()):
        screen = self.sees(*words, without=without)
        self.frames.append((title, screen))
        print(time.strftime("%H:%M:%S"), title, flush=True)
        return screen

    def says(self, text):
        """Sends a message."""
        self.types(text)
        time.sleep(0.5)
        self.key("Enter")

    def rests(self):
        """Waits for the end of a turn."""
        return self.sees(READY, without=["Esc stops", "waits for"])

    def calls(self, text, tool):
        """Has the model call a tool, in a conversation of its own: what went before leads a small model astray."""
        for _ in range(3):
            self.says("/new")
            self.sees("Ask about this repository")
            self.says(text)
            self.sees("Esc stops")
            screen = self.sees(READY + "|waits for your decision")
            if "waits for your decision" in screen and tool in screen:
                return
            if "waits for your decision" in screen:
                self.key("Escape")
                self.sees(READY, without=["waits for your decision"])
        sys.exit(f"the model does not call `{tool}`:\n{screen}")

    def ends(self):
        self.tmux("kill-server")


class World:
    """A home and a repository of their own, with the models that are there."""

    def __init__(self, walden, model):
        self.walden, self.model = os.path.abspath(walden), model
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="walden-"))
        self.work = self.home / "work"
        self.work.mkdir()
        (self.work / "owls.py").write_text('def hoot(times):\n    return "hoo " * times\n')
        found = subprocess.run([self.walden, "model", "path", model], capture_output=True, text=True, check=True).stdout.strip()
        models = self.home / ".local/share/walden"
        models.mkdir(parents=True)
        (models / "models").symlink_to(pathlib.Path(found).parent.parent)
        for arguments in (
            ["init", "-q"],
            ["add", "."],
            ["-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "-qm", "first"],
        ):
            subprocess.run(["git", *arguments], cwd=self.work, check=True)

    def run(self, *arguments):
        """Runs one of walden's commands, and gives what it printed."""
        environment = {"HOME": str(self.home), "PATH": os.environ["PATH"]}
        command = [self.walden, *arguments]
        return subprocess.run(command, cwd=self.work, check=True, env=environment, capture_output=True, text=True).stdout

    def record(self, session, output, folders=()):
        """Has a session at a terminal, and writes what was recorded of it; the folders are given by other names."""
        terminal = Terminal(self.home, [self.walden, "--model", self.model])
        try:
            session(terminal)
        finally:
            terminal.ends()
            shutil.rmtree(self.home, ignore_errors=True)
        text = ""
        for title, frame in terminal.frames:
            for folder, name in [(str(self.work), "~/work"), (str(self.home), "~"), *folders]:
                frame = frame.replace(folder, name)
            text += f"== {title}\n\n{frame}\n\n"
        pathlib.Path(output).write_text(text)
