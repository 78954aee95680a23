"""Times walden's built-in MCP servers beside the servers and programs that they stand in for.

    python3 benches/peers target/release/walden [--servers filesystem,git,memory] [--sizes small,medium,huge]
                                                [--repeat 5] [--json]

The reference servers are installed from npm and PyPI; `rg` and `git` are those of this machine. What is missing is
left out and named. Everything is laid beneath `target/peers`: three trees (as many files as ripgrep, cargo and a
kernel have), a repository of 3,000 files and 5,000 commits, graphs of 1,000 to 100,000 entities; the same bytes each
time. Each row is one call, made by all of them in turn with warm caches; a ratio above 1 says that walden is faster.
Only the standard library is used.
"""

import argparse
import json
import os
import sys

import calls


def table(server, size, result):
    lines = [f"\n{server}" + (f", {size}" if size else "")]
    for what in ("start_ms", "memory_mib"):
        lines.append(f"  {what}: " + ", ".join(f"{name} {value}" for name, value in result[what].items()))
    lines.append(f"  {'call':34} {'walden ms':>10}   the others: ms (times walden's; of the best times)")
    for row in result["calls"]:
        own = row["ms"].get("walden", {}).get("median", "-")
        others = [
            f"{name} {of['median']} ({row.get('ratio', {}).get(name, '-')}; {row.get('ratio_of_best', {}).get(name, '-')})"
            for name, of in row["ms"].items()
            if name != "walden"
        ]
        others += [f"{name}: {why}" for name, why in row.get("failed", {}).items()]
        lines.append(f"  {row['call']:34} {own:>10}   " + ", ".join(others))
    lines += [f"  missing {what}" for what in result.get("missing", [])]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(prog="benches/peers", description=__doc__.splitlines()[0])
    parser.add_argument("walden", help="the program, such as target/release/walden")
    parser.add_argument("--servers", default="filesystem,git,memory", help="which of them, with commas")
    parser.add_argument("--sizes", default="small,medium,huge", help="of trees and graphs: small, medium, huge")
    parser.add_argument("--repeat", type=int, default=5, help="how often each call is timed")
    parser.add_argument("--json", action="store_true", help="every time that was taken, as JSON")
    options = parser.parse_args()
    walden = os.path.abspath(options.walden)
    here = os.path.dirname(os.path.abspath(__file__))
    beneath = os.path.join(os.path.realpath(os.path.join(here, "..", "..")), "target", "peers")
    os.makedirs(beneath, exist_ok=True)
    results = {"repeat": options.repeat}
    for server in options.servers.split(","):
        # There is one repository.
        for size in [""] if server == "git" else options.sizes.split(","):
            result = calls.SERVERS[server](walden, beneath, size, options.repeat)
            results.setdefault(server, {})[size or "repository"] = result
            print(table(server, size, result), file=sys.stderr if options.json else sys.stdout, flush=True)
    if options.json:
        json.dump(results, sys.stdout, indent=2)
        print()


if __name__ == "__main__":
    main()
