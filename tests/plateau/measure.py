"""How well a model calls tools of others, by how many there are: `measure.py WALDEN MODEL [TOOLS...]`.

Each request needs one tool, which it does not name, and tells its arguments. It is put to `walden exec` in an empty
folder, with a server of so many tools beside walden's own; those that are more than the window's share are found by
`find_tool`. A request is done where the right tool was called with the right arguments, and no other tool of the
server was.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
# The sandbox keeps a server from a folder of the user's, where some have their Python.
PYTHON = "/usr/bin/python3"

REQUESTS = [
    ("Open an issue in the project `shop` titled `Login fails on Safari`.",
     "create_issue", {"project": "shop", "title": "Login fails on Safari"}),
    ("Report a new issue for the project `billing`: `Totals are rounded twice`.",
     "create_issue", {"project": "billing", "title": "Totals are rounded twice"}),
    ("In the tracker of `maps`, create an issue called `Tiles load slowly`.",
     "create_issue", {"project": "maps", "title": "Tiles load slowly"}),
    ("File an issue with the title `Typo on the start page` in project `website`.",
     "create_issue", {"project": "website", "title": "Typo on the start page"}),
    ("Put an event `Sprint review` into the calendar on 2026-12-04.",
     "schedule_event", {"title": "Sprint review", "date": "2026-12-04"}),
    ("Schedule `Budget talk` for 2026-11-30 in my calendar.",
     "schedule_event", {"title": "Budget talk", "date": "2026-11-30"}),
    ("I need a calendar event on 2027-01-15 with the title `Kickoff`.",
     "schedule_event", {"title": "Kickoff", "date": "2027-01-15"}),
    ("Add the event `Fire drill` to the calendar for 2026-12-10.",
     "schedule_event", {"title": "Fire drill", "date": "2026-12-10"}),
    ("Post the message `The build is green` into the chat channel `team`.",
     "send_message", {"channel": "team", "text": "The build is green"}),
    ("Send `Lunch at noon?` to the channel `random`.",
     "send_message", {"channel": "random", "text": "Lunch at noon?"}),
    ("Write `Deployment starts now` in the chat channel `ops`.",
     "send_message", {"channel": "ops", "text": "Deployment starts now"}),
    ("Tell the channel `support` in a message: `Tickets are answered by 5 pm`.",
     "send_message", {"channel": "support", "text": "Tickets are answered by 5 pm"}),
]


def run(walden, home, *words, **more):
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "WALDEN_LOG": "off"}
    return subprocess.run(
        [walden, *words], env=environment, capture_output=True, text=True, timeout=300, **more
    )


def prepared(walden, home, tools):
    """Configures the server and agrees to it."""
    config = home / ".config" / "walden"
    config.mkdir(parents=True)
    server = {"command": PYTHON, "args": ["-I", str(HERE / "server.py"), str(tools)], "sandbox": {"read": [str(HERE)]}}
    (config / "mcp.json").write_text(json.dumps({"mcpServers": {"office": server}}))
    project = home / "project"
    project.mkdir()
    (project / "README.md").write_text("An empty project.\n")
    done = run(walden, home, "mcp", "trust", "office", "--yes", cwd=project)
    if done.returncode != 0:
        sys.exit(f"the server cannot be used: {done.stdout}{done.stderr}")
    done = run(walden, home, "rules", "add", "allow", "office.*", cwd=project)
    if done.returncode != 0:
        sys.exit(f"the rule cannot be made: {done.stderr}")
    return project


def normal(value):
    return str(value).strip().strip("`'\"").rstrip(".").lower()


def asked(walden, model, home, project, request):
    """Puts one request, and returns the calls of the server, whether one was looked for, and the tokens of it all."""
    done = run(
        walden, home, "exec", "--json", "--model", model, "--auto", "all", request, cwd=project
    )
    calls, searched, tokens = [], False, 0
    for line in done.stdout.splitlines():
        event = json.loads(line)
        if event["event"] == "call_proposed":
            call = event["call"]
            searched |= call["tool"] == "find_tool"
            if call["server"] == "office":
                calls.append((call["tool"], call["arguments"]))
        if event["event"] == "turn_measured":
            tokens = event["evaluated"] + event["cached"] + event["generated"]
    return calls, searched, tokens


def main():
    walden, model = os.path.abspath(sys.argv[1]), sys.argv[2]
    sizes = [int(word) for word in sys.argv[3:]] or [3, 20, 60]
    print("| tools | searched for | right tool | right arguments | other tools called | tokens a request | seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for size in sizes:
        right, exact, stray, found, spent = 0, 0, 0, 0, 0
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            home = pathlib.Path(folder)
            project = prepared(walden, home, size)
            for request, tool, wanted in REQUESTS:
                calls, searched, tokens = asked(walden, model, home, project, request)
                of_tool = [arguments for name, arguments in calls if name == tool]
                fits = any(
                    all(normal(given.get(name)) == normal(value) for name, value in wanted.items())
                    for given in of_tool
                )
                others = len(calls) - len(of_tool)
                right += bool(of_tool)
                exact += fits
                stray += others
                found += searched
                spent += tokens
                print(f"{size}: {'ok' if fits and not others else 'NO'} {request} {calls}", file=sys.stderr)
        many = len(REQUESTS)
        seconds = (time.monotonic() - began) / many
        print(
            f"| {size} | {found} of {many} | {right} of {many} | {exact} of {many} | {stray} | "
            f"{spent // many} | {seconds:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
