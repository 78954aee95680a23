"""Records a session of walden with a real model and a real server, as a person has it: the keys go into a terminal, and
what the terminal shows is kept.

Usage: drive.py WALDEN MODEL SERVER OUTPUT

WALDEN is the program, MODEL the name of a model that is there, SERVER the script of the reference server that has
everything, OUTPUT the file that the screens are written to.
"""

import os
import sys
import time

from terminal import READS, READY, World


def session(terminal):
    t = terminal
    t.records("A server that nobody agreed to yet", "needs your consent", "command +node", "network +none")
    t.key("y")
    t.records("What it offers, before any of it is used", "Use what the server", "instructions")
    t.key("y")
    t.sees(READY, without=["needs your consent"])
    t.says("/servers")
    t.records("The servers", "everything  17 tools", "tokens")
    t.key("Escape")

    t.types("/everything:completable-prompt department=E")
    t.records("A prompt, and what the server says its argument could be", "▸ .*department=Engineering")
    t.key("Tab")
    t.types(" name=A")
    t.sees("▸ .*name=Alice")
    t.key("Tab")
    t.key("Enter")
    t.sees("Esc stops")
    # It may want to do something about it, which is not for this session.
    while "waits for your decision" in t.sees(READY + "|waits for your decision"):
        t.records("What the model wants to do about the prompt, which is refused", "completable-prompt")
        t.key("Escape")
        t.sees(READY, without=["waits for your decision"])
    t.records("What the model made of the prompt", "Alice")

    t.types("What does this say? @everything:demo://resource/dynamic/te")
    t.records("A resource with a variable in its address", r"▸ everything:demo://resource/dynamic/text/\{")
    t.key("Tab")
    t.types("7 ")
    t.key("Enter")
    t.sees("Esc stops")
    t.rests()
    t.records("What the model says of the resource", "[Rr]esource")

    t.calls("Call the tool trigger-elicitation-request.", "trigger-elicitation-request")
    t.records("A call that asks first", "waits for your decision", "y once")
    t.key("y")
    t.sees("asks you", "full, legal name")
    time.sleep(READS)
    t.types("Ada")
    t.records("A form", "Ada", "full, legal name")
    t.key("C-s")
    t.rests()
    t.records("What the model says of the answers", "Ada")

    url = "https://login.example.org/start"
    t.calls(f'Call the tool trigger-url-elicitation with url "{url}" and elicitationId "login-1".', "trigger-url-elicitation")
    t.key("y")
    t.records("A page that is not opened", "open a page", "login.example.org")
    t.key("y")
    t.rests()

    prompt = "Say one sentence about owls."
    t.calls(f'Call the tool trigger-sampling-request with prompt "{prompt}" and maxTokens 40.', "trigger-sampling-request")
    t.key("y")
    t.records("What the server wants to ask the model", "wants to ask the model", "owls")
    t.key("y")
    t.records("What the model answers, before the server has it", "[Oo]wl", "model answered|answer", "y ", without=["wants to ask"])
    t.key("y")
    t.rests()
    t.records("The call's end", "trigger-sampling-request")

    t.calls('Call the tool simulate-research-query with topic "owls".', "simulate-research-query")
    t.key("y")
    time.sleep(READS)
    t.says("/servers")
    t.records("A task that goes on", "task .*of everything runs")
    t.key("Escape")
    t.rests()
    t.records("What came of the task", "owls")


walden, model, server, output = sys.argv[1:]
world = World(walden, model)
world.run("mcp", "add", "everything", "--", "node", os.path.abspath(server))
world.record(session, output, [(os.path.abspath(server).split("/node_modules")[0], "~/servers")])
