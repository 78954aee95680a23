"""Drives the three servers by two hosts that are not walden's own: the official inspector and the Python client.

    python drive.py WALDEN NODE INSPECTOR

Run by `make hosts` with a Python that has the package `mcp`. Ends with 1 and the reason where a host does not get
what it asked for.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

WALDEN, NODE, INSPECTOR = sys.argv[1:4]


def lay(folder):
    """A repository with one commit and a change, in which the other two servers work as well."""
    with open(os.path.join(folder, "a.txt"), "w") as file:
        file.write("one\n")
    identity = ["-c", "user.name=A", "-c", "user.email=a@localhost", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], [*identity, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", folder, *arguments], check=True)
    with open(os.path.join(folder, "a.txt"), "a") as file:
        file.write("two\n")


def cases(folder):
    """Returns for each server: its arguments, how many tools it has at least, and calls with what they must say.

    The inspector says that it has roots, and names none: that is no access, unless the server is told otherwise.
    """
    path = os.path.join(folder, "a.txt")
    entity = {"name": "walden", "entityType": "program", "observations": ["it is driven by others"]}
    return [
        (
            ["serve", "filesystem", "--ignore-client-roots", folder],
            14,
            [
                ("read_text_file", {"path": path}, "one\ntwo"),
                ("search_files", {"path": folder, "pattern": "**/*.txt"}, "a.txt"),
                ("edit_file", {"path": path, "edits": [{"oldText": "two", "newText": "2"}], "dryRun": True}, "+2"),
            ],
        ),
        (
            ["serve", "git", "--repository", folder],
            12,
            [
                ("git_status", {"repo_path": folder}, "modified:   a.txt"),
                ("git_diff_unstaged", {"repo_path": folder}, "+two"),
                ("git_log", {"repo_path": folder, "max_count": 1}, "first"),
            ],
        ),
        (
            ["serve", "memory", "--file", os.path.join(folder, ".git", "memory.jsonl")],
            9,
            [
                ("create_entities", {"entities": [entity]}, "walden"),
                ("search_nodes", {"query": "driven"}, "it is driven by others"),
            ],
        ),
    ]


def require(holds, what):
    if not holds:
        sys.exit(f"walden is not driven as it should be: {what}")


def inspect(arguments, method, *more):
    command = [NODE, INSPECTOR, "--cli", WALDEN, *arguments, "--method", method, *more, "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    require(done.returncode == 0, f"the inspector ended with {done.returncode} on {method}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)["result"]


def by_inspector(arguments, tools, calls):
    listed = inspect(arguments, "tools/list")["tools"]
    require(len(listed) >= tools, f"the inspector sees {len(listed)} tools of {arguments}")
    for name, given, expected in calls:
        pairs = []
        for key, value in given.items():
            text = value if isinstance(value, str) else json.dumps(value)
            pairs += ["--tool-arg", f"{key}={text}"]
        result = inspect(arguments, "tools/call", "--tool-name", name, *pairs)
        said = result["content"][0]["text"]
        require(expected in said and not result.get("isError"), f"the inspector gets {said!r} of {name}")


async def by_python(arguments, tools, calls):
    server = StdioServerParameters(command=WALDEN, args=arguments)
    with open(os.devnull, "w") as log:
        await converse(server, log, tools, calls)


async def converse(server, log, tools, calls):
    async with stdio_client(server, errlog=log) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        listed = (await session.list_tools()).tools
        require(len(listed) >= tools, f"the Python client sees {len(listed)} tools of {server.args}")
        for name, given, expected in calls:
            result = await session.call_tool(name, given)
            said = result.content[0].text
            require(expected in said, f"the Python client gets {said!r} of {name}")


def main():
    for host in ("the inspector", "the Python client"):
        with tempfile.TemporaryDirectory() as folder:
            folder = os.path.realpath(folder)
            lay(folder)
            count = 0
            for arguments, tools, calls in cases(folder):
                if host == "the inspector":
                    by_inspector(arguments, tools, calls)
                else:
                    asyncio.run(by_python(arguments, tools, calls))
                count += len(calls) + 1
            if host == "the inspector":
                said = inspect(["serve", "filesystem", folder], "tools/call", "--tool-name", "list_allowed_directories")
                require("none" in said["content"][0]["text"], "a client with an empty list of roots has access")
            print(f"{host}: {count} requests answered as they should be")


main()
