"""The calls that are timed, for each of the three servers."""

import os
import shutil
import statistics
import time

import install
import material
from players import Gone, Program, Server

# Nobody is asked again in a row that has cost it more than this.
PATIENCE_SECONDS = 60


def tool(name, arguments):
    """A call with the same arguments each time, or with arguments made for the round."""

    def way(player, turn):
        return player.call(name, arguments(turn) if callable(arguments) else arguments)

    return way


def run(command, good=(0,)):
    return lambda player, _turn: player.call(command, good)


def both(name, arguments):
    return {"walden": tool(name, arguments), "reference": tool(name, arguments)}


def measure(players, calls, repeat):
    """Makes the calls of all players in turn, so that what else happens on the machine is shared by all.

    `calls` is a list of (label, {player name: function of the player and the round}).
    """
    rows = []
    for label, ways in calls:
        taken, spent, lines, failed = {}, {}, {}, {}
        for turn in range(repeat + 1):
            for player in players:
                way = ways.get(player.name)
                if way is None or player.name in failed:
                    continue
                if spent.get(player.name, 0) > PATIENCE_SECONDS * 1000 and taken.get(player.name):
                    continue
                try:
                    answer = way(player, turn)
                except Gone as error:
                    failed[player.name] = str(error)
                    continue
                spent[player.name] = spent.get(player.name, 0) + answer.ms
                lines[player.name] = answer.lines
                if not answer.good:
                    failed[player.name] = "it answered with an error"
                elif turn > 0:  # the first round warms caches
                    taken.setdefault(player.name, []).append(answer.ms)
        row = {"call": label, "ms": {}, "lines": lines}
        for name, times in taken.items():
            row["ms"][name] = {
                "median": round(statistics.median(times), 2),
                "best": min(round(ms, 2) for ms in times),
                "all": [round(ms, 2) for ms in times],
            }
        own = row["ms"].get("walden")
        if own:
            # Of the best times, too: they say more than medians where other work goes on beside.
            for ratio, which in (("ratio", "median"), ("ratio_of_best", "best")):
                row[ratio] = {
                    name: round(of[which] / own[which], 2) for name, of in row["ms"].items() if name != "walden"
                }
        if failed:
            row["failed"] = failed
        rows.append(row)
    return rows


def start(missing, name, command, env=None):
    if command is None:
        missing.append(f"{name}: it could not be installed")
        return []
    try:
        return [Server(name, command, env)]
    except (Gone, OSError) as error:
        missing.append(f"{name}: {error}")
        return []


def report(players, calls, missing, repeat):
    try:
        rows = measure(players, calls, repeat)
        servers = [player for player in players if isinstance(player, Server)]
        result = {
            "start_ms": {player.name: round(player.start_ms, 1) for player in servers},
            "memory_mib": {player.name: player.memory_mib() for player in servers},
            "calls": rows,
        }
    finally:
        for player in players:
            player.end()
    if missing:
        result["missing"] = missing
    return result


def filesystem(walden, beneath, size, repeat):
    root = material.tree(beneath, size)
    missing = []
    players = start(missing, "walden", [walden, "serve", "filesystem", root])
    reference = install.node_server(beneath, "filesystem")
    players += start(missing, "reference", reference and [*reference, root])
    if shutil.which("rg"):
        players.append(Program("rg"))
    else:
        missing.append("rg: it is not installed")

    # walden ignores case where the pattern has no upper case, as `rg --smart-case` does.
    def content(label, pattern, more=None, flags=(), good=(0,)):
        arguments = {"path": root, "pattern": pattern, "limit": 5_000, **(more or {})}
        command = ["rg", "--smart-case", "--line-number", "--no-heading", *flags, "--", pattern, root]
        return (f"content: {label}", {"walden": tool("search_content", arguments), "rg": run(command, good)})

    def named(label, pattern):
        ways = both("search_files", {"path": root, "pattern": pattern})
        ways["rg"] = run(["rg", "--files", "--glob", pattern, root])
        return (f"names: {label}", ways)

    some = sorted(entry.path for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith("."))[0]
    folder = next(path for path, _, files in os.walk(some) if len(files) > 3)
    files = sorted(entry.path for entry in os.scandir(folder) if entry.is_file())
    edited = {}
    for player in ("walden", "reference"):
        path = os.path.join(root, "build", f"edited-{player}.txt")
        with open(path, "w") as file:
            file.write("first line\n" + "something else\n" * 500)
        edited[player] = path

    def edit(player):
        # Back and forth, so that each round finds what it replaces.
        def arguments(turn):
            old, new = ("first line", "other line") if turn % 2 == 0 else ("other line", "first line")
            return {"path": edited[player], "edits": [{"oldText": old, "newText": new}]}

        return tool("edit_file", arguments)

    def write(player):
        return tool("write_file", {"path": edited[player] + ".new", "content": "x" * 4096})

    pair = ("walden", "reference")
    calls = [
        content("a rare word", material.RARE),
        content("a rare word in any case", material.RARE.lower()),
        content("nothing", "NotOneFileHasThis", good=(0, 1)),
        content("an expression", r"fn send_\w+_7\d\(", good=(0, 1)),
        content("a rare word, 3 lines around", material.RARE, {"context": 3}, ["--context", "3"]),
        content("a rare word in one type", material.RARE, {"types": ["py"]}, ["--type", "py"]),
        named("of a part", f"**/*{material.NAMED}*7*.rs"),
        named("of an ending", "**/*.toml"),
        ("read_text_file", both("read_text_file", {"path": files[0]})),
        ("read_multiple_files", both("read_multiple_files", {"paths": files[:10]})),
        ("list_directory", both("list_directory", {"path": folder})),
        ("directory_tree of a part", both("directory_tree", {"path": some})),
        ("get_file_info", both("get_file_info", {"path": files[0]})),
        ("write_file", {player: write(player) for player in pair}),
        ("edit_file", {player: edit(player) for player in pair}),
    ]
    return report(players, calls, missing, repeat)


def git(walden, beneath, _size, repeat):
    root, blamed = material.repository(beneath)
    missing = []
    players = start(missing, "walden", [walden, "serve", "git", "--repository", root])
    reference = install.git_server(beneath)
    players += start(missing, "reference", reference and [*reference, "--repository", root])
    players.append(Program("git"))

    def own(name, arguments, command):
        arguments = {"repo_path": root, **arguments}
        return {"walden": tool(name, arguments), "git": run(["git", "-C", root, *command])}

    def all_three(name, arguments, command):
        return {**own(name, arguments, command), "reference": tool(name, {"repo_path": root, **arguments})}

    path = os.path.dirname(blamed)
    calls = [
        ("status", all_three("git_status", {}, ["status"])),
        ("diff of the files", all_three("git_diff_unstaged", {}, ["diff"])),
        ("diff with HEAD~100", all_three("git_diff", {"target": "HEAD~100"}, ["diff", "HEAD~100"])),
        ("diff HEAD~1000..HEAD", own("git_diff", {"target": "HEAD~1000..HEAD"}, ["diff", "HEAD~1000..HEAD"])),
        (
            "diff HEAD~1000..HEAD, numbers",
            own("git_diff", {"target": "HEAD~1000..HEAD", "stat": True}, ["diff", "--stat", "HEAD~1000..HEAD"]),
        ),
        ("log of 10", all_three("git_log", {"max_count": 10}, ["log", "-n", "10"])),
        ("log of 1,000", all_three("git_log", {"max_count": 1000}, ["log", "-n", "1000"])),
        ("log of a file", own("git_log", {"path": blamed, "max_count": 20}, ["log", "-n", "20", "--", blamed])),
        ("log of a folder, all", own("git_log", {"path": path, "max_count": 5000}, ["log", "--", path])),
        (
            "log of a file through renames",
            own("git_log", {"path": blamed, "follow": True, "max_count": 5000}, ["log", "--follow", "--", blamed]),
        ),
        ("log of an author", own("git_log", {"author": "Author 7", "max_count": 5000}, ["log", "--author=Author 7"])),
        ("log with a word", own("git_log", {"grep": "send_buffer", "max_count": 5000}, ["log", "--grep=send_buffer"])),
        ("show HEAD", all_three("git_show", {"revision": "HEAD"}, ["show", "HEAD"])),
        ("blame", own("git_blame", {"path": blamed}, ["blame", blamed])),
        (
            "blame of 40 lines",
            own("git_blame", {"path": blamed, "start_line": 100, "end_line": 139}, ["blame", "-L100,139", blamed]),
        ),
        ("branch", all_three("git_branch", {"branch_type": "local"}, ["branch"])),
    ]
    return report(players, calls, missing, repeat)


def memory(walden, beneath, size, repeat):
    missing = []
    files = {}
    for name in ("walden", "reference"):
        files[name] = os.path.join(beneath, f"memory-{size}-{name}.jsonl")
        material.make_graph(files[name], material.GRAPHS[size])
    players = start(missing, "walden", [walden, "serve", "memory"], {"MEMORY_FILE_PATH": files["walden"]})
    reference = install.node_server(beneath, "memory")
    players += start(missing, "reference", reference, {"MEMORY_FILE_PATH": files["reference"]})
    stamp = time.time_ns()

    def new_entity(turn):
        return {"entities": [{"name": f"new {stamp} {turn}", "entityType": "thing", "observations": ["one"]}]}

    def new_relation(turn):
        return {"relations": [{"from": f"new {stamp} {turn}", "to": "entity 1", "relationType": "follows"}]}

    def new_fact(turn):
        return {"observations": [{"entityName": "entity 5", "contents": [f"fact {stamp} {turn}"]}]}

    def old_entity(turn):
        return {"entityNames": [f"new {stamp} {turn}"]}

    calls = [
        ("search_nodes, a rare word", both("search_nodes", {"query": material.RARE})),
        ("search_nodes, nothing", both("search_nodes", {"query": "nothing-has-this-in-it"})),
        ("open_nodes", both("open_nodes", {"names": ["entity 3", "entity 4"]})),
        ("create_entities", both("create_entities", new_entity)),
        ("search_nodes after a change", both("search_nodes", {"query": "thing 77"})),
        ("create_relations", both("create_relations", new_relation)),
        ("add_observations", both("add_observations", new_fact)),
        ("delete_entities", both("delete_entities", old_entity)),
    ]
    try:
        return report(players, calls, missing, repeat)
    finally:
        for path in files.values():
            os.remove(path)


SERVERS = {"filesystem": filesystem, "git": git, "memory": memory}
